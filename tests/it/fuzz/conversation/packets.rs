//! Packets of clients, made of choices among few names and numbers, so that they meet.

use std::time::Duration;

use bytes::Bytes;
use maison::limits::UNWRITTEN_BYTES_MAX;
use maison::mqtt::{
    Acknowledgement, AcknowledgementProperties, Auth, Connect, ConnectProperties, Credentials,
    Delivery, Disconnect, DisconnectProperties, Message, MessageProperties, Packet, PacketId,
    Publish, QoS, ReasonCode, RetainHandling, Subscribe, SubscribeFilter, TopicFilter, TopicName,
    Unsubscribe, UserProperty, Version, Will, WillProperties,
};

use super::super::source::Source;

/// Whether a message has some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Properties {
    Any,
    None,
}

static ZEROS: [u8; UNWRITTEN_BYTES_MAX] = [0; UNWRITTEN_BYTES_MAX];

/// What a client of that version may say.
pub(super) fn packet(source: &mut Source<'_>, version: Option<Version>) -> Packet {
    let kind = source.byte() % 24;
    let Some(version) = version else { return Packet::Connect(Box::new(connect(source))) };
    match kind {
        0..8 => Packet::Publish(publish(source, version)),
        8 => Packet::PubAck(acknowledgement(source, version)),
        9 => Packet::PubRec(acknowledgement(source, version)),
        10 | 11 => Packet::PubRel(acknowledgement(source, version)),
        12 => Packet::PubComp(acknowledgement(source, version)),
        13..18 => Packet::Subscribe(subscribe(source, version)),
        18 => Packet::Unsubscribe(unsubscribe(source)),
        19 => Packet::PingReq,
        20 | 21 => Packet::Disconnect(Box::new(disconnect(source, version))),
        22 => Packet::Auth(Box::new(auth(source))),
        _ => Packet::Connect(Box::new(connect(source))),
    }
}

pub(super) fn connect(source: &mut Source<'_>) -> Connect {
    let version = source.choose(&[Version::V5, Version::V3_1_1, Version::V3_1]);
    let client_id = source.choose(&["a", "b", "c", "d", "e", "f", "g", ""]);
    let clean_start = source.byte() & 1 == 0;
    let keep_alive = Duration::from_secs(source.choose(&[0, 1, 5, 60, 65_535]));
    let user = source.choose(&[None, Some("alice")]);
    Connect {
        version,
        client_id: client_id.into(),
        clean_start,
        keep_alive,
        will: source.seldom().then(|| will(source, version)),
        credentials: Credentials { user: user.map(Into::into), password: None },
        properties: match version {
            Version::V5 => connect_properties(source),
            Version::V3_1 | Version::V3_1_1 => ConnectProperties::default(),
        },
    }
}

fn connect_properties(source: &mut Source<'_>) -> ConnectProperties {
    let expiries = [Some(0), Some(5), Some(1000), None].map(|time| time.map(Duration::from_secs));
    ConnectProperties {
        session_expiry: source.choose(&expiries),
        receive_maximum: source.choose(&[1, 2, 5, 65_535].map(|max| PacketId::new(max).unwrap())),
        maximum_packet_size: source.choose(&[None, None, Some(8), Some(30), Some(300)]),
        topic_alias_maximum: source.choose(&[0, 1, 65_535]),
        request_response_information: source.seldom(),
        request_problem_information: !source.seldom(),
        user_properties: user_properties(source),
        authentication_method: source.seldom().then(|| "method".into()),
        authentication_data: None,
    }
}

fn will(source: &mut Source<'_>, version: Version) -> Will {
    let delay = match version {
        Version::V5 => Duration::from_secs(source.choose(&[0, 1, 5, 100])),
        Version::V3_1 | Version::V3_1_1 => Duration::ZERO,
    };
    let message = message(source, properties_of(version));
    let (qos, retain) = (qos(source), source.seldom());
    Will { message, qos, retain, properties: WillProperties { delay } }
}

fn publish(source: &mut Source<'_>, version: Version) -> Publish {
    let delivery = match qos(source) {
        QoS::AtMostOnce => Delivery::AtMostOnce,
        QoS::AtLeastOnce => Delivery::AtLeastOnce(packet_id(source)),
        QoS::ExactlyOnce => Delivery::ExactlyOnce(packet_id(source)),
    };
    let (dup, retain) = (source.seldom(), source.seldom());
    let message = message(source, properties_of(version));
    Publish { dup, delivery, retain, message, subscription_ids: Vec::new() }
}

fn properties_of(version: Version) -> Properties {
    if version == Version::V5 { Properties::Any } else { Properties::None }
}

pub(super) fn message(source: &mut Source<'_>, properties: Properties) -> Message {
    let topics = ["a", "a/b", "a/b/c", "b", "b/b", "/", "maison/x", "$SYS/x", "étage/salon"];
    let topic = TopicName::new(source.choose(&topics)).unwrap();
    let lengths = [1, 0, 10, 100, 1, 1000, 15_000, 1, 1, 90_000, UNWRITTEN_BYTES_MAX];
    let payload = Bytes::from_static(&ZEROS[..source.choose(&lengths)]);
    let has_some = properties == Properties::Any && source.seldom();
    let properties = has_some.then(|| message_properties(source));
    Message { topic, payload, properties: properties.and_then(MessageProperties::shared) }
}

