//! The lines of an export. What is absent in a store is absent in its line.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::access::Principal;
use crate::broker::record::{
    Change, Place, Queued, RetainedRecord, SessionId, SessionRecord, Share, Subscription,
};
use crate::mqtt::{Message, MessageProperties, PacketId, Will};
use crate::store::{Exported, Reader};
use crate::time::{Tick, Timestamp};

/// What the lines mean; another number where that changes.
const FORMAT: u32 = 1;

/// The first line.
pub(super) fn first(wall: Timestamp) -> Value {
    json!({ "kind": "store", "format": FORMAT, "exported": wall.to_string() })
}

/// The last line.
pub(super) fn last(exported: &Exported) -> Value {
    let Exported { contents, passed_over, is_of_one_moment, damaged } = exported;
    json!({
        "kind": "end",
        "sessions": contents.sessions,
        "subscriptions": contents.subscriptions,
        "queued": contents.messages,
        "retained": contents.retained,
        "passed_over": passed_over,
        "one_moment": is_of_one_moment,
        "damaged": damaged,
    })
}

/// The line of one thing in the store.
pub(super) fn of(reader: &Reader, change: &Change) -> Value {
    let line = Line { reader, fields: Map::new() };
    match change {
        Change::Session(record) => line.session(record),
        Change::Subscription { session, filter, subscription } => {
            line.subscription(*session, filter, *subscription)
        }
        Change::Received { session, packet_id } => {
            line.packet_id("received", *session, packet_id.get())
        }
        Change::Released { session, packet_id, order: _ } => {
            line.packet_id("released", *session, packet_id.get())
        }
        Change::Queued { session, place, packet_id, message } => {
            line.queued(*session, *place, *packet_id, message)
        }
        Change::Retained(record) => line.retained(record),
        Change::SessionEnd(_)
        | Change::SubscriptionEnd { .. }
        | Change::ReceivedEnd { .. }
        | Change::QueuedEnd { .. }
        | Change::ReleasedEnd { .. }
        | Change::RetainedEnd(_) => line.kind("nothing"),
    }
    .finish()
}

struct Line<'all> {
    reader: &'all Reader,
    fields: Map<String, Value>,
}

impl Line<'_> {
    fn finish(self) -> Value {
        Value::Object(self.fields)
    }

    fn put(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    fn put_some(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.put(name, value),
            None => self,
        }
    }

    fn kind(self, kind: &str) -> Self {
        self.put("kind", kind)
    }

    /// RFC 3339; absent where it is for ever.
    fn time(self, name: &str, at: Option<Tick>) -> Self {
        let at = at.filter(|at| *at != Tick::MAX);
        let text = at.map(|at| self.reader.time_of(at).to_string());
        self.put_some(name, text)
    }

    /// Under its name if it is UTF-8, else in base64 under its name with that ending.
    fn bytes(self, name: &str, bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.put(name, text),
            Err(_) => self.put(&format!("{name}_base64"), STANDARD.encode(bytes)),
        }
    }

    fn session(self, record: &SessionRecord) -> Self {
        let SessionRecord { id, principal, client_id, expiry, expires, will, will_at } = record;
        let (kind, user) = match principal {
            Principal::Gateway => ("gateway", None),
            Principal::Anonymous => ("anonymous", None),
            Principal::User(name) => ("user", Some(&**name)),
        };
        let will = will.as_ref().map(|will| self.will(will));
        self.kind("session")
            .put("session", id.0)
            .put("principal", kind)
            .put_some("user", user)
            .put("client_id", &**client_id)
            .put("expiry_s", expiry.as_secs())
            .time("expires", *expires)
            .put_some("will", will)
            .time("will_at", *will_at)
    }

    fn will(&self, will: &Will) -> Value {
        let Will { message, qos, retain, properties } = will;
        let line = Line { reader: self.reader, fields: Map::new() };
        line.message(message)
            .put("qos", qos.bits())
            .put("retain", *retain)
            .put("delay_s", properties.delay.as_secs())
            .finish()
    }

    fn subscription(self, session: SessionId, filter: &str, subscription: Subscription) -> Self {
        let Subscription { qos, id, no_local, retain_as_published } = subscription;
        self.kind("subscription")
            .put("session", session.0)
            .put("filter", filter)
            .put("qos", qos.bits())
            .put_some("id", id.map(std::num::NonZeroU32::get))
            .put("no_local", no_local)
            .put("retain_as_published", retain_as_published)
    }

    fn packet_id(self, kind: &str, session: SessionId, packet_id: u16) -> Self {
        self.kind(kind).put("session", session.0).put("packet_id", packet_id)
    }

    fn queued(
        self,
        session: SessionId,
        place: Place,
        packet_id: Option<PacketId>,
        queued: &Queued,
    ) -> Self {
        let Queued { message, qos, retain, subscription_ids, share, expires } = queued;
        let ids = (!subscription_ids.is_empty()).then(|| subscription_ids.clone());
        let share = share.as_ref().map(|Share { group, qos, retain }| {
            json!({ "group": &**group, "qos": qos.bits(), "retain": retain })
        });
        self.kind("queued")
            .put("session", session.0)
            .put("place", place.0)
            .message(message)
            .put("qos", qos.bits())
            .put("retain", *retain)
            .put_some("packet_id", packet_id.map(PacketId::get))
            .put_some("subscription_ids", ids)
            .put_some("share", share)
            .time("expires", *expires)
    }

    fn retained(self, record: &RetainedRecord) -> Self {
        let RetainedRecord { message, qos, expires } = record;
        self.kind("retained").message(message).put("qos", qos.bits()).time("expires", *expires)
    }

    fn message(self, message: &Message) -> Self {
        let Message { topic, payload, properties } = message;
        let line = self.put("topic", topic.as_str()).bytes("payload", payload);
        match properties {
            Some(properties) => line.properties(properties),
            None => line,
        }
    }

    fn properties(self, properties: &MessageProperties) -> Self {
        let MessageProperties {
            payload_is_utf8,
            message_expiry,
            content_type,
            response_topic,
            correlation_data,
            user_properties,
        } = properties;
        let pairs = user_properties.iter();
        let pairs: Vec<_> = pairs.map(|pair| json!([&*pair.name, &*pair.value])).collect();
        let line = self
            .put_some("payload_is_utf8", payload_is_utf8.then_some(true))
            .put_some("message_expiry_s", message_expiry.map(|expiry| expiry.as_secs()))
            .put_some("content_type", content_type.as_ref().map(|text| &**text))
            .put_some("response_topic", response_topic.as_ref().map(|text| &**text))
            .put_some("user_properties", (!pairs.is_empty()).then_some(pairs));
        match correlation_data {
            Some(bytes) => line.bytes("correlation_data", bytes),
            None => line,
        }
    }
}
