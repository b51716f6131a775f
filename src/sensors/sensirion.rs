//! Words with checksums, as Sensirion's chips send them and some others copied.

use super::Fault;

/// x⁸ + x⁵ + x⁴ + 1, most significant bit first, from `initial`: 0xff with Sensirion and Aosong, 0
/// in the SHT2x and its relatives.
pub(super) fn crc8(initial: u8, bytes: &[u8]) -> u8 {
    const POLYNOMIAL: u8 = 0x31;
    bytes.iter().fold(initial, |crc, byte| {
        (0..8).fold(
            crc ^ byte,
            |crc, _| if crc & 0x80 == 0 { crc << 1 } else { (crc << 1) ^ POLYNOMIAL },
        )
    })
}

/// Two words, each with its checksum behind it. What a dead line says is named as that.
pub(super) fn two_words(answer: [u8; 6]) -> Result<[u16; 2], Fault> {
    match answer {
        [0, 0, 0, 0, 0, 0] => return Err(Fault::StuckLow),
        [0xff, 0xff, 0xff, 0xff, 0xff, 0xff] => return Err(Fault::StuckHigh),
        _ => {}
    }
    let [a, b, ab, c, d, cd] = answer;
    if crc8(0xff, &[a, b]) != ab || crc8(0xff, &[c, d]) != cd {
        return Err(Fault::Crc);
    }
    Ok([u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHT4x datasheet, section 4.4, and HTU21D datasheet, page 14.
    #[test]
    fn checksums_are_the_datasheets() {
        assert_eq!(crc8(0xff, &[0xbe, 0xef]), 0x92);
        assert_eq!(crc8(0x00, &[0xdc]), 0x79);
    }

    #[test]
    fn words_are_told_from_dead_lines_and_damage() {
        let good = [0xbe, 0xef, 0x92, 0x80, 0x00, 0xa2];
        assert_eq!(two_words(good), Ok([0xbeef, 0x8000]));
        assert_eq!(two_words([0; 6]), Err(Fault::StuckLow));
        assert_eq!(two_words([0xff; 6]), Err(Fault::StuckHigh));
        for bit in 0..48 {
            let mut answer = good;
            answer[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(two_words(answer), Err(Fault::Crc), "bit {bit}");
        }
    }
}
