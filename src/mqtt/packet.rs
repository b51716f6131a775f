//! The packets of MQTT, one type for all versions: what only 5.0 knows is absent in 3.1.1.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;

use super::{
    AcknowledgementProperties, ConnectAcknowledgementProperties, ConnectProperties,
    DisconnectProperties, MessageProperties, ReasonCode, TopicFilter, TopicName, UserProperty,
    WillProperties,
};

/// A packet identifier is never zero ([MQTT-2.2.1-3]).
pub type PacketId = NonZeroU16;

/// The protocol a CONNECT names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// `MQIsdp`, level 3.
    V3_1,
    /// `MQTT`, level 4.
    V3_1_1,
    /// `MQTT`, level 5.
    V5,
}

/// Quality of service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QoS {
    /// 0: at most once.
    #[default]
    AtMostOnce,
    /// 1: at least once.
    AtLeastOnce,
    /// 2: exactly once.
    ExactlyOnce,
}

impl QoS {
    /// As in the two bits that each packet has for it.
    pub const fn bits(self) -> u8 {
        match self {
            Self::AtMostOnce => 0,
            Self::AtLeastOnce => 1,
            Self::ExactlyOnce => 2,
        }
    }

    /// Of its bits; `None` for 3 and above ([MQTT-3.3.1-4]).
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }
}

/// Any packet, in either direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// 3.1: a client asks to be connected.
    Connect(Box<Connect>),
    /// 3.2: the server's answer to it.
    ConnAck(Box<ConnectAcknowledgement>),
    /// 3.3: a message.
    Publish(Publish),
    /// 3.4: a QoS 1 message was taken over.
    PubAck(Acknowledgement),
    /// 3.5: a QoS 2 message was received.
    PubRec(Acknowledgement),
    /// 3.6: the sender has discarded a QoS 2 message.
    PubRel(Acknowledgement),
    /// 3.7: a QoS 2 delivery is complete.
    PubComp(Acknowledgement),
    /// 3.8: topic filters a client wants.
    Subscribe(Subscribe),
    /// 3.9: what it was granted.
    SubAck(SubscribeAcknowledgement),
    /// 3.10: topic filters a client no longer wants.
    Unsubscribe(Unsubscribe),
    /// 3.11: the answer to it.
    UnsubAck(UnsubscribeAcknowledgement),
    /// 3.12: a client is alive.
    PingReq,
    /// 3.13: so is the server.
    PingResp,
    /// 3.14: the last packet of a connection.
    Disconnect(Box<Disconnect>),
    /// 3.15 (5.0 only): a step of enhanced authentication.
    Auth(Box<Auth>),
}

impl Packet {
    /// What this packet counts towards the bytes given to a connection and not yet written: an
    /// estimate that the broker and the connection make alike, without encoding it.
    pub fn weight(&self) -> usize {
        const OVERHEAD: usize = 64;
        match self {
            Self::Publish(publish) => OVERHEAD.saturating_add(publish.message.weight()),
            Self::SubAck(answer) => OVERHEAD.saturating_add(answer.reasons.len()),
            Self::UnsubAck(answer) => OVERHEAD.saturating_add(answer.reasons.len()),
            _ => OVERHEAD,
        }
    }
}

/// 3.1. `client_id` may be empty; whether that is allowed is the broker's to say. A decoded one is
/// slices of the receive buffer: whoever keeps a part copies it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// Protocol name and level.
    pub version: Version,
    /// Client identifier, possibly empty.
    pub client_id: ByteString,
    /// Clean session (3.1.1) or clean start (5.0).
    pub clean_start: bool,
    /// Keep alive; zero means none is wanted.
    pub keep_alive: Duration,
    /// What to publish when the client goes without a word.
    pub will: Option<Will>,
    /// User name and password.
    pub credentials: Credentials,
    /// 5.0 properties; the defaults of the standard in 3.1.1.
    pub properties: ConnectProperties,
}

/// User name and password of a CONNECT. `Debug` does not show the password.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// User name.
    pub user: Option<ByteString>,
    /// Password: any bytes.
    pub password: Option<Bytes>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let password = self.password.as_ref().map(|_| "…");
        formatter
            .debug_struct("Credentials")
            .field("user", &self.user)
            .field("password", &password)
            .finish()
    }
}

/// The will of a CONNECT (3.1.2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Will {
    /// What is published.
    pub message: Message,
    /// At which quality.
    pub qos: QoS,
    /// Whether it is retained.
    pub retain: bool,
    /// 5.0: will delay interval.
    pub properties: WillProperties,
}

/// 3.2. In 3.1.1 the reason is written as its return code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectAcknowledgement {
    /// Whether the server had state for the client.
    pub session_present: bool,
    /// [`ReasonCode::Success`] or why not.
    pub reason: ReasonCode,
    /// 5.0 properties.
    pub properties: ConnectAcknowledgementProperties,
}

/// An application message. Cheap to clone: every part is shared by reference. A decoded one shares
/// the receive buffer: whoever stores it stores its [`Message::compact`] form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where it was published.
    pub topic: TopicName,
    /// What was published, byte for byte.
    pub payload: Bytes,
    /// 5.0 properties that travel with it to subscribers; `None` when there are none.
    pub properties: Option<Arc<MessageProperties>>,
}

impl Message {
    /// Bytes of its parts, for whoever bounds what is held.
    pub fn weight(&self) -> usize {
        let Self { topic, payload, properties } = self;
        let properties = properties.as_ref().map_or(0, |properties| properties.weight());
        topic.as_str().len().saturating_add(payload.len()).saturating_add(properties)
    }
}

