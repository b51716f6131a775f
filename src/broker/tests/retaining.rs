//! Retained messages.

use std::sync::Arc;
use std::time::Duration;

use super::world::*;
use crate::broker::{Input, Retention};
use crate::mqtt::QoS::{AtLeastOnce, AtMostOnce, ExactlyOnce};
use crate::mqtt::*;

fn retained(qos: QoS, topic: &str, payload: &str) -> Publish {
    Publish { retain: true, ..publish(qos, 1, topic, payload) }
}

/// [MQTT-3.3.1-5], [MQTT-3.3.1-6], [MQTT-3.3.1-8], [MQTT-3.3.1-9]
#[test]
fn new_subscription_gets_the_last_message_of_each_topic() {
    let mut world = World::new();
    let (writer, early, late) = (world.join("writer"), world.join("early"), world.join("late"));
    world.subscribe(early, "a/#", AtMostOnce);
    for (topic, payload) in [("a", "0"), ("a/b", "1"), ("a/b", "2"), ("ab", "x"), ("a/c/d", "3")] {
        world.publish(writer, retained(AtMostOnce, topic, payload));
    }
    assert!(world.messages(early).iter().all(|publish| !publish.retain));
    world.subscribe(late, "a/#", AtMostOnce);
    let messages = world.messages(late);
    assert!(messages.iter().all(|publish| publish.retain));
    let topics: Vec<&str> = messages.iter().map(|message| message.message.topic.as_str()).collect();
    assert_eq!(topics, ["a", "a/b", "a/c/d"]);
    assert_eq!(&messages[1].message.payload[..], b"2");
    world.end();
}

/// [MQTT-3.3.1-10], [MQTT-3.3.1-11]
#[test]
fn empty_payload_forgets_and_is_not_kept_itself() {
    let mut world = World::new();
    let (writer, reader) = (world.join("writer"), world.join("reader"));
    world.publish(writer, retained(AtMostOnce, "a", "1"));
    world.publish(writer, retained(AtMostOnce, "a", ""));
    assert_eq!(world.broker.sizes().retained, 0);
    world.subscribe(reader, "#", AtMostOnce);
    assert!(world.messages(reader).is_empty());
    world.end();
}

/// [MQTT-3.3.1-12]
#[test]
fn message_without_the_flag_leaves_the_retained_one_alone() {
    let mut world = World::new();
    let (writer, reader) = (world.join("writer"), world.join("reader"));
    world.publish(writer, retained(AtMostOnce, "a", "kept"));
    world.publish(writer, publish(AtMostOnce, 0, "a", "passing"));
    world.subscribe(reader, "a", AtMostOnce);
    assert_eq!(world.read(reader), ["a=kept"]);
    world.end();
}

/// [MQTT-3.8.4-3]
#[test]
fn subscribing_again_sends_retained_messages_again() {
    let mut world = World::new();
    let (writer, reader) = (world.join("writer"), world.join("reader"));
    world.publish(writer, retained(AtLeastOnce, "a", "1"));
    for _ in 0..2 {
        world.subscribe(reader, "a", AtLeastOnce);
        assert_eq!(world.read(reader), ["a=1"]);
    }
    world.end();
}

#[test]
fn any_number_of_retained_messages_arrives_within_window_and_queue() {
    let mut world = World::new();
    let (writer, reader) = (world.join("writer"), world.join("reader"));
    for number in 0..2000 {
        world.publish(writer, retained(AtMostOnce, &format!("t/{number:04}/x"), "v"));
    }
    for number in 0..500 {
        world.publish(writer, retained(ExactlyOnce, &format!("t/{number:04}/x"), "w"));
        world.send(writer, Packet::PubRel(Acknowledgement::success(id(1))));
    }
    world.subscribe(reader, "t/+/x", ExactlyOnce);
    assert_eq!(world.broker.sizes().queued, 0, "they wait in the store, not in the queue");
    let read = world.read(reader);
    assert_eq!(read.len(), 2000);
    assert_eq!((&*read[0], &*read[1999]), ("t/0000/x=w", "t/1999/x=v"));
    assert_eq!(world.broker.statistics().messages_dropped, 0);
    world.end();
}

#[test]
fn expired_message_is_neither_retained_nor_delivered() {
    let mut world = World::new();
    let (reader, away) = (world.join("reader"), world.join_kept("away"));
    world.subscribe(away, "a", AtLeastOnce);
    world.leave(away);
    let expiry = Some(Duration::from_secs(30));
    let properties = MessageProperties { message_expiry: expiry, ..MessageProperties::default() };
    let message = Message { properties: Some(Arc::new(properties)), ..message("a", "21.4") };
    let retention = Retention::Replaced;
    world.handle(Input::Publish { message, qos: ExactlyOnce, retention });
    world.pass(Duration::from_secs(29));
    world.subscribe(reader, "a", AtMostOnce);
    assert_eq!(world.read(reader), ["a=21.4"]);
    world.pass(Duration::from_secs(2));
    assert_eq!(world.broker.sizes().retained, 0);
    let (away, _) = world.join_as("", connect("away", false));
    assert!(world.read(away).is_empty());
    assert_eq!(world.broker.statistics().messages_expired, 2);
    world.end();
}

#[test]
fn message_retained_for_a_time_still_waits_for_those_who_are_away() {
    let mut world = World::new();
    let away = world.join_kept("away");
    world.subscribe(away, "a", AtLeastOnce);
    world.leave(away);
    let (message, retention) = (message("a", "21.4"), Retention::For(Duration::from_secs(30)));
    world.handle(Input::Publish { message, qos: ExactlyOnce, retention });
    world.pass(Duration::from_secs(31));
    assert_eq!(world.broker.sizes().retained, 0);
    let (away, _) = world.join_as("", connect("away", false));
    assert_eq!(world.read(away), ["a=21.4"]);
    world.end();
}
