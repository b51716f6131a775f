//! SHT30, SHT31, SHT35 on I²C: an adapter over `embedded-sht3x`, which checks the checksums of
//! both readings.
//!
//! Each reading begins with a soft reset, so that a heater left on by another program, or a chip
//! in periodic mode, ends there. The driver's measurement stretches the clock for up to 15.5 ms;
//! `hardware/sht3x.md` says what that means on a Pi.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;
use embedded_sht3x::{Error, Repeatability, Sht3x as Driver, Status};

use crate::sensors::catalog::{Facts, Span, Wiring};
use crate::sensors::i2c::{I2cChip, fault};
use crate::sensors::identity::Identity;
use crate::sensors::pinout::{I2C_PARTS, Line, Pinout, Terminal};
use crate::sensors::{Fault, Measurement};
use crate::units::{MilliCelsius, MilliPercent};

/// SHT30, SHT31, SHT35.
pub const FACTS: Facts = Facts {
    name: "sht3x",
    parts: "SHT30, SHT31, SHT35",
    wirings: &[Wiring::I2c],
    temperature: Span::celsius(MilliCelsius::new(-40_000), MilliCelsius::new(125_000), 2671),
    humidity: Some(Span::percent(1526)),
    pressure: None,
    addresses: &[0x44, 0x45],
    origin: "embedded-sht3x 0.2",
    pinout: Some(&PINOUT),
    ..Facts::BLANK
};

/// Its pins, and where they go.
const PINOUT: Pinout = Pinout {
    package: "DFN-8",
    terminals: &[
        Terminal::to(5, "VDD", Line::Supply),
        Terminal::to(6, "nRESET", Line::Supply),
        Terminal::to(1, "SDA", Line::Sda),
        Terminal::to(4, "SCL", Line::Scl),
        Terminal::open(3, "ALERT"),
        Terminal::to(2, "ADDR", Line::Ground),
        Terminal::to(7, "R", Line::Ground),
        Terminal::to(8, "VSS", Line::Ground),
    ],
    parts: &I2C_PARTS,
};

/// Bits 14, 12, 3 and 2 of the status: always zero (datasheet section 4.11, table 18).
const STATUS_ZEROS: Status = Status::from_bits_retain(0x500c);

/// The chip at one address.
#[derive(Debug)]
pub struct Sht3x {
    address: u8,
    identity: Identity,
}

impl Sht3x {
    /// The chip at this 7-bit address.
    pub const fn new(address: u8) -> Self {
        Self { address, identity: Identity::Unproven }
    }

    fn measure<I: I2c>(&self, i2c: &mut I, delay: &mut impl DelayNs) -> Result<Measurement, Fault> {
        let mut driver = Driver::new(i2c, self.address, delay).map_err(|error| meaning(&error))?;
        driver.repeatability = Repeatability::High;
        if self.identity == Identity::Unproven {
            prove(&driver.get_status().map_err(|error| meaning(&error))?)?;
        }
        let both = driver.single_measurement().map_err(|error| meaning(&error))?;
        // The driver computes −45 + 175 · raw / 65535 and 100 · raw / 65535 in `f32`.
        Ok(Measurement {
            humidity: Some(MilliPercent::from_percent(both.relative_humidity.value().into())),
            ..Measurement::of(MilliCelsius::from_degrees(both.temperature.0.into()))
        })
    }
}

impl<I: I2c, D: DelayNs> I2cChip<I, D> for Sht3x {
    /// Takes 18 ms.
    fn read(&mut self, i2c: &mut I, delay: &mut D) -> Result<Measurement, Fault> {
        let reading = self.measure(i2c, delay);
        self.identity = Identity::after(&reading);
        reading
    }
}

/// The chip has no identity to read without a checksum of its own: a status that passes it, shows
/// the reset just commanded and no reserved bit is this family's.
fn prove(status: &Status) -> Result<(), Fault> {
    let genuine = status.contains(Status::RESET) && !status.intersects(STATUS_ZEROS);
    if genuine { Ok(()) } else { Err(Fault::WrongChip) }
}

fn meaning<E: embedded_hal::i2c::Error>(error: &Error<E>) -> Fault {
    match error {
        Error::I2c(error) => fault(error),
        Error::BadCrc => Fault::Crc,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_proves_the_family_only_after_a_reset_and_without_reserved_bits() {
        assert_eq!(prove(&Status::from_bits_retain(0x8010)), Ok(()));
        assert_eq!(prove(&Status::from_bits_retain(0x8000)), Err(Fault::WrongChip));
        assert_eq!(prove(&Status::from_bits_retain(0x8014)), Err(Fault::WrongChip));
        assert_eq!(prove(&Status::from_bits_retain(0xffff)), Err(Fault::WrongChip));
    }
}
