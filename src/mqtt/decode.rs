//! Bytes → the packets that a client sends.
//!
//! Nothing is copied: strings and payloads are slices of the packet they came in. Nothing is
//! allocated by an announced length: the caller's buffer grows as bytes arrive.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use bytestring::ByteString;

use super::reader::Reader;
use super::{
    Acknowledgement, Connect, ConnectProperties, Credentials, Delivery, Disconnect,
    DisconnectProperties, Message, Packet, Publish, QoS, ReasonCode, RetainHandling, Subscribe,
    SubscribeFilter, TopicFilter, TopicName, Unsubscribe, Version, Will, WillProperties,
};

/// What is wrong with a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// What a 5.0 peer is told: malformed packet, protocol error, packet too large …
    pub reason: ReasonCode,
    /// What people are told: a constant phrase with its clause.
    pub detail: &'static str,
}

impl DecodeError {
    pub(super) const fn malformed(detail: &'static str) -> Self {
        Self { reason: ReasonCode::MalformedPacket, detail }
    }
}

/// Takes a client's packets off the front of a buffer.
#[derive(Debug)]
pub struct Decoder {
    packet_bytes_max: u32,
    version: Option<Version>,
}

impl Decoder {
    /// A decoder for a client that has not said its version yet; packets may have
    /// `packet_bytes_max` bytes in all.
    pub const fn new(packet_bytes_max: u32) -> Self {
        Self { packet_bytes_max, version: None }
    }

    /// The version, once a CONNECT named one that we know by name.
    pub const fn version(&self) -> Option<Version> {
        self.version
    }

    /// From now on packets may have this many bytes: after login.
    pub const fn set_packet_bytes_max(&mut self, bytes: u32) {
        self.packet_bytes_max = bytes;
    }

    /// Takes the next whole packet, or `None` when more bytes are needed. An announcement of too
    /// large a packet is an error at once.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Packet>, DecodeError> {
        let Some(header) = FixedHeader::peek(buffer)? else { return Ok(None) };
        let whole = header.bytes.saturating_add(header.remaining);
        if u32::try_from(whole).unwrap_or(u32::MAX) > self.packet_bytes_max {
            return Err(DecodeError {
                reason: ReasonCode::PacketTooLarge,
                detail: "packet larger than allowed",
            });
        }
        if buffer.len() < whole {
            buffer.reserve(whole.saturating_sub(buffer.len()).min(READ_AHEAD_MAX));
            return Ok(None);
        }
        buffer.advance(header.bytes);
        let mut reader = Reader::new(buffer.split_to(header.remaining).freeze());
        let packet = self.body(header.first, &mut reader)?;
        reader.finish()?;
        Ok(Some(packet))
    }

    fn body(&mut self, first: u8, reader: &mut Reader) -> Result<Packet, DecodeError> {
        let (kind, flags) = (first >> 4, first & 0x0F);
        if kind != PUBLISH && flags != required_flags(kind) {
            return Err(DecodeError::malformed("reserved flags are set [MQTT-2.2.2-2]"));
        }
        match kind {
            1 => self.connect(reader),
            PUBLISH => publish(flags, reader),
            4 => acknowledgement(reader).map(Packet::PubAck),
            5 => acknowledgement(reader).map(Packet::PubRec),
            6 => acknowledgement(reader).map(Packet::PubRel),
            7 => acknowledgement(reader).map(Packet::PubComp),
            8 => subscribe(reader),
            10 => unsubscribe(reader),
            12 => Ok(Packet::PingReq),
            14 => Ok(Packet::Disconnect(Box::new(Disconnect {
                reason: ReasonCode::Success,
                properties: DisconnectProperties::default(),
            }))),
            _ => Err(DecodeError::malformed("packet type that no client sends [MQTT-2.2.1]")),
        }
    }

    fn connect(&mut self, reader: &mut Reader) -> Result<Packet, DecodeError> {
        let version = protocol(reader)?;
        self.version = Some(version);
        if version == Version::V5 {
            return Err(unsupported("MQTT 5.0 is not spoken yet"));
        }
        let flags = ConnectFlags::parse(reader.u8()?)?;
        let keep_alive = Duration::from_secs(u64::from(reader.u16()?));
        let client_id = reader.string()?;
        let will = if flags.will { Some(will(&flags, reader)?) } else { None };
        let user = if flags.user { Some(reader.string()?) } else { None };
        let password = if flags.password { Some(reader.binary()?) } else { None };
        Ok(Packet::Connect(Box::new(Connect {
            version,
            client_id,
            clean_start: flags.clean,
            keep_alive,
            will,
            credentials: Credentials { user, password },
            properties: ConnectProperties::default(),
        })))
    }
}

