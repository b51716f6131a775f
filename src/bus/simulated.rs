//! `bus = "simulated"`: chips down to bits and registers, in simulated weather, read by the same
//! drivers as real ones. What differs from a house is only what lies below the pin and the bus.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::bus::i2c::I2cBus;
use crate::bus::pin::OneWirePin;
use crate::bus::spi::SpiBus;
use crate::bus::{Attached, Bus, Clock};
use crate::sampling::SensorId;
use crate::sensors::catalog::Driver;
use crate::sensors::element::{Curve, Element, Rtd, Side, Thermistor, Wires};
use crate::sensors::{Address, Fault, I2cAddress, Measurement, OneWireId, SpiAddress};
use crate::sim::ads1115::Ads1115;
use crate::sim::aht20::{self, Aht20};
use crate::sim::air::Air;
use crate::sim::bme280::{self, Bme280};
use crate::sim::bme680::Bme680;
use crate::sim::bmp180::Bmp180;
use crate::sim::chance::{Odds, mix};
use crate::sim::circuit::{self, Circuit};
use crate::sim::clock::{VirtualClock, VirtualDelay};
use crate::sim::htu21d::Htu21d;
use crate::sim::i2c::{I2cDevice, SimI2c};
use crate::sim::lm75::{self, Lm75};
use crate::sim::max6675::Max6675;
use crate::sim::max31855::Max31855;
use crate::sim::max31865::{Max31865, Probe};
use crate::sim::mcp3008::Mcp3008;
use crate::sim::mcp9808::Mcp9808;
use crate::sim::model::Model;
use crate::sim::onewire::{Ds18b20, SimPin, Wire};
use crate::sim::sht3x::Sht3x;
use crate::sim::sht4x::Sht4x;
use crate::sim::shtc3::Shtc3;
use crate::sim::spi::{SimSpi, SpiSlave};
use crate::sim::tmp102::Tmp102;
use crate::sim::tmp117::Tmp117;
use crate::sim::weather::{Place, Weather};
use crate::time::Tick;

/// Inverted bits on the wire: one reading in some 300 fails its checksum.
const WIRE_NOISE: Odds = Odds::one_in(800);
/// Addresses not acknowledged: one reading in some 150 finds nobody.
const BUS_NOISE: Odds = Odds::one_in(800);

/// A bus with its name, and the sensors on it.
pub type Wired = (String, Box<dyn Bus>, Vec<Attached>);

/// One bus for each kind of wiring that `attached` needs, by its name. `seed` determines weather
/// and faults, `clock` tells which time of day it is.
pub fn buses(attached: &[Attached], seed: u64, clock: &Arc<dyn Clock>) -> Vec<Wired> {
    let climate = |sensors: &[Attached]| Climate {
        weather: Weather::new(seed),
        clock: Arc::clone(clock),
        sensors: sensors.to_vec(),
    };
    let on = |wiring: fn(&Address) -> bool| -> Vec<Attached> {
        attached.iter().filter(|sensor| wiring(&sensor.address)).cloned().collect()
    };
    let wire = on(|address| matches!(address, Address::OneWire(_)));
    let i2c = on(|address| matches!(address, Address::I2c(_)));
    let mut buses: Vec<Wired> = Vec::new();
    if !wire.is_empty() {
        let bus = Simulated { bus: one_wire(&wire, seed), climate: climate(&wire) };
        buses.push(("simulated-w1".into(), Box::new(bus), wire));
    }
    if !i2c.is_empty() {
        let bus = Simulated { bus: i2c_bus(&i2c, seed), climate: climate(&i2c) };
        buses.push(("simulated-i2c".into(), Box::new(bus), i2c));
    }
    for (name, sensors) in chip_selects(attached) {
        if let Some(bus) = chip_select(&sensors) {
            let bus = Simulated { bus, climate: climate(&sensors) };
            buses.push((format!("simulated-{name}"), Box::new(bus), sensors));
        }
    }
    buses
}

/// The sensors at each chip select, by its name.
fn chip_selects(attached: &[Attached]) -> BTreeMap<String, Vec<Attached>> {
    let mut selects: BTreeMap<String, Vec<Attached>> = BTreeMap::new();
    for sensor in attached {
        if let Address::Spi(address) = sensor.address {
            let chip = SpiAddress { input: None, ..address };
            selects.entry(chip.to_string()).or_default().push(sensor.clone());
        }
    }
    selects
}

