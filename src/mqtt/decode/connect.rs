//! CONNECT (3.1).

use std::time::Duration;

use super::properties::Section;
use super::{Body, DecodeError, seconds};
use crate::mqtt::property::PropertyId;
use crate::mqtt::{
    Connect, ConnectProperties, Credentials, Message, MessageProperties, QoS, TopicName, Version,
    Will, WillProperties,
};

/// What protocol name and level say.
pub(super) enum Protocol {
    /// One of ours.
    Supported(Version),
    /// None of ours; the refusal is written in the form of that version.
    Unsupported(Version),
}

/// 3.1.2.1 and 3.1.2.2.
pub(super) fn protocol(body: &mut Body) -> Result<Protocol, DecodeError> {
    let name = body.string()?;
    let level = body.u8()?;
    Ok(match (&*name, level) {
        ("MQIsdp", 3) => Protocol::Supported(Version::V3_1),
        ("MQTT", 4) => Protocol::Supported(Version::V3_1_1),
        ("MQTT", 5) => Protocol::Supported(Version::V5),
        // Above are versions to come, but with the top bit set 3.1 and 3.1.1 as bridges speak them.
        ("MQTT", 6..=0x7F) => Protocol::Unsupported(Version::V5),
        _ => Protocol::Unsupported(Version::V3_1_1),
    })
}

/// What follows the protocol level.
pub(super) fn read(version: Version, mut body: Body) -> Result<Connect, DecodeError> {
    let body = &mut body;
    let flags = Flags::read(version, body)?;
    let keep_alive = seconds(body.u16()?.into());
    let properties = match version {
        Version::V5 => connect_properties(body)?,
        Version::V3_1 | Version::V3_1_1 => ConnectProperties::default(),
    };
    let client_id = body.string()?;
    let will = flags.will.map(|flags| will(flags, version, body)).transpose()?;
    let credentials = credentials(&flags, version, body)?;
    body.finish()?;
    let clean_start = flags.clean_start;
    Ok(Connect { version, client_id, clean_start, keep_alive, will, credentials, properties })
}

/// 3.1.2.3: what the connect flags say of the rest.
struct Flags {
    clean_start: bool,
    will: Option<WillFlags>,
    user: bool,
    password: bool,
}

#[derive(Clone, Copy)]
struct WillFlags {
    qos: QoS,
    retain: bool,
}

impl Flags {
    fn read(version: Version, body: &mut Body) -> Result<Self, DecodeError> {
        let bits = body.u8()?;
        let is_set = |bit: u8| bits & 1 << bit != 0;
        // 3.1 gives no meaning to the lowest bit, and none to a will's flags without a will.
        if is_set(0) && version != Version::V3_1 {
            return Err(DecodeError::malformed("reserved connect flag is set [MQTT-3.1.2-3]"));
        }
        let (user, password) = (is_set(7), is_set(6));
        if password && !user && version != Version::V5 {
            return Err(DecodeError::malformed(
                "password without user name [MQTT-3.1.2-22 of 3.1.1]",
            ));
        }
        let will = WillFlags { qos: will_qos(bits)?, retain: is_set(5) };
        if !is_set(2) && version != Version::V3_1 {
            will.check_absent()?;
        }
        Ok(Self { clean_start: is_set(1), will: is_set(2).then_some(will), user, password })
    }
}

impl WillFlags {
    fn check_absent(self) -> Result<(), DecodeError> {
        if self.qos != QoS::AtMostOnce {
            return Err(DecodeError::malformed("will QoS without a will [MQTT-3.1.2-11]"));
        }
        if self.retain {
            return Err(DecodeError::malformed("will retain without a will [MQTT-3.1.2-13]"));
        }
        Ok(())
    }
}

fn will_qos(bits: u8) -> Result<QoS, DecodeError> {
    QoS::from_bits(bits >> 3 & 0b11).ok_or(DecodeError::malformed("will QoS is 3 [MQTT-3.1.2-12]"))
}

fn credentials(
    flags: &Flags,
    version: Version,
    body: &mut Body,
) -> Result<Credentials, DecodeError> {
    // In 3.1 the length of the packet has precedence over the flags (its section 3.1).
    let is_missing = |body: &Body| version == Version::V3_1 && body.is_empty();
    let mut credentials = Credentials::default();
    if flags.user && !is_missing(body) {
        credentials.user = Some(body.string()?);
    }
    if flags.password && !is_missing(body) {
        credentials.password = Some(body.binary()?);
    }
    Ok(credentials)
}

/// 3.1.2.11.
fn connect_properties(body: &mut Body) -> Result<ConnectProperties, DecodeError> {
    let mut known = ConnectProperties::default();
    let mut section = Section::read(body)?;
    while let Some(id) = section.next_id()? {
        connect_property(id, &mut section, &mut known)?;
    }
    if known.authentication_data.is_some() && known.authentication_method.is_none() {
        return Err(DecodeError::protocol(
            "authentication data without a method (MQTT 5.0 section 3.1.2.11.10)",
        ));
    }
    Ok(known)
}

fn connect_property(
    id: PropertyId,
    section: &mut Section,
    known: &mut ConnectProperties,
) -> Result<(), DecodeError> {
    match id {
        PropertyId::SessionExpiryInterval => known.session_expiry = expiry(section.u32()?),
        PropertyId::ReceiveMaximum => known.receive_maximum = section.receive_maximum()?,
        PropertyId::MaximumPacketSize => {
            known.maximum_packet_size = Some(section.maximum_packet_size()?);
        }
        PropertyId::TopicAliasMaximum => known.topic_alias_maximum = section.u16()?,
        PropertyId::RequestResponseInformation => {
            known.request_response_information = section.flag()?;
        }
        PropertyId::RequestProblemInformation => {
            known.request_problem_information = section.flag()?;
        }
        PropertyId::UserProperty => section.user_property(&mut known.user_properties)?,
        PropertyId::AuthenticationMethod => known.authentication_method = Some(section.string()?),
        PropertyId::AuthenticationData => known.authentication_data = Some(section.binary()?),
        _ => return Err(Section::NOT_ALLOWED),
    }
    Ok(())
}

/// 3.1.2.11.2: all bits set is for ever.
fn expiry(interval: u32) -> Option<Duration> {
    (interval != u32::MAX).then(|| seconds(interval))
}

/// 3.1.3.2 to 3.1.3.4.
fn will(flags: WillFlags, version: Version, body: &mut Body) -> Result<Will, DecodeError> {
    let mut properties = WillProperties::default();
    let mut of_message = MessageProperties::default();
    if version == Version::V5 {
        let mut section = Section::read(body)?;
        while let Some(id) = section.next_id()? {
            match id {
                PropertyId::WillDelayInterval => properties.delay = seconds(section.u32()?),
                other => section.message_property(other, &mut of_message)?,
            }
        }
    }
    let topic = TopicName::new(body.topic()?).map_err(DecodeError::topic_name)?;
    let payload = body.binary()?;
    let message = Message { topic, payload, properties: of_message.shared() };
    Ok(Will { message, qos: flags.qos, retain: flags.retain, properties })
}
