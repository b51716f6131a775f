//! Sizes, room and sharing: what a peer may make the codec hold.

use bytes::{Bytes, BytesMut};

use super::{decode, decoder, drain, frame};
use crate::limits::{
    FILTERS_PER_PACKET_MAX, PACKET_BYTES_ALONE_MIN, TOPIC_ALIAS_BYTES_TO_PEER_MAX,
    TOPIC_ALIASES_FROM_PEER_DEFAULT, TOPIC_ALIASES_TO_PEER_MAX, TOPIC_LEVELS_MAX,
    USER_PROPERTIES_PER_PACKET_MAX,
};
use crate::mqtt::{
    Acknowledgement, Decoder, Delivery, Encoder, Message, Packet, PacketId, Publish, ReasonCode,
    Role, TopicName, Version, encoded_len,
};

fn publish(topic: &str, payload: impl Into<Bytes>) -> Publish {
    let topic = TopicName::new(topic).unwrap();
    Publish {
        dup: false,
        delivery: Delivery::AtMostOnce,
        retain: false,
        message: Message { topic, payload: payload.into(), properties: None },
        subscription_ids: Vec::new(),
    }
}

/// [MQTT-3.2.2-15]: the header alone is enough to refuse.
#[test]
fn announcement_of_too_large_a_packet_is_refused_before_it_arrives() {
    let mut decoder = Decoder::new(Role::Client, 100);
    decoder.set_version(Version::V3_1_1);
    assert_eq!(decoder.next(&mut BytesMut::from(&[0x30, 98][..])), Ok(None));
    let error = decoder.next(&mut BytesMut::from(&[0x30, 99][..])).unwrap_err();
    assert_eq!(error.reason, ReasonCode::PacketTooLarge);
    let error = decoder.next(&mut BytesMut::from(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F][..])).unwrap_err();
    assert_eq!(error.reason, ReasonCode::PacketTooLarge);
    decoder.set_packet_bytes_max(101);
    assert_eq!(decoder.next(&mut BytesMut::from(&[0x30, 99][..])), Ok(None));
}

#[test]
fn an_unfinished_packet_says_its_size_and_takes_no_room_of_its_own() {
    let mut decoder = decoder(Role::Client, Version::V3_1_1);
    let mut buffer = BytesMut::new();
    let body = [&b"\x00\x01t"[..], &[0; 997]].concat();
    let (most, last) = body.split_at(999);
    for (bytes, announced) in [(&[0x30][..], 0), (&[0xE8], 0), (&[0x07], 1003), (most, 1003)] {
        buffer.extend_from_slice(bytes);
        let room = buffer.capacity();
        assert_eq!(decoder.next(&mut buffer), Ok(None));
        assert_eq!((decoder.announced(), buffer.capacity()), (announced, room));
    }
    buffer.extend_from_slice(last);
    decoder.next(&mut buffer).unwrap().unwrap();
    assert_eq!(decoder.announced(), 0, "it is whole");
}

#[test]
fn topic_and_payload_are_slices_of_the_buffer() {
    for (version, body) in
        [(Version::V3_1_1, &b"\0\x03a/b21.4"[..]), (Version::V5, b"\0\x03a/b\x02\x01\x0121.4")]
    {
        let mut buffer = BytesMut::from(&frame(0x30, body)[..]);
        let shared = buffer.as_ptr_range();
        let packet = decoder(Role::Client, version).next(&mut buffer).unwrap().unwrap();
        let Packet::Publish(Publish { message, .. }) = packet else { panic!("no PUBLISH") };
        assert!(shared.contains(&message.topic.as_str().as_ptr()));
        assert!(shared.contains(&message.payload.as_ptr()));
        assert_eq!(message.payload, "21.4");
    }
}

/// A PUBLISH to `a` of 3.1.1.
fn large_publish(payload: &[u8]) -> BytesMut {
    long_frame(0x30, &[b"\0\x01a", payload].concat())
}

/// What the decoder makes of bytes that come in pieces: the one message in them, and the buffer.
fn message_of(version: Version, bytes: &[u8], pieces: usize) -> (Message, BytesMut) {
    let mut decoder = decoder(Role::Client, version);
    let mut buffer = BytesMut::new();
    let mut message = None;
    for piece in bytes.chunks(pieces) {
        buffer.extend_from_slice(piece);
        while let Some(packet) = decoder.next(&mut buffer).unwrap() {
            let Packet::Publish(publish) = packet else { continue };
            assert!(message.replace(publish.message).is_none());
        }
    }
    (message.unwrap(), buffer)
}

