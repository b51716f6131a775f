//! Retained messages, in the order of their topics, so that those of a wildcard can be sent page by
//! page in bounded memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::delivery::Offer;
use crate::mqtt::{Message, QoS, TopicFilter, TopicName};
use crate::time::Tick;

/// The last retained message of each topic.
#[derive(Debug, Default)]
pub(super) struct RetainedMessages {
    by_topic: BTreeMap<TopicName, Retained>,
    expiring: BTreeSet<(Tick, TopicName)>,
}

#[derive(Debug)]
struct Retained {
    message: Message,
    qos: QoS,
    expires: Option<Tick>,
}

/// How far the retained messages of one new subscription have been sent.
#[derive(Debug)]
pub(super) struct Cursor {
    filter: TopicFilter,
    qos: QoS,
    after: Option<TopicName>,
}

impl Cursor {
    pub(super) const fn new(filter: TopicFilter, qos: QoS) -> Self {
        Self { filter, qos, after: None }
    }

    pub(super) const fn filter(&self) -> &TopicFilter {
        &self.filter
    }

    /// All topics of the filter begin with this: its text before the first wildcard.
    fn prefix(&self) -> &str {
        let text = self.filter.as_str();
        let end = text.find(['+', '#']).unwrap_or(text.len());
        // `a/#` is also for `a`, which has no slash.
        text.get(..end).unwrap_or_default().trim_end_matches('/')
    }
}

impl RetainedMessages {
    /// Keeps a message, or with an empty payload forgets that of its topic [MQTT-3.3.1-10].
    pub(super) fn put(&mut self, message: &Message, qos: QoS, expires: Option<Tick>) {
        self.forget(&message.topic);
        if message.payload.is_empty() {
            return;
        }
        let message = message.compact();
        let topic = message.topic.clone();
        if let Some(expires) = expires {
            self.expiring.insert((expires, topic.clone()));
        }
        self.by_topic.insert(topic, Retained { message, qos, expires });
    }

    fn forget(&mut self, topic: &TopicName) {
        let earlier = self.by_topic.remove(topic);
        if let Some(expires) = earlier.and_then(|earlier| earlier.expires) {
            self.expiring.remove(&(expires, topic.clone()));
        }
    }

    /// Forgets what is over; says how many.
    pub(super) fn expire(&mut self, now: Tick) -> u64 {
        let mut expired = 0;
        while self.deadline().is_some_and(|deadline| deadline <= now) {
            if let Some((_, topic)) = self.expiring.pop_first() {
                self.by_topic.remove(&topic);
                expired += 1;
            }
        }
        expired
    }

    pub(super) fn deadline(&self) -> Option<Tick> {
        self.expiring.first().map(|(expires, _)| *expires)
    }

    /// The next message of the first cursor that has one; cursors at their end are dropped.
    pub(super) fn next(&self, now: Tick, cursors: &mut Vec<Cursor>) -> Option<Offer> {
        while let Some(cursor) = cursors.first_mut() {
            if let Some(offer) = self.advance(now, cursor) {
                return Some(offer);
            }
            cursors.remove(0);
        }
        None
    }

    fn advance(&self, now: Tick, cursor: &mut Cursor) -> Option<Offer> {
        let start = match &cursor.after {
            Some(topic) => Bound::Excluded(topic.as_str()),
            None => Bound::Included(cursor.prefix()),
        };
        let candidates = self.by_topic.range::<str, _>((start, Bound::Unbounded));
        let (topic, retained) = candidates
            .take_while(|(topic, _)| topic.as_str().starts_with(cursor.prefix()))
            .filter(|(_, retained)| retained.expires.is_none_or(|expires| expires > now))
            .find(|(topic, _)| cursor.filter.matches(topic))?;
        cursor.after = Some(topic.clone());
        Some(Offer {
            message: retained.message.clone(),
            qos: retained.qos.min(cursor.qos),
            retain: true, // [MQTT-3.3.1-8]
            expires: retained.expires,
        })
    }

    /// Number of topics with a retained message.
    pub(super) fn len(&self) -> usize {
        self.by_topic.len()
    }
}
