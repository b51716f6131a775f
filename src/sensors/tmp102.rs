//! TMP102, TMP112 on I²C (datasheet SBOS397): one conversion per reading, told to begin and seen to
//! end.
//!
//! Written out here instead of taken from the crate `tmp1x2` 1.1: see `hardware/tmp102.md`.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

use crate::sensors::catalog::{Facts, Span, Wiring};
use crate::sensors::i2c::{I2cChip, read, write};
use crate::sensors::identity::Identity;
use crate::sensors::packages::six_pins;
use crate::sensors::pinout::Pinout;
use crate::sensors::{Fault, Measurement};
use crate::units::MilliCelsius;

/// TMP102, TMP112.
pub const FACTS: Facts = Facts {
    name: "tmp102",
    parts: "TMP102, TMP112",
    wirings: &[Wiring::I2c],
    temperature: Span::celsius(MilliCelsius::new(-55_000), MilliCelsius::new(127_000), 62_500),
    addresses: &[0x48, 0x49, 0x4a, 0x4b],
    pinout: Some(&PINOUT),
    ..Facts::BLANK
};

/// Its pins, and where they go.
const PINOUT: Pinout = six_pins("SOT563-6");

/// Section 7.5, register map.
const TEMPERATURE: u8 = 0x00;
const CONFIGURATION: u8 = 0x01;

/// Shut down, twelve bits, four conversions a second, everything else zero.
const SHUT_DOWN: u16 = 0x6180;
/// The same, and convert once. The bit reads zero while it converts, and one afterwards.
const ONE_SHOT: u16 = 1 << 15;
/// The alert bit follows the temperature.
const ALERT: u16 = 1 << 5;
/// Always one, and always zero (table 8).
const ONES: u16 = 0x6000;
const ZEROS: u16 = 0x000f;

/// Longest conversion (section 6.5).
const CONVERSION_MS: u32 = 36;
const POLL_MS: u32 = 10;
/// Looks at a chip that still converts.
const POLLS_MAX: u32 = 3;

/// The chip at one address.
#[derive(Debug)]
pub struct Tmp102 {
    address: u8,
    identity: Identity,
}

impl Tmp102 {
    /// The chip at this 7-bit address.
    pub const fn new(address: u8) -> Self {
        Self { address, identity: Identity::Unproven }
    }

    fn measure<I: I2c>(&self, i2c: &mut I, delay: &mut impl DelayNs) -> Result<Measurement, Fault> {
        if self.identity == Identity::Unproven {
            self.prove(i2c)?;
            // A conversion that had begun comes to its end.
            self.configure(i2c, SHUT_DOWN)?;
            delay.delay_ms(CONVERSION_MS);
        }
        self.configure(i2c, SHUT_DOWN | ONE_SHOT)?;
        if self.configuration(i2c)? & ONE_SHOT != 0 {
            return Err(Fault::Garbled);
        }
        delay.delay_ms(CONVERSION_MS);
        for _ in 0..POLLS_MAX {
            if self.configuration(i2c)? & ONE_SHOT != 0 {
                return self.temperature(i2c);
            }
            delay.delay_ms(POLL_MS);
        }
        Err(Fault::Timeout)
    }

    /// There is no name to ask for, but six bits of the configuration are always the same.
    fn prove<I: I2c>(&self, i2c: &mut I) -> Result<(), Fault> {
        match self.read_register(i2c, CONFIGURATION)? {
            0x0000 => Err(Fault::StuckLow),
            0xffff => Err(Fault::StuckHigh),
            found if found & (ONES | ZEROS) == ONES => Ok(()),
            _ => Err(Fault::WrongChip),
        }
    }

    /// The configuration, whose settings must be ours: after a loss of power the chip has its own.
    fn configuration<I: I2c>(&self, i2c: &mut I) -> Result<u16, Fault> {
        match self.read_register(i2c, CONFIGURATION)? {
            0x0000 => Err(Fault::StuckLow),
            0xffff => Err(Fault::StuckHigh),
            found if found & !(ONE_SHOT | ALERT) == SHUT_DOWN => Ok(found),
            _ => Err(Fault::PowerOn),
        }
    }

    /// It stands still while the chip sleeps, so it counts when it is read twice, and when the
    /// chip has not restarted meanwhile.
    fn temperature<I: I2c>(&self, i2c: &mut I) -> Result<Measurement, Fault> {
        let raw = self.read_register(i2c, TEMPERATURE)?;
        if self.read_register(i2c, TEMPERATURE)? != raw || raw & ZEROS != 0 {
            return Err(Fault::Garbled);
        }
        self.configuration(i2c)?;
        // Sixteenths of a degree in the upper twelve bits (section 7.3.1).
        let degrees = f64::from(raw.cast_signed()) / 256.0;
        Ok(Measurement::of(MilliCelsius::from_degrees(degrees)))
    }

    fn configure<I: I2c>(&self, i2c: &mut I, value: u16) -> Result<(), Fault> {
        let [high, low] = value.to_be_bytes();
        write(i2c, self.address, &[CONFIGURATION, high, low])
    }

    fn read_register<I: I2c>(&self, i2c: &mut I, register: u8) -> Result<u16, Fault> {
        read(i2c, self.address, register).map(u16::from_be_bytes)
    }
}

impl<I: I2c, D: DelayNs> I2cChip<I, D> for Tmp102 {
    /// Takes 37 ms.
    fn read(&mut self, i2c: &mut I, delay: &mut D) -> Result<Measurement, Fault> {
        let reading = self.measure(i2c, delay);
        self.identity = Identity::after(&reading);
        reading
    }
}
