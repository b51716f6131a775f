//! PUBACK, PUBREC, PUBREL and PUBCOMP (3.4 to 3.7), SUBACK (3.9) and UNSUBACK (3.11).

use super::properties::{Section, boxed};
use super::{Body, DecodeError, reasons};
use crate::mqtt::kind::{PacketKind, Role};
use crate::mqtt::{
    Acknowledgement, Packet, PacketId, ReasonCode, SubscribeAcknowledgement,
    UnsubscribeAcknowledgement, Version,
};

/// One of 3.4 to 3.7 in its shortest form, which nearly all have: nothing of it lies in the buffer
/// that it came in. `None` for all else, and for what is wrong.
pub(super) fn short(kind: PacketKind, packet: &[u8]) -> Option<Packet> {
    let &[_, 2, high, low] = packet else { return None };
    let answer = Acknowledgement::success(PacketId::new(u16::from_be_bytes([high, low]))?);
    match kind {
        PacketKind::PubAck => Some(Packet::PubAck(answer)),
        PacketKind::PubRec => Some(Packet::PubRec(answer)),
        PacketKind::PubRel => Some(Packet::PubRel(answer)),
        PacketKind::PubComp => Some(Packet::PubComp(answer)),
        _ => None,
    }
}

/// One of 3.4 to 3.7.
pub(super) fn read(
    kind: PacketKind,
    version: Version,
    sender: Role,
    mut body: Body,
) -> Result<Acknowledgement, DecodeError> {
    let packet_id = body.packet_id()?;
    let mut acknowledgement = Acknowledgement::success(packet_id);
    // 5.0 may leave out a success, and then the properties (3.4.2.1).
    if version == Version::V5 && !body.is_empty() {
        acknowledgement.reason = reasons::read(&mut body, kind, sender)?;
        let section = Section::read_if_any(&mut body)?;
        acknowledgement.properties = boxed(section.acknowledgement()?);
    }
    body.finish()?;
    Ok(acknowledgement)
}

pub(super) fn suback(
    version: Version,
    mut body: Body,
) -> Result<SubscribeAcknowledgement, DecodeError> {
    let body = &mut body;
    let packet_id = body.packet_id()?;
    if version != Version::V5 {
        let reasons = each(body, |body| match body.u8()? {
            0 => Ok(ReasonCode::Success),
            1 => Ok(ReasonCode::GrantedQoS1),
            2 => Ok(ReasonCode::GrantedQoS2),
            0x80 => Ok(ReasonCode::UnspecifiedError),
            _ => Err(DecodeError::malformed("unknown return code [MQTT-3.9.3-2 of 3.1.1]")),
        })?;
        return Ok(SubscribeAcknowledgement { packet_id, reasons, properties: None });
    }
    let properties = boxed(Section::read(body)?.acknowledgement()?);
    let reasons = each(body, |body| reasons::read(body, PacketKind::SubAck, Role::Server))?;
    Ok(SubscribeAcknowledgement { packet_id, reasons, properties })
}

pub(super) fn unsuback(
    version: Version,
    mut body: Body,
) -> Result<UnsubscribeAcknowledgement, DecodeError> {
    let body = &mut body;
    let packet_id = body.packet_id()?;
    if version != Version::V5 {
        body.finish()?;
        return Ok(UnsubscribeAcknowledgement { packet_id, reasons: Vec::new(), properties: None });
    }
    let properties = boxed(Section::read(body)?.acknowledgement()?);
    let reasons = each(body, |body| reasons::read(body, PacketKind::UnsubAck, Role::Server))?;
    Ok(UnsubscribeAcknowledgement { packet_id, reasons, properties })
}

/// One reason or more, up to the end.
fn each(
    body: &mut Body,
    read: impl Fn(&mut Body) -> Result<ReasonCode, DecodeError>,
) -> Result<Vec<ReasonCode>, DecodeError> {
    let mut reasons = vec![read(body)?];
    while !body.is_empty() {
        reasons.push(read(body)?);
    }
    Ok(reasons)
}
