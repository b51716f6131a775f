//! Arbitrary records, and short ones for people.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::access::Principal;
use crate::broker::record::{
    Batch, Change, Place, Queued, RetainedRecord, SessionId, SessionRecord, Share, Subscription,
};
use crate::limits::STORE_PAYLOAD_INLINE_BYTES_MAX;
use crate::mqtt::tests::strategies::{
    message, packet_id, qos, text, topic_filter, topic_name, will,
};
use crate::mqtt::{Message, QoS, TopicName, Version};
use crate::time::Tick;

/// Few names, so that batches speak of the same things again.
fn session_id() -> impl Strategy<Value = SessionId> {
    (1..5_u64).prop_map(SessionId)
}

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![8 => 0..12_u64, 1 => Just((1 << 43) - 1)].prop_map(Place)
}

fn tick() -> impl Strategy<Value = Tick> {
    prop_oneof![
        8 => (0..1_u64 << 50).prop_map(Tick::from_micros),
        1 => Just(Tick::MAX),
    ]
}

fn principal() -> impl Strategy<Value = Principal> {
    prop_oneof![
        Just(Principal::Gateway),
        Just(Principal::Anonymous),
        text().prop_map(|name| Principal::User(Arc::from(&*name))),
    ]
}

fn any_message() -> impl Strategy<Value = Message> {
    let large = (any::<u8>(), 0..3_usize).prop_map(|(byte, more)| {
        Some(Bytes::from(vec![byte; STORE_PAYLOAD_INLINE_BYTES_MAX + more * 50_000]))
    });
    let payload = prop_oneof![12 => Just(None), 1 => large];
    (message(Version::V5), payload).prop_map(|(message, payload)| Message {
        payload: payload.unwrap_or_else(|| message.payload.clone()),
        ..message
    })
}

fn session() -> impl Strategy<Value = SessionRecord> {
    let names = (session_id(), principal(), text());
    let expiry =
        prop_oneof![(0..1_u64 << 50).prop_map(Duration::from_micros), Just(Duration::MAX),];
    let times = (expiry, prop::option::of(tick()), prop::option::of(tick()));
    (names, times, prop::option::of(will(Version::V5))).prop_map(|(names, times, will)| {
        SessionRecord {
            id: names.0,
            principal: names.1,
            client_id: Arc::from(&*names.2),
            expiry: times.0,
            expires: times.1,
            will,
            will_at: times.2,
        }
    })
}

fn subscription() -> impl Strategy<Value = Subscription> {
    let id = prop::option::of((1..=268_435_455_u32).prop_map(|id| NonZeroU32::new(id).unwrap()));
    (qos(), id, any::<bool>(), any::<bool>()).prop_map(|(qos, id, no_local, as_published)| {
        Subscription { qos, id, no_local, retain_as_published: as_published }
    })
}

fn share() -> impl Strategy<Value = Share> {
    (topic_filter(), qos(), any::<bool>()).prop_map(|(filter, qos, retain)| Share {
        group: Arc::from(filter.as_str()),
        qos,
        retain,
    })
}

fn queued() -> impl Strategy<Value = Queued> {
    let how = (qos(), any::<bool>(), vec(1..=268_435_455_u32, 0..4));
    let rest = (prop::option::of(share()), prop::option::of(tick()));
    (any_message(), how, rest).prop_map(|(message, how, rest)| Queued {
        message,
        qos: how.0,
        retain: how.1,
        subscription_ids: how.2,
        share: rest.0,
        expires: rest.1,
    })
}

