//! Retained topics, and what they hold.

use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;

use crate::mqtt::{Message, MessageProperties, QoS, TopicName};

use super::Publication;
use super::payload::{self, Sourced};

/// A number that is retained as long as it counts.
#[derive(Debug)]
pub(super) struct Number {
    plain: TopicName,
    json: Option<TopicName>,
    qos: QoS,
    kept: Kept,
}

/// Whether a number is retained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    /// One may be, from an earlier run.
    Perhaps,
    Yes,
    No,
}

impl Number {
    /// The number of a room: plain and as JSON, and each subscriber chooses its quality.
    pub(super) fn of_room(plain: TopicName, json: TopicName) -> Self {
        Self { plain, json: Some(json), qos: QoS::ExactlyOnce, kept: Kept::Perhaps }
    }

    /// The number of one sensor among several.
    pub(super) fn of_sensor(plain: TopicName) -> Self {
        Self { plain, json: None, qos: QoS::AtLeastOnce, kept: Kept::Perhaps }
    }

    /// The topics it has.
    pub(super) fn topics(&self) -> impl Iterator<Item = &TopicName> {
        [Some(&self.plain), self.json.as_ref()].into_iter().flatten()
    }

    /// What the other has retained on the same topics.
    pub(super) fn inherit(&mut self, other: &Self) {
        if self.plain == other.plain {
            self.kept = other.kept;
        }
    }

    /// Whether a value is retained.
    pub(super) fn is_shown(&self) -> bool {
        self.kept == Kept::Yes
    }

    /// A value that counts.
    pub(super) fn show(&mut self, value: &Sourced) -> Vec<Publication> {
        self.kept = Kept::Yes;
        let plain = (&self.plain, value.decimal(), value.properties());
        let json = self.json.as_ref().map(|json| (json, value.json(), payload::json()));
        [Some(plain), json]
            .into_iter()
            .flatten()
            .map(|(topic, payload, properties)| {
                let shown = retained(topic.clone(), self.qos, payload, Some(properties));
                Publication { retained_for: Some(value.reading.stale_after), ..shown }
            })
            .collect()
    }

    /// No value counts any more: an empty payload removes the retained one ([MQTT-3.3.1-6]).
    pub(super) fn clear(&mut self) -> Vec<Publication> {
        match self.kept {
            Kept::No => return Vec::new(),
            Kept::Perhaps | Kept::Yes => self.kept = Kept::No,
        }
        self.topics().map(|topic| retained(topic.clone(), self.qos, String::new(), None)).collect()
    }
}

/// A text that is published when what it tells has changed.
#[derive(Debug)]
pub(super) struct News<T> {
    topic: TopicName,
    told: Option<T>,
}

impl<T: PartialEq> News<T> {
    /// Nothing was told yet.
    pub(super) const fn new(topic: TopicName) -> Self {
        Self { topic, told: None }
    }

    /// Its topic.
    pub(super) const fn topic(&self) -> &TopicName {
        &self.topic
    }

    /// What was told last.
    pub(super) const fn told(&self) -> Option<&T> {
        self.told.as_ref()
    }

    /// What the other has told on the same topic.
    pub(super) fn inherit(&mut self, other: Self) {
        if self.topic == other.topic {
            self.told = other.told;
        }
    }

    /// Tells it, if it was not what was told last.
    pub(super) fn tell(
        &mut self,
        news: T,
        payload: String,
        properties: Option<MessageProperties>,
    ) -> Option<Publication> {
        if self.told.as_ref() == Some(&news) {
            return None;
        }
        self.told = Some(news);
        Some(retained(self.topic.clone(), QoS::AtLeastOnce, payload, properties))
    }
}

/// The topic of that name.
pub(super) fn named(text: &str) -> TopicName {
    TopicName::new(ByteString::from(text)).expect("a checked root and slug make a topic name")
}

/// A message that is retained until another takes its place.
pub(super) fn retained(
    topic: TopicName,
    qos: QoS,
    payload: String,
    properties: Option<MessageProperties>,
) -> Publication {
    let properties = properties.map(Arc::new);
    let message = Message { topic, payload: Bytes::from(payload), properties };
    Publication { message, qos, retained_for: None }
}
