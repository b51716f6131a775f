//! What the store is still to be told, and which answers wait for it.
//!
//! ```text
//!   note ──▶ pending ──due──▶ under way ──committed──▶ durable: its answers go
//!              │                  └──in trouble──▶ pending, tried again
//!              └─ over before it is told: its answers go, nothing is written
//! ```
//!
//! A change belongs to one thing; the last state of each thing is what is written. Whoever waits
//! for some of them has a hold, which ends with the last of its changes. Without a store nothing is
//! pending and nobody waits.

mod holds;
mod pending;
mod thing;

use std::collections::VecDeque;
use std::time::Duration;

use super::outputs::counted;
use super::record::{Batch, Change, Place, SessionId, Trouble};
use crate::access::ConnectionId;
use crate::limits::{
    COMMIT_BYTES_MAX, COMMIT_DELAY_LATE, COMMIT_DELAY_SHORT, COMMIT_DELAY_SOON, COMMIT_QUIET,
    COMMIT_RETRY,
};
use crate::time::Tick;

pub(super) use holds::HoldId;
pub(super) use pending::{Novelty, Pace};
pub(super) use thing::Thing;

use holds::Holds;
use pending::Pending;

/// Whether there is a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keeping {
    /// All is in memory.
    #[default]
    Nothing,
    /// Sessions, queues and retained messages are to survive the process.
    All(Delays),
}

/// Longest that a change waits for others to go with it, by how much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delays {
    /// An acknowledgement waits, and perhaps a subscriber takes the message first.
    pub short: Duration,
    /// A client came or went.
    pub soon: Duration,
    /// Nobody waits, and little is lost.
    pub late: Duration,
}

impl Default for Delays {
    fn default() -> Self {
        Self { short: COMMIT_DELAY_SHORT, soon: COMMIT_DELAY_SOON, late: COMMIT_DELAY_LATE }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Persistence {
    keeping: Keeping,
    pending: Pending,
    under_way: Option<UnderWay>,
    holds: Holds,
    /// To whom the answer goes that is to wait for the changes which are noted now, while there is
    /// none yet: most have nothing to wait for.
    opening: Option<ConnectionId>,
    /// Answers that wait for the changes which are noted now.
    open: Vec<HoldId>,
    /// Whether the one of them was opened for an answer that can still be a refusal.
    may_refuse: bool,
    /// How long what is noted may wait while nobody waits for it.
    pub(super) idle_pace: Pace,
    /// Connections with an answer that waits no more.
    ready: VecDeque<ConnectionId>,
    trouble: Option<(Trouble, Tick, Duration)>,
    counts: Counts,
    last_number: u64,
    last_session: u64,
}

/// What became of the changes that were noted: each is written, spared, or still here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) noted: u64,
    /// Over, or followed by a newer one of the same thing, before they were written.
    pub(super) spared: u64,
    pub(super) written: u64,
}

#[derive(Debug)]
struct UnderWay {
    number: u64,
    changes: Pending,
}

/// What became of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is not the one under way.
    Unknown,
    /// It is durable: up to where the messages of its sessions are in the store.
    Durable(Vec<(SessionId, Place)>),
    /// Likewise, after a time of trouble.
    Recovered(Vec<(SessionId, Place)>),
    /// It will be tried again.
    Failed,
}

impl Persistence {
    pub(super) fn new(keeping: Keeping) -> Self {
        Self {
            keeping,
            pending: Pending::default(),
            under_way: None,
            holds: Holds::default(),
            opening: None,
            open: Vec::new(),
            may_refuse: false,
            idle_pace: Pace::Soon,
            ready: VecDeque::new(),
            trouble: None,
            counts: Counts::default(),
            last_number: 0,
            last_session: 0,
        }
    }

    /// Whether there is a store.
    pub(super) fn is_on(&self) -> bool {
        self.keeping != Keeping::Nothing
    }

    /// Sessions of earlier lives have lower names than this.
    pub(super) fn name_from(&mut self, next: SessionId) {
        self.last_session = self.last_session.max(next.0.saturating_sub(1));
    }

    /// A name for a session that is to be kept.
    pub(super) fn name(&mut self) -> Option<SessionId> {
        self.is_on().then(|| {
            self.last_session += 1;
            SessionId(self.last_session)
        })
    }

