//! Fixed work, the same each time: what is prepared is not measured, what is measured is returned.

use std::any::Any;

use bytes::BytesMut;

use crate::house::{House, message};
use crate::limits::PACKET_BYTES_MAX;
use crate::mqtt::{
    Acknowledgement, Decoder, Encoder, Packet, PacketId, QoS, Role, TopicName, Version,
};

/// Of each workload that delivers.
const MESSAGES: usize = 5000;
const FILTERS: usize = 10_000;
const TOPICS: usize = 100;
const FAN: usize = 50;

/// Prepared work.
pub type Work = Box<dyn FnOnce() -> Done>;

pub struct Done {
    /// How much was done: no less than the operations.
    pub done: usize,
    /// What it was done with: to take that apart is not measured.
    _left: Box<dyn Any>,
}

impl Done {
    fn with(done: usize, left: impl Any) -> Done {
        Done { done, _left: Box::new(left) }
    }
}

pub struct Workload {
    pub name: &'static str,
    /// How often its work does what is counted.
    pub operations: usize,
    pub prepare: fn() -> Work,
}

pub const WORKLOADS: &[Workload] = &[
    Workload { name: "decode", operations: MESSAGES, prepare: || decode(&publish()) },
    Workload { name: "encode", operations: MESSAGES, prepare: || encode(publish()) },
    Workload { name: "decode-puback", operations: MESSAGES, prepare: || decode(&puback()) },
    Workload { name: "encode-puback", operations: MESSAGES, prepare: || encode(puback()) },
    Workload { name: "match-known", operations: MESSAGES, prepare: || matching(TOPICS) },
    Workload { name: "match-new", operations: MESSAGES, prepare: || matching(MESSAGES) },
    Workload { name: "qos-0", operations: MESSAGES, prepare: || deliver(QoS::AtMostOnce) },
    Workload { name: "qos-1", operations: MESSAGES, prepare: || deliver(QoS::AtLeastOnce) },
    Workload { name: "qos-2", operations: MESSAGES, prepare: || deliver(QoS::ExactlyOnce) },
    Workload { name: "qos-1-clean", operations: MESSAGES, prepare: || clean(QoS::AtLeastOnce) },
    Workload { name: "qos-2-clean", operations: MESSAGES, prepare: || clean(QoS::ExactlyOnce) },
    Workload { name: "readings", operations: MESSAGES, prepare: readings },
    Workload { name: "fan-out", operations: MESSAGES, prepare: || fan_out(QoS::AtMostOnce) },
    Workload { name: "fan-out-1", operations: MESSAGES, prepare: || fan_out(QoS::AtLeastOnce) },
    Workload { name: "absent", operations: MESSAGES, prepare: absent },
];

fn topic(text: &str) -> TopicName {
    TopicName::new(text).expect("a topic")
}

fn publish() -> Packet {
    let topic = topic("house/living-room/temperature");
    Packet::Publish(message(topic, PacketId::MIN, QoS::AtLeastOnce))
}

fn puback() -> Packet {
    Packet::PubAck(Acknowledgement::success(PacketId::MIN))
}

/// Packets from bytes as they come from a socket.
fn decode(packet: &Packet) -> Work {
    let mut encoder = Encoder::with_role(Role::Client, Version::V3_1_1);
    let mut bytes = BytesMut::new();
    for _ in 0..MESSAGES {
        encoder.encode(packet, &mut bytes);
    }
    let mut decoder = Decoder::new(Role::Client, PACKET_BYTES_MAX);
    decoder.set_version(Version::V3_1_1);
    Box::new(move || {
        let mut decoded = 0;
        while let Ok(Some(_)) = decoder.next(&mut bytes) {
            decoded += 1;
        }
        Done::with(decoded, bytes)
    })
}

fn encode(packet: Packet) -> Work {
    let mut encoder = Encoder::new(Version::V3_1_1);
    let mut bytes = BytesMut::with_capacity(MESSAGES * 128);
    Box::new(move || {
        for _ in 0..MESSAGES {
            encoder.encode(&packet, &mut bytes);
        }
        Done::with(bytes.len(), bytes)
    })
}

/// Messages of so many topics in turn among ten thousand filters, one in ten with a wildcard; each
/// has one subscriber.
fn matching(topics: usize) -> Work {
    let mut house = House::new();
    let subscriber = house.subscriber("house/+/temperature", QoS::AtMostOnce);
    for index in 1..FILTERS {
        let filter = match index % 10 {
            0 => format!("house/+/pressure-{index}"),
            _ => format!("house/room-{index}/humidity"),
        };
        house.subscribe(subscriber, &filter, QoS::AtMostOnce);
    }
    let topics: Vec<_> = (0..MESSAGES)
        .map(|index| topic(&format!("house/room-{}/temperature", index % topics)))
        .collect();
    publishing(house, topics, QoS::AtMostOnce)
}

fn deliver(qos: QoS) -> Work {
    let mut house = House::new();
    house.subscriber("house/+/temperature", qos);
    publishing(house, vec![topic("house/living-room/temperature"); MESSAGES], qos)
}

/// For a subscriber whose session ends with its connection.
fn clean(qos: QoS) -> Work {
    let mut house = House::new();
    let subscriber = house.client(true);
    house.subscribe(subscriber, "house/+/temperature", qos);
    publishing(house, vec![topic("house/living-room/temperature"); MESSAGES], qos)
}

/// Of the gateway itself, retained, in turn for so many topics.
fn readings() -> Work {
    let mut house = House::new();
    house.subscriber("house/+/temperature", QoS::AtMostOnce);
    let topics: Vec<_> = (0..MESSAGES)
        .map(|index| topic(&format!("house/room-{}/temperature", index % TOPICS)))
        .collect();
    Box::new(move || {
        house.tell_readings(&topics);
        Done::with(house.delivered, (house, topics))
    })
}

/// To fifty subscribers whose sessions end with them; an operation is a delivery.
fn fan_out(qos: QoS) -> Work {
    let mut house = House::new();
    for _ in 0..FAN {
        let subscriber = house.client(true);
        house.subscribe(subscriber, "house/+/temperature", qos);
    }
    let topics = vec![topic("house/living-room/temperature"); MESSAGES / FAN];
    publishing(house, topics, qos)
}

/// For a session whose client is away.
fn absent() -> Work {
    let mut house = House::new();
    let subscriber = house.subscriber("house/+/temperature", QoS::AtLeastOnce);
    house.leaves(subscriber);
    publishing(house, vec![topic("house/living-room/temperature"); MESSAGES], QoS::AtLeastOnce)
}

fn publishing(mut house: House, topics: Vec<TopicName>, qos: QoS) -> Work {
    let publisher = house.client(true);
    Box::new(move || {
        house.publish(publisher, &topics, qos);
        Done::with(house.delivered + house.kept, (house, topics))
    })
}
