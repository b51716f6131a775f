//! The data types of section 1.5, read off the front of a packet. Text and binary data are slices
//! of the packet.

use bytes::{Buf, Bytes};
use bytestring::ByteString;

use super::DecodeError;
use crate::mqtt::PacketId;

/// What is left to read of a packet.
#[derive(Debug)]
pub(super) struct Body(Bytes);

impl Body {
    pub(super) fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.0.try_get_u8().map_err(|_| DecodeError::TRUNCATED)
    }

    /// 1.5.2: two byte integer.
    pub(super) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.0.try_get_u16().map_err(|_| DecodeError::TRUNCATED)
    }

    /// 1.5.3: four byte integer.
    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.0.try_get_u32().map_err(|_| DecodeError::TRUNCATED)
    }

    /// 2.2.1.
    pub(super) fn packet_id(&mut self) -> Result<PacketId, DecodeError> {
        PacketId::new(self.u16()?)
            .ok_or(DecodeError::protocol("packet identifier is 0 [MQTT-2.2.1-3]"))
    }

    /// 1.5.5: variable byte integer.
    pub(super) fn variable_integer(&mut self) -> Result<u32, DecodeError> {
        let integer = VariableInteger::parse(&self.0)?.ok_or(DecodeError::TRUNCATED)?;
        self.0.advance(integer.bytes);
        if integer.is_minimal { Ok(integer.value) } else { Err(VariableInteger::NOT_MINIMAL) }
    }

    /// 1.5.4, for text whose owner looks for U+0000 itself: a topic.
    pub(super) fn topic(&mut self) -> Result<ByteString, DecodeError> {
        ByteString::try_from(self.binary()?)
            .map_err(|_| DecodeError::malformed("text is not UTF-8 [MQTT-1.5.4-1]"))
    }

    /// 1.5.4: UTF-8 encoded string.
    pub(super) fn string(&mut self) -> Result<ByteString, DecodeError> {
        let text = self.topic()?;
        if text.contains('\0') {
            return Err(DecodeError::malformed("text contains U+0000 [MQTT-1.5.4-2]"));
        }
        Ok(text)
    }

    /// 1.5.6: binary data.
    pub(super) fn binary(&mut self) -> Result<Bytes, DecodeError> {
        let length = usize::from(self.u16()?);
        self.take(length)
    }

    pub(super) fn take(&mut self, length: usize) -> Result<Bytes, DecodeError> {
        if self.0.len() < length {
            return Err(DecodeError::TRUNCATED);
        }
        Ok(self.0.split_to(length))
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.0)
    }

    /// Nothing may be left.
    pub(super) fn finish(&self) -> Result<(), DecodeError> {
        if self.is_empty() {
            return Ok(());
        }
        Err(DecodeError::malformed("bytes after the end of the packet (MQTT 5.0 section 4.13)"))
    }
}

/// A variable byte integer at the front of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct VariableInteger {
    /// At most 268,435,455.
    pub(super) value: u32,
    /// How many bytes it takes: 1 to 4.
    pub(super) bytes: usize,
    /// Whether it could not take fewer ([MQTT-1.5.5-1]: 5.0 demands it).
    pub(super) is_minimal: bool,
}

impl VariableInteger {
    pub(super) const NOT_MINIMAL: DecodeError =
        DecodeError::malformed("variable byte integer longer than needed [MQTT-1.5.5-1]");

    /// `None` when its end has not arrived.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<Self>, DecodeError> {
        const BYTES_MAX: usize = 4;
        let mut value = 0_u32;
        for (index, &byte) in bytes.iter().take(BYTES_MAX).enumerate() {
            value |= u32::from(byte & 0x7F) << (7 * index);
            if byte < 0x80 {
                let is_minimal = index == 0 || byte != 0;
                return Ok(Some(Self { value, bytes: index.saturating_add(1), is_minimal }));
            }
        }
        if bytes.len() < BYTES_MAX {
            return Ok(None);
        }
        Err(DecodeError::malformed("variable byte integer of more than four bytes (1.5.5)"))
    }
}

#[cfg(test)]
mod tests {
    use super::VariableInteger;

    #[track_caller]
    fn check(bytes: &[u8], value: u32, is_minimal: bool) {
        let expected = VariableInteger { value, bytes: bytes.len(), is_minimal };
        assert_eq!(VariableInteger::parse(bytes), Ok(Some(expected)));
        let more = [bytes, &[0xFF]].concat();
        assert_eq!(VariableInteger::parse(&more), Ok(Some(expected)), "what follows is not read");
        let less = &bytes[..bytes.len() - 1];
        assert_eq!(VariableInteger::parse(less), Ok(None));
    }

    /// 1.5.5 and [MQTT-1.5.5-1].
    #[test]
    fn variable_byte_integers_have_seven_bits_a_byte() {
        check(&[0x00], 0, true);
        check(&[0x7F], 127, true);
        check(&[0x80, 0x01], 128, true);
        check(&[0xFF, 0x7F], 16_383, true);
        check(&[0x80, 0x80, 0x01], 16_384, true);
        check(&[0xFF, 0xFF, 0x7F], 2_097_151, true);
        check(&[0x80, 0x80, 0x80, 0x01], 2_097_152, true);
        check(&[0xFF, 0xFF, 0xFF, 0x7F], 268_435_455, true);
        check(&[0x80, 0x00], 0, false);
        check(&[0xFF, 0x80, 0x00], 127, false);
        assert!(VariableInteger::parse(&[0xFF, 0xFF, 0xFF, 0x80]).is_err());
    }
}
