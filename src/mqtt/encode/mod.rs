//! Packets → bytes.

mod body;
mod diagnostics;
mod properties;
mod publish;
mod sink;

use bytes::{Bytes, BytesMut};

use self::publish::{AssignedAliases, TopicForm, VariableHeader};
use self::sink::{Encode, Sink};
use super::kind::PacketKind;
use super::{MessageProperties, Packet, Publish, Role, Version};
use crate::limits::PACKET_BYTES_MAX;

/// Largest remaining length of a packet (1.5.5).
const REMAINING_LENGTH_MAX: u32 = 268_435_455;

const _: () = assert!(PACKET_BYTES_MAX == REMAINING_LENGTH_MAX + 5);

/// Writes packets for one direction of one connection.
#[derive(Debug)]
pub struct Encoder {
    role: Role,
    version: Version,
    packet_bytes_max: u32,
    aliases: AssignedAliases,
}

impl Encoder {
    /// An encoder of a server, for a client of that version.
    pub fn new(version: Version) -> Self {
        Self::with_role(Role::Server, version)
    }

    /// An encoder of that end of a connection.
    pub fn with_role(role: Role, version: Version) -> Self {
        let aliases = AssignedAliases::default();
        Self { role, version, packet_bytes_max: PACKET_BYTES_MAX, aliases }
    }

    /// The largest packet that the peer takes (3.1.2.11.4, 3.2.2.3.6), in bytes. Larger ones are
    /// not written; before a PUBLISH comes here, ask [`encoded_len`]. An answer does without its
    /// reason string and user properties if it fits then.
    pub fn set_packet_bytes_max(&mut self, bytes: u32) {
        self.packet_bytes_max = bytes;
    }

    /// The highest topic alias that the peer takes (3.1.2.11.5, 3.2.2.3.8): 0 until then.
    pub fn set_topic_alias_maximum(&mut self, maximum: u16) {
        self.aliases.set_maximum(maximum);
    }

    /// Appends `packet` to `buffer`. Writes nothing for packets that this end or its version does
    /// not have (a server's DISCONNECT in 3.1.1, a refusal without a return code there), nor for
    /// what is larger than the peer or the protocol takes.
    pub fn encode(&mut self, packet: &Packet, buffer: &mut BytesMut) {
        if let Packet::Publish(publish) = packet {
            if self.write_header(publish, buffer) {
                buffer.extend_from_slice(&publish.message.payload);
            }
        } else if let Some(whole) = body::short_acknowledgement(packet)
            && self.packet_bytes_max >= 4
        {
            buffer.extend_from_slice(&whole);
        } else if self.write(packet, buffer).is_none()
            && let Some(short) = diagnostics::without(packet)
        {
            // When that does not fit either there is nothing more to leave out.
            let _ = self.write(&short, buffer);
        }
    }

    /// Appends all of a PUBLISH but its payload, which is returned to be written right behind it:
    /// for large payloads, which need not be copied. Both are empty for a packet that is not
    /// written.
    #[must_use = "the payload must follow"]
    pub fn publish_header(&mut self, publish: &Publish, buffer: &mut BytesMut) -> Bytes {
        let is_written = self.write_header(publish, buffer);
        if is_written { publish.message.payload.clone() } else { Bytes::new() }
    }

    /// Whether the packet is written at all.
    fn write_header(&mut self, publish: &Publish, buffer: &mut BytesMut) -> bool {
        let topic = &publish.message.topic;
        let form = match self.version {
            Version::V5 => self.aliases.form(topic),
            Version::V3_1 | Version::V3_1_1 => TopicForm::Name,
        };
        let written = self.write_publish(publish, form, buffer).or_else(|| match form {
            // A new alias makes the packet larger than `encoded_len` said.
            TopicForm::NameWithAlias(_) => self.write_publish(publish, TopicForm::Name, buffer),
            TopicForm::Name | TopicForm::Alias(_) => None,
        });
        if let Some(form) = written {
            self.aliases.written(topic, form);
        }
        written.is_some()
    }

