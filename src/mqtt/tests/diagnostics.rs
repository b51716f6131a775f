//! Words for people in an answer: they are sent as far as the peer has room for them.

use std::num::NonZeroU16;

use bytes::BytesMut;
use bytestring::ByteString;

use super::decode;
use crate::mqtt::{
    Acknowledgement, AcknowledgementProperties, Auth, ConnectAcknowledgement,
    ConnectAcknowledgementProperties, Disconnect, DisconnectProperties, Encoder, Packet,
    ReasonCode, Role, SubscribeAcknowledgement, UnsubscribeAcknowledgement, UserProperty, Version,
    encoded_len,
};

fn reason_string() -> Option<ByteString> {
    Some(ByteString::from_static("not for you"))
}

fn user_properties() -> Vec<UserProperty> {
    let (name, value) = (ByteString::from_static("name"), ByteString::from_static("value"));
    vec![UserProperty { name, value }]
}

fn words() -> AcknowledgementProperties {
    AcknowledgementProperties { reason_string: reason_string(), user_properties: user_properties() }
}

/// With words the packet is written to who takes it whole, without them to who takes a byte less,
/// and not at all to who takes not even that.
#[track_caller]
fn check(packet: &Packet, without_words: &[u8]) {
    let whole = encoded_len(packet, Version::V5).unwrap();
    let written = |packet_bytes_max: u32| {
        let mut buffer = BytesMut::new();
        let mut encoder = Encoder::new(Version::V5);
        encoder.set_packet_bytes_max(packet_bytes_max);
        encoder.encode(packet, &mut buffer);
        buffer
    };
    assert_eq!(decode(Role::Server, Version::V5, &written(whole)), *packet);
    assert_eq!(written(whole - 1), without_words);
    let length = u32::try_from(without_words.len()).unwrap();
    assert_eq!(written(length), without_words);
    assert!(written(length - 1).is_empty());
}

/// [MQTT-3.4.2-2], [MQTT-3.4.2-3], [MQTT-3.5.2-2], [MQTT-3.5.2-3], [MQTT-3.6.2-2],
/// [MQTT-3.6.2-3], [MQTT-3.7.2-2], [MQTT-3.7.2-3].
#[test]
fn answers_to_a_publish_go_without_words_where_there_is_no_room() {
    let with = |reason| Acknowledgement {
        packet_id: NonZeroU16::MIN,
        reason,
        properties: Some(Box::new(words())),
    };
    let (denied, unknown) = (ReasonCode::NotAuthorized, ReasonCode::PacketIdentifierNotFound);
    check(&Packet::PubAck(with(denied)), b"\x40\x03\0\x01\x87");
    check(&Packet::PubRec(with(denied)), b"\x50\x03\0\x01\x87");
    check(&Packet::PubRel(with(unknown)), b"\x62\x03\0\x01\x92");
    check(&Packet::PubComp(with(unknown)), b"\x70\x03\0\x01\x92");
    check(&Packet::PubAck(with(ReasonCode::Success)), b"\x40\x02\0\x01");
}

/// [MQTT-3.9.2-1], [MQTT-3.9.2-2], [MQTT-3.11.2-1], [MQTT-3.11.2-2].
#[test]
fn answers_to_subscriptions_go_without_words_where_there_is_no_room() {
    let (packet_id, properties) = (NonZeroU16::MIN, Some(Box::new(words())));
    let reasons = vec![ReasonCode::NotAuthorized];
    let suback = SubscribeAcknowledgement {
        packet_id,
        reasons: reasons.clone(),
        properties: properties.clone(),
    };
    check(&Packet::SubAck(suback), b"\x90\x04\0\x01\0\x87");
    let unsuback = UnsubscribeAcknowledgement { packet_id, reasons, properties };
    check(&Packet::UnsubAck(unsuback), b"\xB0\x04\0\x01\0\x87");
}

/// [MQTT-3.2.2-19], [MQTT-3.2.2-20], [MQTT-3.14.2-3], [MQTT-3.14.2-4]: what is no word stays.
#[test]
fn first_and_last_packets_go_without_words_where_there_is_no_room() {
    let properties = ConnectAcknowledgementProperties {
        topic_alias_maximum: Some(16),
        reason_string: reason_string(),
        user_properties: user_properties(),
        ..ConnectAcknowledgementProperties::default()
    };
    let (session_present, reason) = (false, ReasonCode::Success);
    let connack = ConnectAcknowledgement { session_present, reason, properties };
    check(&Packet::ConnAck(Box::new(connack)), b"\x20\x06\0\0\x03\x22\0\x10");
    let properties = DisconnectProperties {
        reason_string: reason_string(),
        user_properties: user_properties(),
        ..DisconnectProperties::default()
    };
    let disconnect = Disconnect { reason: ReasonCode::ServerShuttingDown, properties };
    check(&Packet::Disconnect(Box::new(disconnect)), b"\xE0\x01\x8B");
}

/// [MQTT-3.15.2-2], [MQTT-3.15.2-3].
#[test]
fn authentication_goes_without_words_where_there_is_no_room() {
    let auth = Auth {
        reason: ReasonCode::ContinueAuthentication,
        method: Some(ByteString::from_static("m")),
        data: None,
        properties: words(),
    };
    check(&Packet::Auth(Box::new(auth)), b"\xF0\x06\x18\x04\x15\0\x01m");
}
