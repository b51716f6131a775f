//! TMP117 on I²C (datasheet SNOSD82D): one conversion per reading, identity proved, registers
//! cross-checked because the chip sends no checksum.
//!
//! Written out here instead of taken from the crate `tmp117` 3.0: that one brings `bilge`,
//! `darling` and two versions of `syn` for three registers, returns `f32`, does not look at the
//! device id, and takes a line that is stuck high for −0.008 °C.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

use crate::sensors::catalog::{Facts, Span, Wiring};
use crate::sensors::i2c::{I2cChip, fault};
use crate::sensors::identity::Identity;
use crate::sensors::packages::six_pins;
use crate::sensors::pinout::Pinout;
use crate::sensors::{Fault, Measurement};
use crate::units::MilliCelsius;

/// TMP117.
pub const FACTS: Facts = Facts {
    name: "tmp117",
    parts: "TMP117",
    wirings: &[Wiring::I2c],
    temperature: Span::celsius(MilliCelsius::new(-55_000), MilliCelsius::new(150_000), 7813),
    humidity: None,
    pressure: None,
    addresses: &[0x48, 0x49, 0x4a, 0x4b],
    origin: "ours",
    pinout: Some(&PINOUT),
    ..Facts::BLANK
};

/// Its pins, and where they go.
const PINOUT: Pinout = six_pins("WSON-6");

/// Section 7.6, register map.
const TEMPERATURE: u8 = 0x00;
const CONFIGURATION: u8 = 0x01;
pub(super) const DEVICE_ID: u8 = 0x0f;

/// Device id without the revision in its upper four bits.
pub(super) const TMP117: u16 = 0x117;
/// MOD = one-shot, AVG = 8 conversions, everything else zero: noise of one step (section 7.3.2).
const ONE_SHOT: u16 = 0x0c20;
/// What must read back as written: all but the flags and MOD, which changes at the end of the
/// conversion.
const SETTINGS: u16 = 0x03ff;
const DATA_READY: u16 = 1 << 13;
/// Temperature before the first conversion: −256 °C.
const NO_CONVERSION: u16 = 0x8000;

/// Eight conversions of at most 17.5 ms (section 6.5).
const CONVERSION_MS: u32 = 140;
/// Between two looks at the flag. Each look clears it, so looking often can miss it.
const POLL_MS: u32 = 20;
/// Looks before the conversion counts as failed.
const POLLS_MAX: u32 = 4;
/// How often a chip must repeat what speaks against it: one wrong bit of sixteen in each read is
/// the same one three times in a row in one of 256 cases.
const CONFIRMATIONS: u32 = 2;

/// The chip at one address.
#[derive(Debug)]
pub struct Tmp117 {
    address: u8,
    identity: Identity,
}

impl Tmp117 {
    /// The chip at this 7-bit address.
    pub const fn new(address: u8) -> Self {
        Self { address, identity: Identity::Unproven }
    }

    fn measure<I: I2c>(&self, i2c: &mut I, delay: &mut impl DelayNs) -> Result<Measurement, Fault> {
        if self.identity == Identity::Unproven {
            self.prove(i2c)?;
        }
        self.write(i2c, CONFIGURATION, ONE_SHOT)?;
        delay.delay_ms(CONVERSION_MS);
        self.wait_until_ready(i2c, delay)?;
        let raw = self.read_register(i2c, TEMPERATURE)?;
        if self.read_register(i2c, TEMPERATURE)? != raw {
            return Err(Fault::Garbled);
        }
        decode(raw)
    }

    fn prove<I: I2c>(&self, i2c: &mut I) -> Result<(), Fault> {
        match self.read_register(i2c, DEVICE_ID)? {
            0x0000 => Err(Fault::StuckLow),
            0xffff => Err(Fault::StuckHigh),
            id if id & 0x0fff == TMP117 => Ok(()),
            id => Err(self.accused(i2c, (DEVICE_ID, 0xffff), id, Fault::WrongChip)),
        }
    }

    fn wait_until_ready<I: I2c>(&self, i2c: &mut I, delay: &mut impl DelayNs) -> Result<(), Fault> {
        for _ in 0..POLLS_MAX {
            match self.read_register(i2c, CONFIGURATION)? {
                0x0000 => return Err(Fault::StuckLow),
                0xffff => return Err(Fault::StuckHigh),
                // After a loss of power the chip has its own settings again.
                found if found & SETTINGS != ONE_SHOT & SETTINGS => {
                    let accused = (CONFIGURATION, SETTINGS);
                    return Err(self.accused(i2c, accused, found, Fault::PowerOn));
                }
                found if found & DATA_READY != 0 => return Ok(()),
                _ => delay.delay_ms(POLL_MS),
            }
        }
        Err(Fault::Timeout)
    }

    /// What is wrong with a register that was `found` not to be what it should be. The chip is at
    /// fault only if it says the same again and again; else the wires are, which change a bit now
    /// here and now there and would give the trouble another name each time.
    fn accused<I: I2c>(
        &self,
        i2c: &mut I,
        (register, mask): (u8, u16),
        found: u16,
        fault: Fault,
    ) -> Fault {
        for _ in 0..CONFIRMATIONS {
            match self.read_register(i2c, register) {
                Ok(again) if again & mask == found & mask => {}
                Ok(_) => return Fault::Garbled,
                Err(other) => return other,
            }
        }
        fault
    }

    /// With a repeated start: after a stop another master could move the pointer.
    fn read_register<I: I2c>(&self, i2c: &mut I, register: u8) -> Result<u16, Fault> {
        let mut bytes = [0; 2];
        i2c.write_read(self.address, &[register], &mut bytes).map_err(|error| fault(&error))?;
        Ok(u16::from_be_bytes(bytes))
    }

    fn write<I: I2c>(&self, i2c: &mut I, register: u8, value: u16) -> Result<(), Fault> {
        let [high, low] = value.to_be_bytes();
        i2c.write(self.address, &[register, high, low]).map_err(|error| fault(&error))
    }
}

impl<I: I2c, D: DelayNs> I2cChip<I, D> for Tmp117 {
    /// Takes 141 ms.
    fn read(&mut self, i2c: &mut I, delay: &mut D) -> Result<Measurement, Fault> {
        let reading = self.measure(i2c, delay);
        self.identity = Identity::after(&reading);
        reading
    }
}

/// The temperature register: two's complement, 7.8125 m°C a step (section 7.3.3). Halves of a
/// thousandth go away from zero.
pub fn decode(raw: u16) -> Result<Measurement, Fault> {
    if raw == NO_CONVERSION {
        return Err(Fault::PowerOn);
    }
    let steps = i32::from(raw.cast_signed());
    let temperature = MilliCelsius::new((steps * 1000 + 64 * steps.signum()) / 128);
    Ok(Measurement::of(temperature))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: u16, expected: Result<i32, Fault>) {
        let read = decode(raw).map(|measured| measured.temperature.thousandths());
        assert_eq!(read, expected, "{raw:#06x}");
    }

    /// Datasheet table 7-1; −256 °C is no temperature.
    #[test]
    fn the_register_is_signed_and_rounds_away_from_zero() {
        check(0x8000, Err(Fault::PowerOn));
        check(0xf380, Ok(-25_000));
        check(0xfff0, Ok(-125));
        check(0xffff, Ok(-8));
        check(0x0000, Ok(0));
        check(0x0001, Ok(8));
        check(0x0c80, Ok(25_000));
        check(0x7fff, Ok(255_992));
    }
}
