//! The examples that the standards give, byte for byte.

use std::num::NonZeroU16;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

use super::{decode, frame};
use crate::mqtt::{
    Acknowledgement, Connect, ConnectAcknowledgement, ConnectAcknowledgementProperties,
    ConnectProperties, Credentials, Delivery, Disconnect, DisconnectProperties, Encoder, Message,
    Packet, PacketId, Publish, QoS, ReasonCode, RetainHandling, Role, Subscribe,
    SubscribeAcknowledgement, SubscribeFilter, TopicFilter, TopicName, Unsubscribe, Version, Will,
    WillProperties,
};

/// `packet` is written as `bytes`, and `bytes` are read as `packet`.
#[track_caller]
fn check(role: Role, version: Version, packet: &Packet, bytes: &[u8]) {
    let mut buffer = BytesMut::new();
    Encoder::with_role(role, version).encode(packet, &mut buffer);
    assert_eq!(buffer, bytes);
    assert_eq!(decode(role, version, bytes), *packet);
}

fn packet_id(id: u16) -> PacketId {
    NonZeroU16::new(id).unwrap()
}

fn filter(text: &str, qos: QoS) -> SubscribeFilter {
    SubscribeFilter {
        filter: TopicFilter::new(text).unwrap(),
        qos,
        no_local: false,
        retain_as_published: false,
        retain_handling: RetainHandling::Send,
    }
}

fn publish(delivery: Delivery, topic: &str, payload: &'static [u8]) -> Packet {
    let topic = TopicName::new(topic).unwrap();
    let message = Message { topic, payload: Bytes::from_static(payload), properties: None };
    let subscription_ids = Vec::new();
    Packet::Publish(Publish { dup: false, delivery, retain: false, message, subscription_ids })
}

fn connect(version: Version, properties: ConnectProperties) -> Packet {
    let message = Message {
        topic: TopicName::new("w").unwrap(),
        payload: Bytes::from_static(b"gone"),
        properties: None,
    };
    let properties_of_will = WillProperties::default();
    Packet::Connect(Box::new(Connect {
        version,
        client_id: ByteString::from_static("c"),
        clean_start: true,
        keep_alive: Duration::from_secs(10),
        will: Some(Will {
            message,
            qos: QoS::AtLeastOnce,
            retain: false,
            properties: properties_of_will,
        }),
        credentials: Credentials {
            user: Some(ByteString::from_static("u")),
            password: Some(Bytes::from_static(b"p")),
        },
        properties,
    }))
}

/// 3.1.2: the variable header is the example of 3.1.1 and of 5.0; the payload is ours.
#[test]
fn connect_with_everything() {
    let payload = b"\0\x01c\0\x01w\0\x04gone\0\x01u\0\x01p";
    let bytes = frame(0x10, &[&b"\0\x04MQTT\x04\xCE\0\x0A"[..], payload].concat());
    let packet = connect(Version::V3_1_1, ConnectProperties::default());
    check(Role::Client, Version::V3_1_1, &packet, &bytes);

    let bytes = frame(0x10, &[&b"\0\x06MQIsdp\x03\xCE\0\x0A"[..], payload].concat());
    let packet = connect(Version::V3_1, ConnectProperties::default());
    check(Role::Client, Version::V3_1, &packet, &bytes);

    let header = &b"\0\x04MQTT\x05\xCE\0\x0A\x05\x11\0\0\0\x0A"[..];
    let payload = b"\0\x01c\0\0\x01w\0\x04gone\0\x01u\0\x01p";
    let ten_seconds = Some(Duration::from_secs(10));
    let properties = ConnectProperties { session_expiry: ten_seconds, ..Default::default() };
    let bytes = frame(0x10, &[header, payload].concat());
    check(Role::Client, Version::V5, &connect(Version::V5, properties), &bytes);
}

/// 3.2.
#[test]
fn connack() {
    let accepted = Packet::ConnAck(Box::new(ConnectAcknowledgement {
        session_present: true,
        reason: ReasonCode::Success,
        properties: ConnectAcknowledgementProperties::default(),
    }));
    check(Role::Server, Version::V3_1_1, &accepted, &[0x20, 2, 1, 0]);
    check(Role::Server, Version::V5, &accepted, &[0x20, 3, 1, 0, 0]);
    let refused = Packet::ConnAck(Box::new(ConnectAcknowledgement {
        session_present: false,
        reason: ReasonCode::NotAuthorized,
        properties: ConnectAcknowledgementProperties::default(),
    }));
    check(Role::Server, Version::V3_1_1, &refused, &[0x20, 2, 0, 5]);
    check(Role::Server, Version::V5, &refused, &[0x20, 3, 0, 0x87, 0]);
}

/// 3.3.2: topic `a/b`, packet identifier 10, no properties.
#[test]
fn publish_with_packet_identifier_ten() {
    let packet = publish(Delivery::AtLeastOnce(packet_id(10)), "a/b", b"21.4");
    let sender = Role::Client;
    check(sender, Version::V3_1_1, &packet, &frame(0x32, b"\0\x03a/b\0\x0A21.4"));
    check(sender, Version::V5, &packet, &frame(0x32, b"\0\x03a/b\0\x0A\x0021.4"));
    let packet = publish(Delivery::AtMostOnce, "étage", b"");
    check(sender, Version::V3_1_1, &packet, &frame(0x30, b"\0\x06\xC3\xA9tage"));
}

