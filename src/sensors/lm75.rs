//! LM75 on I²C, and its relatives that other makers refined: a thermometer with a register, and
//! hardly anything else.
//!
//! Written out here instead of taken from the crate `lm75` 1.0: see `hardware/lm75.md`.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

use crate::sensors::catalog::{Facts, Span, Wiring};
use crate::sensors::i2c::{I2cChip, read, write};
use crate::sensors::pinout::{I2C_PARTS, Line, Pinout, Terminal};
use crate::sensors::{Fault, Measurement};
use crate::units::MilliCelsius;

/// LM75.
pub const FACTS: Facts = Facts {
    name: "lm75",
    parts: "LM75, LM75C, DS75",
    wirings: &[Wiring::I2c],
    temperature: Span::celsius(MilliCelsius::new(-55_000), MilliCelsius::new(125_000), 500_000),
    addresses: &[0x48, 0x49, 0x4a, 0x4b, 0x4c, 0x4d, 0x4e, 0x4f],
    pinout: Some(&PINOUT),
    ..Facts::BLANK
};

/// Its pins, and where they go.
const PINOUT: Pinout = Pinout {
    package: "SOIC-8",
    terminals: &[
        Terminal::to(8, "+VS", Line::Supply),
        Terminal::to(1, "SDA", Line::Sda),
        Terminal::to(2, "SCL", Line::Scl),
        Terminal::open(3, "O.S."),
        Terminal::to(7, "A0", Line::Ground),
        Terminal::to(6, "A1", Line::Ground),
        Terminal::to(5, "A2", Line::Ground),
        Terminal::to(4, "GND", Line::Ground),
    ],
    parts: &I2C_PARTS,
};

/// LM75 datasheet SNOS808, section 7.5.
const TEMPERATURE: u8 = 0x00;
const CONFIGURATION: u8 = 0x01;
const HYSTERESIS: u8 = 0x02;

/// Two faults before the alarm pin is moved, so that the configuration is never all zeros.
const AWAKE: u8 = 0x08;
const SHUT_DOWN: u8 = AWAKE | 0x01;
/// Where the alarm ends: 74.5 °C. A chip that was without power has 75 °C again.
const SIGNATURE: [u8; 2] = [0x4a, 0x80];

/// Longest first conversion after a shutdown: the LM75's, 300 ms.
const CONVERSION_MS: u32 = 300;

/// The chip at one address.
#[derive(Debug)]
pub struct Lm75 {
    address: u8,
    /// The bits of the register that mean something, from the sign on.
    bits: u16,
}

impl Lm75 {
    /// The chip at this 7-bit address: nine bits.
    pub const fn new(address: u8) -> Self {
        Self { address, bits: 0xff80 }
    }

    /// A relative of eleven bits.
    pub(super) const fn with_eleven_bits(address: u8) -> Self {
        Self { address, bits: 0xffe0 }
    }

    /// The chip converts again and again, and has no flag that tells. It converts at once when it
    /// is woken, and stands still when it is shut down; each step must be seen in its
    /// configuration, and at the end that it has not restarted since.
    fn measure<I: I2c>(&self, i2c: &mut I, delay: &mut impl DelayNs) -> Result<Measurement, Fault> {
        self.configure(i2c, SHUT_DOWN)?;
        let [high, low] = SIGNATURE;
        write(i2c, self.address, &[HYSTERESIS, high, low])?;
        self.configure(i2c, AWAKE)?;
        delay.delay_ms(CONVERSION_MS);
        self.configure(i2c, SHUT_DOWN)?;
        let raw: [u8; 2] = read(i2c, self.address, TEMPERATURE)?;
        if read(i2c, self.address, TEMPERATURE)? != raw {
            return Err(Fault::Garbled);
        }
        if read(i2c, self.address, HYSTERESIS)? != SIGNATURE {
            return Err(Fault::PowerOn);
        }
        // Two hundred and fifty-sixths of a degree; the lowest bits are undefined.
        let register = (u16::from_be_bytes(raw) & self.bits).cast_signed();
        let degrees = f64::from(register) / 256.0;
        Ok(Measurement::of(MilliCelsius::from_degrees(degrees)))
    }

    /// What does not take it is no LM75.
    fn configure<I: I2c>(&self, i2c: &mut I, value: u8) -> Result<(), Fault> {
        write(i2c, self.address, &[CONFIGURATION, value])?;
        match self.configuration(i2c)? {
            found if found == value => Ok(()),
            0x00 => Err(Fault::StuckLow),
            0xff => Err(Fault::StuckHigh),
            _ => Err(Fault::WrongChip),
        }
    }

    fn configuration<I: I2c>(&self, i2c: &mut I) -> Result<u8, Fault> {
        read(i2c, self.address, CONFIGURATION).map(|[found]| found)
    }
}

impl<I: I2c, D: DelayNs> I2cChip<I, D> for Lm75 {
    /// Takes 300 ms.
    fn read(&mut self, i2c: &mut I, delay: &mut D) -> Result<Measurement, Fault> {
        self.measure(i2c, delay)
    }
}
