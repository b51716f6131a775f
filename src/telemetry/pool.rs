//! Several sensors that give a room one value: those that are well, or where none is, those of
//! which a value still counts.

use std::sync::Arc;

use crate::sampling::{Combination, Deadband, Pace, Reading, State};
use crate::time::Tick;
use crate::units::Value;

use super::payload::Sourced;
use super::probe::Probe;

/// What is told of a room whose value is made of several.
#[derive(Debug)]
pub(super) struct Pool {
    combination: Combination,
    pace: Pace,
    /// Values that were shown.
    number: u64,
    /// How what was shown last is; `None`: nothing is.
    shown: Option<State>,
    deadband: Deadband,
}

impl Pool {
    /// Of a room in which nothing was read yet, of sensors that are told this often; `None`: there
    /// are no several.
    pub(super) fn new(combination: Combination, paces: &[Pace]) -> Option<Self> {
        if combination == Combination::FirstHealthy || paces.len() < 2 {
            return None;
        }
        let pace = of_all(paces)?;
        Some(Self { combination, pace, number: 0, shown: None, deadband: Deadband::default() })
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
            number: self.number.saturating_add(1),
            stale_after: readings().map(|reading| reading.stale_after).min()?,
        };
        let sensor = match counting.as_slice() {
            [alone] => Arc::clone(&alone.sensor),
            several => Arc::from(format!("{} of {}", self.combination.name(), several.len())),
        };
        Some(Sourced { reading, state: counting.first()?.state, sensor })
    }

    /// Whether it is to be shown: it is otherwise than what was shown last, or it is time.
    pub(super) fn is_news(&self, now: Tick, value: &Sourced) -> bool {
        self.shown != Some(value.state)
            || self.deadband.admits(&self.pace, now, value.reading.value)
    }

    /// It is shown.
    pub(super) fn show(&mut self, now: Tick, value: &Sourced) {
        self.number = value.reading.number;
        self.shown = Some(value.state);
        self.deadband.published(now, value.reading.value);
    }

    /// Nothing is shown any more.
    pub(super) fn hide(&mut self) {
        (self.shown, self.deadband) = (None, Deadband::default());
    }

    /// When what is shown is to be renewed though nothing was read.
    pub(super) fn deadline(&self) -> Option<Tick> {
        self.deadband.deadline(&self.pace)
    }

    /// It goes on for the other.
    pub(super) fn inherit(&mut self, other: &Self) {
        (self.number, self.shown, self.deadband) = (other.number, other.shown, other.deadband);
    }
}

/// How they are together: as the first that counts, or `else_state` where none does.
pub(super) fn state(probes: &[Probe], else_state: State) -> State {
    counting(probes).first().map_or(else_state, |one| one.state)
}

/// How often that is shown which is made of sensors with these. Each of them has a reading in an
/// interval, and without a deadband the room has one too, not one for each of them.
fn of_all(paces: &[Pace]) -> Option<Pace> {
    let all = paces.iter().copied().reduce(Pace::and)?;
    let number = u32::try_from(paces.len()).unwrap_or(u32::MAX);
    let heartbeat = if all.deadband == 0 { all.interval } else { all.heartbeat };
    Some(Pace {
        deadband: all.deadband.max(1),
        interval: all.interval / number,
        heartbeat: heartbeat.min(all.heartbeat),
        ..all
    })
}

/// Those whose value counts: the healthy ones, else the suspected.
fn counting(probes: &[Probe]) -> Vec<Sourced> {
    let of = |which: fn(&Probe) -> bool| -> Vec<Sourced> {
        probes.iter().filter(|probe| which(probe)).filter_map(Probe::value).collect()
    };
    let healthy = of(Probe::is_healthy);
    if healthy.is_empty() { of(Probe::is_suspect) } else { healthy }
}
