//! What clients and the gateway publish.

use super::super::Event;
use super::house::{publish, success};
use super::*;
use crate::access::Denied;
use crate::limits;
use crate::mqtt::{Delivery, Packet, Publish, QoS};

/// [MQTT-4.3.1-1], [MQTT-4.3.2-2], [MQTT-4.3.3-2]: each quality has its answers, which
/// `House::publish` expects.
#[test]
fn each_quality_is_answered_and_routed() {
    let mut house = House::new();
    let listener = house.connect("listener");
    house.subscribe(listener, "t", QoS::ExactlyOnce);
    let client = house.connect("a");
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        house.publish(client, "t", "1", qos);
    }
    for expected in ["t=1 q0", "t=1 q1", "t=1 q2"] {
        house.hears(listener, expected);
    }
    house.is_at_rest();
}

/// [MQTT-4.3.2-2]: once acknowledged, an identifier is free, whatever DUP says.
#[test]
fn a_qos_1_message_under_a_used_identifier_is_a_new_one() {
    let mut house = House::new();
    let listener = house.connect("listener");
    house.subscribe(listener, "t", QoS::AtMostOnce);
    let client = house.connect("a");
    for dup in [false, true, true] {
        house.publish_packet(client, Publish { dup, ..publish("t", "1", QoS::AtLeastOnce) });
        house.hears(listener, "t=1 q0");
    }
    house.is_at_rest();
}

/// [MQTT-4.6.0-2], [MQTT-4.6.0-3] bind clients; the broker does no less.
#[test]
fn messages_are_answered_in_the_order_of_their_arrival() {
    let mut house = House::new();
    let client = house.connect("a");
    for number in [5, 3, 9, 1] {
        let (one, two) = (Delivery::AtLeastOnce(id(number)), Delivery::ExactlyOnce(id(number + 1)));
        for delivery in [one, two] {
            let publish = Publish { delivery, ..publish("t", "1", QoS::AtLeastOnce) };
            house.send(client, Packet::Publish(publish));
        }
    }
    for number in [5, 3, 9, 1] {
        house.reads(client, &Packet::PubAck(success(id(number))));
        house.reads(client, &Packet::PubRec(success(id(number + 1))));
    }
    for number in [4, 10, 2, 6] {
        house.send(client, Packet::PubRel(success(id(number))));
        house.reads(client, &Packet::PubComp(success(id(number))));
    }
    house.is_at_rest();
}

/// [MQTT-4.3.3-2], [MQTT-4.4.0-1]
#[test]
fn a_qos_2_message_sent_again_is_not_routed_again() {
    let mut house = House::new();
    let listener = house.connect("listener");
    house.subscribe(listener, "t", QoS::AtMostOnce);
    let client = house.connect("a");
    for dup in [false, true, false] {
        let publish = Publish { dup, ..publish("t", "1", QoS::ExactlyOnce) };
        house.send(client, Packet::Publish(publish));
        house.reads(client, &Packet::PubRec(success(id(7))));
    }
    house.hears(listener, "t=1 q0");
    house.reads_nothing(listener);
    house.send(client, Packet::PubRel(success(id(7))));
    house.reads(client, &Packet::PubComp(success(id(7))));
    house.publish(client, "t", "2", QoS::ExactlyOnce);
    house.hears(listener, "t=2 q0");
    house.is_at_rest();
}

/// Section 3.1.2.4: the received identifiers are part of the session.
#[test]
fn a_qos_2_message_sent_again_on_a_new_connection_is_not_routed_again() {
    let mut house = House::new();
    let listener = house.connect("listener");
    house.subscribe(listener, "t", QoS::AtMostOnce);
    let (client, _) = house.connect_as(lasting("a"));
    house.send(client, Packet::Publish(publish("t", "1", QoS::ExactlyOnce)));
    house.cut(client);
    let (client, _) = house.connect_as(lasting("a"));
    house.publish_packet(client, Publish { dup: true, ..publish("t", "1", QoS::ExactlyOnce) });
    house.hears(listener, "t=1 q0");
    house.reads_nothing(listener);
    house.is_at_rest();
}

/// [MQTT-4.3.3-2]: a client that lost our PUBCOMP can finish.
#[test]
fn a_release_of_nothing_is_answered() {
    let mut house = House::new();
    let client = house.connect("a");
    house.send(client, Packet::PubRel(success(id(9))));
    house.reads(client, &Packet::PubComp(success(id(9))));
    house.is_at_rest();
}

/// A 3.1.1 client cannot be told a lower number than that of the identifiers.
#[test]
fn every_identifier_may_be_under_way_from_one_client() {
    let mut house = House::new();
    let listener = house.connect("listener");
    house.subscribe(listener, "t", QoS::AtMostOnce);
    let client = house.connect("a");
    for number in 1..=u16::MAX {
        let delivery = Delivery::ExactlyOnce(id(number));
        let publish = Publish { delivery, ..publish("t", "1", QoS::ExactlyOnce) };
        house.send(client, Packet::Publish(publish));
    }
    let all = usize::from(u16::MAX);
    assert_eq!((house.unread(client), house.unread(listener)), (all, all));
    for number in 1..=u16::MAX {
        house.reads(client, &Packet::PubRec(success(id(number))));
        house.hears(listener, "t=1 q0");
    }
    for number in 1..=u16::MAX {
        house.send(client, Packet::PubRel(success(id(number))));
        house.reads(client, &Packet::PubComp(success(id(number))));
    }
    house.is_at_rest();
}

