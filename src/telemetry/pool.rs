//! Several sensors that give a room one value: those that are well, or where none is, those of
//! which a value still counts.

use std::sync::Arc;

use crate::sampling::{Combination, Reading, State};
use crate::time::Timestamp;
use crate::units::Value;

use super::payload::Sourced;
use super::probe::Probe;

/// What is told of a room whose value is made of several.
#[derive(Debug)]
pub(super) struct Pool {
    combination: Combination,
    /// Values that were shown.
    shown: u64,
    /// What was shown last.
    last: Option<(Value, State)>,
    /// How the room is, and since when.
    state: State,
    since: Timestamp,
}

impl Pool {
    /// Of a room in which nothing was read yet.
    pub(super) const fn new(combination: Combination) -> Self {
        let since = Timestamp::new(0, false);
        Self { combination, shown: 0, last: None, state: State::Unknown, since }
    }

    /// The value of all that count, if one does.
    pub(super) fn value(&self, probes: &[Probe]) -> Option<Sourced> {
        let counting = counting(probes);
        let values: Vec<Value> = counting.iter().map(|one| one.reading.value).collect();
        let readings = || counting.iter().map(|one| one.reading);
        let decimals = readings().map(|reading| reading.decimals).max()?;
        let reading = Reading {
            value: self.combination.of(&values)?.rounded(decimals),
            decimals,
            at: readings().map(|reading| reading.at).max_by_key(|at| at.unix_ms())?,
            number: self.shown.saturating_add(1),
            stale_after: readings().map(|reading| reading.stale_after).min()?,
        };
        let sensor = match counting.as_slice() {
            [alone] => Arc::clone(&alone.sensor),
            several => Arc::from(format!("{} of {}", self.combination.name(), several.len())),
        };
        Some(Sourced { reading, state: counting.first()?.state, sensor })
    }

    /// Whether it says other than what was shown last.
    pub(super) fn is_news(&self, value: &Sourced) -> bool {
        self.last != Some((value.reading.value, value.state))
    }

    /// It is shown.
    pub(super) fn show(&mut self, value: &Sourced) {
        self.shown = value.reading.number;
        self.last = Some((value.reading.value, value.state));
    }

    /// A sensor is as it is since `at`, which may change how the room is: as the first that counts,
    /// or `else_state` where none does.
    pub(super) fn enter(&mut self, probes: &[Probe], else_state: State, at: Timestamp) {
        let state = counting(probes).first().map_or(else_state, |one| one.state);
        if self.state.name() != state.name() {
            self.since = at;
        }
        self.state = state;
    }

    /// How the room is, since when, and when it was last good.
    pub(super) fn condition(&self, probes: &[Probe]) -> (State, Timestamp, Option<Timestamp>) {
        let last_good = probes.iter().filter_map(|probe| probe.condition().2);
        (self.state, self.since, last_good.max_by_key(|at| at.unix_ms()))
    }

    /// It goes on for the other.
    pub(super) fn inherit(&mut self, other: &Self) {
        let combination = self.combination;
        *self = Self { combination, ..*other };
    }
}

/// Those whose value counts: the healthy ones, else the suspected.
fn counting(probes: &[Probe]) -> Vec<Sourced> {
    let of = |which: fn(&Probe) -> bool| -> Vec<Sourced> {
        probes.iter().filter(|probe| which(probe)).filter_map(Probe::value).collect()
    };
    let healthy = of(Probe::is_healthy);
    if healthy.is_empty() { of(Probe::is_suspect) } else { healthy }
}
