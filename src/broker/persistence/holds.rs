//! Answers that wait, each until the last of its changes is durable or over.

use crate::access::ConnectionId;

/// Names an answer that waits: where it is found, and which of those that were there it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broker) struct HoldId {
    place: usize,
    number: u64,
}

/// An answer that waits.
#[derive(Debug)]
struct Hold {
    number: u64,
    /// To whom it goes.
    connection: ConnectionId,
    /// Changes that are neither durable nor over.
    changes: usize,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Holds {
    places: Vec<Option<Hold>>,
    free: Vec<usize>,
    /// The number of the last one.
    last: u64,
}

impl Holds {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// The name of the next one that begins.
    pub(super) fn next(&self) -> HoldId {
        let place = self.free.last().copied().unwrap_or(self.places.len());
        HoldId { place, number: self.last + 1 }
    }

    /// Begins with one change.
    pub(super) fn begin(&mut self, connection: ConnectionId) -> HoldId {
        let id = self.next();
        self.last = id.number;
        let hold = Some(Hold { number: id.number, connection, changes: 1 });
        match self.places.get_mut(id.place) {
            Some(place) => {
                *place = hold;
                self.free.pop();
            }
            None => self.places.push(hold),
        }
        id
    }

    /// Whether that one waits.
    pub(super) fn contains(&self, id: HoldId) -> bool {
        let hold = self.places.get(id.place).and_then(Option::as_ref);
        hold.is_some_and(|hold| hold.number == id.number)
    }

    /// It waits for one more change.
    pub(super) fn add(&mut self, id: HoldId) {
        if let Some(hold) = self.hold_mut(id) {
            hold.changes += 1;
        }
    }

    /// It waits for one change less; to whom it goes, if that was the last.
    pub(super) fn take_off(&mut self, id: HoldId) -> Option<ConnectionId> {
        let hold = self.hold_mut(id)?;
        hold.changes -= 1;
        if hold.changes > 0 {
            return None;
        }
        let connection = hold.connection;
        self.end(id.place);
        Some(connection)
    }

    /// The places of a burst are given back when it is over.
    fn end(&mut self, place: usize) {
        /// Places kept when none waits.
        const PLACES_KEPT: usize = 64;
        if let Some(hold) = self.places.get_mut(place) {
            *hold = None;
            self.free.push(place);
        }
        if self.len() == 0 {
            self.places.clear();
            self.places.shrink_to(PLACES_KEPT);
            self.free.clear();
            self.free.shrink_to(PLACES_KEPT);
        }
    }

    fn hold_mut(&mut self, id: HoldId) -> Option<&mut Hold> {
        let hold = self.places.get_mut(id.place)?.as_mut();
        hold.filter(|hold| hold.number == id.number)
    }
}

/// Those that wait for one thing: mostly one.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    first: Option<HoldId>,
    more: Vec<HoldId>,
}

impl Waiting {
    pub(super) fn push(&mut self, id: HoldId) {
        if self.first.is_none() {
            self.first = Some(id);
        } else {
            self.more.push(id);
        }
    }

    pub(super) fn extend(&mut self, ids: &[HoldId]) {
        for id in ids {
            self.push(*id);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = HoldId> {
        self.first.iter().chain(&self.more).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_used_again_is_not_of_the_one_before() {
        let mut holds = Holds::default();
        let (first, second) = (holds.begin(ConnectionId(1)), holds.begin(ConnectionId(2)));
        assert_eq!(holds.take_off(first), Some(ConnectionId(1)));
        let next = holds.next();
        let third = holds.begin(ConnectionId(3));

        assert_eq!((third, third.place), (next, first.place));
        assert!(!holds.contains(first));
        assert_eq!(holds.take_off(first), None);
        holds.add(first);
        assert_eq!(holds.take_off(third), Some(ConnectionId(3)));
        assert_eq!(holds.take_off(second), Some(ConnectionId(2)));
        assert_eq!(holds.len(), 0);
    }

    #[test]
    fn an_answer_goes_with_the_last_of_its_changes() {
        let mut holds = Holds::default();
        let id = holds.begin(ConnectionId(1));
        holds.add(id);
        assert_eq!(holds.take_off(id), None);
        assert!(holds.contains(id));
        assert_eq!(holds.take_off(id), Some(ConnectionId(1)));
        assert!(!holds.contains(id));
    }
}
