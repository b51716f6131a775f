//! BME280 on I²C: temperature, humidity and pressure.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

use crate::sensors::bosch::{Bosch, Kind};
use crate::sensors::catalog::{Facts, Span, Wiring};
use crate::sensors::i2c::I2cChip;
use crate::sensors::packages;
use crate::sensors::{Fault, Measurement};
use crate::units::{DeciPascal, MilliCelsius};

/// BME280.
pub const FACTS: Facts = Facts {
    name: "bme280",
    parts: "BME280",
    wirings: &[Wiring::I2c],
    temperature: Span::celsius(MilliCelsius::new(-40_000), MilliCelsius::new(85_000), 330),
    humidity: Some(Span::percent(5600)),
    pressure: Some(Span::hectopascal(DeciPascal::new(300_000), DeciPascal::new(1_100_000), 1900)),
    addresses: &[0x76, 0x77],
    pinout: Some(&packages::BOSCH),
    ..Facts::BLANK
};

/// The chip at one address.
#[derive(Debug)]
pub struct Bme280(Bosch);

impl Bme280 {
    /// The chip at this 7-bit address.
    pub const fn new(address: u8) -> Self {
        Self(Bosch::new(Kind::Bme280, address))
    }
}

impl<I: I2c, D: DelayNs> I2cChip<I, D> for Bme280 {
    /// Takes 82 ms.
    fn read(&mut self, i2c: &mut I, delay: &mut D) -> Result<Measurement, Fault> {
        self.0.read(i2c, delay)
    }
}
