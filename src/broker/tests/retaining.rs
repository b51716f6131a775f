//! Retained messages.

use std::sync::Arc;
use std::time::Duration;

use super::super::Event;
use super::*;
use crate::access::Denied;
use crate::limits;
use crate::mqtt::{Connect, Message, MessageProperties, QoS, Will};

/// [MQTT-3.3.1-6], [MQTT-3.3.1-8]
#[test]
fn a_new_subscription_gets_the_retained_messages_marked() {
    let mut house = House::new();
    let publisher = house.connect("publisher");
    house.retain(publisher, "a/x", "1", QoS::AtLeastOnce);
    house.retain(publisher, "a/y", "2", QoS::AtMostOnce);
    house.retain(publisher, "b", "3", QoS::ExactlyOnce);
    let client = house.connect("a");
    house.subscribe(client, "a/+", QoS::ExactlyOnce);
    house.hears(client, "a/x=1 q1 retained");
    house.hears(client, "a/y=2 q0 retained");
    house.subscribe(client, "b", QoS::AtLeastOnce);
    house.hears(client, "b=3 q1 retained");
    house.is_at_rest();
}

/// [MQTT-3.3.1-9]
#[test]
fn an_existing_subscription_gets_a_retained_message_unmarked() {
    let mut house = House::new();
    let client = house.connect("a");
    house.subscribe(client, "t", QoS::AtMostOnce);
    let publisher = house.connect("publisher");
    house.retain(publisher, "t", "1", QoS::AtLeastOnce);
    house.hears(client, "t=1 q0");
    house.is_at_rest();
}

/// [MQTT-3.3.1-5], [MQTT-3.3.1-7], [MQTT-3.3.1-12]
#[test]
fn the_last_retained_message_of_any_quality_is_kept() {
    let mut house = House::new();
    let publisher = house.connect("publisher");
    house.retain(publisher, "t", "1", QoS::ExactlyOnce);
    house.retain(publisher, "t", "2", QoS::AtMostOnce);
    house.publish(publisher, "t", "3", QoS::ExactlyOnce);
    let client = house.connect("a");
    house.subscribe(client, "t", QoS::ExactlyOnce);
    house.hears(client, "t=2 q0 retained");
    assert_eq!(house.broker.statistics().retained, 1);
    house.is_at_rest();
}

/// [MQTT-3.3.1-10], [MQTT-3.3.1-11]
#[test]
fn an_empty_retained_message_clears_and_is_routed() {
    let mut house = House::new();
    let publisher = house.connect("publisher");
    house.retain(publisher, "t", "1", QoS::AtLeastOnce);
    let client = house.connect("a");
    house.subscribe(client, "t", QoS::AtMostOnce);
    house.hears(client, "t=1 q0 retained");
    house.retain(publisher, "t", "", QoS::AtLeastOnce);
    house.hears(client, "t= q0");
    house.subscribe(client, "t", QoS::AtMostOnce);
    assert_eq!(house.broker.statistics().retained, 0);
    assert_eq!(house.broker.statistics().retained_bytes, 0);
    house.is_at_rest();
}

/// [MQTT-3.8.4-3]
#[test]
fn each_subscribe_gets_the_retained_messages_again() {
    let mut house = House::new();
    house.reading(message("t", "1"), QoS::AtLeastOnce, true);
    let client = house.connect("a");
    for _ in 0..3 {
        house.subscribe(client, "t", QoS::AtMostOnce);
        house.hears(client, "t=1 q0 retained");
    }
    house.is_at_rest();
}

/// [MQTT-4.7.2-1]
#[test]
fn leading_wildcards_do_not_match_dollar_topics() {
    let mut house = House::new();
    house.reading(message("$SYS/uptime", "1"), QoS::AtMostOnce, true);
    house.reading(message("a", "2"), QoS::AtMostOnce, true);
    let client = house.connect("a");
    for filter in ["#", "+", "+/uptime"] {
        house.subscribe(client, filter, QoS::AtMostOnce);
        if filter != "+/uptime" {
            house.hears(client, "a=2 q0 retained");
        }
    }
    house.reading(message("$SYS/uptime", "3"), QoS::AtMostOnce, true);
    house.reads_nothing(client);
    house.subscribe(client, "$SYS/#", QoS::AtMostOnce);
    house.hears(client, "$SYS/uptime=3 q0 retained");
    house.reading(message("$SYS/uptime", "4"), QoS::AtMostOnce, true);
    house.hears(client, "$SYS/uptime=4 q0");
    house.is_at_rest();
}

