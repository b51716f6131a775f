//! The property sections of 5.0 (2.2.2), without their length. What equals its default is not
//! written.

use std::num::NonZeroU16;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;

use super::sink::{Encode, Sink};
use crate::mqtt::property::PropertyId;
use crate::mqtt::{
    AcknowledgementProperties, Auth, ConnectAcknowledgementProperties, ConnectProperties,
    DisconnectProperties, MessageProperties, QoS, Subscribe, UserProperty, Will,
};

impl Encode for ConnectProperties {
    fn encode(&self, sink: &mut impl Sink) {
        let expiry = self.session_expiry.map_or(u32::MAX, |expiry| seconds(expiry, u32::MAX - 1));
        number(sink, PropertyId::SessionExpiryInterval, Some(expiry).filter(|&expiry| expiry != 0));
        let receive_maximum = Some(self.receive_maximum).filter(|&max| max != NonZeroU16::MAX);
        short(sink, PropertyId::ReceiveMaximum, receive_maximum.map(NonZeroU16::get));
        number(sink, PropertyId::MaximumPacketSize, self.maximum_packet_size);
        let alias_maximum = Some(self.topic_alias_maximum).filter(|&maximum| maximum != 0);
        short(sink, PropertyId::TopicAliasMaximum, alias_maximum);
        let response = Some(self.request_response_information).filter(|&wanted| wanted);
        flag(sink, PropertyId::RequestResponseInformation, response);
        let problem = Some(self.request_problem_information).filter(|&wanted| !wanted);
        flag(sink, PropertyId::RequestProblemInformation, problem);
        user_properties(sink, &self.user_properties);
        text(sink, PropertyId::AuthenticationMethod, self.authentication_method.as_ref());
        binary(sink, PropertyId::AuthenticationData, self.authentication_data.as_ref());
    }
}

/// 3.1.3.2: the will's own property, then those of its message.
impl Encode for Will {
    fn encode(&self, sink: &mut impl Sink) {
        let delay = seconds(self.properties.delay, u32::MAX);
        number(sink, PropertyId::WillDelayInterval, Some(delay).filter(|&delay| delay != 0));
        if let Some(properties) = &self.message.properties {
            properties.encode(sink);
        }
    }
}

impl Encode for ConnectAcknowledgementProperties {
    fn encode(&self, sink: &mut impl Sink) {
        number(sink, PropertyId::SessionExpiryInterval, self.session_expiry_seconds);
        short(sink, PropertyId::ReceiveMaximum, self.receive_maximum.map(NonZeroU16::get));
        // 2 may not be written: it is what absence means (3.2.2.3.4).
        let maximum_qos = self.maximum_qos.filter(|&qos| qos != QoS::ExactlyOnce);
        byte(sink, PropertyId::MaximumQoS, maximum_qos.map(QoS::bits));
        flag(sink, PropertyId::RetainAvailable, self.retain_available);
        number(sink, PropertyId::MaximumPacketSize, self.maximum_packet_size);
        text(sink, PropertyId::AssignedClientIdentifier, self.assigned_client_id.as_ref());
        short(sink, PropertyId::TopicAliasMaximum, self.topic_alias_maximum);
        text(sink, PropertyId::ReasonString, self.reason_string.as_ref());
        user_properties(sink, &self.user_properties);
        let wildcards = self.wildcard_subscription_available;
        flag(sink, PropertyId::WildcardSubscriptionAvailable, wildcards);
        flag(sink, PropertyId::SubscriptionIdentifierAvailable, self.subscription_ids_available);
        flag(sink, PropertyId::SharedSubscriptionAvailable, self.shared_subscription_available);
        short(sink, PropertyId::ServerKeepAlive, self.server_keep_alive_seconds);
        text(sink, PropertyId::ResponseInformation, self.response_information.as_ref());
        text(sink, PropertyId::ServerReference, self.server_reference.as_ref());
        text(sink, PropertyId::AuthenticationMethod, self.authentication_method.as_ref());
        binary(sink, PropertyId::AuthenticationData, self.authentication_data.as_ref());
    }
}

