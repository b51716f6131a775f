//! Any packet that one end may send in one version, in the form in which a decoder gives it.

use std::num::NonZeroU16;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::mqtt::{
    Acknowledgement, AcknowledgementProperties, Auth, Connect, ConnectAcknowledgement,
    ConnectAcknowledgementProperties, ConnectProperties, Credentials, Delivery, Disconnect,
    DisconnectProperties, Message, MessageProperties, Packet, PacketId, Publish, QoS, ReasonCode,
    RetainHandling, Role, Subscribe, SubscribeAcknowledgement, SubscribeFilter, TopicFilter,
    TopicName, Unsubscribe, UnsubscribeAcknowledgement, UserProperty, Version, Will,
    WillProperties,
};

pub(super) fn version() -> impl Strategy<Value = Version> {
    select(&[Version::V3_1, Version::V3_1_1, Version::V5])
}

pub(super) fn role() -> impl Strategy<Value = Role> {
    select(&[Role::Client, Role::Server])
}

/// One end, one version, and packets of theirs.
pub(super) fn conversation() -> impl Strategy<Value = (Role, Version, Vec<Packet>)> {
    (role(), version()).prop_flat_map(|(role, version)| {
        (Just(role), Just(version), vec(packet(role, version), 1..4))
    })
}

pub(super) fn packet(role: Role, version: Version) -> BoxedStrategy<Packet> {
    match role {
        Role::Client => prop_oneof![
            connect(version).prop_map(|connect| Packet::Connect(Box::new(connect))),
            either_sends(role, version),
            subscribe(version).prop_map(Packet::Subscribe),
            unsubscribe(version).prop_map(Packet::Unsubscribe),
            Just(Packet::PingReq),
            disconnect(role, version).prop_map(|packet| Packet::Disconnect(Box::new(packet))),
        ]
        .boxed(),
        Role::Server => prop_oneof![
            connack(version).prop_map(|connack| Packet::ConnAck(Box::new(connack))),
            either_sends(role, version),
            suback(version).prop_map(Packet::SubAck),
            unsuback(version).prop_map(Packet::UnsubAck),
            Just(Packet::PingResp),
        ]
        .boxed(),
    }
}

fn either_sends(role: Role, version: Version) -> BoxedStrategy<Packet> {
    use ReasonCode::{NotAuthorized, PacketIdentifierNotFound, QuotaExceeded, Success};
    let received = &[Success, NotAuthorized, QuotaExceeded];
    let released = &[Success, PacketIdentifierNotFound];
    let always = prop_oneof![
        publish(role, version).prop_map(Packet::Publish),
        acknowledgement(version, received).prop_map(Packet::PubAck),
        acknowledgement(version, received).prop_map(Packet::PubRec),
        acknowledgement(version, released).prop_map(Packet::PubRel),
        acknowledgement(version, released).prop_map(Packet::PubComp),
    ];
    match version {
        Version::V3_1 | Version::V3_1_1 => always.boxed(),
        Version::V5 => prop_oneof![
            6 => always,
            1 => auth(role).prop_map(|auth| Packet::Auth(Box::new(auth))),
            1 => disconnect(role, version).prop_map(|packet| Packet::Disconnect(Box::new(packet))),
        ]
        .boxed(),
    }
}

pub(crate) fn text() -> impl Strategy<Value = ByteString> {
    "[a-zA-Z0-9 é部𪛔\u{feff}]{0,12}".prop_map(ByteString::from)
}

fn binary() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

pub(crate) fn topic_name() -> impl Strategy<Value = TopicName> {
    "[a-zé/$]{1,30}".prop_map(|text| TopicName::new(text).unwrap())
}

pub(crate) fn topic_filter() -> impl Strategy<Value = TopicFilter> {
    "([a-zé$]{0,5}|\\+)(/[a-zé]{0,5}|/\\+){0,3}(/#)?"
        .prop_filter("not empty", |text| !text.is_empty())
        .prop_flat_map(|text| {
            let shared = format!("$share/groupe/{text}");
            prop_oneof![4 => Just(text), 1 => Just(shared)]
        })
        .prop_map(|text| TopicFilter::new(text).unwrap())
}