/// 1.5.4: the letter A and U+2A6D4.
#[test]
fn text_beyond_the_basic_plane() {
    let packet = publish(Delivery::AtMostOnce, "A𪛔", b"");
    let bytes = frame(0x30, &[0x00, 0x05, 0x41, 0xF0, 0xAA, 0x9B, 0x94]);
    check(Role::Server, Version::V3_1_1, &packet, &bytes);
}

#[test]
fn acknowledgements_are_as_short_as_can_be() {
    let success = Acknowledgement::success(packet_id(0x1234));
    for version in [Version::V3_1, Version::V3_1_1, Version::V5] {
        let sender = Role::Client;
        check(sender, version, &Packet::PubAck(success.clone()), &[0x40, 2, 0x12, 0x34]);
        check(sender, version, &Packet::PubRec(success.clone()), &[0x50, 2, 0x12, 0x34]);
        check(sender, version, &Packet::PubRel(success.clone()), &[0x62, 2, 0x12, 0x34]);
        check(sender, version, &Packet::PubComp(success.clone()), &[0x70, 2, 0x12, 0x34]);
        check(sender, version, &Packet::PingReq, &[0xC0, 0]);
        check(Role::Server, version, &Packet::PingResp, &[0xD0, 0]);
    }
    let unknown =
        Acknowledgement { reason: ReasonCode::PacketIdentifierNotFound, ..success.clone() };
    check(Role::Server, Version::V5, &Packet::PubRel(unknown), &[0x62, 3, 0x12, 0x34, 0x92]);
}

/// 3.8.2 and 3.8.3: `a/b` at QoS 1, `c/d` at QoS 2.
#[test]
fn subscribe_and_its_answer() {
    let packet = Packet::Subscribe(Subscribe {
        packet_id: packet_id(10),
        filters: vec![filter("a/b", QoS::AtLeastOnce), filter("c/d", QoS::ExactlyOnce)],
        subscription_id: None,
        user_properties: Vec::new(),
    });
    let bytes = frame(0x82, b"\0\x0A\0\x03a/b\x01\0\x03c/d\x02");
    check(Role::Client, Version::V3_1_1, &packet, &bytes);
    let bytes = frame(0x82, b"\0\x0A\0\0\x03a/b\x01\0\x03c/d\x02");
    check(Role::Client, Version::V5, &packet, &bytes);

    let packet = Packet::SubAck(SubscribeAcknowledgement {
        packet_id: packet_id(10),
        reasons: vec![ReasonCode::Success, ReasonCode::GrantedQoS2, ReasonCode::UnspecifiedError],
        properties: None,
    });
    check(Role::Server, Version::V3_1_1, &packet, &frame(0x90, b"\0\x0A\0\x02\x80"));
    check(Role::Server, Version::V5, &packet, &frame(0x90, b"\0\x0A\0\0\x02\x80"));
}

/// 3.8.3.1: all options of a filter.
#[test]
fn subscription_options() {
    let packet = Packet::Subscribe(Subscribe {
        packet_id: packet_id(1),
        filters: vec![SubscribeFilter {
            no_local: true,
            retain_as_published: true,
            retain_handling: RetainHandling::Never,
            ..filter("#", QoS::AtLeastOnce)
        }],
        subscription_id: Some(128),
        user_properties: Vec::new(),
    });
    let bytes = frame(0x82, b"\0\x01\x03\x0B\x80\x01\0\x01#\x2D");
    check(Role::Client, Version::V5, &packet, &bytes);
}

/// 3.10.2 and 3.10.3.
#[test]
fn unsubscribe() {
    let filters = ["a/b", "c/d"].map(|text| TopicFilter::new(text).unwrap()).to_vec();
    let user_properties = Vec::new();
    let packet =
        Packet::Unsubscribe(Unsubscribe { packet_id: packet_id(10), filters, user_properties });
    let sender = Role::Client;
    check(sender, Version::V3_1_1, &packet, &frame(0xA2, b"\0\x0A\0\x03a/b\0\x03c/d"));
    check(sender, Version::V5, &packet, &frame(0xA2, b"\0\x0A\0\0\x03a/b\0\x03c/d"));
}

/// 3.14.2: normal disconnection with a session expiry of 5 seconds.
#[test]
fn disconnect() {
    let sender = Role::Client;
    let properties = DisconnectProperties::default();
    let normal = Disconnect { reason: ReasonCode::Success, properties };
    let packet = Packet::Disconnect(Box::new(normal));
    check(sender, Version::V3_1_1, &packet, &[0xE0, 0]);
    check(sender, Version::V5, &packet, &[0xE0, 0]);
    let five_seconds = Some(5);
    let properties =
        DisconnectProperties { session_expiry_seconds: five_seconds, ..Default::default() };
    let expiring = Disconnect { reason: ReasonCode::Success, properties };
    let packet = Packet::Disconnect(Box::new(expiring));
    check(sender, Version::V5, &packet, &frame(0xE0, b"\0\x05\x11\0\0\0\x05"));
}
