//! One sensor: its way from an answer to a report.

use crate::sensors::{Fault, Measurement};
use crate::time::{Tick, Timestamp};
use crate::units::MilliCelsius;

use super::deadband::Deadband;
use super::filter::Filter;
use super::health::Health;
use super::plausibility::Plausibility;
use super::{Reading, Reason, Report, SensorId, SensorSettings, State};

/// What is known of one sensor.
#[derive(Debug)]
pub(super) struct Probe {
    id: SensorId,
    settings: SensorSettings,
    plausibility: Plausibility,
    filter: Filter,
    deadband: Deadband,
    health: Health,
    good_readings: u64,
}

impl Probe {
    /// A sensor that will be read from `start` on.
    pub(super) fn new(id: SensorId, settings: SensorSettings, start: Tick) -> Self {
        Self {
            id,
            health: Health::new(settings.stale_after, start),
            settings,
            plausibility: Plausibility::default(),
            filter: Filter::default(),
            deadband: Deadband::default(),
            good_readings: 0,
        }
    }

    /// The temperature to show for an answer, or why it is refused.
    pub(super) fn judge(
        &mut self,
        now: Tick,
        result: Result<Measurement, Fault>,
    ) -> Result<MilliCelsius, Reason> {
        let judged = self.plausibility.judge(&self.settings, now, result);
        judged
            .inspect_err(|reason| self.health.refused(*reason))
            .map(|raw| self.filter.apply(&self.settings, now, raw))
    }

    /// What to tell of a good reading, if it is worth telling; a recovery always is.
    pub(super) fn good(
        &mut self,
        now: Tick,
        at: Timestamp,
        temperature: MilliCelsius,
    ) -> Option<Report> {
        self.good_readings = self.good_readings.saturating_add(1);
        let recovered = self.health.good(now, at);
        if !recovered && !self.deadband.admits(&self.settings, now, temperature) {
            return None;
        }
        self.deadband.published(now, temperature);
        Some(self.report(at, Some(self.reading(at, temperature))))
    }

    /// What to tell when all tries of a cycle failed.
    pub(super) fn failed(&mut self, now: Tick, at: Timestamp, reason: Reason) -> Option<Report> {
        self.health.failed(now, at, reason).then(|| self.report(at, None))
    }

    /// What to tell of the passing of time.
    pub(super) fn age(&mut self, now: Tick, at: Timestamp) -> Option<Report> {
        self.health.age(now, at).then(|| self.report(at, None))
    }

    /// When [`Probe::age`] will have something to tell.
    pub(super) fn deadline(&self) -> Option<Tick> {
        self.health.deadline()
    }

    fn reading(&self, at: Timestamp, temperature: MilliCelsius) -> Reading {
        let SensorSettings { decimals, stale_after, .. } = self.settings;
        Reading { temperature, decimals, at, number: self.good_readings, stale_after }
    }

    fn report(&self, at: Timestamp, value: Option<Reading>) -> Report {
        let state = self.health.state();
        assert!(value.is_none() || state == State::Ok, "a value of a sensor that is not well");
        Report {
            sensor: self.id,
            value,
            state,
            since: self.health.since().unwrap_or(at),
            last_good: self.health.last_good(),
        }
    }
}