fn user_properties() -> impl Strategy<Value = Vec<UserProperty>> {
    let property = (text(), text()).prop_map(|(name, value)| UserProperty { name, value });
    vec(property, 0..3)
}

pub(crate) fn packet_id() -> impl Strategy<Value = PacketId> {
    any::<NonZeroU16>()
}

pub(crate) fn qos() -> impl Strategy<Value = QoS> {
    select(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
}

fn seconds() -> impl Strategy<Value = Duration> {
    any::<u32>().prop_map(|seconds| Duration::from_secs(seconds.into()))
}

/// What a version before 5.0 leaves at its default.
fn in_5<Value: Clone + Default + std::fmt::Debug + 'static>(
    version: Version,
    strategy: impl Strategy<Value = Value> + 'static,
) -> BoxedStrategy<Value> {
    if version == Version::V5 { strategy.boxed() } else { Just(Value::default()).boxed() }
}

pub(crate) fn message_properties() -> impl Strategy<Value = MessageProperties> {
    let first = (any::<bool>(), option::of(seconds()), option::of(text()));
    let last = (option::of(topic_name()), option::of(binary()), user_properties());
    (first, last).prop_map(|((payload_is_utf8, message_expiry, content_type), last)| {
        let (response_topic, correlation_data, user_properties) = last;
        MessageProperties {
            payload_is_utf8,
            message_expiry,
            content_type,
            response_topic: response_topic.map(|topic| ByteString::from(topic.as_str())),
            correlation_data,
            user_properties,
        }
    })
}

pub(crate) fn message(version: Version) -> impl Strategy<Value = Message> {
    let properties = in_5(version, message_properties()).prop_map(MessageProperties::shared);
    (topic_name(), binary(), properties).prop_map(|(topic, payload, properties)| Message {
        topic,
        payload,
        properties,
    })
}

fn publish(role: Role, version: Version) -> impl Strategy<Value = Publish> {
    let ids = match (role, version) {
        (Role::Server, Version::V5) => vec(1..=268_435_455_u32, 0..3).boxed(),
        _ => Just(Vec::new()).boxed(),
    };
    let delivery = (qos(), packet_id()).prop_map(|(qos, packet_id)| match qos {
        QoS::AtMostOnce => Delivery::AtMostOnce,
        QoS::AtLeastOnce => Delivery::AtLeastOnce(packet_id),
        QoS::ExactlyOnce => Delivery::ExactlyOnce(packet_id),
    });
    (any::<bool>(), delivery, any::<bool>(), message(version), ids).prop_map(
        |(dup, delivery, retain, message, subscription_ids)| {
            let dup = dup && delivery.qos() != QoS::AtMostOnce;
            Publish { dup, delivery, retain, message, subscription_ids }
        },
    )
}

pub(crate) fn will(version: Version) -> impl Strategy<Value = Will> {
    let properties = in_5(version, seconds().prop_map(|delay| WillProperties { delay }));
    (message(version), qos(), any::<bool>(), properties)
        .prop_map(|(message, qos, retain, properties)| Will { message, qos, retain, properties })
}

fn credentials(version: Version) -> impl Strategy<Value = Credentials> {
    (option::of(text()), option::of(binary())).prop_map(move |(user, password)| {
        let may_have = version == Version::V5 || user.is_some();
        Credentials { user, password: password.filter(|_| may_have) }
    })
}

fn connect_properties() -> impl Strategy<Value = ConnectProperties> {
    let expiry = option::of((0..u32::MAX).prop_map(|secs| Duration::from_secs(secs.into())));
    let numbers = (expiry, any::<NonZeroU16>(), option::of(1..=u32::MAX), any::<u16>());
    let method = option::of((text(), option::of(binary())));
    let wants = (any::<bool>(), any::<bool>());
    (numbers, wants, user_properties(), method).prop_map(|(numbers, wants, user, method)| {
        let (session_expiry, receive_maximum, maximum_packet_size, topic_alias_maximum) = numbers;
        let (authentication_method, data) = method.unzip();
        ConnectProperties {
            session_expiry,
            receive_maximum,
            maximum_packet_size,
            topic_alias_maximum,
            request_response_information: wants.0,
            request_problem_information: wants.1,
            user_properties: user,
            authentication_method,
            authentication_data: data.flatten(),
        }
    })
}

