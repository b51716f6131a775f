//! An I²C bus with its chips, whatever is below: `/dev/i2c-N` or the simulation.

mod gates;
pub mod survey;

use std::fmt;

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

use crate::bus::{Attached, Bus};
use crate::sampling::SensorId;
use crate::sensors::ads1115::Ads1115;
use crate::sensors::aht10::Aht10;
use crate::sensors::aht20::Aht20;
use crate::sensors::bme280::Bme280;
use crate::sensors::bme680::Bme680;
use crate::sensors::bmp180::Bmp180;
use crate::sensors::bmp280::Bmp280;
use crate::sensors::catalog::Driver;
use crate::sensors::htu21d::Htu21d;
use crate::sensors::i2c::I2cChip;
use crate::sensors::lm75::Lm75;
use crate::sensors::mcp9808::Mcp9808;
use crate::sensors::pct2075::Pct2075;
use crate::sensors::sht3x::Sht3x;
use crate::sensors::sht4x::Sht4x;
use crate::sensors::shtc3::Shtc3;
use crate::sensors::tmp102::Tmp102;
use crate::sensors::tmp117::Tmp117;
use crate::sensors::{Address, Fault, I2cAddress, Measurement};

use gates::Gates;

/// The bus `I` with its chips, which wait by `D`.
pub struct I2cBus<I, D> {
    i2c: I,
    delay: D,
    chips: Vec<Chip<I, D>>,
    gates: Gates,
}

/// A chip as its bus knows it.
struct Chip<I, D> {
    sensor: SensorId,
    address: I2cAddress,
    driver: Box<dyn I2cChip<I, D>>,
}

impl<I: I2c, D: DelayNs> I2cBus<I, D> {
    /// A bus with these chips; those of other buses are left out.
    pub fn new(i2c: I, delay: D, attached: &[Attached]) -> Self {
        let chips: Vec<Chip<I, D>> = attached.iter().filter_map(chip).collect();
        let gates = Gates::before(chips.iter().map(|chip| chip.address).collect());
        Self { i2c, delay, chips, gates }
    }

    /// The bus below, to look at.
    pub const fn i2c(&self) -> &I {
        &self.i2c
    }

    /// The bus below.
    pub fn i2c_mut(&mut self) -> &mut I {
        &mut self.i2c
    }

    fn read_one(&mut self, sensor: SensorId) -> Result<Measurement, Fault> {
        let found = self.chips.iter_mut().find(|chip| chip.sensor == sensor);
        let Chip { address, driver, .. } = found.ok_or(Fault::Absent)?;
        self.gates.open(&mut self.i2c, *address)?;
        let reading = driver.read(&mut self.i2c, &mut self.delay);
        self.gates.close(&mut self.i2c, *address);
        reading
    }
}

/// Where the driver of a chip on I²C is registered, and nowhere else.
fn chip<I: I2c, D: DelayNs>(sensor: &Attached) -> Option<Chip<I, D>> {
    let Address::I2c(address) = sensor.address else { return None };
    let chip = address.chip;
    let driver: Box<dyn I2cChip<I, D>> = match sensor.driver {
        Driver::Ads1115 => Box::new(Ads1115::new(chip, address.input?, sensor.element?)),
        Driver::Aht10 => Box::new(Aht10::new(chip)),
        Driver::Aht20 => Box::new(Aht20::new(chip)),
        Driver::Bme280 => Box::new(Bme280::new(chip)),
        Driver::Bme680 => Box::new(Bme680::new(chip)),
        Driver::Bmp180 => Box::new(Bmp180::new(chip)),
        Driver::Bmp280 => Box::new(Bmp280::new(chip)),
        Driver::Htu21d => Box::new(Htu21d::new(chip)),
        Driver::Lm75 => Box::new(Lm75::new(chip)),
        Driver::Mcp9808 => Box::new(Mcp9808::new(chip)),
        Driver::Pct2075 => Box::new(Pct2075::new(chip)),
        Driver::Sht3x => Box::new(Sht3x::new(chip)),
        Driver::Sht4x => Box::new(Sht4x::new(chip)),
        Driver::Shtc3 => Box::new(Shtc3::default()),
        Driver::Tmp102 => Box::new(Tmp102::new(chip)),
        Driver::Tmp117 => Box::new(Tmp117::new(chip)),
        Driver::Cpu
        | Driver::Dht11
        | Driver::Dht22
        | Driver::Ds18b20
        | Driver::Hwmon
        | Driver::Iio
        | Driver::Max31855
        | Driver::Max31865
        | Driver::Max6675
        | Driver::Mcp3008
        | Driver::Thermal => return None,
    };
    Some(Chip { sensor: sensor.id, address, driver })
}

impl<I: I2c + Send, D: DelayNs + Send> Bus for I2cBus<I, D> {
    fn read(
        &mut self,
        sensors: &[SensorId],
        answer: &mut dyn FnMut(SensorId, Result<Measurement, Fault>),
    ) {
        for sensor in sensors {
            let reading = self.read_one(*sensor);
            answer(*sensor, reading);
        }
    }
}

impl<I, D> fmt::Debug for I2cBus<I, D> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sensors: Vec<_> = self.chips.iter().map(|chip| chip.sensor).collect();
        formatter.debug_struct("I2cBus").field("sensors", &sensors).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
