//! From the sensors of the configuration to one thread per bus.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::roster::{Fitted, Roster};
use crate::bus::kernel::{Class, KernelFiles};
use crate::bus::mailbox::Reports;
use crate::bus::onewire::{KernelOneWire, discover_masters};
use crate::bus::simulated::{self, House, Plan, Plans, Wired};
use crate::bus::sysfs::Files;
use crate::bus::tap::{Tap, Tapped, Taps};
use crate::bus::thread::{BusThread, Refit, spawn};
use crate::bus::{Attached, Bus, Clock};
use crate::config::{self, Library, Settings, Simulation};
use crate::sampling::{Sampler, Sensor, SensorId};
use crate::sensors::Address;
use crate::sim::weather::Weather;

/// The threads of all buses, and who hangs there.
pub(super) struct Buses {
    clock: Arc<dyn Clock>,
    reports: Arc<Reports>,
    sysfs: PathBuf,
    world: World,
    running: Vec<Running>,
    /// Threads started so far.
    started: u64,
}

/// What the buses of the configuration are.
pub(crate) struct World {
    /// The house of those that are simulated.
    pub house: Arc<House>,
    /// What is special about sensors there.
    pub simulation: Simulation,
    /// Whether all are simulated, whatever the configuration says.
    pub is_simulated: bool,
    /// What talks over SPI.
    pub spi: Library,
}

struct Running {
    thread: BusThread,
    attached: Vec<Attached>,
    sensors: BTreeMap<SensorId, Sensor>,
}

impl Buses {
    /// No bus yet.
    pub(super) fn new(
        sysfs: &Path,
        clock: &Arc<dyn Clock>,
        reports: &Arc<Reports>,
        world: World,
    ) -> Self {
        let (clock, reports) = (Arc::clone(clock), Arc::clone(reports));
        Self { clock, reports, sysfs: sysfs.to_owned(), world, running: Vec::new(), started: 0 }
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.running.len()
    }

    /// Their threads.
    pub(super) fn threads(&self) -> impl Iterator<Item = &BusThread> {
        self.running.iter().map(|running| &running.thread)
    }

    /// Their threads, which nobody looks after any more.
    pub(super) fn take(&mut self) -> impl Iterator<Item = BusThread> {
        std::mem::take(&mut self.running).into_iter().map(|running| running.thread)
    }

    /// A thread for each bus that has a sensor, and none for others. A thread whose sensors are the
    /// same does not notice; one that has other sensors goes on with those that stay.
    pub(super) fn fit(&mut self, roster: &Roster) -> io::Result<()> {
        let wired = self.wired(roster);
        let is_wanted =
            |running: &Running| wired.iter().any(|(name, ..)| name == running.thread.name());
        self.running.retain(is_wanted);
        for (name, bus, attached) in wired {
            let sensors = sensors(roster, &attached);
            let same = self.running.iter_mut().find(|running| running.thread.name() == name);
            match same {
                Some(running) => running.refit(bus, attached, sensors),
                None => self.start(&name, bus, attached, sensors)?,
            }
        }
        Ok(())
    }

    fn start(
        &mut self,
        name: &str,
        bus: Box<dyn Bus>,
        attached: Vec<Attached>,
        sensors: BTreeMap<SensorId, Sensor>,
    ) -> io::Result<()> {
        // The phases of each bus are its own, and the same at each start.
        let mine = sensors.values().cloned().collect();
        let sampler = Sampler::new(mine, self.started, self.clock.now());
        let (clock, reports) = (Arc::clone(&self.clock), Arc::clone(&self.reports));
        let thread = spawn(name, sampler, bus, clock, reports)?;
        self.started += 1;
        self.running.push(Running { thread, attached, sensors });
        Ok(())
    }

    fn wired(&self, roster: &Roster) -> Vec<Wired> {
        self.world.wired(roster.sensors().iter().map(Fitted::attached), &self.sysfs)
    }
}

