//! A bus that hangs in a read says nothing any more, not even that its sensors are stale: so
//! somebody else has to notice. A sensor that counts is heard of at least once per `stale_after`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Report, SensorId, State};
use crate::limits::BUS_SLEEP_MAX;
use crate::time::{Tick, Timestamp};

/// Notices sensors whose bus has gone silent.
#[derive(Debug)]
pub struct Silence {
    sensors: BTreeMap<SensorId, Heard>,
    due: BTreeSet<(Tick, SensorId)>,
}

#[derive(Debug)]
struct Heard {
    patience: Duration,
    /// What was last said; `None`: nothing yet.
    last: Option<Report>,
    due: Option<Tick>,
}

impl Silence {
    /// Listens to sensors from `now` on, each with its `stale_after`.
    pub fn new(sensors: impl IntoIterator<Item = (SensorId, Duration)>, now: Tick) -> Self {
        let mut silence = Self { sensors: BTreeMap::new(), due: BTreeSet::new() };
        for (sensor, stale_after) in sensors {
            // The sampler itself says so at `stale_after`, if it goes round.
            let patience = stale_after.saturating_add(BUS_SLEEP_MAX);
            silence.sensors.insert(sensor, Heard { patience, last: None, due: None });
            silence.expect(sensor, now);
        }
        silence
    }

    /// A report came. A sensor that is no longer believed need not be heard of.
    pub fn handle(&mut self, now: Tick, report: &Report) {
        let Some(heard) = self.sensors.get_mut(&report.sensor) else { return };
        heard.last = Some(report.clone());
        match report.state {
            State::Ok | State::Suspect(_) => self.expect(report.sensor, now),
            State::Unknown | State::Stale | State::Failed(_) => self.forget(report.sensor),
        }
    }

    /// The report that a silent bus owes, if it is time; `at` is for people.
    pub fn poll(&mut self, now: Tick, at: Timestamp) -> Option<Report> {
        let (due, sensor) = *self.due.first()?;
        if due > now {
            return None;
        }
        self.forget(sensor);
        let last = self.sensors.get(&sensor)?.last.as_ref();
        let last_good = last.and_then(|report| report.last_good);
        Some(Report { sensor, value: None, state: State::Stale, since: at, last_good })
    }

    /// When to call [`Silence::poll`] at the latest.
    pub fn deadline(&self) -> Option<Tick> {
        self.due.first().map(|(due, _)| *due)
    }

    fn expect(&mut self, sensor: SensorId, now: Tick) {
        self.forget(sensor);
        if let Some(heard) = self.sensors.get_mut(&sensor) {
            let due = now.after(heard.patience);
            heard.due = Some(due);
            self.due.insert((due, sensor));
        }
    }

    fn forget(&mut self, sensor: SensorId) {
        let heard = self.sensors.get_mut(&sensor);
        if let Some(due) = heard.and_then(|heard| heard.due.take()) {
            self.due.remove(&(due, sensor));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::Reason;

    const A: SensorId = SensorId(0);
    const AT: Timestamp = Timestamp::new(1_795_352_405_000, true);
    const PATIENCE: Duration = Duration::from_secs(30).saturating_add(BUS_SLEEP_MAX);

    fn after(duration: Duration) -> Tick {
        Tick::ZERO.after(duration)
    }

    fn report(state: State) -> Report {
        Report { sensor: A, value: None, state, since: AT, last_good: Some(AT) }
    }

    fn silence() -> Silence {
        Silence::new([(A, Duration::from_secs(30))], Tick::ZERO)
    }

    #[test]
    fn a_bus_that_never_says_anything_is_noticed_once() {
        let mut silence = silence();
        assert_eq!(silence.deadline(), Some(after(PATIENCE)));
        assert_eq!(silence.poll(after(PATIENCE / 2), AT), None);
        let owed = silence.poll(after(PATIENCE), AT).unwrap();
        assert_eq!((owed.state, owed.last_good), (State::Stale, None));
        assert_eq!(silence.poll(after(PATIENCE * 9), AT), None);
        assert_eq!(silence.deadline(), None);
    }

    #[test]
    fn each_report_of_a_believed_sensor_gives_it_time_again() {
        let mut silence = silence();
        silence.handle(after(PATIENCE / 2), &report(State::Ok));
        silence.handle(after(PATIENCE), &report(State::Suspect(Reason::Range)));
        assert_eq!(silence.poll(after(PATIENCE + PATIENCE / 2), AT), None);
        let owed = silence.poll(after(PATIENCE * 2), AT).unwrap();
        assert_eq!((owed.state, owed.last_good), (State::Stale, Some(AT)));
    }

    #[test]
    fn a_failed_sensor_may_be_silent_until_it_is_well_again() {
        let mut silence = silence();
        silence.handle(Tick::ZERO, &report(State::Failed(Reason::Range)));
        assert_eq!(silence.deadline(), None);
        silence.handle(Tick::ZERO, &report(State::Ok));
        assert_eq!(silence.deadline(), Some(after(PATIENCE)));
    }
}
