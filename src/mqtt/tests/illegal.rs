//! What makes a packet malformed, or a protocol error: each rule with a packet that breaks it and
//! nothing else.

use bytes::BytesMut;

use super::{decoder, drain, frame};
use crate::limits::PACKET_BYTES_MAX;
use crate::mqtt::ReasonCode::{
    self, MalformedPacket, ProtocolError, TopicAliasInvalid, UnsupportedProtocolVersion,
};
use crate::mqtt::Role::{self, Client, Server};
use crate::mqtt::Version::{self, V3_1, V3_1_1, V5};
use crate::mqtt::{DecodeError, Decoder, Packet};

/// `None` is a client's decoder that awaits its CONNECT.
fn outcome(from: Role, version: Option<Version>, bytes: &[u8]) -> Result<Vec<Packet>, DecodeError> {
    let awaiting = || Decoder::new(from, PACKET_BYTES_MAX);
    let mut decoder = version.map_or_else(awaiting, |version| decoder(from, version));
    decoder.set_topic_alias_maximum(10);
    drain(&mut decoder, &mut BytesMut::from(bytes))
}

/// `bytes` are refused for that reason, with `clause` in the words.
#[track_caller]
fn check(
    from: Role,
    version: impl Into<Option<Version>>,
    bytes: &[u8],
    reason: ReasonCode,
    clause: &str,
) {
    let error = outcome(from, version.into(), bytes).expect_err("these bytes are illegal");
    assert_eq!(error.reason, reason, "{error:?}");
    assert!(error.detail.contains(clause), "`{}` for `{clause}`", error.detail);
}

/// `bytes` are one packet: what is beside them in a table is refused for one reason only.
#[track_caller]
fn legal(from: Role, version: impl Into<Option<Version>>, bytes: &[u8]) {
    let packets = outcome(from, version.into(), bytes).expect("these bytes are legal");
    assert_eq!(packets.len(), 1);
}

#[track_caller]
fn check_connect(body: &[u8], reason: ReasonCode, clause: &str) {
    check(Client, None, &frame(0x10, body), reason, clause);
}

#[track_caller]
fn legal_connect(body: &[u8]) {
    legal(Client, None, &frame(0x10, body));
}

#[test]
fn fixed_headers() {
    check(Client, V5, &[0x00, 0], MalformedPacket, "type is 0");
    check(Client, V5, &[0x00], MalformedPacket, "type is 0");
    check(Client, V3_1_1, &[0xF0, 0], MalformedPacket, "type is 15");
    check(Client, None, &frame(0x11, b"\0\x04MQTT\x04\x02\0\0\0\0"), MalformedPacket, "2.1.3-1");
    check(Client, V5, &frame(0x60, b"\0\x01"), MalformedPacket, "2.1.3-1");
    check(Client, V5, &frame(0x6A, b"\0\x01"), MalformedPacket, "2.1.3-1");
    check(Client, V5, &frame(0x80, b"\0\x01\0\0\x01a\0"), MalformedPacket, "2.1.3-1");
    check(Client, V3_1_1, &frame(0xA0, b"\0\x01\0\x01a"), MalformedPacket, "2.1.3-1");
    check(Client, V3_1_1, &frame(0xAA, b"\0\x01\0\x01a"), MalformedPacket, "2.1.3-1");
    check(Client, V3_1_1, &[0xC1, 0], MalformedPacket, "2.1.3-1");
    check(Client, V3_1_1, &[0xE8, 0], MalformedPacket, "2.1.3-1");
    check(Server, V3_1_1, &[0xD2, 0], MalformedPacket, "2.1.3-1");
    check(Client, V5, &[0xC0, 0x80, 0x00], MalformedPacket, "1.5.5-1");
    check(Client, None, b"\x10\x8D\0\0\x04MQTT\x05\x02\0\0\0\0\0", MalformedPacket, "1.5.5-1");
    check(Client, V3_1_1, &[0xC0, 0xFF, 0xFF, 0xFF, 0xFF], MalformedPacket, "1.5.5");
    check(Client, V3_1_1, &[0xC0, 1, 0], MalformedPacket, "after the end");
    check(Server, V5, &[0xD0, 1, 0], MalformedPacket, "after the end");
}

