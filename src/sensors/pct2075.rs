//! PCT2075, LM75A, LM75B on I²C: an LM75 with eleven bits.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

use crate::sensors::catalog::{Facts, Span, Wiring};
use crate::sensors::i2c::I2cChip;
use crate::sensors::lm75::Lm75;
use crate::sensors::pinout::{I2C_PARTS, Line, Pinout, Terminal};
use crate::sensors::{Fault, Measurement};
use crate::units::MilliCelsius;

/// PCT2075 and what NXP calls LM75.
pub const FACTS: Facts = Facts {
    name: "pct2075",
    parts: "PCT2075, LM75A, LM75B",
    wirings: &[Wiring::I2c],
    temperature: Span::celsius(MilliCelsius::new(-55_000), MilliCelsius::new(125_000), 125_000),
    addresses: &[
        0x48, 0x49, 0x4a, 0x4b, 0x4c, 0x4d, 0x4e, 0x4f, 0x28, 0x29, 0x2a, 0x2b, 0x2c, 0x2d, 0x2e,
        0x2f, 0x35, 0x36, 0x37,
    ],
    pinout: Some(&PINOUT),
    ..Facts::BLANK
};

/// Its pins, and where they go.
const PINOUT: Pinout = Pinout {
    package: "SO8",
    terminals: &[
        Terminal::to(8, "VCC", Line::Supply),
        Terminal::to(1, "SDA", Line::Sda),
        Terminal::to(2, "SCL", Line::Scl),
        Terminal::open(3, "OS"),
        Terminal::to(7, "A0", Line::Ground),
        Terminal::to(6, "A1", Line::Ground),
        Terminal::to(5, "A2", Line::Ground),
        Terminal::to(4, "GND", Line::Ground),
    ],
    parts: &I2C_PARTS,
};

/// The chip at one address.
#[derive(Debug)]
pub struct Pct2075(Lm75);

impl Pct2075 {
    /// The chip at this 7-bit address.
    pub const fn new(address: u8) -> Self {
        Self(Lm75::with_eleven_bits(address))
    }
}

impl<I: I2c, D: DelayNs> I2cChip<I, D> for Pct2075 {
    /// Takes 300 ms.
    fn read(&mut self, i2c: &mut I, delay: &mut D) -> Result<Measurement, Fault> {
        self.0.read(i2c, delay)
    }
}
