//! DS18B20: nine bytes of scratchpad → temperature.

use crate::sensors::{Fault, Measurement};
use crate::units::MilliCelsius;

/// The temperature in a scratchpad: sixteenths of a degree in its first two bytes, low byte first.
pub fn decode(family: u8, scratchpad: &[u8; 9]) -> Result<Measurement, Fault> {
    let [low, high, _, _, configuration, reserved, remainder, _, _] = *scratchpad;
    if scratchpad.iter().all(|byte| *byte == 0) {
        return Err(Fault::StuckLow);
    }
    if scratchpad.iter().all(|byte| *byte == 0xff) {
        return Err(Fault::StuckHigh);
    }
    if one_wire_bus::crc::crc8(scratchpad) != 0 {
        return Err(Fault::Crc);
    }
    if family != 0x28 {
        return Err(Fault::WrongChip);
    }
    if configuration & 0b1001_1111 != 0b0001_1111 || reserved != 0xff {
        return Err(Fault::Garbled);
    }
    let raw = i16::from_le_bytes([low, high]);
    match (raw, remainder) {
        (0x0550, 0x0c) => Err(Fault::PowerOn),
        (0x07ff, 0x0c) => Err(Fault::Unpowered),
        _ => Ok(Measurement {
            temperature: MilliCelsius::new(half_away(i32::from(raw) * 125)),
            may_be_power_on: raw == 0x0550,
        }),
    }
}

/// Half of a number of sixteenths × 125, halves away from zero.
fn half_away(number: i32) -> i32 {
    number / 2 + number % 2
}
