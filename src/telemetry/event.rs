//! What happened in the broker, for those who look after the house: JSON on one topic, not
//! retained.

use bytes::Bytes;

use crate::mqtt::{Message, TopicName};
use crate::time::Timestamp;

use super::payload;
use super::retained::named;

/// Where events are told.
#[derive(Clone, Debug)]
pub struct EventTopic(TopicName);

impl EventTopic {
    /// `<root>/_gateway/event`.
    pub fn new(root: &str) -> Self {
        Self(named(&format!("{root}/_gateway/event")))
    }

    /// `{"event":"queue-dropped","client":"logger","messages":3,"t":"2026-11-22T13:00:05Z"}`.
    pub fn queue_dropped(&self, client: &str, messages: u64, at: Timestamp) -> Message {
        let fields = [("client", payload::text(client)), ("messages", messages.to_string())];
        self.event("queue-dropped", fields, at)
    }

    /// `{"event":"session-discarded","client":"logger","user":"bob","t":"2026-11-22T13:00:05Z"}`.
    pub fn session_discarded(&self, client: &str, user: &str, at: Timestamp) -> Message {
        let fields = [("client", payload::text(client)), ("user", payload::text(user))];
        self.event("session-discarded", fields, at)
    }

    /// `{"event":"store-failed","reason":"the disk is full","t":"2026-11-22T13:00:05Z"}`.
    pub fn store_failed(&self, why: &str, at: Timestamp) -> Message {
        self.event("store-failed", [("reason", payload::text(why))], at)
    }

    /// `{"event":"store-damaged","report":"its log is gone; …","t":"2026-11-22T13:00:05Z"}`.
    pub fn store_damaged(&self, report: &str, at: Timestamp) -> Message {
        self.event("store-damaged", [("report", payload::text(report))], at)
    }

    /// `{"event":"store-recovered","t":"2026-11-22T13:00:05Z"}`.
    pub fn store_recovered(&self, at: Timestamp) -> Message {
        self.event("store-recovered", [], at)
    }

    fn event<const N: usize>(
        &self,
        name: &str,
        about: [(&'static str, String); N],
        at: Timestamp,
    ) -> Message {
        let mut fields = vec![("event", payload::text(name))];
        fields.extend(about);
        fields.extend(payload::time(at));
        let payload = Bytes::from(payload::object(&fields));
        Message { topic: self.0.clone(), payload, properties: Some(payload::json().into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &Message, expected: &str) {
        assert_eq!(message.topic.as_str(), "home/maison/_gateway/event");
        assert_eq!(str::from_utf8(&message.payload).unwrap(), expected);
        serde_json::from_str::<serde_json::Value>(expected).unwrap();
    }

    #[test]
    fn events_say_what_happened_to_whom_and_when() {
        let topic = EventTopic::new("home/maison");
        let at = Timestamp::new(1_795_352_405_999, true);
        check(
            &topic.queue_dropped("logger", 3, at),
            concat!(
                r#"{"event":"queue-dropped","client":"logger","messages":3"#,
                r#","t":"2026-11-22T13:00:05Z"}"#,
            ),
        );
        check(
            &topic.session_discarded("a\"\n", "bob", Timestamp::new(17_000, false)),
            concat!(
                r#"{"event":"session-discarded","client":"a\"\n","user":"bob""#,
                r#","t":"1970-01-01T00:00:17Z","clock":"unsynchronised"}"#,
            ),
        );
    }
}
