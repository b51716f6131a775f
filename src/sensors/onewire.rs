//! What every 1-Wire device shares: its printed number and the CRC of its answers.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use super::OneWireId;

/// Digits of a serial number as the kernel prints it: 48 bits.
const SERIAL_DIGITS: usize = 12;

/// The text is no `28-01131e858aef`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAOneWireId;

impl fmt::Display for NotAOneWireId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a 1-Wire number is two digits, a dash and twelve: `28-01131e858aef`")
    }
}

impl Error for NotAOneWireId {}

/// Reads what [`fmt::Display`] prints, in either case: `28-01131e858aef`.
impl FromStr for OneWireId {
    type Err = NotAOneWireId;

    fn from_str(text: &str) -> Result<Self, NotAOneWireId> {
        let (family, serial) = text.split_once('-').ok_or(NotAOneWireId)?;
        let family = hexadecimal(family, 2)?;
        let serial = hexadecimal(serial, SERIAL_DIGITS)?;
        Ok(Self { family: u8::try_from(family).map_err(|_| NotAOneWireId)?, serial })
    }
}

/// Exactly `digits` of them: `from_str_radix` alone would take a sign.
fn hexadecimal(text: &str, digits: usize) -> Result<u64, NotAOneWireId> {
    if text.len() != digits || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(NotAOneWireId);
    }
    u64::from_str_radix(text, 16).map_err(|_| NotAOneWireId)
}

/// The Dallas CRC-8: x⁸ + x⁵ + x⁴ + 1, least significant bit first, from zero (Maxim application
/// note 27). Over an answer that ends in its own CRC it is zero.
pub fn crc8(bytes: &[u8]) -> u8 {
    const POLYNOMIAL: u8 = 0x8C;
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(
            crc ^ byte,
            |crc, _| if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_is_that_of_application_note_27() {
        assert_eq!(crc8(&[0x02, 0x1C, 0xB8, 0x01, 0x00, 0x00, 0x00]), 0xA2);
        assert_eq!(crc8(&[0x02, 0x1C, 0xB8, 0x01, 0x00, 0x00, 0x00, 0xA2]), 0);
    }

    #[test]
    fn numbers_are_read_as_they_are_printed() {
        let id = OneWireId { family: 0x28, serial: 0x0113_1e85_8aef };
        assert_eq!("28-01131e858aef".parse(), Ok(id));
        assert_eq!("28-01131E858AEF".parse(), Ok(id));
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn anything_else_is_no_number() {
        for text in ["", "28", "28-", "28-01131e858ae", "28-01131e858aeff", "2-801131e858aef"] {
            assert_eq!(text.parse::<OneWireId>(), Err(NotAOneWireId), "{text}");
        }
        for text in ["+8-01131e858aef", "28-+1131e858aef", "28_01131e858aef", "28-01131e858aeé"] {
            assert_eq!(text.parse::<OneWireId>(), Err(NotAOneWireId), "{text}");
        }
    }
}
