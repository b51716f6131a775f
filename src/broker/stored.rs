//! Messages of one queue that only the store has: where they stand, and nothing else.

use std::collections::VecDeque;

use super::record::{Place, Run};

/// See the module. Costs nothing but for gaps between the places.
#[derive(Debug, Default)]
pub(super) struct Stored {
    /// In order of place.
    runs: VecDeque<Run>,
    messages: usize,
    bytes: usize,
}

impl Stored {
    /// What an earlier life left.
    pub(super) fn new(runs: Vec<Run>) -> Self {
        let messages = runs.iter().map(|run| size(run.messages)).sum();
        let bytes = runs.iter().map(|run| size(run.bytes)).sum();
        Self { runs: runs.into(), messages, bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// Messages, and their bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.messages, self.bytes)
    }

    /// The first and the last place.
    pub(super) fn span(&self) -> Option<(Place, Place)> {
        let (first, last) = (self.runs.front()?, self.runs.back()?);
        Some((first.first, Place(end(last).saturating_sub(1))))
    }

    /// Adds a message behind all others.
    pub(super) fn push_back(&mut self, place: Place, weight: usize) {
        self.count(weight);
        match self.runs.back_mut() {
            Some(run) if end(run) == place.0 => {
                run.messages += 1;
                run.bytes = run.bytes.saturating_add(counted(weight));
            }
            _ => self.runs.push_back(Run { first: place, messages: 1, bytes: counted(weight) }),
        }
    }

    /// Adds a message before all others.
    pub(super) fn push_front(&mut self, place: Place, weight: usize) {
        self.count(weight);
        match self.runs.front_mut() {
            Some(run) if place.0.saturating_add(1) == run.first.0 => {
                run.first = place;
                run.messages += 1;
                run.bytes = run.bytes.saturating_add(counted(weight));
            }
            _ => self.runs.push_front(Run { first: place, messages: 1, bytes: counted(weight) }),
        }
    }

    /// Takes out the first; its weight is the mean of its run.
    pub(super) fn pop_front(&mut self) -> Option<(Place, usize)> {
        let run = self.runs.front_mut()?;
        let place = run.first;
        let weight = run.bytes.checked_div(run.messages).unwrap_or(0);
        run.first = Place(place.0.saturating_add(1));
        run.messages = run.messages.saturating_sub(1);
        run.bytes = run.bytes.saturating_sub(weight);
        if run.messages == 0 {
            self.runs.pop_front();
        }
        self.messages -= 1;
        self.bytes = self.bytes.saturating_sub(size(weight));
        Some((place, size(weight)))
    }

    fn count(&mut self, weight: usize) {
        self.messages += 1;
        self.bytes = self.bytes.saturating_add(weight);
    }
}

/// The place behind a run.
fn end(run: &Run) -> u64 {
    run.first.0.saturating_add(run.messages)
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn counted(weight: usize) -> u64 {
    super::outputs::counted(weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_one_run_and_come_out_in_order() {
        let mut stored = Stored::default();
        for place in [5, 6, 7, 9] {
            stored.push_back(Place(place), 10);
        }
        stored.push_front(Place(4), 30);
        assert_eq!(stored.runs.len(), 2);
        assert_eq!(stored.size(), (5, 70));
        assert_eq!(stored.span(), Some((Place(4), Place(9))));
        let places: Vec<_> =
            std::iter::from_fn(|| stored.pop_front()).map(|(place, _)| place.0).collect();
        assert_eq!(places, [4, 5, 6, 7, 9]);
        assert_eq!(stored.size(), (0, 0), "the means come to the whole");
    }
}
