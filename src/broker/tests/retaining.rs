//! Retained messages.

use std::sync::Arc;
use std::time::Duration;

use super::super::{Event, Keeping};
use super::*;
use crate::access::Denied;
use crate::limits::{self, INFLIGHT_TO_CLIENT_DEFAULT};
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

/// The queue's bound is for messages; retained ones are looked up when there is room to send them.
#[test]
fn a_wildcard_gets_all_of_many_retained_messages() {
    let mut house = House::with(|settings| settings.queue_messages = Some(1));
    for number in 0..500 {
        let retained = message(&format!("t/{number:03}"), "1");
        house.reading(retained, QoS::ExactlyOnce, true);
    }
    let (client, _) = house.connect_as(lasting("a"));
    house.subscribe(client, "#", QoS::AtLeastOnce);
    assert_eq!(house.unread(client), INFLIGHT_TO_CLIENT_DEFAULT);
    for number in 0..500 {
        house.hears(client, &format!("t/{number:03}=1 q1 retained"));
    }
    assert_eq!(house.broker.statistics().traffic.messages_dropped, 0);
    house.is_at_rest();
}

/// [MQTT-4.6.0-5]: what is published during a search comes after it, once.
#[test]
fn what_is_published_while_retained_messages_are_sent_comes_after_them_once() {
    let mut house = House::new();
    for number in 0..30 {
        house.reading(message(&format!("t/{number:02}"), "old"), QoS::ExactlyOnce, true);
    }
    let client = house.connect("a");
    house.subscribe(client, "t/#", QoS::AtLeastOnce);
    house.reading(message("t/29", "new"), QoS::ExactlyOnce, true);
    house.reading(message("t/28", "passing"), QoS::ExactlyOnce, false);
    for number in 0..29 {
        house.hears(client, &format!("t/{number:02}=old q1 retained"));
    }
    house.hears(client, "t/29=new q1");
    house.hears(client, "t/28=passing q1");
    house.is_at_rest();
}

/// A search is part of the session, like the messages it stands for.
#[test]
fn a_search_goes_on_after_a_reconnect() {
    let mut house = House::new();
    for number in 0..30 {
        house.reading(message(&format!("t/{number:02}"), "old"), QoS::ExactlyOnce, true);
    }
    let (client, _) = house.connect_as(lasting("a"));
    house.subscribe(client, "t/#", QoS::AtLeastOnce);
    for number in 0..10 {
        house.hears(client, &format!("t/{number:02}=old q1 retained"));
    }
    house.cut(client);
    house.reading(message("t/29", "new"), QoS::AtMostOnce, true);
    let (client, _) = house.connect_as(lasting("a"));
    for number in 10..30 {
        house.hears(client, &format!("t/{number:02}=old q1 retained dup"));
    }
    house.reads_nothing(client);
    house.is_at_rest();
}

#[test]
fn what_was_retained_in_an_absence_is_found_by_the_search_that_goes_on() {
    let mut house = House::new();
    for number in 0..30 {
        house.reading(message(&format!("t/{number:02}"), "old"), QoS::ExactlyOnce, true);
    }
    let (client, _) = house.connect_as(lasting("a"));
    house.subscribe(client, "t/#", QoS::AtLeastOnce);
    house.cut(client);
    house.reading(message("t/28", "passing"), QoS::AtLeastOnce, false);
    house.reading(message("t/29", "new"), QoS::AtMostOnce, true);
    let (client, _) = house.connect_as(lasting("a"));
    for number in 0..INFLIGHT_TO_CLIENT_DEFAULT {
        house.hears(client, &format!("t/{number:02}=old q1 retained dup"));
    }
    house.hears(client, "t/28=passing q1");
    for number in INFLIGHT_TO_CLIENT_DEFAULT..29 {
        house.hears(client, &format!("t/{number:02}=old q1 retained"));
    }
    house.hears(client, "t/29=new q0 retained");
    house.is_at_rest();
}

/// [MQTT-4.6.0-5]: what waits for a subscription is not overtaken by what a later one finds.
#[test]
fn retained_messages_come_after_what_was_queued_before_their_subscription() {
    let mut house = House::new();
    let client = house.connect("a");
    house.subscribe(client, "t", QoS::AtLeastOnce);
    for number in 0..INFLIGHT_TO_CLIENT_DEFAULT + 2 {
        house.reading(message("t", &number.to_string()), QoS::AtLeastOnce, true);
    }
    let sent: Vec<_> = (0..INFLIGHT_TO_CLIENT_DEFAULT)
        .map(|number| house.gets(client, &format!("t={number} q1")))
        .collect();
    house.subscribe(client, "+", QoS::AtLeastOnce);
    house.reading(message("t", "last"), QoS::AtLeastOnce, false);
    for id in sent {
        house.send(client, crate::mqtt::Packet::PubAck(house::success(id)));
    }
    for number in INFLIGHT_TO_CLIENT_DEFAULT..INFLIGHT_TO_CLIENT_DEFAULT + 2 {
        house.hears(client, &format!("t={number} q1"));
    }
    house.hears(client, &format!("t={} q1 retained", INFLIGHT_TO_CLIENT_DEFAULT + 1));
    house.hears(client, "t=last q1");
    house.is_at_rest();
}

