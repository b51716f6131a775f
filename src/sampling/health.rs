//! How a sensor is, and since when.
//!
//! ```text
//!              good        failed cycle                 stale_after
//!   Unknown ─────────▶ Ok ──────────────▶ Suspect ──────────────────▶ Failed or Stale
//!
//!   from      good reading   failed cycle   stale_after without a good reading
//!   Unknown   Ok             Failed         Failed, Stale
//!   Ok        Ok             Suspect        Failed, Stale
//!   Suspect   Ok             Suspect        Failed
//!   Stale     Ok             Failed         -
//!   Failed    Ok             Failed         -
//! ```
//!
//! What `stale_after` leads to depends on the tries since the last good reading: a fault among
//! them makes it Failed, silence Stale.

use std::mem;
use std::time::Duration;

use crate::sensors::Fault;
use crate::time::{Tick, Timestamp};

/// How a sensor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not read yet.
    Unknown,
    /// Its last cycle gave a good reading.
    Ok,
    /// Its last cycles did not, but a good reading is not long ago.
    Suspect(Reason),
    /// No good reading for `stale_after`, and none bad either: it does not answer at all.
    Stale,
    /// No good reading for `stale_after`, or never one, because of this.
    Failed(Reason),
}

impl State {
    /// Its name in topics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Ok => "ok",
            Self::Suspect(_) => "suspect",
            Self::Stale => "stale",
            Self::Failed(_) => "failed",
        }
    }

    /// What is wrong, where that is known.
    pub const fn reason(self) -> Option<Reason> {
        match self {
            Self::Suspect(reason) | Self::Failed(reason) => Some(reason),
            Self::Unknown | Self::Ok | Self::Stale => None,
        }
    }
}

/// Why a reading was not good. Its name is the `error` of the status topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The chip or its bus.
    Fault(Fault),
    /// Below or above what is believable.
    Range,
    /// Changed faster than is believable, not yet confirmed.
    Rate,
    /// The sensors of a room say what cannot be true at once. Of a room, not of a sensor.
    Disagreement,
}

impl Reason {
    /// Its name in topics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fault(fault) => fault.name(),
            Self::Range => "range",
            Self::Rate => "rate",
            Self::Disagreement => "disagreement",
        }
    }
}

/// The state of one sensor. Its methods return whether the state changed.
#[derive(Debug)]
pub(super) struct Health {
    state: State,
    since: Option<Timestamp>,
    last_good: Option<Timestamp>,
    /// The last good reading; before the first, the start.
    silent_since: Tick,
    /// The last refused try after that.
    refused: Option<Reason>,
    stale_after: Duration,
}

impl Health {
    /// Of a sensor that will be read from `start` on.
    pub(super) const fn new(stale_after: Duration, start: Tick) -> Self {
        Self {
            state: State::Unknown,
            since: None,
            last_good: None,
            silent_since: start,
            refused: None,
            stale_after,
        }
    }

    /// How it is.
    pub(super) const fn state(&self) -> State {
        self.state
    }

    /// When its state was entered; `None` in the first.
    pub(super) const fn since(&self) -> Option<Timestamp> {
        self.since
    }

    /// Time of the last good reading.
    pub(super) const fn last_good(&self) -> Option<Timestamp> {
        self.last_good
    }

    /// A good reading.
    pub(super) fn good(&mut self, now: Tick, at: Timestamp) -> bool {
        self.last_good = Some(at);
        self.silent_since = now;
        self.refused = None;
        self.enter(State::Ok, at)
    }

    /// One try failed; others may follow in its cycle.
    pub(super) const fn refused(&mut self, reason: Reason) {
        self.refused = Some(reason);
    }

    /// All tries of a cycle failed.
    pub(super) fn failed(&mut self, now: Tick, at: Timestamp, reason: Reason) -> bool {
        let counts = self.last_good.is_some() && !self.is_old(now);
        let state = if counts { State::Suspect(reason) } else { State::Failed(reason) };
        self.enter(state, at)
    }