fn chip_select(attached: &[Attached]) -> Option<SpiBus<SimSpi, VirtualDelay>> {
    let clock = VirtualClock::new();
    let fitted: Vec<_> = attached.iter().filter_map(fitted).collect();
    let chip = spi_model(attached.first()?.driver, &fitted, clock.now())?;
    let spi = SimSpi::new(clock.clone(), chip);
    clock.advance(std::time::Duration::from_secs(1));
    Some(SpiBus::new(spi, VirtualDelay::new(clock), attached))
}

fn one_wire(attached: &[Attached], seed: u64) -> OneWirePin<SimPin, VirtualDelay> {
    let clock = VirtualClock::new();
    let mut wire = Wire::new(seed);
    wire.set_bit_flips(WIRE_NOISE);
    for sensor in attached {
        if let Some(chip) = slave(&sensor.address) {
            wire.attach(chip);
        }
    }
    OneWirePin::new(SimPin::new(wire, clock.clone()), VirtualDelay::new(clock), attached)
}

/// A DS18B20 or one of its family with the same registers; the model is of no other.
fn slave(address: &Address) -> Option<Ds18b20> {
    match *address {
        Address::OneWire(OneWireId { family: family @ (0x22 | 0x28 | 0x3b | 0x42), serial }) => {
            Some(Ds18b20::new(family, serial))
        }
        Address::OneWire(_)
        | Address::I2c(_)
        | Address::Spi(_)
        | Address::Pin(_)
        | Address::Kernel(_) => None,
    }
}

fn i2c_bus(attached: &[Attached], seed: u64) -> I2cBus<SimI2c, VirtualDelay> {
    let clock = VirtualClock::new();
    let mut i2c = SimI2c::new(clock.clone(), seed);
    i2c.unheard = BUS_NOISE;
    for sensor in attached {
        let Address::I2c(address) = sensor.address else { continue };
        let here = |other: &&Attached| match other.address {
            Address::I2c(other) => other.chip == address.chip,
            _ => false,
        };
        let fitted: Vec<_> = attached.iter().filter(here).filter_map(fitted).collect();
        if let Some(chip) = model(sensor.driver, &fitted, clock.now()) {
            i2c.attach(address.chip, chip);
        }
    }
    // Chips are powered before the host looks for them.
    clock.advance(std::time::Duration::from_secs(1));
    I2cBus::new(i2c, VirtualDelay::new(clock), attached)
}

/// What hangs at which input.
fn fitted(sensor: &Attached) -> Option<(u8, Element)> {
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
        Driver::Ds18b20
        | Driver::Max31855
        | Driver::Max31865
        | Driver::Max6675
        | Driver::Mcp3008 => return None,
    })
}

/// A bus whose chips can be put into other air.
trait Expose {
    fn expose(&mut self, address: &Address, air: Air);
}

impl Expose for OneWirePin<SimPin, VirtualDelay> {
    fn expose(&mut self, address: &Address, air: Air) {
        let rom = slave(address).map(|chip| chip.rom());
        if let Some(chip) = rom.and_then(|rom| self.pin_mut().wire_mut().chip_mut(rom)) {
            chip.set_temperature(air.temperature);
        }
    }
}

impl Expose for I2cBus<SimI2c, VirtualDelay> {
    fn expose(&mut self, address: &Address, air: Air) {
        let Address::I2c(address) = address else { return };
        if let Some(chip) = self.i2c_mut().device_mut(address.chip) {
            expose(chip, address.input, air);
        }
    }
}

impl Expose for SpiBus<SimSpi, VirtualDelay> {
    fn expose(&mut self, address: &Address, air: Air) {
        let Address::Spi(address) = address else { return };
        if let Some(chip) = self.spi_mut().chip_mut() {
            expose(chip, address.input, air);
        }
    }
}

fn expose(chip: &mut dyn Model, input: Option<u8>, air: Air) {
    match input {
        Some(input) => chip.expose_input(input, air),
        None => chip.expose(air),
    }
}

/// What surrounds the chips of one bus.
struct Climate {
    weather: Weather,
    clock: Arc<dyn Clock>,
    sensors: Vec<Attached>,
}

impl Climate {
    fn surround(&self, bus: &mut impl Expose) {
        let unix_ms = self.clock.wall().unix_ms();
        for sensor in &self.sensors {
            let key = key(&sensor.address);
            bus.expose(&sensor.address, self.weather.air(key, Place::of(key), unix_ms));
        }
    }
}

