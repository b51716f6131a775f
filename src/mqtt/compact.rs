//! Copies that let go of the receive buffer. What a decoder gives are slices of it, and one slice
//! of ten bytes keeps all of it alive: good for passing on, bad for keeping. A large payload has
//! memory of its own already, and stays there.

use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;

use super::{Message, MessageProperties, UserProperty};
use crate::limits::PACKET_BYTES_ALONE_MIN;

impl Message {
    /// The same message in memory of its own, for whoever stores it beyond the moment.
    #[must_use]
    pub fn compact(&self) -> Self {
        let (topic, payload) = if self.payload.len() < PACKET_BYTES_ALONE_MIN {
            self.topic.compact_with(&self.payload)
        } else {
            (self.topic.compact(), self.payload.clone())
        };
        let properties = self.properties.as_ref().map(|properties| Arc::new(properties.compact()));
        Self { topic, payload, properties }
    }
}

/// One after the other, in one piece of memory. That of a few bytes holds the count of those who
/// share it, too.
pub(super) fn together(one: &[u8], other: &[u8]) -> Bytes {
    match one.len().saturating_add(other.len()) {
        ..=40 => Bytes::from_owner(Few::<40>::new(one, other)),
        41..=72 => Bytes::from_owner(Few::<72>::new(one, other)),
        73..=104 => Bytes::from_owner(Few::<104>::new(one, other)),
        105..=136 => Bytes::from_owner(Few::<136>::new(one, other)),
        _ => Bytes::from([one, other].concat()),
    }
}

/// At most `N` bytes. With its count of owners it fills what an allocator gives, in steps of 16.
struct Few<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Few<N> {
    fn new(one: &[u8], other: &[u8]) -> Self {
        let mut bytes = [0; N];
        let (front, rest) = bytes.split_at_mut(one.len());
        let (back, _) = rest.split_at_mut(other.len());
        front.copy_from_slice(one);
        back.copy_from_slice(other);
        Self { bytes, length: one.len() + other.len() }
    }
}

impl<const N: usize> AsRef<[u8]> for Few<N> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl MessageProperties {
    fn compact(&self) -> Self {
        Self {
            payload_is_utf8: self.payload_is_utf8,
            message_expiry: self.message_expiry,
            content_type: self.content_type.as_ref().map(text),
            response_topic: self.response_topic.as_ref().map(text),
            correlation_data: self.correlation_data.as_deref().map(Bytes::copy_from_slice),
            user_properties: self.user_properties.iter().map(UserProperty::compact).collect(),
        }
    }
}

impl UserProperty {
    fn compact(&self) -> Self {
        Self { name: text(&self.name), value: text(&self.value) }
    }
}

fn text(text: &ByteString) -> ByteString {
    ByteString::from(&**text)
}

#[cfg(test)]
mod tests {
    use std::ops::Range;
    use std::sync::Arc;

    use bytes::Bytes;
    use bytestring::ByteString;

    use crate::limits::PACKET_BYTES_ALONE_MIN;
    use crate::mqtt::{Message, MessageProperties, TopicName, UserProperty};

    #[test]
    fn compacted_messages_are_equal_and_leave_the_buffer_they_came_from() {
        let buffer =
            ByteString::from("étage/salon 21.4 text/plain answer/here name value".to_owned());
        let part = |range: Range<usize>| buffer.slice_ref(&buffer[range]);
        let properties = MessageProperties {
            payload_is_utf8: true,
            message_expiry: None,
            content_type: Some(part(18..28)),
            response_topic: Some(part(29..40)),
            correlation_data: Some(part(0..4).into_bytes()),
            user_properties: vec![UserProperty { name: part(41..45), value: part(46..51) }],
        };
        let message = Message {
            topic: TopicName::new(part(0..12)).unwrap(),
            payload: part(13..17).into_bytes(),
            properties: Some(Arc::new(properties)),
        };

        let compact = message.compact();

        assert_eq!(compact, message);
        let shared = buffer.as_bytes().as_ptr_range();
        let pointers = |message: &Message| {
            let properties = message.properties.as_deref().unwrap();
            let user = &properties.user_properties[0];
            [
                message.topic.as_str().as_ptr(),
                message.payload.as_ptr(),
                properties.content_type.as_ref().unwrap().as_ptr(),
                properties.response_topic.as_ref().unwrap().as_ptr(),
                properties.correlation_data.as_deref().unwrap().as_ptr(),
                user.name.as_ptr(),
                user.value.as_ptr(),
            ]
        };
        assert!(pointers(&message).iter().all(|pointer| shared.contains(pointer)));
        assert!(!pointers(&compact).iter().any(|pointer| shared.contains(pointer)));
    }

    /// Whatever piece of memory their length asks for.
    #[test]
    fn compacted_messages_are_equal_at_each_length() {
        for (topic_length, payload_length) in (1..150).flat_map(|it| [(it, 0), (it, 3), (1, it)]) {
            let topic = TopicName::new("é".repeat(topic_length)).unwrap();
            let payload = Bytes::from(vec![b'x'; payload_length]);
            let message = Message { topic, payload, properties: None };
            assert_eq!(message.compact(), message);
        }
    }

    #[test]
    fn large_payloads_stay_where_they_are() {
        let topic = TopicName::new("étage/salon").unwrap();
        let payload = Bytes::from(vec![b'x'; PACKET_BYTES_ALONE_MIN]);
        let message = Message { topic, payload, properties: None };

        let compact = message.compact();

        assert_eq!(compact.payload.as_ptr(), message.payload.as_ptr());
        assert_ne!(compact.topic.as_str().as_ptr(), message.topic.as_str().as_ptr());
    }
}
