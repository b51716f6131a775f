//! The data types of MQTT (section 1.5), read off the body of one packet.

use bytes::{Buf, Bytes};
use bytestring::ByteString;

use super::{DecodeError, PacketId};

/// What is left of a packet's body.
pub(super) struct Reader(Bytes);

impl Reader {
    pub(super) const fn new(body: Bytes) -> Self {
        Self(body)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.0.try_get_u8().map_err(|_| truncated())
    }

    pub(super) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.0.try_get_u16().map_err(|_| truncated())
    }

    pub(super) fn packet_id(&mut self) -> Result<PacketId, DecodeError> {
        PacketId::new(self.u16()?)
            .ok_or(DecodeError::malformed("packet identifier is zero [MQTT-2.3.1-1]"))
    }

    /// 1.5.6: a length of two bytes, then that many.
    pub(super) fn binary(&mut self) -> Result<Bytes, DecodeError> {
        let length = usize::from(self.u16()?);
        if self.0.len() < length {
            return Err(truncated());
        }
        Ok(self.0.split_to(length))
    }

    /// 1.5.4: well-formed UTF-8 without U+0000.
    pub(super) fn string(&mut self) -> Result<ByteString, DecodeError> {
        let text = ByteString::try_from(self.binary()?)
            .map_err(|_| DecodeError::malformed("ill-formed UTF-8 [MQTT-1.5.3-1]"))?;
        if text.as_bytes().contains(&0) {
            return Err(DecodeError::malformed("U+0000 in a string [MQTT-1.5.3-2]"));
        }
        Ok(text)
    }

    /// All that is left: the payload of a PUBLISH.
    pub(super) fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.0)
    }

    /// Nothing may follow the last field.
    pub(super) fn finish(self) -> Result<(), DecodeError> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(DecodeError::malformed("bytes after the end of the packet [2.2.3]"))
    }
}

const fn truncated() -> DecodeError {
    DecodeError::malformed("packet ends within a field [2.2.3]")
}
