//! Packets → bytes.

use bytes::BytesMut;

use super::{Packet, Version};

/// Writes packets for one direction of one connection.
#[derive(Debug)]
pub struct Encoder {}

impl Encoder {
    /// An encoder for a peer of that version.
    pub fn new(_version: Version) -> Self {
        Self {}
    }

    /// Appends `packet` to `buffer`. Writes nothing for packets its version does not have (a
    /// server's DISCONNECT in 3.1.1).
    pub fn encode(&mut self, _packet: &Packet, _buffer: &mut BytesMut) {
        todo!()
    }
}