/// The same for the same address at each start.
fn key(address: &Address) -> u64 {
    match address {
        Address::OneWire(id) => mix(id.serial),
        Address::I2c(I2cAddress { behind: None, chip, input: None }) => u64::from(*chip),
        Address::I2c(_) | Address::Spi(_) | Address::Pin(_) | Address::Kernel(_) => {
            address.to_string().bytes().fold(0, |key, byte| mix(key ^ u64::from(byte)))
        }
    }
}

/// A bus in simulated weather.
struct Simulated<B> {
    bus: B,
    climate: Climate,
}

impl<B: Bus + Expose> Bus for Simulated<B> {
    fn read(
        &mut self,
        sensors: &[SensorId],
        answer: &mut dyn FnMut(SensorId, Result<Measurement, Fault>),
    ) {
        self.climate.surround(&mut self.bus);
        self.bus.read(sensors, answer);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::time::Timestamp;

    /// 2026-01-01T00:00:00Z.
    const NEW_YEAR_MS: u64 = 1_767_225_600_000;

    /// A wall clock that moves when told to.
    struct Wall(AtomicU64);

    impl Clock for Wall {
        fn now(&self) -> Tick {
            Tick::ZERO
        }

        fn wall(&self) -> Timestamp {
            Timestamp::new(self.0.load(Ordering::Relaxed), true)
        }
    }

    fn house() -> Vec<Attached> {
        let one_wire = |serial| Address::OneWire(OneWireId { family: 0x28, serial });
        let sensors = [
            (Driver::Ds18b20, one_wire(0x0113_1e85_8aef)),
            (Driver::Tmp117, Address::i2c(0x48)),
            (Driver::Ds18b20, one_wire(0x0113_1e85_8af0)),
            (Driver::Sht3x, Address::i2c(0x44)),
        ];
        let ids = sensors.into_iter().enumerate();
        let sensor =
            |(id, (driver, address))| Attached { id: SensorId(id), driver, address, element: None };
        ids.map(sensor).collect()
    }

    /// Reads the house every two minutes of a day; all answers by sensor.
    fn day(seed: u64) -> Vec<Vec<Result<i32, Fault>>> {
        let wall = Arc::new(Wall(AtomicU64::new(NEW_YEAR_MS)));
        let clock: Arc<dyn Clock> = wall.clone();
        let mut buses = buses(&house(), seed, &clock);
        let mut answers = vec![Vec::new(); 4];
        for _ in 0..24 * 30 {
            for ((_, bus, _), sensors) in buses.iter_mut().zip([[0, 2], [1, 3]]) {
                bus.read(&sensors.map(SensorId), &mut |id, result| {
                    answers[id.0].push(result.map(|read| read.temperature.thousandths()));
                });
            }
            wall.0.fetch_add(120_000, Ordering::Relaxed);
        }
        answers
    }

    #[test]
    fn a_day_is_plausible_alive_and_repeats_from_its_seed() {
        let today = day(1);
        for answers in &today {
            assert_eq!(answers.len(), 24 * 30, "one answer to each question");
            let good: Vec<i32> = answers.iter().filter_map(|answer| answer.ok()).collect();
            assert!(good.len() > answers.len() * 97 / 100, "{}", good.len());
            assert!(good.iter().all(|read| (-5_000..30_000).contains(read)), "{good:?}");
            assert!(good.iter().max() > good.iter().min());
            let longest = answers.split(Result::is_ok).map(<[_]>::len).max();
            assert!(longest < Some(4), "no fault lasts");
        }
        let faults = |fault| today.iter().flatten().filter(|one| **one == Err(fault)).count();
        assert!(faults(Fault::Crc) > 0, "a checksum fails now and then");
        assert_eq!(today, day(1));
        assert_ne!(today, day(2));
    }

    #[test]
    fn there_is_one_bus_for_each_kind_of_wiring() {
        let clock: Arc<dyn Clock> = Arc::new(Wall(AtomicU64::new(0)));
        let names = |attached: &[Attached]| -> Vec<String> {
            buses(attached, 1, &clock).into_iter().map(|(name, ..)| name).collect()
        };
        assert_eq!(names(&house()), ["simulated-w1", "simulated-i2c"]);
        assert_eq!(names(&house()[..1]), ["simulated-w1"]);
        assert!(names(&[]).is_empty());
    }
}