/// How a PUBLISH is to be delivered: only QoS 1 and 2 have a packet identifier ([MQTT-2.2.1-2]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// QoS 0.
    AtMostOnce,
    /// QoS 1, acknowledged by PUBACK.
    AtLeastOnce(PacketId),
    /// QoS 2, acknowledged by PUBREC, PUBREL and PUBCOMP.
    ExactlyOnce(PacketId),
}

impl Delivery {
    /// The quality of service this is.
    pub const fn qos(self) -> QoS {
        match self {
            Self::AtMostOnce => QoS::AtMostOnce,
            Self::AtLeastOnce(_) => QoS::AtLeastOnce,
            Self::ExactlyOnce(_) => QoS::ExactlyOnce,
        }
    }

    /// Present from QoS 1 on.
    pub const fn packet_id(self) -> Option<PacketId> {
        match self {
            Self::AtMostOnce => None,
            Self::AtLeastOnce(packet_id) | Self::ExactlyOnce(packet_id) => Some(packet_id),
        }
    }
}

/// 3.3. Topic aliases are a compression of the wire: [`super::Decoder`] and [`super::Encoder`]
/// resolve and assign them, so a topic is always present here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// Whether this may be a re-delivery.
    pub dup: bool,
    /// Quality of service and packet identifier.
    pub delivery: Delivery,
    /// To the server: store it. To a client: it comes from the store.
    pub retain: bool,
    /// Topic, payload and properties.
    pub message: Message,
    /// 5.0, to clients only: identifiers of the subscriptions that it matched.
    pub subscription_ids: Vec<u32>,
}

/// PUBACK, PUBREC, PUBREL and PUBCOMP have one form (3.4 to 3.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The message it speaks of.
    pub packet_id: PacketId,
    /// 5.0; always [`ReasonCode::Success`] in 3.1.1.
    pub reason: ReasonCode,
    /// 5.0; `None` when there are none.
    pub properties: Option<Box<AcknowledgementProperties>>,
}

impl Acknowledgement {
    /// Success for `packet_id`, without properties.
    pub const fn success(packet_id: PacketId) -> Self {
        Self { packet_id, reason: ReasonCode::Success, properties: None }
    }
}

/// 3.8. Holds one filter at least ([MQTT-3.8.3-2]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// To be echoed by the SUBACK.
    pub packet_id: PacketId,
    /// In the order of the packet, which is the order of the SUBACK.
    pub filters: Vec<SubscribeFilter>,
    /// 5.0: subscription identifier, 1 to 268,435,455.
    pub subscription_id: Option<u32>,
    /// 5.0.
    pub user_properties: Vec<UserProperty>,
}

/// One filter of a SUBSCRIBE with its options (3.8.3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscribeFilter {
    /// The topic filter; an ill-formed one makes the packet malformed.
    pub filter: TopicFilter,
    /// Most the server may use.
    pub qos: QoS,
    /// 5.0: do not send the client its own messages.
    pub no_local: bool,
    /// 5.0: keep the retain flag as it was published.
    pub retain_as_published: bool,
    /// 5.0: when to send retained messages.
    pub retain_handling: RetainHandling,
}

/// 3.8.3.1: retain handling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RetainHandling {
    /// 0: at each subscribe.
    #[default]
    Send,
    /// 1: only if the subscription is new.
    SendIfNew,
    /// 2: never.
    Never,
}

impl RetainHandling {
    /// As in the options of a filter.
    pub const fn bits(self) -> u8 {
        match self {
            Self::Send => 0,
            Self::SendIfNew => 1,
            Self::Never => 2,
        }
    }

    /// Of its bits; `None` for 3 and above, a protocol error (3.8.3.1).
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::Send),
            1 => Some(Self::SendIfNew),
            2 => Some(Self::Never),
            _ => None,
        }
    }
}

/// 3.9. In 3.1.1 any refusal is written as 0x80.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscribeAcknowledgement {
    /// Of the SUBSCRIBE.
    pub packet_id: PacketId,
    /// One per filter, in order.
    pub reasons: Vec<ReasonCode>,
    /// 5.0; `None` when there are none.
    pub properties: Option<Box<AcknowledgementProperties>>,
}

/// 3.10. Holds one filter at least ([MQTT-3.10.3-2]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsubscribe {
    /// To be echoed by the UNSUBACK.
    pub packet_id: PacketId,
    /// In the order of the packet.
    pub filters: Vec<TopicFilter>,
    /// 5.0.
    pub user_properties: Vec<UserProperty>,
}

/// 3.11. In 3.1.1 the reasons are not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsubscribeAcknowledgement {
    /// Of the UNSUBSCRIBE.
    pub packet_id: PacketId,
    /// One per filter, in order.
    pub reasons: Vec<ReasonCode>,
    /// 5.0; `None` when there are none.
    pub properties: Option<Box<AcknowledgementProperties>>,
}

/// 3.14. From a server only in 5.0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disconnect {
    /// 5.0; [`ReasonCode::Success`] in 3.1.1.
    pub reason: ReasonCode,
    /// 5.0 properties.
    pub properties: DisconnectProperties,
}

/// 3.15.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// Success, continue or re-authenticate.
    pub reason: ReasonCode,
    /// Authentication method.
    pub method: Option<ByteString>,
    /// Authentication data.
    pub data: Option<Bytes>,
    /// Reason string and user properties.
    pub properties: AcknowledgementProperties,
}
