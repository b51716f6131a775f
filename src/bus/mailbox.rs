//! Reports on their way from the bus threads to the loop that serves the house. Bounded: when full,
//! reports of one quantity of one sensor are folded into one, so the last word on each arrives.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::limits;
use crate::sampling::{Report, SensorId};
use crate::sensors::Fault;
use crate::units::Quantity;

/// Many threads push, one task takes.
#[derive(Debug, Default)]
pub struct Reports {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    reports: VecDeque<Report>,
    folded: u64,
    tries: BTreeMap<SensorId, Tries>,
}

/// How often a sensor was tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tries {
    /// Tries that gave an answer, believed or not.
    pub answers: u64,
    /// Tries that gave a fault, by its name.
    pub faults: BTreeMap<&'static str, u64>,
}

impl Reports {
    /// Hands over a report; never waits for the taker.
    pub fn push(&self, report: Report) {
        self.lock().push(report);
        self.arrived.notify_one();
    }

    /// The oldest report; waits for one. Nothing is lost if the wait is given up.
    pub async fn next(&self) -> Report {
        loop {
            // A push between the two steps leaves its permit, so it is not slept through.
            if let Some(report) = self.take() {
                return report;
            }
            self.arrived.notified().await;
        }
    }

    /// The oldest report, if one waits.
    pub fn take(&self) -> Option<Report> {
        self.lock().reports.pop_front()
    }

    /// Reports that were folded into a newer one of the same quantity, since the start: each lost a
    /// value or a state that nobody saw.
    pub fn folded(&self) -> u64 {
        self.lock().folded
    }

    /// Counts a try to read a sensor.
    pub fn tried<T>(&self, sensor: SensorId, result: &Result<T, Fault>) {
        let mut waiting = self.lock();
        let tries = waiting.tries.entry(sensor).or_default();
        match result {
            Ok(_) => tries.answers += 1,
            Err(fault) => *tries.faults.entry(fault.name()).or_default() += 1,
        }
    }

    /// Nothing more is to be said of a sensor.
    pub fn forget(&self, sensors: &[SensorId]) {
        self.lock().tries.retain(|sensor, _| !sensors.contains(sensor));
    }

    /// How often each sensor was tried.
    pub fn tries(&self) -> BTreeMap<SensorId, Tries> {
        self.lock().tries.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn push(&mut self, report: Report) {
        self.reports.push_back(report);
        if self.reports.len() > limits::REPORTS_WAITING_MAX {
            self.fold();
        }
    }

    /// Makes room for one: the oldest report that has a newer one of its quantity goes into that.
    /// There is one, since no house has more sensors and quantities than reports may wait.
    fn fold(&mut self) {
        let mut newer = HashSet::new();
        let from_newest = self.reports.iter().enumerate().rev();
        let outdated = from_newest.filter(|(_, report)| !newer.insert(subject(report))).last();
        let Some((position, older)) = outdated.map(|(position, report)| (position, report.clone()))
        else {
            return;
        };
        self.reports.remove(position);
        let mut later = self.reports.iter_mut().skip(position);
        if let Some(next) = later.find(|report| subject(report) == subject(&older)) {
            next.value = next.value.or(older.value);
        }
        self.folded = self.folded.saturating_add(1);
    }
}

/// What a report is about.
const fn subject(report: &Report) -> (SensorId, Quantity) {
    (report.sensor, report.quantity)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use crate::sampling::{Reading, State};
    use crate::time::Timestamp;
    use crate::units::MilliCelsius;

    use super::*;

    const AT: Timestamp = Timestamp::new(0, true);

    fn value(sensor: usize, thousandths: i32) -> Report {
        let reading = Reading {
            value: MilliCelsius::new(thousandths).value(),
            decimals: 1,
            at: AT,
            number: 1,
            stale_after: limits::BUS_SLEEP_MAX,
        };
        Report { value: Some(reading), ..state(sensor, State::Ok) }
    }

    fn state(sensor: usize, state: State) -> Report {
        let sensor = SensorId(sensor);
        let quantity = Quantity::Temperature;
        Report { sensor, quantity, value: None, state, since: AT, last_good: None }
    }

    fn take_all(reports: &Reports) -> Vec<Report> {
        std::iter::from_fn(|| reports.take()).collect()
    }

    #[test]
    fn reports_come_in_the_order_they_went() {
        let reports = Reports::default();
        for thousandths in 1..=3 {
            reports.push(value(0, thousandths));
        }
        assert_eq!(take_all(&reports), [value(0, 1), value(0, 2), value(0, 3)]);
        assert_eq!(reports.folded(), 0);
    }

    #[test]
    fn full_mailbox_keeps_the_newest_of_each_sensor_and_counts_the_rest() {
        let reports = Reports::default();
        reports.push(value(1, 7));
        for thousandths in 0..6000 {
            reports.push(value(0, thousandths));
        }
        let kept = take_all(&reports);
        assert_eq!(kept.len(), limits::REPORTS_WAITING_MAX);
        assert_eq!(reports.folded(), 6001 - u64::try_from(kept.len()).unwrap());
        assert_eq!(kept.first(), Some(&value(1, 7)));
        let expected = (0..6000).skip(6001 - kept.len()).map(|thousandths| value(0, thousandths));
        assert!(kept.into_iter().skip(1).eq(expected));
    }

    #[test]
    fn value_and_state_are_both_told_when_folded() {
        let reports = Reports::default();
        reports.push(value(0, 21_400));
        for _ in 0..limits::REPORTS_WAITING_MAX {
            reports.push(state(0, State::Stale));
        }
        let expected = Report { state: State::Stale, ..value(0, 21_400) };
        assert_eq!(reports.take(), Some(expected));
    }

    #[test]
    fn every_quantity_of_every_sensor_of_the_largest_house_has_its_place() {
        let reports = Reports::default();
        let all = |round| {
            (0..limits::SENSORS_MAX).flat_map(move |sensor| {
                Quantity::ALL.map(|quantity| Report { quantity, ..value(sensor, round) })
            })
        };
        (0..2).flat_map(all).for_each(|report| reports.push(report));
        assert!(reports.folded() > 0);
        let last: BTreeMap<_, _> =
            take_all(&reports).into_iter().map(|report| (subject(&report), report)).collect();
        assert!(last.into_values().eq(all(1)));
    }

    #[test]
    fn a_push_between_looking_and_sleeping_is_not_slept_through() {
        let reports = Reports::default();
        let mut context = Context::from_waker(Waker::noop());
        let mut next = pin!(reports.next());
        assert!(next.as_mut().poll(&mut context).is_pending());
        reports.push(value(0, 1));
        reports.push(value(0, 2));
        assert_eq!(next.as_mut().poll(&mut context), Poll::Ready(value(0, 1)));
        assert_eq!(pin!(reports.next()).poll(&mut context), Poll::Ready(value(0, 2)));
        let mut next = pin!(reports.next());
        assert!(next.as_mut().poll(&mut context).is_pending());
    }
}
