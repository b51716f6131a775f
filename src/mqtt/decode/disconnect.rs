//! DISCONNECT (3.14) and AUTH (3.15).

use super::properties::Section;
use super::{Body, DecodeError, reasons};
use crate::mqtt::kind::{PacketKind, Role};
use crate::mqtt::property::PropertyId;
use crate::mqtt::{
    AcknowledgementProperties, Auth, Disconnect, DisconnectProperties, ReasonCode, Version,
};

pub(super) fn read(
    version: Version,
    sender: Role,
    mut body: Body,
) -> Result<Disconnect, DecodeError> {
    let body = &mut body;
    let mut reason = ReasonCode::Success;
    let mut properties = DisconnectProperties::default();
    if version == Version::V5 {
        reason = reasons::read_if_any(body, PacketKind::Disconnect, sender)?;
        properties = disconnect_properties(sender, body)?;
    }
    body.finish()?;
    Ok(Disconnect { reason, properties })
}

/// 3.14.2.2.
fn disconnect_properties(
    sender: Role,
    body: &mut Body,
) -> Result<DisconnectProperties, DecodeError> {
    let mut known = DisconnectProperties::default();
    let mut section = Section::read_if_any(body)?;
    while let Some(id) = section.next_id()? {
        match id {
            PropertyId::SessionExpiryInterval if sender == Role::Server => {
                return Err(DecodeError::protocol(
                    "session expiry in a server's DISCONNECT [MQTT-3.14.2-2]",
                ));
            }
            PropertyId::SessionExpiryInterval => {
                known.session_expiry_seconds = Some(section.u32()?);
            }
            PropertyId::ReasonString => known.reason_string = Some(section.string()?),
            PropertyId::UserProperty => section.user_property(&mut known.user_properties)?,
            PropertyId::ServerReference => known.server_reference = Some(section.string()?),
            _ => return Err(Section::NOT_ALLOWED),
        }
    }
    Ok(known)
}

pub(super) fn auth(sender: Role, mut body: Body) -> Result<Auth, DecodeError> {
    let body = &mut body;
    let is_short = body.is_empty();
    let reason = reasons::read_if_any(body, PacketKind::Auth, sender)?;
    let mut auth =
        Auth { reason, method: None, data: None, properties: AcknowledgementProperties::default() };
    let mut section = Section::read_if_any(body)?;
    while let Some(id) = section.next_id()? {
        match id {
            PropertyId::AuthenticationMethod => auth.method = Some(section.string()?),
            PropertyId::AuthenticationData => auth.data = Some(section.binary()?),
            PropertyId::ReasonString => auth.properties.reason_string = Some(section.string()?),
            PropertyId::UserProperty => {
                section.user_property(&mut auth.properties.user_properties)?;
            }
            _ => return Err(Section::NOT_ALLOWED),
        }
    }
    // 3.15.2.1 lets a success without properties be empty.
    if auth.method.is_none() && !is_short {
        return Err(DecodeError::protocol(
            "AUTH without an authentication method (MQTT 5.0 section 3.15.2.2.2)",
        ));
    }
    body.finish()?;
    Ok(auth)
}
