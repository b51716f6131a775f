//! PUBLISH from a client: reasons, Receive Maximum, payload format.

use std::time::Duration;

use super::*;
use crate::mqtt::{Acknowledgement, Connect, Delivery, MessageProperties, Publish, QoS, Will};

#[track_caller]
fn answer(house: &mut House, client: house::Client, publish: Publish) -> Acknowledgement {
    house.send(client, Packet::Publish(publish));
    match house.read(client) {
        Packet::PubAck(answer) | Packet::PubRec(answer) => answer,
        other => panic!("no answer: {other:?}"),
    }
}

fn not_utf8(qos: QoS) -> Publish {
    let mut publish = publish("t", "", qos);
    publish.message.payload = bytes::Bytes::from_static(b"\xff");
    let properties = MessageProperties { payload_is_utf8: true, ..MessageProperties::default() };
    publish.message.properties = properties.shared();
    publish
}

/// 3.4.2.1, 3.5.2.1
#[test]
fn a_publisher_is_told_that_nobody_listens() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut house = House::new();
        let client = house.connect_as(v5("a")).0;
        let answer = answer(&mut house, client, publish("t", "1", qos));
        assert_eq!(answer.reason, ReasonCode::NoMatchingSubscribers);
        assert_eq!(answer.properties, None);
    }
}

/// [MQTT-3.3.5-2], [MQTT-3.1.2-29]
#[test]
fn a_publication_that_is_not_allowed_is_refused_in_words_if_wanted() {
    for (is_wanted, qos) in [(true, QoS::AtLeastOnce), (false, QoS::ExactlyOnce)] {
        let mut house = House::new();
        let properties = properties(|it| it.request_problem_information = is_wanted);
        let client = house.connect_as(Connect { properties, ..v5("a") }).0;
        let answer = answer(&mut house, client, publish("maison/salon/temperature", "99", qos));
        assert_eq!(answer.reason, ReasonCode::NotAuthorized);
        assert_eq!(answer.properties.is_some(), is_wanted);
        house.is_at_rest();
    }
}

/// 3.3.2.3.2
#[test]
fn a_payload_that_is_no_text_as_it_says_is_refused() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut house = House::new();
        let client = house.connect_as(v5("a")).0;
        let answer = answer(&mut house, client, not_utf8(qos));
        assert_eq!(answer.reason, ReasonCode::PayloadFormatInvalid);
        house.is_at_rest();
    }
    let mut house = House::new();
    let client = house.connect_as(v5("a")).0;
    house.send(client, Packet::Publish(not_utf8(QoS::AtMostOnce)));
    assert_eq!(sent_away(&mut house, client).0, ReasonCode::PayloadFormatInvalid);
}

/// [MQTT-3.3.4-7], 4.9
#[test]
fn one_message_more_than_receive_maximum_ends_the_connection() {
    let mut house = House::with(|settings| {
        settings.bounds.receive_maximum = 3.try_into().unwrap();
    });
    let client = house.connect_as(v5("a")).0;
    for number in 1..=3 {
        let delivery = Delivery::ExactlyOnce(id(number));
        let publish = Publish { delivery, ..publish("t", "1", QoS::ExactlyOnce) };
        assert!(!answer(&mut house, client, publish).reason.is_failure());
    }
    let again = Publish {
        dup: true,
        delivery: Delivery::ExactlyOnce(id(3)),
        ..publish("t", "1", QoS::ExactlyOnce)
    };
    assert_eq!(answer(&mut house, client, again).reason, ReasonCode::Success);
    let one_more =
        Publish { delivery: Delivery::ExactlyOnce(id(4)), ..publish("t", "1", QoS::ExactlyOnce) };
    house.send(client, Packet::Publish(one_more));
    assert_eq!(sent_away(&mut house, client).0, ReasonCode::ReceiveMaximumExceeded);
}

