//! What a client can make of what it is sent.

use bytes::BytesMut;

use crate::limits::PACKET_BYTES_MAX;
use crate::mqtt::{Connect, Decoder, Encoder, Packet, Role, Version};

/// What a CONNECT says of what its sender reads.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Reader {
    version: Version,
    packet_bytes_max: u32,
}

impl Default for Reader {
    /// Of a peer that has said nothing.
    fn default() -> Self {
        Self { version: Version::V3_1_1, packet_bytes_max: PACKET_BYTES_MAX }
    }
}

impl Reader {
    pub(in super::super) fn of(connect: &Connect) -> Self {
        let size = connect.properties.maximum_packet_size;
        Self { version: connect.version, packet_bytes_max: size.unwrap_or(PACKET_BYTES_MAX) }
    }

    /// The packet is written as it is to this peer, and is one that a server may send: within the
    /// size that the peer takes ([MQTT-3.1.2-24] of 5.0), with a reason code that this packet has
    /// ([MQTT-3.2.2-8] and its like), with properties that it has. Before 5.0 a refusal may be
    /// silence ([MQTT-3.2.2-6] of 3.1.1).
    #[track_caller]
    pub(in super::super) fn check(self, packet: &Packet) {
        let mut buffer = BytesMut::new();
        let mut encoder = Encoder::new(self.version);
        encoder.set_packet_bytes_max(self.packet_bytes_max);
        encoder.encode(packet, &mut buffer);
        if buffer.is_empty() {
            let is_silent = self.version != Version::V5 && matches!(packet, Packet::ConnAck(_));
            assert!(is_silent, "not written to {self:?}: {packet:?}");
            return;
        }
        let mut decoder = Decoder::new(Role::Server, self.packet_bytes_max);
        decoder.set_version(self.version);
        let read = decoder.next(&mut buffer);
        assert!(matches!(read, Ok(Some(_))), "{read:?} read by {self:?} of {packet:?}");
        assert!(buffer.is_empty(), "one packet");
    }
}
