//! Where the model of each chip is registered, and what hangs at its inputs.

use crate::bus::Attached;
use crate::bus::kernel::Class;
use crate::sensors::catalog::Driver;
use crate::sensors::dht::Kind;
use crate::sensors::element::{Curve, Element, Rtd, Side, Thermistor, Wires};
use crate::sensors::{Address, KernelName};
use crate::sim::ads1115::Ads1115;
use crate::sim::aht20::{self, Aht20};
use crate::sim::bme280::{self, Bme280};
use crate::sim::bme680::Bme680;
use crate::sim::bmp180::Bmp180;
use crate::sim::circuit::{self, Circuit};
use crate::sim::dht::{self, Dht};
use crate::sim::htu21d::Htu21d;
use crate::sim::i2c::I2cDevice;
use crate::sim::kernel::{self, Device};
use crate::sim::lm75::{self, Lm75};
use crate::sim::max6675::Max6675;
use crate::sim::max31855::Max31855;
use crate::sim::max31865::{Max31865, Probe};
use crate::sim::mcp3008::Mcp3008;
use crate::sim::mcp9808::Mcp9808;
use crate::sim::sht3x::Sht3x;
use crate::sim::sht4x::Sht4x;
use crate::sim::shtc3::Shtc3;
use crate::sim::spi::SpiSlave;
use crate::sim::tmp102::Tmp102;
use crate::sim::tmp117::Tmp117;
use crate::time::Tick;

/// What hangs at which input.
pub(super) fn fitted(sensor: &Attached) -> Option<(u8, Element)> {
    let input = match sensor.address {
        Address::I2c(address) => address.input,
        Address::Spi(address) => address.input,
        Address::OneWire(_) | Address::Pin(_) | Address::Kernel(_) => None,
    };
    sensor.element.map(|element| (input.unwrap_or(0), element))
}

/// The circuits at the inputs of a converter; an input of which nothing is known has the usual one.
fn circuits<const N: usize>(fitted: &[(u8, Element)]) -> [Circuit; N] {
    std::array::from_fn(|input| {
        let here = fitted.iter().find(|(at, _)| usize::from(*at) == input);
        here.and_then(|(_, element)| circuit(element)).unwrap_or(Circuit::THERMISTOR)
    })
}

/// What the input of a converter sees; a platinum resistance hangs at no such.
fn circuit(element: &Element) -> Option<Circuit> {
    Some(match *element {
        Element::Thermistor(Thermistor { curve, series, side }) => Circuit::Divider {
            curve: match curve {
                Curve::Beta { r25, beta } => circuit::Curve::Beta { r25, beta },
                Curve::SteinhartHart(coefficients) => circuit::Curve::SteinhartHart(coefficients),
            },
            series,
            side: match side {
                Side::Ground => circuit::Side::Ground,
                Side::Supply => circuit::Side::Supply,
            },
        },
        Element::Tmp36(_) => Circuit::Tmp36,
        Element::Rtd(_) => return None,
    })
}

fn probe(fitted: &[(u8, Element)]) -> Probe {
    match fitted.first() {
        Some((_, Element::Rtd(Rtd { element, wires, reference }))) => Probe {
            r0: element.ohms(),
            wires: match wires {
                Wires::Two => 2,
                Wires::Three => 3,
                Wires::Four => 4,
            },
            reference: *reference,
        },
        _ => Probe::USUAL,
    }
}

/// A chip on SPI that powers up now, with these at its inputs. Where a model is registered.
pub fn spi_model(driver: Driver, fitted: &[(u8, Element)], now: Tick) -> Option<Box<dyn SpiSlave>> {
    Some(match driver {
        Driver::Max31855 => Box::new(Max31855::new(now)),
        Driver::Max31865 => Box::new(Max31865::new(probe(fitted), now)),
        Driver::Max6675 => Box::new(Max6675::new(now)),
        Driver::Mcp3008 => Box::new(Mcp3008::new(circuits(fitted))),
        _ => return None,
    })
}

/// A chip on I²C that powers up now, with these at its inputs. Where a model is registered.
pub fn model(driver: Driver, fitted: &[(u8, Element)], now: Tick) -> Option<Box<dyn I2cDevice>> {
    Some(match driver {
        Driver::Ads1115 => Box::new(Ads1115::new(circuits(fitted), now)),
        Driver::Aht10 => Box::new(Aht20::new(aht20::Kind::Aht10, now)),
        Driver::Aht20 => Box::new(Aht20::new(aht20::Kind::Aht20, now)),
        Driver::Bme280 => Box::new(Bme280::new(bme280::Kind::Bme280, now)),
        Driver::Bme680 => Box::new(Bme680::new(now)),
        Driver::Bmp180 => Box::new(Bmp180::new(now)),
        Driver::Bmp280 => Box::new(Bme280::new(bme280::Kind::Bmp280, now)),
        Driver::Htu21d => Box::new(Htu21d::new(now)),
        Driver::Lm75 => Box::new(Lm75::new(lm75::Kind::Lm75, now)),
        Driver::Mcp9808 => Box::new(Mcp9808::new(now)),
        Driver::Pct2075 => Box::new(Lm75::new(lm75::Kind::Pct2075, now)),
        Driver::Sht3x => Box::new(Sht3x::new(now)),
        Driver::Sht4x => Box::new(Sht4x::new(now)),
        Driver::Shtc3 => Box::new(Shtc3::new(now)),
        Driver::Tmp102 => Box::new(Tmp102::new(now)),
        Driver::Tmp117 => Box::new(Tmp117::new(now)),
        Driver::Cpu
        | Driver::Dht11
        | Driver::Dht22
        | Driver::Ds18b20
        | Driver::Hwmon
        | Driver::Iio
        | Driver::Max31855
        | Driver::Max31865
        | Driver::Max6675
        | Driver::Mcp3008
        | Driver::Thermal => return None,
    })
}

/// A chip on a pin that powers up now.
pub fn dht_model(driver: Driver, seed: u64, now: Tick) -> Option<Dht> {
    let kind = match Kind::of(driver)? {
        Kind::Dht11 => dht::Kind::Dht11,
        Kind::Dht22 => dht::Kind::Dht22,
    };
    Some(Dht::new(kind, seed, now))
}

/// A device of the kernel as an address names it, and the subsystem where it is; `None`: a driver
/// that does not read the kernel's files.
pub fn kernel_model(driver: Driver, name: &KernelName) -> Option<(Class, Device)> {
    let (class, sim) = kernel_class(driver)?;
    let usual = match class {
        Class::Hwmon => "temp1",
        Class::Iio => "in_temp",
        Class::Thermal => "temp",
    };
    let parent = name.device.as_deref().unwrap_or("simulated");
    let mut device = Device::new(sim, &name.name, parent, name.channel.as_deref().unwrap_or(usual));
    if Kind::of(driver).is_some() {
        device.besides = kernel::Besides::Humidity;
    }
    Some((class, device))
}

const fn kernel_class(driver: Driver) -> Option<(Class, kernel::Class)> {
    match driver {
        Driver::Cpu | Driver::Thermal => Some((Class::Thermal, kernel::Class::Thermal)),
        Driver::Hwmon => Some((Class::Hwmon, kernel::Class::Hwmon)),
        Driver::Iio | Driver::Dht11 | Driver::Dht22 => Some((Class::Iio, kernel::Class::Iio)),
        _ => None,
    }
}