fn change() -> impl Strategy<Value = Change> {
    let filter = || topic_filter().prop_map(|filter| Arc::<str>::from(filter.as_str()));
    prop_oneof![
        4 => session().prop_map(|record| Change::Session(record.into())),
        1 => session_id().prop_map(Change::SessionEnd),
        2 => (session_id(), filter(), subscription()).prop_map(|(session, filter, subscription)| {
            Change::Subscription { session, filter, subscription }
        }),
        1 => (session_id(), filter())
            .prop_map(|(session, filter)| Change::SubscriptionEnd { session, filter }),
        2 => (session_id(), packet_id())
            .prop_map(|(session, packet_id)| Change::Received { session, packet_id }),
        1 => (session_id(), packet_id())
            .prop_map(|(session, packet_id)| Change::ReceivedEnd { session, packet_id }),
        8 => (session_id(), place(), prop::option::of(packet_id()), queued()).prop_map(
            |(session, place, packet_id, message)| {
                Change::Queued { session, place, packet_id, message: message.into() }
            }
        ),
        2 => (session_id(), place())
            .prop_map(|(session, place)| Change::QueuedEnd { session, place }),
        2 => (session_id(), packet_id(), any::<u32>()).prop_map(|(session, packet_id, order)| {
            Change::Released { session, packet_id, order: order.into() }
        }),
        1 => (session_id(), packet_id())
            .prop_map(|(session, packet_id)| Change::ReleasedEnd { session, packet_id }),
        2 => (any_message(), qos(), prop::option::of(tick())).prop_map(|(message, qos, expires)| {
            Change::Retained(RetainedRecord { message, qos, expires }.into())
        }),
        1 => topic_name().prop_map(Change::RetainedEnd),
    ]
}

/// Batches as a broker could hand them in, one after the other. Some messages share their payload.
pub(crate) fn batches() -> impl Strategy<Value = Vec<Batch>> {
    let changes = vec(change(), 0..20).prop_map(consistent);
    vec(changes, 0..8).prop_map(|batches| {
        let numbered = (1..).zip(batches);
        numbered.map(|(number, changes)| Batch { number, changes }).collect()
    })
}

/// The last word on each thing only.
fn consistent(changes: Vec<Change>) -> Vec<Change> {
    let mut seen = std::collections::HashSet::new();
    let last = changes.into_iter().rev().filter(|change| seen.insert(thing(change)));
    let mut changes: Vec<_> = last.collect();
    changes.reverse();
    changes
}

/// What a change speaks of.
fn thing(change: &Change) -> String {
    match change {
        Change::Session(record) => format!("{:?}", record.id),
        Change::SessionEnd(id) => format!("{id:?}"),
        Change::Subscription { session, filter, .. }
        | Change::SubscriptionEnd { session, filter } => format!("{session:?} {filter}"),
        Change::Received { session, packet_id } | Change::ReceivedEnd { session, packet_id } => {
            format!("{session:?} received {packet_id}")
        }
        Change::Queued { session, place, .. } | Change::QueuedEnd { session, place } => {
            format!("{session:?} {place:?}")
        }
        Change::Released { session, packet_id, .. }
        | Change::ReleasedEnd { session, packet_id } => {
            format!("{session:?} released {packet_id}")
        }
        Change::Retained(record) => format!("retained {}", record.message.topic),
        Change::RetainedEnd(topic) => format!("retained {topic}"),
    }
}

/// A session of a user that lasts a day.
pub(crate) fn session_of(id: u64, user: &str, client_id: &str) -> Change {
    let record = SessionRecord {
        id: SessionId(id),
        principal: Principal::User(user.into()),
        client_id: client_id.into(),
        expiry: Duration::from_secs(24 * 3600),
        expires: None,
        will: None,
        will_at: None,
    };
    Change::Session(record.into())
}

/// A QoS 1 message.
pub(crate) fn plain(topic: &str, payload: impl Into<Bytes>) -> Queued {
    Queued {
        message: Message {
            topic: TopicName::new(topic).unwrap(),
            payload: payload.into(),
            properties: None,
        },
        qos: QoS::AtLeastOnce,
        retain: false,
        subscription_ids: Vec::new(),
        share: None,
        expires: None,
    }
}

/// A message waits.
pub(crate) fn waits(session: u64, place: u64, message: Queued) -> Change {
    let (session, place) = (SessionId(session), Place(place));
    Change::Queued { session, place, packet_id: None, message: message.into() }
}

/// The changes as a batch.
pub(crate) fn batch(changes: impl IntoIterator<Item = Change>) -> Batch {
    Batch { number: 1, changes: changes.into_iter().collect() }
}
