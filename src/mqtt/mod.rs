//! Bytes ⇄ packets of MQTT 3.1, 3.1.1 and 5.0, topic names and filters. No socket, no session, no
//! policy.
//!
//! ```text
//! bytes ─▶ Decoder (of what a Role sends) ─▶ Packet ─▶ Encoder (as a Role, in a Version) ─▶ bytes
//! ```
//!
//! Sections and clauses are those of MQTT 5.0 unless another version is named.

mod compact;
mod decode;
mod encode;
mod kind;
mod packet;
mod properties;
mod property;
mod reason;
mod section;
mod topic;

#[cfg(test)]
pub(crate) mod tests;

pub use decode::{DecodeError, Decoder};
pub use encode::{Encoder, encoded_len};
pub use kind::Role;
pub use packet::{
    Acknowledgement, Auth, Connect, ConnectAcknowledgement, Credentials, Delivery, Disconnect,
    Message, Packet, PacketId, Publish, QoS, RetainHandling, Subscribe, SubscribeAcknowledgement,
    SubscribeFilter, Unsubscribe, UnsubscribeAcknowledgement, Version, Will,
};
pub use properties::{
    AcknowledgementProperties, ConnectAcknowledgementProperties, ConnectProperties,
    DisconnectProperties, MessageProperties, UserProperty, WillProperties,
};
pub use reason::ReasonCode;
pub use topic::{TopicError, TopicFilter, TopicName};