/// So that whoever keeps the payload keeps nothing else.
#[test]
fn large_payloads_share_their_memory_with_nobody() {
    let content = vec![b'x'; PACKET_BYTES_ALONE_MIN];
    let ping = &b"\xC0\0"[..];
    let large = [&ping.repeat(100), &large_publish(&content)[..]].concat();
    for pieces in [1000, large.len() - 2, large.len()] {
        let (Message { payload, .. }, rest) = message_of(Version::V3_1_1, &large, pieces);
        assert_eq!(payload, content);
        assert_eq!(rest.capacity(), 0, "in pieces of {pieces}");
        assert!(payload.is_unique(), "in pieces of {pieces}");
    }
    let followed = [&large[..], b"\xC0"].concat();
    let (Message { payload, .. }, _rest) = message_of(Version::V3_1_1, &followed, 1500);
    assert!(payload.is_unique());
}

#[test]
fn payloads_that_are_the_lesser_part_of_their_packet_leave_it() {
    let content = vec![b'x'; PACKET_BYTES_ALONE_MIN];
    let property = [&b"\x26\0\x01n\xFF\xFF"[..], &b"v".repeat(65_535)].concat().repeat(2);
    let properties = [&three_bytes(property.len())[..], &property].concat();
    let body = [&b"\0\x01a"[..], &properties, &content].concat();
    let (message, _) = message_of(Version::V5, &long_frame(0x30, &body), 1000);
    assert_eq!(message.payload, content);
    assert!(message.payload.is_unique(), "the properties are elsewhere");
}

#[test]
fn depth_of_topics_is_bounded() {
    let deep = |levels: usize| {
        let mut body = vec![0, 0];
        body.resize(2 + levels - 1, b'/');
        body[1] = u8::try_from(levels - 1).unwrap();
        let mut bytes = vec![0x30, 0x80 | u8::try_from(body.len() & 0x7F).unwrap(), 1];
        bytes.extend(body);
        drain(&mut decoder(Role::Client, Version::V3_1_1), &mut BytesMut::from(&bytes[..]))
    };
    assert!(deep(TOPIC_LEVELS_MAX).is_ok());
    assert_eq!(deep(TOPIC_LEVELS_MAX + 1).unwrap_err().reason, ReasonCode::TopicNameInvalid);
}

/// A length of 16,384 to 2,097,151 (1.5.5).
fn three_bytes(length: usize) -> [u8; 3] {
    let digit = |shift: usize| u8::try_from(length >> shift & 0x7F).unwrap();
    assert_ne!(digit(14), 0, "{length} has fewer digits");
    [digit(0) | 0x80, digit(7) | 0x80, digit(14)]
}

fn long_frame(first: u8, body: &[u8]) -> BytesMut {
    BytesMut::from(&[&[first], &three_bytes(body.len())[..], body].concat()[..])
}

#[test]
fn filters_of_a_packet_are_bounded() {
    let subscribe = |filters: usize| {
        let body = [&b"\0\x01"[..], &b"\0\x01a\0".repeat(filters)].concat();
        let mut decoder = decoder(Role::Client, Version::V3_1_1);
        drain(&mut decoder, &mut long_frame(0x82, &body))
    };
    assert!(subscribe(FILTERS_PER_PACKET_MAX).is_ok());
    let error = subscribe(FILTERS_PER_PACKET_MAX + 1).unwrap_err();
    assert_eq!(error.reason, ReasonCode::QuotaExceeded);
}

#[test]
fn user_properties_of_a_packet_are_bounded() {
    let publish = |count: usize| {
        let properties = b"\x26\0\x04name\0\x0Asome value".repeat(count);
        let length = three_bytes(properties.len());
        let body = [&b"\0\x01a"[..], &length, &properties].concat();
        drain(&mut decoder(Role::Client, Version::V5), &mut long_frame(0x30, &body))
    };
    assert!(publish(USER_PROPERTIES_PER_PACKET_MAX).is_ok());
    let error = publish(USER_PROPERTIES_PER_PACKET_MAX + 1).unwrap_err();
    assert_eq!(error.reason, ReasonCode::ImplementationSpecificError);
}

/// [MQTT-3.1.2-24].
#[test]
fn publishes_too_large_for_the_peer_are_not_written() {
    let publish = publish("a/b", "21.4");
    let packet = Packet::Publish(publish.clone());
    let whole = encoded_len(&packet, Version::V5).unwrap();
    let mut encoder = Encoder::new(Version::V5);
    encoder.set_packet_bytes_max(whole - 1);
    let mut buffer = BytesMut::new();
    encoder.encode(&packet, &mut buffer);
    assert!(encoder.publish_header(&publish, &mut buffer).is_empty());
    assert!(buffer.is_empty());
}

