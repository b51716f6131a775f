//! Bytes → packets.

use bytes::BytesMut;

use super::{Packet, ReasonCode, Version};

/// What is wrong with a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// What a 5.0 peer is told: malformed packet, protocol error, packet too large …
    pub reason: ReasonCode,
    /// What people are told: a constant phrase with its clause.
    pub detail: &'static str,
}

/// Takes packets off the front of a buffer, for one direction of one connection.
#[derive(Debug)]
pub struct Decoder {}

impl Decoder {
    /// A decoder for a peer that has not said its version yet; packets may have `packet_bytes_max`
    /// bytes in all.
    pub fn new(_packet_bytes_max: u32) -> Self {
        Self {}
    }

    /// The version, once a CONNECT was decoded (or [`Decoder::set_version`] told it).
    pub fn version(&self) -> Option<Version> {
        None
    }

    /// For the client's end, where no CONNECT arrives.
    pub fn set_version(&mut self, _version: Version) {}

    /// From now on packets may have this many bytes: after login.
    pub fn set_packet_bytes_max(&mut self, _bytes: u32) {}

    /// Takes the next whole packet, or `None` when more bytes are needed. An announcement of too
    /// large a packet is an error at once.
    pub fn next(&mut self, _buffer: &mut BytesMut) -> Result<Option<Packet>, DecodeError> {
        todo!()
    }
}
