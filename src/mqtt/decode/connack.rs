//! CONNACK (3.2).

use super::properties::Section;
use super::{Body, DecodeError, reasons};
use crate::mqtt::kind::{PacketKind, Role};
use crate::mqtt::property::PropertyId;
use crate::mqtt::{
    ConnectAcknowledgement, ConnectAcknowledgementProperties, QoS, ReasonCode, Version,
};

pub(super) fn read(
    version: Version,
    mut body: Body,
) -> Result<ConnectAcknowledgement, DecodeError> {
    let body = &mut body;
    let session_present = session_present(version, body)?;
    let (reason, properties) = match version {
        Version::V5 => (reasons::read(body, PacketKind::ConnAck, Role::Server)?, properties(body)?),
        Version::V3_1 | Version::V3_1_1 => {
            (return_code(body)?, ConnectAcknowledgementProperties::default())
        }
    };
    if session_present && reason != ReasonCode::Success {
        return Err(DecodeError::protocol("session present with a refusal [MQTT-3.2.2-6]"));
    }
    body.finish()?;
    Ok(ConnectAcknowledgement { session_present, reason, properties })
}

/// 3.2.2.1: connect acknowledge flags, which 3.1 reserves as a whole.
fn session_present(version: Version, body: &mut Body) -> Result<bool, DecodeError> {
    match (body.u8()?, version) {
        (_, Version::V3_1) | (0, _) => Ok(false),
        (1, _) => Ok(true),
        (2.., _) => Err(DecodeError::malformed("reserved flag of a CONNACK is set [MQTT-3.2.2-1]")),
    }
}

fn return_code(body: &mut Body) -> Result<ReasonCode, DecodeError> {
    ReasonCode::from_return_code(body.u8()?)
        .ok_or(DecodeError::malformed("unknown return code (MQTT 3.1.1 section 3.2.2.3)"))
}

/// 3.2.2.3.
fn properties(body: &mut Body) -> Result<ConnectAcknowledgementProperties, DecodeError> {
    let mut known = ConnectAcknowledgementProperties::default();
    let mut section = Section::read(body)?;
    while let Some(id) = section.next_id()? {
        property(id, &mut section, &mut known)?;
    }
    if known.authentication_data.is_some() && known.authentication_method.is_none() {
        return Err(DecodeError::protocol(
            "authentication data without a method (MQTT 5.0 section 3.2.2.3.18)",
        ));
    }
    Ok(known)
}

fn property(
    id: PropertyId,
    section: &mut Section,
    known: &mut ConnectAcknowledgementProperties,
) -> Result<(), DecodeError> {
    match id {
        PropertyId::SessionExpiryInterval => known.session_expiry_seconds = Some(section.u32()?),
        PropertyId::ReceiveMaximum => known.receive_maximum = Some(section.receive_maximum()?),
        PropertyId::MaximumQoS => known.maximum_qos = Some(maximum_qos(section)?),
        PropertyId::RetainAvailable => known.retain_available = Some(section.flag()?),
        PropertyId::MaximumPacketSize => {
            known.maximum_packet_size = Some(section.maximum_packet_size()?);
        }
        PropertyId::AssignedClientIdentifier => known.assigned_client_id = Some(section.string()?),
        PropertyId::TopicAliasMaximum => known.topic_alias_maximum = Some(section.u16()?),
        PropertyId::ReasonString => known.reason_string = Some(section.string()?),
        PropertyId::UserProperty => section.user_property(&mut known.user_properties)?,
        PropertyId::WildcardSubscriptionAvailable => {
            known.wildcard_subscription_available = Some(section.flag()?);
        }
        PropertyId::SubscriptionIdentifierAvailable => {
            known.subscription_ids_available = Some(section.flag()?);
        }
        PropertyId::SharedSubscriptionAvailable => {
            known.shared_subscription_available = Some(section.flag()?);
        }
        PropertyId::ServerKeepAlive => known.server_keep_alive_seconds = Some(section.u16()?),
        PropertyId::ResponseInformation => known.response_information = Some(section.string()?),
        PropertyId::ServerReference => known.server_reference = Some(section.string()?),
        PropertyId::AuthenticationMethod => known.authentication_method = Some(section.string()?),
        PropertyId::AuthenticationData => known.authentication_data = Some(section.binary()?),
        _ => return Err(Section::NOT_ALLOWED),
    }
    Ok(())
}

/// 3.2.2.3.4: 2 is not sent, it is what absence means.
fn maximum_qos(section: &mut Section) -> Result<QoS, DecodeError> {
    match QoS::from_bits(section.u8()?) {
        Some(qos @ (QoS::AtMostOnce | QoS::AtLeastOnce)) => Ok(qos),
        Some(QoS::ExactlyOnce) | None => Err(DecodeError::protocol(
            "maximum QoS is neither 0 nor 1 (MQTT 5.0 section 3.2.2.3.4)",
        )),
    }
}
