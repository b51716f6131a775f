//! PUBLISH to a client: expiry, properties, Receive Maximum, Maximum Packet Size.

use std::time::Duration;

use super::*;
use crate::mqtt::{
    Acknowledgement, Connect, Message, MessageProperties, Publish, QoS, UserProperty,
};

fn expiring(seconds: u64) -> Message {
    let message_expiry = Some(Duration::from_secs(seconds));
    let properties = MessageProperties { message_expiry, ..MessageProperties::default() };
    Message { properties: properties.shared(), ..message("t", "1") }
}

fn expiry(publish: &Publish) -> Option<u64> {
    let properties = publish.message.properties.as_ref()?;
    properties.message_expiry.map(|it| it.as_secs())
}

fn publish_message(house: &mut House, message: Message) {
    let client = house.connect("publisher");
    let publish = Publish { message, ..publish("t", "1", QoS::AtLeastOnce) };
    house.publish_packet(client, publish);
}

/// [MQTT-3.3.2-5], [MQTT-3.3.2-6]
#[test]
fn the_rest_of_its_life_goes_with_a_message() {
    let mut house = House::new();
    let client = house.connect_as(v5_lasting("a")).0;
    house.subscribe(client, "t", QoS::AtLeastOnce);
    house.cut(client);
    publish_message(&mut house, expiring(20));
    publish_message(&mut house, expiring(40));
    house.pass(Duration::from_secs(25));
    let client = house.connect_as(v5_lasting("a")).0;
    assert_eq!(expiry(&house.gets_any(client)), Some(15));
    house.reads_nothing(client);
}

/// [MQTT-3.3.2-6]: of retained messages too.
#[test]
fn a_retained_message_says_the_rest_of_its_life() {
    let mut house = House::new();
    let publisher = house.connect("publisher");
    let retained =
        Publish { retain: true, message: expiring(20), ..publish("t", "1", QoS::AtLeastOnce) };
    house.publish_packet(publisher, retained);
    house.pass(Duration::from_secs(5));
    let client = house.connect_as(v5("a")).0;
    house.subscribe(client, "t", QoS::AtMostOnce);
    assert_eq!(expiry(&house.gets_any(client)), Some(15));
    house.pass(Duration::from_secs(15));
    house.subscribe(client, "t", QoS::AtMostOnce);
    house.reads_nothing(client);
}

/// [MQTT-3.3.2-4], [MQTT-3.3.2-15] to [MQTT-3.3.2-18], [MQTT-3.3.2-20]
#[test]
fn the_properties_of_a_message_arrive_unchanged() {
    let mut house = House::new();
    let client = house.connect_as(v5("a")).0;
    house.subscribe(client, "t", QoS::AtLeastOnce);
    let pair = |name: &str, value: &str| UserProperty { name: name.into(), value: value.into() };
    let properties = MessageProperties {
        payload_is_utf8: true,
        message_expiry: None,
        content_type: Some("text/plain".into()),
        response_topic: Some("answer".into()),
        correlation_data: Some(bytes::Bytes::from_static(b"\0\xff")),
        user_properties: vec![pair("b", "1"), pair("a", "2"), pair("a", "1")],
    };
    let message = Message { properties: properties.shared(), ..message("t", "é") };
    publish_message(&mut house, message.clone());
    assert_eq!(house.gets_any(client).message, message);
}

/// [MQTT-3.3.4-9]
#[test]
fn no_more_is_under_way_than_the_client_takes() {
    let mut house = House::new();
    let properties = properties(|it| it.receive_maximum = 2.try_into().unwrap());
    let client = house.connect_as(Connect { properties, ..v5("a") }).0;
    house.subscribe(client, "t", QoS::AtLeastOnce);
    let publisher = house.connect("publisher");
    for number in 0..5 {
        house.publish(publisher, "t", &number.to_string(), QoS::AtLeastOnce);
    }
    assert_eq!(house.unread(client), 2);
    for number in 0..5 {
        house.hears(client, &format!("t={number} q1"));
    }
    house.is_at_rest();
}

