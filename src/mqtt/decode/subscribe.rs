//! SUBSCRIBE (3.8) and UNSUBSCRIBE (3.10).

use super::properties::Section;
use super::{Body, DecodeError};
use crate::limits::FILTERS_PER_PACKET_MAX;
use crate::mqtt::property::PropertyId;
use crate::mqtt::{
    QoS, ReasonCode, RetainHandling, Subscribe, SubscribeFilter, TopicFilter, Unsubscribe, Version,
};

pub(super) fn read(version: Version, mut body: Body) -> Result<Subscribe, DecodeError> {
    let packet_id = body.packet_id()?;
    let mut subscription_id = None;
    let mut user_properties = Vec::new();
    if version == Version::V5 {
        let mut section = Section::read(&mut body)?;
        while let Some(id) = section.next_id()? {
            match id {
                PropertyId::SubscriptionIdentifier => {
                    section.only_subscription_id(&mut subscription_id)?;
                }
                PropertyId::UserProperty => section.user_property(&mut user_properties)?,
                _ => return Err(Section::NOT_ALLOWED),
            }
        }
    }
    let none = "SUBSCRIBE without a topic filter [MQTT-3.8.3-2]";
    let filters = each(body, none, |body| subscribe_filter(version, body))?;
    Ok(Subscribe { packet_id, filters, subscription_id, user_properties })
}

pub(super) fn unsubscribe(version: Version, mut body: Body) -> Result<Unsubscribe, DecodeError> {
    let packet_id = body.packet_id()?;
    let mut user_properties = Vec::new();
    if version == Version::V5 {
        let mut section = Section::read(&mut body)?;
        while let Some(id) = section.next_id()? {
            match id {
                PropertyId::UserProperty => section.user_property(&mut user_properties)?,
                _ => return Err(Section::NOT_ALLOWED),
            }
        }
    }
    let none = "UNSUBSCRIBE without a topic filter [MQTT-3.10.3-2]";
    let filters = each(body, none, |body| topic_filter(version, body))?;
    Ok(Unsubscribe { packet_id, filters, user_properties })
}

/// One item or more, up to the end.
fn each<Item>(
    mut body: Body,
    none: &'static str,
    read: impl Fn(&mut Body) -> Result<Item, DecodeError>,
) -> Result<Vec<Item>, DecodeError> {
    if body.is_empty() {
        return Err(DecodeError::protocol(none));
    }
    let mut items = Vec::new();
    while !body.is_empty() {
        if items.len() >= FILTERS_PER_PACKET_MAX {
            return Err(DecodeError::new(
                ReasonCode::QuotaExceeded,
                "too many topic filters in a packet: our limit",
            ));
        }
        items.push(read(&mut body)?);
    }
    Ok(items)
}

fn topic_filter(version: Version, body: &mut Body) -> Result<TopicFilter, DecodeError> {
    let filter = TopicFilter::new(body.topic()?).map_err(DecodeError::topic_filter)?;
    // What is no shared subscription in 5.0 is an ordinary filter before it.
    if version == Version::V5 && filter.claims_shared() && filter.shared().is_none() {
        return Err(DecodeError::malformed(
            "shared subscription without group or filter [MQTT-4.8.2-1, -2]",
        ));
    }
    Ok(filter)
}

fn subscribe_filter(version: Version, body: &mut Body) -> Result<SubscribeFilter, DecodeError> {
    const RESERVED: DecodeError =
        DecodeError::malformed("reserved bit of subscription options is set [MQTT-3.8.3-5]");
    let filter = topic_filter(version, body)?;
    let options = body.u8()?;
    let reserved = match version {
        Version::V5 => 0b1100_0000,
        Version::V3_1 | Version::V3_1_1 => 0b1111_1100,
    };
    if options & reserved != 0 {
        return Err(RESERVED);
    }
    let qos = QoS::from_bits(options & 0b11)
        .ok_or(DecodeError::protocol("requested QoS is 3 (MQTT 5.0 section 3.8.3.1)"))?;
    let no_local = options & 0b0100 != 0;
    if no_local && filter.shared().is_some() {
        return Err(DecodeError::protocol("no local on a shared subscription [MQTT-3.8.3-4]"));
    }
    let retain_as_published = options & 0b1000 != 0;
    let retain_handling = RetainHandling::from_bits(options >> 4)
        .ok_or(DecodeError::protocol("retain handling is 3 (MQTT 5.0 section 3.8.3.1)"))?;
    Ok(SubscribeFilter { filter, qos, no_local, retain_as_published, retain_handling })
}
