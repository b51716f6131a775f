//! How the version of a connection is learnt, and what each version has.

use std::num::NonZeroU16;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

use super::{decode, drain, frame};
use crate::mqtt::{
    Acknowledgement, AcknowledgementProperties, Auth, Connect, ConnectAcknowledgement,
    ConnectAcknowledgementProperties, ConnectProperties, Credentials, Decoder, Delivery,
    Disconnect, DisconnectProperties, Encoder, Message, Packet, Publish, QoS, ReasonCode, Role,
    SubscribeAcknowledgement, TopicName, UnsubscribeAcknowledgement, Version, encoded_len,
};

/// The version that a decoder knows after that CONNECT, and the reason if it was refused.
#[track_caller]
fn check_learnt(body: &[u8], version: Option<Version>, refusal: Option<ReasonCode>) {
    let mut decoder = Decoder::new(Role::Client, 1024);
    let outcome = decoder.next(&mut BytesMut::from(&frame(0x10, body)[..]));
    assert_eq!(outcome.err().map(|error| error.reason), refusal);
    assert_eq!(decoder.version(), version);
}

/// [MQTT-3.1.2-1], [MQTT-3.1.2-2]: a refusal needs a version to be written in.
#[test]
fn version_is_learnt_from_the_connect() {
    check_learnt(b"\0\x06MQIsdp\x03\x02\0\0\0\x01a", Some(Version::V3_1), None);
    check_learnt(b"\0\x04MQTT\x04\x02\0\0\0\0", Some(Version::V3_1_1), None);
    check_learnt(b"\0\x04MQTT\x05\x02\0\0\0\0\0", Some(Version::V5), None);
    let unsupported = Some(ReasonCode::UnsupportedProtocolVersion);
    check_learnt(b"\0\x04MQTT\x06\x02\0\0\0\0\0", Some(Version::V5), unsupported);
    check_learnt(b"\0\x04MQTT\x84\x02\0\0\0\0", Some(Version::V3_1_1), unsupported);
    check_learnt(b"\0\x04HTTP\x04\x02\0\0\0\0", Some(Version::V3_1_1), unsupported);
    let malformed = Some(ReasonCode::MalformedPacket);
    check_learnt(b"\0\x04MQTT\x05\x03\0\0\0\0\0", Some(Version::V5), malformed);
    check_learnt(b"\0\x04MQTT", None, malformed);
}

/// [MQTT-3.1.0-2] is the broker's: a second CONNECT comes out, and the version stays.
#[test]
fn second_connect_does_not_change_the_version() {
    let mut decoder = Decoder::new(Role::Client, 1024);
    let mut buffer = BytesMut::from(&frame(0x10, b"\0\x04MQTT\x04\x02\0\0\0\0")[..]);
    buffer.extend_from_slice(&frame(0x10, b"\0\x04MQTT\x05\x02\0\0\0\0\0"));
    assert_eq!(drain(&mut decoder, &mut buffer).unwrap().len(), 2);
    assert_eq!(decoder.version(), Some(Version::V3_1_1));
}

/// `packet` is written as `bytes` to a client of that version; empty is not at all.
#[track_caller]
fn check_written(version: Version, packet: &Packet, bytes: &[u8]) {
    let mut buffer = BytesMut::new();
    Encoder::new(version).encode(packet, &mut buffer);
    assert_eq!(buffer, bytes);
}

fn connack(reason: ReasonCode) -> Packet {
    let properties = ConnectAcknowledgementProperties::default();
    Packet::ConnAck(Box::new(ConnectAcknowledgement { session_present: true, reason, properties }))
}

/// 3.2.2.3 of 3.1.1; [MQTT-3.2.2-4] of it: no session is present with a refusal.
#[test]
fn refusals_are_return_codes_before_5_0() {
    let v3 = Version::V3_1_1;
    check_written(v3, &connack(ReasonCode::Success), &[0x20, 2, 1, 0]);
    check_written(Version::V3_1, &connack(ReasonCode::Success), &[0x20, 2, 0, 0]);
    check_written(v3, &connack(ReasonCode::UnsupportedProtocolVersion), &[0x20, 2, 0, 1]);
    check_written(v3, &connack(ReasonCode::ClientIdentifierNotValid), &[0x20, 2, 0, 2]);
    check_written(v3, &connack(ReasonCode::ServerBusy), &[0x20, 2, 0, 3]);
    check_written(v3, &connack(ReasonCode::BadUserNameOrPassword), &[0x20, 2, 0, 4]);
    check_written(v3, &connack(ReasonCode::NotAuthorized), &[0x20, 2, 0, 5]);
    check_written(Version::V5, &connack(ReasonCode::NotAuthorized), &[0x20, 3, 0, 0x87, 0]);
}

/// [MQTT-3.2.2-6] of 3.1.1: where no return code applies, closing says it.
#[test]
fn refusal_without_a_return_code_is_not_written_before_5_0() {
    let malformed = connack(ReasonCode::MalformedPacket);
    check_written(Version::V3_1_1, &malformed, &[]);
    assert_eq!(encoded_len(&malformed, Version::V3_1_1), None);
    check_written(Version::V5, &malformed, &[0x20, 3, 0, 0x81, 0]);
}

