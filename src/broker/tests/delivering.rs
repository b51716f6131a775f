//! Messages from one client to others, at each quality of service.

use super::world::*;
use crate::broker::{Event, Input};
use crate::limits::{INFLIGHT_TO_CLIENT_MAX, UNWRITTEN_BYTES_MAX};
use crate::mqtt::QoS::{AtLeastOnce, AtMostOnce, ExactlyOnce};
use crate::mqtt::*;

const ANSWER: fn(PacketId) -> Acknowledgement = Acknowledgement::success;

/// [MQTT-3.8.4-6]: the lower of what was published and what was granted.
#[test]
fn delivered_quality_is_the_lower_of_both() {
    for (published, granted, expected) in [
        (AtMostOnce, ExactlyOnce, AtMostOnce),
        (AtLeastOnce, AtMostOnce, AtMostOnce),
        (AtLeastOnce, ExactlyOnce, AtLeastOnce),
        (ExactlyOnce, AtLeastOnce, AtLeastOnce),
        (ExactlyOnce, ExactlyOnce, ExactlyOnce),
    ] {
        let mut world = World::new();
        let (writer, reader) = (world.join("writer"), world.join("reader"));
        world.subscribe(reader, "t", granted);
        world.publish(writer, publish(published, 1, "t", "x"));
        let messages = world.messages(reader);
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0].delivery.qos(), expected);
        assert!(!messages[0].dup && !messages[0].retain, "[MQTT-3.3.1-3] [MQTT-3.3.1-9]");
        world.end();
    }
}

/// [MQTT-4.3.3-2]
#[test]
fn resent_qos_2_message_is_routed_once() {
    let mut world = World::new();
    let (writer, reader) = (world.join_kept("writer"), world.join("reader"));
    world.subscribe(reader, "t", AtMostOnce);
    let mut message = publish(ExactlyOnce, 5, "t", "once");
    world.publish(writer, message.clone());
    world.lose(writer);
    let (writer, present) = world.join_as("", connect("writer", false));
    assert!(present);
    message.dup = true;
    world.publish(writer, message.clone());
    world.send(writer, Packet::PubRel(ANSWER(id(5))));
    world.send(writer, Packet::PubRel(ANSWER(id(5))));
    let expected = [
        Packet::PubRec(ANSWER(id(5))),
        Packet::PubComp(ANSWER(id(5))),
        Packet::PubComp(ANSWER(id(5))),
    ];
    assert_eq!(world.take_inbox(writer), expected);
    assert_eq!(world.read(reader), ["t=once"]);
    message.dup = false;
    world.publish(writer, message);
    assert_eq!(world.read(reader), ["t=once"], "released, the identifier is a new message's");
    world.end();
}

#[test]
fn all_65_535_identifiers_may_be_in_flight_from_one_client() {
    let mut world = World::new();
    let (writer, reader) = (world.join("writer"), world.join("reader"));
    world.subscribe(reader, "t", AtMostOnce);
    for number in 1..=u16::MAX {
        world.broker.handle(
            world.now,
            Input::Packet {
                connection: writer,
                packet: Packet::Publish(publish(ExactlyOnce, number, "t", "x")),
            },
        );
        while world.broker.poll().is_some() {}
        let written = Input::Written { connection: reader, bytes: 100 };
        world.broker.handle(world.now, written);
        while world.broker.poll().is_some() {}
    }
    assert_eq!(world.broker.sizes().unreleased, 65_535);
    assert_eq!(world.broker.statistics().messages_dropped, 0);
    assert_eq!(world.broker.statistics().messages_sent, 65_535);
    world.end();
}

/// [MQTT-4.4.0-1], [MQTT-3.3.1-1], [MQTT-4.6.0-1]
#[test]
fn unacknowledged_messages_come_again_in_order_and_marked() {
    let mut world = World::new();
    let (writer, reader) = (world.join("writer"), world.join_kept("reader"));
    world.subscribe(reader, "#", ExactlyOnce);
    for (number, qos) in [(1, AtLeastOnce), (2, ExactlyOnce), (3, ExactlyOnce), (4, AtLeastOnce)] {
        world.publish(writer, publish(qos, number, "t", &number.to_string()));
    }
    let first = world.messages(reader);
    let ids: Vec<PacketId> = first
        .iter()
        .map(|publish| match publish.delivery {
            Delivery::AtLeastOnce(id) | Delivery::ExactlyOnce(id) => id,
            Delivery::AtMostOnce => panic!(),
        })
        .collect();
    world.send(reader, Packet::PubAck(ANSWER(ids[0])));
    world.send(reader, Packet::PubRec(ANSWER(ids[2])));
    world.lose(reader);
    let (reader, _) = world.join_as("", connect("reader", false));
    let again = world.take_inbox(reader);
    let [Packet::Publish(second), Packet::PubRel(third), Packet::Publish(fourth)] = &again[..]
    else {
        panic!("{again:?}")
    };
    assert!(second.dup && fourth.dup);
    assert_eq!(second.delivery, Delivery::ExactlyOnce(ids[1]));
    assert_eq!(third.packet_id, ids[2]);
    assert_eq!(fourth.delivery, Delivery::AtLeastOnce(ids[3]));
    for packet in &again {
        world.answer(reader, packet);
    }
    assert!(world.read(reader).is_empty());
    assert_eq!(world.broker.sizes().in_flight, 0);
    world.end();
}

