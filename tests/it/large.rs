//! Large messages: the gateway holds one once, however many it is for.
//!
//! The ordinary run is small. In full (a release build is kinder):
//!
//! ```text
//! MAISON_LARGE=full cargo test --release --test it large
//! ```

use std::io::{Read, Write};
use std::sync::Barrier;
use std::thread;

use bytes::Bytes;
use maison::mqtt::{Delivery, Packet, PacketId, QoS};

use crate::gateway::Gateway;
use crate::wire::{Session, Wire, publish, success};

const BROKER: &str =
    "max_packet_size = \"256 MiB\"\nqueue = { messages = 100, bytes = \"64 MiB\" }";
/// Largest remaining length there is (MQTT 5.0 section 1.5.5).
const REMAINING_LENGTH_MAX: usize = 268_435_455;
/// One copy, and some for all the rest: of what is held while a message comes and goes.
const COPIES_MAX: f64 = 1.3;

fn is_full() -> bool {
    std::env::var("MAISON_LARGE").is_ok_and(|value| value == "full")
}

fn gateway() -> Gateway {
    Gateway::start(Gateway::prepare_with(BROKER, ""))
}

/// Bytes that show where they belong.
fn payload(bytes: usize) -> Bytes {
    let pattern: Vec<u8> = (0..=250).collect();
    let mut payload = pattern.repeat(bytes / pattern.len() + 1);
    payload.truncate(bytes);
    payload.into()
}

/// Publishes at QoS 1, and waits until the broker has the message.
fn say(publisher: &mut Wire, topic: &str, payload: &Bytes) {
    let message = publish(topic, Delivery::AtLeastOnce(PacketId::MIN), payload.clone());
    publisher.send(&Packet::Publish(message)).unwrap();
    assert_eq!(publisher.receive().unwrap(), Packet::PubAck(success(PacketId::MIN)));
}

/// Receives a message of QoS 1 piece by piece, holding none of it, acknowledges it, and waits until
/// the gateway knows.
fn hear(subscriber: &mut Wire, topic: &str, payload: &[u8]) {
    let first = subscriber.receive_bytes(1).unwrap()[0];
    assert_eq!(first & 0b1111_0111, 0x32, "PUBLISH of QoS 1, not retained");
    let mut length = Vec::new();
    while length.last().is_none_or(|digit| digit & 0x80 != 0) {
        length.push(subscriber.receive_bytes(1).unwrap()[0]);
    }
    let digits = length.iter().rev().map(|digit| usize::from(digit & 0x7F));
    let length = digits.fold(0, |length, digit| length << 7 | digit);
    assert_eq!(length, 2 + topic.len() + 2 + payload.len());
    assert_eq!(subscriber.receive_bytes(2 + topic.len()).unwrap()[2..], *topic.as_bytes());
    let id = subscriber.receive_bytes(2).unwrap();
    let id = PacketId::new(u16::from_be_bytes([id[0], id[1]])).unwrap();
    for piece in payload.chunks(64 * 1024) {
        assert!(subscriber.receive_bytes(piece.len()).unwrap() == *piece, "not what was sent");
    }
    subscriber.send(&Packet::PubAck(success(id))).unwrap();
    subscriber.send(&Packet::PingReq).unwrap();
    assert_eq!(subscriber.receive().unwrap(), Packet::PingResp);
}

/// Growth of the gateway's largest memory, in messages of this size, while `subscribers` get one
/// after the other.
fn copies_held(bytes: usize, subscribers: usize, rounds: usize) -> f64 {
    let gateway = gateway();
    let port = gateway.plain_port();
    let payload = payload(bytes);
    let mut publisher = Wire::connect(port, "publisher", Session::Clean);
    let subscribers: Vec<Wire> = (0..subscribers)
        .map(|number| {
            let id = format!("subscriber-{number}");
            let mut subscriber = Wire::connect(port, &id, Session::Clean);
            subscriber.subscribe("large", QoS::AtLeastOnce);
            subscriber
        })
        .collect();
    let before = gateway.memory("VmRSS");
    let heard = Barrier::new(subscribers.len() + 1);
    thread::scope(|scope| {
        for mut subscriber in subscribers {
            let (payload, heard) = (&payload, &heard);
            scope.spawn(move || {
                for _ in 0..rounds {
                    hear(&mut subscriber, "large", payload);
                    heard.wait();
                }
            });
        }
        for _ in 0..rounds {
            say(&mut publisher, "large", &payload);
            heard.wait();
        }
    });
    copies(gateway.memory("VmHWM") - before, bytes)
}

