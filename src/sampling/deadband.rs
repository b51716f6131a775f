//! Which good readings are worth a publication: a change of the deadband, or the heartbeat.

use std::time::Duration;

use crate::time::Tick;
use crate::units::Value;

/// How often something is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Smallest change that is published at once, in thousandths of the unit; 0: every reading.
    pub deadband: u32,
    /// From one reading to the next.
    pub interval: Duration,
    /// Longest time between two publications, to the nearest reading.
    pub heartbeat: Duration,
    /// Age at which what was published no longer counts.
    pub stale_after: Duration,
}

/// What was last published of one quantity.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deadband {
    published: Option<(Value, Tick)>,
}

impl Deadband {
    /// Whether a good reading is to be published now.
    pub fn admits(&self, pace: &Pace, now: Tick, value: Value) -> bool {
        let Some((before, at)) = self.published else { return true };
        value.distance(before) >= pace.deadband || pace.is_due(now.since(at))
    }

    /// It was published.
    pub const fn published(&mut self, now: Tick, value: Value) {
        self.published = Some((value, now));
    }

    /// When what was published is to be renewed at the latest; `None`: nothing was.
    pub fn deadline(&self, pace: &Pace) -> Option<Tick> {
        let fresh = pace.stale_after.saturating_sub(pace.interval);
        let most = pace.heartbeat.min(fresh).max(pace.interval / 2);
        self.published.map(|(_, at)| at.after(most))
    }
}

impl Pace {
    /// Whether this reading is the nearest to the heartbeat, or the last before what was published
    /// expires, at that age.
    fn is_due(&self, age: Duration) -> bool {
        age.saturating_add(self.interval / 2) >= self.heartbeat
            || age.saturating_add(self.interval) >= self.stale_after
    }

    /// Of something that is made of both: as often as the more eager one.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            deadband: self.deadband.min(other.deadband),
            interval: self.interval.min(other.interval),
            heartbeat: self.heartbeat.min(other.heartbeat),
            stale_after: self.stale_after.min(other.stale_after),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::SensorSettings;
    use super::super::tests::{milli, with_rules};
    use super::*;

    /// Which of the readings (milliseconds, thousandths) are published.
    fn published(settings: &SensorSettings, readings: &[(u64, i32)]) -> Vec<(u64, i32)> {
        let pace = settings.pace(&settings.temperature);
        let mut deadband = Deadband::default();
        let mut published = Vec::new();
        for (milliseconds, thousandths) in readings {
            let now = Tick::from_micros(milliseconds * 1000);
            let value = milli(*thousandths);
            if deadband.admits(&pace, now, value) {
                deadband.published(now, value);
                published.push((*milliseconds, *thousandths));
            }
        }
        published
    }

    fn patient() -> SensorSettings {
        SensorSettings {
            heartbeat: Duration::from_secs(60),
            stale_after: Duration::from_secs(300),
            ..with_rules(|rules| rules.deadband = 200)
        }
    }

    #[test]
    fn a_change_counts_from_what_was_published_last_so_that_a_slow_drift_is_seen() {
        let readings =
            [(0, 20_000), (1, 20_199), (2, 19_801), (3, 20_200), (4, 20_399), (5, 20_000)];
        let expected = [(0, 20_000), (3, 20_200), (5, 20_000)];
        assert_eq!(published(&patient(), &readings), expected);
    }

    #[test]
    fn without_a_deadband_every_reading_is_published() {
        let mut settings = patient();
        settings.temperature.deadband = 0;
        let readings = [(0, 20_000), (10_000, 20_000), (20_000, 20_000)];
        assert_eq!(published(&settings, &readings), readings);
    }

    #[test]
    fn the_heartbeat_takes_the_nearest_reading_whatever_the_jitter() {
        let readings: Vec<_> =
            [0, 10_012, 20_003, 30_001, 40_000, 50_011, 59_990, 70_000, 110_005, 119_985]
                .map(|milliseconds| (milliseconds, 20_000))
                .into();
        let expected = [(0, 20_000), (59_990, 20_000), (119_985, 20_000)];
        assert_eq!(published(&patient(), &readings), expected);
    }

    #[test]
    fn a_published_value_is_renewed_before_it_expires_under_a_healthy_sensor() {
        let settings = SensorSettings {
            heartbeat: Duration::from_secs(600),
            stale_after: Duration::from_secs(30),
            ..patient()
        };
        let readings = [0, 10, 20, 30, 40].map(|second| (second * 1000, 20_000));
        let expected = [0, 20, 40].map(|second| (second * 1000, 20_000));
        assert_eq!(published(&settings, &readings), expected);
    }
}
