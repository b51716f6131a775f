//! What the things that were found say now, each bus in a thread of its own.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::bus::i2c::survey::safe_driver;
use crate::bus::simulated::{Hand, Wired, buses_in_hand};
use crate::bus::{Attached, Clock};
use crate::config::{Bus, Settings};
use crate::daemon::{SystemClock, WEATHER_SEED, wired};
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
    /// Of a simulated house: somebody who can be asked to warm a probe.
    pub hand: Option<Arc<Hand>>,
}

impl Readers {
    /// Known sensors are read as the configuration says, others by the driver that is likely.
    pub(super) fn new(
        places: &mut [Place],
        settings: &Settings,
        house: Option<&[Attached]>,
    ) -> Self {
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
        let (buses, hand) = match house {
            None => (wired(sensors.into_iter(), &settings.hardware.sysfs, &clock), None),
            Some(house) => {
                let hand = Arc::new(Hand::default());
                let attached: Vec<_> =
                    sensors.into_iter().map(|it| as_built(it.1, house)).collect();
                (buses_in_hand(&attached, WEATHER_SEED, &clock, &hand), Some(hand))
            }
        };
        Self { buses: Mutex::new(buses), clock, hand }
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

/// The chip that is there is the house's, whatever it was taken for.
fn as_built(attached: Attached, house: &[Attached]) -> Attached {
    let built = house.iter().find(|built| built.address == attached.address);
    built.map_or(attached.clone(), |built| Attached { id: attached.id, ..built.clone() })
}
