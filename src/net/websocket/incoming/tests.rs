use proptest::prelude::*;
use tungstenite::protocol::frame::FrameHeader;

use super::*;

const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

const BINARY: u8 = 0x82;
const BINARY_BEGINS: u8 = 0x02;
const GOES_ON: u8 = 0x00;
const ENDS: u8 = 0x80;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8A;

/// A client's frame, as the library and a naive mask make it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let header = FrameHeader {
        is_final: first & 0x80 != 0,
        opcode: OpCode::from(first & 0x0F),
        mask: Some(MASK),
        ..FrameHeader::default()
    };
    let mut bytes = Vec::new();
    header.format(payload.len().try_into().unwrap(), &mut bytes).unwrap();
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

/// All that frames of a client held, however they are cut, and how they end.
fn digest(wire: &[u8], cuts: &[usize]) -> (Vec<u8>, Vec<Vec<u8>>, Option<End>) {
    let (mut incoming, mut payload, mut pings) = (Incoming::new(), Vec::new(), Vec::new());
    let (mut rest, mut cuts) = (wire, cuts.iter().cycle());
    while !rest.is_empty() {
        let cut = cuts.next().copied().unwrap_or(usize::MAX).clamp(1, rest.len());
        let mut piece = rest[..cut].to_vec();
        rest = &rest[cut..];
        let digest = incoming.digest(&mut piece);
        payload.extend_from_slice(&piece[..digest.payload]);
        pings.extend(digest.ping);
        if digest.end.is_some() {
            return (payload, pings, digest.end);
        }
    }
    (payload, pings, None)
}

#[track_caller]
fn check_violation(wire: &[u8], expected: Violation, code: u16) {
    for cuts in [&[][..], &[1], &[3]] {
        let (payload, _, end) = digest(wire, cuts);
        assert_eq!((payload, end), (vec![], Some(End::Violation(expected))));
    }
    assert_eq!(u16::from(expected.close_code()), code);
}

