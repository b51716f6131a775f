//! What the log has had of each sensor: a trouble that changes its name again and again is told
//! once by each of them, and one that comes and goes is told some times and then once a minute.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::limits::SENSOR_LINES_MAX;
use crate::sampling::{SensorId, State};
use crate::time::Tick;
use crate::units::Quantity;

/// For so long lines are counted.
const WINDOW: Duration = Duration::from_secs(60);

/// What a sensor measures.
pub(super) type Subject = (SensorId, Quantity);

/// What was told of each quantity of a sensor.
#[derive(Debug, Default)]
pub(super) struct Diary(BTreeMap<Subject, Page>);

#[derive(Debug, Default)]
struct Page {
    /// Since it was last well.
    told: Vec<State>,
    /// Since when lines are counted; `None`: it is quiet.
    since: Option<Tick>,
    /// So many more are told within the window.
    lines: u32,
    /// Changes of the window that were not.
    untold: u32,
}

impl Diary {
    /// It has changed to this state: whether that is worth a line.
    pub(super) fn is_news(&mut self, subject: Subject, state: State, now: Tick) -> bool {
        let page = self.0.entry(subject).or_default();
        if state == State::Ok {
            page.told.clear();
        } else if page.told.contains(&state) {
            return false;
        }
        page.told.push(state);
        if page.since.is_none() {
            (page.since, page.lines) = (Some(now), SENSOR_LINES_MAX);
        }
        let is_told = page.lines > 0;
        page.lines = page.lines.saturating_sub(1);
        page.untold += u32::from(!is_told);
        is_told
    }

    /// When [`Diary::flapping`] is to be asked.
    pub(super) fn deadline(&self) -> Option<Tick> {
        self.0.values().filter_map(|page| page.since).min().map(|since| since.after(WINDOW))
    }

    /// Those of which changes went untold in the minute that ends now, and how many.
    pub(super) fn flapping(&mut self, now: Tick) -> Vec<(Subject, u32)> {
        let mut flapping = Vec::new();
        for (subject, page) in &mut self.0 {
            if page.since.is_none_or(|since| now < since.after(WINDOW)) {
                continue;
            }
            let untold = std::mem::take(&mut page.untold);
            // One that goes on gets no more lines of its own.
            (page.since, page.lines) = ((untold > 0).then_some(now), 0);
            if untold > 0 {
                flapping.push((*subject, untold));
            }
        }
        flapping
    }

    /// Forgets sensors that are gone.
    pub(super) fn retain(&mut self, is_there: impl Fn(SensorId) -> bool) {
        self.0.retain(|(sensor, _), _| is_there(*sensor));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::Reason;
    use crate::sensors::Fault;

    const HERE: Subject = (SensorId(1), Quantity::Temperature);

    fn failed(fault: Fault) -> State {
        State::Failed(Reason::Fault(fault))
    }

    fn second(second: u64) -> Tick {
        Tick::from_micros(second * 1_000_000)
    }

    #[test]
    fn a_trouble_of_many_names_is_told_once_by_each_until_the_sensor_is_well() {
        let mut diary = Diary::default();
        let (one, other) = (failed(Fault::Garbled), failed(Fault::WrongChip));
        let told = [one, other, one, other, State::Stale, one]
            .map(|it| diary.is_news(HERE, it, Tick::ZERO));
        assert_eq!(told, [true, true, false, false, true, false]);
        let told = [State::Ok, one, State::Ok].map(|it| diary.is_news(HERE, it, Tick::ZERO));
        assert_eq!(told, [true; 3]);
        assert!(diary.is_news((SensorId(2), Quantity::Temperature), other, Tick::ZERO));
        diary.retain(|sensor| sensor == SensorId(2));
        assert!(diary.is_news(HERE, other, Tick::ZERO), "it is another sensor");
    }

    /// A loose plug: well and absent by turns, a change each second for three minutes.
    #[test]
    fn what_comes_and_goes_is_told_some_times_and_then_once_a_minute() {
        let mut diary = Diary::default();
        let (mut lines, mut flaps) = (Vec::new(), Vec::new());
        for now in 0..180 {
            let state = if now % 2 == 0 { failed(Fault::Absent) } else { State::Ok };
            flaps.extend(diary.flapping(second(now)).iter().map(|(_, untold)| (now, *untold)));
            if diary.is_news(HERE, state, second(now)) {
                lines.push(now);
            }
        }
        assert_eq!(lines, (0..SENSOR_LINES_MAX.into()).collect::<Vec<u64>>());
        assert_eq!(flaps, [(60, 60 - SENSOR_LINES_MAX), (120, 60)]);
        assert_eq!(diary.deadline(), Some(second(180)));
        assert_eq!(diary.flapping(second(180)), [(HERE, 60)]);
        assert_eq!(diary.flapping(second(240)), [], "it is quiet");
        assert_eq!(diary.deadline(), None);
        assert!(diary.is_news(HERE, failed(Fault::Absent), second(300)));
    }
}
