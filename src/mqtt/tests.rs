//! The codec of 3.1 and 3.1.1 against the standard, frame by frame.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::*;

const ANY_SIZE: u32 = 268_435_460;

fn decode(frame: &[u8]) -> Result<Option<Packet>, DecodeError> {
    Decoder::new(ANY_SIZE).next(&mut BytesMut::from(frame))
}

fn encode(packet: &Packet) -> Vec<u8> {
    let mut buffer = BytesMut::new();
    Encoder::new(Version::V3_1_1).encode(packet, &mut buffer);
    buffer.to_vec()
}

/// A frame with a correct remaining length.
fn frame(first: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![first, u8::try_from(body.len()).unwrap()];
    frame.extend_from_slice(body);
    frame
}

#[track_caller]
fn check_refused(clause: &str, frame: &[u8]) {
    let error = decode(frame).expect_err(clause);
    assert!(error.detail.contains(clause), "{clause}: {error:?}");
}

fn id(number: u16) -> PacketId {
    PacketId::new(number).unwrap()
}

const CONNECT: &[u8] = b"\x00\x04MQTT\x04\x02\x00\x3c\x00\x03cat";

#[test]
fn connect_is_read_whole() {
    let body = b"\x00\x04MQTT\x04\xee\x00\x3c\x00\x03cat\x00\x01w\x00\x04gone\x00\x03bob\x00\x02pw";
    let Ok(Some(Packet::Connect(connect))) = decode(&frame(0x10, body)) else { panic!() };
    assert_eq!((connect.version, &*connect.client_id), (Version::V3_1_1, "cat"));
    assert!(connect.clean_start);
    assert_eq!(connect.keep_alive.as_secs(), 60);
    let will = connect.will.unwrap();
    assert_eq!((will.message.topic.as_str(), &will.message.payload[..]), ("w", &b"gone"[..]));
    assert_eq!((will.qos, will.retain), (QoS::AtLeastOnce, true));
    assert_eq!(connect.credentials.user.as_deref(), Some("bob"));
    assert_eq!(connect.credentials.password.as_deref(), Some(&b"pw"[..]));
}

#[test]
fn old_clients_of_3_1_are_understood() {
    let Ok(Some(Packet::Connect(connect))) =
        decode(&frame(0x10, b"\x00\x06MQIsdp\x03\x02\x00\x00\x00\x01a"))
    else {
        panic!()
    };
    assert_eq!(connect.version, Version::V3_1);
}

/// [MQTT-3.1.2-2]
#[test]
fn unknown_levels_are_told_apart_from_garbage() {
    let error = decode(&frame(0x10, b"\x00\x04MQTT\x09\x02\x00\x3c\x00\x01a")).unwrap_err();
    assert_eq!(error.reason, ReasonCode::UnsupportedProtocolVersion);
    let mut decoder = Decoder::new(ANY_SIZE);
    let mut five = BytesMut::from(&frame(0x10, b"\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x01a")[..]);
    let error = decoder.next(&mut five).unwrap_err();
    assert_eq!(error.reason, ReasonCode::UnsupportedProtocolVersion);
    assert_eq!(decoder.version(), Some(Version::V5));
}

