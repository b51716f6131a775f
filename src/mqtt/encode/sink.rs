//! The data types of section 1.5, written to a buffer or only counted: one description of a packet
//! gives both its length and its bytes.

use std::num::NonZeroU16;

use bytes::BytesMut;

/// Longest text and binary data: their length is a u16.
const LENGTH_MAX: usize = 65_535;

/// What bytes are written to.
pub(super) trait Sink {
    fn bytes(&mut self, bytes: &[u8]);

    fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }

    fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    fn packet_id(&mut self, packet_id: NonZeroU16) {
        self.u16(packet_id.get());
    }

    /// 1.5.5. `value` is at most 268,435,455.
    fn variable_integer(&mut self, mut value: u32) {
        debug_assert!(value <= 268_435_455, "does not fit in four bytes: {value}");
        loop {
            let [.., low] = (value & 0x7F).to_be_bytes();
            value >>= 7;
            if value == 0 {
                return self.u8(low);
            }
            self.u8(low | 0x80);
        }
    }

    /// 1.5.4: text, cut at a character boundary where it is too long to be written.
    fn string(&mut self, text: &str) {
        let mut end = text.len().min(LENGTH_MAX);
        while !text.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        self.binary(text.get(..end).unwrap_or_default().as_bytes());
    }

    /// 1.5.6: binary data, cut where it is too long to be written.
    fn binary(&mut self, bytes: &[u8]) {
        let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        self.u16(length);
        self.bytes(bytes.get(..length.into()).unwrap_or_default());
    }

    /// 2.2.2: a property section. Longer ones than a packet can be are the packet's to refuse.
    fn section(&mut self, properties: &impl Encode)
    where
        Self: Sized,
    {
        let length = u32::try_from(properties.length()).unwrap_or(u32::MAX);
        self.variable_integer(length.min(268_435_455));
        properties.encode(self);
    }
}

impl Sink for BytesMut {
    fn bytes(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Counts what is written.
#[derive(Debug, Default)]
struct Length(usize);

impl Sink for Length {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0 = self.0.saturating_add(bytes.len());
    }
}

/// What can be written: the same bytes each time.
pub(super) trait Encode {
    fn encode(&self, sink: &mut impl Sink);

    /// In bytes.
    fn length(&self) -> usize {
        let mut length = Length::default();
        self.encode(&mut length);
        length.0
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::Sink;

    #[track_caller]
    fn check_integer(value: u32, expected: &[u8]) {
        let mut buffer = BytesMut::new();
        buffer.variable_integer(value);
        assert_eq!(&buffer[..], expected, "{value}");
    }

    /// 1.5.5.
    #[test]
    fn variable_byte_integers_take_as_few_bytes_as_possible() {
        check_integer(0, &[0x00]);
        check_integer(127, &[0x7F]);
        check_integer(128, &[0x80, 0x01]);
        check_integer(16_383, &[0xFF, 0x7F]);
        check_integer(16_384, &[0x80, 0x80, 0x01]);
        check_integer(2_097_151, &[0xFF, 0xFF, 0x7F]);
        check_integer(2_097_152, &[0x80, 0x80, 0x80, 0x01]);
        check_integer(268_435_455, &[0xFF, 0xFF, 0xFF, 0x7F]);
    }

    #[test]
    fn text_that_is_too_long_is_cut_between_characters() {
        let text = format!("{}é", "a".repeat(65_534));
        let mut buffer = BytesMut::new();
        buffer.string(&text);
        assert_eq!(buffer.len(), 2 + 65_534);
        assert_eq!(buffer[..2], [0xFF, 0xFE]);
        assert_eq!(buffer[65_535], b'a');
    }

    #[test]
    fn binary_data_that_is_too_long_is_cut() {
        let mut buffer = BytesMut::new();
        buffer.binary(&vec![7; 70_000]);
        assert_eq!(buffer.len(), 2 + 65_535);
        assert_eq!(buffer[..2], [0xFF, 0xFF]);
    }
}