fn connect(version: Version) -> impl Strategy<Value = Connect> {
    let head = (text(), any::<bool>(), any::<u16>());
    let properties = in_5(version, connect_properties());
    (head, option::of(will(version)), credentials(version), properties).prop_map(
        move |((client_id, clean_start, keep_alive), will, credentials, properties)| Connect {
            version,
            client_id,
            clean_start,
            keep_alive: Duration::from_secs(keep_alive.into()),
            will,
            credentials,
            properties,
        },
    )
}

fn connack_properties() -> impl Strategy<Value = ConnectAcknowledgementProperties> {
    let flag = || option::of(any::<bool>());
    let short = || option::of(any::<u16>());
    let text = || option::of(text());
    let maximum_qos = option::of(select(&[QoS::AtMostOnce, QoS::AtLeastOnce]));
    let flags = (flag(), flag(), flag(), flag(), maximum_qos);
    let numbers = (option::of(any::<u32>()), option::of(1..=u32::MAX), short(), short());
    let texts = (text(), text(), text(), text());
    let method = option::of((super::strategies::text(), option::of(binary())));
    let receive_maximum = option::of(any::<NonZeroU16>());
    (flags, numbers, texts, user_properties(), method, receive_maximum).prop_map(
        |(flags, numbers, texts, user_properties, method, receive_maximum)| {
            let (authentication_method, data) = method.unzip();
            ConnectAcknowledgementProperties {
                session_expiry_seconds: numbers.0,
                receive_maximum,
                maximum_qos: flags.4,
                retain_available: flags.0,
                maximum_packet_size: numbers.1,
                assigned_client_id: texts.0,
                topic_alias_maximum: numbers.2,
                reason_string: texts.1,
                user_properties,
                wildcard_subscription_available: flags.1,
                subscription_ids_available: flags.2,
                shared_subscription_available: flags.3,
                server_keep_alive_seconds: numbers.3,
                response_information: texts.2,
                server_reference: texts.3,
                authentication_method,
                authentication_data: data.flatten(),
            }
        },
    )
}

fn connack(version: Version) -> impl Strategy<Value = ConnectAcknowledgement> {
    use ReasonCode::{BadUserNameOrPassword, Banned, NotAuthorized, ServerUnavailable, Success};
    let reasons: &[ReasonCode] = match version {
        Version::V3_1 | Version::V3_1_1 => {
            &[Success, BadUserNameOrPassword, NotAuthorized, ServerUnavailable]
        }
        Version::V5 => &[Success, BadUserNameOrPassword, Banned],
    };
    let properties = in_5(version, connack_properties());
    (any::<bool>(), select(reasons), properties).prop_map(move |(present, reason, properties)| {
        let session_present = present && reason == Success && version != Version::V3_1;
        ConnectAcknowledgement { session_present, reason, properties }
    })
}

fn answer_properties(
    version: Version,
) -> impl Strategy<Value = Option<Box<AcknowledgementProperties>>> {
    in_5(version, some_answer_properties()).prop_map(|properties| {
        (properties != AcknowledgementProperties::default()).then(|| Box::new(properties))
    })
}

fn some_answer_properties() -> impl Strategy<Value = AcknowledgementProperties> {
    (option::of(text()), user_properties()).prop_map(|(reason_string, user_properties)| {
        AcknowledgementProperties { reason_string, user_properties }
    })
}

fn acknowledgement(
    version: Version,
    reasons: &'static [ReasonCode],
) -> impl Strategy<Value = Acknowledgement> {
    (packet_id(), select(reasons), answer_properties(version)).prop_map(
        move |(packet_id, reason, properties)| {
            let reason = if version == Version::V5 { reason } else { ReasonCode::Success };
            Acknowledgement { packet_id, reason, properties }
        },
    )
}

