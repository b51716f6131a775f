//! A bus that is read as its sampler wants, step by step, with each step told: for `maison read`
//! and `maison record`, which have no house around it, and for `maison replay`, where time is
//! written.

use std::collections::BTreeSet;

use crate::sampling::{Input, Output, Report, Sampler, Sensor, SensorId};
use crate::sensors::{Fault, Measurement};
use crate::time::{Tick, Timestamp};

use super::Bus;
use super::tap::Tap;

/// A step of a bus.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// When it was.
    pub now: Tick,
    /// When, for people.
    pub at: Timestamp,
    /// What it was.
    pub what: What,
    /// What the house is told of it.
    pub reports: Vec<Report>,
}

/// What a step was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Time has passed.
    Woken,
    /// A sensor was read.
    Answered(SensorId, Result<Measurement, Fault>),
}

/// Says when a step is; `None`: there are no more.
pub type Moments<'a> = dyn FnMut(&What) -> Option<(Tick, Timestamp)> + 'a;

/// A bus with its sampler.
pub struct Line {
    /// Of the bus.
    pub name: String,
    bus: Box<dyn Bus>,
    sampler: Sampler,
    tap: Tap,
}

impl Line {
    /// The bus of that name, whose sensors are first read at `start`. What is seen of pins is told
    /// to `tap` before each answer.
    pub fn new(
        name: String,
        bus: Box<dyn Bus>,
        sampler: (Vec<Sensor>, u64),
        start: Tick,
        tap: Tap,
    ) -> Self {
        let (sensors, seed) = sampler;
        Self { name, bus, sampler: Sampler::new(sensors, seed, start), tap }
    }

    /// When it has something to do.
    pub fn deadline(&self) -> Option<Tick> {
        self.sampler.deadline()
    }

    /// Does all that the sampler wants now.
    pub fn turn(&mut self, moments: &mut Moments<'_>, tell: &mut dyn FnMut(Told)) {
        let Some((now, at)) = moments(&What::Woken) else { return };
        self.sampler.handle(now, Input::Wake { at });
        let (reads, reports) = drained(&mut self.sampler);
        tell(Told { now, at, what: What::Woken, reports });
        for sensors in reads {
            self.read(&sensors, moments, tell);
        }
    }

    /// Each sensor gets one answer, whatever the bus does.
    fn read(
        &mut self,
        sensors: &[SensorId],
        moments: &mut Moments<'_>,
        tell: &mut dyn FnMut(Told),
    ) {
        let Self { bus, sampler, tap, .. } = self;
        let mut unanswered: BTreeSet<SensorId> = sensors.iter().copied().collect();
        let mut answer = |sensor, result| {
            if !unanswered.remove(&sensor) {
                return;
            }
            tap.flush();
            let what = What::Answered(sensor, result);
            let Some((now, at)) = moments(&what) else { return };
            sampler.handle(now, Input::Answer { sensor, at, result });
            let (_, reports) = drained(sampler);
            tell(Told { now, at, what, reports });
        };
        bus.read(sensors, &mut answer);
        for sensor in sensors {
            answer(*sensor, Err(Fault::Absent));
        }
    }
}

/// What is to be read, and what is to be told.
fn drained(sampler: &mut Sampler) -> (Vec<Vec<SensorId>>, Vec<Report>) {
    let (mut reads, mut reports) = (Vec::new(), Vec::new());
    while let Some(output) = sampler.poll() {
        match output {
            Output::Read(sensors) => reads.push(sensors),
            Output::Report(report) => reports.push(report),
        }
    }
    (reads, reports)
}