/// [MQTT-2.1.3-1], [MQTT-3.6.1-1], [MQTT-3.8.1-1], [MQTT-3.10.1-1], [MQTT-3.14.1-1],
/// [MQTT-3.15.1-1]; [MQTT-2.2.2-1], [MQTT-2.2.2-2] of 3.1.1. Only a PUBLISH chooses its flags.
#[test]
fn reserved_flags_have_one_value() {
    let of_client = [0x40, 0x50, 0x62, 0x70, 0x82, 0xA2, 0xC0, 0xE0, 0xF0];
    let of_server = [0x20, 0x40, 0x50, 0x62, 0x70, 0x90, 0xB0, 0xD0, 0xE0, 0xF0];
    let of_client = of_client.map(|first| (Client, first));
    for (sender, right) in of_client.into_iter().chain(of_server.map(|first| (Server, first))) {
        for first in (right & 0xF0..=right | 0x0F).filter(|&first| first != right) {
            check(sender, V5, &[first, 0], MalformedPacket, "2.1.3-1");
            check(sender, V3_1_1, &[first, 0], MalformedPacket, "2.1.3-1");
        }
    }
    for first in 0x11..=0x1F {
        check(Client, None, &[first, 0], MalformedPacket, "2.1.3-1");
    }
}

#[test]
fn packets_of_the_wrong_end_or_at_the_wrong_time() {
    check(Client, None, &[0xC0, 0], ProtocolError, "3.1.0-1");
    check(Client, None, &frame(0x30, b"\0\x01a"), ProtocolError, "3.1.0-1");
    check(Client, V5, &frame(0x20, b"\0\0\0"), ProtocolError, "does not send");
    check(Client, V5, &[0xD0, 0], ProtocolError, "does not send");
    check(Client, V5, &frame(0x90, b"\0\x01\0\0"), ProtocolError, "does not send");
    check(Client, V3_1_1, &frame(0xB0, b"\0\x01"), ProtocolError, "does not send");
    check(Server, V5, &[0xC0, 0], ProtocolError, "does not send");
    check(Server, V5, &frame(0x82, b"\0\x01\0\0\x01a\0"), ProtocolError, "does not send");
    check(Server, V3_1_1, &[0xE0, 0], ProtocolError, "does not send");
    check(Server, V5, &frame(0x10, b"\0\x04MQTT\x05\x02\0\0\0\0\0"), ProtocolError, "not send");
}

#[test]
fn protocol_names_and_levels() {
    legal_connect(b"\0\x04MQTT\x04\x02\0\0\0\0");
    let unsupported = UnsupportedProtocolVersion;
    check_connect(b"\0\x04MQTT\x03\x02\0\0\0\0", unsupported, "3.1.2-1, -2");
    check_connect(b"\0\x04MQTT\x06\x02\0\0\0\0\0", unsupported, "3.1.2-1, -2");
    check_connect(b"\0\x04MQTT\x84\x02\0\0\0\0", unsupported, "3.1.2-1, -2");
    check_connect(b"\0\x04mqtt\x04\x02\0\0\0\0", unsupported, "3.1.2-1, -2");
    check_connect(b"\0\x06MQIsdp\x04\x02\0\0\0\0", unsupported, "3.1.2-1, -2");
    check_connect(b"\0\x04MQT\xFF\x04\x02\0\0\0\0", MalformedPacket, "1.5.4-1");
    check_connect(b"\0\x04MQTT", MalformedPacket, "longer than its packet");
}