/// [MQTT-4.4.0-1] and [MQTT-4.3.3-2] hold for as many as there are identifiers.
#[test]
fn all_identifiers_sent_again_on_a_new_connection_are_routed_once() {
    let mut house = House::new();
    let listener = house.connect("listener");
    house.subscribe(listener, "t", QoS::AtMostOnce);
    let mut client = house.connect_as(lasting("a")).0;
    for dup in [false, true] {
        for number in 1..=u16::MAX {
            let delivery = Delivery::ExactlyOnce(id(number));
            let publish = Publish { dup, delivery, ..publish("t", "1", QoS::ExactlyOnce) };
            house.send(client, Packet::Publish(publish));
        }
        if !dup {
            house.cut(client);
            client = house.connect_as(lasting("a")).0;
        }
    }
    assert_eq!(house.unread(listener), usize::from(u16::MAX), "once each");
    for number in 1..=u16::MAX {
        house.reads(client, &Packet::PubRec(success(id(number))));
        house.send(client, Packet::PubRel(success(id(number))));
        house.hears(listener, "t=1 q0");
    }
    for number in 1..=u16::MAX {
        house.reads(client, &Packet::PubComp(success(id(number))));
    }
    house.is_at_rest();
}

/// [MQTT-3.3.5-2]: a denied publication is acknowledged, goes nowhere, and is told.
#[test]
fn a_denied_publication_is_acknowledged_and_not_routed() {
    let mut house = House::new();
    let listener = house.connect("listener");
    house.subscribe(listener, "#", QoS::AtMostOnce);
    let client = house.connect("a");
    house.events.clear();
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        house.retain(client, "maison/salon/temperature", "99", qos);
    }
    house.reads_nothing(listener);
    assert_eq!(house.broker.statistics().retained, 0);
    assert_eq!(house.broker.statistics().traffic.denied, 3);
    assert_eq!(house.events, [denied("maison/salon/temperature", 1)], "not a line for each");
    house.pass(limits::EVENT_INTERVAL);
    house.publish(client, "maison/x", "99", QoS::AtMostOnce);
    assert_eq!(house.events[1], denied("maison/x", 3));
    house.is_at_rest();
}

fn denied(topic: &str, times: u64) -> Event {
    Event::Denied {
        peer: "192.0.2.7:51234".parse().unwrap(),
        client_id: "a".to_owned(),
        topic: topic.to_owned(),
        reason: Denied("only the gateway publishes below its root".into()),
        times,
    }
}

#[test]
fn the_gateway_publishes_like_a_client_where_clients_may_not() {
    let mut house = House::new();
    let listener = house.connect("listener");
    house.subscribe(listener, "maison/+/temperature", QoS::AtLeastOnce);
    house.reading(message("maison/salon/temperature", "21.4"), QoS::ExactlyOnce, true);
    house.hears(listener, "maison/salon/temperature=21.4 q1");
    assert_eq!(house.broker.statistics().retained, 1);
    assert_eq!(house.broker.statistics().traffic.messages_own, 1);
    house.is_at_rest();
}

#[test]
fn traffic_is_counted() {
    let mut house = House::new();
    let listener = house.connect("listener");
    house.subscribe(listener, "t", QoS::AtMostOnce);
    let client = house.connect("a");
    house.publish(client, "t", "12345", QoS::AtLeastOnce);
    house.hears(listener, "t=12345 q0");
    let statistics = house.broker.statistics();
    assert_eq!((statistics.connections, statistics.clients_connected), (2, 2));
    assert_eq!((statistics.sessions, statistics.subscriptions), (2, 1));
    let traffic = statistics.traffic;
    assert_eq!((traffic.packets_received, traffic.packets_sent), (4, 5));
    assert_eq!((traffic.messages_received, traffic.messages_sent), (1, 1));
    assert_eq!((traffic.payload_bytes_received, traffic.payload_bytes_sent), (5, 5));
    house.is_at_rest();
}

/// [MQTT-3.3.1-3]: DUP is of one transmission.
#[test]
fn a_publishers_dup_is_not_passed_on() {
    let mut house = House::new();
    let listener = house.connect("listener");
    house.subscribe(listener, "t", QoS::AtLeastOnce);
    let client = house.connect("a");
    house.publish_packet(client, Publish { dup: true, ..publish("t", "1", QoS::AtLeastOnce) });
    house.hears(listener, "t=1 q1");
    house.is_at_rest();
}

/// [MQTT-4.7.3-4]: topics are compared as they are.
#[test]
fn topics_of_any_letters_are_routed() {
    let mut house = House::new();
    let listener = house.connect("listener");
    house.subscribe(listener, "étage/+/#", QoS::AtMostOnce);
    let client = house.connect("a");
    house.publish(client, "étage/1/🌡", "20", QoS::AtLeastOnce);
    house.publish(client, "Étage/1", "20", QoS::AtLeastOnce);
    house.publish(client, "e\u{301}tage/1", "20", QoS::AtLeastOnce);
    house.publish(client, "étage//", "0", QoS::AtLeastOnce);
    house.hears(listener, "étage/1/🌡=20 q0");
    house.hears(listener, "étage//=0 q0");
    house.is_at_rest();
}
