//! DS18B20 and its family on 1-Wire: the nine bytes of a scratchpad → a temperature.
//!
//! Sources: the datasheets of the DS18S20, DS1822, DS18B20, DS1825, DS28EA00 and MAX31850, and what
//! the kernel's `w1_therm` makes of each.

use super::catalog::{Facts, Span, Wiring};
use super::onewire::crc8;
use super::{Fault, Measurement};
use crate::sensors::pinout::{Line, ONE_WIRE_PULL_UP, Pinout, Terminal};
use crate::units::MilliCelsius;

/// DS18B20 and its family.
pub const FACTS: Facts = Facts {
    name: "ds18b20",
    parts: "DS18B20, DS18S20, DS1822, DS1825, DS28EA00, MAX31850",
    wirings: &[Wiring::OneWire],
    temperature: Span::celsius(MilliCelsius::new(-55_000), MilliCelsius::new(125_000), 62_500),
    humidity: None,
    pressure: None,
    addresses: &[],
    origin: "ours",
    pinout: Some(&PINOUT),
    ..Facts::BLANK
};

/// Its pins, and where they go.
const PINOUT: Pinout = Pinout {
    package: "TO-92, counted from the left with the flat side towards you, legs down",
    terminals: &[
        Terminal::to(3, "VDD", Line::Supply),
        Terminal::to(2, "DQ", Line::Data),
        Terminal::to(1, "GND", Line::Ground),
    ],
    parts: &[ONE_WIRE_PULL_UP],
};

/// Bytes of a scratchpad, its CRC included.
pub const SCRATCHPAD_BYTES: usize = 9;
/// Function command: start a conversion.
pub const CONVERT_T: u8 = 0x44;
/// Function command: send the scratchpad.
pub const READ_SCRATCHPAD: u8 = 0xBE;

/// 85 °C, which the register holds from power-on to the first conversion, in sixteenths.
const POWER_ON: i16 = 0x0550;
/// The same in the half degrees of a DS18S20.
const POWER_ON_HALVES: i16 = 0x00AA;
/// Byte 6 from power-on to the first conversion. After one it is [`SIXTEENTHS`] − (register mod 16)
/// on genuine parts.
const REMAIN_AT_POWER_ON: u8 = 0x0C;
/// Byte 7 of genuine parts: sixteenths of a degree.
const SIXTEENTHS: u8 = 0x10;
/// 127.94 °C, what a conversion leaves that ran out of supply current.
const UNPOWERED: i16 = 0x07FF;
/// −127 °C, what adapters and clones say for a sensor that does not answer.
const DISCONNECTED: i16 = -127 * 16;

/// A chip of the family, by the code in its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// Half degrees, refined by two counters.
    Ds18s20,
    /// Sixteenths, resolution in a configuration register: also DS1822 and DS28EA00.
    Ds18b20,
    /// The same with four address pins in that register; its code is also the MAX31850's.
    Ds1825,
}

impl Family {
    const fn from_code(code: u8) -> Option<Self> {
        match code {
            0x10 => Some(Self::Ds18s20),
            0x22 | 0x28 | 0x42 => Some(Self::Ds18b20),
            0x3B => Some(Self::Ds1825),
            _ => None,
        }
    }
}

/// Whether chips with this family code are thermometers that [`decode`] understands.
pub const fn is_thermometer(family: u8) -> bool {
    Family::from_code(family).is_some()
}

/// The temperature in the `scratchpad` of a chip with this `family` code.
///
/// Its bytes: temperature (two, low one first), `TH`, `TL`, configuration, reserved, count remain,
/// count per °C, CRC.
pub fn decode(family: u8, scratchpad: &[u8; SCRATCHPAD_BYTES]) -> Result<Measurement, Fault> {
    let family = Family::from_code(family).ok_or(Fault::WrongChip)?;
    // Nine zeros have a valid CRC, so a short circuit would read as 0 °C.
    match scratchpad {
        [0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00] => return Err(Fault::StuckLow),
        [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF] => return Err(Fault::StuckHigh),
        answer if crc8(answer) != 0 => return Err(Fault::Crc),
        _ => {}
    }
    let [low, high, faults, _, configuration, _, remain, per_degree, _] = *scratchpad;
    let register = i16::from_le_bytes([low, high]);
    match family {
        Family::Ds18s20 => counted(register, remain, per_degree),
        Family::Ds18b20 => sixteenths(register, undefined_bits(configuration)?, remain),
        Family::Ds1825 if configuration & 0x80 != 0 => thermocouple(register, faults),
        Family::Ds1825 => sixteenths(register, undefined_bits(configuration | 0x0F)?, remain),
    }
}