#[test]
fn connect_flags() {
    check_connect(b"\0\x04MQTT\x04\x03\0\0\0\0", MalformedPacket, "3.1.2-3");
    check_connect(b"\0\x04MQTT\x05\x03\0\0\0\0\0", MalformedPacket, "3.1.2-3");
    check_connect(b"\0\x04MQTT\x04\x1E\0\0\0\0\0\x01w\0\0", MalformedPacket, "3.1.2-12");
    check_connect(b"\0\x04MQTT\x05\x0A\0\0\0\0\0", MalformedPacket, "3.1.2-11");
    check_connect(b"\0\x04MQTT\x04\x12\0\0\0\0", MalformedPacket, "3.1.2-11");
    check_connect(b"\0\x04MQTT\x05\x1E\0\0\0\0\0\0\0\x01w\0\0", MalformedPacket, "3.1.2-12");
    check_connect(b"\0\x04MQTT\x05\x22\0\0\0\0\0", MalformedPacket, "3.1.2-13");
    check_connect(b"\0\x04MQTT\x04\x22\0\0\0\0", MalformedPacket, "3.1.2-13");
    check_connect(b"\0\x04MQTT\x04\x42\0\0\0\0\0\x01p", MalformedPacket, "3.1.2-22");
    legal_connect(b"\0\x04MQTT\x05\x42\0\0\0\0\0\0\x01p");
    legal_connect(b"\0\x04MQTT\x04\xC2\0\0\0\0\0\x01u\0\x01p");
    let truncated = "longer than its packet";
    check_connect(b"\0\x04MQTT\x04\xC2\0\0\0\0\0\x01u", MalformedPacket, truncated);
    check_connect(b"\0\x04MQTT\x04\x82\0\0\0\0", MalformedPacket, truncated);
    check_connect(b"\0\x04MQTT\x04\x06\0\0\0\0", MalformedPacket, truncated);
    check_connect(b"\0\x04MQTT\x04\x02\0\0", MalformedPacket, truncated);
    check_connect(b"\0\x04MQTT\x04\x02\0\0\0\x02a", MalformedPacket, truncated);
    check_connect(b"\0\x04MQTT\x04\x02\0\0\0\x01ab", MalformedPacket, "after the end");
    check_connect(b"\0\x04MQTT\x04\x02\0\0\0\0\0\x01u", MalformedPacket, "after the end");
    check_connect(b"\0\x04MQTT\x05\x02\0\0\0\0\0\0\x01u", MalformedPacket, "after the end");
    let password_too_many = b"\0\x04MQTT\x04\x82\0\0\0\0\0\x01u\0\x01p";
    check_connect(password_too_many, MalformedPacket, "after the end");
    let will_too_many = b"\0\x04MQTT\x04\x02\0\0\0\0\0\x01w\0\x01m";
    check_connect(will_too_many, MalformedPacket, "after the end");
    check_connect(b"\0\x04MQTT\x04\x06\0\0\0\0\0\x02w#\0\0", MalformedPacket, "3.3.2-2");
    check_connect(b"\0\x04MQTT\x04\x06\0\0\0\0\0\0\0\0", MalformedPacket, "4.7.3-1");
}

#[track_caller]
fn check_connect_property(properties: &[u8], reason: ReasonCode, clause: &str) {
    let length = u8::try_from(properties.len()).unwrap();
    let body = [&b"\0\x04MQTT\x05\x02\0\0"[..], &[length], properties, b"\0\0"].concat();
    check_connect(&body, reason, clause);
}

