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
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::time::{Instant, Sleep, sleep_until};

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
    ticket: Option<Ticket>,
    standing: Standing,
    /// Until the first in line looks again who stalls.
    look_again: Option<Pin<Box<Sleep>>>,
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
    connection: Sleeper,
}

#[derive(Debug)]
struct Waiter {
    bytes: usize,
    connection: Sleeper,
}

/// The connection that a claim is of, as far as it waits for a change.
#[derive(Debug, Default)]
struct Sleeper(Option<Waker>);

impl Sleeper {
    fn wake(&mut self) {
        if let Some(waker) = self.0.take() {
            waker.wake();
        }
    }
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
        let (ticket, standing, look_again) = (None, Standing::Idle, None);
        Self { unfinished, ticket, standing, look_again, received: 0 }
    }

    /// How it stands, as far as [`Claim::poll_turn`] has told.
    pub(super) fn standing(&self) -> Standing {
        self.standing
    }

    /// Claims room for a packet of that size, unless one is claimed.
    pub(super) fn ask(&mut self, bytes: usize) {
        if self.ticket.is_none() {
            let mut claims = self.unfinished.claims();
            let ticket = claims.ask(bytes, self.unfinished.bytes_max, Instant::now());
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
            self.look_again = None;
        }
    }

    /// Ready when it stands otherwise. The first in line takes the room from whoever stalls.
    pub(super) fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<Standing> {
        let Some(ticket) = self.ticket else { return Poll::Pending };
        loop {
            let mut claims = self.unfinished.claims();
            let standing = claims.standing(ticket);
            if standing != self.standing {
                drop(claims);
                (self.standing, self.look_again) = (standing, None);
                return Poll::Ready(standing);
            }
            claims.sleep(ticket, context.waker());
            let Some(at) = claims.press(ticket, Instant::now()) else { return Poll::Pending };
            drop(claims);
            let alarm = self.look_again.get_or_insert_with(|| Box::pin(sleep_until(at)));
            if alarm.deadline() != at {
                alarm.as_mut().reset(at);
            }
            if alarm.as_mut().poll(context).is_pending() {
                return Poll::Pending;
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
    fn ask(&mut self, bytes: usize, bytes_max: usize, now: Instant) -> Ticket {
        self.made += 1;
        let ticket = Ticket(self.made);
        self.waiting.insert(ticket, Waiter { bytes, connection: Sleeper::default() });
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

    /// Notes whom to wake when that claim stands otherwise.
    fn sleep(&mut self, ticket: Ticket, waker: &Waker) {
        let holder = self.holders.get_mut(&ticket).map(|holder| &mut holder.connection);
        let waiter = self.waiting.get_mut(&ticket).map(|waiter| &mut waiter.connection);
        if let Some(connection) = holder.or(waiter) {
            connection.0 = Some(waker.clone());
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
        while let Some(mut first) = self.waiting.first_entry() {
            first.get_mut().connection.wake();
            let with_it = self.held.saturating_add(first.get().bytes);
            if with_it > bytes_max && !self.holders.is_empty() {
                return;
            }
            self.held = with_it;
            let (ticket, Waiter { bytes, connection }) = first.remove_entry();
            let holder = Holder { bytes, last_step: now, is_lost: false, connection };
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
        slowest.connection.wake();
        None
    }
}

#[cfg(test)]
mod tests;
