//! What is encoded comes out of a decoder as it was, however the bytes arrive.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::strategies::conversation;
use super::{decoder, drain};
use crate::mqtt::encoded_len;
use crate::mqtt::{Delivery, Encoder, Message, Packet, Publish, Role, TopicName, Version};

fn encode(role: Role, version: Version, packets: &[Packet]) -> BytesMut {
    let mut buffer = BytesMut::new();
    let mut encoder = Encoder::with_role(role, version);
    for packet in packets {
        let before = buffer.len();
        encoder.encode(packet, &mut buffer);
        let length = u32::try_from(buffer.len() - before).unwrap();
        assert_eq!(encoded_len(packet, version), Some(length));
    }
    buffer
}

proptest! {
    #[test]
    fn packets_are_decoded_as_they_were_encoded((role, version, packets) in conversation()) {
        let mut buffer = encode(role, version, &packets);
        let decoded = drain(&mut decoder(role, version), &mut buffer);
        prop_assert_eq!(decoded.unwrap(), packets);
        prop_assert!(buffer.is_empty());
    }

    #[test]
    fn bytes_may_arrive_one_at_a_time((role, version, packets) in conversation()) {
        let bytes = encode(role, version, &packets);
        let mut decoder = decoder(role, version);
        let mut buffer = BytesMut::new();
        let mut decoded = Vec::new();
        for byte in bytes {
            buffer.extend_from_slice(&[byte]);
            decoded.extend(drain(&mut decoder, &mut buffer).unwrap());
        }
        prop_assert_eq!(decoded, packets);
        prop_assert!(buffer.is_empty());
    }

    #[test]
    fn header_and_payload_make_the_same_publish((role, version, packets) in conversation()) {
        for packet in &packets {
            let Packet::Publish(publish) = packet else { continue };
            let mut parts = BytesMut::new();
            let payload = Encoder::with_role(role, version).publish_header(publish, &mut parts);
            prop_assert_eq!(payload.as_ptr(), publish.message.payload.as_ptr());
            parts.extend_from_slice(&payload);
            prop_assert_eq!(parts, encode(role, version, std::slice::from_ref(packet)));
        }
    }
}

/// Remaining lengths of one, two, three and four bytes (1.5.5).
#[test]
fn payloads_of_every_length_of_length_round_trip() {
    for payload_bytes in [0, 119, 120, 16_375, 16_376, 2_097_143, 2_097_144] {
        let message = Message {
            topic: TopicName::new("a/bcde").unwrap(),
            payload: Bytes::from(vec![7; payload_bytes]),
            properties: None,
        };
        let packet = Packet::Publish(Publish {
            dup: false,
            delivery: Delivery::AtMostOnce,
            retain: true,
            message,
            subscription_ids: Vec::new(),
        });
        let mut buffer = encode(Role::Server, Version::V3_1_1, std::slice::from_ref(&packet));
        let decoded = drain(&mut decoder(Role::Server, Version::V3_1_1), &mut buffer).unwrap();
        assert!(decoded == [packet], "{payload_bytes}");
    }
}