impl World {
    /// The hands for all of these sensors: each with its room, and its bus of the configuration.
    pub(crate) fn wired<'a>(
        &self,
        sensors: impl Iterator<Item = (&'a str, config::Bus, Attached)>,
        sysfs: &Path,
    ) -> Vec<Wired> {
        let mut by_bus: BTreeMap<config::Bus, Vec<Attached>> = BTreeMap::new();
        let mut plans = Plans::new();
        for (room, bus, attached) in sensors {
            plans.insert(attached.id, self.plan(room, &attached.address));
            by_bus.entry(bus).or_default().push(attached);
        }
        let Self { house, is_simulated, spi, .. } = self;
        let wire = |(bus, attached): (config::Bus, Vec<Attached>)| {
            if bus == config::Bus::Simulated {
                return simulated::buses(&attached, house, &plans, None);
            }
            if !is_simulated {
                return wire(bus, attached, sysfs, (*spi, &house.taps));
            }
            simulated::buses(&attached, house, &plans, Some(&bus.to_string()))
        };
        by_bus.into_iter().flat_map(wire).collect()
    }

    /// The house as the configuration has it, with a clock that goes so many times as fast as ours;
    /// `None`: what is not simulated is real.
    pub(crate) fn new(settings: &Settings, speed: Option<u32>, clock: &Arc<dyn Clock>) -> Self {
        let simulation = &settings.simulation;
        let Simulation { seed, start, noise, weather, heating, .. } = *simulation;
        let house = House::new(seed, clock).with_speed(speed.unwrap_or(1));
        let mut house = match start {
            Some(start) => house.starting_at(start),
            None => house,
        };
        house.weather = Weather::of(seed, weather, heating);
        house.is_noisy = noise;
        Self::of(house, settings, speed)
    }

    /// The same, with somebody who hears what all its buses say, real or simulated.
    pub(crate) fn heard(
        settings: &Settings,
        speed: Option<u32>,
        clock: &Arc<dyn Clock>,
        taps: &Taps,
    ) -> Self {
        let house = Arc::into_inner(Self::new(settings, speed, clock).house);
        let house = house.expect("a house that was just built has one owner").tapped(taps);
        Self::of(house, settings, speed)
    }

    fn of(house: House, settings: &Settings, speed: Option<u32>) -> Self {
        let (house, simulation) = (Arc::new(house), settings.simulation.clone());
        let spi = settings.hardware.spi;
        Self { house, simulation, is_simulated: speed.is_some(), spi }
    }

    /// What is special about a sensor of this room.
    pub(crate) fn plan(&self, room: &str, sensor: &Address) -> Plan {
        let Simulation { places, faults, .. } = &self.simulation;
        let place = places.iter().rev().find(|(target, _)| target.is(room, sensor));
        let mine = faults.iter().filter(|(target, _)| target.is(room, sensor));
        Plan {
            place: place.map(|(_, place)| *place),
            episodes: mine.map(|(_, episode)| *episode).collect(),
        }
    }
}

impl Running {
    fn refit(
        &mut self,
        bus: Box<dyn Bus>,
        attached: Vec<Attached>,
        sensors: BTreeMap<SensorId, Sensor>,
    ) {
        let fitted =
            |attached: &[Attached], id: SensorId| attached.iter().find(|one| one.id == id).cloned();
        let sampling = |sensors: &BTreeMap<SensorId, Sensor>, id: SensorId| {
            sensors.get(&id).map(|sensor| sensor.settings.clone())
        };
        let is_same = |id: SensorId| {
            fitted(&self.attached, id) == fitted(&attached, id)
                && sampling(&self.sensors, id) == sampling(&sensors, id)
        };
        let gone: Vec<_> = self.sensors.keys().copied().filter(|id| !is_same(*id)).collect();
        let new: Vec<_> = sensors.values().filter(|sensor| !is_same(sensor.id)).cloned().collect();
        if !gone.is_empty() || !new.is_empty() {
            self.thread.refit(Refit { bus, gone, new });
        }
        (self.attached, self.sensors) = (attached, sensors);
    }
}

/// Those that hang at one bus, as its sampler needs them.
pub(crate) fn sensors(roster: &Roster, attached: &[Attached]) -> BTreeMap<SensorId, Sensor> {
    let here = |fitted: &&Fitted| attached.iter().any(|attached| attached.id == fitted.id);
    let sensor = |Fitted { id, room, sensor }: &Fitted| {
        let label = Arc::from(format!("{room} {}", sensor.address));
        (*id, Sensor { id: *id, label, settings: sensor.sampling.clone() })
    };
    roster.sensors().iter().filter(here).map(sensor).collect()
}

