//! SHT30, SHT31, SHT35 on I²C: an adapter over `embedded-sht3x`, which checks the checksums of
//! both readings.
//!
//! Each reading begins with a soft reset, so that a heater left on by another program, or a chip
//! in periodic mode, ends there. The driver's measurement stretches the clock for up to 15.5 ms;
//! `hardware/sht3x.md` says what that means on a Pi.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;
use embedded_sht3x::{Error, Repeatability, Sht3x as Driver, Status};

use crate::sensors::i2c::{I2cChip, Identity, fault};
use crate::sensors::{Fault, Measurement};
use crate::units::MilliCelsius;

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
        Ok(Measurement { temperature: thousandths(both.temperature.0), may_be_power_on: false })
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

/// The driver's degrees as thousandths. It computes −45 + 175 · raw / 65535, so −45 to 130.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "there is no other way from a float to an integer, and this one saturates"
)]
fn thousandths(celsius: f32) -> MilliCelsius {
    MilliCelsius::new((f64::from(celsius) * 1000.0).round() as i32)
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

    #[test]
    fn thousandths_round_to_the_nearest_and_keep_the_sign() {
        assert_eq!(thousandths(-10.125_4), MilliCelsius::new(-10_125));
        assert_eq!(thousandths(21.437_6), MilliCelsius::new(21_438));
        assert_eq!(thousandths(f32::NAN), MilliCelsius::new(0));
    }
}
