//! A bus that hangs in a read says nothing any more, not even that its sensors are stale: so
//! somebody else has to notice. A sensor that counts is heard of at least once per `stale_after`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Report, SensorId, SensorSettings, State};
use crate::limits::BUS_SLEEP_MAX;
use crate::sensors::catalog::Promise;
use crate::time::{Tick, Timestamp};
use crate::units::Quantity;

/// Notices sensors whose bus has gone silent.
#[derive(Debug)]
pub struct Silence {
    subjects: BTreeMap<Subject, Heard>,
    due: BTreeSet<(Tick, Subject)>,
}

/// What is spoken of: a quantity of a sensor.
type Subject = (SensorId, Quantity);

#[derive(Debug)]
struct Heard {
    patience: Duration,
    /// What was last said; `None`: nothing yet.
    last: Option<Report>,
    due: Option<Tick>,
}

impl Silence {
    /// Listens to sensors from `now` on; a quantity that none has promised, from its first report.
    pub fn new<'a>(
        sensors: impl IntoIterator<Item = (SensorId, &'a SensorSettings)>,
        now: Tick,
    ) -> Self {
        let mut silence = Self { subjects: BTreeMap::new(), due: BTreeSet::new() };
        for (sensor, settings) in sensors {
            // The sampler itself says so at `stale_after`, if it goes round.
            let patience = settings.stale_after.saturating_add(BUS_SLEEP_MAX);
            for (quantity, rules) in settings.rules() {
                let subject = (sensor, quantity);
                silence.subjects.insert(subject, Heard { patience, last: None, due: None });
                match rules.promise {
                    Promise::Always => silence.expect(subject, now),
                    Promise::Perhaps => {}
                }
            }
        }
        silence
    }

    /// Listens to these sensors from now on: as before to those it knows.
    pub fn refit<'a>(
        &mut self,
        sensors: impl IntoIterator<Item = (SensorId, &'a SensorSettings)>,
        now: Tick,
    ) {
        let mut new = Self::new(sensors, now);
        for (subject, heard) in std::mem::take(&mut self.subjects) {
            if let Some(fresh) = new.subjects.get(&subject) {
                let patience = fresh.patience;
                new.forget(subject);
                new.due.extend(heard.due.map(|due| (due, subject)));
                new.subjects.insert(subject, Heard { patience, ..heard });
            }
        }
        *self = new;
    }

    /// A report came. A sensor that is no longer believed need not be heard of.
    pub fn handle(&mut self, now: Tick, report: &Report) {
        let subject = (report.sensor, report.quantity);
        let Some(heard) = self.subjects.get_mut(&subject) else { return };
        heard.last = Some(report.clone());
        match report.state {
            State::Ok | State::Suspect(_) => self.expect(subject, now),
            State::Unknown | State::Stale | State::Failed(_) => self.forget(subject),
        }
    }

    /// The report that a silent bus owes, if it is time; `at` is for people.
    pub fn poll(&mut self, now: Tick, at: Timestamp) -> Option<Report> {
        let (due, subject) = *self.due.first()?;
        if due > now {
            return None;
        }
        self.forget(subject);
        let last = self.subjects.get(&subject)?.last.as_ref();
        let last_good = last.and_then(|report| report.last_good);
        let (sensor, quantity) = subject;
        Some(Report { sensor, quantity, value: None, state: State::Stale, since: at, last_good })
    }

    /// When to call [`Silence::poll`] at the latest.
    pub fn deadline(&self) -> Option<Tick> {
        self.due.first().map(|(due, _)| *due)
    }

    fn expect(&mut self, subject: Subject, now: Tick) {
        self.forget(subject);
        if let Some(heard) = self.subjects.get_mut(&subject) {
            let due = now.after(heard.patience);
            heard.due = Some(due);
            self.due.insert((due, subject));
        }
    }

    fn forget(&mut self, subject: Subject) {
        let heard = self.subjects.get_mut(&subject);
        if let Some(due) = heard.and_then(|heard| heard.due.take()) {
            self.due.remove(&(due, subject));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::settings;
    use super::*;
    use crate::sampling::{Reason, Rules};

    const A: SensorId = SensorId(0);
    const AT: Timestamp = Timestamp::new(1_795_352_405_000, true);
    const PATIENCE: Duration = Duration::from_secs(30).saturating_add(BUS_SLEEP_MAX);

    fn after(duration: Duration) -> Tick {
        Tick::ZERO.after(duration)
    }

    fn report(state: State) -> Report {
        let quantity = Quantity::Temperature;
        Report { sensor: A, quantity, value: None, state, since: AT, last_good: Some(AT) }
    }

    fn silence() -> Silence {
        Silence::new([(A, &settings())], Tick::ZERO)
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

    #[test]
    fn a_quantity_that_nobody_promised_is_awaited_from_its_first_report_on() {
        let rules = Rules { promise: Promise::Perhaps, ..settings().temperature };
        let settings = SensorSettings { humidity: Some(rules), ..settings() };
        let mut silence = Silence::new([(A, &settings)], Tick::ZERO);
        let humidity = Report { quantity: Quantity::Humidity, ..report(State::Ok) };
        let owed = |silence: &mut Silence, periods| -> Vec<Quantity> {
            let poll = || silence.poll(after(PATIENCE * periods), AT);
            std::iter::from_fn(poll).map(|report| report.quantity).collect()
        };
        assert_eq!(owed(&mut silence, 1), [Quantity::Temperature]);
        silence.handle(after(PATIENCE), &humidity);
        assert_eq!(owed(&mut silence, 2), [Quantity::Humidity]);
    }
    #[test]
    fn a_refit_awaits_who_is_new_and_leaves_who_failed_in_peace() {
        const B: SensorId = SensorId(1);
        let mut silence = silence();
        silence.handle(Tick::ZERO, &report(State::Failed(Reason::Range)));
        silence.refit([(A, &settings()), (B, &settings())], after(PATIENCE));
        let owed = silence.poll(after(PATIENCE * 9), AT).unwrap();
        assert_eq!((owed.sensor, owed.state), (B, State::Stale));
        assert_eq!(silence.poll(after(PATIENCE * 9), AT), None);
        silence.handle(after(PATIENCE * 9), &report(State::Ok));
        silence.refit([], after(PATIENCE * 9));
        assert_eq!(silence.deadline(), None, "who is gone is not awaited");
    }
}
