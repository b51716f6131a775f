//! From the sensors of the configuration to one thread per bus.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::bus::kernel::{Class, KernelFiles};
use crate::bus::mailbox::Reports;
use crate::bus::onewire::{KernelOneWire, discover_masters};
use crate::bus::simulated::{self, Wired};
use crate::bus::thread::{BusThread, spawn};
use crate::bus::{Attached, Bus, Clock};
use crate::config::{self, Settings};
use crate::sampling::{Sampler, Sensor, SensorId};

/// The simulated house has the same weather at each start.
const WEATHER_SEED: u64 = 7;

/// Starts a thread for each bus that has a sensor.
pub(super) fn start(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    reports: &Arc<Reports>,
) -> io::Result<Vec<BusThread>> {
    let mut sensors: BTreeMap<SensorId, Sensor> = BTreeMap::new();
    let mut by_bus: BTreeMap<&config::Bus, Vec<Attached>> = BTreeMap::new();
    for (id, room, sensor) in super::sensors(settings) {
        let label = Arc::from(format!("{room} {}", sensor.address));
        sensors.insert(id, Sensor { id, label, settings: sensor.sampling.clone() });
        let attached = Attached {
            id,
            driver: sensor.driver,
            address: sensor.address.clone(),
            element: sensor.element,
        };
        by_bus.entry(&sensor.bus).or_default().push(attached);
    }
    let sysfs = &settings.hardware.sysfs;
    let wired = by_bus.into_iter().flat_map(|(bus, attached)| wire(*bus, attached, sysfs, clock));
    let mut threads = Vec::new();
    for (name, bus, attached) in wired {
        let mine = attached.iter().filter_map(|attached| sensors.remove(&attached.id)).collect();
        // The phases of each bus are its own, and the same at each start.
        let seed = u64::try_from(threads.len()).unwrap_or_default();
        let sampler = Sampler::new(mine, seed, clock.now());
        let (clock, reports) = (Arc::clone(clock), Arc::clone(reports));
        threads.push(spawn(&name, sampler, bus, clock, reports)?);
    }
    Ok(threads)
}

/// The hands for one `bus` of the configuration: several where it is several buses.
fn wire(
    bus: config::Bus,
    attached: Vec<Attached>,
    sysfs: &Path,
    clock: &Arc<dyn Clock>,
) -> Vec<Wired> {
    match bus {
        config::Bus::Kernel1Wire => {
            let masters = discover_masters(sysfs, &attached).into_iter().enumerate();
            let wired = masters.map(|(number, attached)| {
                let bus: Box<dyn Bus> = Box::new(KernelOneWire::new(sysfs, attached.clone()));
                (format!("w1-{number}"), bus, attached)
            });
            wired.collect()
        }
        config::Bus::Gpio(pin) => {
            vec![(format!("gpio{pin}"), pin_bus(pin, attached.clone()), attached)]
        }
        config::Bus::I2c(number) => {
            vec![(format!("i2c-{number}"), i2c_bus(number, attached.clone()), attached)]
        }
        config::Bus::Spi { bus, select } => {
            let hands = chip_select(bus, select, attached.clone());
            vec![(format!("spi-{bus}.{select}"), hands, attached)]
        }
        config::Bus::Hwmon => kernel_files(Class::Hwmon, "hwmon", attached, sysfs),
        config::Bus::Iio => kernel_files(Class::Iio, "iio", attached, sysfs),
        config::Bus::Thermal => kernel_files(Class::Thermal, "thermal", attached, sysfs),
        config::Bus::Simulated => simulated::buses(&attached, WEATHER_SEED, clock),
    }
}

fn kernel_files(class: Class, name: &str, attached: Vec<Attached>, sysfs: &Path) -> Vec<Wired> {
    vec![(name.to_owned(), Box::new(KernelFiles::new(sysfs, class, &attached)), attached)]
}

#[cfg(all(feature = "rppal", target_os = "linux"))]
fn pin_bus(pin: u8, attached: Vec<Attached>) -> Box<dyn Bus> {
    crate::bus::gpio::bus(pin, attached)
}

#[cfg(not(all(feature = "rppal", target_os = "linux")))]
fn pin_bus(_: u8, _: Vec<Attached>) -> Box<dyn Bus> {
    Box::new(crate::bus::Missing)
}

#[cfg(all(feature = "linux", target_os = "linux"))]
fn i2c_bus(number: u8, attached: Vec<Attached>) -> Box<dyn Bus> {
    crate::bus::linux::bus(number, attached)
}

#[cfg(all(feature = "linux", target_os = "linux"))]
fn chip_select(bus: u8, select: u8, attached: Vec<Attached>) -> Box<dyn Bus> {
    crate::bus::linux::chip_select(bus, select, attached)
}

#[cfg(not(all(feature = "linux", target_os = "linux")))]
fn chip_select(_: u8, _: u8, _: Vec<Attached>) -> Box<dyn Bus> {
    Box::new(crate::bus::Missing)
}

#[cfg(not(all(feature = "linux", target_os = "linux")))]
fn i2c_bus(_: u8, _: Vec<Attached>) -> Box<dyn Bus> {
    Box::new(crate::bus::Missing)
}
