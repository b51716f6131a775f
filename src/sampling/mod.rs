//! When to read which sensor, and what its answers mean: range, rate, calibration, median,
//! average, rounding, deadband, heartbeat, health, staleness.
//!
//! One [`Sampler`] per bus, in the thread of that bus. It never reads a clock: the shell hands in
//! `now`, does what [`Sampler::poll`] says, and sleeps until [`Sampler::deadline`].

mod average;
mod channel;
mod combination;
mod deadband;
mod filter;
mod health;
mod plausibility;
mod polynomial;
mod probe;
mod schedule;
mod settings;
mod silence;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::limits;
use crate::sensors::{Fault, Measurement};
use crate::time::{Tick, Timestamp};
use crate::units::{Quantity, Value};

pub use combination::{Agreement, Combination, Tolerance};
pub use deadband::{Deadband, Pace};
pub use health::{Reason, State};
pub use polynomial::Polynomial;
use probe::Probe;
use schedule::{Schedule, Verdict};
pub use settings::{Calibration, Rules, SensorSettings};
pub use silence::Silence;

/// Names a sensor in the whole house: a number that no other sensor has or had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SensorId(pub usize);

/// What the sampler is told.
#[derive(Clone, Copy, Debug)]
pub enum Input {
    /// Nothing but the passing of time. Readings start on this only, so that all answers to one
    /// [`Output::Read`] are in before the next is composed.
    Wake {
        /// What the wall clock says, for people.
        at: Timestamp,
    },
    /// The answer to one sensor of [`Output::Read`].
    Answer {
        /// Which sensor.
        sensor: SensorId,
        /// When, for people.
        at: Timestamp,
        /// What it said.
        result: Result<Measurement, Fault>,
    },
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Read these sensors, in one conversion if the bus can; answer each.
    Read(Vec<SensorId>),
    /// Tell the house.
    Report(Report),
}

/// What the house is told of one quantity of a sensor: a value to publish, a change of state, or
/// both.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Which sensor.
    pub sensor: SensorId,
    /// What it measures.
    pub quantity: Quantity,
    /// A value to publish now; `None` where only the state changed.
    pub value: Option<Reading>,
    /// How it is, from now on.
    pub state: State,
    /// When the state was entered, for people; another reason for it does not move this.
    pub since: Timestamp,
    /// Time of the last good reading, for people.
    pub last_good: Option<Timestamp>,
}

/// A value that may be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Calibrated, filtered, rounded.
    pub value: Value,
    /// Digits after the dot.
    pub decimals: u8,
    /// When it was read.
    pub at: Timestamp,
    /// Counts the good readings of this quantity from 1.
    pub number: u64,
    /// Age at which it no longer counts.
    pub stale_after: Duration,
}

/// A sensor as the sampler needs it.
#[derive(Clone, Debug)]
pub struct Sensor {
    /// Its name in the house.
    pub id: SensorId,
    /// For people: room and address.
    pub label: Arc<str>,
    /// How it is sampled.
    pub settings: SensorSettings,
}

/// Samples the sensors of one bus.
#[derive(Debug)]
pub struct Sampler {
    schedule: Schedule,
    probes: BTreeMap<SensorId, Probe>,
    outputs: VecDeque<Output>,
}

impl Sampler {
    /// A sampler of `sensors`; `seed`, another for each bus, spreads their phases over their
    /// intervals. All are read at once at `now`; each is the subject of one report at least by the
    /// end of its first cycle.
    pub fn new(sensors: Vec<Sensor>, seed: u64, now: Tick) -> Self {
        let mut sampler = Self {
            schedule: Schedule::new(seed, now),
            probes: BTreeMap::new(),
            outputs: VecDeque::new(),
        };
        for sensor in sensors {
            sampler.add(sensor, now);
        }
        assert!(sampler.probes.len() <= limits::SENSORS_MAX, "more sensors than a house has");
        sampler
    }

    /// Forgets sensors that are gone, and takes in new ones, which are read at once; one that is in
    /// both begins anew. To be called while no answer is awaited.
    pub fn refit(&mut self, now: Tick, gone: &[SensorId], new: Vec<Sensor>) {
        for sensor in gone {
            self.schedule.remove(*sensor);
            self.probes.remove(sensor);
        }
        for sensor in new {
            self.add(sensor, now);
        }
    }

    fn add(&mut self, sensor: Sensor, now: Tick) {
        let Sensor { id, label, settings } = sensor;
        settings.assert_checked(&label);
        self.schedule.add(id, settings.interval, settings.retries);
        let same = self.probes.insert(id, Probe::new(id, settings, now));
        assert!(same.is_none(), "two sensors are named {id:?}: {label}");
    }

    /// Takes one event; drain [`Sampler::poll`] after it.
    pub fn handle(&mut self, now: Tick, input: Input) {
        match input {
            Input::Wake { at } => self.wake(now, at),
            Input::Answer { sensor, at, result } => self.answer(now, sensor, at, result),
        }
    }

    /// What is to be done next, in order.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Sampler::handle`] with [`Input::Wake`] at the latest; may have passed. `None`
    /// without sensors.
    pub fn deadline(&self) -> Option<Tick> {
        let ageing = self.probes.values().filter_map(Probe::deadline).min();
        self.schedule.deadline().into_iter().chain(ageing).min()
    }

    fn wake(&mut self, now: Tick, at: Timestamp) {
        let aged = self.probes.values_mut().flat_map(|probe| probe.age(now, at));
        self.outputs.extend(aged.map(Output::Report));
        let due = self.schedule.due(now);
        if !due.is_empty() {
            self.outputs.push_back(Output::Read(due));
        }
    }

    fn answer(
        &mut self,
        now: Tick,
        sensor: SensorId,
        at: Timestamp,
        result: Result<Measurement, Fault>,
    ) {
        let Some(probe) = self.probes.get_mut(&sensor).filter(|_| self.schedule.is_reading(sensor))
        else {
            // A second answer must not end the thread of a bus, but a test should.
            debug_assert!(false, "nobody asked {sensor:?}");
            return;
        };
        let reports = match probe.judge(now, &result) {
            Ok(temperature) => {
                self.schedule.succeeded(sensor);
                probe.good(now, at, temperature, &result)
            }
            // A retry comes too soon to confirm a jump: a later slot must.
            Err(Reason::Rate) => {
                self.schedule.doubted(sensor);
                probe.failed(now, at, Reason::Rate)
            }
            Err(reason) => match self.schedule.failed(now, sensor) {
                Verdict::Retry => Vec::new(),
                Verdict::Over => probe.failed(now, at, reason),
            },
        };
        self.outputs.extend(reports.into_iter().map(Output::Report));
    }
}
