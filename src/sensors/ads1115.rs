//! ADS1115 on I²C (datasheet SBAS444): a converter of sixteen bits with four inputs. Three of them
//! are for thermistors; the fourth sees their supply, so that what counts is a share of it and not
//! the volts of a Pi, which are good for three per cent.
//!
//! Written out here instead of taken from the crate `ads1x1x` 0.3: see `hardware/ads1115.md`.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

use crate::sensors::catalog::{Facts, Span, Wiring};
use crate::sensors::element::{Element, ElementKind};
use crate::sensors::i2c::{I2cChip, read, write};
use crate::sensors::identity::Identity;
use crate::sensors::pinout::{DECOUPLING, DIVIDER, I2C_PULL_UPS, Line, Net, Pinout, Terminal};
use crate::sensors::{Fault, Measurement};
use crate::units::MilliCelsius;

/// ADS1115 with thermistors.
pub const FACTS: Facts = Facts {
    name: "ads1115",
    parts: "ADS1115",
    wirings: &[Wiring::I2c],
    // The step of a thermistor of 10 kΩ, β 3950 K, below 10 kΩ, where it is coarsest: 125 °C.
    temperature: Span::celsius(MilliCelsius::new(-40_000), MilliCelsius::new(125_000), 45_500),
    addresses: &[0x48, 0x49, 0x4a, 0x4b],
    inputs: SUPPLY,
    elements: &[ElementKind::Thermistor],
    pinout: Some(&PINOUT),
    ..Facts::BLANK
};

/// Its pins, and where they go.
const PINOUT: Pinout = Pinout {
    package: "VSSOP-10",
    terminals: &[
        Terminal::to(8, "VDD", Line::Supply),
        Terminal::to(7, "AIN3", Line::Supply),
        Terminal::to(9, "SDA", Line::Sda),
        Terminal::to(10, "SCL", Line::Scl),
        Terminal::open(2, "ALERT/RDY"),
        Terminal::to(1, "ADDR", Line::Ground),
        Terminal::to(3, "GND", Line::Ground),
        Terminal::on(4, "AIN0", Net::Divider),
        Terminal::on(5, "AIN1", Net::Like("AIN0")),
        Terminal::on(6, "AIN2", Net::Like("AIN0")),
    ],
    parts: &[I2C_PULL_UPS[0], I2C_PULL_UPS[1], DIVIDER[0], DIVIDER[1], DECOUPLING],
};

/// Section 8.1, register map.
const CONVERSION: u8 = 0x00;
const CONFIGURATION: u8 = 0x01;

/// The input that sees the supply of the dividers.
const SUPPLY: u8 = 3;

/// Begins a conversion when written; reads one while there is none.
const IDLE: u16 = 1 << 15;
/// An input against ground, ±4.096 V, one conversion, 128 a second, the comparator off.
const SINGLE: u16 = 0x4383;

/// A conversion is up to a tenth longer than 1/128 s (section 6.5).
const CONVERSION_MS: u32 = 9;
const POLL_MS: u32 = 2;
const POLLS_MAX: u32 = 3;

/// Volts of a step of the converter are 125 µV: the supply is 2 V at least, and 4.096 V at most.
const SUPPLY_STEPS_MIN: i16 = 16_000;

/// One input of the chip at one address.
#[derive(Debug)]
pub struct Ads1115 {
    address: u8,
    input: u8,
    element: Element,
    identity: Identity,
}

impl Ads1115 {
    /// What hangs at this input, 0 to 2, of the chip at this 7-bit address.
    pub const fn new(address: u8, input: u8, element: Element) -> Self {
        Self { address, input, element, identity: Identity::Unproven }
    }

    fn measure<I: I2c>(&self, i2c: &mut I, delay: &mut impl DelayNs) -> Result<Measurement, Fault> {
        let seen = self.convert(i2c, delay, self.input)?;
        let supply = self.convert(i2c, delay, SUPPLY)?;
        if supply < SUPPLY_STEPS_MIN {
            return Err(Fault::Unpowered);
        }
        let share = f64::from(seen) / f64::from(supply);
        self.element.of_share(share).map(Measurement::of)
    }

    /// What an input sees, in steps. The conversion must be seen to begin and to end.
    fn convert<I: I2c>(
        &self,
        i2c: &mut I,
        delay: &mut impl DelayNs,
        input: u8,
    ) -> Result<i16, Fault> {
        let settings = SINGLE | u16::from(input) << 12;
        let [high, low] = (settings | IDLE).to_be_bytes();
        write(i2c, self.address, &[CONFIGURATION, high, low])?;
        if self.is_idle(i2c, settings)? {
            return Err(Fault::Garbled);
        }
        delay.delay_ms(CONVERSION_MS);
        for _ in 0..POLLS_MAX {
            if self.is_idle(i2c, settings)? {
                let first = read(i2c, self.address, CONVERSION)?;
                let second = read(i2c, self.address, CONVERSION)?;
                let steps = i16::from_be_bytes(first);
                return if first == second { Ok(steps) } else { Err(Fault::Garbled) };
            }
            delay.delay_ms(POLL_MS);
        }
        Err(Fault::Timeout)
    }

    /// After a loss of power the chip has settings of its own. It has no name to ask for, but no
    /// other one keeps these settings and shows that it is busy in this way.
    fn is_idle<I: I2c>(&self, i2c: &mut I, settings: u16) -> Result<bool, Fault> {
        match u16::from_be_bytes(read(i2c, self.address, CONFIGURATION)?) {
            0x0000 => Err(Fault::StuckLow),
            0xffff => Err(Fault::StuckHigh),
            0x8583 | 0x0583 => Err(Fault::PowerOn),
            found if found & !IDLE == settings => Ok(found & IDLE != 0),
            _ if self.identity == Identity::Unproven => Err(Fault::WrongChip),
            _ => Err(Fault::Garbled),
        }
    }
}

impl<I: I2c, D: DelayNs> I2cChip<I, D> for Ads1115 {
    /// Takes 20 ms.
    fn read(&mut self, i2c: &mut I, delay: &mut D) -> Result<Measurement, Fault> {
        let reading = self.measure(i2c, delay);
        self.identity = Identity::after(&reading);
        reading
    }
}
