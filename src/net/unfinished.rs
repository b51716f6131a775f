//! Room for large packets that have not arrived as a whole, shared by all connections. Whoever is
//! to receive one claims all of it before it takes more than a small packet's room, so that nobody
//! who has begun waits for another: there is no deadlock, and memory is bounded by what is claimed.
//!
//! ```text
//!   Idle ──claim──▶ Waiting ──first in line, and it fits──▶ Held ──stalls, and one waits──▶ Lost
//!     ▲                └───────────────release───────────────┴────────────────────────────────┤
//!     └───────────────────────────────────────────────────────────────────────────────────────┘
//! ```

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::complaint::Complaint;
use crate::limits::{UNFINISHED_STALL_TIMEOUT, UNFINISHED_STEP_BYTES};

/// The room, and who has what of it.
#[derive(Debug)]
pub(super) struct Unfinished {
    bytes_max: usize,
    claims: Mutex<Claims>,
    /// About those who are cut off.
    complaint: Complaint,
}

/// One connection's part, given back when this is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    unfinished: Arc<Unfinished>,
    changed: Arc<Notify>,
    ticket: Option<Ticket>,
    standing: Standing,
    /// Received since the last step that was told.
    received: usize,
}

/// How a claim stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing is claimed.
    Idle,
    /// Others have the room or wait longer.
    Waiting,
    /// The room is there.
    Held,
    /// Another needs it more: what was received is to be thrown away, and the claim released.
    Lost,
}

/// Claims in the order in which they were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ticket(u64);

/// The claims of all connections; time is an argument here.
#[derive(Debug, Default)]
struct Claims {
    made: u64,
    /// Bytes of all `holders`.
    held: usize,
    holders: BTreeMap<Ticket, Holder>,
    waiting: BTreeMap<Ticket, Waiter>,
}

#[derive(Debug)]
struct Holder {
    bytes: usize,
    last_step: Instant,
    is_lost: bool,
    changed: Arc<Notify>,
}

#[derive(Debug)]
struct Waiter {
    bytes: usize,
    changed: Arc<Notify>,
}

impl Unfinished {
    /// Room for packets of `bytes_max` bytes together, or for a single larger one.
    pub(super) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { bytes_max, claims: Mutex::default(), complaint: Complaint::new() })
    }

    fn claims(&self) -> MutexGuard<'_, Claims> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    /// Nothing yet.
    pub(super) fn new(unfinished: Arc<Unfinished>) -> Self {
        let (changed, ticket, standing) = (Arc::default(), None, Standing::Idle);
        Self { unfinished, changed, ticket, standing, received: 0 }
    }

    /// How it stands, as far as [`Claim::turn`] has told.
    pub(super) fn standing(&self) -> Standing {
        self.standing
    }

    /// Claims room for a packet of that size, unless one is claimed.
    pub(super) fn ask(&mut self, bytes: usize) {
        if self.ticket.is_none() {
            let mut claims = self.unfinished.claims();
            let changed = Arc::clone(&self.changed);
            let ticket = claims.ask(bytes, changed, self.unfinished.bytes_max, Instant::now());
            self.standing = claims.standing(ticket);
            self.ticket = Some(ticket);
            self.received = 0;
        }
    }

    /// Notes that more of the packet has arrived.
    pub(super) fn received(&mut self, bytes: usize) {
        let Some(ticket) = self.ticket else { return };
        self.received = self.received.saturating_add(bytes);
        if self.received >= UNFINISHED_STEP_BYTES {
            self.received = 0;
            self.unfinished.claims().step(ticket, Instant::now());
        }
    }

    /// Gives the room back: the packet is whole, or given up.
    pub(super) fn release(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.unfinished.claims().release(ticket, self.unfinished.bytes_max, Instant::now());
            self.standing = Standing::Idle;
        }
    }

    /// Waits until it stands otherwise. The first in line takes the room from whoever stalls.
    /// Dropped before it is ready, nothing has happened.
    pub(super) async fn turn(&mut self) -> Standing {
        let Some(ticket) = self.ticket else { return pending().await };
        loop {
            let look_again = {
                let mut claims = self.unfinished.claims();
                let standing = claims.standing(ticket);
                if standing != self.standing {
                    self.standing = standing;
                    return standing;
                }
                claims.press(ticket, Instant::now())
            };
            match look_again {
                Some(at) => tokio::select! {
                    () = self.changed.notified() => {}
                    () = sleep_until(at) => {}
                },
                None => self.changed.notified().await,
            }
        }
    }

    /// Logs that it was lost.
    pub(super) fn complain(&self, write: impl FnOnce(u64)) {
        self.unfinished.complaint.log(write);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.release();
    }
}

impl Claims {
    fn ask(
        &mut self,
        bytes: usize,
        changed: Arc<Notify>,
        bytes_max: usize,
        now: Instant,
    ) -> Ticket {
        self.made += 1;
        let ticket = Ticket(self.made);
        self.waiting.insert(ticket, Waiter { bytes, changed });
        self.admit(bytes_max, now);
        ticket
    }

    fn standing(&self, ticket: Ticket) -> Standing {
        match self.holders.get(&ticket) {
            None => Standing::Waiting,
            Some(holder) if holder.is_lost => Standing::Lost,
            Some(_) => Standing::Held,
        }
    }

    fn step(&mut self, ticket: Ticket, now: Instant) {
        if let Some(holder) = self.holders.get_mut(&ticket) {
            holder.last_step = now;
        }
    }

    fn release(&mut self, ticket: Ticket, bytes_max: usize, now: Instant) {
        self.waiting.remove(&ticket);
        if let Some(holder) = self.holders.remove(&ticket) {
            self.held = self.held.saturating_sub(holder.bytes);
        }
        self.admit(bytes_max, now);
    }

    /// Gives room to as many as it is enough for, in order; nobody is passed by. The first for whom
    /// it is not enough is woken to see who stalls.
    fn admit(&mut self, bytes_max: usize, now: Instant) {
        while let Some(first) = self.waiting.first_entry() {
            first.get().changed.notify_one();
            let with_it = self.held.saturating_add(first.get().bytes);
            if with_it > bytes_max && !self.holders.is_empty() {
                return;
            }
            self.held = with_it;
            let (ticket, Waiter { bytes, changed }) = first.remove_entry();
            let holder = Holder { bytes, last_step: now, is_lost: false, changed };
            self.holders.insert(ticket, holder);
        }
    }

    /// For the first in line: takes the room from the holder without a step for longest, if that is
    /// too long; otherwise says when it will be. Until that one has let go no other loses its room:
    /// it is still the slowest.
    fn press(&mut self, ticket: Ticket, now: Instant) -> Option<Instant> {
        let is_first = self.waiting.keys().next() == Some(&ticket);
        if !is_first {
            return None;
        }
        let slowest = self.holders.values_mut().min_by_key(|holder| holder.last_step)?;
        let due = slowest.last_step + UNFINISHED_STALL_TIMEOUT;
        if due > now {
            return Some(due);
        }
        slowest.is_lost = true;
        slowest.changed.notify_one();
        None
    }
}

#[cfg(test)]
mod tests;
