//! AHT10, AHT15 on I²C: temperature and humidity, without a checksum.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

use crate::sensors::aosong::{Aosong, Kind};
use crate::sensors::catalog::{Facts, Span, Wiring};
use crate::sensors::i2c::I2cChip;
use crate::sensors::packages;
use crate::sensors::{Fault, Measurement};
use crate::units::MilliCelsius;

/// AHT10, AHT15.
pub const FACTS: Facts = Facts {
    name: "aht10",
    parts: "AHT10, AHT15",
    wirings: &[Wiring::I2c],
    temperature: Span::celsius(MilliCelsius::new(-40_000), MilliCelsius::new(85_000), 191),
    humidity: Some(Span::percent(96)),
    addresses: &[0x38, 0x39],
    pinout: Some(&packages::AHT_BOARD),
    ..Facts::BLANK
};

/// The chip at one address.
#[derive(Debug)]
pub struct Aht10(Aosong);

impl Aht10 {
    /// The chip at this 7-bit address.
    pub const fn new(address: u8) -> Self {
        Self(Aosong::new(Kind::Aht10, address))
    }
}

impl<I: I2c, D: DelayNs> I2cChip<I, D> for Aht10 {
    /// Takes 80 ms.
    fn read(&mut self, i2c: &mut I, delay: &mut D) -> Result<Measurement, Fault> {
        self.0.read(i2c, delay)
    }
}
