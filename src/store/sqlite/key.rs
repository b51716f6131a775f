//! Where a message stands: one integer, so that SQLite finds, appends and removes rows by comparing
//! integers, and the messages of a session lie beside each other in their order.
//!
//! Sessions are numbered for ever, so a slot stands for each while it is there.

use std::collections::{BTreeSet, HashMap};

use crate::broker::record::{Place, SessionId};
use crate::limits::SESSIONS_CONFIGURABLE_MAX;
use crate::store::Failure;

const PLACE_BITS: u32 = 43;
const PLACE_MAX: u64 = (1 << PLACE_BITS) - 1;
/// The key must stay positive.
const SLOT_MAX: u32 = (1 << (63 - PLACE_BITS)) - 1;

const _: () = assert!(SESSIONS_CONFIGURABLE_MAX < 1 << (63 - PLACE_BITS));

/// Stands for a session in the keys of its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Slot(u32);

impl Slot {
    /// As a column has it.
    pub(super) fn from_column(column: u32) -> Option<Self> {
        (column <= SLOT_MAX).then_some(Self(column))
    }

    /// For a column.
    pub(super) fn column(self) -> i64 {
        self.0.into()
    }

    /// The key of a message; places end after 8,796,093,022,207 of them.
    pub(super) fn key(self, place: Place) -> Result<i64, Failure> {
        if place.0 > PLACE_MAX {
            return Err(Failure::failed(format!("no such place in a session: {}", place.0)));
        }
        Ok(self.key_at(place))
    }

    /// The keys of all its messages: first and last.
    pub(super) fn keys(self) -> (i64, i64) {
        (self.key_at(Place(0)), self.key_at(Place(PLACE_MAX)))
    }

    /// The key of a place, or of the last there is.
    pub(super) fn key_at(self, place: Place) -> i64 {
        let key = u64::from(self.0) << PLACE_BITS | place.0.min(PLACE_MAX);
        i64::try_from(key).unwrap_or(i64::MAX)
    }
}

/// Whose message a key is of, and where it stands.
pub(super) fn split(key: i64) -> Option<(Slot, Place)> {
    let key = u64::try_from(key).ok()?;
    let slot = u32::try_from(key >> PLACE_BITS).ok()?;
    Some((Slot(slot), Place(key & PLACE_MAX)))
}

/// Which slot stands for which session.
#[derive(Debug, Default)]
pub(super) struct Slots {
    of: HashMap<SessionId, Slot>,
    /// Sessions that are over, whose messages are not all removed.
    ended: BTreeSet<Slot>,
    free: Vec<Slot>,
    next: u32,
}

impl Slots {
    /// As the tables have them.
    pub(super) fn of(sessions: Vec<(SessionId, Slot)>, ended: BTreeSet<Slot>) -> Self {
        let used: BTreeSet<Slot> =
            sessions.iter().map(|(_, slot)| *slot).chain(ended.iter().copied()).collect();
        let next = used.last().map_or(0, |slot| slot.0.saturating_add(1));
        let free = (0..next).rev().map(Slot).filter(|slot| !used.contains(slot)).collect();
        Self { of: sessions.into_iter().collect(), ended, free, next }
    }

    pub(super) fn find(&self, session: SessionId) -> Option<Slot> {
        self.of.get(&session).copied()
    }

    /// The slot of a session, which may be new.
    pub(super) fn find_or_take(&mut self, session: SessionId) -> Result<Slot, Failure> {
        if let Some(slot) = self.find(session) {
            return Ok(slot);
        }
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.next > SLOT_MAX => return Err(Failure::failed("too many sessions")),
            None => {
                let slot = Slot(self.next);
                self.next = self.next.saturating_add(1);
                slot
            }
        };
        self.of.insert(session, slot);
        Ok(slot)
    }

    /// A session is over; [`Slots::freed`] follows when its messages are removed.
    pub(super) fn end(&mut self, session: SessionId) -> Option<Slot> {
        let slot = self.of.remove(&session)?;
        self.ended.insert(slot);
        Some(slot)
    }

    /// A slot of a session that is over, whose messages are still there.
    pub(super) fn ended(&self) -> Option<Slot> {
        self.ended.first().copied()
    }

    pub(super) fn is_ended(&self, slot: Slot) -> bool {
        self.ended.contains(&slot)
    }

    /// No message of that slot is left.
    pub(super) fn freed(&mut self, slot: Slot) {
        if self.ended.remove(&slot) {
            self.free.push(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_order_by_slot_and_place_and_can_be_split() {
        let places = [0, 1, PLACE_MAX];
        let slots = [0, 1, SLOT_MAX];
        let mut before = -1;
        for slot in slots {
            for place in places {
                let key = Slot(slot).key(Place(place)).unwrap();
                assert!(key > before);
                assert_eq!(split(key), Some((Slot(slot), Place(place))));
                before = key;
            }
        }
        assert_eq!(before, i64::MAX);
        assert!(Slot(0).key(Place(PLACE_MAX + 1)).is_err());
        assert_eq!(split(-1), None);
    }

    #[test]
    fn a_slot_is_taken_again_when_its_messages_are_gone() {
        let mut slots = Slots::default();
        let first = slots.find_or_take(SessionId(7)).unwrap();
        assert_eq!(slots.find_or_take(SessionId(7)).unwrap(), first);
        assert_eq!(slots.end(SessionId(7)), Some(first));
        let second = slots.find_or_take(SessionId(8)).unwrap();
        assert_ne!(second, first);
        slots.freed(first);
        assert_eq!(slots.find_or_take(SessionId(9)).unwrap(), first);
        assert_eq!(slots.end(SessionId(99)), None);
    }

    #[test]
    fn slots_are_counted_on_from_those_in_the_tables() {
        let sessions = vec![(SessionId(5), Slot(0)), (SessionId(6), Slot(3))];
        let mut slots = Slots::of(sessions, BTreeSet::from([Slot(1)]));
        let mut taken: Vec<_> =
            (10..13).map(|id| slots.find_or_take(SessionId(id)).unwrap()).collect();
        taken.sort_unstable();
        assert_eq!(taken, [Slot(2), Slot(4), Slot(5)]);
    }
}
