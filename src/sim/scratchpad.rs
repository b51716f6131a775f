//! The nine bytes a 1-Wire thermometer answers with, computed from its temperature: the model, so
//! nothing here is shared with the driver that is tested against it.

use crate::units::MilliCelsius;

/// Bytes of a scratchpad, its CRC included.
pub const BYTES: usize = 9;
/// Family codes the kernel's thermometer driver knows.
pub const FAMILIES: [u8; 5] = [DS18S20, 0x22, 0x28, 0x3B, 0x42];

const DS18S20: u8 = 0x10;
/// Alarm limits as they leave the factory: 75 and 70 °C.
const ALARMS: [u8; 2] = [0x4B, 0x46];

/// Steps of the converter; a DS18S20 has but one and ignores it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resolution {
    /// 0.5 °C.
    Bits9,
    /// 0.25 °C.
    Bits10,
    /// 0.125 °C.
    Bits11,
    /// 0.0625 °C.
    #[default]
    Bits12,
}

impl Resolution {
    /// Every resolution, coarsest first.
    pub const ALL: [Self; 4] = [Self::Bits9, Self::Bits10, Self::Bits11, Self::Bits12];

    /// 9 to 12.
    pub const fn bits(self) -> u8 {
        match self {
            Self::Bits9 => 9,
            Self::Bits10 => 10,
            Self::Bits11 => 11,
            Self::Bits12 => 12,
        }
    }

    /// Sixteenths of a degree per step.
    pub const fn sixteenths(self) -> i32 {
        match self {
            Self::Bits9 => 8,
            Self::Bits10 => 4,
            Self::Bits11 => 2,
            Self::Bits12 => 1,
        }
    }

    /// Longest conversion, in milliseconds, as the kernel waits for it.
    pub const fn conversion_ms(self) -> u64 {
        match self {
            Self::Bits9 => 95,
            Self::Bits10 => 190,
            Self::Bits11 => 375,
            Self::Bits12 => 750,
        }
    }

    const fn configuration(self) -> u8 {
        match self {
            Self::Bits9 => 0x1F,
            Self::Bits10 => 0x3F,
            Self::Bits11 => 0x5F,
            Self::Bits12 => 0x7F,
        }
    }
}

/// After a conversion at `temperature`, to the nearest step. A chip measures −55 to +125 °C.
pub fn converted(family: u8, temperature: MilliCelsius, resolution: Resolution) -> [u8; BYTES] {
    let thousandths = temperature.thousandths().clamp(-55_000, 125_000);
    if family == DS18S20 {
        return half_degrees(nearest(thousandths * 16, 1000));
    }
    let step = resolution.sixteenths();
    let register = nearest(thousandths * 16, 1000 * step) * step;
    let remain = 0x10 - byte(register & 0x0F);
    sealed([
        byte(register & 0xFF),
        byte(register >> 8 & 0xFF),
        ALARMS[0],
        ALARMS[1],
        resolution.configuration(),
        0xFF,
        remain,
        0x10,
    ])
}

/// From power-on to the first conversion: 85 °C, and 0x0C in byte 6.
pub fn power_on(family: u8, resolution: Resolution) -> [u8; BYTES] {
    let [th, tl] = ALARMS;
    if family == DS18S20 {
        return sealed([0xAA, 0x00, th, tl, 0xFF, 0xFF, 0x0C, 0x10]);
    }
    sealed([0x50, 0x05, th, tl, resolution.configuration(), 0xFF, 0x0C, 0x10])
}

/// Eight bytes with their CRC.
pub fn sealed(bytes: [u8; BYTES - 1]) -> [u8; BYTES] {
    let crc = crc(&bytes);
    std::array::from_fn(|index| bytes.get(index).copied().unwrap_or(crc))
}

