//! PUBLISH but for its payload (3.3.2), and the topic aliases we assign.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::properties::PublishProperties;
use super::sink::{Encode, Sink};
use crate::limits::{TOPIC_ALIAS_BYTES_TO_PEER_MAX, TOPIC_ALIASES_TO_PEER_MAX};
use crate::mqtt::kind::PacketKind;
use crate::mqtt::{Publish, QoS, TopicName, Version};

/// How the topic of a PUBLISH is said (3.3.2.3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TopicForm {
    /// By its name.
    Name,
    /// By its name, with the number it has from now on.
    NameWithAlias(u16),
    /// By the number given to it before.
    Alias(u16),
}

/// The topics that have a number towards one peer: the first ones that were sent. Topics of a house
/// recur, so none is ever forgotten for another.
#[derive(Debug, Default)]
pub(super) struct AssignedAliases {
    maximum: u16,
    aliases: BTreeMap<TopicName, u16>,
}

impl AssignedAliases {
    pub(super) fn set_maximum(&mut self, maximum: u16) {
        self.maximum = maximum.min(TOPIC_ALIASES_TO_PEER_MAX);
    }

    pub(super) fn form(&self, topic: &TopicName) -> TopicForm {
        /// Identifier and number: no shorter topic gains by an alias.
        const ALIAS_PROPERTY_BYTES: usize = 3;
        const GAINING: RangeInclusive<usize> =
            ALIAS_PROPERTY_BYTES + 1..=TOPIC_ALIAS_BYTES_TO_PEER_MAX;
        if self.maximum == 0 || !GAINING.contains(&topic.as_str().len()) {
            return TopicForm::Name;
        }
        if let Some(&alias) = self.aliases.get(topic) {
            return TopicForm::Alias(alias);
        }
        match u16::try_from(self.aliases.len()) {
            Ok(assigned) if assigned < self.maximum => {
                TopicForm::NameWithAlias(assigned.saturating_add(1))
            }
            _ => TopicForm::Name,
        }
    }

    /// To be called when `topic` was written in that form.
    pub(super) fn written(&mut self, topic: &TopicName, form: TopicForm) {
        if let TopicForm::NameWithAlias(alias) = form {
            self.aliases.insert(topic.compact(), alias);
        }
    }
}

/// Type and flags. DUP is never set with QoS 0 ([MQTT-3.3.1-2]).
pub(super) fn first_byte(publish: &Publish) -> u8 {
    let qos = publish.delivery.qos();
    let dup = publish.dup && qos != QoS::AtMostOnce;
    PacketKind::Publish.first_byte()
        | u8::from(dup) << 3
        | qos.bits() << 1
        | u8::from(publish.retain)
}

/// Topic, packet identifier and properties.
pub(super) struct VariableHeader<'publish> {
    pub(super) publish: &'publish Publish,
    pub(super) version: Version,
    pub(super) form: TopicForm,
}

impl Encode for VariableHeader<'_> {
    fn encode(&self, sink: &mut impl Sink) {
        let Publish { delivery, message, subscription_ids, .. } = self.publish;
        let (topic, alias) = match self.form {
            TopicForm::Name => (message.topic.as_str(), None),
            TopicForm::NameWithAlias(alias) => (message.topic.as_str(), Some(alias)),
            TopicForm::Alias(alias) => ("", Some(alias)),
        };
        sink.string(topic);
        if let Some(packet_id) = delivery.packet_id() {
            sink.packet_id(packet_id);
        }
        if self.version == Version::V5 {
            let of_message = message.properties.as_deref();
            sink.section(&PublishProperties { of_message, alias, subscription_ids });
        }
    }
}