/// [MQTT-3.1.2-24]: also the shortest that there are.
#[test]
fn acknowledgements_too_large_for_the_peer_are_not_written() {
    let packet = Packet::PubAck(Acknowledgement::success(PacketId::MIN));
    for (packet_bytes_max, written) in [(3, 0), (4, 4)] {
        let mut encoder = Encoder::new(Version::V5);
        encoder.set_packet_bytes_max(packet_bytes_max);
        let mut buffer = BytesMut::new();
        encoder.encode(&packet, &mut buffer);
        assert_eq!(buffer.len(), written);
    }
}

/// What each of `topics` takes on the wire, and that all arrive as they were.
fn alias_lengths(encoder: &mut Encoder, topics: &[String]) -> Vec<usize> {
    let mut decoder = decoder(Role::Server, Version::V5);
    decoder.set_topic_alias_maximum(u16::MAX);
    let mut lengths = Vec::new();
    for topic in topics {
        let packet = Packet::Publish(publish(topic, "21.4"));
        let mut buffer = BytesMut::new();
        encoder.encode(&packet, &mut buffer);
        lengths.push(buffer.len());
        assert_eq!(drain(&mut decoder, &mut buffer), Ok(vec![packet]));
    }
    lengths
}

fn topics(count: u16) -> Vec<String> {
    (0..count).map(|number| format!("room{number:03}")).collect()
}

/// 3.3.2.3.4.
#[test]
fn recurring_topics_shrink_to_their_alias() {
    const NAMED: usize = 2 + 2 + 7 + 1 + 4;
    let mut encoder = Encoder::new(Version::V5);
    assert_eq!(alias_lengths(&mut encoder, &topics(2)), [NAMED; 2], "none without an offer");
    encoder.set_topic_alias_maximum(1);
    let rounds = [topics(2), topics(2)].concat();
    assert_eq!(alias_lengths(&mut encoder, &rounds), [NAMED + 3, NAMED, NAMED + 3 - 7, NAMED]);
}

/// [MQTT-3.1.2-26]; and the bound of our own.
#[test]
fn aliases_stay_within_the_offer_and_our_bound() {
    let mut encoder = Encoder::new(Version::V5);
    encoder.set_topic_alias_maximum(u16::MAX);
    let many = topics(TOPIC_ALIASES_TO_PEER_MAX + 5);
    alias_lengths(&mut encoder, &many);
    let mut decoder = decoder(Role::Server, Version::V5);
    decoder.set_topic_alias_maximum(TOPIC_ALIASES_TO_PEER_MAX);
    let mut buffer = BytesMut::new();
    let mut encoder = Encoder::new(Version::V5);
    encoder.set_topic_alias_maximum(u16::MAX);
    for topic in &many {
        encoder.encode(&Packet::Publish(publish(topic, "")), &mut buffer);
    }
    assert_eq!(drain(&mut decoder, &mut buffer).unwrap().len(), many.len());
}

#[test]
fn aliases_never_make_a_packet_too_large() {
    let packet = Packet::Publish(publish("room000", "21.4"));
    let mut encoder = Encoder::new(Version::V5);
    encoder.set_topic_alias_maximum(10);
    encoder.set_packet_bytes_max(encoded_len(&packet, Version::V5).unwrap());
    let mut buffer = BytesMut::new();
    encoder.encode(&packet, &mut buffer);
    assert_eq!(decode(Role::Server, Version::V5, &buffer), packet);
}

/// An alias names the topic it was given last; its memory is not that of the buffer.
#[test]
fn aliases_of_a_peer_may_change_their_topic() {
    let mut decoder = decoder(Role::Client, Version::V5);
    decoder.set_topic_alias_maximum(2);
    let mut buffer = BytesMut::new();
    for body in [
        &b"\0\x01a\x03\x23\0\x02"[..],
        b"\0\0\x03\x23\0\x02",
        b"\0\x01b\x03\x23\0\x02",
        b"\0\0\x03\x23\0\x02",
    ] {
        buffer.extend_from_slice(&frame(0x30, body));
    }
    let packets = drain(&mut decoder, &mut buffer).unwrap();
    let topics: Vec<_> = packets
        .iter()
        .map(|packet| match packet {
            Packet::Publish(publish) => publish.message.topic.as_str(),
            other => panic!("no PUBLISH: {other:?}"),
        })
        .collect();
    assert_eq!(topics, ["a", "a", "b", "b"]);
}

