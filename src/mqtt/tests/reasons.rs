//! Which reason codes each packet of 5.0 may carry: the tables of the standard, and nothing beside
//! them.

use bytes::BytesMut;

use super::{decoder, drain, frame};
use crate::mqtt::Role::{self, Client, Server};
use crate::mqtt::Version;

/// Of all bytes, exactly `allowed` are taken as the reason code behind `before`.
#[track_caller]
fn check(sender: Role, first: u8, before: &[u8], after: &[u8], allowed: &[u8]) {
    let is_taken = |code: &u8| {
        let bytes = frame(first, &[before, &[*code], after].concat());
        let mut decoder = decoder(sender, Version::V5);
        drain(&mut decoder, &mut BytesMut::from(&bytes[..])).is_ok()
    };
    let taken: Vec<u8> = (0..=u8::MAX).filter(is_taken).collect();
    assert_eq!(taken, allowed, "{first:#x}");
}

/// [MQTT-3.2.2-8].
#[test]
fn a_connack_has_the_reason_codes_of_its_table() {
    let refusals = [
        0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97,
        0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
    ];
    check(Server, 0x20, b"\0", b"\0", &[&[0x00], &refusals[..]].concat());
}

/// [MQTT-3.4.2-1], [MQTT-3.5.2-1], [MQTT-3.6.2-1], [MQTT-3.7.2-1]: a client has no subscribers.
#[test]
fn answers_to_a_publish_have_the_reason_codes_of_their_tables() {
    let of_client = [0x00, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
    let of_server = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
    for first in [0x40, 0x50] {
        check(Client, first, b"\0\x01", b"", &of_client);
        check(Server, first, b"\0\x01", b"", &of_server);
    }
    for (sender, first) in [(Client, 0x62), (Server, 0x62), (Client, 0x70), (Server, 0x70)] {
        check(sender, first, b"\0\x01", b"", &[0x00, 0x92]);
    }
}

/// [MQTT-3.9.3-2], [MQTT-3.11.3-2].
#[test]
fn answers_to_subscriptions_have_the_reason_codes_of_their_tables() {
    let of_suback = [0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2];
    check(Server, 0x90, b"\0\x01\0", b"", &of_suback);
    check(Server, 0xB0, b"\0\x01\0", b"", &[0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91]);
}

/// [MQTT-3.14.2-1]; section 2.4 gives a server 0x8C too, for a re-authentication that fails.
#[test]
fn a_disconnect_has_the_reason_codes_of_its_table() {
    let of_both = [0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99];
    check(Client, 0xE0, b"", b"", &[&[0x00, 0x04], &of_both[..]].concat());
    let of_server = [
        0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1,
        0xA2,
    ];
    let mut all = [&[0x00], &of_both[..], &of_server].concat();
    all.sort_unstable();
    check(Server, 0xE0, b"", b"", &all);
}

/// [MQTT-3.15.2-1]: each end has its own.
#[test]
fn an_auth_has_the_reason_codes_of_its_table() {
    check(Client, 0xF0, b"", b"\x04\x15\0\x01m", &[0x18, 0x19]);
    check(Server, 0xF0, b"", b"\x04\x15\0\x01m", &[0x00, 0x18]);
}