impl Encode for MessageProperties {
    fn encode(&self, sink: &mut impl Sink) {
        let is_utf8 = Some(self.payload_is_utf8).filter(|&is_utf8| is_utf8);
        flag(sink, PropertyId::PayloadFormatIndicator, is_utf8);
        let expiry = self.message_expiry.map(|expiry| seconds(expiry, u32::MAX));
        number(sink, PropertyId::MessageExpiryInterval, expiry);
        text(sink, PropertyId::ContentType, self.content_type.as_ref());
        text(sink, PropertyId::ResponseTopic, self.response_topic.as_ref());
        binary(sink, PropertyId::CorrelationData, self.correlation_data.as_ref());
        user_properties(sink, &self.user_properties);
    }
}

/// 3.3.2.3, all of it.
pub(super) struct PublishProperties<'publish> {
    pub(super) of_message: Option<&'publish MessageProperties>,
    pub(super) alias: Option<u16>,
    pub(super) subscription_ids: &'publish [u32],
}

impl Encode for PublishProperties<'_> {
    fn encode(&self, sink: &mut impl Sink) {
        if let Some(properties) = self.of_message {
            properties.encode(sink);
        }
        short(sink, PropertyId::TopicAlias, self.alias);
        for id in self.subscription_ids {
            subscription_id(sink, *id);
        }
    }
}

/// 3.8.2.1.
impl Encode for Subscribe {
    fn encode(&self, sink: &mut impl Sink) {
        if let Some(id) = self.subscription_id {
            subscription_id(sink, id);
        }
        user_properties(sink, &self.user_properties);
    }
}

impl Encode for AcknowledgementProperties {
    fn encode(&self, sink: &mut impl Sink) {
        text(sink, PropertyId::ReasonString, self.reason_string.as_ref());
        user_properties(sink, &self.user_properties);
    }
}

impl Encode for DisconnectProperties {
    fn encode(&self, sink: &mut impl Sink) {
        number(sink, PropertyId::SessionExpiryInterval, self.session_expiry_seconds);
        text(sink, PropertyId::ReasonString, self.reason_string.as_ref());
        user_properties(sink, &self.user_properties);
        text(sink, PropertyId::ServerReference, self.server_reference.as_ref());
    }
}

/// 3.15.2.2.
impl Encode for Auth {
    fn encode(&self, sink: &mut impl Sink) {
        text(sink, PropertyId::AuthenticationMethod, self.method.as_ref());
        binary(sink, PropertyId::AuthenticationData, self.data.as_ref());
        self.properties.encode(sink);
    }
}

/// For packets whose only property it is.
impl Encode for Vec<UserProperty> {
    fn encode(&self, sink: &mut impl Sink) {
        user_properties(sink, self);
    }
}

/// Whole seconds, `maximum` where there are more.
pub(super) fn seconds(duration: Duration, maximum: u32) -> u32 {
    u32::try_from(duration.as_secs()).map_or(maximum, |seconds| seconds.min(maximum))
}

fn byte(sink: &mut impl Sink, id: PropertyId, value: Option<u8>) {
    if let Some(value) = value {
        sink.u8(id.code());
        sink.u8(value);
    }
}

fn flag(sink: &mut impl Sink, id: PropertyId, value: Option<bool>) {
    byte(sink, id, value.map(u8::from));
}

fn short(sink: &mut impl Sink, id: PropertyId, value: Option<u16>) {
    if let Some(value) = value {
        sink.u8(id.code());
        sink.u16(value);
    }
}

fn number(sink: &mut impl Sink, id: PropertyId, value: Option<u32>) {
    if let Some(value) = value {
        sink.u8(id.code());
        sink.u32(value);
    }
}

fn text(sink: &mut impl Sink, id: PropertyId, value: Option<&ByteString>) {
    if let Some(value) = value {
        sink.u8(id.code());
        sink.string(value);
    }
}

fn binary(sink: &mut impl Sink, id: PropertyId, value: Option<&Bytes>) {
    if let Some(value) = value {
        sink.u8(id.code());
        sink.binary(value);
    }
}

fn subscription_id(sink: &mut impl Sink, id: u32) {
    sink.u8(PropertyId::SubscriptionIdentifier.code());
    sink.variable_integer(id);
}

fn user_properties(sink: &mut impl Sink, properties: &[UserProperty]) {
    for UserProperty { name, value } in properties {
        sink.u8(PropertyId::UserProperty.code());
        sink.string(name);
        sink.string(value);
    }
}
