//! Bytes → packets. Every rule that makes a packet malformed is checked here, once: what comes out
//! cannot be wrong in itself. Nothing is copied: texts and payloads are slices of the buffer. A
//! large packet gets a buffer of its own when it is announced, so that nothing else lives as long.

mod acknowledgement;
mod body;
mod connack;
mod connect;
mod disconnect;
mod error;
mod properties;
mod publish;
mod reasons;
mod subscribe;

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};

use self::body::{Body, VariableInteger};
use self::connect::Protocol;
use self::properties::Section;
use self::publish::TopicAliases;
use super::kind::PacketKind;
use super::{MessageProperties, Packet, ReasonCode, Role, Version};
use crate::limits::PACKET_BYTES_ALONE_MIN;

pub use error::DecodeError;

/// Takes packets off the front of a buffer, for one direction of one connection.
#[derive(Debug)]
pub struct Decoder {
    sender: Role,
    version: Option<Version>,
    packet_bytes_max: u32,
    announced: usize,
    aliases: TopicAliases,
}

/// What the first two to five bytes of a packet say (2.1).
struct FixedHeader {
    kind: PacketKind,
    /// Lower four bits of the first byte.
    flags: u8,
    /// Of the whole packet, this header included.
    packet_bytes: usize,
    header_bytes: usize,
    is_minimal: bool,
}

impl Decoder {
    /// A decoder of what `sender` sends. Packets may have `packet_bytes_max` bytes in all. The
    /// version of a client is learnt from its CONNECT, that of a server must be told by
    /// [`Decoder::set_version`].
    pub fn new(sender: Role, packet_bytes_max: u32) -> Self {
        let aliases = TopicAliases::default();
        Self { sender, version: None, packet_bytes_max, announced: 0, aliases }
    }

    /// The version, as soon as a CONNECT has said it (or [`Decoder::set_version`] told it). After
    /// a CONNECT was refused for its version: the one in whose form to answer.
    pub fn version(&self) -> Option<Version> {
        self.version
    }

    /// For the client's end, where no CONNECT arrives.
    pub fn set_version(&mut self, version: Version) {
        self.version = Some(version);
    }

    /// From now on packets may have this many bytes: after login.
    pub fn set_packet_bytes_max(&mut self, bytes: u32) {
        self.packet_bytes_max = bytes;
    }

    /// The highest topic alias the peer was told it may use (3.2.2.3.8, 3.1.2.11.5): 0 until then.
    pub fn set_topic_alias_maximum(&mut self, maximum: u16) {
        self.aliases.set_maximum(maximum);
    }

    /// Bytes in all of the packet that [`Decoder::next`] found unfinished; 0 if it found none, or
    /// too little of one to tell.
    pub fn announced(&self) -> usize {
        self.announced
    }

