//! What waits for one client: messages in order, bounded, the oldest given up first; and searches
//! in the retained messages, each in its place among them.

use std::collections::VecDeque;
use std::sync::Arc;

use super::retained::{Retained, Search, Step};
use crate::mqtt::{Delivery, Message, Publish, QoS};
use crate::time::Tick;

/// A message for one client.
#[derive(Clone, Debug)]
pub(super) struct Queued {
    pub(super) message: Message,
    /// At which it is delivered.
    pub(super) qos: QoS,
    /// Whether it comes from the retained messages ([MQTT-3.3.1-8], [MQTT-3.3.1-9]).
    pub(super) retain: bool,
    /// From when on it is not sent any more.
    pub(super) expires: Option<Tick>,
}

impl Queued {
    /// Bytes it takes while it waits.
    pub(super) fn weight(&self) -> usize {
        let Message { topic, payload, .. } = &self.message;
        size_of::<Self>().saturating_add(topic.as_str().len()).saturating_add(payload.len())
    }

    /// The packet of its first transmission ([MQTT-3.3.1-3]).
    pub(super) fn into_publish(self, delivery: Delivery) -> Publish {
        let Self { message, retain, .. } = self;
        Publish { dup: false, delivery, retain, message, subscription_ids: Vec::new() }
    }

    fn is_expired(&self, now: Tick) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// How much may wait; `None`: any number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) messages: Option<usize>,
    pub(super) bytes: Option<usize>,
}

impl Bounds {
    /// Whether so much may wait.
    pub(super) fn hold(self, messages: usize, bytes: usize) -> bool {
        self.messages.is_none_or(|max| messages <= max) && self.bytes.is_none_or(|max| bytes <= max)
    }
}

/// See the module. A search holds no messages, so many matches take no memory while they wait.
#[derive(Debug, Default)]
pub(super) struct Queue {
    messages: VecDeque<Queued>,
    bytes: usize,
    /// Messages that have left its front.
    taken: u64,
    searches: VecDeque<Waiting>,
}

/// A search that begins when as many messages were taken as had been queued before it.
#[derive(Debug)]
struct Waiting {
    search: Search,
    qos: QoS,
    after: u64,
}

/// What [`Queue::next`] found.
#[derive(Debug)]
pub(super) enum Next {
    /// This is to be sent.
    Message(Queued),
    /// Nothing may be sent, or there is nothing.
    Nothing,
    /// The search has had its turn.
    Pause,
}

impl Queue {
    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.searches.is_empty()
    }

    /// Messages that wait, and their bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.messages.len(), self.bytes)
    }

    /// Puts a message at the end, and gives up the oldest ones until the rest is within bounds. A
    /// message that is too large by itself is given up alone. Returns how many were given up.
    pub(super) fn push(&mut self, message: Queued, bounds: Bounds) -> u64 {
        let weight = message.weight();
        if !bounds.hold(1, weight) {
            return 1;
        }
        self.bytes = self.bytes.saturating_add(weight);
        self.messages.push_back(message);
        let mut dropped = 0;
        while !bounds.hold(self.messages.len(), self.bytes) && self.pop().is_some() {
            dropped += 1;
        }
        dropped
    }

    /// The next thing to send, at most of quality `qos_max`. A search uses up `seeks`.
    pub(super) fn next(
        &mut self,
        now: Tick,
        qos_max: QoS,
        retained: &Retained,
        seeks: &mut usize,
    ) -> Next {
        while let Some(waiting) = self.searches.front_mut().filter(|one| one.after <= self.taken) {
            if waiting.qos > qos_max {
                return Next::Nothing;
            }
            match retained.step(&mut waiting.search, now, seeks) {
                Step::Found(kept) => return Next::Message(kept.to_queued(waiting.qos)),
                Step::Pause => return Next::Pause,
                Step::End => self.searches.pop_front(),
            };
        }
        match self.messages.front() {
            Some(message) if message.qos <= qos_max => {
                self.pop().map_or(Next::Nothing, Next::Message)
            }
            Some(_) | None => Next::Nothing,
        }
    }

    /// Gives up the messages at the front that have expired; returns how many.
    pub(super) fn drop_expired(&mut self, now: Tick) -> u64 {
        let mut expired = 0;
        while self.messages.front().is_some_and(|message| message.is_expired(now)) {
            self.pop();
            expired += 1;
        }
        expired
    }

    /// Gives up what has no place in the session of an absent client; returns how many messages.
    pub(super) fn drop_at_most_once(&mut self) -> usize {
        let before = self.messages.len();
        self.messages.retain(|message| message.qos > QoS::AtMostOnce);
        self.bytes = self.messages.iter().map(Queued::weight).sum();
        self.searches.retain(|waiting| waiting.qos > QoS::AtMostOnce);
        before - self.messages.len()
    }

    /// Searches the retained messages for a new subscription, after all that waits now.
    pub(super) fn search(&mut self, search: Search, qos: QoS) {
        self.searches.push_back(Waiting { search, qos, after: self.end() });
    }

    /// Ends the search of a filter that is replaced or given up.
    pub(super) fn end_search(&mut self, filter: &Arc<str>) {
        self.searches.retain(|waiting| !Arc::ptr_eq(waiting.search.filter(), filter));
    }

    /// A client is back: the rest of its searches comes after what was queued in between, and finds
    /// what was retained in between.
    pub(super) fn defer_searches(&mut self, stamp: u64) {
        let end = self.end();
        for waiting in &mut self.searches {
            waiting.after = end;
            waiting.search.extend(stamp);
        }
    }

    /// The filters whose search is not over.
    pub(super) fn searched(&self) -> impl Iterator<Item = &Arc<str>> {
        self.searches.iter().map(|waiting| waiting.search.filter())
    }

    /// The qualities and weights of all messages.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Queued> {
        self.messages.iter()
    }

    fn end(&self) -> u64 {
        self.taken.saturating_add(super::outputs::counted(self.messages.len()))
    }

    fn pop(&mut self) -> Option<Queued> {
        /// Places kept when it runs empty, so that a burst's memory is given back.
        const PLACES_KEPT: usize = 64;
        let message = self.messages.pop_front()?;
        self.bytes = self.bytes.saturating_sub(message.weight());
        self.taken += 1;
        if self.messages.is_empty() {
            self.messages.shrink_to(PLACES_KEPT);
        }
        Some(message)
    }
}
