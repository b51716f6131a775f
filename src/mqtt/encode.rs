//! The packets that a server sends → bytes.

use bytes::{BufMut, BytesMut};

use super::{
    Acknowledgement, ConnectAcknowledgement, Delivery, Packet, Publish, ReasonCode,
    SubscribeAcknowledgement, Version,
};

/// Writes a server's packets to one client.
#[derive(Clone, Copy, Debug)]
pub struct Encoder {
    version: Version,
}

impl Encoder {
    /// An encoder for a client of that version.
    pub const fn new(version: Version) -> Self {
        Self { version }
    }

    /// Appends `packet` to `buffer`. Writes nothing for what its version does not have: a server's
    /// DISCONNECT in 3.1.1, and what only clients send.
    pub fn encode(self, packet: &Packet, buffer: &mut BytesMut) {
        match packet {
            Packet::ConnAck(acknowledgement) => {
                self.connect_acknowledgement(acknowledgement, buffer);
            }
            Packet::Publish(publish) => {
                Self::publish_header(publish, buffer);
                buffer.put_slice(&publish.message.payload);
            }
            Packet::PubAck(acknowledgement) => short(0x40, acknowledgement, buffer),
            Packet::PubRec(acknowledgement) => short(0x50, acknowledgement, buffer),
            Packet::PubRel(acknowledgement) => short(0x62, acknowledgement, buffer),
            Packet::PubComp(acknowledgement) => short(0x70, acknowledgement, buffer),
            Packet::SubAck(acknowledgement) => subscribe_acknowledgement(acknowledgement, buffer),
            Packet::UnsubAck(acknowledgement) => {
                short(0xB0, &Acknowledgement::success(acknowledgement.packet_id), buffer);
            }
            Packet::PingResp => buffer.put_slice(&[0xD0, 0]),
            Packet::Connect(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe(_)
            | Packet::PingReq
            | Packet::Disconnect(_)
            | Packet::Auth(_) => {}
        }
    }

    /// All of a PUBLISH but its payload, which follows: so that a large one is never copied.
    pub fn publish_header(publish: &Publish, buffer: &mut BytesMut) {
        let (quality, packet_id) = match publish.delivery {
            Delivery::AtMostOnce => (0, None),
            Delivery::AtLeastOnce(packet_id) => (1, Some(packet_id)),
            Delivery::ExactlyOnce(packet_id) => (2, Some(packet_id)),
        };
        let topic = publish.message.topic.as_str();
        let identifier_bytes = if packet_id.is_some() { 2 } else { 0 };
        let remaining = topic.len() + 2 + identifier_bytes + publish.message.payload.len();
        let flags = u8::from(publish.dup) << 3 | quality << 1 | u8::from(publish.retain);
        fixed_header(0x30 | flags, remaining, buffer);
        string(topic, buffer);
        if let Some(packet_id) = packet_id {
            buffer.put_u16(packet_id.get());
        }
    }

    /// 3.2. A client of 5.0 gets the one CONNACK it can be sent today: a refusal without properties.
    fn connect_acknowledgement(self, answer: &ConnectAcknowledgement, buffer: &mut BytesMut) {
        let present = u8::from(answer.session_present);
        match self.version {
            Version::V5 => buffer.put_slice(&[0x20, 3, present, answer.reason.code(), 0]),
            Version::V3_1 | Version::V3_1_1 => {
                buffer.put_slice(&[0x20, 2, present, return_code(answer.reason)]);
            }
        }
    }
}

/// Table 3.1 of 3.1.1: the return codes that reasons become.
const fn return_code(reason: ReasonCode) -> u8 {
    match reason {
        ReasonCode::Success => 0,
        ReasonCode::UnsupportedProtocolVersion => 1,
        ReasonCode::ClientIdentifierNotValid => 2,
        ReasonCode::BadUserNameOrPassword => 4,
        ReasonCode::NotAuthorized | ReasonCode::Banned => 5,
        _ => 3,
    }
}

fn subscribe_acknowledgement(answer: &SubscribeAcknowledgement, buffer: &mut BytesMut) {
    fixed_header(0x90, answer.reasons.len() + 2, buffer);
    buffer.put_u16(answer.packet_id.get());
    for reason in &answer.reasons {
        buffer.put_u8(if reason.is_failure() { 0x80 } else { reason.code() });
    }
}

fn short(first: u8, answer: &Acknowledgement, buffer: &mut BytesMut) {
    buffer.put_slice(&[first, 2]);
    buffer.put_u16(answer.packet_id.get());
}

fn fixed_header(first: u8, remaining: usize, buffer: &mut BytesMut) {
    buffer.put_u8(first);
    let mut rest = remaining;
    loop {
        let digit = u8::try_from(rest % 128).unwrap_or_default();
        rest /= 128;
        buffer.put_u8(if rest > 0 { digit | 0x80 } else { digit });
        if rest == 0 {
            return;
        }
    }
}

fn string(text: &str, buffer: &mut BytesMut) {
    buffer.put_u16(u16::try_from(text.len()).expect("topics have 65,535 bytes at most"));
    buffer.put_slice(text.as_bytes());
}
