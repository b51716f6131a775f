//! The instants at which something is due. A connection is heard of with each packet: its timer is
//! not moved then, but looked at when it fires. What needs no timer any more disarms it.

use std::collections::BTreeSet;

use super::session::SessionIndex;
use crate::access::ConnectionId;
use crate::time::Tick;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A connection's CONNECT or its next sign of life.
    Connection(ConnectionId),
    /// An absent session is no longer kept.
    Session(SessionIndex),
}

/// All timers, the earliest first.
#[derive(Debug, Default)]
pub(super) struct Timers(BTreeSet<(Tick, Timer)>);

impl Timers {
    pub(super) fn arm(&mut self, at: Tick, timer: Timer) {
        self.0.insert((at, timer));
    }

    pub(super) fn disarm(&mut self, at: Tick, timer: Timer) {
        self.0.remove(&(at, timer));
    }

    pub(super) fn deadline(&self) -> Option<Tick> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Takes the next timer that is due.
    pub(super) fn pop(&mut self, now: Tick) -> Option<Timer> {
        if self.deadline()? > now {
            return None;
        }
        self.0.pop_first().map(|(_, timer)| timer)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
