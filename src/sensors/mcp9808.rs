//! MCP9808 on I²C (datasheet DS25095): identity proved, woken for one conversion and shut down
//! again.
//!
//! Written out here instead of taken from a crate: see `hardware/mcp9808.md`.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

use crate::sensors::catalog::{Facts, Span, Wiring};
use crate::sensors::i2c::{I2cChip, read, read_twice, write};
use crate::sensors::identity::Identity;
use crate::sensors::pinout::{I2C_PARTS, Line, Pinout, Terminal};
use crate::sensors::{Fault, Measurement};
use crate::units::MilliCelsius;

/// MCP9808.
pub const FACTS: Facts = Facts {
    name: "mcp9808",
    parts: "MCP9808",
    wirings: &[Wiring::I2c],
    temperature: Span::celsius(MilliCelsius::new(-40_000), MilliCelsius::new(125_000), 62_500),
    addresses: &[0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f],
    pinout: Some(&PINOUT),
    ..Facts::BLANK
};

/// Its pins, and where they go.
const PINOUT: Pinout = Pinout {
    package: "MSOP-8",
    terminals: &[
        Terminal::to(8, "VDD", Line::Supply),
        Terminal::to(1, "SDA", Line::Sda),
        Terminal::to(2, "SCL", Line::Scl),
        Terminal::open(3, "Alert"),
        Terminal::to(7, "A0", Line::Ground),
        Terminal::to(6, "A1", Line::Ground),
        Terminal::to(5, "A2", Line::Ground),
        Terminal::to(4, "GND", Line::Ground),
    ],
    parts: &I2C_PARTS,
};

/// Section 5.1, register 5-1.
const CONFIGURATION: u8 = 0x01;
const UPPER_LIMIT: u8 = 0x02;
const TEMPERATURE: u8 = 0x05;
pub(super) const MANUFACTURER: u8 = 0x06;
pub(super) const DEVICE: u8 = 0x07;
const RESOLUTION: u8 = 0x08;

pub(super) const MICROCHIP: u16 = 0x0054;
/// The lower byte is the revision.
pub(super) const MCP9808: u8 = 0x04;
/// Sixteenths of a degree.
const FINEST: u8 = 0x03;

/// An alarm that gives way by 1.5 °C, so that the configuration is never all zeros.
const AWAKE: u16 = 0x0200;
const SHUT_DOWN: u16 = AWAKE | 0x0100;
/// Where the alarm begins: 125 °C. A chip that was without power has 0 °C again.
const SIGNATURE: [u8; 2] = [0x07, 0xd0];

/// Typical conversion at the finest resolution (section 1, table), and a fifth more.
const CONVERSION_MS: u32 = 300;

/// The chip at one address.
#[derive(Debug)]
pub struct Mcp9808 {
    address: u8,
    identity: Identity,
}

impl Mcp9808 {
    /// The chip at this 7-bit address.
    pub const fn new(address: u8) -> Self {
        Self { address, identity: Identity::Unproven }
    }

    /// The chip converts again and again, and has no flag that tells. It converts at once when it
    /// is woken, and stands still when it is shut down; each step must be seen in its
    /// configuration, and at the end that it has not restarted since.
    fn measure<I: I2c>(&self, i2c: &mut I, delay: &mut impl DelayNs) -> Result<Measurement, Fault> {
        if self.identity == Identity::Unproven {
            self.prove(i2c)?;
        }
        self.configure(i2c, SHUT_DOWN)?;
        write(i2c, self.address, &[RESOLUTION, FINEST])?;
        let [high, low] = SIGNATURE;
        write(i2c, self.address, &[UPPER_LIMIT, high, low])?;
        self.configure(i2c, AWAKE)?;
        delay.delay_ms(CONVERSION_MS);
        self.configure(i2c, SHUT_DOWN)?;
        if read_twice(i2c, self.address, RESOLUTION)? != [FINEST] {
            return Err(Fault::Garbled);
        }
        let raw: [u8; 2] = read(i2c, self.address, TEMPERATURE)?;
        if read(i2c, self.address, TEMPERATURE)? != raw {
            return Err(Fault::Garbled);
        }
        if read(i2c, self.address, UPPER_LIMIT)? != SIGNATURE {
            return Err(Fault::PowerOn);
        }
        // Sixteenths of a degree in thirteen bits below three flags (section 5.1.3).
        let register = (u16::from_be_bytes(raw) << 3).cast_signed();
        Ok(Measurement::of(MilliCelsius::from_degrees(f64::from(register) / 128.0)))
    }

    fn prove<I: I2c>(&self, i2c: &mut I) -> Result<(), Fault> {
        let manufacturer = u16::from_be_bytes(read_twice(i2c, self.address, MANUFACTURER)?);
        let [device, _] = read_twice(i2c, self.address, DEVICE)?;
        let is_mine = (manufacturer, device) == (MICROCHIP, MCP9808);
        if is_mine { Ok(()) } else { Err(Fault::WrongChip) }
    }

    fn configure<I: I2c>(&self, i2c: &mut I, value: u16) -> Result<(), Fault> {
        let [high, low] = value.to_be_bytes();
        write(i2c, self.address, &[CONFIGURATION, high, low])?;
        match self.configuration(i2c)? {
            found if found == value => Ok(()),
            0x0000 => Err(Fault::StuckLow),
            0xffff => Err(Fault::StuckHigh),
            _ => Err(Fault::Garbled),
        }
    }

    fn configuration<I: I2c>(&self, i2c: &mut I) -> Result<u16, Fault> {
        read(i2c, self.address, CONFIGURATION).map(u16::from_be_bytes)
    }
}

impl<I: I2c, D: DelayNs> I2cChip<I, D> for Mcp9808 {
    /// Takes 300 ms.
    fn read(&mut self, i2c: &mut I, delay: &mut D) -> Result<Measurement, Fault> {
        let reading = self.measure(i2c, delay);
        self.identity = Identity::after(&reading);
        reading
    }
}
