//! Changes that the store has not been told yet, one for each thing, and when they are due.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};

use super::holds::{HoldId, Waiting};
use super::thing::Thing;
use crate::broker::record::{Change, SessionId};
use crate::limits::{COMMIT_CHANGES_MAX, COMMIT_DELAY_SOON};
use crate::time::Tick;

impl Change {
    /// Bytes it holds while it waits.
    fn weight(&self) -> usize {
        let held = match self {
            Self::Queued { message, .. } => message.message.weight(),
            Self::Retained(record) => record.message.weight(),
            _ => 0,
        };
        size_of::<Slot>().saturating_add(held)
    }
}

/// Whether the store can have heard of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broker) enum Novelty {
    /// Never: when it ends before it is told, nothing is told.
    New,
    Known,
}

/// How long a change may wait for others to go with it. The greatest wish of a thing counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::broker) enum Pace {
    /// Nobody is waiting: with the next batch, or at the latest after [`Delays::late`].
    Later,
    /// Nobody is waiting, but it is worth a batch of its own: [`Delays::soon`].
    Soon,
    /// Somebody is waiting, and perhaps it is over before it is told: [`Delays::short`].
    Shortly,
    /// Somebody is waiting.
    Now,
}

/// The change of one thing.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) change: Change,
    novelty: Novelty,
    pace: Pace,
    /// Answers that wait until it is durable or over.
    pub(super) holds: Waiting,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Pending {
    slots: BTreeMap<Thing, Slot>,
    agenda: Agenda,
}

/// When the changes are due, and what they weigh.
#[derive(Debug, Default)]
struct Agenda {
    bytes: usize,
    /// How many have [`Pace::Now`].
    urgent: usize,
    /// Those of [`Pace::Shortly`] in the order they came; some may be over.
    short: VecDeque<(Tick, Thing)>,
    soon_at: Option<Tick>,
    later_at: Option<Tick>,
    /// When clients that are there have acknowledged the last of [`Pace::Later`].
    quiet_at: Tick,
}

impl Pending {
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.agenda.bytes
    }

    pub(super) fn get(&self, thing: &Thing) -> Option<&Slot> {
        self.slots.get(thing)
    }

    /// All of them, by thing.
    pub(super) fn slots(&self) -> impl Iterator<Item = (&Thing, &Slot)> {
        self.slots.iter()
    }

    /// Takes in a change, for which these answers wait, too; returns those that wait no more,
    /// because it is the end of what the store was never told.
    pub(super) fn note(
        &mut self,
        change: Change,
        novelty: Novelty,
        pace: Pace,
        due: Tick,
        awaiting: &[HoldId],
    ) -> Waiting {
        let slot = match self.slots.entry(change.thing()) {
            Entry::Vacant(entry) => {
                let slot = Slot { change, novelty, pace, holds: Waiting::default() };
                self.agenda.add(entry.key(), &slot, due);
                entry.insert(slot)
            }
            Entry::Occupied(entry) if change.is_end() && entry.get().novelty == Novelty::New => {
                let mut over = entry.remove();
                self.agenda.take_off(&over);
                over.holds.extend(awaiting);
                return over.holds;
            }
            Entry::Occupied(entry) => {
                self.agenda.take_off(entry.get());
                let thing = entry.key().clone();
                let slot = entry.into_mut();
                (slot.change, slot.pace) = (change, pace.max(slot.pace));
                self.agenda.add(&thing, slot, due);
                slot
            }
        };
        slot.holds.extend(awaiting);
        Waiting::default()
    }

    /// Takes out a session with all that belongs to it; returns the answers that waited for it, and
    /// whether the store can have heard of the session.
    pub(super) fn forget(&mut self, session: SessionId) -> (Vec<HoldId>, Novelty) {
        let next = Thing::session(SessionId(session.0.saturating_add(1)));
        let of_session = self.slots.range(Thing::session(session)..next);
        let things: Vec<_> = of_session.map(|(thing, _)| thing.clone()).collect();
        let (mut holds, mut novelty) = (Vec::new(), Novelty::Known);
        for thing in things {
            let Some(slot) = self.slots.remove(&thing) else { continue };
            self.agenda.take_off(&slot);
            if thing.is_session() {
                novelty = slot.novelty;
            }
            holds.extend(slot.holds.iter());
        }
        (holds, novelty)
    }

    /// Lets a change hurry, and an answer wait for it.
    pub(super) fn hold(&mut self, thing: &Thing, hold: HoldId) -> bool {
        let Some(slot) = self.slots.get_mut(thing) else { return false };
        slot.holds.push(hold);
        if slot.pace < Pace::Now {
            slot.pace = Pace::Now;
            self.agenda.urgent += 1;
        }
        true
    }

    /// Takes in what a store could not do: what is newer stays.
    pub(super) fn take_back(&mut self, failed: Self) {
        for (thing, mut slot) in failed.slots {
            slot.novelty = Novelty::Known;
            if let Some(newer) = self.slots.get_mut(&thing) {
                newer.novelty = Novelty::Known;
                for hold in slot.holds.iter() {
                    newer.holds.push(hold);
                }
            } else {
                self.agenda.add(&thing, &slot, Tick::ZERO);
                self.slots.insert(thing, slot);
            }
        }
    }

    /// When the first of them is due.
    pub(super) fn due(&mut self) -> Option<Tick> {
        if self.slots.is_empty() {
            return None;
        }
        if self.agenda.urgent > 0 || self.slots.len() > COMMIT_CHANGES_MAX {
            return Some(Tick::ZERO);
        }
        let agenda = &mut self.agenda;
        while let Some((at, thing)) = agenda.short.front() {
            if self.slots.get(thing).is_some_and(|slot| slot.pace == Pace::Shortly) {
                let idle = agenda.idle_due();
                return Some(idle.map_or(*at, |idle| idle.min(*at)));
            }
            agenda.short.pop_front();
        }
        agenda.idle_due()
    }

    /// Nobody waits for what was just noted, but somebody may acknowledge it before then.
    pub(super) fn expect_quiet(&mut self, at: Tick) {
        self.agenda.quiet_at = self.agenda.quiet_at.max(at);
    }
}

impl Agenda {
    /// When what nobody waits for is due. What is about to be acknowledged is waited for: readings
    /// come as regularly as batches, and a batch that comes right after them would write each copy,
    /// and another its end.
    fn idle_due(&self) -> Option<Tick> {
        let later = self.later_at.map(|at| at.max(self.quiet_at.min(at.after(COMMIT_DELAY_SOON))));
        self.soon_at.into_iter().chain(later).min()
    }

    fn add(&mut self, thing: &Thing, slot: &Slot, due: Tick) {
        self.bytes = self.bytes.saturating_add(slot.change.weight());
        match slot.pace {
            Pace::Now => self.urgent += 1,
            Pace::Shortly => self.short.push_back((due, thing.clone())),
            Pace::Soon => self.soon_at = Some(self.soon_at.map_or(due, |at| at.min(due))),
            Pace::Later => self.later_at = Some(self.later_at.map_or(due, |at| at.min(due))),
        }
    }

    fn take_off(&mut self, slot: &Slot) {
        self.bytes = self.bytes.saturating_sub(slot.change.weight());
        self.urgent -= usize::from(slot.pace == Pace::Now);
    }
}