    /// Why nothing can be kept at the moment.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.trouble.map(|(trouble, ..)| trouble)
    }

    /// Why what a client wants kept now is better refused.
    pub(super) fn refusal(&self) -> Option<Trouble> {
        self.trouble().filter(|_| self.may_refuse)
    }

    // ---- changes

    /// Takes in the new state of a thing.
    pub(super) fn note(&mut self, now: Tick, change: Change, novelty: Novelty, wish: Pace) {
        let Keeping::All(delays) = self.keeping else { return };
        let has_open = self.opening.is_some() || !self.open.is_empty();
        let is_awaited = has_open && wish >= Pace::Shortly;
        let pace = if is_awaited { wish } else { wish.min(self.idle_pace) };
        let due = now.after(match pace {
            Pace::Now => Duration::ZERO,
            Pace::Shortly => delays.short,
            Pace::Soon => delays.soon,
            Pace::Later => delays.late,
        });
        if is_awaited {
            self.begin_hold();
        }
        let awaiting = if is_awaited { &*self.open } else { &[] };
        for hold in awaiting {
            self.holds.add(*hold);
        }
        let before = self.pending.len();
        let over = self.pending.note(change, novelty, pace, due, awaiting);
        if pace == Pace::Later {
            self.pending.expect_quiet(now.after(delays.late.min(COMMIT_QUIET)));
        }
        self.counts.noted += 1;
        self.counts.spared += counted((before + 1).saturating_sub(self.pending.len()));
        self.end_all(over.iter());
    }

    /// The same at once, for an answer to wait for it; nothing if there is nothing to wait for.
    pub(super) fn note_for(
        &mut self,
        now: Tick,
        connection: ConnectionId,
        change: Change,
        novelty: Novelty,
    ) -> Option<HoldId> {
        if !self.is_on() {
            return None;
        }
        self.begin_hold();
        let hold = self.holds.begin(connection);
        self.open.push(hold);
        self.note(now, change, novelty, Pace::Now);
        self.open.pop();
        // The place it had here itself.
        self.end_all(std::iter::once(hold));
        Some(hold).filter(|hold| self.holds.contains(*hold))
    }

    /// A message of a session is done with, if the store can have it.
    pub(super) fn end_queued(
        &mut self,
        now: Tick,
        session: Option<SessionId>,
        place: Option<Place>,
    ) {
        let (Some(session), Some(place)) = (session, place) else { return };
        self.note(now, Change::QueuedEnd { session, place }, Novelty::Known, Pace::Later);
    }

    /// A session is over, with all that belongs to it.
    pub(super) fn forget(&mut self, now: Tick, session: SessionId) {
        let before = self.pending.len();
        let (holds, novelty) = self.pending.forget(session);
        self.counts.spared += counted(before.saturating_sub(self.pending.len()));
        self.end_all(holds.into_iter());
        if novelty == Novelty::Known {
            self.note(now, Change::SessionEnd(session), novelty, Pace::Soon);
        }
    }

    // ---- answers that wait

    /// From now on an answer waits for what is noted.
    pub(super) fn open(&mut self, connection: ConnectionId) {
        if self.is_on() {
            self.opening = Some(connection);
            self.may_refuse = true;
        }
    }

    /// Likewise, whoever waits for what is pending of a thing: it goes on in another shape.
    pub(super) fn open_as(&mut self, thing: &Thing) {
        self.open = self.pending.get(thing).map_or(Vec::new(), |slot| slot.holds.iter().collect());
        for hold in &self.open {
            self.holds.add(*hold);
        }
    }

    /// The answer also waits for what was noted of a thing before, by whomever.
    pub(super) fn join(&mut self, thing: impl FnOnce() -> Thing) {
        self.begin_hold();
        if self.open.is_empty() {
            return;
        }
        let (thing, open) = (thing(), std::mem::take(&mut self.open));
        for hold in &open {
            if self.attach(*hold, &thing) {
                self.holds.add(*hold);
            }
        }
        self.open = open;
    }

    /// What is noted from now on concerns nobody; the answer waits if it has to.
    pub(super) fn close(&mut self) -> Option<HoldId> {
        let mut open = std::mem::take(&mut self.open);
        (self.opening, self.may_refuse) = (None, false);
        let first = open.first().copied();
        // The place it had here itself.
        self.end_all(open.drain(..));
        self.open = open;
        first.filter(|hold| self.holds.contains(*hold))
    }

    /// An answer is to wait until a thing is durable, if it is not.
    pub(super) fn hold(&mut self, connection: ConnectionId, thing: &Thing) -> Option<HoldId> {
        let hold = self.holds.next();
        self.attach(hold, thing).then(|| self.holds.begin(connection))
    }

    /// Lets an answer wait for a thing; nothing if that is durable.
    fn attach(&mut self, hold: HoldId, thing: &Thing) -> bool {
        let under_way = self.under_way.as_mut();
        self.pending.hold(thing, hold)
            || under_way.is_some_and(|batch| batch.changes.hold(thing, hold))
    }

    /// Whether that answer still has to wait.
    pub(super) fn waits(&self, hold: HoldId) -> bool {
        self.holds.contains(hold)
    }

    /// A connection with an answer that waits no more.
    pub(super) fn next_ready(&mut self) -> Option<ConnectionId> {
        self.ready.pop_front()
    }

    // ---- batches

    /// When [`Persistence::commit`] has a batch. With a clock that has stopped, at once.
    pub(super) fn due(&mut self, is_stopping: bool) -> Option<Tick> {
        if self.under_way.is_some() {
            return None;
        }
        match self.trouble {
            Some((_, again, _)) => Some(again),
            None if is_stopping && self.pending.len() > 0 => Some(Tick::ZERO),
            None => self.pending.due(),
        }
    }

    /// The next batch, if one is due. In trouble also an empty one, to see whether that is over.
    pub(super) fn commit(&mut self, now: Tick, is_stopping: bool) -> Option<Batch> {
        self.due(is_stopping).filter(|due| *due <= now)?;
        self.last_number += 1;
        let number = self.last_number;
        let changes = std::mem::take(&mut self.pending);
        let batch = Batch {
            number,
            changes: changes.slots().map(|(_, slot)| slot.change.clone()).collect(),
        };
        self.under_way = Some(UnderWay { number, changes });
        Some(batch)
    }

    /// The store has answered.
    pub(super) fn committed(
        &mut self,
        now: Tick,
        number: u64,
        outcome: Result<(), Trouble>,
    ) -> Outcome {
        let Some(batch) = self.under_way.take_if(|batch| batch.number == number) else {
            return Outcome::Unknown;
        };
        if let Err(trouble) = outcome {
            let (first, most) = COMMIT_RETRY;
            let wait = self.trouble.map_or(first, |(.., last)| last.saturating_mul(2).min(most));
            self.trouble = Some((trouble, now.after(wait), wait));
            let before = self.pending.len() + batch.changes.len();
            self.pending.take_back(batch.changes);
            self.counts.spared += counted(before.saturating_sub(self.pending.len()));
            return Outcome::Failed;
        }
        self.counts.written += counted(batch.changes.len());
        let stored = last_places(&batch.changes);
        self.end_all(batch.changes.slots().flat_map(|(_, slot)| slot.holds.iter()));
        match self.trouble.take() {
            Some(_) => Outcome::Recovered(stored),
            None => Outcome::Durable(stored),
        }
    }

    /// Whether all that was noted is durable.
    pub(super) fn is_flushed(&self) -> bool {
        self.pending.len() == 0 && self.under_way.is_none()
    }

    /// What became of the changes so far, and how many wait.
    pub(super) fn counts(&self) -> (Counts, usize) {
        let under_way = self.under_way.as_ref().map_or(0, |batch| batch.changes.len());
        (self.counts, self.pending.len() + under_way)
    }

    /// Whether more waits than is good for the memory.
    pub(super) fn is_crowded(&self) -> bool {
        let under_way = self.under_way.as_ref().map_or(0, |batch| batch.changes.bytes());
        self.pending.bytes().saturating_add(under_way) > COMMIT_BYTES_MAX
    }

    /// Answers that wait.
    pub(super) fn holds(&self) -> usize {
        self.holds.len()
    }

    /// From now on there is something to wait for.
    fn begin_hold(&mut self) {
        if let Some(connection) = self.opening.take() {
            self.open.push(self.holds.begin(connection));
        }
    }

    fn end_all(&mut self, holds: impl Iterator<Item = HoldId>) {
        let ready = holds.filter_map(|hold| self.holds.take_off(hold));
        for connection in ready {
            if self.ready.back() != Some(&connection) {
                self.ready.push_back(connection);
            }
        }
    }
}

/// The highest place of each session in a batch.
fn last_places(changes: &Pending) -> Vec<(SessionId, Place)> {
    let mut last: Vec<(SessionId, Place)> = Vec::new();
    for (thing, slot) in changes.slots() {
        let Some((session, place)) = thing.place() else { continue };
        if matches!(slot.change, Change::QueuedEnd { .. }) {
            continue;
        }
        match last.last_mut() {
            Some((same, highest)) if *same == session => *highest = place,
            _ => last.push((session, place)),
        }
    }
    last
}
