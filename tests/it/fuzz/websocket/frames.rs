//! Frames of a client, most of them legal, as the bytes of an input choose.

use maison::limits::WEBSOCKET_FRAME_BYTES_MAX;

use super::super::source::Source;

/// The first bytes of frames as they are seen in the wild: binary in one piece, its parts, the
/// three kinds of control frames, and a text.
const FIRST: [u8; 8] = [0x82, 0x02, 0x00, 0x80, 0x88, 0x89, 0x8A, 0x81];

/// Payloads longer than an input.
const LONG: [usize; 4] = [126, 4000, 65_535, 65_536];

/// Bytes of all frames, beyond which no further one begins.
const BYTES_MAX: usize = 140_000;

pub(super) fn frames(mut source: Source<'_>) -> Vec<u8> {
    let mut wire = Vec::new();
    while !source.is_empty() && wire.len() < BYTES_MAX {
        wire.extend(frame(&mut source));
    }
    wire
}

pub(super) fn frame(source: &mut Source<'_>) -> Vec<u8> {
    let first = match source.byte() {
        choice @ 0..0xE0 => FIRST[usize::from(choice) % FIRST.len()],
        0xE0.. => source.byte(),
    };
    let (form, key) = (source.byte(), source.byte());
    let mask = [key, key.wrapping_mul(3), !key, key.rotate_left(3)];
    let payload = match source.byte() {
        0xF0.. => vec![source.byte(); source.choose(&LONG)],
        0..0xF0 => source.bytes().to_vec(),
    };
    let mut frame = vec![first];
    let masked = if form & 0x30 == 0x30 { 0 } else { 0x80 };
    frame.extend(length(form, payload.len().try_into().unwrap()));
    frame[1] |= masked;
    if masked != 0 {
        frame.extend(mask);
    }
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// The length as it should be written, or not.
fn length(form: u8, length: u64) -> Vec<u8> {
    let medium = |length: u64| [&[126], &length.to_be_bytes()[6..]].concat();
    let long = |length: u64| [&[127], &length.to_be_bytes()[..]].concat();
    match form % 16 {
        1 => medium(length & 0xFFFF),
        2 => long(length),
        3 => long(WEBSOCKET_FRAME_BYTES_MAX),
        4 => long(WEBSOCKET_FRAME_BYTES_MAX + 1),
        5 => long(u64::MAX),
        6 => medium(0xFFFF),
        _ => match length {
            0..126 => vec![length.try_into().unwrap()],
            126..65_536 => medium(length),
            65_536.. => long(length),
        },
    }
}
