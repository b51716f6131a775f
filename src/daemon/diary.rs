//! What the log has had of each sensor, so that a trouble that changes its name again and again is
//! told once by each of them, and not each second.

use std::collections::BTreeMap;

use crate::sampling::{SensorId, State};
use crate::units::Quantity;

/// What was told of each quantity of a sensor since it was last well.
#[derive(Debug, Default)]
pub(super) struct Diary(BTreeMap<(SensorId, Quantity), Vec<State>>);

impl Diary {
    /// It has changed to this state: whether that is worth a line.
    pub(super) fn is_news(&mut self, subject: (SensorId, Quantity), state: State) -> bool {
        let told = self.0.entry(subject).or_default();
        if state == State::Ok {
            told.clear();
        } else if told.contains(&state) {
            return false;
        }
        told.push(state);
        true
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

    const HERE: (SensorId, Quantity) = (SensorId(1), Quantity::Temperature);

    fn failed(fault: Fault) -> State {
        State::Failed(Reason::Fault(fault))
    }

    #[test]
    fn a_trouble_of_many_names_is_told_once_by_each_until_the_sensor_is_well() {
        let mut diary = Diary::default();
        let (one, other) = (failed(Fault::Garbled), failed(Fault::WrongChip));
        let told = [one, other, one, other, State::Stale, one].map(|it| diary.is_news(HERE, it));
        assert_eq!(told, [true, true, false, false, true, false]);
        let told = [State::Ok, one, State::Ok, other].map(|it| diary.is_news(HERE, it));
        assert_eq!(told, [true; 4]);
        assert!(diary.is_news((SensorId(2), Quantity::Temperature), other));
        diary.retain(|sensor| sensor == SensorId(2));
        assert!(diary.is_news(HERE, other), "it is another sensor");
    }
}
