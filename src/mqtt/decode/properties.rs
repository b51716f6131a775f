//! The property section of a 5.0 packet (2.2.2), and the properties that several packets share.

use std::num::NonZeroU16;

use bytes::Bytes;
use bytestring::ByteString;

use super::{Body, DecodeError};
use crate::limits::USER_PROPERTIES_PER_PACKET_MAX;
use crate::mqtt::property::PropertyId;
use crate::mqtt::{
    AcknowledgementProperties, MessageProperties, ReasonCode, TopicName, UserProperty,
};

/// What is left to read of a property section.
pub(super) struct Section {
    body: Body,
    /// One bit per identifier that was there.
    seen: u64,
}

impl Section {
    pub(super) const NOT_ALLOWED: DecodeError =
        DecodeError::malformed("property not allowed in this packet (MQTT 5.0 section 2.2.2.2)");

    const REPEATED: DecodeError =
        DecodeError::protocol("property given twice (MQTT 5.0 section 2.2.2.2)");

    /// Takes a length and as many bytes off `body`.
    pub(super) fn read(body: &mut Body) -> Result<Self, DecodeError> {
        let length = body.variable_integer()?;
        let length = usize::try_from(length).map_err(|_| DecodeError::TRUNCATED)?;
        // Most sections are empty, and no slice is cheaper than an empty one.
        let section = if length == 0 { Bytes::new() } else { body.take(length)? };
        Ok(Self { body: Body::new(section), seen: 0 })
    }

    /// As [`Section::read`], for packets that may end before their properties.
    pub(super) fn read_if_any(body: &mut Body) -> Result<Self, DecodeError> {
        if body.is_empty() {
            return Ok(Self { body: Body::new(Bytes::new()), seen: 0 });
        }
        Self::read(body)
    }

    /// The next property, whose value must be read next; `None` at the end.
    pub(super) fn next_id(&mut self) -> Result<Option<PropertyId>, DecodeError> {
        if self.body.is_empty() {
            return Ok(None);
        }
        let code = self.body.variable_integer()?;
        let id = PropertyId::from_code(code).ok_or(DecodeError::malformed(
            "unknown property identifier (MQTT 5.0 section 2.2.2.2)",
        ))?;
        let bit = 1_u64 << id.code();
        if self.seen & bit != 0 && !id.may_repeat() {
            return Err(Self::REPEATED);
        }
        self.seen |= bit;
        Ok(Some(id))
    }

    /// 0 or 1.
    pub(super) fn flag(&mut self) -> Result<bool, DecodeError> {
        match self.body.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::protocol("value of a property is neither 0 nor 1 (2.2.2.2)")),
        }
    }

    pub(super) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.body.u8()
    }

    pub(super) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.body.u16()
    }

    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.body.u32()
    }

    pub(super) fn string(&mut self) -> Result<ByteString, DecodeError> {
        self.body.string()
    }

    pub(super) fn binary(&mut self) -> Result<Bytes, DecodeError> {
        self.body.binary()
    }

    pub(super) fn receive_maximum(&mut self) -> Result<NonZeroU16, DecodeError> {
        NonZeroU16::new(self.body.u16()?)
            .ok_or(DecodeError::protocol("receive maximum is 0 (MQTT 5.0 section 3.1.2.11.3)"))
    }

    pub(super) fn maximum_packet_size(&mut self) -> Result<u32, DecodeError> {
        match self.body.u32()? {
            0 => {
                Err(DecodeError::protocol("maximum packet size is 0 (MQTT 5.0 section 3.1.2.11.4)"))
            }
            bytes => Ok(bytes),
        }
    }

    pub(super) fn subscription_id(&mut self) -> Result<u32, DecodeError> {
        match self.body.variable_integer()? {
            0 => Err(DecodeError::protocol(
                "subscription identifier is 0 (MQTT 5.0 section 3.8.2.1.2)",
            )),
            id => Ok(id),
        }
    }

    /// The one subscription identifier of a SUBSCRIBE.
    pub(super) fn only_subscription_id(
        &mut self,
        known: &mut Option<u32>,
    ) -> Result<(), DecodeError> {
        match known.replace(self.subscription_id()?) {
            None => Ok(()),
            Some(_) => Err(Self::REPEATED),
        }
    }

    pub(super) fn user_property(
        &mut self,
        known: &mut Vec<UserProperty>,
    ) -> Result<(), DecodeError> {
        if known.len() >= USER_PROPERTIES_PER_PACKET_MAX {
            return Err(DecodeError::new(
                ReasonCode::ImplementationSpecificError,
                "too many user properties: our limit",
            ));
        }
        known.push(UserProperty { name: self.string()?, value: self.string()? });
        Ok(())
    }

    /// A property that a PUBLISH and a will have in common; any other is not allowed.
    pub(super) fn message_property(
        &mut self,
        id: PropertyId,
        known: &mut MessageProperties,
    ) -> Result<(), DecodeError> {
        match id {
            PropertyId::PayloadFormatIndicator => known.payload_is_utf8 = self.flag()?,
            PropertyId::MessageExpiryInterval => {
                known.message_expiry = Some(super::seconds(self.u32()?));
            }
            PropertyId::ContentType => known.content_type = Some(self.string()?),
            PropertyId::ResponseTopic => known.response_topic = Some(self.response_topic()?),
            PropertyId::CorrelationData => known.correlation_data = Some(self.binary()?),
            PropertyId::UserProperty => self.user_property(&mut known.user_properties)?,
            _ => return Err(Self::NOT_ALLOWED),
        }
        Ok(())
    }

    fn response_topic(&mut self) -> Result<ByteString, DecodeError> {
        let text = self.string()?;
        TopicName::new(text.clone()).map_err(|_| {
            DecodeError::protocol("response topic is not a topic name [MQTT-3.3.2-14]")
        })?;
        Ok(text)
    }

    /// The rest of a section that holds reason string and user properties only.
    pub(super) fn acknowledgement(mut self) -> Result<AcknowledgementProperties, DecodeError> {
        let mut known = AcknowledgementProperties::default();
        while let Some(id) = self.next_id()? {
            match id {
                PropertyId::ReasonString => known.reason_string = Some(self.string()?),
                PropertyId::UserProperty => self.user_property(&mut known.user_properties)?,
                _ => return Err(Self::NOT_ALLOWED),
            }
        }
        Ok(known)
    }
}

/// `None` for properties that say nothing.
pub(super) fn boxed(
    properties: AcknowledgementProperties,
) -> Option<Box<AcknowledgementProperties>> {
    (properties != AcknowledgementProperties::default()).then(|| Box::new(properties))
}