#[test]
fn properties_of_a_connect() {
    check_connect_property(b"\x21\0\0", ProtocolError, "receive maximum is 0");
    check_connect_property(b"\x27\0\0\0\0", ProtocolError, "maximum packet size is 0");
    check_connect_property(b"\x17\x02", ProtocolError, "neither 0 nor 1");
    check_connect_property(b"\x19\xFF", ProtocolError, "neither 0 nor 1");
    check_connect_property(b"\x21\0\x01\x21\0\x01", ProtocolError, "twice");
    check_connect_property(b"\x16\0\x01d", ProtocolError, "without a method");
    check_connect_property(b"\x18\0\0\0\0", MalformedPacket, "not allowed");
    check_connect_property(b"\x01\x01", MalformedPacket, "not allowed");
    check_connect_property(b"\x00\x01", MalformedPacket, "unknown property");
    check_connect_property(b"\x2B\x01", MalformedPacket, "unknown property");
    check_connect_property(b"\xA1\0\0\x01", MalformedPacket, "1.5.5-1");
    check_connect_property(b"\x11\0\0\0", MalformedPacket, "longer than its packet");
    check_connect_property(b"\x26\0\x01a\0\x01\0", MalformedPacket, "1.5.4-2");
    check_connect(b"\0\x04MQTT\x05\x02\0\0\x09\x21\0\x01\0\0", MalformedPacket, "longer than");
    let will = |properties: &[u8]| {
        let length = u8::try_from(properties.len()).unwrap();
        [&b"\0\x04MQTT\x05\x06\0\0\0\0\0"[..], &[length], properties, b"\0\x01w\0\0"].concat()
    };
    legal_connect(&will(b"\x18\0\0\0\x01"));
    check_connect(&will(b"\x23\0\x01"), MalformedPacket, "not allowed");
    check_connect(&will(b"\x08\0\x02a#"), ProtocolError, "3.3.2-14");
}

#[test]
fn publishes() {
    legal(Client, V3_1_1, &frame(0x3A, b"\0\x01a\0\x01"));
    check(Client, V3_1_1, &frame(0x36, b"\0\x01a\0\x01"), MalformedPacket, "3.3.1-4");
    check(Client, V5, &frame(0x38, b"\0\x01a\0"), MalformedPacket, "3.3.1-2");
    check(Client, V3_1_1, &frame(0x32, b"\0\x01a\0\0"), ProtocolError, "2.2.1-3");
    check(Client, V3_1_1, &frame(0x32, b"\0\x01a\0"), MalformedPacket, "longer than its packet");
    check(Client, V3_1_1, &frame(0x30, b"\0\x05a"), MalformedPacket, "longer than its packet");
    check(Client, V3_1_1, &[0x30, 0], MalformedPacket, "longer than its packet");
    check(Client, V3_1_1, &frame(0x30, b"\0\0"), MalformedPacket, "4.7.3-1");
    check(Client, V3_1_1, &frame(0x30, b"\0\x01+"), MalformedPacket, "3.3.2-2");
    check(Server, V5, &frame(0x30, b"\0\x03a/#\0"), MalformedPacket, "3.3.2-2");
    check(Client, V3_1_1, &frame(0x30, b"\0\x03a\0b"), MalformedPacket, "4.7.3-2");
    check(Client, V3_1_1, &frame(0x30, b"\0\x03\xED\xA0\x80"), MalformedPacket, "1.5.4-1");
    check(Client, V3_1_1, &frame(0x30, b"\0\x02\xC0\x80"), MalformedPacket, "1.5.4-1");
    check(Client, V3_1_1, &frame(0x30, b"\0\x04\xF4\x90\x80\x80"), MalformedPacket, "1.5.4-1");
}