#[test]
fn window_is_bounded_and_the_queue_follows_in_order() {
    let mut world = World::new();
    let (writer, reader) = (world.join("writer"), world.join("reader"));
    world.subscribe(reader, "t", AtLeastOnce);
    for number in 1..=60 {
        world.publish(writer, publish(AtLeastOnce, number, "t", &number.to_string()));
    }
    assert_eq!(world.broker.sizes().in_flight, INFLIGHT_TO_CLIENT_MAX);
    assert_eq!(world.broker.sizes().queued, 60 - INFLIGHT_TO_CLIENT_MAX);
    let expected: Vec<String> = (1..=60).map(|number| format!("t={number}")).collect();
    assert_eq!(world.read(reader), expected);
    world.end();
}

#[test]
fn messages_wait_for_an_absent_client() {
    let mut world = World::new();
    let (writer, reader) = (world.join("writer"), world.join_kept("reader"));
    world.subscribe(reader, "t", ExactlyOnce);
    world.leave(reader);
    world.publish(writer, publish(AtMostOnce, 0, "t", "lost: quality 0"));
    world.publish(writer, publish(AtLeastOnce, 1, "t", "one"));
    world.publish(writer, publish(ExactlyOnce, 2, "t", "two"));
    let (reader, _) = world.join_as("", connect("reader", false));
    assert_eq!(world.read(reader), ["t=one", "t=two"]);
    world.end();
}

#[test]
fn full_queue_drops_its_oldest_counts_and_tells() {
    let mut world = World::new();
    let (writer, reader) = (world.join("writer"), world.join_kept("reader"));
    world.subscribe(reader, "t", AtLeastOnce);
    world.leave(reader);
    for number in 1..=103 {
        world.publish(writer, publish(AtLeastOnce, number, "t", &number.to_string()));
    }
    assert_eq!(world.broker.statistics().messages_dropped, 3);
    let (reader, _) = world.join_as("", connect("reader", false));
    let read = world.read(reader);
    assert_eq!((read.len(), &*read[0]), (100, "t=4"));
    let told = |event: &Event| match event {
        Event::QueueDropped { messages, .. } => *messages,
        _ => 0,
    };
    assert_eq!(world.events.iter().map(told).sum::<u64>(), 3);
    world.end();
}

#[test]
fn queue_is_bounded_by_bytes_too() {
    let mut world = World::new();
    let (writer, reader) = (world.join("writer"), world.join_kept("reader"));
    world.subscribe(reader, "t", AtLeastOnce);
    world.leave(reader);
    for number in 1..=5 {
        world.publish(writer, publish(AtLeastOnce, number, "t", &"x".repeat(30_000)));
    }
    assert_eq!(world.broker.sizes().queued, 3);
    assert_eq!(world.broker.statistics().messages_dropped, 2);
    world.end();
}

#[test]
fn slow_reader_costs_bounded_memory_and_delays_nobody() {
    let mut world = World::new();
    let (writer, slow) = (world.join("writer"), world.join("slow"));
    world.subscribe(slow, "#", AtMostOnce);
    world.network_is_fast = false;
    for _ in 0..1000 {
        world.publish(writer, publish(AtMostOnce, 0, "t", &"x".repeat(2000)));
    }
    let sent = world.messages(slow);
    let bytes: usize = sent.iter().map(|publish| publish.message.payload.len()).sum();
    assert!(bytes <= UNWRITTEN_BYTES_MAX, "{bytes}");
    assert!(world.broker.sizes().queued <= 100);
    assert!(world.broker.statistics().messages_dropped > 0);
    world.network_is_fast = true;
    let bytes = sent.into_iter().map(|publish| Packet::Publish(publish).weight()).sum();
    world.handle(Input::Written { connection: slow, bytes });
    assert!(!world.messages(slow).is_empty(), "what had waited follows");
    assert_eq!(world.broker.sizes().queued, 0);
    world.end();
}

#[test]
fn answers_to_unknown_identifiers_disturb_nothing() {
    let mut world = World::new();
    let client = world.join("client");
    world.send(client, Packet::PubAck(ANSWER(id(9))));
    world.send(client, Packet::PubComp(ANSWER(id(9))));
    world.send(client, Packet::PubRec(ANSWER(id(9))));
    world.send(client, Packet::PubRel(ANSWER(id(9))));
    let expected = [Packet::PubRel(ANSWER(id(9))), Packet::PubComp(ANSWER(id(9)))];
    assert_eq!(world.take_inbox(client), expected);
    world.end();
}

#[test]
fn topics_of_any_language_are_routed() {
    let mut world = World::new();
    let (writer, reader) = (world.join("écrivain"), world.join("lecteur"));
    world.subscribe(reader, "étage/+", AtMostOnce);
    world.publish(writer, publish(AtMostOnce, 0, "étage/chambre d'été", "21.4"));
    assert_eq!(world.read(reader), ["étage/chambre d'été=21.4"]);
    world.end();
}