/// [MQTT-3.9.3-2] of 3.1.1.
#[test]
fn failed_subscriptions_have_one_code_before_5_0() {
    let suback = Packet::SubAck(SubscribeAcknowledgement {
        packet_id: NonZeroU16::MIN,
        reasons: vec![ReasonCode::GrantedQoS1, ReasonCode::NotAuthorized],
        properties: None,
    });
    check_written(Version::V3_1_1, &suback, &[0x90, 4, 0, 1, 1, 0x80]);
    check_written(Version::V5, &suback, &[0x90, 5, 0, 1, 0, 1, 0x87]);
}

#[test]
fn what_only_5_0_knows_is_not_written_before() {
    let v3 = Version::V3_1_1;
    let unsuback = Packet::UnsubAck(UnsubscribeAcknowledgement {
        packet_id: NonZeroU16::MIN,
        reasons: vec![ReasonCode::NoSubscriptionExisted],
        properties: None,
    });
    check_written(v3, &unsuback, &[0xB0, 2, 0, 1]);
    check_written(Version::V5, &unsuback, &[0xB0, 4, 0, 1, 0, 0x11]);
    let refused = Acknowledgement {
        reason: ReasonCode::NotAuthorized,
        ..Acknowledgement::success(NonZeroU16::MIN)
    };
    check_written(v3, &Packet::PubAck(refused.clone()), &[0x40, 2, 0, 1]);
    check_written(Version::V5, &Packet::PubAck(refused), &[0x40, 3, 0, 1, 0x87]);
}

#[test]
fn packets_that_a_server_or_a_version_lacks_are_not_written() {
    let disconnect = Packet::Disconnect(Box::new(Disconnect {
        reason: ReasonCode::ServerShuttingDown,
        properties: DisconnectProperties::default(),
    }));
    check_written(Version::V3_1_1, &disconnect, &[]);
    check_written(Version::V5, &disconnect, &[0xE0, 1, 0x8B]);
    let auth = Packet::Auth(Box::new(Auth {
        reason: ReasonCode::Success,
        method: None,
        data: None,
        properties: AcknowledgementProperties::default(),
    }));
    check_written(Version::V3_1_1, &auth, &[]);
    assert_eq!(encoded_len(&auth, Version::V3_1_1), None);
    check_written(Version::V5, &auth, &[0xF0, 0]);
    check_written(Version::V5, &Packet::PingReq, &[]);
}

fn connect(version: Version) -> Connect {
    Connect {
        version,
        client_id: ByteString::from_static("c"),
        clean_start: true,
        keep_alive: Duration::from_secs(100_000),
        will: None,
        credentials: Credentials { user: None, password: Some(Bytes::from_static(b"p")) },
        properties: ConnectProperties {
            session_expiry: Some(Duration::MAX),
            ..ConnectProperties::default()
        },
    }
}

/// [MQTT-3.1.2-22] of 3.1.1: there a password needs a user name; 3.1.2.11.2: all bits set would be
/// for ever.
#[test]
fn what_a_field_cannot_hold_is_written_as_the_nearest_it_can() {
    let mut buffer = BytesMut::new();
    let mut encoder = Encoder::with_role(Role::Client, Version::V3_1_1);
    encoder.encode(&Packet::Connect(Box::new(connect(Version::V3_1_1))), &mut buffer);
    assert_eq!(buffer, frame(0x10, b"\0\x04MQTT\x04\x02\xFF\xFF\0\x01c")[..]);

    buffer.clear();
    let mut encoder = Encoder::with_role(Role::Client, Version::V5);
    encoder.encode(&Packet::Connect(Box::new(connect(Version::V5))), &mut buffer);
    let body = b"\0\x04MQTT\x05\x42\xFF\xFF\x05\x11\xFF\xFF\xFF\xFE\0\x01c\0\x01p";
    assert_eq!(buffer, frame(0x10, body)[..]);
}

/// [MQTT-3.3.1-2].
#[test]
fn re_delivery_flag_is_not_written_with_qos_0() {
    let message =
        Message { topic: TopicName::new("a").unwrap(), payload: Bytes::new(), properties: None };
    let delivery = Delivery::AtMostOnce;
    let subscription_ids = Vec::new();
    let publish = Publish { dup: true, delivery, retain: true, message, subscription_ids };
    check_written(Version::V3_1_1, &Packet::Publish(publish), &frame(0x31, b"\0\x01a"));
}

/// 3.2.2.3.4: QoS 2 is what absence means.
#[test]
fn highest_maximum_qos_is_not_written() {
    let with = |maximum_qos| {
        let properties = ConnectAcknowledgementProperties {
            maximum_qos: Some(maximum_qos),
            ..ConnectAcknowledgementProperties::default()
        };
        let (session_present, reason) = (false, ReasonCode::Success);
        Packet::ConnAck(Box::new(ConnectAcknowledgement { session_present, reason, properties }))
    };
    check_written(Version::V5, &with(QoS::ExactlyOnce), &[0x20, 3, 0, 0, 0]);
    check_written(Version::V5, &with(QoS::AtLeastOnce), &[0x20, 5, 0, 0, 2, 0x24, 1]);
}

/// The first byte of a CONNACK has no meaning in 3.1.
#[test]
fn session_present_is_unknown_to_3_1() {
    let Packet::ConnAck(connack) = decode(Role::Server, Version::V3_1, &[0x20, 2, 0xFF, 0]) else {
        panic!("no CONNACK");
    };
    assert!(!connack.session_present);
}
