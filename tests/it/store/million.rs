//! A million messages for a client that is away: what they cost the real gateway, and how fast
//! they come and go. Not a test of the ordinary run: `tests/figures store`.
#![allow(clippy::print_stdout, reason = "a measurement is read by people")]

use std::time::{Duration, Instant};

use maison::mqtt::{Delivery, Packet, PacketId, QoS, Version};

use crate::gateway::{Gateway, binary};
use crate::wire::{Session, Wire, connect, publish, success};

/// Publications that wait for their PUBACK.
const WINDOW: u32 = 1000;
/// What a client that is away may cost beyond what the gateway takes anyway, in KiB.
const RESIDENT_KIB_MAX: u64 = 8 * 1024;

fn messages() -> u32 {
    let number = std::env::var("MAISON_MESSAGES");
    number.map_or(1_000_000, |number| number.parse().expect("a number"))
}

fn start(folder: tempfile::TempDir) -> (Gateway, Duration) {
    let began = Instant::now();
    let gateway = Gateway::spawn_with(folder, |command| {
        command.env("MAISON_LOG", "info");
    });
    gateway.wait_for_log("ready");
    (gateway, began.elapsed())
}

fn rate(messages: u32, took: Duration) -> f64 {
    f64::from(messages) / took.as_secs_f64()
}

/// Publishes them all at QoS 1; how long until the last one was acknowledged.
fn fill(gateway: &Gateway, messages: u32) -> Duration {
    let mut publisher = Wire::connect(gateway.plain_port(), "publisher", Session::Clean);
    let began = Instant::now();
    let mut next = 0;
    while next < messages {
        let end = messages.min(next + WINDOW);
        for number in next..end {
            let id = u16::try_from(number - next + 1).unwrap();
            let delivery = Delivery::AtLeastOnce(PacketId::new(id).unwrap());
            let payload = format!("{number:064}");
            let packet = publish("house/salon/temperature", delivery, payload);
            publisher.send(&Packet::Publish(packet)).unwrap();
        }
        for _ in next..end {
            assert!(matches!(publisher.receive().unwrap(), Packet::PubAck(_)));
        }
        next = end;
    }
    began.elapsed()
}

/// Takes them all, in their order; how long that took.
fn drain(gateway: &Gateway, messages: u32) -> Duration {
    let words = connect(Version::V3_1_1, "away", Session::Stays);
    let (mut client, is_there) = Wire::try_open(gateway.plain_port(), words).unwrap();
    assert!(is_there, "the session is gone");
    let began = Instant::now();
    for number in 0..messages {
        let Packet::Publish(message) = client.receive().unwrap() else { panic!("no message") };
        assert_eq!(message.message.payload, format!("{number:064}"));
        let id = message.delivery.packet_id().unwrap();
        client.send(&Packet::PubAck(success(id))).unwrap();
    }
    began.elapsed()
}

#[test]
#[ignore = "a measurement"]
fn a_million_messages_wait_on_the_card_and_not_in_memory() {
    let messages = messages();
    let unbounded = "queue = { messages = 0, bytes = 0 }\n[broker.limits]\nqueued = 0";
    let (gateway, empty) = start(Gateway::prepare_keeping("power-cut", unbounded, ""));
    let mut away = Wire::connect(gateway.plain_port(), "away", Session::Stays);
    away.subscribe("house/#", QoS::AtLeastOnce);
    away.leave();
    let before = gateway.memory("VmRSS:");
    let took = fill(&gateway, messages);
    let (filled, most) = (gateway.memory("VmRSS:"), gateway.memory("VmHWM:"));
    println!("{messages} messages stored at {:.0} messages/s", rate(messages, took));
    println!("resident: {before} KiB before, {filled} KiB with them, {most} KiB at most");
    let (gateway, full) = start(gateway.kill());
    let restarted = gateway.memory("VmRSS:");
    println!("started in {empty:.2?} empty, in {full:.2?} with them after a kill");
    println!("resident after the start: {restarted} KiB");
    let took = drain(&gateway, messages);
    println!("drained by one client at {:.0} messages/s", rate(messages, took));
    println!("resident: {} KiB at most while draining", gateway.memory("VmHWM:"));
    let config = gateway.config();
    let config = config.to_str().unwrap();
    let said = binary().args(["store", "stats", "--config", config]).output().unwrap();
    println!("{}", String::from_utf8(said.stdout).unwrap());
    assert!(restarted < before + RESIDENT_KIB_MAX, "what waits on the card is in memory");
}
