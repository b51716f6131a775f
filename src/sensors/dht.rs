//! What DHT11 and DHT22 have in common: forty bits, the last eight of which are the sum of the
//! others.

use super::catalog::Driver;
use super::{Fault, Measurement};
use crate::units::{MilliCelsius, MilliPercent};

/// Bytes of one answer.
pub const FRAME_BYTES: usize = 5;

/// Which of the two: their bits mean different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whole numbers and tenths in a byte each.
    Dht11,
    /// Tenths in two bytes.
    Dht22,
}

/// Below that no DHT11 measures, and no DHT22 has its upper byte there.
const DHT11_PERCENT_MIN: u8 = 5;

impl Kind {
    /// That of a driver; `None`: it is none of them.
    pub const fn of(driver: Driver) -> Option<Self> {
        match driver {
            Driver::Dht11 => Some(Self::Dht11),
            Driver::Dht22 => Some(Self::Dht22),
            _ => None,
        }
    }

    /// What an answer means. The sum of all zeros is right, so they are refused by themselves; so
    /// is what only the other of the two can say.
    pub fn decode(self, frame: [u8; FRAME_BYTES]) -> Result<Measurement, Fault> {
        let [h1, h2, t1, t2, sum] = frame;
        if h1.wrapping_add(h2).wrapping_add(t1).wrapping_add(t2) != sum {
            return Err(Fault::Crc);
        }
        if frame == [0; FRAME_BYTES] {
            return Err(Fault::StuckLow);
        }
        let (tenths_percent, tenths_celsius) = match self {
            Self::Dht11 => dht11([h1, h2, t1, t2]),
            Self::Dht22 => dht22([h1, h2, t1, t2]),
        }
        .ok_or(Fault::WrongChip)?;
        Ok(Measurement {
            humidity: Some(MilliPercent::new(tenths_percent * 100)),
            ..Measurement::of(MilliCelsius::new(tenths_celsius * 100))
        })
    }
}

/// Newer ones have tenths, and a sign in the highest bit of those of the temperature.
fn dht11([h1, h2, t1, t2]: [u8; 4]) -> Option<(i32, i32)> {
    let tenths = |whole: u8, tenths: u8| i32::from(whole) * 10 + i32::from(tenths);
    let (is_negative, celsius) = (t2 & 0x80 != 0, tenths(t1, t2 & 0x7f));
    let fits = (DHT11_PERCENT_MIN..=95).contains(&h1) && h2 <= 9 && t1 <= 60 && t2 & 0x7f <= 9;
    fits.then_some((tenths(h1, h2), if is_negative { -celsius } else { celsius }))
}

/// A sign and a magnitude, not two's complement.
fn dht22([h1, h2, t1, t2]: [u8; 4]) -> Option<(i32, i32)> {
    let percent = i32::from(u16::from_be_bytes([h1, h2]));
    let magnitude = i32::from(u16::from_be_bytes([t1 & 0x7f, t2]));
    let celsius = if t1 & 0x80 != 0 { -magnitude } else { magnitude };
    let fits = percent <= 1000 && (-400..=800).contains(&celsius);
    fits.then_some((percent, celsius))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: Kind, frame: [u8; 5], expected: Result<(i32, i32), Fault>) {
        let read = kind
            .decode(frame)
            .map(|read| (read.humidity.unwrap().thousandths(), read.temperature.thousandths()));
        assert_eq!(read, expected, "{frame:02x?}");
    }

    /// The example of the AM2302's datasheet (65.2 %, 35.1 °C) and its −10.1 °C.
    #[test]
    fn a_dht22_has_tenths_with_a_sign_of_their_own() {
        let check = |frame, expected| check(Kind::Dht22, frame, expected);
        check([0x02, 0x8c, 0x01, 0x5f, 0xee], Ok((65_200, 35_100)));
        check([0x01, 0x90, 0x80, 0x65, 0x76], Ok((40_000, -10_100)));
        check([0x02, 0x8c, 0x01, 0x5f, 0xef], Err(Fault::Crc));
        check([0, 0, 0, 0, 0], Err(Fault::StuckLow));
        check([0xff, 0xff, 0xff, 0xff, 0xfc], Err(Fault::WrongChip));
        check([0x03, 0xe9, 0x00, 0x01, 0xed], Err(Fault::WrongChip));
    }

    /// The examples of the DHT11's datasheet (53 %, 24.4 °C), and a newer one below zero.
    #[test]
    fn a_dht11_has_whole_numbers_and_tenths() {
        let check = |frame, expected| check(Kind::Dht11, frame, expected);
        check([0x35, 0x00, 0x18, 0x04, 0x51], Ok((53_000, 24_400)));
        check([0x35, 0x00, 0x0a, 0x81, 0xc0], Ok((53_000, -10_100)));
        check([0x35, 0x00, 0x18, 0x0a, 0x57], Err(Fault::WrongChip));
        check([0x02, 0x00, 0x18, 0x04, 0x1e], Err(Fault::WrongChip));
    }

    #[test]
    fn one_is_never_taken_for_the_other() {
        for percent in 5..=95_u8 {
            for celsius in 0..=60 {
                let sum = percent + celsius;
                let frame = [percent, 0, celsius, 0, sum];
                assert_eq!(Kind::Dht22.decode(frame), Err(Fault::WrongChip));
            }
        }
        for percent in (0..=1000_u16).step_by(7) {
            for celsius in (0..=800_u16).step_by(7) {
                let ([h1, h2], [t1, t2]) = (percent.to_be_bytes(), celsius.to_be_bytes());
                let sum = [h1, h2, t1, t2].into_iter().fold(0, u8::wrapping_add);
                let read = Kind::Dht11.decode([h1, h2, t1, t2, sum]);
                assert!(matches!(read, Err(Fault::WrongChip | Fault::StuckLow)), "{read:?}");
            }
        }
    }
}