const PUBLISH: u8 = 3;

/// How far a buffer grows ahead of the bytes that were seen: an announcement alone costs no more.
const READ_AHEAD_MAX: usize = 64 * 1024;

struct FixedHeader {
    first: u8,
    /// Length of the header itself.
    bytes: usize,
    remaining: usize,
}

impl FixedHeader {
    /// Section 2.2; `None` while its end has not arrived.
    fn peek(buffer: &[u8]) -> Result<Option<Self>, DecodeError> {
        let Some((&first, digits)) = buffer.split_first() else { return Ok(None) };
        let mut remaining = 0_usize;
        for (index, &digit) in digits.iter().enumerate().take(4) {
            remaining |= usize::from(digit & 0x7F) << (7 * index);
            if digit & 0x80 == 0 {
                if digit == 0 && index > 0 {
                    return Err(DecodeError::malformed("remaining length is padded [1.5.5]"));
                }
                return Ok(Some(Self { first, bytes: index.saturating_add(2), remaining }));
            }
        }
        if digits.len() >= 4 {
            return Err(DecodeError::malformed("remaining length of five digits [2.2.3]"));
        }
        Ok(None)
    }
}

/// Table 2.2: flags of each packet type but PUBLISH.
const fn required_flags(kind: u8) -> u8 {
    match kind {
        6 | 8 | 10 => 0b0010,
        _ => 0,
    }
}

const fn unsupported(detail: &'static str) -> DecodeError {
    DecodeError { reason: ReasonCode::UnsupportedProtocolVersion, detail }
}

/// 3.1.2.1 and 3.1.2.2.
fn protocol(reader: &mut Reader) -> Result<Version, DecodeError> {
    let name = reader.string()?;
    let level = reader.u8()?;
    match (&*name, level) {
        ("MQIsdp", 3) => Ok(Version::V3_1),
        ("MQTT", 4) => Ok(Version::V3_1_1),
        ("MQTT", 5) => Ok(Version::V5),
        ("MQTT" | "MQIsdp", _) => Err(unsupported("protocol level unknown [MQTT-3.1.2-2]")),
        _ => Err(DecodeError::malformed("protocol name unknown [MQTT-3.1.2-1]")),
    }
}

/// 3.1.2.3.
#[expect(clippy::struct_excessive_bools, reason = "they are the flags of the standard")]
struct ConnectFlags {
    clean: bool,
    will: bool,
    will_qos: QoS,
    will_retain: bool,
    user: bool,
    password: bool,
}

impl ConnectFlags {
    fn parse(byte: u8) -> Result<Self, DecodeError> {
        let has = |bit: u8| byte & (1 << bit) != 0;
        if has(0) {
            return Err(DecodeError::malformed("reserved connect flag [MQTT-3.1.2-3]"));
        }
        let (will, will_qos, will_retain) = (has(2), qos(byte >> 3 & 0b11)?, has(5));
        if !will && (will_qos != QoS::AtMostOnce || will_retain) {
            return Err(DecodeError::malformed("will flags without a will [MQTT-3.1.2-11]"));
        }
        let (user, password) = (has(7), has(6));
        if password && !user {
            return Err(DecodeError::malformed("password without user name [MQTT-3.1.2-22]"));
        }
        Ok(Self { clean: has(1), will, will_qos, will_retain, user, password })
    }
}

