//! Chance, and packets in few words.

use std::time::Duration;

use bytes::Bytes;

use crate::mqtt::{
    Acknowledgement, Connect, ConnectProperties, Credentials, Delivery, Message, PacketId, Publish,
    QoS, RetainHandling, SubscribeFilter, TopicFilter, TopicName, Version, Will, WillProperties,
};

/// Chance from a seed (xorshift64*).
pub(in super::super) struct Dice(u64);

impl Dice {
    pub(in super::super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(in super::super) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) % end
    }

    pub(in super::super) fn choose<T: Copy>(&mut self, from: &[T]) -> T {
        let end = u64::try_from(from.len()).unwrap();
        from[usize::try_from(self.below(end)).unwrap()]
    }
}

pub(in super::super) fn id(number: u16) -> PacketId {
    PacketId::new(number).unwrap()
}

pub(in super::super) fn success(id: PacketId) -> Acknowledgement {
    Acknowledgement::success(id)
}

pub(in super::super) fn message(topic: &str, payload: &str) -> Message {
    let topic = TopicName::new(topic).unwrap();
    Message { topic, payload: Bytes::copy_from_slice(payload.as_bytes()), properties: None }
}

/// A PUBLISH with packet identifier 7.
pub(in super::super) fn publish(topic: &str, payload: &str, qos: QoS) -> Publish {
    let delivery = match qos {
        QoS::AtMostOnce => Delivery::AtMostOnce,
        QoS::AtLeastOnce => Delivery::AtLeastOnce(id(7)),
        QoS::ExactlyOnce => Delivery::ExactlyOnce(id(7)),
    };
    let (message, subscription_ids) = (message(topic, payload), Vec::new());
    Publish { dup: false, delivery, retain: false, message, subscription_ids }
}

pub(in super::super) fn packet_id(publish: &Publish) -> Option<PacketId> {
    match publish.delivery {
        Delivery::AtMostOnce => None,
        Delivery::AtLeastOnce(id) | Delivery::ExactlyOnce(id) => Some(id),
    }
}

/// A filter without further wishes.
pub(in super::super) fn wanted(filter: &str, qos: QoS) -> SubscribeFilter {
    SubscribeFilter {
        filter: TopicFilter::new(filter.to_owned()).unwrap(),
        qos,
        no_local: false,
        retain_as_published: false,
        retain_handling: RetainHandling::Send,
    }
}

/// A message in short: `a/b=21 q1`, followed by `retained` and `dup` when it is.
pub(in super::super) fn heard(publish: &Publish) -> String {
    let Message { topic, payload, .. } = &publish.message;
    let qos = match publish.delivery {
        Delivery::AtMostOnce => "q0",
        Delivery::AtLeastOnce(_) => "q1",
        Delivery::ExactlyOnce(_) => "q2",
    };
    let retained = if publish.retain { " retained" } else { "" };
    let dup = if publish.dup { " dup" } else { "" };
    format!("{}={} {qos}{retained}{dup}", topic.as_str(), String::from_utf8_lossy(payload))
}

/// A login that is let in.
pub(in super::super) fn credentials(user: &str) -> Credentials {
    Credentials { user: Some(user.to_owned().into()), password: Some(Bytes::from_static(b"good")) }
}

/// A 3.1.1 CONNECT with a clean session.
pub(in super::super) fn clean(client_id: &str) -> Connect {
    Connect {
        version: Version::V3_1_1,
        client_id: client_id.into(),
        clean_start: true,
        keep_alive: Duration::ZERO,
        will: None,
        credentials: Credentials::default(),
        properties: ConnectProperties::default(),
    }
}

/// A 5.0 CONNECT with a session that ends with the connection.
pub(in super::super) fn v5(client_id: &str) -> Connect {
    Connect { version: Version::V5, ..clean(client_id) }
}

/// A 5.0 CONNECT that finds its session, which lives on for a minute.
pub(in super::super) fn v5_lasting(client_id: &str) -> Connect {
    let session_expiry = Some(Duration::from_secs(60));
    let properties = ConnectProperties { session_expiry, ..ConnectProperties::default() };
    Connect { clean_start: false, properties, ..v5(client_id) }
}

/// A 3.1.1 CONNECT with a session that outlives the connection.
pub(in super::super) fn lasting(client_id: &str) -> Connect {
    Connect { clean_start: false, ..clean(client_id) }
}

pub(in super::super) fn will(topic: &str, payload: &str, qos: QoS) -> Will {
    let (message, properties) = (message(topic, payload), WillProperties::default());
    Will { message, qos, retain: false, properties }
}