/// The low bits of the register that mean nothing at the resolution of a `configuration` register
/// (DS18B20 datasheet, figure 10): it must be `0b0RR_11111`.
fn undefined_bits(configuration: u8) -> Result<i16, Fault> {
    if configuration & 0x9F != 0x1F {
        return Err(Fault::Garbled);
    }
    Ok(match configuration >> 5 {
        0 => 0b111,
        1 => 0b11,
        2 => 0b1,
        _ => 0,
    })
}

/// DS18B20 datasheet, figure 4: the register counts sixteenths of a degree.
fn sixteenths(register: i16, undefined: i16, remain: u8) -> Result<Measurement, Fault> {
    match (register, remain) {
        (POWER_ON, REMAIN_AT_POWER_ON) => return Err(Fault::PowerOn),
        (UNPOWERED, REMAIN_AT_POWER_ON) => return Err(Fault::Unpowered),
        (DISCONNECTED, _) => return Err(Fault::Absent),
        _ => {}
    }
    // The five high bits all repeat the sign.
    if !matches!(register >> 11, 0 | -1) {
        return Err(Fault::Garbled);
    }
    let temperature = divided(i32::from(register & !undefined) * 1000, 16);
    // After a conversion to 85 °C byte 6 of a genuine part is 0x10; other values prove nothing.
    let may_be_power_on = register == POWER_ON && remain != SIXTEENTHS;
    Ok(Measurement { may_be_power_on, ..Measurement::of(temperature) })
}

/// DS18S20 datasheet, "operation: measuring temperature": the half degree is dropped, and the
/// counters say how far it got into the next. A real 85 °C has the same bytes as power-on.
fn counted(register: i16, remain: u8, per_degree: u8) -> Result<Measurement, Fault> {
    let sign_repeats = matches!(register >> 8, 0 | -1);
    if !sign_repeats || per_degree == 0 || remain > per_degree {
        return Err(Fault::Garbled);
    }
    let (remain, per_degree) = (i32::from(remain), i32::from(per_degree));
    let whole = (i32::from(register >> 1) * 1000 - 250) * per_degree;
    let temperature = divided(whole + (per_degree - remain) * 1000, per_degree);
    let may_be_power_on = register == POWER_ON_HALVES && remain == i32::from(REMAIN_AT_POWER_ON);
    Ok(Measurement { may_be_power_on, ..Measurement::of(temperature) })
}

/// MAX31850 datasheet, "memory": quarters of a degree with two flags below; what is wrong with the
/// thermocouple is in the low byte of the cold junction's temperature.
fn thermocouple(register: i16, faults: u8) -> Result<Measurement, Fault> {
    match (register & 1, faults & 0b111) {
        (0, _) => {}
        (_, 0b001) => return Err(Fault::Absent),
        (_, 0b010) => return Err(Fault::StuckLow),
        (_, 0b100) => return Err(Fault::StuckHigh),
        (_, _) => return Err(Fault::Garbled),
    }
    let register = register & !0b11;
    let temperature = divided(i32::from(register) * 1000, 16);
    let may_be_power_on = register == POWER_ON;
    Ok(Measurement { may_be_power_on, ..Measurement::of(temperature) })
}

