//! Changes that the store has not been told yet, one for each thing, and when they are due.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::HoldId;
use crate::broker::record::{Change, Place, SessionId};
use crate::limits::{COMMIT_CHANGES_MAX, COMMIT_DELAY_SOON};
use crate::mqtt::{PacketId, TopicName};
use crate::time::Tick;

/// What a change is of. What belongs to one session is side by side, itself first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::broker) enum Thing {
    Of(SessionId, Part),
    Retained(TopicName),
}

/// A session, or something that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::broker) enum Part {
    Itself,
    Queued(Place),
    Received(PacketId),
    Released(PacketId),
    Subscription(Arc<str>),
}

impl Change {
    /// Of which thing it is.
    pub(in crate::broker) fn thing(&self) -> Thing {
        match self {
            Self::Session(record) => Thing::Of(record.id, Part::Itself),
            Self::SessionEnd(session) => Thing::Of(*session, Part::Itself),
            Self::Subscription { session, filter, .. }
            | Self::SubscriptionEnd { session, filter } => {
                Thing::Of(*session, Part::Subscription(Arc::clone(filter)))
            }
            Self::Received { session, packet_id } | Self::ReceivedEnd { session, packet_id } => {
                Thing::Of(*session, Part::Received(*packet_id))
            }
            Self::Queued { session, place, .. } | Self::QueuedEnd { session, place } => {
                Thing::Of(*session, Part::Queued(*place))
            }
            Self::Released { session, packet_id, .. }
            | Self::ReleasedEnd { session, packet_id } => {
                Thing::Of(*session, Part::Released(*packet_id))
            }
            Self::Retained(record) => Thing::Retained(record.message.topic.clone()),
            Self::RetainedEnd(topic) => Thing::Retained(topic.clone()),
        }
    }

    /// Whether the thing is no more.
    fn is_end(&self) -> bool {
        match self {
            Self::SessionEnd(_)
            | Self::SubscriptionEnd { .. }
            | Self::ReceivedEnd { .. }
            | Self::QueuedEnd { .. }
            | Self::ReleasedEnd { .. }
            | Self::RetainedEnd(_) => true,
            Self::Session(_)
            | Self::Subscription { .. }
            | Self::Received { .. }
            | Self::Queued { .. }
            | Self::Released { .. }
            | Self::Retained(_) => false,
        }
    }

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
    pub(super) holds: Vec<HoldId>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Pending {
    slots: BTreeMap<Thing, Slot>,
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
        self.bytes
    }

    pub(super) fn get_mut(&mut self, thing: &Thing) -> Option<&mut Slot> {
        self.slots.get_mut(thing)
    }

    /// All of them, by thing.
    pub(super) fn slots(&self) -> impl Iterator<Item = (&Thing, &Slot)> {
        self.slots.iter()
    }

    /// Takes in a change; returns the answers that wait no more, because it is the end of what the
    /// store was never told.
    pub(super) fn note(
        &mut self,
        change: Change,
        novelty: Novelty,
        pace: Pace,
        due: Tick,
    ) -> Vec<HoldId> {
        let thing = change.thing();
        let Some(old) = self.slots.remove(&thing) else {
            let slot = Slot { change, novelty, pace, holds: Vec::new() };
            self.insert(thing, slot, due);
            return Vec::new();
        };
        self.discount(&old);
        if change.is_end() && old.novelty == Novelty::New {
            return old.holds;
        }
        let pace = pace.max(old.pace);
        let slot = Slot { change, novelty: old.novelty, pace, holds: old.holds };
        self.insert(thing, slot, due);
        Vec::new()
    }

    /// Takes out a session with all that belongs to it; returns the answers that waited for it, and
    /// whether the store can have heard of the session.
    pub(super) fn forget(&mut self, session: SessionId) -> (Vec<HoldId>, Novelty) {
        let next = Thing::Of(SessionId(session.0.saturating_add(1)), Part::Itself);
        let of_session = self.slots.range(Thing::Of(session, Part::Itself)..next);
        let things: Vec<_> = of_session.map(|(thing, _)| thing.clone()).collect();
        let (mut holds, mut novelty) = (Vec::new(), Novelty::Known);
        for thing in things {
            let Some(slot) = self.slots.remove(&thing) else { continue };
            self.discount(&slot);
            if matches!(thing, Thing::Of(_, Part::Itself)) {
                novelty = slot.novelty;
            }
            holds.extend(slot.holds);
        }
        (holds, novelty)
    }

    /// Lets a change hurry, and an answer wait for it.
    pub(super) fn hold(&mut self, thing: &Thing, hold: HoldId) -> bool {
        let Some(slot) = self.slots.get_mut(thing) else { return false };
        slot.holds.push(hold);
        if slot.pace < Pace::Now {
            slot.pace = Pace::Now;
            self.urgent += 1;
        }
        true
    }

    /// Takes in what a store could not do: what is newer stays.
    pub(super) fn take_back(&mut self, failed: Self) {
        for (thing, mut slot) in failed.slots {
            slot.novelty = Novelty::Known;
            match self.slots.get_mut(&thing) {
                Some(newer) => {
                    newer.novelty = Novelty::Known;
                    newer.holds.append(&mut slot.holds);
                }
                None => self.insert(thing, slot, Tick::ZERO),
            }
        }
    }

    /// When the first of them is due.
    pub(super) fn due(&mut self) -> Option<Tick> {
        if self.slots.is_empty() {
            return None;
        }
        if self.urgent > 0 || self.slots.len() > COMMIT_CHANGES_MAX {
            return Some(Tick::ZERO);
        }
        while let Some((at, thing)) = self.short.front() {
            if self.slots.get(thing).is_some_and(|slot| slot.pace == Pace::Shortly) {
                let idle = self.idle_due();
                return Some(idle.map_or(*at, |idle| idle.min(*at)));
            }
            self.short.pop_front();
        }
        self.idle_due()
    }

    /// When what nobody waits for is due. What is about to be acknowledged is waited for: readings
    /// come as regularly as batches, and a batch that comes right after them would write each copy,
    /// and another its end.
    fn idle_due(&self) -> Option<Tick> {
        let later = self.later_at.map(|at| at.max(self.quiet_at.min(at.after(COMMIT_DELAY_SOON))));
        self.soon_at.into_iter().chain(later).min()
    }

    /// Nobody waits for what was just noted, but somebody may acknowledge it before then.
    pub(super) fn expect_quiet(&mut self, at: Tick) {
        self.quiet_at = self.quiet_at.max(at);
    }

    fn insert(&mut self, thing: Thing, slot: Slot, due: Tick) {
        self.bytes = self.bytes.saturating_add(slot.change.weight());
        match slot.pace {
            Pace::Now => self.urgent += 1,
            Pace::Shortly => self.short.push_back((due, thing.clone())),
            Pace::Soon => self.soon_at = Some(self.soon_at.map_or(due, |at| at.min(due))),
            Pace::Later => self.later_at = Some(self.later_at.map_or(due, |at| at.min(due))),
        }
        self.slots.insert(thing, slot);
    }

    fn discount(&mut self, slot: &Slot) {
        self.bytes = self.bytes.saturating_sub(slot.change.weight());
        self.urgent -= usize::from(slot.pace == Pace::Now);
    }
}