/// What the kernel prints after `t=` for these bytes: thousandths of a degree, cut towards zero.
pub fn kernel_thousandths(family: u8, scratchpad: &[u8; BYTES]) -> i32 {
    let [low, high, _, _, _, _, remain, per_degree, _] = *scratchpad;
    let register = i32::from(i16::from_le_bytes([low, high]));
    if family != DS18S20 {
        return register * 1000 / 16;
    }
    match i32::from(per_degree) {
        0 => 0,
        per_degree => {
            let rest = 1000 * (per_degree - i32::from(remain)) / per_degree;
            (register >> 1) * 1000 - 250 + rest
        }
    }
}

/// A DS18S20 rounds to half degrees; its counters tell the rest.
fn half_degrees(sixteenths: i32) -> [u8; BYTES] {
    let register = (sixteenths + 4).div_euclid(8);
    let remain = 16 * (register >> 1) + 12 - sixteenths;
    let [th, tl] = ALARMS;
    sealed([
        byte(register & 0xFF),
        byte(register >> 8 & 0xFF),
        th,
        tl,
        0xFF,
        0xFF,
        byte(remain),
        0x10,
    ])
}

/// `numerator` / `denominator`, to the nearest whole.
fn nearest(numerator: i32, denominator: i32) -> i32 {
    (2 * numerator + denominator).div_euclid(2 * denominator)
}

fn byte(value: i32) -> u8 {
    u8::try_from(value).expect("only eight bits are left")
}

/// The remainder of a division by x⁸ + x⁵ + x⁴ + 1, the bits of each byte taken as they come over
/// the wire: lowest first.
fn crc(bytes: &[u8]) -> u8 {
    let mut remainder: u16 = 0;
    for byte in bytes {
        remainder ^= u16::from(byte.reverse_bits());
        for _ in 0..8 {
            remainder <<= 1;
            if remainder > 0xFF {
                remainder ^= 0x131;
            }
        }
    }
    u8::try_from(remainder).expect("the division leaves eight bits").reverse_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(family: u8, thousandths: i32, resolution: Resolution, expected: [u8; BYTES]) {
        assert_eq!(converted(family, MilliCelsius::new(thousandths), resolution), expected);
    }

    /// As real chips answered.
    #[test]
    fn bytes_are_those_of_real_chips() {
        let room = [0x72, 0x01, 0x4B, 0x46, 0x7F, 0xFF, 0x0E, 0x10, 0x57];
        check(0x28, 23_125, Resolution::Bits12, room);
        let restarted = [0x50, 0x05, 0x4B, 0x46, 0x7F, 0xFF, 0x0C, 0x10, 0x1C];
        assert_eq!(power_on(0x28, Resolution::Bits12), restarted);
        let restarted_or_85 = [0xAA, 0x00, 0x4B, 0x46, 0xFF, 0xFF, 0x0C, 0x10, 0x87];
        assert_eq!(power_on(0x10, Resolution::Bits12), restarted_or_85);
        check(0x10, 85_000, Resolution::Bits12, restarted_or_85);
    }

    #[test]
    fn a_chip_rounds_to_its_steps_and_stays_in_its_range() {
        let register = |thousandths, resolution| {
            let [low, high, ..] = converted(0x28, MilliCelsius::new(thousandths), resolution);
            i16::from_le_bytes([low, high])
        };
        assert_eq!(register(-10_125, Resolution::Bits12), -162);
        assert_eq!(register(-10_125, Resolution::Bits9), -160);
        assert_eq!(register(25_130, Resolution::Bits10), 404);
        assert_eq!(register(200_000, Resolution::Bits12), 2000);
        assert_eq!(register(-200_000, Resolution::Bits12), -880);
    }

    #[test]
    fn the_kernel_prints_thousandths() {
        for (thousandths, printed) in [(21_437, 21_437), (-10_125, -10_125), (-63, -62)] {
            let bytes = converted(0x28, MilliCelsius::new(thousandths), Resolution::Bits12);
            assert_eq!(kernel_thousandths(0x28, &bytes), printed);
        }
        let bytes = converted(0x10, MilliCelsius::new(-500), Resolution::Bits12);
        assert_eq!(kernel_thousandths(0x10, &bytes), -500);
    }
}
