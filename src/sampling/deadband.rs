//! Which good readings are worth a publication: a change of the deadband, or the heartbeat.

use crate::time::Tick;
use crate::units::Value;

use super::{Rules, SensorSettings};

/// What was last published of one quantity of a sensor.
#[derive(Debug, Default)]
pub(super) struct Deadband {
    published: Option<(Value, Tick)>,
}

impl Deadband {
    /// Whether a good reading is to be published now.
    pub(super) fn admits(
        &self,
        settings: &SensorSettings,
        rules: &Rules,
        now: Tick,
        value: Value,
    ) -> bool {
        let Some((before, at)) = self.published else { return true };
        value.distance(before) >= rules.deadband || is_due(settings, now, at)
    }

    /// It was published.
    pub(super) const fn published(&mut self, now: Tick, value: Value) {
        self.published = Some((value, now));
    }
}

/// Whether this reading is the nearest to the heartbeat, or the last before the publication at `at`
/// expires.
fn is_due(settings: &SensorSettings, now: Tick, at: Tick) -> bool {
    let (age, interval) = (now.since(at), settings.interval);
    age.saturating_add(interval / 2) >= settings.heartbeat
        || age.saturating_add(interval) >= settings.stale_after
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::{milli, with_rules};
    use super::*;

    /// Which of the readings (milliseconds, thousandths) are published.
    fn published(settings: &SensorSettings, readings: &[(u64, i32)]) -> Vec<(u64, i32)> {
        let mut deadband = Deadband::default();
        let mut published = Vec::new();
        for (milliseconds, thousandths) in readings {
            let now = Tick::from_micros(milliseconds * 1000);
            let value = milli(*thousandths);
            if deadband.admits(settings, &settings.temperature, now, value) {
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