#[test]
fn properties_of_a_publish() {
    legal(Client, V5, &frame(0x30, b"\0\x01a\x03\x23\0\x0A"));
    legal(Server, V5, &frame(0x30, b"\0\x01a\x04\x0B\x01\x0B\x01"));
    check(Client, V5, &frame(0x30, b"\0\x01a"), MalformedPacket, "longer than its packet");
    check(Client, V5, &frame(0x30, b"\0\0\0"), ProtocolError, "neither topic name nor");
    check(Client, V5, &frame(0x30, b"\0\0\x03\x23\0\x01"), ProtocolError, "given no topic");
    check(Client, V5, &frame(0x30, b"\0\x01a\x03\x23\0\0"), TopicAliasInvalid, "3.3.2-8");
    check(Client, V5, &frame(0x30, b"\0\x01a\x03\x23\0\x0B"), TopicAliasInvalid, "3.3.2-9");
    check(Client, V5, &frame(0x30, b"\0\x01a\x02\x0B\x01"), ProtocolError, "3.3.4-6");
    check(Server, V5, &frame(0x30, b"\0\x01a\x02\x0B\0"), ProtocolError, "identifier is 0");
    check(Client, V5, &frame(0x30, b"\0\x01a\x02\x01\x02"), ProtocolError, "neither 0 nor 1");
    check(Client, V5, &frame(0x30, b"\0\x01a\x05\x08\0\x02b+"), ProtocolError, "3.3.2-14");
    check(Client, V5, &frame(0x30, b"\0\x01a\x03\x08\0\0"), ProtocolError, "3.3.2-14");
    check(Client, V5, &frame(0x30, b"\0\x01a\x04\x01\0\x01\0"), ProtocolError, "twice");
    check(Client, V5, &frame(0x30, b"\0\x01a\x06\x23\0\x01\x23\0\x01"), ProtocolError, "twice");
    check(Client, V5, &frame(0x30, b"\0\x01a\x03\x21\0\x01"), MalformedPacket, "not allowed");
    check(Client, V5, &frame(0x30, b"\0\x01a\x04\x03\0\x01\0"), MalformedPacket, "1.5.4-2");
}

#[test]
fn acknowledgements() {
    legal(Client, V5, &frame(0x40, b"\0\x01\x87\0"));
    check(Client, V3_1_1, &frame(0x40, b"\0\0"), ProtocolError, "2.2.1-3");
    check(Client, V3_1_1, &frame(0x40, b"\0"), MalformedPacket, "longer than its packet");
    check(Client, V3_1_1, &frame(0x50, b"\0\x01\0"), MalformedPacket, "after the end");
    check(Client, V5, &frame(0x40, b"\0\x01\0\0\0"), MalformedPacket, "after the end");
    check(Client, V5, &frame(0x50, b"\0\x01\x03"), MalformedPacket, "unknown reason code");
    check(Client, V5, &frame(0x50, b"\0\x01\x92"), ProtocolError, "reason code not allowed");
    check(Client, V5, &frame(0x62, b"\0\x01\x87"), ProtocolError, "reason code not allowed");
    check(Client, V5, &frame(0x70, b"\0\x01\x10"), ProtocolError, "reason code not allowed");
    check(Client, V5, &frame(0x40, b"\0\x01\x10"), ProtocolError, "reason code not allowed");
    legal(Server, V5, &frame(0x40, b"\0\x01\x10"));
    check(Client, V5, &frame(0x40, b"\0\x01\0\x02\x01\0"), MalformedPacket, "not allowed in");
    let twice = frame(0x40, b"\0\x01\0\x06\x1F\0\0\x1F\0\0");
    check(Client, V5, &twice, ProtocolError, "twice");
}

