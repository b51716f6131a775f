//! HTU21D, SHT20, SHT21, SHT25, Si7020, Si7021 on I²C: temperature and humidity one after the
//! other, each with its checksum.
//!
//! Written out here instead of taken from a crate: see `hardware/htu21d.md`.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

use crate::sensors::catalog::{Facts, Span, Wiring};
use crate::sensors::i2c::{I2cChip, fault, read, write};
use crate::sensors::identity::Identity;
use crate::sensors::pinout::{I2C_PARTS, Line, Pinout, Terminal};
use crate::sensors::sensirion::crc8;
use crate::sensors::{Fault, Measurement, humidity};
use crate::units::MilliCelsius;

/// HTU21D and what speaks the same.
pub const FACTS: Facts = Facts {
    name: "htu21d",
    parts: "HTU21D, SHT20, SHT21, SHT25, Si7020, Si7021",
    wirings: &[Wiring::I2c],
    temperature: Span::celsius(MilliCelsius::new(-40_000), MilliCelsius::new(125_000), 10_726),
    humidity: Some(Span::percent(30_518)),
    addresses: &[0x40],
    pinout: Some(&PINOUT),
    ..Facts::BLANK
};

/// Its pins, and where they go.
const PINOUT: Pinout = Pinout {
    package: "DFN-6",
    terminals: &[
        Terminal::to(5, "VDD", Line::Supply),
        Terminal::to(1, "DATA", Line::Sda),
        Terminal::to(6, "SCK", Line::Scl),
        Terminal::open(3, "NC"),
        Terminal::open(4, "NC"),
        Terminal::to(2, "GND", Line::Ground),
    ],
    parts: &I2C_PARTS,
};

/// HTU21D datasheet, version 3, page 11.
const RESET: u8 = 0xfe;
const READ_USER_REGISTER: u8 = 0xe7;
const MEASURE_TEMPERATURE: u8 = 0xf3;
const MEASURE_HUMIDITY: u8 = 0xf5;

const RESET_MS: u32 = 15;
/// Longest measurements of the slowest relative, the SHT21 (its table 7).
const TEMPERATURE_MS: u32 = 85;
const HUMIDITY_MS: u32 = 29;

/// Bits of the user register that choose the resolution, and the heater: all zero after a reset.
const RESOLUTION_AND_HEATER: u8 = 0x85;

/// The two lowest bits of an answer are no part of the value; not all relatives agree what they
/// tell.
const STATUS: u16 = 0b11;

/// The chip; it has one address.
#[derive(Debug)]
pub struct Htu21d {
    address: u8,
    identity: Identity,
}

impl Htu21d {
    /// The chip at this 7-bit address.
    pub const fn new(address: u8) -> Self {
        Self { address, identity: Identity::Unproven }
    }

    fn measure<I: I2c>(&self, i2c: &mut I, delay: &mut impl DelayNs) -> Result<Measurement, Fault> {
        if self.identity == Identity::Unproven {
            self.prove(i2c, delay)?;
        }
        let warm = self.ask(i2c, delay, MEASURE_TEMPERATURE, TEMPERATURE_MS)?;
        let damp = self.ask(i2c, delay, MEASURE_HUMIDITY, HUMIDITY_MS)?;
        let part = |raw: u16| f64::from(raw) / 65_536.0;
        Ok(Measurement {
            humidity: Some(humidity(-6.0 + 125.0 * part(damp))),
            ..Measurement::of(MilliCelsius::from_degrees(-46.85 + 175.72 * part(warm)))
        })
    }

    /// There is no name common to these chips: their reset, and the settings after it, must do.
    fn prove<I: I2c>(&self, i2c: &mut I, delay: &mut impl DelayNs) -> Result<(), Fault> {
        write(i2c, self.address, &[RESET])?;
        delay.delay_ms(RESET_MS);
        match read(i2c, self.address, READ_USER_REGISTER)? {
            [0x00] => Err(Fault::StuckLow),
            [0xff] => Err(Fault::StuckHigh),
            [settings] if settings & RESOLUTION_AND_HEATER == 0 => Ok(()),
            [_] => Err(Fault::WrongChip),
        }
    }

    fn ask<I: I2c>(
        &self,
        i2c: &mut I,
        delay: &mut impl DelayNs,
        command: u8,
        wait_ms: u32,
    ) -> Result<u16, Fault> {
        write(i2c, self.address, &[command])?;
        delay.delay_ms(wait_ms);
        let mut answer = [0; 3];
        i2c.read(self.address, &mut answer).map_err(|error| fault(&error))?;
        match answer {
            // Three zeros have a valid checksum, so a short circuit would read as −46.85 °C.
            [0x00, 0x00, 0x00] => Err(Fault::StuckLow),
            [0xff, 0xff, 0xff] => Err(Fault::StuckHigh),
            [high, low, crc] if crc8(0x00, &[high, low]) == crc => {
                Ok(u16::from_be_bytes([high, low]) & !STATUS)
            }
            _ => Err(Fault::Crc),
        }
    }
}

impl<I: I2c, D: DelayNs> I2cChip<I, D> for Htu21d {
    /// Takes 114 ms.
    fn read(&mut self, i2c: &mut I, delay: &mut D) -> Result<Measurement, Fault> {
        let reading = self.measure(i2c, delay);
        self.identity = Identity::after(&reading);
        reading
    }
}
