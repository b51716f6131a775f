//! When to read which sensor, and what its answers mean: range, rate, calibration, median,
//! rounding, deadband, heartbeat, health, staleness.
//!
//! One [`Sampler`] per bus, in the thread of that bus. It never reads a clock: the shell hands in
//! `now`, does what [`Sampler::poll`] says, and sleeps until [`Sampler::deadline`].

use std::sync::Arc;
use std::time::Duration;

use crate::sensors::{Fault, Measurement};
use crate::time::{Tick, Timestamp};
use crate::units::MilliCelsius;

/// Names a sensor in the whole house: its position in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SensorId(pub usize);

/// How one sensor is sampled. Checked: see the configuration for what each means.
#[derive(Clone, Debug, PartialEq)]
pub struct SensorSettings {
    /// From one reading to the next.
    pub interval: Duration,
    /// Further tries within one interval when a reading fails.
    pub retries: u8,
    /// Readings outside are refused.
    pub lowest: MilliCelsius,
    /// Readings outside are refused.
    pub highest: MilliCelsius,
    /// Fastest believable change, in thousandths of a degree per minute; a faster one must be
    /// confirmed by the next reading.
    pub rate_per_minute: Option<u32>,
    /// Raw → true temperature.
    pub calibration: Calibration,
    /// Number of last readings whose median counts; 1: none. Odd.
    pub median: usize,
    /// Digits after the dot that are published, 0 to 3.
    pub decimals: u8,
    /// Smallest change that is published at once, in thousandths of a degree.
    pub deadband: u32,
    /// Longest time between two publications of a healthy sensor.
    pub heartbeat: Duration,
    /// Age at which the last good reading no longer counts.
    pub stale_after: Duration,
}

/// Raw → true temperature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calibration {
    /// True = raw + offset; zero for none.
    Offset(MilliCelsius),
    /// The line through two points of (raw, true).
    TwoPoint {
        /// Raw and true temperature of the one.
        low: (MilliCelsius, MilliCelsius),
        /// Raw and true temperature of the other; raw differs from `low`'s.
        high: (MilliCelsius, MilliCelsius),
    },
}

/// What the sampler is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// Nothing but the passing of time.
    Wake,
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

/// What the house is told of one sensor: a value to publish, a change of state, or both.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Which sensor.
    pub sensor: SensorId,
    /// A value to publish now; `None` where only the state changed.
    pub value: Option<Reading>,
    /// How the sensor is, from now on.
    pub state: State,
    /// When the state was entered, for people.
    pub since: Timestamp,
    /// Time of the last good reading, for people.
    pub last_good: Option<Timestamp>,
}

/// A temperature that may be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Calibrated, filtered, rounded.
    pub temperature: MilliCelsius,
    /// Digits after the dot.
    pub decimals: u8,
    /// When it was read.
    pub at: Timestamp,
    /// Counts the good readings of this sensor from 1.
    pub number: u64,
    /// Age at which it no longer counts.
    pub stale_after: Duration,
}

/// How a sensor is.
///
/// ```text
///            good                    good
///   ┌──────────────────┐   ┌──────────────────────┐
///   ▼   bad reading    │   ▼      stale_after     │
///   Ok ───────────▶ Suspect ───────────────▶ Stale / Failed
///                      (Stale: silent; Failed: last tries gave a fault)
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Not read yet.
    Unknown,
    /// Its last reading was good.
    Ok,
    /// Its last readings were not, but a good one is not long ago.
    Suspect(Reason),
    /// No good reading for `stale_after`, and none bad either: it does not answer at all.
    Stale,
    /// No good reading for `stale_after`, or never one, because of this.
    Failed(Reason),
}

/// Why a reading was not good. Its name is the `error` of the status topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The chip or its bus.
    Fault(Fault),
    /// Below or above what is believable.
    Range,
    /// Changed faster than is believable, not yet confirmed.
    Rate,
}

impl Reason {
    /// Its name in topics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fault(fault) => fault.name(),
            Self::Range => "range",
            Self::Rate => "rate",
        }
    }
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
pub struct Sampler {}

impl Sampler {
    /// A sampler of `sensors`; `seed` spreads their phases over their intervals.
    pub fn new(_sensors: Vec<Sensor>, _seed: u64, _now: Tick) -> Self {
        Self {}
    }

    /// Takes one event; drain [`Sampler::poll`] after it.
    pub fn handle(&mut self, _now: Tick, _input: Input) {
        todo!()
    }

    /// What is to be done next, in order.
    pub fn poll(&mut self) -> Option<Output> {
        None
    }

    /// When to call [`Sampler::handle`] with [`Input::Wake`] at the latest.
    pub fn deadline(&self) -> Option<Tick> {
        None
    }
}
