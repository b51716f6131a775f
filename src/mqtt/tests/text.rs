//! Every text that a client sends, spoilt in each way that text can be.

use bytes::BytesMut;

use super::{decoder, drain, frame};
use crate::limits::PACKET_BYTES_MAX;
use crate::mqtt::Version::{V3_1_1, V5};
use crate::mqtt::{DecodeError, Decoder, Encoder, Packet, ReasonCode, Role, Version};

/// A text of a client's packet: the packet with `text` there, and nothing else wrong with it.
struct Place {
    name: &'static str,
    version: Version,
    packet: fn(text: &[u8]) -> Vec<u8>,
}

const fn place(name: &'static str, version: Version, packet: fn(&[u8]) -> Vec<u8>) -> Place {
    Place { name, version, packet }
}

/// [MQTT-3.1.3-4], [MQTT-3.1.3-11], [MQTT-3.1.3-12], [MQTT-3.3.2-1], [MQTT-3.3.2-13],
/// [MQTT-3.3.2-19], [MQTT-3.8.3-1], [MQTT-3.10.3-1] make these texts; and so it is with 3.1.1.
const PLACES: &[Place] = &[
    place("client identifier", V3_1_1, |text| connect(4, 0x02, &[], &string(text))),
    place("will topic", V3_1_1, |text| {
        connect(4, 0x06, &[], &[b"\0\0", &string(text)[..], b"\0\0"].concat())
    }),
    place("user name", V3_1_1, |text| {
        connect(4, 0x82, &[], &[b"\0\0", &string(text)[..]].concat())
    }),
    place("topic name", V3_1_1, |text| frame(0x30, &string(text))),
    place("filter", V3_1_1, |text| frame(0x82, &[b"\0\x01", &string(text)[..], b"\0"].concat())),
    place("filter", V3_1_1, |text| frame(0xA2, &[b"\0\x01", &string(text)[..]].concat())),
    place("client identifier", V5, |text| connect(5, 0x02, b"\0", &string(text))),
    place("will topic", V5, |text| {
        connect(5, 0x06, b"\0", &[b"\0\0\0", &string(text)[..], b"\0\0"].concat())
    }),
    place("user name", V5, |text| connect(5, 0x82, b"\0", &[b"\0\0", &string(text)[..]].concat())),
    place("authentication method", V5, |text| {
        connect(5, 0x02, &section(0x15, &string(text)), b"\0\0")
    }),
    place("user property", V5, |text| connect(5, 0x02, &section(0x26, &name(text)), b"\0\0")),
    place("content type of a will", V5, |text| will(&section(0x03, &string(text)))),
    place("response topic of a will", V5, |text| will(&section(0x08, &string(text)))),
    place("user property of a will", V5, |text| will(&section(0x26, &value(text)))),
    place("topic name", V5, |text| frame(0x30, &[&string(text)[..], b"\0"].concat())),
    place("content type", V5, |text| publish(&section(0x03, &string(text)))),
    place("response topic", V5, |text| publish(&section(0x08, &string(text)))),
    place("name of a user property", V5, |text| publish(&section(0x26, &name(text)))),
    place("value of a user property", V5, |text| publish(&section(0x26, &value(text)))),
    place("reason of a PUBACK", V5, |text| {
        frame(0x40, &[b"\0\x01\0", &section(0x1F, &string(text))[..]].concat())
    }),
    place("filter", V5, |text| frame(0x82, &[b"\0\x01\0", &string(text)[..], b"\0"].concat())),
    place("filter", V5, |text| frame(0xA2, &[b"\0\x01\0", &string(text)[..]].concat())),
    place("user property of a SUBSCRIBE", V5, |text| {
        frame(0x82, &[b"\0\x01", &section(0x26, &value(text))[..], b"\0\x01a\0"].concat())
    }),
    place("reason of a DISCONNECT", V5, |text| {
        frame(0xE0, &[b"\0", &section(0x1F, &string(text))[..]].concat())
    }),
    place("method of an AUTH", V5, |text| {
        frame(0xF0, &[b"\x18", &section(0x15, &string(text))[..]].concat())
    }),
];

