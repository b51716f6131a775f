//! What the things that were found say now, each bus in a thread of its own.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::bus::i2c::survey::safe_driver;
use crate::bus::simulated::{House, Wired};
use crate::bus::{Attached, Clock};
use crate::config::{Bus, Settings};
use crate::daemon::{Fitted, Roster, SystemClock, World};
use crate::limits;
use crate::sampling::SensorId;
use crate::sensors::{Address, Fault, Measurement};

use super::look::{Place, sensors_of};

/// A reading of the sensor of that number.
pub(super) type Answer = (SensorId, Result<Measurement, Fault>);

/// The hands for all things that can be read. A thing has the number of its place in the list.
pub(super) struct Readers {
    buses: Mutex<Vec<Wired>>,
    pub clock: Arc<dyn Clock>,
    /// Where it is simulated, it has somebody who can be asked to warm a probe.
    pub simulated: Option<Arc<House>>,
}

impl Readers {
    /// Known sensors are read as the configuration says, others by the driver that is likely.
    pub(super) fn new(places: &mut [Place], settings: &Settings, house: Option<&Settings>) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let mut sensors: Vec<(Bus, Attached)> = Vec::new();
        for (number, thing) in places.iter().flat_map(|place| &place.things).enumerate() {
            let id = SensorId(number);
            let mut known = settings.rooms.iter().flat_map(|room| sensors_of(room, thing));
            let attached = match (known.next(), &thing.address) {
                (Some(sensor), _) => Some(Attached {
                    id,
                    driver: sensor.driver,
                    address: sensor.address.clone(),
                    element: sensor.element,
                }),
                (None, Some(address)) => safe_driver(&thing.likely)
                    .filter(|driver| {
                        driver.facts().inputs == 0 && driver.facts().elements.is_empty()
                    })
                    .map(|driver| Attached { id, driver, address: address.clone(), element: None }),
                (None, None) => None,
            };
            sensors.extend(attached.map(|attached| (thing.bus, attached)));
        }
        let world = World::new(house.unwrap_or(settings), None, &clock);
        let sysfs = &settings.hardware.sysfs;
        let buses = match house {
            None => world.wired(sensors.into_iter().map(|(bus, it)| ("", bus, it)), sysfs),
            Some(house) => {
                let roster = Roster::new(house);
                let built: Vec<_> = roster.sensors().iter().map(Fitted::attached).collect();
                let sensors = sensors.into_iter().map(|(_, it)| as_built(it, &built));
                world.wired(sensors, sysfs)
            }
        };
        let simulated = house.map(|_| Arc::clone(&world.house));
        Self { buses: Mutex::new(buses), clock, simulated }
    }

    /// Reads all once; what fails is tried again.
    pub(super) fn read_once(&self, places: &mut [Place]) {
        let mut answers = self.read();
        for _ in 1..limits::SCAN_TRIES_MAX {
            if answers.iter().all(|(_, result)| result.is_ok()) {
                break;
            }
            let again = self.read();
            for (sensor, result) in &mut answers {
                let second = again.iter().find(|(id, _)| id == sensor);
                *result = result.or_else(|fault| second.map_or(Err(fault), |(_, second)| *second));
            }
        }
        for (number, thing) in places.iter_mut().flat_map(|it| &mut it.things).enumerate() {
            thing.value = answers.iter().find(|(id, _)| id.0 == number).map(|(_, result)| *result);
        }
    }

    /// Reads all, all buses at a time.
    pub(super) fn read(&self) -> Vec<Answer> {
        let mut buses = self.buses.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for (_, bus, attached) in buses.iter_mut() {
                let answers = &answers;
                scope.spawn(move || {
                    let ids: Vec<_> = attached.iter().map(|sensor| sensor.id).collect();
                    let mut said = Vec::with_capacity(ids.len());
                    bus.read(&ids, &mut |id, result| said.push((id, result)));
                    answers.lock().unwrap_or_else(PoisonError::into_inner).extend(said);
                });
            }
        });
        answers.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// The address of each sensor that is read.
    pub(super) fn address(&self, sensor: SensorId) -> Option<Address> {
        let buses = self.buses.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = buses.iter().flat_map(|(.., attached)| attached);
        all.find(|attached| attached.id == sensor).map(|attached| attached.address.clone())
    }
}

/// The chip that is there is the house's, in the room where it hangs, whatever it was taken for.
fn as_built<'a>(
    attached: Attached,
    house: &[(&'a str, Bus, Attached)],
) -> (&'a str, Bus, Attached) {
    let built = house.iter().find(|(.., built)| built.address == attached.address);
    match built {
        Some((room, bus, built)) => (room, *bus, Attached { id: attached.id, ..built.clone() }),
        None => ("", Bus::Simulated, attached),
    }
}