#[test]
fn subscribes() {
    legal(Client, V5, &frame(0x82, b"\0\x01\x02\x0B\x01\0\x01a\x2E"));
    check(Client, V3_1_1, &frame(0x82, b"\0\x01"), ProtocolError, "3.8.3-2");
    check(Client, V5, &frame(0x82, b"\0\x01\0"), ProtocolError, "3.8.3-2");
    check(Client, V3_1_1, &frame(0x82, b"\0\0\0\x01a\0"), ProtocolError, "2.2.1-3");
    check(Client, V3_1_1, &frame(0x82, b"\0\x01\0\x01a"), MalformedPacket, "longer than");
    check(Client, V3_1_1, &frame(0x82, b"\0\x01\0\x01a\x04"), MalformedPacket, "3.8.3-5");
    check(Client, V3_1_1, &frame(0x82, b"\0\x01\0\x01a\x80"), MalformedPacket, "3.8.3-5");
    check(Client, V3_1_1, &frame(0x82, b"\0\x01\0\x01a\x03"), ProtocolError, "QoS is 3");
    check(Client, V5, &frame(0x82, b"\0\x01\0\0\x01a\x40"), MalformedPacket, "3.8.3-5");
    check(Client, V5, &frame(0x82, b"\0\x01\0\0\x01a\x80"), MalformedPacket, "3.8.3-5");
    check(Client, V5, &frame(0x82, b"\0\x01\0\0\x01a\x03"), ProtocolError, "QoS is 3");
    check(Client, V5, &frame(0x82, b"\0\x01\0\0\x01a\x30"), ProtocolError, "retain handling");
    check(Client, V3_1_1, &frame(0x82, b"\0\x01\0\0\0"), MalformedPacket, "4.7.3-1");
    check(Client, V3_1_1, &frame(0x82, b"\0\x01\0\x02a+\0"), MalformedPacket, "4.7.1-1, -2");
    check(Client, V5, &frame(0x82, b"\0\x01\0\0\x03#/a\0"), MalformedPacket, "4.7.1-1");
    check(Client, V5, &frame(0x82, b"\0\x01\x02\x0B\0\0\x01a\0"), ProtocolError, "is 0");
    let twice = frame(0x82, b"\0\x01\x04\x0B\x01\x0B\x01\0\x01a\0");
    check(Client, V5, &twice, ProtocolError, "twice");
    check(Client, V5, &frame(0x82, b"\0\x01\x02\x01\x01\0\x01a\0"), MalformedPacket, "allowed");
}

#[test]
fn shared_subscriptions() {
    let shared = |filter: &[u8], options: u8| {
        let length = u8::try_from(filter.len()).unwrap();
        frame(0x82, &[&b"\0\x01\0\0"[..], &[length], filter, &[options]].concat())
    };
    legal(Client, V5, &shared(b"$share/g/a", 0));
    check(Client, V5, &shared(b"$share/g/a", 0b100), ProtocolError, "3.8.3-4");
    check(Client, V5, &shared(b"$share/g", 0), MalformedPacket, "4.8.2-1");
    check(Client, V5, &shared(b"$share//a", 0), MalformedPacket, "4.8.2-1");
    check(Client, V5, &shared(b"$share/+/a", 0), MalformedPacket, "4.8.2-1");
    check(Client, V5, &frame(0xA2, b"\0\x01\0\0\x08$share/g"), MalformedPacket, "4.8.2-1");
    legal(Client, V3_1_1, &frame(0xA2, b"\0\x01\0\x08$share/g"));
}

#[test]
fn unsubscribes() {
    check(Client, V3_1_1, &frame(0xA2, b"\0\x01"), ProtocolError, "3.10.3-2");
    check(Client, V5, &frame(0xA2, b"\0\x01\0"), ProtocolError, "3.10.3-2");
    check(Client, V5, &frame(0xA2, b"\0\0\0\0\x01a"), ProtocolError, "2.2.1-3");
    check(Client, V5, &frame(0xA2, b"\0\x01\0\0\x02a#"), MalformedPacket, "4.7.1-1");
    check(Client, V5, &frame(0xA2, b"\0\x01\x02\x0B\x01\0\x01a"), MalformedPacket, "allowed");
}

