//! The alarm of a room: its sensors disagree.

use crate::mqtt::{QoS, TopicName};
use crate::sampling::{Agreement, Tolerance};
use crate::time::{Tick, Timestamp};
use crate::units::{MilliCelsius, Value};

use super::Publication;
use super::payload::{self, Sourced};
use super::retained::{named, retained};

/// Whether the sensors of a room agree, and what is retained of that.
#[derive(Debug)]
pub(super) struct Alert {
    topic: TopicName,
    agreement: Agreement,
    /// Nothing is retained; not known before anything was told, because of an earlier run.
    is_clear: bool,
    /// Whether it was told that the alarm stands though there is nothing to compare any more.
    is_alone_told: bool,
}

impl Alert {
    /// Of a room whose topics begin with `base`.
    pub(super) fn new(base: &str, tolerance: Tolerance) -> Self {
        let topic = named(&format!("{base}/alert"));
        let agreement = Agreement::new(tolerance);
        Self { topic, agreement, is_clear: false, is_alone_told: false }
    }

    /// Its topic.
    pub(super) const fn topic(&self) -> &TopicName {
        &self.topic
    }

    /// Whether the alarm stands.
    pub(super) const fn is_raised(&self) -> bool {
        self.agreement.is_alarm()
    }

    /// When to judge though nothing was read.
    pub(super) fn deadline(&self) -> Option<Tick> {
        self.agreement.deadline()
    }

    /// The sensors of the room say this now: what is to be told where the alarm begins or ends.
    pub(super) fn judge(
        &mut self,
        now: Tick,
        at: Timestamp,
        sensors: &[Sourced],
    ) -> Option<Publication> {
        if !self.agreement.judge(now, spread(sensors)) {
            return None;
        }
        if !self.agreement.is_alarm() {
            return self.clear();
        }
        (self.is_clear, self.is_alone_told) = (false, false);
        let payload = payload::disagreement(self.limit(), sensors, at);
        let properties = Some(payload::json());
        Some(retained(self.topic.clone(), QoS::AtLeastOnce, payload, properties))
    }

    /// Whether it is news that the alarm stands with one sensor only; once an alarm.
    pub(super) fn is_left_alone(&mut self, sensors: &[Sourced]) -> bool {
        let is_alone = self.is_raised() && sensors.len() == 1;
        is_alone && !std::mem::replace(&mut self.is_alone_told, true)
    }

    /// Nothing is known of the sensors any more, so there is no alarm.
    pub(super) fn forget(&mut self) -> Option<Publication> {
        self.agreement = Agreement::new(self.agreement.tolerance());
        self.clear()
    }

    /// It goes on for the other, if it is of the same tolerance and there are still several.
    pub(super) fn inherit(&mut self, other: Self, sensors: usize) -> Option<Publication> {
        self.is_clear = other.is_clear;
        if sensors > 1 && other.agreement.tolerance() == self.agreement.tolerance() {
            self.agreement = other.agreement;
            return None;
        }
        self.clear()
    }

    fn clear(&mut self) -> Option<Publication> {
        if std::mem::replace(&mut self.is_clear, true) {
            return None;
        }
        Some(retained(self.topic.clone(), QoS::AtLeastOnce, String::new(), None))
    }

    fn limit(&self) -> Value {
        let spread = self.agreement.tolerance().spread;
        MilliCelsius::new(i32::try_from(spread).unwrap_or(i32::MAX)).value()
    }
}

/// The largest distance between two of them.
pub(super) fn spread(sensors: &[Sourced]) -> Option<u32> {
    let values = || sensors.iter().map(|sensor| sensor.reading.value);
    let (low, high) = (values().min()?, values().max()?);
    (sensors.len() > 1).then(|| high.distance(low))
}
