//! An MCP9808 down to its registers (datasheet DS25095).

use std::time::Duration;

use crate::sim::air::Air;
use crate::sim::i2c::{Answer, I2cDevice};
use crate::sim::model::Model;
use crate::sim::words::Words;
use crate::time::Tick;
use crate::units::MilliCelsius;

const CONFIGURATION: u8 = 1;
const TEMPERATURE: u8 = 5;
const RESOLUTION: u8 = 8;
const SHUT_DOWN: u16 = 0x0100;
/// At the finest resolution, typically.
const CONVERSION: Duration = Duration::from_millis(250);

/// The chip.
#[derive(Debug)]
pub struct Mcp9808 {
    /// Alarm limits, and what is read only.
    words: Words<8>,
    resolution: u8,
    temperature: MilliCelsius,
    done_at: Option<Tick>,
    hangs: bool,
}

impl Mcp9808 {
    /// A chip that powers up now.
    pub fn new(now: Tick) -> Self {
        let mut chip = Self {
            words: Words::new([0; 8]),
            resolution: 0,
            temperature: Air::default().temperature,
            done_at: None,
            hangs: false,
        };
        chip.power_up(now);
        chip
    }

    fn configure(&mut self, now: Tick, value: u16) {
        let value = value & 0x07ff;
        if value & SHUT_DOWN != 0 {
            self.done_at = None;
        } else if self.words.get(CONFIGURATION) & SHUT_DOWN != 0 {
            self.done_at = Some(now.after(CONVERSION));
        }
        self.words.set(CONFIGURATION, value);
    }

    fn settle(&mut self, now: Tick) {
        let Some(done) = self.done_at.filter(|done| *done <= now && !self.hangs) else { return };
        self.words.set(TEMPERATURE, self.converted());
        self.done_at = Some(done.max(now).after(CONVERSION));
    }

    /// Sixteenths of a degree in two's complement of thirteen bits, as many of them as the
    /// resolution has; above them the flags of a temperature beyond the limits, which are 0 °C.
    fn converted(&self) -> u16 {
        let step = 8 >> (self.resolution & 0b11);
        let thousandths = self.temperature.thousandths();
        let steps = (thousandths * 32 / step + 1000).div_euclid(2000);
        let sixteenths = (steps * step).clamp(-4096, 4095);
        let bits = i16::try_from(sixteenths).unwrap_or(0).cast_unsigned() & 0x1fff;
        let flags = match sixteenths.signum() {
            1 => 0xc000,
            -1 => 0x2000,
            _ => 0x8000,
        };
        bits | flags
    }
}

impl I2cDevice for Mcp9808 {
    fn write(&mut self, now: Tick, bytes: &[u8]) -> Answer {
        self.settle(now);
        let [pointer, value @ ..] = bytes else { return Answer::Acknowledged };
        self.words.pointer = pointer & 0x0f;
        match (self.words.pointer, value) {
            (RESOLUTION, [value, ..]) => self.resolution = *value & 0b11,
            (CONFIGURATION, [high, low, ..]) => {
                self.configure(now, u16::from_be_bytes([*high, *low]));
            }
            (2..=4, [high, low, ..]) => {
                self.words.set(self.words.pointer, u16::from_be_bytes([*high, *low]) & 0x1ffc);
            }
            _ => {}
        }
        Answer::Acknowledged
    }

    fn read(&mut self, now: Tick, buffer: &mut [u8]) -> Answer {
        self.settle(now);
        if self.words.pointer == RESOLUTION {
            buffer.fill(self.resolution);
            return Answer::Acknowledged;
        }
        self.words.show(buffer);
        Answer::Acknowledged
    }
}

impl Model for Mcp9808 {
    fn expose(&mut self, air: Air) {
        self.temperature = air.temperature;
    }

    fn power_up(&mut self, now: Tick) {
        self.words = Words::new([0x1d, 0, 0, 0, 0, 0, 0x0054, 0x0400]);
        self.resolution = 0b11;
        self.done_at = Some(now.after(CONVERSION));
    }

    fn hang(&mut self) {
        self.hangs = true;
    }

    /// Without the flags.
    fn raw(&self) -> u32 {
        u32::from(self.words.get(TEMPERATURE) & 0x1fff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(chip: &mut Mcp9808, now_ms: u64, register: u8) -> u16 {
        let now = Tick::from_micros(now_ms * 1000);
        chip.write(now, &[register]);
        let mut bytes = [0; 2];
        chip.read(now, &mut bytes);
        u16::from_be_bytes(bytes)
    }

    /// Section 5.1.3.1: −10.125 °C is 0x1f5e; warmer than the limits, or colder, is flagged.
    #[test]
    fn temperatures_are_thirteen_bits_below_flags() {
        let mut chip = Mcp9808::new(Tick::ZERO);
        assert_eq!(register(&mut chip, 249, TEMPERATURE), 0);
        assert_eq!(register(&mut chip, 250, TEMPERATURE), 0xc190);
        chip.expose(Air { temperature: MilliCelsius::new(-10_125), ..Air::default() });
        assert_eq!(register(&mut chip, 500, TEMPERATURE), 0x3f5e);
        chip.write(Tick::from_micros(500_000), &[RESOLUTION, 0]);
        assert_eq!(register(&mut chip, 750, TEMPERATURE), 0x3f60, "halves of a degree");
    }

    #[test]
    fn shut_down_it_shows_what_it_last_converted() {
        let mut chip = Mcp9808::new(Tick::ZERO);
        assert_eq!(register(&mut chip, 250, TEMPERATURE), 0xc190);
        chip.write(Tick::from_micros(250_000), &[CONFIGURATION, 0x01, 0x00]);
        chip.expose(Air { temperature: MilliCelsius::new(0), ..Air::default() });
        assert_eq!(register(&mut chip, 60_000, TEMPERATURE), 0xc190);
        chip.write(Tick::from_micros(60_000_000), &[CONFIGURATION, 0, 0]);
        assert_eq!(register(&mut chip, 60_250, TEMPERATURE), 0x8000);
    }
}