fn message_properties(source: &mut Source<'_>) -> MessageProperties {
    let expiries = [None, Some(0), Some(1), Some(10)].map(|time| time.map(Duration::from_secs));
    MessageProperties {
        payload_is_utf8: source.seldom(),
        message_expiry: source.choose(&expiries),
        content_type: source.seldom().then(|| "text/plain".into()),
        response_topic: source.seldom().then(|| "answer/here".into()),
        correlation_data: source.seldom().then(|| Bytes::from_static(b"7")),
        user_properties: user_properties(source),
    }
}

fn user_properties(source: &mut Source<'_>) -> Vec<UserProperty> {
    let property = UserProperty { name: "name".into(), value: "value".into() };
    vec![property; usize::from(source.choose(&[0_u8, 0, 0, 0, 0, 1, 2]))]
}

fn acknowledgement(source: &mut Source<'_>, version: Version) -> Acknowledgement {
    let mut answer = Acknowledgement::success(packet_id(source));
    if version == Version::V5 && source.seldom() {
        let reasons = [
            ReasonCode::UnspecifiedError,
            ReasonCode::QuotaExceeded,
            ReasonCode::PacketIdentifierNotFound,
        ];
        answer.reason = source.choose(&reasons);
        answer.properties = source.seldom().then(|| Box::new(diagnostics(source)));
    }
    answer
}

fn diagnostics(source: &mut Source<'_>) -> AcknowledgementProperties {
    let reason_string = source.seldom().then(|| "because".into());
    AcknowledgementProperties { reason_string, user_properties: user_properties(source) }
}

fn subscribe(source: &mut Source<'_>, version: Version) -> Subscribe {
    let is_5 = version == Version::V5;
    let handlings = [RetainHandling::Send, RetainHandling::SendIfNew, RetainHandling::Never];
    let one = |source: &mut Source<'_>| {
        let filter = filter(source);
        let options = if is_5 { source.byte() } else { 0 };
        SubscribeFilter {
            qos: qos(source),
            no_local: options & 0b1100 == 0b1100 && filter.shared().is_none(),
            retain_as_published: options & 0b11_0000 == 0b11_0000,
            retain_handling: handlings[usize::from(options & 0b11).min(2)],
            filter,
        }
    };
    let filters = (0..source.choose(&[1, 1, 1, 2, 3])).map(|_| one(source)).collect();
    let ids = [None, Some(1), Some(2), Some(268_435_455)];
    Subscribe {
        packet_id: packet_id(source),
        filters,
        subscription_id: is_5.then(|| source.choose(&ids)).flatten(),
        user_properties: if is_5 { user_properties(source) } else { Vec::new() },
    }
}

fn unsubscribe(source: &mut Source<'_>) -> Unsubscribe {
    let filters = vec![filter(source); usize::from(source.choose(&[1_u8, 1, 2]))];
    Unsubscribe { packet_id: packet_id(source), filters, user_properties: Vec::new() }
}

fn filter(source: &mut Source<'_>) -> TopicFilter {
    let filters = [
        "#",
        "a/#",
        "+",
        "a/+",
        "+/b",
        "a/b",
        "a/+/c",
        "$SYS/#",
        "maison/#",
        "b",
        "$share/g/#",
        "$share/g/a/+",
        "$share/h/a/b",
        "$share/g",
        "étage/salon/a/b/c/d/e/f/g",
    ];
    TopicFilter::new(source.choose(&filters)).unwrap()
}

fn disconnect(source: &mut Source<'_>, version: Version) -> Disconnect {
    if version != Version::V5 {
        let properties = DisconnectProperties::default();
        return Disconnect { reason: ReasonCode::Success, properties };
    }
    let reasons =
        [ReasonCode::Success, ReasonCode::DisconnectWithWill, ReasonCode::UnspecifiedError];
    Disconnect {
        reason: source.choose(&reasons),
        properties: DisconnectProperties {
            session_expiry_seconds: source.choose(&[None, Some(0), Some(5), Some(u32::MAX)]),
            reason_string: source.seldom().then(|| "good-bye".into()),
            user_properties: user_properties(source),
            server_reference: None,
        },
    }
}

fn auth(source: &mut Source<'_>) -> Auth {
    let reasons = [ReasonCode::ContinueAuthentication, ReasonCode::ReAuthenticate];
    Auth {
        reason: source.choose(&reasons),
        method: Some("method".into()),
        data: None,
        properties: AcknowledgementProperties::default(),
    }
}

pub(super) fn qos(source: &mut Source<'_>) -> QoS {
    source.choose(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
}

/// One of few.
fn packet_id(source: &mut Source<'_>) -> PacketId {
    PacketId::new(u16::from(source.byte() % 8) + 1).unwrap()
}