/// `numerator` / `denominator` (positive), halves away from zero.
fn divided(numerator: i32, denominator: i32) -> MilliCelsius {
    let half = denominator / 2 * numerator.signum();
    MilliCelsius::new((numerator + half) / denominator)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DS18S20: u8 = 0x10;
    const DS18B20: u8 = 0x28;
    const DS1825: u8 = 0x3B;
    const CONFIGURED: [u8; 4] = [0x1F, 0x3F, 0x5F, 0x7F];

    fn sealed(bytes: [u8; 8]) -> [u8; 9] {
        let mut scratchpad = [0; 9];
        scratchpad[..8].copy_from_slice(&bytes);
        scratchpad[8] = crc8(&bytes);
        scratchpad
    }

    /// A DS18B20 after a conversion to `register`.
    fn converted(register: u16, configuration: u8) -> [u8; 9] {
        let [low, high] = register.to_le_bytes();
        sealed([low, high, 0x4B, 0x46, configuration, 0xFF, 0x10 - (low & 0x0F), 0x10])
    }

    fn value(thousandths: i32) -> Measurement {
        Measurement::of(MilliCelsius::new(thousandths))
    }

    fn perhaps(thousandths: i32) -> Measurement {
        Measurement { may_be_power_on: true, ..value(thousandths) }
    }

    /// The table of the DS18B20 datasheet ("temperature/data relationship"), for all its relatives.
    #[test]
    fn datasheet_table_is_decoded() {
        let table = [
            (0x07D0, 125_000),
            (0x0550, 85_000),
            (0x0191, 25_063),
            (0x00A2, 10_125),
            (0x0008, 500),
            (0x0000, 0),
            (0xFFF8, -500),
            (0xFF5E, -10_125),
            (0xFE6F, -25_063),
            (0xFC90, -55_000),
        ];
        for (register, expected) in table {
            for family in [0x22, 0x28, 0x3B, 0x42] {
                assert_eq!(decode(family, &converted(register, 0x7F)), Ok(value(expected)));
            }
        }
    }

    /// The tables of the DS18S20 datasheet: whole registers, then with the counters.
    #[test]
    fn counters_refine_the_half_degrees_of_a_ds18s20() {
        let table = [
            (0x00AA, 0x0B, 85_063),
            (0x0032, 0x0C, 25_000),
            (0x0032, 0x0B, 25_063),
            (0x0031, 0x04, 24_500),
            (0x0033, 0x04, 25_500),
            (0x0000, 0x0C, 0),
            (0x0001, 0x04, 500),
            (0xFFFF, 0x04, -500),
            (0xFFCE, 0x0C, -25_000),
            (0xFF92, 0x0C, -55_000),
            (0xFF92, 0x10, -55_250),
        ];
        for (register, remain, expected) in table {
            let [low, high] = u16::to_le_bytes(register);
            let scratchpad = sealed([low, high, 0x4B, 0x46, 0xFF, 0xFF, remain, 0x10]);
            assert_eq!(
                decode(DS18S20, &scratchpad),
                Ok(value(expected)),
                "{register:04x} {remain:02x}"
            );
        }
    }

    #[test]
    fn bits_below_the_resolution_do_not_count() {
        for (configuration, expected) in [(0x1F, 500), (0x3F, 750), (0x5F, 875), (0x7F, 938)] {
            assert_eq!(decode(DS18B20, &converted(0x000F, configuration)), Ok(value(expected)));
        }
        for (configuration, expected) in [(0x1F, -500), (0x3F, -250), (0x5F, -125), (0x7F, -63)] {
            assert_eq!(decode(DS18B20, &converted(0xFFFF, configuration)), Ok(value(expected)));
        }
    }

    /// Every register of the range at every resolution: the value is the nearest thousandth.
    #[test]
    fn whole_range_is_exact() {
        for configuration in CONFIGURED {
            let step = 8 >> (configuration >> 5);
            for sixteenth in (-55 * 16..=125 * 16).step_by(step) {
                let register = i16::try_from(sixteenth).unwrap().cast_unsigned();
                let decoded = decode(DS18B20, &converted(register, configuration)).unwrap();
                let error = decoded.temperature.thousandths() * 16 - sixteenth * 1000;
                assert!(error.abs() <= 8, "{sixteenth} sixteenths: {decoded:?}");
            }
        }
    }

    /// Answers of real chips, as the kernel printed them.
    #[test]
    fn recorded_answers_are_decoded() {
        let room = [0x72, 0x01, 0x4B, 0x46, 0x7F, 0xFF, 0x0E, 0x10, 0x57];
        assert_eq!(decode(DS18B20, &room), Ok(value(23_125)));
        let power_on = [0x50, 0x05, 0x4B, 0x46, 0x7F, 0xFF, 0x0C, 0x10, 0x1C];
        assert_eq!(decode(DS18B20, &power_on), Err(Fault::PowerOn));
        let power_on = [0xAA, 0x00, 0x4B, 0x46, 0xFF, 0xFF, 0x0C, 0x10, 0x87];
        assert_eq!(decode(DS18S20, &power_on), Ok(perhaps(85_000)));
    }

    #[test]
    fn eighty_five_degrees_are_power_on_doubtful_or_real_by_byte_6() {
        let answer = |remain| sealed([0x50, 0x05, 0x4B, 0x46, 0x7F, 0xFF, remain, 0x10]);
        assert_eq!(decode(DS18B20, &answer(0x0C)), Err(Fault::PowerOn));
        assert_eq!(decode(DS18B20, &answer(0x10)), Ok(value(85_000)));
        assert_eq!(decode(DS18B20, &answer(0xFF)), Ok(perhaps(85_000)));
        assert_eq!(decode(DS18B20, &converted(0x0553, 0x1F)), Ok(value(85_000)));
    }

    #[test]
    fn lack_of_current_is_told_from_heat() {
        let answer = |remain| sealed([0xFF, 0x07, 0x4B, 0x46, 0x7F, 0xFF, remain, 0x10]);
        assert_eq!(decode(DS18B20, &answer(0x0C)), Err(Fault::Unpowered));
        assert_eq!(decode(DS18B20, &answer(0x01)), Ok(value(127_938)));
    }

    #[test]
    fn dead_buses_are_no_temperatures() {
        for family in [0x10, 0x22, 0x28, 0x3B, 0x42] {
            assert_eq!(decode(family, &[0x00; 9]), Err(Fault::StuckLow));
            assert_eq!(decode(family, &[0xFF; 9]), Err(Fault::StuckHigh));
        }
        assert_eq!(decode(DS18B20, &converted(0xF810, 0x7F)), Err(Fault::Absent));
    }

    #[test]
    fn one_wrong_bit_anywhere_is_a_wrong_checksum() {
        for bit in 0..72 {
            let mut answer = converted(0x0191, 0x7F);
            answer[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(DS18B20, &answer), Err(Fault::Crc), "bit {bit}");
        }
    }

    #[test]
    fn what_no_such_chip_says_is_garbled() {
        for configuration in [0x00, 0x0F, 0x7E, 0x80, 0xFF] {
            assert_eq!(decode(DS18B20, &converted(0x0191, configuration)), Err(Fault::Garbled));
        }
        for register in [0x0800, 0x0FFF, 0xF7FF, 0x8000] {
            assert_eq!(decode(DS18B20, &converted(register, 0x7F)), Err(Fault::Garbled));
        }
        for (high, remain, per_degree) in [(0x01, 0x0C, 0x10), (0x00, 0x11, 0x10), (0x00, 0, 0)] {
            let answer = sealed([0x32, high, 0x4B, 0x46, 0xFF, 0xFF, remain, per_degree]);
            assert_eq!(decode(DS18S20, &answer), Err(Fault::Garbled));
        }
    }

    #[test]
    fn address_pins_of_a_ds1825_are_no_garbage() {
        for pins in 0x0..=0xF {
            assert_eq!(decode(DS1825, &converted(0x0191, 0x70 | pins)), Ok(value(25_063)));
        }
        assert_eq!(decode(DS1825, &converted(0x0191, 0x6F)), Err(Fault::Garbled));
    }

    #[test]
    fn thermocouple_is_read_in_quarters_and_its_faults_are_named() {
        let answer = |low, high, faults| sealed([low, high, faults, 0x19, 0xF0, 0xFF, 0xFF, 0xFF]);
        assert_eq!(decode(DS1825, &answer(0x92, 0x01, 0x00)), Ok(value(25_000)));
        assert_eq!(decode(DS1825, &answer(0x5C, 0xFF, 0x00)), Ok(value(-10_250)));
        assert_eq!(decode(DS1825, &answer(0x40, 0x3E, 0x00)), Ok(value(996_000)));
        assert_eq!(decode(DS1825, &answer(0x01, 0x00, 0x01)), Err(Fault::Absent));
        assert_eq!(decode(DS1825, &answer(0x01, 0x00, 0x02)), Err(Fault::StuckLow));
        assert_eq!(decode(DS1825, &answer(0x01, 0x00, 0x04)), Err(Fault::StuckHigh));
        assert_eq!(decode(DS1825, &answer(0x01, 0x00, 0x00)), Err(Fault::Garbled));
    }

    #[test]
    fn other_families_are_other_chips() {
        assert_eq!(decode(0x01, &converted(0x0191, 0x7F)), Err(Fault::WrongChip));
        assert!(is_thermometer(0x28) && !is_thermometer(0x01));
    }
}
