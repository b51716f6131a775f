//! SHTC3 on I²C: an adapter over `shtcx`, which checks the checksums of both words.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;
use shtcx::{Error, LowPower, PowerMode};

use crate::sensors::catalog::{Facts, Span, Wiring};
use crate::sensors::i2c::{I2cChip, fault};
use crate::sensors::identity::Identity;
use crate::sensors::pinout::{I2C_PARTS, Line, Pinout, Terminal};
use crate::sensors::{Fault, Measurement, humidity};
use crate::units::MilliCelsius;

/// SHTC3.
pub const FACTS: Facts = Facts {
    name: "shtc3",
    parts: "SHTC3",
    wirings: &[Wiring::I2c],
    temperature: Span::celsius(MilliCelsius::new(-40_000), MilliCelsius::new(125_000), 2671),
    humidity: Some(Span::percent(1526)),
    addresses: &[0x70],
    origin: "shtcx 1.0",
    pinout: Some(&PINOUT),
    ..Facts::BLANK
};

/// Its pins, and where they go.
const PINOUT: Pinout = Pinout {
    package: "DFN-4",
    terminals: &[
        Terminal::to(1, "VDD", Line::Supply),
        Terminal::to(3, "SDA", Line::Sda),
        Terminal::to(2, "SCL", Line::Scl),
        Terminal::to(4, "VSS", Line::Ground),
    ],
    parts: &I2C_PARTS,
};

/// The bits of the id register that are the family's, and what they are (datasheet, table 15).
const FAMILY_BITS: u16 = 0x083f;
const FAMILY: u16 = 0x0807;

/// The chip; it has one address.
#[derive(Debug, Default)]
pub struct Shtc3 {
    identity: Identity,
}

impl Shtc3 {
    fn measure<I: I2c>(&self, i2c: &mut I, delay: &mut impl DelayNs) -> Result<Measurement, Fault> {
        let mut driver = shtcx::shtc3(i2c);
        driver.wakeup(delay).map_err(|error| meaning(&error))?;
        if self.identity == Identity::Unproven {
            let id = driver.raw_id_register().map_err(|error| meaning(&error))?;
            if id & FAMILY_BITS != FAMILY {
                return Err(Fault::WrongChip);
            }
        }
        driver.start_measurement(PowerMode::NormalMode).map_err(|error| meaning(&error))?;
        driver.wait_for_measurement(PowerMode::NormalMode, delay);
        let raw = driver.get_raw_measurement_result().map_err(|error| meaning(&error))?;
        // It warms itself while it is awake; whether it heard is seen when it is woken.
        let _ = driver.sleep();
        let part = |raw: u16| f64::from(raw) / 65_536.0;
        Ok(Measurement {
            humidity: Some(humidity(100.0 * part(raw.humidity))),
            ..Measurement::of(MilliCelsius::from_degrees(-45.0 + 175.0 * part(raw.temperature)))
        })
    }
}

impl<I: I2c, D: DelayNs> I2cChip<I, D> for Shtc3 {
    /// Takes 13 ms.
    fn read(&mut self, i2c: &mut I, delay: &mut D) -> Result<Measurement, Fault> {
        let reading = self.measure(i2c, delay);
        self.identity = Identity::after(&reading);
        reading
    }
}

fn meaning<E: embedded_hal::i2c::Error>(error: &Error<E>) -> Fault {
    match error {
        Error::I2c(error) => fault(error),
        Error::Crc => Fault::Crc,
    }
}
