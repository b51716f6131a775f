//! SHT40, SHT41, SHT43, SHT45 on I²C (datasheet SHT4x, version 6): one command, one answer of two
//! words, each with its checksum.
//!
//! Written out here instead of taken from the crate `sht4x` 0.2: see `hardware/sht4x.md`.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

use crate::sensors::catalog::{Facts, Span, Wiring};
use crate::sensors::i2c::{I2cChip, fault, write};
use crate::sensors::identity::Identity;
use crate::sensors::pinout::{I2C_PARTS, Line, Pinout, Terminal};
use crate::sensors::sensirion::two_words;
use crate::sensors::{Fault, Measurement, humidity};
use crate::units::MilliCelsius;

/// SHT40, SHT41, SHT43, SHT45.
pub const FACTS: Facts = Facts {
    name: "sht4x",
    parts: "SHT40, SHT41, SHT43, SHT45",
    wirings: &[Wiring::I2c],
    temperature: Span::celsius(MilliCelsius::new(-40_000), MilliCelsius::new(125_000), 2671),
    humidity: Some(Span::percent(1908)),
    addresses: &[0x44, 0x45, 0x46],
    pinout: Some(&PINOUT),
    ..Facts::BLANK
};

/// Its pins, and where they go.
const PINOUT: Pinout = Pinout {
    package: "DFN-4",
    terminals: &[
        Terminal::to(3, "VDD", Line::Supply),
        Terminal::to(1, "SDA", Line::Sda),
        Terminal::to(2, "SCL", Line::Scl),
        Terminal::to(4, "VSS", Line::Ground),
    ],
    parts: &I2C_PARTS,
};

/// Section 4.5, table 8.
const MEASURE_WITH_HIGH_PRECISION: u8 = 0xfd;
const READ_SERIAL_NUMBER: u8 = 0x89;

/// Longest measurement of high precision: 8.3 ms (table 5).
const MEASUREMENT_MS: u32 = 9;
const SERIAL_NUMBER_MS: u32 = 1;

/// The chip at one address.
#[derive(Debug)]
pub struct Sht4x {
    address: u8,
    identity: Identity,
}

impl Sht4x {
    /// The chip at this 7-bit address.
    pub const fn new(address: u8) -> Self {
        Self { address, identity: Identity::Unproven }
    }

    /// There is no register with a name: a serial number whose checksums are right, asked for by a
    /// command of one byte, is this family's.
    fn measure<I: I2c>(&self, i2c: &mut I, delay: &mut impl DelayNs) -> Result<Measurement, Fault> {
        if self.identity == Identity::Unproven {
            self.ask(i2c, delay, READ_SERIAL_NUMBER, SERIAL_NUMBER_MS)?;
        }
        let [temperature, damp] =
            self.ask(i2c, delay, MEASURE_WITH_HIGH_PRECISION, MEASUREMENT_MS)?;
        Ok(Measurement {
            humidity: Some(humidity(-6.0 + 125.0 * f64::from(damp) / 65_535.0)),
            ..Measurement::of(MilliCelsius::from_degrees(
                -45.0 + 175.0 * f64::from(temperature) / 65_535.0,
            ))
        })
    }

    fn ask<I: I2c>(
        &self,
        i2c: &mut I,
        delay: &mut impl DelayNs,
        command: u8,
        wait_ms: u32,
    ) -> Result<[u16; 2], Fault> {
        write(i2c, self.address, &[command])?;
        delay.delay_ms(wait_ms);
        let mut answer = [0; 6];
        i2c.read(self.address, &mut answer).map_err(|error| fault(&error))?;
        two_words(answer)
    }
}

impl<I: I2c, D: DelayNs> I2cChip<I, D> for Sht4x {
    /// Takes 10 ms.
    fn read(&mut self, i2c: &mut I, delay: &mut D) -> Result<Measurement, Fault> {
        let reading = self.measure(i2c, delay);
        self.identity = Identity::after(&reading);
        reading
    }
}
