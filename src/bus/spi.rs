//! A chip select of SPI with what hangs there, whatever is below: `/dev/spidevN.M` or the
//! simulation. Each has a thread of its own; the kernel lets one at a time onto the bus.

use embedded_hal::delay::DelayNs;
use embedded_hal::spi::SpiDevice;

use crate::bus::{Attached, Bus};
use crate::sampling::SensorId;
use crate::sensors::catalog::Driver;
use crate::sensors::max6675::Max6675;
use crate::sensors::max31855::Max31855;
use crate::sensors::max31865::Max31865;
use crate::sensors::mcp3008::Mcp3008;
use crate::sensors::spi::SpiChip;
use crate::sensors::{Address, Fault, Measurement};

/// The chip at the select line `S`, one sensor or an input each, with waits by `D`.
pub struct SpiBus<S, D> {
    spi: S,
    delay: D,
    sensors: Vec<(SensorId, Box<dyn SpiChip<S, D>>)>,
}

impl<S: SpiDevice, D: DelayNs> SpiBus<S, D> {
    /// The chip that these sensors are or hang at; those of other buses are left out.
    pub fn new(spi: S, delay: D, attached: &[Attached]) -> Self {
        let sensors = attached.iter().filter_map(|sensor| Some((sensor.id, driver(sensor)?)));
        Self { spi, delay, sensors: sensors.collect() }
    }

    /// The select line, to look at.
    pub const fn spi(&self) -> &S {
        &self.spi
    }

    /// The select line.
    pub const fn spi_mut(&mut self) -> &mut S {
        &mut self.spi
    }

    fn read_one(&mut self, sensor: SensorId) -> Result<Measurement, Fault> {
        let found = self.sensors.iter_mut().find(|(id, _)| *id == sensor);
        let (_, driver) = found.ok_or(Fault::Absent)?;
        driver.read(&mut self.spi, &mut self.delay)
    }
}

/// Where the driver of a chip on SPI is registered, and nowhere else.
fn driver<S: SpiDevice, D: DelayNs>(sensor: &Attached) -> Option<Box<dyn SpiChip<S, D>>> {
    let Address::Spi(address) = sensor.address else { return None };
    Some(match sensor.driver {
        Driver::Max31855 => Box::new(Max31855),
        Driver::Max31865 => Box::new(Max31865::new(sensor.element?)),
        Driver::Max6675 => Box::new(Max6675),
        Driver::Mcp3008 => Box::new(Mcp3008::new(address.input?, sensor.element?)),
        _ => return None,
    })
}

impl<S: SpiDevice + Send, D: DelayNs + Send> Bus for SpiBus<S, D> {
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
