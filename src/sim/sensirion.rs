//! What Sensirion's chips have in common: words with checksums, and values in proportion.

/// Each word, high byte first, with its checksum; ones after the last.
pub(super) fn fill(buffer: &mut [u8], words: &[u16]) {
    fill_from(0xff, buffer, words);
}

/// The same with checksums that begin with `initial`.
pub(super) fn fill_from(initial: u8, buffer: &mut [u8], words: &[u16]) {
    let bytes = words.iter().flat_map(|word| {
        let [high, low] = word.to_be_bytes();
        [high, low, crc8(initial, &[high, low])]
    });
    let bytes = bytes.chain(std::iter::repeat(0xff));
    buffer.iter_mut().zip(bytes).for_each(|(target, byte)| *target = byte);
}

/// x⁸ + x⁵ + x⁴ + 1, most significant bit first, from `initial` (SHT3x datasheet, section 4.12).
pub(super) fn crc8(initial: u8, bytes: &[u8]) -> u8 {
    bytes.iter().fold(initial, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc, _| if crc >= 0x80 { crc << 1 ^ 0x31 } else { crc << 1 })
    })
}

/// The nearest raw value where `whole` thousandths are `full`, and never beyond.
pub(super) fn nearest(thousandths: i32, whole: i64, full: u16) -> u16 {
    let raw = (i64::from(thousandths) * i64::from(full) * 2 + whole).div_euclid(whole * 2);
    u16::try_from(raw.clamp(0, i64::from(full))).unwrap_or(full)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the SHT3x datasheet (table 20) and of the HTU21D's (page 14).
    #[test]
    fn checksums_are_the_datasheets() {
        assert_eq!(crc8(0xff, &[0xbe, 0xef]), 0x92);
        assert_eq!(crc8(0x00, &[0x68, 0x3a]), 0x7c);
        assert_eq!(crc8(0x00, &[0xdc]), 0x79);
    }
}