fn string(text: &[u8]) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap();
    [&length.to_be_bytes(), text].concat()
}

fn name(text: &[u8]) -> Vec<u8> {
    [&string(text)[..], b"\0\x01v"].concat()
}

fn value(text: &[u8]) -> Vec<u8> {
    [b"\0\x01n", &string(text)[..]].concat()
}

/// A property section with one property.
fn section(id: u8, value: &[u8]) -> Vec<u8> {
    let length = u8::try_from(value.len() + 1).unwrap();
    [&[length, id], value].concat()
}

fn connect(level: u8, flags: u8, properties: &[u8], payload: &[u8]) -> Vec<u8> {
    frame(0x10, &[b"\0\x04MQTT", &[level, flags, 0, 0][..], properties, payload].concat())
}

fn will(properties: &[u8]) -> Vec<u8> {
    connect(5, 0x06, b"\0", &[b"\0\0", properties, b"\0\x01w\0\0"].concat())
}

fn publish(properties: &[u8]) -> Vec<u8> {
    frame(0x30, &[b"\0\x01a", properties].concat())
}

fn decode(place: &Place, bytes: &[u8]) -> Result<Vec<Packet>, DecodeError> {
    let mut decoder = match bytes[0] {
        0x10 => Decoder::new(Role::Client, PACKET_BYTES_MAX),
        _ => decoder(Role::Client, place.version),
    };
    drain(&mut decoder, &mut BytesMut::from(bytes))
}

#[track_caller]
fn check_malformed(text: &[u8], clause: &str) {
    for place in PLACES {
        let (name, version) = (place.name, place.version);
        let outcome = decode(place, &(place.packet)(text));
        let Err(error) = outcome else { panic!("{name} in {version:?} takes {text:x?}") };
        assert_eq!(error.reason, ReasonCode::MalformedPacket, "{name} in {version:?}");
        assert!(error.detail.contains(clause), "{name} in {version:?}: {error}");
    }
}

/// [MQTT-1.5.4-1], [MQTT-1.5.7-1]; [MQTT-1.5.3-1] of 3.1.1.
#[test]
fn text_that_is_not_utf_8_is_malformed_wherever_it_is() {
    check_malformed(b"\xFF", "1.5.4-1");
    check_malformed(b"a\xC3", "1.5.4-1");
    check_malformed(b"\xC0\x80", "1.5.4-1");
    check_malformed(b"\xED\xA0\x80", "1.5.4-1");
    check_malformed(b"\xED\xBF\xBF", "1.5.4-1");
    check_malformed(b"\xF4\x90\x80\x80", "1.5.4-1");
}

/// [MQTT-1.5.4-2], [MQTT-1.5.7-1], [MQTT-4.7.3-2]; [MQTT-1.5.3-2] of 3.1.1.
#[test]
fn text_with_a_nul_is_malformed_wherever_it_is() {
    check_malformed(b"\0", "U+0000");
    check_malformed(b"a\0b", "U+0000");
}

/// [MQTT-1.5.4-3]; [MQTT-1.5.3-3] of 3.1.1.
#[test]
fn a_byte_order_mark_stays_in_the_text_wherever_it_is() {
    for place in PLACES {
        for text in ["\u{FEFF}", "\u{FEFF}a", "a\u{FEFF}\u{FEFF}b"] {
            let bytes = (place.packet)(text.as_bytes());
            let packets = decode(place, &bytes).unwrap();
            let mut written = BytesMut::new();
            Encoder::with_role(Role::Client, place.version).encode(&packets[0], &mut written);
            assert_eq!(written, bytes, "{} in {:?}", place.name, place.version);
        }
    }
}
