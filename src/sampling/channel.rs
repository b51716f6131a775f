//! One quantity of a sensor: its way from an answer to a report.

use crate::sensors::Fault;
use crate::sensors::catalog::Promise;
use crate::time::{Tick, Timestamp};
use crate::units::{Quantity, Value};

use super::deadband::Deadband;
use super::filter::Filter;
use super::health::Health;
use super::plausibility::{Plausibility, Raw};
use super::{Reading, Reason, Report, Rules, SensorId, SensorSettings, State};

/// What is known of one quantity of a sensor. Its settings are handed in, with the rules of its
/// quantity.
#[derive(Debug)]
pub(super) struct Channel {
    sensor: SensorId,
    quantity: Quantity,
    plausibility: Plausibility,
    filter: Filter,
    deadband: Deadband,
    health: Health,
    good_readings: u64,
}

impl Channel {
    /// Of a sensor that will be read from `start` on.
    pub(super) fn new(
        sensor: SensorId,
        quantity: Quantity,
        settings: &SensorSettings,
        start: Tick,
    ) -> Self {
        Self {
            sensor,
            quantity,
            plausibility: Plausibility::default(),
            filter: Filter::default(),
            deadband: Deadband::default(),
            health: Health::new(settings.stale_after, start),
            good_readings: 0,
        }
    }

    /// What it measures.
    pub(super) const fn quantity(&self) -> Quantity {
        self.quantity
    }

    /// The value to show for an answer, or why it is refused.
    pub(super) fn judge(
        &mut self,
        settings: &SensorSettings,
        rules: &Rules,
        now: Tick,
        result: Result<Raw, Fault>,
    ) -> Result<Value, Reason> {
        let judged = self.plausibility.judge(settings, rules, now, result);
        judged
            .inspect_err(|reason| self.health.refused(*reason))
            .map(|raw| self.filter.apply(settings, rules, now, raw))
    }

    /// The answer was refused for the sake of another quantity.
    pub(super) const fn refused(&mut self, reason: Reason) {
        self.health.refused(reason);
    }

    /// What to tell of a good reading, if it is worth telling; a recovery always is.
    pub(super) fn good(
        &mut self,
        settings: &SensorSettings,
        rules: &Rules,
        now: Tick,
        at: Timestamp,
        value: Value,
    ) -> Option<Report> {
        self.good_readings = self.good_readings.saturating_add(1);
        let recovered = self.health.good(now, at);
        if !recovered && !self.deadband.admits(&settings.pace(rules), now, value) {
            return None;
        }
        self.deadband.published(now, value);
        let reading = Reading {
            value,
            decimals: rules.decimals,
            at,
            number: self.good_readings,
            stale_after: settings.stale_after,
        };
        Some(self.report(at, Some(reading)))
    }

    /// What to tell when all tries of a cycle failed.
    pub(super) fn failed(
        &mut self,
        rules: &Rules,
        now: Tick,
        at: Timestamp,
        reason: Reason,
    ) -> Option<Report> {
        let changed = !self.is_moot(rules) && self.health.failed(now, at, reason);
        changed.then(|| self.report(at, None))
    }

    /// What to tell of the passing of time.
    pub(super) fn age(&mut self, rules: &Rules, now: Tick, at: Timestamp) -> Option<Report> {
        let changed = !self.is_moot(rules) && self.health.age(now, at);
        changed.then(|| self.report(at, None))
    }

    /// When [`Channel::age`] will have something to tell.
    pub(super) fn deadline(&self, rules: &Rules) -> Option<Tick> {
        self.health.deadline().filter(|_| !self.is_moot(rules))
    }

    /// Whether nobody can tell if the sensor has this quantity at all.
    fn is_moot(&self, rules: &Rules) -> bool {
        rules.promise == Promise::Perhaps && self.good_readings == 0
    }

    fn report(&self, at: Timestamp, value: Option<Reading>) -> Report {
        let state = self.health.state();
        assert!(value.is_none() || state == State::Ok, "a value of a sensor that is not well");
        Report {
            sensor: self.sensor,
            quantity: self.quantity,
            value,
            state,
            since: self.health.since().unwrap_or(at),
            last_good: self.health.last_good(),
        }
    }
}