    /// Time has passed.
    pub(super) fn age(&mut self, now: Tick, at: Timestamp) -> bool {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return false;
        }
        let state = self.refused.map_or(State::Stale, State::Failed);
        self.enter(state, at)
    }

    /// When the last good reading no longer counts; `None` if it already doesn't.
    pub(super) fn deadline(&self) -> Option<Tick> {
        match self.state {
            State::Unknown | State::Ok | State::Suspect(_) => {
                Some(self.silent_since.after(self.stale_after))
            }
            State::Stale | State::Failed(_) => None,
        }
    }

    fn is_old(&self, now: Tick) -> bool {
        now.since(self.silent_since) >= self.stale_after
    }

    fn enter(&mut self, state: State, at: Timestamp) -> bool {
        if self.state == state {
            return false;
        }
        if mem::discriminant(&self.state) != mem::discriminant(&state) {
            self.since = Some(at);
        }
        self.state = state;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRC: Reason = Reason::Fault(Fault::Crc);
    const ABSENT: Reason = Reason::Fault(Fault::Absent);

    /// What happens to a sensor whose good readings count for 30 s.
    #[derive(Clone, Copy, Debug)]
    enum Event {
        Good,
        Refused(Reason),
        Failed(Reason),
        Nothing,
    }
    use Event::{Failed, Good, Nothing, Refused};

    fn at(second: u64) -> Timestamp {
        Timestamp::new(1_000_000 + second * 1000, true)
    }

    fn play(events: &[(u64, Event)]) -> Health {
        let mut health = Health::new(Duration::from_secs(30), Tick::ZERO);
        for (second, event) in events {
            let (now, at) = (Tick::from_micros(second * 1_000_000), at(*second));
            match event {
                Good => health.good(now, at),
                Refused(reason) => {
                    health.refused(*reason);
                    false
                }
                Failed(reason) => health.failed(now, at, *reason),
                Nothing => health.age(now, at),
            };
        }
        health
    }

    #[track_caller]
    fn check(events: &[(u64, Event)], state: State, since: Option<u64>) {
        let health = play(events);
        assert_eq!(health.state(), state, "{events:?}");
        assert_eq!(health.since(), since.map(at), "{events:?}");
    }

    #[test]
    fn a_sensor_that_never_was_good() {
        check(&[], State::Unknown, None);
        check(&[(29, Nothing)], State::Unknown, None);
        check(&[(30, Nothing)], State::Stale, Some(30));
        check(&[(1, Failed(CRC))], State::Failed(CRC), Some(1));
        check(&[(1, Refused(CRC)), (30, Nothing)], State::Failed(CRC), Some(30));
        check(&[(30, Nothing), (31, Failed(ABSENT))], State::Failed(ABSENT), Some(31));
    }

    #[test]
    fn a_sensor_that_was_good_is_suspected_until_its_reading_is_old() {
        check(&[(1, Good)], State::Ok, Some(1));
        check(&[(1, Good), (11, Good)], State::Ok, Some(1));
        check(&[(1, Good), (30, Nothing)], State::Ok, Some(1));
        check(&[(1, Good), (31, Nothing)], State::Stale, Some(31));
        check(&[(1, Good), (11, Refused(CRC)), (30, Nothing)], State::Ok, Some(1));
        check(&[(1, Good), (11, Refused(CRC)), (31, Nothing)], State::Failed(CRC), Some(31));
        check(&[(1, Good), (11, Failed(CRC))], State::Suspect(CRC), Some(11));
        check(&[(1, Good), (30, Failed(CRC))], State::Suspect(CRC), Some(30));
        check(&[(1, Good), (31, Failed(CRC))], State::Failed(CRC), Some(31));
    }

    #[test]
    fn another_reason_is_told_but_the_state_is_as_old_as_it_was() {
        let events = [(1, Good), (11, Failed(CRC)), (21, Failed(ABSENT))];
        check(&events, State::Suspect(ABSENT), Some(11));
        check(&[(1, Failed(CRC)), (11, Failed(ABSENT))], State::Failed(ABSENT), Some(1));
    }

    #[test]
    fn a_good_reading_heals_from_every_state() {
        check(&[(1, Failed(CRC)), (2, Good)], State::Ok, Some(2));
        check(&[(1, Good), (2, Failed(CRC)), (3, Good)], State::Ok, Some(3));
        check(&[(30, Nothing), (40, Good)], State::Ok, Some(40));
        check(&[(1, Refused(CRC)), (2, Good), (32, Nothing)], State::Stale, Some(32));
    }

    #[test]
    fn only_a_reading_that_counts_can_age() {
        let second = |health: &Health| health.deadline().map(|tick| tick.as_micros() / 1_000_000);
        assert_eq!(second(&play(&[])), Some(30));
        assert_eq!(second(&play(&[(5, Good)])), Some(35));
        assert_eq!(second(&play(&[(5, Good), (10, Failed(CRC))])), Some(35));
        assert_eq!(second(&play(&[(5, Good), (35, Nothing)])), None);
        assert_eq!(second(&play(&[(5, Failed(CRC))])), None);
    }
}