/// 4.9: the count begins anew with each connection, also for what is sent again.
#[test]
fn a_smaller_receive_maximum_holds_for_resends() {
    let mut house = House::new();
    let client = house.connect_as(v5_lasting("a")).0;
    house.subscribe(client, "t", QoS::ExactlyOnce);
    let publisher = house.connect("publisher");
    for number in 0..6 {
        house.publish(publisher, "t", &number.to_string(), QoS::ExactlyOnce);
    }
    house.cut(client);
    let mut again = v5_lasting("a");
    again.properties.receive_maximum = 2.try_into().unwrap();
    let client = house.connect_as(again).0;
    assert_eq!(house.unread(client), 2);
    for number in 0..6 {
        house.hears(client, &format!("t={number} q2 dup"));
    }
    house.is_at_rest();
}

/// [MQTT-3.1.2-24], [MQTT-3.1.2-25]
#[test]
fn a_message_too_large_for_a_client_is_as_if_it_had_it() {
    let mut house = House::new();
    let properties = properties(|it| it.maximum_packet_size = Some(30));
    let client = house.connect_as(Connect { properties, ..v5("a") }).0;
    house.subscribe(client, "t", QoS::ExactlyOnce);
    let publisher = house.connect("publisher");
    for payload in ["x".repeat(100), "small".to_owned()] {
        house.publish(publisher, "t", &payload, QoS::ExactlyOnce);
    }
    house.hears(client, "t=small q2");
    assert_eq!(house.broker.statistics().traffic.messages_too_large, 1);
    house.is_at_rest();
}

/// [MQTT-4.3.3-4]: no PUBREL follows a refusal.
#[test]
fn a_message_that_its_receiver_refuses_is_over() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut house = House::new();
        let client = house.connect_as(v5_lasting("a")).0;
        house.subscribe(client, "t", qos);
        let publisher = house.connect("publisher");
        house.publish(publisher, "t", "1", qos);
        let packet_id = house.gets(client, &format!("t=1 q{}", qos.bits()));
        let (reason, properties) = (ReasonCode::QuotaExceeded, None);
        let refusal = Acknowledgement { packet_id, reason, properties };
        house.send(
            client,
            match qos {
                QoS::ExactlyOnce => Packet::PubRec(refusal),
                _ => Packet::PubAck(refusal),
            },
        );
        house.is_at_rest();
    }
}

/// 3.6.2.1
#[test]
fn a_receipt_of_nothing_is_released_with_its_reason() {
    let mut house = House::new();
    let client = house.connect_as(v5("a")).0;
    house.send(client, Packet::PubRec(success(id(9))));
    let Packet::PubRel(release) = house.read(client) else { panic!("no PUBREL") };
    assert_eq!(release.reason, ReasonCode::PacketIdentifierNotFound);
}

/// [MQTT-3.3.2-6]: as long as it lives it has a second.
#[test]
fn the_rest_of_a_life_is_rounded_up() {
    let mut house = House::new();
    let client = house.connect_as(v5_lasting("a")).0;
    house.subscribe(client, "t", QoS::AtLeastOnce);
    house.cut(client);
    publish_message(&mut house, expiring(20));
    house.pass(Duration::from_millis(19_001));
    let client = house.connect_as(v5_lasting("a")).0;
    assert_eq!(expiry(&house.gets_any(client)), Some(1));
}

/// [MQTT-3.3.4-10], [MQTT-4.9.0-3]
#[test]
fn answers_do_not_wait_for_the_window() {
    let mut house = House::new();
    let properties = properties(|it| it.receive_maximum = 1.try_into().unwrap());
    let client = house.connect_as(Connect { properties, ..v5("a") }).0;
    house.subscribe(client, "t", QoS::ExactlyOnce);
    let publisher = house.connect("publisher");
    for payload in ["1", "2"] {
        house.publish(publisher, "t", payload, QoS::ExactlyOnce);
    }
    let first = house.gets(client, "t=1 q2");
    house.reads_nothing(client);
    house.send(client, Packet::PingReq);
    house.reads(client, &Packet::PingResp);
    house.subscribe(client, "v", QoS::AtMostOnce);
    house.unsubscribe(client, "v");
    let listener = house.connect("listener");
    house.subscribe(listener, "u", QoS::AtMostOnce);
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        house.publish(client, "u", "mine", qos);
        house.hears(listener, "u=mine q0");
    }
    house.take_over(client, first);
    house.hears(client, "t=2 q2");
    house.is_at_rest();
}