/// [MQTT-3.3.2-12]: as many as were offered, at the same time.
#[test]
fn every_alias_up_to_the_offer_is_taken() {
    const OFFER: u16 = 300;
    let mut decoder = decoder(Role::Client, Version::V5);
    decoder.set_topic_alias_maximum(OFFER);
    for round in [&b"\0\x01"[..], b"\0\0"] {
        for alias in 1..=OFFER {
            let [high, low] = alias.to_be_bytes();
            let topic = if round == b"\0\0" { &[][..] } else { &[b'a' + low % 26] };
            let body = [round, topic, &[3, 0x23, high, low]].concat();
            let mut buffer = BytesMut::from(&frame(0x30, &body)[..]);
            let packets = drain(&mut decoder, &mut buffer).unwrap();
            let [Packet::Publish(publish)] = &packets[..] else { panic!("{packets:?}") };
            assert_eq!(publish.message.topic.as_str().as_bytes(), [b'a' + low % 26]);
        }
    }
}

/// The longest topic may have an alias, and change it, but not several.
#[test]
fn topics_of_all_aliases_together_are_bounded_in_bytes() {
    let (mut decoder, mut buffer) = (decoder(Role::Client, Version::V5), BytesMut::new());
    decoder.set_topic_alias_maximum(TOPIC_ALIASES_FROM_PEER_DEFAULT);
    let mut give = |alias: u8, bytes: u16| {
        let topic = "t".repeat(bytes.into());
        let body = [&bytes.to_be_bytes(), topic.as_bytes(), &[3, 0x23, 0, alias]].concat();
        // The length takes three bytes, as it must for each of these.
        let [low, middle, high] = [0, 7, 14].map(|shift| body.len() >> shift & 0x7F);
        let length = [low | 0x80, middle | 0x80, high].map(|digit| u8::try_from(digit).unwrap());
        buffer.extend_from_slice(&[&[0x30], &length[..], &body].concat());
        drain(&mut decoder, &mut buffer).map(|packets| packets.len())
    };
    for _ in 0..3 {
        assert_eq!(give(1, u16::MAX), Ok(1));
    }
    assert_eq!(give(1, 40_000), Ok(1));
    assert_eq!(give(2, 25_535), Ok(1));
    assert_eq!(give(2, 25_536).unwrap_err().reason, ReasonCode::QuotaExceeded);
}

#[test]
fn long_topics_are_given_no_alias() {
    let mut encoder = Encoder::new(Version::V5);
    encoder.set_topic_alias_maximum(10);
    let topics = [TOPIC_ALIAS_BYTES_TO_PEER_MAX, TOPIC_ALIAS_BYTES_TO_PEER_MAX + 1]
        .map(|bytes| "t".repeat(bytes));
    let lengths = alias_lengths(&mut encoder, &[topics.clone(), topics].concat());
    assert_eq!(lengths[1], lengths[3], "written as it is each time");
    assert!(lengths[2] < 20 && lengths[0] == lengths[1] - 1 + 3);
}

/// [MQTT-3.3.2-7]: each connection has a decoder and an encoder of its own.
#[test]
fn aliases_are_of_one_connection() {
    let mut first = decoder(Role::Client, Version::V5);
    let mut second = decoder(Role::Client, Version::V5);
    first.set_topic_alias_maximum(1);
    second.set_topic_alias_maximum(1);
    let mut buffer = BytesMut::from(&frame(0x30, b"\0\x01a\x03\x23\0\x01")[..]);
    drain(&mut first, &mut buffer).unwrap();
    let mut buffer = BytesMut::from(&frame(0x30, b"\0\0\x03\x23\0\x01")[..]);
    assert_eq!(drain(&mut second, &mut buffer).unwrap_err().reason, ReasonCode::ProtocolError);
    for _ in 0..2 {
        let mut encoder = Encoder::new(Version::V5);
        encoder.set_topic_alias_maximum(1);
        assert_eq!(alias_lengths(&mut encoder, &topics(1)), [2 + 2 + 7 + 1 + 4 + 3]);
    }
}

/// [MQTT-3.2.2-18]: nothing is offered until a CONNACK does.
#[test]
fn an_alias_is_invalid_where_none_was_offered() {
    let mut decoder = decoder(Role::Client, Version::V5);
    let mut buffer = BytesMut::from(&frame(0x30, b"\0\x01a\x03\x23\0\x01")[..]);
    let error = drain(&mut decoder, &mut buffer).unwrap_err();
    assert_eq!(error.reason, ReasonCode::TopicAliasInvalid);
}
