//! One direction of one connection, as the first bytes of an input describe it.

use bytes::{Bytes, BytesMut};
use maison::limits::{PACKET_BYTES_BEFORE_LOGIN_MAX, PACKET_BYTES_MAX, RECEIVE_AHEAD_BYTES_MAX};
use maison::mqtt::{DecodeError, Decoder, Packet, Role, Version};

use super::source::Source;

pub(super) struct Link {
    pub(super) sender: Role,
    /// `None`: to be learnt from a CONNECT.
    version: Option<Version>,
    packet_bytes_max: u32,
    alias_maximum: u16,
}

/// What came out of a decoder until it stopped.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    pub(super) packets: Vec<Packet>,
    /// Of the packets.
    pub(super) version: Option<Version>,
    /// The unfinished packet, or what is wrong.
    end: Result<Bytes, DecodeError>,
}

impl Link {
    pub(super) fn read(source: &mut Source<'_>) -> Self {
        let (ends, limits) = (source.byte(), source.byte());
        let versions = [None, Some(Version::V3_1), Some(Version::V3_1_1), Some(Version::V5)];
        let sizes = [PACKET_BYTES_MAX, PACKET_BYTES_BEFORE_LOGIN_MAX, 128, 16];
        Self {
            sender: if ends & 0b100 == 0 { Role::Client } else { Role::Server },
            version: versions[usize::from(ends & 0b11)],
            packet_bytes_max: sizes[usize::from(limits >> 6)],
            alias_maximum: u16::from(limits & 0b11_1111),
        }
    }

    /// Lets a decoder have `bytes` in chunks of as many as `chunk` says. It may not take more room
    /// than for what has come and a little ahead.
    pub(super) fn decode(&self, bytes: &[u8], mut chunk: impl FnMut() -> usize) -> Decoded {
        let mut decoder = Decoder::new(self.sender, self.packet_bytes_max);
        decoder.set_topic_alias_maximum(self.alias_maximum);
        if let Some(version) = self.version {
            decoder.set_version(version);
        }
        let (mut packets, mut buffer, mut rest) = (Vec::new(), BytesMut::new(), bytes);
        let end = loop {
            let before = buffer.len();
            match decoder.next(&mut buffer) {
                Ok(Some(packet)) => {
                    assert!(buffer.len() < before, "a packet takes bytes");
                    packets.push(packet);
                    continue;
                }
                Ok(None) => assert_eq!(buffer.len(), before, "an unfinished packet takes none"),
                Err(error) => {
                    assert!(error.reason.is_failure() && !error.detail.is_empty());
                    break Err(error);
                }
            }
            let room = 2 * (bytes.len() + RECEIVE_AHEAD_BYTES_MAX);
            assert!(buffer.capacity() <= room, "room grows with what arrived only");
            if rest.is_empty() {
                break Ok(buffer.freeze());
            }
            let (next, later) = rest.split_at(chunk().clamp(1, rest.len()));
            buffer.extend_from_slice(next);
            rest = later;
        };
        Decoded { packets, version: decoder.version(), end }
    }
}
