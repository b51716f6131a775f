//! PUBLISH (3.3), and the topic aliases of its sender.

use std::collections::BTreeMap;

use bytestring::ByteString;

use super::properties::Section;
use super::{Body, DecodeError};
use crate::limits::{SUBSCRIPTIONS_PER_SESSION_MAX, TOPIC_ALIAS_BYTES_FROM_PEER, TOPIC_BYTES_MAX};
use crate::mqtt::property::PropertyId;
use crate::mqtt::{
    Delivery, Message, MessageProperties, Publish, QoS, ReasonCode, Role, TopicName, Version,
};

/// Topics that a peer has given a number (3.3.2.3.4).
#[derive(Debug, Default)]
pub(super) struct TopicAliases {
    maximum: u16,
    /// Grows with what was sent, not with what may be: an alias costs its sender a PUBLISH.
    topics: BTreeMap<u16, TopicName>,
    /// Of all of them.
    bytes: usize,
}

impl TopicAliases {
    pub(super) fn set_maximum(&mut self, maximum: u16) {
        self.maximum = maximum;
    }

    fn resolve(&mut self, text: ByteString, alias: Option<u16>) -> Result<TopicName, DecodeError> {
        let Some(alias) = alias else {
            return TopicName::new(text).map_err(DecodeError::topic_name);
        };
        if alias == 0 {
            return Err(alias_invalid("topic alias is 0 [MQTT-3.3.2-8]"));
        }
        if alias > self.maximum {
            return Err(alias_invalid("topic alias above the maximum [MQTT-3.3.2-9, -11]"));
        }
        if text.is_empty() {
            return self.topics.get(&alias).cloned().ok_or(DecodeError::protocol(
                "topic alias that was given no topic (MQTT 5.0 section 3.3.2.3.4)",
            ));
        }
        let topic = TopicName::new(text).map_err(DecodeError::topic_name)?;
        self.remember(alias, topic.compact())?;
        Ok(topic)
    }

    fn remember(&mut self, alias: u16, topic: TopicName) -> Result<(), DecodeError> {
        let bytes_max = TOPIC_ALIAS_BYTES_FROM_PEER.saturating_mul(self.maximum.into());
        self.bytes = self.bytes.saturating_add(topic.as_str().len());
        let replaced = self.topics.insert(alias, topic);
        self.bytes -= replaced.map_or(0, |replaced| replaced.as_str().len());
        if self.bytes > bytes_max.max(TOPIC_BYTES_MAX) {
            return Err(DecodeError::new(
                ReasonCode::QuotaExceeded,
                "topics of all aliases together too long: our limit",
            ));
        }
        Ok(())
    }
}

fn alias_invalid(detail: &'static str) -> DecodeError {
    DecodeError::new(ReasonCode::TopicAliasInvalid, detail)
}

/// What 5.0 has between packet identifier and payload.
#[derive(Default)]
struct Properties {
    /// Absent until one is met: most messages have none, and this is the busiest path there is.
    of_message: Option<MessageProperties>,
    alias: Option<u16>,
    subscription_ids: Vec<u32>,
}

/// `flags` are the lower four bits of the packet's first byte.
pub(super) fn read(
    flags: u8,
    version: Version,
    sender: Role,
    aliases: &mut TopicAliases,
    mut body: Body,
) -> Result<Publish, DecodeError> {
    let dup = flags & 0b1000 != 0;
    let retain = flags & 0b0001 != 0;
    let qos = QoS::from_bits(flags >> 1 & 0b11)
        .ok_or(DecodeError::malformed("QoS is 3 [MQTT-3.3.1-4]"))?;
    if dup && qos == QoS::AtMostOnce {
        return Err(DecodeError::malformed("DUP flag with QoS 0 [MQTT-3.3.1-2]"));
    }
    let topic = body.topic()?;
    let delivery = delivery(qos, &mut body)?;
    if version != Version::V5 {
        let topic = TopicName::new(topic).map_err(DecodeError::topic_name)?;
        let message = Message { topic, payload: body.rest(), properties: None };
        return Ok(Publish { dup, delivery, retain, message, subscription_ids: Vec::new() });
    }
    let Properties { of_message, alias, subscription_ids } = properties(sender, &mut body)?;
    if topic.is_empty() && alias.is_none() {
        return Err(DecodeError::protocol(
            "neither topic name nor topic alias (MQTT 5.0 section 3.3.2.1)",
        ));
    }
    let topic = aliases.resolve(topic, alias)?;
    let properties = of_message.and_then(MessageProperties::shared);
    let message = Message { topic, payload: body.rest(), properties };
    Ok(Publish { dup, delivery, retain, message, subscription_ids })
}

fn delivery(qos: QoS, body: &mut Body) -> Result<Delivery, DecodeError> {
    Ok(match qos {
        QoS::AtMostOnce => Delivery::AtMostOnce,
        QoS::AtLeastOnce => Delivery::AtLeastOnce(body.packet_id()?),
        QoS::ExactlyOnce => Delivery::ExactlyOnce(body.packet_id()?),
    })
}

/// 3.3.2.3.
fn properties(sender: Role, body: &mut Body) -> Result<Properties, DecodeError> {
    let mut known = Properties::default();
    let mut section = Section::read(body)?;
    while let Some(id) = section.next_id()? {
        match id {
            PropertyId::TopicAlias => known.alias = Some(section.u16()?),
            PropertyId::SubscriptionIdentifier => {
                let id = section.subscription_id()?;
                subscription_id(sender, id, &mut known.subscription_ids)?;
            }
            other => {
                let of_message = known.of_message.get_or_insert_default();
                section.message_property(other, of_message)?;
            }
        }
    }
    Ok(known)
}

fn subscription_id(sender: Role, id: u32, known: &mut Vec<u32>) -> Result<(), DecodeError> {
    if sender == Role::Client {
        return Err(DecodeError::protocol(
            "subscription identifier in a client's PUBLISH [MQTT-3.3.4-6]",
        ));
    }
    if known.len() >= SUBSCRIPTIONS_PER_SESSION_MAX {
        return Err(DecodeError::new(
            ReasonCode::ImplementationSpecificError,
            "too many subscription identifiers: our limit",
        ));
    }
    known.push(id);
    Ok(())
}
