//! Refusals: each has its reason code and its words.

use bytes::BytesMut;

use super::super::super::Input;
use super::*;
use crate::limits::PACKET_BYTES_DEFAULT;
use crate::mqtt::{
    Connect, Credentials, Decoder, Delivery, MessageProperties, Publish, QoS, Role, TopicFilter,
};

/// A house in which everything can be refused.
fn strict() -> House {
    House::with(|settings| {
        settings.bounds.topic_levels = 3;
        settings.bounds.subscriptions_per_session = 1;
        settings.bounds.retained_bytes = 0;
        settings.bounds.receive_maximum = 1.try_into().unwrap();
        settings.bounds.sessions = 1;
        let private = TopicFilter::new("alarm/#").unwrap();
        settings.rights = settings.rights.clone().keeping_private(vec![private]);
    })
}

#[track_caller]
fn check_connack(reason: ReasonCode, connect: Connect) {
    let mut house = strict();
    house.connect("first");
    let (client, answer) = house.try_connect(connect);
    assert_eq!(answer.reason, reason);
    assert!(answer.properties.reason_string.is_some_and(|why| !why.is_empty()), "{reason:?}");
    assert!(house.is_closed(client));
    house.is_at_rest();
}

/// [MQTT-3.2.2-8]
#[test]
fn every_refusal_of_a_connect_has_its_code_and_its_words() {
    let will = |topic| Some(super::super::will(topic, "1", QoS::AtMostOnce));
    let wrong = bytes::Bytes::from_static(b"wrong");
    let credentials = Credentials { user: Some("bob".into()), password: Some(wrong) };
    let long = "x".repeat(crate::limits::CLIENT_ID_BYTES_MAX + 1);
    let enhanced = properties(|it| it.authentication_method = Some("SCRAM-SHA-1".into()));
    let small = properties(|it| it.maximum_packet_size = Some(5));
    check_connack(ReasonCode::BadUserNameOrPassword, Connect { credentials, ..v5("a") });
    check_connack(ReasonCode::ClientIdentifierNotValid, v5(&long));
    check_connack(ReasonCode::BadAuthenticationMethod, Connect { properties: enhanced, ..v5("a") });
    check_connack(ReasonCode::NotAuthorized, Connect { will: will("maison/x"), ..v5("a") });
    check_connack(ReasonCode::TopicNameInvalid, Connect { will: will("a/b/c/d"), ..v5("a") });
    check_connack(ReasonCode::PacketTooLarge, Connect { properties: small, ..v5("a") });
    check_connack(ReasonCode::QuotaExceeded, v5("a"));
}

/// [MQTT-3.4.2-1], [MQTT-3.5.2-1]
#[test]
fn every_refusal_of_a_message_has_its_code_and_its_words() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut house = strict();
        let client = house.connect_as(v5("a")).0;
        let retained = Publish { retain: true, ..publish("t", "1", qos) };
        let mut no_text = publish("t", "", qos);
        let says_text = MessageProperties { payload_is_utf8: true, ..Default::default() };
        no_text.message.properties = says_text.shared();
        no_text.message.payload = bytes::Bytes::from_static(b"\xff");
        for (reason, publish) in [
            (ReasonCode::NotAuthorized, publish("maison/salon/temperature", "99", qos)),
            (ReasonCode::TopicNameInvalid, publish("a/b/c/d", "1", qos)),
            (ReasonCode::QuotaExceeded, retained),
            (ReasonCode::PayloadFormatInvalid, no_text),
        ] {
            house.send(client, Packet::Publish(publish));
            let answer = house.read(client);
            let (Packet::PubAck(answer) | Packet::PubRec(answer)) = answer else {
                panic!("no answer: {answer:?}")
            };
            assert_eq!(answer.reason, reason);
            let words = answer.properties.and_then(|it| it.reason_string);
            assert!(words.is_some_and(|why| !why.is_empty()), "{reason:?}");
        }
        house.is_at_rest();
    }
}

/// [MQTT-3.9.3-2]
#[test]
fn every_refusal_of_a_filter_has_its_code_and_its_words() {
    for (reason, filter) in [
        (ReasonCode::TopicFilterInvalid, "a/b/c/d"),
        (ReasonCode::NotAuthorized, "alarm/#"),
        (ReasonCode::NotAuthorized, "$share/g/alarm"),
        (ReasonCode::QuotaExceeded, "one/more"),
    ] {
        let mut house = strict();
        let client = house.connect_as(v5("a")).0;
        house.subscribe(client, "one", QoS::AtMostOnce);
        let answer = house.subscribe_packet(client, vec![wanted(filter, QoS::AtMostOnce)], None);
        assert_eq!(answer.reasons, [reason]);
        let words = answer.properties.and_then(|it| it.reason_string);
        assert!(words.is_some_and(|why| !why.is_empty()), "{reason:?}");
        house.is_at_rest();
    }
}

/// 3.3.4, 3.1.2.11.3: more at a time than was said, and a packet larger than was said.
#[test]
fn more_than_was_agreed_ends_the_connection_with_its_code() {
    let mut house = strict();
    let client = house.connect_as(v5("a")).0;
    for number in [1, 2] {
        let delivery = Delivery::ExactlyOnce(id(number));
        let publish = Publish { delivery, ..publish("t", "1", QoS::ExactlyOnce) };
        house.send(client, Packet::Publish(publish));
    }
    assert!(matches!(house.read(client), Packet::PubRec(_)));
    assert_eq!(sent_away(&mut house, client).0, ReasonCode::ReceiveMaximumExceeded);

    let (client, answer) = house.try_connect(v5("a"));
    let said = answer.properties.maximum_packet_size;
    assert_eq!(said, Some(PACKET_BYTES_DEFAULT));
    let mut decoder = Decoder::new(Role::Client, PACKET_BYTES_DEFAULT);
    decoder.set_version(crate::mqtt::Version::V5);
    // The fixed header of a packet of one byte more.
    let error = decoder.next(&mut BytesMut::from(&b"\x30\xfd\xff\x3f"[..])).unwrap_err();
    house.tell(Input::Malformed { connection: client, error });
    assert_eq!(sent_away(&mut house, client).0, ReasonCode::PacketTooLarge);
    house.is_at_rest();
}