/// The masked "Hello" of RFC 6455 section 5.7, as binary.
#[test]
fn the_frame_of_the_standard_is_read() {
    let mut wire = [0x82, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    let digest = Incoming::new().digest(&mut wire);
    assert_eq!(digest, Digest { payload: 5, ping: None, end: None });
    assert_eq!(&wire[..5], b"Hello");
}

/// [MQTT-6.0.0-2]
#[test]
fn packets_and_frames_have_nothing_to_do_with_each_other() {
    let wire = [
        frame(BINARY_BEGINS, b"one pa"),
        frame(PING, b"still there?"),
        frame(GOES_ON, b""),
        frame(GOES_ON, b"ck"),
        frame(PONG, b"nobody asked"),
        frame(ENDS, b"et, and a"),
        frame(BINARY, b"nother"),
        frame(BINARY, b""),
    ]
    .concat();
    for cuts in [&[][..], &[1], &[2], &[7, 1, 13]] {
        let (payload, pings, end) = digest(&wire, cuts);
        assert_eq!((&payload[..], end), (&b"one packet, and another"[..], None));
        assert_eq!(pings, [b"still there?"]);
    }
}

#[test]
fn of_many_pings_in_one_read_the_last_is_answered() {
    let mut wire = [frame(PING, b"1"), frame(PING, b"2"), frame(PING, b"")].concat();
    assert_eq!(Incoming::new().digest(&mut wire).ping, Some(Vec::new()));
}

#[test]
fn lengths_of_every_form_are_read() {
    for length in [0, 1, 125, 126, 127, 65_535, 65_536, 100_000] {
        let payload: Vec<u8> = (0..=255).cycle().take(length).collect();
        let wire = [frame(BINARY, &payload), frame(BINARY, b"!")].concat();
        for cuts in [&[][..], &[4096], &[9, 1021]] {
            let (read, _, end) = digest(&wire, cuts);
            assert!(read == [&payload[..], b"!"].concat() && end.is_none(), "{length}, {cuts:?}");
        }
    }
}

/// [MQTT-6.0.0-1]
#[test]
fn text_is_refused_by_its_header() {
    check_violation(&frame(0x81, b"text"), Violation::Text, 1003);
    check_violation(&frame(0x01, b"te"), Violation::Text, 1003);
}

#[test]
fn what_the_standard_forbids_is_refused() {
    let check = |wire: &[u8], expected| check_violation(wire, expected, 1002);
    check(b"\x82\x05Hello", Violation::Unmasked);
    check(b"\x89\x00", Violation::Unmasked);
    for bit in [0x10, 0x20, 0x40] {
        let mut wire = frame(BINARY, b"compressed");
        wire[0] |= bit;
        check(&wire, Violation::ReservedBit);
    }
    for opcode in [3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF] {
        check(&frame(0x80 | opcode, b""), Violation::Opcode);
    }
    for opcode in [CLOSE, PING, PONG] {
        check(&frame(opcode, &[b'x'; 126]), Violation::Control);
        check(&frame(opcode & 0x7F, b"x"), Violation::Control);
    }
    check(&frame(GOES_ON, b"of what?"), Violation::Fragment);
    check(&frame(ENDS, b"of what?"), Violation::Fragment);
    check(&[frame(BINARY_BEGINS, b""), frame(BINARY, b"")].concat(), Violation::Fragment);
    check(&frame(CLOSE, b"\x03"), Violation::CloseCode);
    for code in [0, 999, 1005, 1006, 1015, 2999, 5000_u16] {
        check(&frame(CLOSE, &code.to_be_bytes()), Violation::CloseCode);
    }
}

/// RFC 6455 section 8.1; found by `tests/fuzz`.
#[test]
fn a_close_whose_reason_is_no_text_is_refused() {
    check_violation(&frame(CLOSE, b"\x03\xE8gon\xC3"), Violation::CloseReason, 1007);
    check_violation(&frame(CLOSE, b"\x03\xE8\xED\xA0\x80"), Violation::CloseReason, 1007);
}

#[test]
fn lengths_in_more_bytes_than_they_need_are_refused() {
    check_violation(b"\x82\xFE\x00\x7Dmask", Violation::LongLength, 1002);
    check_violation(b"\x82\xFF\0\0\0\0\0\0\xFF\xFFmask", Violation::LongLength, 1002);
}

#[test]
fn an_absurd_length_is_refused_by_its_announcement() {
    let announce = |length: u64| {
        let wire = [&b"\x82\xFF"[..], &length.to_be_bytes(), b"mask"].concat();
        digest(&wire, &[]).2
    };
    let violation = End::Violation(Violation::TooLong);
    assert_eq!(announce(WEBSOCKET_FRAME_BYTES_MAX), None);
    assert_eq!(announce(WEBSOCKET_FRAME_BYTES_MAX + 1), Some(violation));
    assert_eq!(announce(u64::MAX), Some(violation));
    assert_eq!(u16::from(Violation::TooLong.close_code()), 1009);
}

#[test]
fn what_came_before_a_violation_counts() {
    let wire = [frame(BINARY, b"good"), frame(0x81, b"bad"), frame(BINARY, b"late")].concat();
    let expected = (b"good".to_vec(), vec![], Some(End::Violation(Violation::Text)));
    assert_eq!(digest(&wire, &[]), expected);
}

#[test]
fn a_close_ends_all_with_its_code() {
    let close = |payload: &[u8]| {
        let wire = [frame(BINARY, b"x"), frame(CLOSE, payload), frame(BINARY, b"late")].concat();
        let (payload, _, end) = digest(&wire, &[]);
        assert_eq!(payload, b"x");
        end
    };
    assert_eq!(close(b""), Some(End::Closed(None)));
    assert_eq!(close(b"\x03\xE8"), Some(End::Closed(Some(CloseCode::Normal))));
    assert_eq!(close(b"\x03\xE9all\xC3\xA9"), Some(End::Closed(Some(CloseCode::Away))));
}

/// The fragments of a message, and what a ping behind it holds.
type Fragments = (Vec<Vec<u8>>, Option<Vec<u8>>);

/// Data frames of messages, in order, with pings between them.
fn messages() -> impl Strategy<Value = Vec<Fragments>> {
    let bytes = |length| proptest::collection::vec(any::<u8>(), 0..length);
    let fragments = proptest::collection::vec(bytes(300), 1..4);
    let ping = proptest::option::of(bytes(126));
    proptest::collection::vec((fragments, ping), 0..8)
}

proptest! {
    #[test]
    fn any_frames_cut_anywhere_give_what_they_hold(
        messages in messages(),
        cuts in proptest::collection::vec(1..400_usize, 1..10),
    ) {
        let (mut wire, mut expected, mut pings) = (Vec::new(), Vec::new(), 0);
        for (fragments, ping) in &messages {
            for (index, fragment) in fragments.iter().enumerate() {
                let last = if index + 1 == fragments.len() { 0x80 } else { 0 };
                wire.extend(frame(last | if index == 0 { 2 } else { 0 }, fragment));
                if let Some(ping) = ping {
                    wire.extend(frame(PING, ping));
                    pings += 1;
                }
                expected.extend_from_slice(fragment);
            }
        }
        let (payload, answered, end) = digest(&wire, &cuts);
        prop_assert_eq!((payload, end), (expected, None));
        prop_assert!(answered.len() <= pings);
    }

    #[test]
    fn no_bytes_confuse_it(wire in proptest::collection::vec(any::<u8>(), 0..400)) {
        let whole = digest(&wire, &[]);
        let (payload, _, end) = digest(&wire, &[1]);
        prop_assert!(payload.len() <= wire.len());
        prop_assert_eq!((whole.0, whole.2), (payload, end));
    }
}