fn copies(growth_kib: u64, bytes: usize) -> f64 {
    let growth_kib = u32::try_from(growth_kib).unwrap();
    f64::from(growth_kib) * 1024.0 / f64::from(u32::try_from(bytes).unwrap())
}

#[test]
fn a_large_message_is_held_once_for_all_its_subscribers() {
    let (bytes, subscribers) = if is_full() { (100_000_000, 50) } else { (20_000_000, 20) };
    let copies = copies_held(bytes, subscribers, 1);
    eprintln!("{bytes} bytes for {subscribers} subscribers: {copies:.2} copies at most");
    assert!(copies < COPIES_MAX, "{copies:.2} copies");
}

#[test]
fn large_messages_one_after_another_take_the_room_of_one() {
    let bytes = if is_full() { 100_000_000 } else { 30_000_000 };
    let copies = copies_held(bytes, 2, 10);
    eprintln!("{bytes} bytes ten times: {copies:.2} copies at most");
    assert!(copies < COPIES_MAX, "{copies:.2} copies");
}

/// MQTT 5.0 section 1.5.5.
#[test]
fn the_largest_packet_there_is_goes_round() {
    let gateway = gateway();
    let port = gateway.plain_port();
    let mut publisher = Wire::connect(port, "publisher", Session::Clean);
    let mut subscriber = Wire::connect(port, "subscriber", Session::Clean);
    subscriber.subscribe("large", QoS::AtLeastOnce);
    let payload = payload(REMAINING_LENGTH_MAX - 2 - "large".len() - 2);
    thread::scope(|scope| {
        scope.spawn(|| hear(&mut subscriber, "large", &payload));
        say(&mut publisher, "large", &payload);
    });
}

#[test]
fn a_large_message_waits_once_for_all_who_are_away() {
    const BYTES: usize = 20_000_000;
    let gateway = gateway();
    let port = gateway.plain_port();
    let ids = ["first", "second", "third"];
    for id in ids {
        let mut subscriber = Wire::connect(port, id, Session::Stays);
        subscriber.subscribe("large", QoS::AtLeastOnce);
        subscriber.leave();
    }
    let before = gateway.memory("VmRSS");
    let payload = payload(BYTES);
    say(&mut Wire::connect(port, "publisher", Session::Clean), "large", &payload);
    for id in ids {
        let (mut subscriber, session) = Wire::try_connect(port, id, Session::Stays).unwrap();
        assert!(session, "its session was kept");
        hear(&mut subscriber, "large", &payload);
    }
    let copies = copies(gateway.memory("VmHWM") - before, BYTES);
    assert!(copies < COPIES_MAX, "{copies:.2} copies");
}

/// [MQTT-3.1.2-24], from the other end: what is announced need not come before it is refused.
#[test]
fn an_announcement_of_too_much_ends_the_connection_at_once() {
    let folder = Gateway::prepare_with("max_packet_size = \"1 MiB\"", "");
    let gateway = Gateway::start(folder);
    // Fixed headers of a packet of 1 MiB, and of one byte more.
    let (most, too_much) = ([0x30, 0xFC, 0xFF, 0x3F], [0x30, 0xFD, 0xFF, 0x3F]);

    let mut wire = Wire::connect(gateway.plain_port(), "", Session::Clean);
    wire.stream.write_all(&most).unwrap();
    wire.stream.write_all(&[&[0, 1, b't'], &vec![0; 1024 * 1024 - 7][..]].concat()).unwrap();
    wire.send(&Packet::PingReq).unwrap();
    assert_eq!(wire.receive().unwrap(), Packet::PingResp);

    wire.stream.write_all(&too_much).unwrap();
    assert_eq!(wire.stream.read(&mut [0]).unwrap(), 0, "closed, and nothing said");
}

#[test]
fn announcements_alone_cost_nothing() {
    const CLIENTS: u64 = 100;
    let gateway = gateway();
    // What it asked for, used or not.
    let before = gateway.memory("VmData");
    let mut wires: Vec<Wire> =
        (0..CLIENTS).map(|_| Wire::connect(gateway.plain_port(), "", Session::Clean)).collect();
    for wire in &mut wires {
        wire.stream.write_all(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F, 0, 1]).unwrap();
    }
    let mut witness = Wire::connect(gateway.plain_port(), "witness", Session::Clean);
    witness.subscribe("any", QoS::AtMostOnce);
    let growth_kib = gateway.memory("VmData") - before;
    assert!(growth_kib < 64 * CLIENTS, "{growth_kib} KiB for {CLIENTS} announcements of 256 MiB");
}