#[test]
fn illegal_frames_are_refused_by_their_clause() {
    check_refused("MQTT-3.1.2-1", &frame(0x10, b"\x00\x04MqTT\x04\x02\x00\x3c\x00\x01a"));
    check_refused("MQTT-3.1.2-3", &frame(0x10, b"\x00\x04MQTT\x04\x03\x00\x3c\x00\x01a"));
    check_refused("MQTT-3.1.2-11", &frame(0x10, b"\x00\x04MQTT\x04\x08\x00\x3c\x00\x01a"));
    check_refused("MQTT-3.1.2-11", &frame(0x10, b"\x00\x04MQTT\x04\x20\x00\x3c\x00\x01a"));
    check_refused("MQTT-3.3.1-4", &frame(0x10, b"\x00\x04MQTT\x04\x1c\x00\x3c\x00\x01a"));
    check_refused("MQTT-3.1.2-22", &frame(0x10, b"\x00\x04MQTT\x04\x40\x00\x3c\x00\x01a"));
    check_refused("MQTT-1.5.3-1", &frame(0x10, b"\x00\x04MQTT\x04\x02\x00\x3c\x00\x02\xff\xfe"));
    check_refused(
        "MQTT-1.5.3-1",
        &frame(0x10, b"\x00\x04MQTT\x04\x02\x00\x3c\x00\x03\xed\xa0\x80"),
    );
    check_refused("MQTT-1.5.3-2", &frame(0x10, b"\x00\x04MQTT\x04\x02\x00\x3c\x00\x01\x00"));
    check_refused("2.2.3", &frame(0x10, b"\x00\x04MQTT\x04\x02\x00\x3c\x00\x09a"));
    check_refused("2.2.3", &frame(0x10, b"\x00\x04MQTT\x04\x02\x00\x3c\x00\x01ab"));
    check_refused("MQTT-2.2.2-2", &frame(0x11, CONNECT));
    check_refused("MQTT-3.3.1-4", &frame(0x36, b"\x00\x01a\x00\x01"));
    check_refused("MQTT-3.3.1-2", &frame(0x38, b"\x00\x01a"));
    check_refused("MQTT-3.3.2-2", &frame(0x30, b"\x00\x01#"));
    check_refused("MQTT-3.3.2-2", &frame(0x30, b"\x00\x03a/+"));
    check_refused("MQTT-4.7.3-1", &frame(0x30, b"\x00\x00"));
    check_refused("MQTT-1.5.3-2", &frame(0x30, b"\x00\x02a\x00"));
    check_refused("MQTT-2.3.1-1", &frame(0x32, b"\x00\x01a\x00\x00"));
    check_refused("2.2.3", &frame(0x32, b"\x00\x01a\x00"));
    check_refused("2.2.3", &frame(0x30, b"\x00\x05a"));
    check_refused("MQTT-2.2.2-2", &frame(0x41, b"\x00\x01"));
    check_refused("MQTT-2.2.2-2", &frame(0x60, b"\x00\x01"));
    check_refused("MQTT-2.3.1-1", &frame(0x40, b"\x00\x00"));
    check_refused("2.2.3", &frame(0x40, b"\x00\x01\x00"));
    check_refused("MQTT-2.2.2-2", &frame(0x80, b"\x00\x01\x00\x01a\x00"));
    check_refused("MQTT-3.8.3-3", &frame(0x82, b"\x00\x01"));
    check_refused("MQTT-3.8.3-4", &frame(0x82, b"\x00\x01\x00\x01a\x04"));
    check_refused("MQTT-3.3.1-4", &frame(0x82, b"\x00\x01\x00\x01a\x03"));
    check_refused("MQTT-4.7.1-2", &frame(0x82, b"\x00\x01\x00\x03a#b\x00"));
    check_refused("MQTT-4.7.3-1", &frame(0x82, b"\x00\x01\x00\x00\x00"));
    check_refused("MQTT-2.3.1-1", &frame(0x82, b"\x00\x00\x00\x01a\x00"));
    check_refused("2.2.3", &frame(0x82, b"\x00\x01\x00\x01a"));
    check_refused("MQTT-3.10.3-2", &frame(0xA2, b"\x00\x01"));
    check_refused("MQTT-2.2.2-2", &frame(0xA0, b"\x00\x01\x00\x01a"));
    check_refused("2.2.3", &frame(0xC0, b"\x00"));
    check_refused("MQTT-2.2.2-2", &frame(0xC1, b""));
    check_refused("2.2.3", &frame(0xE0, b"\x00"));
    check_refused("MQTT-2.2.2-2", &frame(0xE8, b""));
    for first in [0x00, 0x20, 0x90, 0xB0, 0xD0, 0xF0] {
        check_refused("MQTT-2.2.1", &frame(first, b"\x00\x01"));
    }
    check_refused("2.2.3", &[0x30, 0xff, 0xff, 0xff, 0xff, 0x01]);
    check_refused("1.5.5", &[0xC0, 0x80, 0x00]);
}