/// 3.1.3.2 and 3.1.3.3.
fn will(flags: &ConnectFlags, reader: &mut Reader) -> Result<Will, DecodeError> {
    let topic = topic_name(reader.string()?)?;
    let payload = reader.binary()?;
    Ok(Will {
        message: Message { topic, payload, properties: None },
        qos: flags.will_qos,
        retain: flags.will_retain,
        properties: WillProperties::default(),
    })
}

/// 3.3.
fn publish(flags: u8, reader: &mut Reader) -> Result<Packet, DecodeError> {
    let (dup, retain) = (flags & 0b1000 != 0, flags & 0b0001 != 0);
    let qos = qos(flags >> 1 & 0b11)?;
    if dup && qos == QoS::AtMostOnce {
        return Err(DecodeError::malformed("DUP with QoS 0 [MQTT-3.3.1-2]"));
    }
    let topic = topic_name(reader.string()?)?;
    let delivery = match qos {
        QoS::AtMostOnce => Delivery::AtMostOnce,
        QoS::AtLeastOnce => Delivery::AtLeastOnce(reader.packet_id()?),
        QoS::ExactlyOnce => Delivery::ExactlyOnce(reader.packet_id()?),
    };
    let message = Message { topic, payload: reader.rest(), properties: None };
    Ok(Packet::Publish(Publish { dup, delivery, retain, message, subscription_ids: Vec::new() }))
}

/// 3.4 to 3.7.
fn acknowledgement(reader: &mut Reader) -> Result<Acknowledgement, DecodeError> {
    Ok(Acknowledgement::success(reader.packet_id()?))
}

/// 3.8.
fn subscribe(reader: &mut Reader) -> Result<Packet, DecodeError> {
    let packet_id = reader.packet_id()?;
    let mut filters = Vec::new();
    while !reader.is_empty() {
        let filter = topic_filter(reader.string()?)?;
        let options = reader.u8()?;
        if options & 0b1111_1100 != 0 {
            return Err(DecodeError::malformed("reserved subscribe options [MQTT-3.8.3-4]"));
        }
        filters.push(SubscribeFilter {
            filter,
            qos: qos(options)?,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Send,
        });
    }
    if filters.is_empty() {
        return Err(DecodeError::malformed("SUBSCRIBE without a filter [MQTT-3.8.3-3]"));
    }
    let (subscription_id, user_properties) = (None, Vec::new());
    Ok(Packet::Subscribe(Subscribe { packet_id, filters, subscription_id, user_properties }))
}

/// 3.10.
fn unsubscribe(reader: &mut Reader) -> Result<Packet, DecodeError> {
    let packet_id = reader.packet_id()?;
    let mut filters = Vec::new();
    while !reader.is_empty() {
        filters.push(topic_filter(reader.string()?)?);
    }
    if filters.is_empty() {
        return Err(DecodeError::malformed("UNSUBSCRIBE without a filter [MQTT-3.10.3-2]"));
    }
    Ok(Packet::Unsubscribe(Unsubscribe { packet_id, filters, user_properties: Vec::new() }))
}

fn qos(bits: u8) -> Result<QoS, DecodeError> {
    match bits {
        0 => Ok(QoS::AtMostOnce),
        1 => Ok(QoS::AtLeastOnce),
        2 => Ok(QoS::ExactlyOnce),
        _ => Err(DecodeError::malformed("QoS 3 [MQTT-3.3.1-4]")),
    }
}

fn topic_name(text: ByteString) -> Result<TopicName, DecodeError> {
    TopicName::new(text).map_err(|error| DecodeError::malformed(error.detail()))
}

fn topic_filter(text: ByteString) -> Result<TopicFilter, DecodeError> {
    TopicFilter::new(text).map_err(|error| DecodeError::malformed(error.detail()))
}

impl Message {
    /// A copy that does not keep a larger packet alive: for what is stored.
    #[must_use]
    pub fn compact(&self) -> Self {
        let payload: Bytes = super::topic::compact_bytes(&self.payload);
        Self { topic: self.topic.compact(), payload, properties: self.properties.clone() }
    }
}