fn subscribe_filter(version: Version) -> impl Strategy<Value = SubscribeFilter> {
    let handling = [RetainHandling::Send, RetainHandling::SendIfNew, RetainHandling::Never];
    let options = in_5(version, (any::<bool>(), any::<bool>(), select(handling.to_vec())));
    (topic_filter(), qos(), options).prop_map(|(filter, qos, options)| {
        let (no_local, retain_as_published, retain_handling) = options;
        let no_local = no_local && filter.shared().is_none();
        SubscribeFilter { filter, qos, no_local, retain_as_published, retain_handling }
    })
}

fn subscribe(version: Version) -> impl Strategy<Value = Subscribe> {
    let id = in_5(version, option::of(1..=268_435_455_u32));
    let filters = vec(subscribe_filter(version), 1..4);
    (packet_id(), filters, id, in_5(version, user_properties())).prop_map(
        |(packet_id, filters, subscription_id, user_properties)| Subscribe {
            packet_id,
            filters,
            subscription_id,
            user_properties,
        },
    )
}

fn unsubscribe(version: Version) -> impl Strategy<Value = Unsubscribe> {
    (packet_id(), vec(topic_filter(), 1..4), in_5(version, user_properties())).prop_map(
        |(packet_id, filters, user_properties)| Unsubscribe { packet_id, filters, user_properties },
    )
}

fn suback(version: Version) -> impl Strategy<Value = SubscribeAcknowledgement> {
    use ReasonCode::{GrantedQoS1, GrantedQoS2, NotAuthorized, Success, UnspecifiedError};
    let reasons: &[ReasonCode] = match version {
        Version::V3_1 | Version::V3_1_1 => &[Success, GrantedQoS1, GrantedQoS2, UnspecifiedError],
        Version::V5 => &[Success, GrantedQoS1, GrantedQoS2, UnspecifiedError, NotAuthorized],
    };
    (packet_id(), vec(select(reasons), 1..4), answer_properties(version)).prop_map(
        |(packet_id, reasons, properties)| SubscribeAcknowledgement {
            packet_id,
            reasons,
            properties,
        },
    )
}

fn unsuback(version: Version) -> impl Strategy<Value = UnsubscribeAcknowledgement> {
    use ReasonCode::{NoSubscriptionExisted, NotAuthorized, Success};
    let reason = select(&[Success, NoSubscriptionExisted, NotAuthorized]);
    let reasons = in_5(version, vec(reason, 1..4));
    (packet_id(), reasons, answer_properties(version)).prop_map(
        |(packet_id, reasons, properties)| UnsubscribeAcknowledgement {
            packet_id,
            reasons,
            properties,
        },
    )
}

fn disconnect(role: Role, version: Version) -> BoxedStrategy<Disconnect> {
    use ReasonCode::{DisconnectWithWill, ServerShuttingDown, Success, UnspecifiedError};
    if version != Version::V5 {
        let properties = DisconnectProperties::default();
        return Just(Disconnect { reason: Success, properties }).boxed();
    }
    let (reasons, expiry) = match role {
        Role::Client => {
            (&[Success, DisconnectWithWill, UnspecifiedError], option::of(any::<u32>()).boxed())
        }
        Role::Server => (&[Success, ServerShuttingDown, UnspecifiedError], Just(None).boxed()),
    };
    let texts = (option::of(text()), option::of(text()));
    (select(reasons), expiry, texts, user_properties())
        .prop_map(|(reason, session_expiry_seconds, texts, user_properties)| {
            let (reason_string, server_reference) = texts;
            let properties = DisconnectProperties {
                session_expiry_seconds,
                reason_string,
                user_properties,
                server_reference,
            };
            Disconnect { reason, properties }
        })
        .boxed()
}

fn auth(role: Role) -> impl Strategy<Value = Auth> {
    use ReasonCode::{ContinueAuthentication, ReAuthenticate, Success};
    let reasons = match role {
        Role::Client => &[ContinueAuthentication, ReAuthenticate],
        Role::Server => &[ContinueAuthentication, Success],
    };
    (select(reasons), text(), option::of(binary()), some_answer_properties()).prop_map(
        |(reason, method, data, properties)| Auth {
            reason,
            method: Some(method),
            data,
            properties,
        },
    )
}
