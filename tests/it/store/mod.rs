//! The store from outside: what it costs, and that it writes what it says.

mod measure;
mod million;
mod visiting;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use maison::access::Principal;
use maison::broker::record::{Batch, Change, Place, Queued, SessionId, SessionRecord};
use maison::mqtt::{Message, QoS, TopicName};
use maison::time::{Tick, Timestamp};

const NOW: Tick = Tick::from_micros(1_000_000);
const WALL: Timestamp = Timestamp::new(1_795_000_000_000, true);

fn session(id: u64) -> Change {
    let record = SessionRecord {
        id: SessionId(id),
        principal: Principal::User("anna".into()),
        client_id: Arc::from(format!("client-{id}")),
        expiry: Duration::from_secs(24 * 3600),
        expires: None,
        will: None,
        will_at: None,
    };
    Change::Session(record.into())
}

/// A message of QoS 1 waits for a session.
fn waits(session: u64, place: u64, payload: &Bytes) -> Change {
    let topic = TopicName::new("maison/salon/temperature").unwrap();
    let message = Queued {
        message: Message { topic, payload: payload.clone(), properties: None },
        qos: QoS::AtLeastOnce,
        retain: false,
        subscription_ids: Vec::new(),
        share: None,
        expires: None,
    };
    let (session, place) = (SessionId(session), Place(place));
    Change::Queued { session, place, packet_id: None, message: message.into() }
}

fn batch(changes: impl IntoIterator<Item = Change>) -> Batch {
    Batch { number: 1, changes: changes.into_iter().collect() }
}