#[test]
fn topics_of_any_language_pass() {
    let topic = "étage/chambre d'été/温度";
    let mut body = vec![0, u8::try_from(topic.len()).unwrap()];
    body.extend_from_slice(topic.as_bytes());
    body.extend_from_slice(b"21.4");
    let Ok(Some(Packet::Publish(publish))) = decode(&frame(0x31, &body)) else { panic!() };
    assert_eq!(publish.message.topic.as_str(), topic);
    assert_eq!(&publish.message.payload[..], b"21.4");
    assert!(publish.retain);
}

#[test]
fn too_large_a_packet_is_refused_by_its_announcement() {
    let mut decoder = Decoder::new(100);
    let mut announced = BytesMut::from(&[0x30, 0xff, 0x7f][..]);
    assert_eq!(decoder.next(&mut announced).unwrap_err().reason, ReasonCode::PacketTooLarge);
    decoder.set_packet_bytes_max(20_000);
    assert_eq!(decoder.next(&mut announced), Ok(None));
    assert!(announced.capacity() < 20_000, "an announcement alone costs no memory");
}

#[test]
fn answers_have_the_bytes_of_the_standard() {
    let refused = ConnectAcknowledgement {
        session_present: false,
        reason: ReasonCode::BadUserNameOrPassword,
        properties: ConnectAcknowledgementProperties::default(),
    };
    assert_eq!(encode(&Packet::ConnAck(Box::new(refused))), [0x20, 2, 0, 4]);
    assert_eq!(encode(&Packet::PubRel(Acknowledgement::success(id(258)))), [0x62, 2, 1, 2]);
    assert_eq!(encode(&Packet::PingResp), [0xD0, 0]);
    let granted = SubscribeAcknowledgement {
        packet_id: id(10),
        reasons: vec![ReasonCode::GrantedQoS2, ReasonCode::NotAuthorized],
        properties: None,
    };
    assert_eq!(encode(&Packet::SubAck(granted)), [0x90, 4, 0, 10, 2, 0x80]);
}

prop_compose! {
    fn any_publish()(
        topic in "[^+#\0]{1,40}",
        payload in proptest::collection::vec(any::<u8>(), 0..400),
        quality in 0..3,
        number in 1_u16..,
        dup in any::<bool>(),
        retain in any::<bool>(),
    ) -> Publish {
        let delivery = match quality {
            0 => Delivery::AtMostOnce,
            1 => Delivery::AtLeastOnce(id(number)),
            _ => Delivery::ExactlyOnce(id(number)),
        };
        let topic = TopicName::new(topic).unwrap();
        let message = Message { topic, payload: Bytes::from(payload), properties: None };
        let dup = dup && quality > 0;
        Publish { dup, delivery, retain, message, subscription_ids: Vec::new() }
    }
}

proptest! {
    #[test]
    fn a_message_survives_the_wire_in_pieces_of_any_size(
        publish in any_publish(),
        piece in 1_usize..50,
    ) {
        let bytes = encode(&Packet::Publish(publish.clone()));
        let (mut decoder, mut buffer) = (Decoder::new(ANY_SIZE), BytesMut::new());
        let mut found = Vec::new();
        for chunk in bytes.chunks(piece) {
            buffer.extend_from_slice(chunk);
            found.extend(decoder.next(&mut buffer).unwrap());
        }
        prop_assert_eq!(found, vec![Packet::Publish(publish)]);
        prop_assert!(buffer.is_empty());
    }

    #[test]
    fn no_bytes_stop_the_decoder(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let (mut decoder, mut buffer) = (Decoder::new(10_000), BytesMut::from(&bytes[..]));
        let mut left = buffer.len();
        while let Ok(Some(_)) = decoder.next(&mut buffer) {
            prop_assert!(buffer.len() < left);
            left = buffer.len();
        }
    }

    #[test]
    fn no_flipped_byte_stops_the_decoder(
        publish in any_publish(),
        at in any::<prop::sample::Index>(),
        with in any::<u8>(),
    ) {
        let mut bytes = encode(&Packet::Publish(publish));
        let at = at.index(bytes.len());
        bytes[at] ^= with;
        let _ = decode(&bytes);
    }
}