/// The hands for one `bus` of the configuration: several where it is several buses.
fn wire(
    bus: config::Bus,
    attached: Vec<Attached>,
    sysfs: &Path,
    (spi, taps): (Library, &Taps),
) -> Vec<Wired> {
    let tap = taps.of(&bus.to_string());
    match bus {
        config::Bus::Kernel1Wire => {
            let masters = discover_masters(sysfs, &attached).into_iter().enumerate();
            let wired = masters.map(|(number, attached)| {
                let name = format!("w1-{number}");
                let files = Tapped::new(Files::new(sysfs), taps.of(&name));
                let hands = KernelOneWire::with_files(files, attached.clone());
                let bus: Box<dyn Bus> = Box::new(hands);
                (name, bus, attached)
            });
            wired.collect()
        }
        config::Bus::Gpio(pin) => {
            vec![(format!("gpio{pin}"), pin_bus(pin, attached.clone(), tap), attached)]
        }
        config::Bus::I2c(number) => {
            vec![(format!("i2c-{number}"), i2c_bus(number, attached.clone(), tap), attached)]
        }
        config::Bus::Spi { bus, select } => {
            let hands = match spi {
                Library::LinuxEmbeddedHal => chip_select(bus, select, attached.clone(), tap),
                Library::Rppal => header_select(bus, select, attached.clone(), tap),
            };
            vec![(format!("spi-{bus}.{select}"), hands, attached)]
        }
        config::Bus::Hwmon => kernel_files(Class::Hwmon, "hwmon", attached, sysfs, tap),
        config::Bus::Iio => kernel_files(Class::Iio, "iio", attached, sysfs, tap),
        config::Bus::Thermal => kernel_files(Class::Thermal, "thermal", attached, sysfs, tap),
        // Wired above.
        config::Bus::Simulated => Vec::new(),
    }
}

fn kernel_files(
    class: Class,
    name: &str,
    attached: Vec<Attached>,
    sysfs: &Path,
    tap: Tap,
) -> Vec<Wired> {
    let files = Tapped::new(Files::new(sysfs), tap);
    vec![(name.to_owned(), Box::new(KernelFiles::with_files(files, class, &attached)), attached)]
}

#[cfg(all(feature = "rppal", target_os = "linux"))]
fn pin_bus(pin: u8, attached: Vec<Attached>, tap: Tap) -> Box<dyn Bus> {
    crate::bus::gpio::bus(pin, attached, tap)
}

#[cfg(all(feature = "rppal", target_os = "linux"))]
fn header_select(bus: u8, select: u8, attached: Vec<Attached>, tap: Tap) -> Box<dyn Bus> {
    crate::bus::gpio::chip_select(bus, select, attached, tap)
}

#[cfg(not(all(feature = "rppal", target_os = "linux")))]
fn header_select(_: u8, _: u8, _: Vec<Attached>, _: Tap) -> Box<dyn Bus> {
    Box::new(crate::bus::Missing)
}

#[cfg(not(all(feature = "rppal", target_os = "linux")))]
fn pin_bus(_: u8, _: Vec<Attached>, _: Tap) -> Box<dyn Bus> {
    Box::new(crate::bus::Missing)
}

#[cfg(all(feature = "linux", target_os = "linux"))]
fn i2c_bus(number: u8, attached: Vec<Attached>, tap: Tap) -> Box<dyn Bus> {
    crate::bus::linux::bus(number, attached, tap)
}

#[cfg(all(feature = "linux", target_os = "linux"))]
fn chip_select(bus: u8, select: u8, attached: Vec<Attached>, tap: Tap) -> Box<dyn Bus> {
    crate::bus::linux::chip_select(bus, select, attached, tap)
}

#[cfg(not(all(feature = "linux", target_os = "linux")))]
fn chip_select(_: u8, _: u8, _: Vec<Attached>, _: Tap) -> Box<dyn Bus> {
    Box::new(crate::bus::Missing)
}

#[cfg(not(all(feature = "linux", target_os = "linux")))]
fn i2c_bus(_: u8, _: Vec<Attached>, _: Tap) -> Box<dyn Bus> {
    Box::new(crate::bus::Missing)
}
