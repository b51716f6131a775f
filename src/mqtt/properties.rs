//! The properties of MQTT 5.0 (section 2.2.2), as each packet may carry them. `Default` is what the
//! standard says of an absent property, and what a 3.1.1 client means.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;

use super::QoS;

/// A name and a value with a meaning of the user's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserProperty {
    /// Name; may appear more than once.
    pub name: ByteString,
    /// Value.
    pub value: ByteString,
}

/// 3.1.2.11.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectProperties {
    /// How long the session outlives the connection; `None`: for ever (`0xFFFF_FFFF`).
    pub session_expiry: Option<Duration>,
    /// QoS 1 and 2 messages the client takes at a time.
    pub receive_maximum: NonZeroU16,
    /// Largest packet the client takes, in bytes; `None`: any.
    pub maximum_packet_size: Option<u32>,
    /// Topic aliases the client takes.
    pub topic_alias_maximum: u16,
    /// The client wants response information.
    pub request_response_information: bool,
    /// The client takes reason strings and user properties in every packet.
    pub request_problem_information: bool,
    /// Of the client.
    pub user_properties: Vec<UserProperty>,
    /// Name of an enhanced authentication method.
    pub authentication_method: Option<ByteString>,
    /// First data of it.
    pub authentication_data: Option<Bytes>,
}

impl Default for ConnectProperties {
    fn default() -> Self {
        Self {
            session_expiry: Some(Duration::ZERO),
            receive_maximum: NonZeroU16::MAX,
            maximum_packet_size: None,
            topic_alias_maximum: 0,
            request_response_information: false,
            request_problem_information: true,
            user_properties: Vec::new(),
            authentication_method: None,
            authentication_data: None,
        }
    }
}

/// 3.2.2.3. Absent values are not written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectAcknowledgementProperties {
    /// The expiry the server uses, where not the client's. `None` here: not written.
    pub session_expiry_seconds: Option<u32>,
    /// QoS 1 and 2 messages the server takes at a time.
    pub receive_maximum: Option<NonZeroU16>,
    /// Highest quality the server takes.
    pub maximum_qos: Option<QoS>,
    /// Whether retained messages are kept.
    pub retain_available: Option<bool>,
    /// Largest packet the server takes, in bytes.
    pub maximum_packet_size: Option<u32>,
    /// The name given to a client without one.
    pub assigned_client_id: Option<ByteString>,
    /// Topic aliases the server takes.
    pub topic_alias_maximum: Option<u16>,
    /// Why, for people.
    pub reason_string: Option<ByteString>,
    /// Of the server.
    pub user_properties: Vec<UserProperty>,
    /// Whether wildcards may be subscribed to.
    pub wildcard_subscription_available: Option<bool>,
    /// Whether subscription identifiers are taken.
    pub subscription_ids_available: Option<bool>,
    /// Whether shared subscriptions are taken.
    pub shared_subscription_available: Option<bool>,
    /// The keep alive the client must use, in seconds.
    pub server_keep_alive_seconds: Option<u16>,
    /// Where the client may expect responses.
    pub response_information: Option<ByteString>,
    /// Where to go instead.
    pub server_reference: Option<ByteString>,
    /// Enhanced authentication method.
    pub authentication_method: Option<ByteString>,
    /// Its data.
    pub authentication_data: Option<Bytes>,
}

/// 3.3.2.3, as far as it travels with the message from publisher to subscriber.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageProperties {
    /// The payload is declared to be UTF-8 text.
    pub payload_is_utf8: bool,
    /// Lifetime from publication, to the second.
    pub message_expiry: Option<Duration>,
    /// MIME type.
    pub content_type: Option<ByteString>,
    /// Where an answer goes.
    pub response_topic: Option<ByteString>,
    /// By which an answer is recognised.
    pub correlation_data: Option<Bytes>,
    /// In order, unchanged.
    pub user_properties: Vec<UserProperty>,
}

impl MessageProperties {
    /// As a message has them: `None` when they say nothing.
    pub fn shared(self) -> Option<Arc<Self>> {
        (self != Self::default()).then(|| Arc::new(self))
    }

    /// Bytes they take in memory.
    pub(super) fn weight(&self) -> usize {
        let text = |text: &Option<ByteString>| text.as_ref().map_or(0, |text| text.len());
        let pair = |pair: &UserProperty| {
            size_of::<UserProperty>()
                .saturating_add(pair.name.len())
                .saturating_add(pair.value.len())
        };
        let pairs = self.user_properties.iter().map(pair).fold(0, usize::saturating_add);
        let data = self.correlation_data.as_ref().map_or(0, Bytes::len);
        let parts = [text(&self.content_type), text(&self.response_topic), data, pairs];
        parts.into_iter().fold(size_of::<Self>(), usize::saturating_add)
    }
}

/// 3.1.3.2, but for what the will's message carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WillProperties {
    /// How long to wait before the will is published.
    pub delay: Duration,
}

/// Of PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AcknowledgementProperties {
    /// Why, for people.
    pub reason_string: Option<ByteString>,
    /// In order.
    pub user_properties: Vec<UserProperty>,
}

/// 3.14.2.2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DisconnectProperties {
    /// From a client: the expiry it wants now, in seconds; `0xFFFF_FFFF` is for ever.
    pub session_expiry_seconds: Option<u32>,
    /// Why, for people.
    pub reason_string: Option<ByteString>,
    /// In order.
    pub user_properties: Vec<UserProperty>,
    /// Where to go instead.
    pub server_reference: Option<ByteString>,
}