    fn write_publish(
        &self,
        publish: &Publish,
        form: TopicForm,
        buffer: &mut BytesMut,
    ) -> Option<TopicForm> {
        let header = VariableHeader { publish, version: self.version, form };
        let payload_bytes = publish.message.payload.len();
        let frame = Frame::around(header.length().saturating_add(payload_bytes))?;
        if frame.packet_bytes > self.packet_bytes_max {
            return None;
        }
        buffer.u8(publish::first_byte(publish));
        buffer.variable_integer(frame.remaining_length);
        header.encode(buffer);
        Some(form)
    }

    fn write(&self, packet: &Packet, buffer: &mut BytesMut) -> Option<()> {
        let kind = PacketKind::from(packet);
        if !kind.is_sent_by(self.role, self.version) {
            return None;
        }
        let body = Body { packet, version: self.version };
        let frame = body.frame()?;
        if frame.packet_bytes > self.packet_bytes_max {
            return None;
        }
        buffer.u8(kind.first_byte());
        buffer.variable_integer(frame.remaining_length);
        body.encode(buffer);
        Some(())
    }
}

/// How many bytes `packet` takes in that version, payload included and without a topic alias.
/// `None` for what that version does not have and for what is larger than any packet can be.
pub fn encoded_len(packet: &Packet, version: Version) -> Option<u32> {
    Body { packet, version }.frame().map(|frame| frame.packet_bytes)
}

/// The properties of a message alone, as a section of their own (2.2.2).
pub(super) fn message_section(properties: &MessageProperties, buffer: &mut BytesMut) {
    buffer.section(properties);
}

/// What the fixed header says of the length.
struct Frame {
    remaining_length: u32,
    /// Fixed header included.
    packet_bytes: u32,
}

impl Frame {
    fn around(body_bytes: usize) -> Option<Self> {
        let remaining_length = u32::try_from(body_bytes).ok()?;
        let header_bytes = match remaining_length {
            0..=127 => 2,
            128..=16_383 => 3,
            16_384..=2_097_151 => 4,
            2_097_152..=REMAINING_LENGTH_MAX => 5,
            _ => return None,
        };
        Some(Self { remaining_length, packet_bytes: remaining_length.checked_add(header_bytes)? })
    }
}

/// What follows the fixed header of any packet.
struct Body<'packet> {
    packet: &'packet Packet,
    version: Version,
}

impl Body<'_> {
    /// `None` for what cannot be written in this version.
    fn frame(&self) -> Option<Frame> {
        match self.packet {
            // [MQTT-3.2.2-6] of 3.1.1: closing says it.
            Packet::ConnAck(connack) if self.version != Version::V5 => {
                connack.reason.return_code()?;
            }
            Packet::Auth(_) if self.version != Version::V5 => return None,
            _ => {}
        }
        Frame::around(self.length())
    }
}

impl Encode for Body<'_> {
    fn encode(&self, sink: &mut impl Sink) {
        let version = self.version;
        match self.packet {
            Packet::Connect(connect) => body::connect(connect, sink),
            Packet::ConnAck(connack) => body::connack(connack, version, sink),
            Packet::Publish(publish) => {
                VariableHeader { publish, version, form: TopicForm::Name }.encode(sink);
                sink.bytes(&publish.message.payload);
            }
            Packet::PubAck(acknowledgement)
            | Packet::PubRec(acknowledgement)
            | Packet::PubRel(acknowledgement)
            | Packet::PubComp(acknowledgement) => {
                body::acknowledgement(acknowledgement, version, sink);
            }
            Packet::Subscribe(subscribe) => body::subscribe(subscribe, version, sink),
            Packet::SubAck(suback) => body::suback(suback, version, sink),
            Packet::Unsubscribe(unsubscribe) => body::unsubscribe(unsubscribe, version, sink),
            Packet::UnsubAck(unsuback) => body::unsuback(unsuback, version, sink),
            Packet::PingReq | Packet::PingResp => {}
            Packet::Disconnect(disconnect) => body::disconnect(disconnect, version, sink),
            Packet::Auth(auth) => body::auth(auth, sink),
        }
    }
}
