//! When to wake for whom. Each owner holds the tick of its timer, so that arming again or
//! cancelling removes it: nothing is left behind by connections that come and go.

use std::collections::BTreeSet;

use super::session::SessionIndex;
use crate::access::ConnectionId;
use crate::time::Tick;

/// Whom a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The CONNECT is late, or the peer may have fallen silent.
    Connection(ConnectionId),
    /// An absent client's session ends.
    SessionExpiry(SessionIndex),
    /// Messages were dropped from a queue.
    DropReport(SessionIndex),
    /// An absent client's will is due.
    Will(SessionIndex),
    /// A search in the retained messages goes on.
    Resume(SessionIndex),
}

/// All timers, the earliest first.
#[derive(Debug, Default)]
pub(super) struct Timers {
    armed: BTreeSet<(Tick, Timer)>,
}

impl Timers {
    /// Lets `timer` go off at `at`, and not when `slot` said before.
    pub(super) fn arm(&mut self, slot: &mut Option<Tick>, timer: Timer, at: Tick) {
        self.cancel(slot, timer);
        self.armed.insert((at, timer));
        *slot = Some(at);
    }

    /// Lets `timer` not go off.
    pub(super) fn cancel(&mut self, slot: &mut Option<Tick>, timer: Timer) {
        if let Some(at) = slot.take() {
            self.armed.remove(&(at, timer));
        }
    }

    /// Takes a timer that is due; its owner clears its slot.
    pub(super) fn next_due(&mut self, now: Tick) -> Option<Timer> {
        let &(at, _) = self.armed.first()?;
        if at > now {
            return None;
        }
        self.armed.pop_first().map(|(_, timer)| timer)
    }

    /// When the earliest is due.
    pub(super) fn deadline(&self) -> Option<Tick> {
        self.armed.first().map(|&(at, _)| at)
    }

    /// Whether exactly this is armed.
    pub(super) fn contains(&self, at: Tick, timer: Timer) -> bool {
        self.armed.contains(&(at, timer))
    }

    pub(super) fn len(&self) -> usize {
        self.armed.len()
    }
}