#[test]
fn last_words_and_authentication() {
    legal(Client, V5, &frame(0xE0, b"\x04\x05\x11\0\0\0\x01"));
    check(Client, V3_1_1, &frame(0xE0, b"\0"), MalformedPacket, "after the end");
    check(Client, V5, &frame(0xE0, b"\x01"), ProtocolError, "reason code not allowed");
    check(Client, V5, &frame(0xE0, b"\x8B"), ProtocolError, "reason code not allowed");
    check(Server, V5, &frame(0xE0, b"\x04"), ProtocolError, "reason code not allowed");
    check(Server, V5, &frame(0xE0, b"\0\x05\x11\0\0\0\x01"), ProtocolError, "3.14.2-2");
    check(Client, V5, &frame(0xE0, b"\0\0\0"), MalformedPacket, "after the end");
    check(Client, V5, &frame(0xE0, b"\0\x03\x21\0\x01"), MalformedPacket, "not allowed in");
    legal(Client, V5, &frame(0xF0, b"\x18\x04\x15\0\x01m"));
    legal(Server, V5, &[0xF0, 0]);
    check(Client, V5, &[0xF0, 0], ProtocolError, "reason code not allowed");
    check(Client, V5, &frame(0xF0, b"\x18\0"), ProtocolError, "3.15.2.2.2");
    check(Server, V5, &frame(0xF0, b"\x19\x04\x15\0\x01m"), ProtocolError, "reason code not");
}

#[test]
fn what_only_servers_send() {
    legal(Server, V5, &frame(0x20, b"\x01\0\0"));
    check(Server, V5, &frame(0x20, b"\x02\0\0"), MalformedPacket, "3.2.2-1");
    check(Server, V5, &frame(0x20, b"\x01\x87\0"), ProtocolError, "3.2.2-6");
    check(Server, V3_1_1, &frame(0x20, b"\x01\x05"), ProtocolError, "3.2.2-6");
    check(Server, V3_1_1, &frame(0x20, b"\0\x06"), MalformedPacket, "unknown return code");
    check(Server, V5, &frame(0x20, b"\0\x8B\0"), ProtocolError, "reason code not allowed");
    check(Server, V5, &frame(0x20, b"\0\0\x02\x24\x02"), ProtocolError, "maximum QoS");
    check(Server, V5, &frame(0x20, b"\0\0\x02\x17\x01"), MalformedPacket, "not allowed in");
    check(Server, V3_1_1, &frame(0x90, b"\0\x01\x03"), MalformedPacket, "3.9.3-2");
    check(Server, V3_1_1, &frame(0x90, b"\0\x01"), MalformedPacket, "longer than its packet");
    check(Server, V5, &frame(0x90, b"\0\x01\0\x11"), ProtocolError, "reason code not allowed");
    check(Server, V5, &frame(0xB0, b"\0\x01\0\x01"), ProtocolError, "reason code not allowed");
    check(Server, V3_1_1, &frame(0xB0, b"\0\x01\0"), MalformedPacket, "after the end");
}

/// MQTT 3.1 gives no meaning to bits that 3.1.1 reserves, and its DUP flag is of more packets.
#[test]
fn what_3_1_leaves_open_is_accepted_there() {
    legal(Client, V3_1, &frame(0x6A, b"\0\x01"));
    legal(Client, V3_1, &frame(0x8A, b"\0\x01\0\x01a\0"));
    legal(Client, V3_1, &frame(0xAA, b"\0\x01\0\x01a"));
    check(Client, V3_1, &frame(0x83, b"\0\x01\0\x01a\0"), MalformedPacket, "2.1.3-1");
    legal_connect(b"\0\x06MQIsdp\x03\x23\0\0\0\x01a");
    legal_connect(b"\0\x06MQIsdp\x03\xC2\0\0\0\x01a");
    legal_connect(b"\0\x06MQIsdp\x03\xC2\0\0\0\x01a\0\x01u");
}

/// [MQTT-1.5.5-1] is new in 5.0.
#[test]
fn lengths_with_more_bytes_than_needed_are_accepted_before_5_0() {
    legal(Client, V3_1_1, &[0xC0, 0x80, 0x00]);
    legal(Client, None, b"\x10\x8C\0\0\x04MQTT\x04\x02\0\0\0\0");
}