    /// Takes the next whole packet, or `None` when more bytes are needed. An announcement of too
    /// large a packet is an error at once.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Packet>, DecodeError> {
        let announced = std::mem::take(&mut self.announced);
        let Some(header) = self.fixed_header(buffer)? else { return Ok(None) };
        if header.packet_bytes > buffer.len() {
            self.announced = header.packet_bytes;
            return Ok(None);
        }
        let packet = buffer.get(..header.packet_bytes).unwrap_or_default();
        if let Some(short) = acknowledgement::short(header.kind, packet) {
            buffer.advance(header.packet_bytes);
            return Ok(Some(short));
        }
        let is_alone = announced == buffer.len();
        self.take(&header, buffer, is_alone).map(Some)
    }

    /// Decodes a packet that is whole. Whoever keeps a large payload keeps the packet, so that must
    /// be most of the memory it lies in.
    fn take(
        &mut self,
        header: &FixedHeader,
        buffer: &mut BytesMut,
        is_alone: bool,
    ) -> Result<Packet, DecodeError> {
        let mut bytes = if is_alone {
            // No empty rest is left behind that would share the memory.
            std::mem::take(buffer).freeze()
        } else {
            buffer.split_to(header.packet_bytes).freeze()
        };
        bytes.advance(header.header_bytes);
        let mut packet = self.packet(header, Body::new(bytes))?;
        if let Packet::Publish(publish) = &mut packet {
            let payload = &mut publish.message.payload;
            let is_most = is_alone && payload.len() >= header.packet_bytes / 2;
            if payload.len() >= PACKET_BYTES_ALONE_MIN && !is_most {
                *payload = Bytes::copy_from_slice(payload);
            }
        }
        Ok(packet)
    }

    fn fixed_header(&self, buffer: &[u8]) -> Result<Option<FixedHeader>, DecodeError> {
        let Some((&first, rest)) = buffer.split_first() else { return Ok(None) };
        let kind = self.kind(first)?;
        let Some(length) = VariableInteger::parse(rest)? else { return Ok(None) };
        let header_bytes = length.bytes.saturating_add(1);
        let too_large =
            DecodeError::new(ReasonCode::PacketTooLarge, "packet larger than allowed (3.1.2.11.4)");
        let (Ok(body_bytes), Ok(bytes_max)) =
            (usize::try_from(length.value), usize::try_from(self.packet_bytes_max))
        else {
            return Err(too_large);
        };
        let packet_bytes = header_bytes.saturating_add(body_bytes);
        if packet_bytes > bytes_max {
            return Err(too_large);
        }
        let (flags, is_minimal) = (first & 0b1111, length.is_minimal);
        Ok(Some(FixedHeader { kind, flags, packet_bytes, header_bytes, is_minimal }))
    }

    /// What the first byte announces, if it may come now from there.
    fn kind(&self, first: u8) -> Result<PacketKind, DecodeError> {
        let kind = PacketKind::from_first_byte(first)
            .ok_or(DecodeError::malformed("packet type is 0 (MQTT 5.0 section 2.1.2)"))?;
        if (first ^ kind.first_byte()) & !kind.variable_flags(self.version) != 0 {
            return Err(DecodeError::malformed("reserved flag is set [MQTT-2.1.3-1]"));
        }
        match self.version {
            None if kind == PacketKind::Connect && self.sender == Role::Client => Ok(kind),
            None => Err(DecodeError::protocol("first packet is no CONNECT [MQTT-3.1.0-1]")),
            Some(version) if kind.is_sent_by(self.sender, version) => Ok(kind),
            Some(Version::V3_1 | Version::V3_1_1) if kind == PacketKind::Auth => {
                Err(DecodeError::malformed("packet type is 15 (MQTT 3.1.1 section 2.2.1)"))
            }
            Some(_) => {
                Err(DecodeError::protocol("packet that this end does not send (section 2.1.2)"))
            }
        }
    }

    fn packet(&mut self, header: &FixedHeader, mut body: Body) -> Result<Packet, DecodeError> {
        let kind = header.kind;
        let sender = self.sender;
        let version = match kind {
            PacketKind::Connect => self.protocol(&mut body)?,
            _ => self.version.expect("`kind` lets nothing but CONNECT pass without a version"),
        };
        if version == Version::V5 && !header.is_minimal {
            return Err(VariableInteger::NOT_MINIMAL);
        }
        Ok(match kind {
            PacketKind::Connect => Packet::Connect(connect::read(version, body)?.into()),
            PacketKind::ConnAck => Packet::ConnAck(connack::read(version, body)?.into()),
            PacketKind::Publish => Packet::Publish(publish::read(
                header.flags,
                version,
                sender,
                &mut self.aliases,
                body,
            )?),
            PacketKind::PubAck => {
                Packet::PubAck(acknowledgement::read(kind, version, sender, body)?)
            }
            PacketKind::PubRec => {
                Packet::PubRec(acknowledgement::read(kind, version, sender, body)?)
            }
            PacketKind::PubRel => {
                Packet::PubRel(acknowledgement::read(kind, version, sender, body)?)
            }
            PacketKind::PubComp => {
                Packet::PubComp(acknowledgement::read(kind, version, sender, body)?)
            }
            PacketKind::Subscribe => Packet::Subscribe(subscribe::read(version, body)?),
            PacketKind::SubAck => Packet::SubAck(acknowledgement::suback(version, body)?),
            PacketKind::Unsubscribe => Packet::Unsubscribe(subscribe::unsubscribe(version, body)?),
            PacketKind::UnsubAck => Packet::UnsubAck(acknowledgement::unsuback(version, body)?),
            PacketKind::PingReq => body.finish().map(|()| Packet::PingReq)?,
            PacketKind::PingResp => body.finish().map(|()| Packet::PingResp)?,
            PacketKind::Disconnect => {
                Packet::Disconnect(disconnect::read(version, sender, body)?.into())
            }
            PacketKind::Auth => Packet::Auth(disconnect::auth(sender, body)?.into()),
        })
    }

    /// The version of a CONNECT; of the connection the first one decides. A second is the broker's
    /// to refuse ([MQTT-3.1.0-2]).
    fn protocol(&mut self, body: &mut Body) -> Result<Version, DecodeError> {
        match connect::protocol(body)? {
            Protocol::Supported(version) => {
                self.version.get_or_insert(version);
                Ok(version)
            }
            Protocol::Unsupported(answer) => {
                self.version.get_or_insert(answer);
                Err(DecodeError::new(
                    ReasonCode::UnsupportedProtocolVersion,
                    "unsupported protocol name or level [MQTT-3.1.2-1, -2]",
                ))
            }
        }
    }
}

/// The properties of a message alone: a section (2.2.2) and nothing after it.
pub(super) fn message_properties(section: Bytes) -> Result<MessageProperties, DecodeError> {
    let mut body = Body::new(section);
    let mut section = Section::read(&mut body)?;
    body.finish()?;
    let mut properties = MessageProperties::default();
    while let Some(id) = section.next_id()? {
        section.message_property(id, &mut properties)?;
    }
    Ok(properties)
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}