/// 3.5.2.1: a refused message is over, its identifier can be used again.
#[test]
fn a_refused_qos_2_message_takes_no_place() {
    let mut house = House::with(|settings| {
        settings.bounds.receive_maximum = 1.try_into().unwrap();
    });
    let client = house.connect_as(v5("a")).0;
    for _ in 0..3 {
        let answer = answer(&mut house, client, not_utf8(QoS::ExactlyOnce));
        assert_eq!(answer.reason, ReasonCode::PayloadFormatInvalid);
    }
    house.is_at_rest();
}

/// 3.7.2.1
#[test]
fn a_release_of_nothing_is_answered_by_its_reason() {
    let mut house = House::new();
    let client = house.connect_as(v5("a")).0;
    house.send(client, Packet::PubRel(success(id(9))));
    let Packet::PubComp(answer) = house.read(client) else { panic!("no PUBCOMP") };
    assert_eq!(answer.reason, ReasonCode::PacketIdentifierNotFound);
}

/// 3.4.2.1
#[test]
fn a_full_store_of_retained_messages_refuses_the_next() {
    let mut house = House::with(|settings| settings.bounds.retained_bytes = 1000);
    let client = house.connect_as(v5("a")).0;
    house.subscribe(client, "t", QoS::AtMostOnce);
    let large = Publish { retain: true, ..publish("t", &"x".repeat(1000), QoS::AtLeastOnce) };
    assert_eq!(answer(&mut house, client, large).reason, ReasonCode::QuotaExceeded);
    house.is_at_rest();
}

#[test]
fn a_topic_deeper_than_the_bound_is_refused() {
    let mut house = House::with(|settings| settings.bounds.topic_levels = 3);
    let client = house.connect_as(v5("a")).0;
    let publish = publish("a/b/c/d", "1", QoS::AtLeastOnce);
    assert_eq!(answer(&mut house, client, publish).reason, ReasonCode::TopicNameInvalid);
    let will: Option<Will> = Some(super::super::will("a/b/c/d", "1", QoS::AtMostOnce));
    let (_, answer) = house.try_connect(Connect { will, ..v5("b") });
    assert_eq!(answer.reason, ReasonCode::TopicNameInvalid);
}

/// [MQTT-4.3.3-9]: under the identifier of a refused message comes a new one.
#[test]
fn a_message_under_a_refused_identifier_is_a_new_one() {
    let mut house = House::new();
    let listener = house.connect("listener");
    house.subscribe(listener, "t", QoS::AtMostOnce);
    let client = house.connect_as(v5("a")).0;
    assert!(answer(&mut house, client, not_utf8(QoS::ExactlyOnce)).reason.is_failure());
    house.publish_packet(client, Publish { dup: true, ..publish("t", "2", QoS::ExactlyOnce) });
    house.hears(listener, "t=2 q0");
    house.is_at_rest();
}

/// [MQTT-4.3.3-13]
#[test]
fn an_expired_message_is_answered_to_the_end() {
    let mut house = House::new();
    let listener = house.connect_as(v5_lasting("listener")).0;
    house.subscribe(listener, "t", QoS::ExactlyOnce);
    house.cut(listener);
    let client = house.connect_as(v5("a")).0;
    let message_expiry = Some(Duration::from_secs(1));
    let properties = MessageProperties { message_expiry, ..MessageProperties::default() };
    let mut publish = publish("t", "1", QoS::ExactlyOnce);
    publish.message.properties = properties.shared();
    assert_eq!(answer(&mut house, client, publish.clone()).reason, ReasonCode::Success);
    house.pass(Duration::from_secs(2));
    assert_eq!(answer(&mut house, client, publish).reason, ReasonCode::Success, "sent again");
    house.send(client, Packet::PubRel(success(id(7))));
    house.reads(client, &Packet::PubComp(success(id(7))));
    let listener = house.connect_as(v5_lasting("listener")).0;
    house.reads_nothing(listener);
    house.is_at_rest();
}
