//! A TMP102 down to its registers (datasheet SBOS397).

use std::time::Duration;

use crate::sim::air::Air;
use crate::sim::i2c::{Answer, I2cDevice};
use crate::sim::model::Model;
use crate::sim::words::Words;
use crate::time::Tick;
use crate::units::MilliCelsius;

const TEMPERATURE: u8 = 0;
const CONFIGURATION: u8 = 1;
/// As delivered; the two bits that are always one, and those that are always zero, cannot be
/// written.
const AS_DELIVERED: u16 = 0x60a0;
const WRITABLE: u16 = 0x9fd0;
const ONE_SHOT: u16 = 1 << 15;
const SHUT_DOWN: u16 = 1 << 8;
const EXTENDED: u16 = 1 << 4;
const CONVERSION: Duration = Duration::from_millis(35);

/// The chip.
#[derive(Debug)]
pub struct Tmp102 {
    /// Two bits: registers beyond the fourth are the first four again.
    words: Words<4>,
    temperature: MilliCelsius,
    done_at: Option<Tick>,
    hangs: bool,
}

impl Tmp102 {
    /// A chip that powers up now.
    pub fn new(now: Tick) -> Self {
        let mut chip = Self {
            words: Words::new([0; 4]),
            temperature: Air::default().temperature,
            done_at: None,
            hangs: false,
        };
        chip.power_up(now);
        chip
    }

    fn configure(&mut self, now: Tick, value: u16) {
        let was_down = self.words.get(CONFIGURATION) & SHUT_DOWN != 0;
        let fixed = self.words.get(CONFIGURATION) & !WRITABLE;
        let mut value = fixed | value & WRITABLE;
        if value & SHUT_DOWN == 0 {
            self.done_at = Some(now.after(CONVERSION));
        } else if value & ONE_SHOT != 0 && was_down {
            value &= !ONE_SHOT;
            self.done_at = Some(now.after(CONVERSION));
        }
        self.words.set(CONFIGURATION, value);
    }

    fn settle(&mut self, now: Tick) {
        let Some(done) = self.done_at.filter(|done| *done <= now && !self.hangs) else { return };
        self.words.set(TEMPERATURE, self.converted());
        if self.words.get(CONFIGURATION) & SHUT_DOWN == 0 {
            self.done_at = Some(done.max(now).after(Duration::from_millis(250)));
        } else {
            self.words.set(CONFIGURATION, self.words.get(CONFIGURATION) | ONE_SHOT);
            self.done_at = None;
        }
    }

    /// Sixteenths of a degree, the nearest, in the upper twelve bits, or thirteen.
    fn converted(&self) -> u16 {
        let extended = self.words.get(CONFIGURATION) & EXTENDED != 0;
        let (most, shift) = if extended { (4095, 3) } else { (2047, 4) };
        let sixteenths = (self.temperature.thousandths() * 16 + 500).div_euclid(1000);
        let register = sixteenths.clamp(-most - 1, most) << shift;
        i16::try_from(register).unwrap_or(0).cast_unsigned() | u16::from(extended)
    }
}

impl I2cDevice for Tmp102 {
    /// Each byte of a register counts as it comes.
    fn write(&mut self, now: Tick, bytes: &[u8]) -> Answer {
        self.settle(now);
        if let [pointer, value @ ..] = bytes {
            self.words.pointer = pointer & 0b11;
            let [_, kept] = self.words.get(self.words.pointer).to_be_bytes();
            let value = match *value {
                [] => return Answer::Acknowledged,
                [high] => u16::from_be_bytes([high, kept]),
                [high, low, ..] => u16::from_be_bytes([high, low]),
            };
            match self.words.pointer {
                TEMPERATURE => {}
                CONFIGURATION => self.configure(now, value),
                limit => self.words.set(limit, value),
            }
        }
        Answer::Acknowledged
    }

    fn read(&mut self, now: Tick, buffer: &mut [u8]) -> Answer {
        self.settle(now);
        self.words.show(buffer);
        Answer::Acknowledged
    }
}

impl Model for Tmp102 {
    fn expose(&mut self, air: Air) {
        self.temperature = air.temperature;
    }

    fn power_up(&mut self, now: Tick) {
        self.words = Words::new([0, AS_DELIVERED, 0x4b00, 0x5000]);
        self.done_at = Some(now.after(CONVERSION));
    }

    fn hang(&mut self) {
        self.hangs = true;
    }

    fn raw(&self) -> u32 {
        self.words.get(TEMPERATURE).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(chip: &mut Tmp102, now_ms: u64, register: u8) -> u16 {
        let now = Tick::from_micros(now_ms * 1000);
        chip.write(now, &[register]);
        let mut bytes = [0; 2];
        chip.read(now, &mut bytes);
        u16::from_be_bytes(bytes)
    }

    #[test]
    fn it_shows_zero_until_the_end_of_its_first_conversion() {
        let mut chip = Tmp102::new(Tick::ZERO);
        assert_eq!(register(&mut chip, 34, TEMPERATURE), 0);
        assert_eq!(register(&mut chip, 35, TEMPERATURE), 0x1900);
        assert_eq!(register(&mut chip, 35, CONFIGURATION), AS_DELIVERED);
    }

    #[test]
    fn a_one_shot_is_seen_to_run_and_to_end() {
        let mut chip = Tmp102::new(Tick::ZERO);
        chip.write(Tick::ZERO, &[CONFIGURATION, 0x61, 0x80]);
        chip.expose(Air { temperature: MilliCelsius::new(-25_000), ..Air::default() });
        chip.write(Tick::from_micros(60_000), &[CONFIGURATION, 0xe1, 0x80]);
        assert_eq!(register(&mut chip, 61, CONFIGURATION) & ONE_SHOT, 0);
        assert_eq!(register(&mut chip, 95, CONFIGURATION) & ONE_SHOT, ONE_SHOT);
        assert_eq!(register(&mut chip, 95, TEMPERATURE), 0xe700);
        chip.expose(Air::default());
        assert_eq!(register(&mut chip, 60_000, TEMPERATURE), 0xe700, "it sleeps");
    }

    #[test]
    fn sixteen_registers_are_four() {
        let mut chip = Tmp102::new(Tick::ZERO);
        assert_eq!(register(&mut chip, 35, 0x0f), 0x5000);
        assert_eq!(register(&mut chip, 35, 0x04), 0x1900);
    }
}
