//! Bytes ⇄ packets of MQTT 3.1, 3.1.1 and 5.0, topic names and filters. No socket, no session, no
//! policy.

mod decode;
mod encode;
mod packet;
mod properties;
mod reader;
mod reason;
#[cfg(test)]
mod tests;
mod topic;

pub use decode::{DecodeError, Decoder};
pub use encode::Encoder;
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