#[test]
fn an_unsubscribe_ends_the_search() {
    let mut house = House::new();
    for number in 0..30 {
        house.reading(message(&format!("t/{number:02}"), "1"), QoS::ExactlyOnce, true);
    }
    let client = house.connect("a");
    house.subscribe(client, "t/#", QoS::AtLeastOnce);
    let ids: Vec<_> = (0..INFLIGHT_TO_CLIENT_DEFAULT)
        .map(|_| house::packet_id(&house.gets_any(client)).unwrap())
        .collect();
    house.unsubscribe(client, "t/#");
    for id in ids {
        house.send(client, crate::mqtt::Packet::PubAck(house::success(id)));
    }
    house.is_at_rest();
}

/// A search through very many topics gives the others their turn.
#[test]
fn a_long_search_goes_on_by_itself() {
    let mut house = House::new();
    for number in 0..limits::RETAINED_SEEKS_PER_TURN {
        let retained = message(&format!("t/{number}/x"), "1");
        house.broker.handle(
            house.now,
            super::super::Input::Publish {
                message: retained,
                qos: QoS::AtMostOnce,
                retention: Retention::Replaced,
            },
        );
    }
    house.reading(message("t/z/y", "1"), QoS::AtMostOnce, true);
    let client = house.connect("a");
    house.stick(client);
    house.subscribe(client, "+/+/y", QoS::AtMostOnce);
    house.reads_nothing(client);
    house.pass(Duration::from_millis(1));
    house.hears(client, "t/z/y=1 q0 retained");
    house.unstick(client);
    house.is_at_rest();
}

/// However many topics match, none of their messages is copied before it can be sent, and between
/// two turns of the search everyone else is served.
#[test]
fn a_search_takes_no_memory_and_others_are_served_while_it_goes_on() {
    const TOPICS: usize = limits::RETAINED_SEEKS_PER_TURN + 500;
    let mut house = House::with(|settings| settings.bounds.queued_bytes = Some(0));
    for number in 0..TOPICS {
        let message = message(&format!("t/{number:05}"), "1");
        let (qos, retention) = (QoS::AtMostOnce, Retention::Replaced);
        house.broker.handle(house.now, super::super::Input::Publish { message, qos, retention });
    }
    let (client, other) = (house.connect("a"), house.connect("b"));
    house.stick(client);
    house.subscribe(client, "t/#", QoS::AtMostOnce);
    let found = house.unread(client);
    assert_eq!(found, limits::RETAINED_SEEKS_PER_TURN, "it is not over in one turn");
    assert_eq!(house.broker.statistics().queued_bytes, 0);
    house.send(other, crate::mqtt::Packet::PingReq);
    house.reads(other, &crate::mqtt::Packet::PingResp);
    house.pass(Duration::from_millis(1));
    house.unstick(client);
    for number in 0..TOPICS {
        house.hears(client, &format!("t/{number:05}=1 q0 retained"));
    }
    house.is_at_rest();
}

/// A client that talks meanwhile has no more turns, and two do not have theirs at once.
#[test]
fn long_searches_take_turns() {
    let mut house = House::with(|settings| settings.keeping = Keeping::Nothing);
    for number in 0..limits::RETAINED_SEEKS_PER_TURN {
        house.reading(message(&format!("t/{number}/x"), "1"), QoS::AtMostOnce, true);
    }
    house.reading(message("t/z/y", "1"), QoS::AtMostOnce, true);
    let clients = ["a", "b"].map(|name| {
        let client = house.connect(name);
        house.subscribe(client, "+/+/y", QoS::AtMostOnce);
        client
    });
    let acknowledgement = house::success(crate::mqtt::PacketId::MIN);
    for client in clients {
        house.send(client, crate::mqtt::Packet::PubAck(acknowledgement.clone()));
        house.reads_nothing(client);
    }
    for client in clients {
        house.now = house.now.max(house.broker.deadline().unwrap());
        house.tell(super::super::Input::Wake);
        house.hears(client, "t/z/y=1 q0 retained");
    }
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
    let full = Denied("the store of retained messages is full");
    let [Event::Denied { topic, reason, .. }] = &house.events[..] else { panic!("one event") };
    assert_eq!((topic.as_str(), *reason), ("two", full));
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
