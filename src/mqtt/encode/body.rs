//! What follows the fixed header of each packet but PUBLISH.

use super::properties::seconds;
use super::sink::{Encode, Sink};
use crate::mqtt::kind::PacketKind;
use crate::mqtt::{
    Acknowledgement, AcknowledgementProperties, Auth, Connect, ConnectAcknowledgement, Disconnect,
    DisconnectProperties, Packet, ReasonCode, Subscribe, SubscribeAcknowledgement, SubscribeFilter,
    Unsubscribe, UnsubscribeAcknowledgement, Version, Will,
};

/// 3.1.2 and 3.1.3, in the version that the packet itself names.
pub(super) fn connect(connect: &Connect, sink: &mut impl Sink) {
    let (name, level) = match connect.version {
        Version::V3_1 => ("MQIsdp", 3),
        Version::V3_1_1 => ("MQTT", 4),
        Version::V5 => ("MQTT", 5),
    };
    sink.string(name);
    sink.u8(level);
    sink.u8(connect_flags(connect));
    let keep_alive = seconds(connect.keep_alive, u16::MAX.into());
    sink.u16(u16::try_from(keep_alive).unwrap_or(u16::MAX));
    if connect.version == Version::V5 {
        sink.section(&connect.properties);
    }
    sink.string(&connect.client_id);
    if let Some(will) = &connect.will {
        write_will(will, connect.version, sink);
    }
    if let Some(user) = &connect.credentials.user {
        sink.string(user);
    }
    if let Some(password) = &connect.credentials.password
        && has_password(connect)
    {
        sink.binary(password);
    }
}

/// 3.1.2.3.
fn connect_flags(connect: &Connect) -> u8 {
    let will = connect
        .will
        .as_ref()
        .map_or(0, |will| 0b0000_0100 | will.qos.bits() << 3 | u8::from(will.retain) << 5);
    u8::from(connect.clean_start) << 1
        | will
        | u8::from(has_password(connect)) << 6
        | u8::from(connect.credentials.user.is_some()) << 7
}

/// Before 5.0 there is no password without a user name ([MQTT-3.1.2-22] of 3.1.1).
fn has_password(connect: &Connect) -> bool {
    let credentials = &connect.credentials;
    let may_have = connect.version == Version::V5 || credentials.user.is_some();
    credentials.password.is_some() && may_have
}

fn write_will(will: &Will, version: Version, sink: &mut impl Sink) {
    if version == Version::V5 {
        sink.section(will);
    }
    sink.string(will.message.topic.as_str());
    sink.binary(&will.message.payload);
}

/// 3.2.2. What 3.1.1 has no return code for is not to be written.
pub(super) fn connack(connack: &ConnectAcknowledgement, version: Version, sink: &mut impl Sink) {
    // [MQTT-3.2.2-6], and 3.1 has nothing but zero here.
    let is_present = connack.session_present
        && connack.reason == ReasonCode::Success
        && version != Version::V3_1;
    sink.u8(u8::from(is_present));
    if version == Version::V5 {
        sink.u8(connack.reason.code());
        sink.section(&connack.properties);
    } else if let Some(code) = connack.reason.return_code() {
        sink.u8(code);
    }
}

/// All of a PUBACK, PUBREC, PUBREL or PUBCOMP that says success and nothing else, in any version.
pub(super) fn short_acknowledgement(packet: &Packet) -> Option<[u8; 4]> {
    let (Packet::PubAck(answer)
    | Packet::PubRec(answer)
    | Packet::PubRel(answer)
    | Packet::PubComp(answer)) = packet
    else {
        return None;
    };
    if answer.reason != ReasonCode::Success || answer.properties.is_some() {
        return None;
    }
    let [high, low] = answer.packet_id.get().to_be_bytes();
    Some([PacketKind::from(packet).first_byte(), 2, high, low])
}

/// 3.4.2, 3.5.2, 3.6.2 and 3.7.2: as short as it can be said.
pub(super) fn acknowledgement(
    acknowledgement: &Acknowledgement,
    version: Version,
    sink: &mut impl Sink,
) {
    let Acknowledgement { packet_id, reason, properties } = acknowledgement;
    sink.packet_id(*packet_id);
    if version != Version::V5 {
        return;
    }
    if *reason != ReasonCode::Success || properties.is_some() {
        sink.u8(reason.code());
    }
    if let Some(properties) = properties {
        sink.section(&**properties);
    }
}

/// 3.8.2 and 3.8.3.
pub(super) fn subscribe(subscribe: &Subscribe, version: Version, sink: &mut impl Sink) {
    sink.packet_id(subscribe.packet_id);
    if version == Version::V5 {
        sink.section(subscribe);
    }
    for filter in &subscribe.filters {
        sink.string(filter.filter.as_str());
        sink.u8(options(filter, version));
    }
}

/// 3.8.3.1; before 5.0 the quality of service only.
fn options(filter: &SubscribeFilter, version: Version) -> u8 {
    match version {
        Version::V3_1 | Version::V3_1_1 => filter.qos.bits(),
        Version::V5 => {
            filter.qos.bits()
                | u8::from(filter.no_local) << 2
                | u8::from(filter.retain_as_published) << 3
                | filter.retain_handling.bits() << 4
        }
    }
}

/// 3.9.2 and 3.9.3.
pub(super) fn suback(suback: &SubscribeAcknowledgement, version: Version, sink: &mut impl Sink) {
    const FAILURE: u8 = 0x80;
    sink.packet_id(suback.packet_id);
    if version == Version::V5 {
        section_or_none(suback.properties.as_deref(), sink);
    }
    for reason in &suback.reasons {
        let is_nameless = version != Version::V5 && reason.is_failure();
        sink.u8(if is_nameless { FAILURE } else { reason.code() });
    }
}

/// 3.10.2 and 3.10.3.
pub(super) fn unsubscribe(unsubscribe: &Unsubscribe, version: Version, sink: &mut impl Sink) {
    sink.packet_id(unsubscribe.packet_id);
    if version == Version::V5 {
        sink.section(&unsubscribe.user_properties);
    }
    for filter in &unsubscribe.filters {
        sink.string(filter.as_str());
    }
}

/// 3.11.2 and 3.11.3.
pub(super) fn unsuback(
    unsuback: &UnsubscribeAcknowledgement,
    version: Version,
    sink: &mut impl Sink,
) {
    sink.packet_id(unsuback.packet_id);
    if version == Version::V5 {
        section_or_none(unsuback.properties.as_deref(), sink);
        for reason in &unsuback.reasons {
            sink.u8(reason.code());
        }
    }
}

/// 3.14.2: as short as it can be said.
pub(super) fn disconnect(disconnect: &Disconnect, version: Version, sink: &mut impl Sink) {
    let has_properties = disconnect.properties != DisconnectProperties::default();
    if version != Version::V5 || disconnect.reason == ReasonCode::Success && !has_properties {
        return;
    }
    sink.u8(disconnect.reason.code());
    if has_properties {
        sink.section(&disconnect.properties);
    }
}

/// 3.15.2: as short as it can be said.
pub(super) fn auth(auth: &Auth, sink: &mut impl Sink) {
    if auth.reason == ReasonCode::Success && auth.length() == 0 {
        return;
    }
    sink.u8(auth.reason.code());
    sink.section(auth);
}

fn section_or_none(properties: Option<&AcknowledgementProperties>, sink: &mut impl Sink) {
    match properties {
        Some(properties) => sink.section(properties),
        None => sink.variable_integer(0),
    }
}