fn short_lived(topic: &str) -> Message {
    let message_expiry = Some(Duration::from_secs(60));
    let properties = MessageProperties { message_expiry, ..MessageProperties::default() };
    Message { properties: Some(Arc::new(properties)), ..message(topic, "21.4") }
}

/// 5.0 section 3.3.2.3.3, for subscribers of any version: a reading does not outlive its truth.
#[test]
fn an_expired_retained_message_is_gone() {
    let mut house = House::new();
    house.reading(short_lived("t"), QoS::AtLeastOnce, true);
    house.pass(Duration::from_secs(30));
    house.reading(short_lived("t"), QoS::AtLeastOnce, true);
    house.pass(Duration::from_secs(59));
    let client = house.connect("a");
    house.subscribe(client, "t", QoS::AtMostOnce);
    house.hears(client, "t=21.4 q0 retained");
    house.pass(Duration::from_secs(1));
    assert_eq!(house.broker.statistics().retained, 0);
    assert_eq!(house.broker.deadline(), None);
    house.subscribe(client, "t", QoS::AtMostOnce);
    house.is_at_rest();
}

/// The shell may be late.
#[test]
fn an_expired_retained_message_is_not_sent_before_it_is_removed() {
    let mut house = House::new();
    house.reading(short_lived("t"), QoS::AtLeastOnce, true);
    house.now = house.now.after(Duration::from_secs(60));
    let client = house.connect("a");
    house.subscribe(client, "t", QoS::AtMostOnce);
    house.reads_nothing(client);
    house.pass(Duration::ZERO);
    assert_eq!(house.broker.statistics().retained, 0);
}

#[test]
fn clients_cannot_fill_the_memory_and_the_gateway_still_retains() {
    let mut house = House::new();
    let client = house.connect("a");
    house.events.clear();
    let half = "x".repeat(limits::RETAINED_BYTES_MAX / 2);
    house.retain(client, "one", &half, QoS::AtMostOnce);
    house.retain(client, "two", "old", QoS::AtMostOnce);
    house.retain(client, "two", &half, QoS::AtMostOnce);
    assert_eq!(house.broker.statistics().retained, 1, "what is no longer true goes");
    let full = Denied("the store of retained messages is full".into());
    let [Event::Denied { topic, reason, .. }] = &house.events[..] else { panic!("one event") };
    assert_eq!((topic.as_str(), reason), ("two", &full));
    house.reading(message("maison/x", &half), QoS::AtMostOnce, true);
    assert_eq!(house.broker.statistics().retained, 2);
    house.is_at_rest();
}

/// [MQTT-3.1.2-17]
#[test]
fn a_will_may_be_retained() {
    let mut house = House::new();
    let gone = Will { retain: true, ..will("gone", "1", QoS::AtLeastOnce) };
    let (client, _) = house.connect_as(Connect { will: Some(gone), ..clean("a") });
    house.cut(client);
    let client = house.connect("b");
    house.subscribe(client, "gone", QoS::AtLeastOnce);
    house.hears(client, "gone=1 q1 retained");
    house.is_at_rest();
}

#[test]
fn a_message_retained_for_a_time_still_waits_for_those_who_are_away() {
    let mut house = House::new();
    let away = house.connect_as(lasting("away")).0;
    house.subscribe(away, "a", QoS::AtLeastOnce);
    house.cut(away);
    let (message, retention) = (message("a", "21.4"), Retention::For(Duration::from_secs(30)));
    house.tell(super::super::Input::Publish { message, qos: QoS::ExactlyOnce, retention });
    house.pass(Duration::from_secs(31));
    assert_eq!(house.broker.statistics().retained, 0);
    let back = house.connect_as(lasting("away")).0;
    house.hears(back, "a=21.4 q1");
    house.is_at_rest();
}

/// [MQTT-3.1.2-7]: retained messages are of no session.
#[test]
fn retained_messages_outlive_the_session_of_their_publisher() {
    let mut house = House::new();
    let publisher = house.connect("publisher");
    house.retain(publisher, "t", "1", QoS::AtLeastOnce);
    house.disconnect(publisher);
    let publisher = house.connect("publisher");
    house.cut(publisher);
    let client = house.connect("a");
    house.subscribe(client, "t", QoS::AtLeastOnce);
    house.hears(client, "t=1 q1 retained");
    house.is_at_rest();
}
