//! The codec as a whole, at both ends of a connection.

mod diagnostics;
mod golden;
mod illegal;
mod limits;
mod reasons;
mod robust;
mod round_trip;
pub(crate) mod strategies;
mod text;
mod versions;

use bytes::BytesMut;

use super::{DecodeError, Decoder, Packet, Role, Version};
use crate::limits::PACKET_BYTES_MAX;

/// A decoder of what `sender` sends after the version is settled.
fn decoder(sender: Role, version: Version) -> Decoder {
    let mut decoder = Decoder::new(sender, PACKET_BYTES_MAX);
    decoder.set_version(version);
    decoder
}

/// The packets at the front of `buffer`, until more bytes are needed.
fn drain(decoder: &mut Decoder, buffer: &mut BytesMut) -> Result<Vec<Packet>, DecodeError> {
    let mut packets = Vec::new();
    while let Some(packet) = decoder.next(buffer)? {
        packets.push(packet);
    }
    Ok(packets)
}

/// The one packet that `bytes` are.
#[track_caller]
fn decode(sender: Role, version: Version, bytes: &[u8]) -> Packet {
    let mut buffer = BytesMut::from(bytes);
    let mut packets = drain(&mut decoder(sender, version), &mut buffer).unwrap();
    assert_eq!((packets.len(), buffer.len()), (1, 0), "one packet and nothing else");
    packets.remove(0)
}

/// A packet with that first byte, and a remaining length that is right.
fn frame(first: u8, body: &[u8]) -> Vec<u8> {
    let length = u8::try_from(body.len()).unwrap();
    assert!(length < 0x80, "one byte of remaining length is enough for these tests");
    [&[first, length], body].concat()
}
