//! What the things that were found say now, each bus in a thread of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::bus::i2c::survey::safe_driver;
use crate::bus::simulated::{House, Wired};
use crate::bus::{Attached, Clock};
use crate::config::{Bus, Sensor, Settings};
use crate::daemon::{Fitted, Roster, SystemClock, World};
use crate::limits;
use crate::sampling::{Reason, SensorId};
use crate::sensors::catalog::Driver;
use crate::sensors::{Fault, Measurement};
use crate::units::{Quantity, Value};

use super::look::{Place, sensors_of};

/// A reading of the sensor of that number.
pub(super) type Answer = (SensorId, Result<Measurement, Reason>);

/// From the lowest to the highest value of a quantity that is believed.
type Believable = (Value, Value);

/// The hands for all things that can be read. A thing has the number of its place in the list.
pub(super) struct Readers {
    buses: Mutex<Vec<Wired>>,
    /// Of each that is read.
    believable: BTreeMap<SensorId, Vec<Believable>>,
    pub clock: Arc<dyn Clock>,
    /// Where it is simulated, it has somebody who can be asked to warm a probe.
    pub simulated: Option<Arc<House>>,
}

impl Readers {
    /// Known sensors are read as the configuration says, others by the driver that is likely.
    pub(super) fn new(places: &[Place], settings: &Settings, house: Option<&Settings>) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let (mut sensors, mut believable) = (Vec::<(Bus, Attached)>::new(), BTreeMap::new());
        for (number, thing) in places.iter().flat_map(|place| &place.things).enumerate() {
            let id = SensorId(number);
            let mut known = settings.rooms.iter().flat_map(|room| sensors_of(room, thing));
            let known = known.next();
            let attached = match (known, &thing.address) {
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
            let Some(attached) = attached else { continue };
            let spans = known.map_or_else(|| of_chip(attached.driver), of_sensor);
            believable.insert(id, spans);
            sensors.push((thing.bus, attached));
        }
        let world = World::new(house.unwrap_or(settings), house.map(|_| 1), &clock);
        let sysfs = &settings.hardware.sysfs;
        let buses = match house {
            None => world.wired(sensors.into_iter().map(|(bus, it)| ("", bus, it)), sysfs),
            Some(house) => {
                let roster = Roster::new(house);
                let built: Vec<_> = roster.sensors().iter().map(Fitted::attached).collect();
                let sensors = sensors.into_iter().map(|(bus, it)| as_built(bus, it, &built));
                world.wired(sensors, sysfs)
            }
        };
        let simulated = house.map(|_| Arc::clone(&world.house));
        Self { buses: Mutex::new(buses), believable, clock, simulated }
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
                *result = result.or_else(|reason| second.map_or(Err(reason), |(_, it)| *it));
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
                    bus.read(&ids, &mut |id, result| said.push((id, self.judged(id, result))));
                    answers.lock().unwrap_or_else(PoisonError::into_inner).extend(said);
                });
            }
        });
        answers.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a sensor says, if it may be believed.
    fn judged(
        &self,
        sensor: SensorId,
        result: Result<Measurement, Fault>,
    ) -> Result<Measurement, Reason> {
        let measured = result.map_err(Reason::Fault)?;
        if measured.may_be_power_on {
            return Err(Reason::Fault(Fault::PowerOn));
        }
        let spans = self.believable.get(&sensor).map_or(&[][..], Vec::as_slice);
        let is_within = |(lowest, highest): &Believable| {
            let value = measured.value(lowest.quantity());
            value.is_none_or(|value| (*lowest..=*highest).contains(&value))
        };
        if spans.iter().all(is_within) { Ok(measured) } else { Err(Reason::Range) }
    }

    /// Whether a sensor is read at all: some must be told first which chip they are.
    pub(super) fn has(&self, sensor: SensorId) -> bool {
        self.believable.contains_key(&sensor)
    }
}

/// What the configuration believes of a sensor.
fn of_sensor(sensor: &Sensor) -> Vec<Believable> {
    sensor.sampling.rules().map(|(_, rules)| (rules.lowest, rules.highest)).collect()
}

/// What is believed of a chip that nothing is said about.
fn of_chip(driver: Driver) -> Vec<Believable> {
    let spans = Quantity::ALL.into_iter().filter_map(|quantity| driver.facts().span(quantity));
    spans.map(|span| (span.lowest, span.highest)).collect()
}

/// The chip that is there is the house's, in the room where it hangs, whatever it was taken for.
fn as_built<'a>(
    bus: Bus,
    attached: Attached,
    house: &[(&'a str, Bus, Attached)],
) -> (&'a str, Bus, Attached) {
    let is_it =
        |(_, on, built): &&(&str, Bus, Attached)| *on == bus && built.address == attached.address;
    match house.iter().find(is_it) {
        Some((room, _, built)) => (room, bus, Attached { id: attached.id, ..built.clone() }),
        None => ("", bus, attached),
    }
}
