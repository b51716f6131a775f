//! A TMP117 down to its registers (datasheet SNOSD82D).

use std::time::Duration;

use crate::sim::air::Air;
use crate::sim::i2c::{Answer, I2cDevice};
use crate::sim::model::Model;
use crate::sim::words::Words;
use crate::time::Tick;
use crate::units::MilliCelsius;

const TEMPERATURE: u8 = 0x00;
const CONFIGURATION: u8 = 0x01;
const OFFSET: u8 = 0x07;
const DEVICE_ID: u8 = 0x0f;

/// Continuous, once a second, 8 averages.
const AS_DELIVERED: u16 = 0x0220;
const DATA_READY: u16 = 1 << 13;
const SOFT_RESET: u16 = 1 << 1;
/// Bits of the configuration that a write changes.
const WRITABLE: u16 = 0x0ffc;

/// MOD, bits 11 and 10 of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Continuous,
    Shutdown,
    OneShot,
}

/// The chip.
#[derive(Debug)]
pub struct Tmp117 {
    /// Limits, EEPROM, offset: kept, without effect but for the offset.
    words: Words<16>,
    temperature: MilliCelsius,
    done_at: Option<Tick>,
    hangs: bool,
}

impl Tmp117 {
    /// A chip at 25 °C that powers up now.
    pub fn new(now: Tick) -> Self {
        let mut chip = Self {
            words: Words::new([0; 16]),
            temperature: MilliCelsius::new(25_000),
            done_at: None,
            hangs: false,
        };
        chip.power_up(now);
        chip
    }

    /// Gives it the device id of another chip.
    #[must_use]
    pub fn with_device_id(mut self, id: u16) -> Self {
        self.words.set(DEVICE_ID, id);
        self
    }

    /// Sets the offset register, in steps of 7.8125 m°C.
    #[must_use]
    pub fn with_offset(mut self, steps: i16) -> Self {
        self.words.set(OFFSET, steps.cast_unsigned());
        self
    }

    fn mode(&self) -> Mode {
        match self.words.get(CONFIGURATION) >> 10 & 0b11 {
            0b01 => Mode::Shutdown,
            0b11 => Mode::OneShot,
            _ => Mode::Continuous,
        }
    }

    /// One conversion takes 15.5 ms, AVG says how many (section 7.6, table 7-7).
    fn conversion_time(&self) -> Duration {
        Duration::from_micros(match self.words.get(CONFIGURATION) >> 5 & 0b11 {
            0b00 => 15_500,
            0b01 => 124_000,
            0b10 => 496_000,
            _ => 992_000,
        })
    }

    /// From one result to the next, by CONV; never shorter than the conversion.
    fn cycle_time(&self) -> Duration {
        let standby = Duration::from_millis(match self.words.get(CONFIGURATION) >> 7 & 0b111 {
            0b000 => 0,
            0b001 => 125,
            0b010 => 250,
            0b011 => 500,
            0b100 => 1000,
            0b101 => 4000,
            0b110 => 8000,
            _ => 16_000,
        });
        standby.max(self.conversion_time())
    }

    fn configure(&mut self, now: Tick, value: u16) {
        if value & SOFT_RESET != 0 {
            return self.power_up(now);
        }
        let flags = self.words.get(CONFIGURATION) & !WRITABLE;
        self.words.set(CONFIGURATION, flags | value & WRITABLE);
        self.done_at = match self.mode() {
            Mode::Shutdown => None,
            Mode::Continuous | Mode::OneShot => Some(now.after(self.conversion_time())),
        };
    }

    fn settle(&mut self, now: Tick) {
        let Some(done_at) = self.done_at.filter(|done| *done <= now && !self.hangs) else { return };
        self.words.set(TEMPERATURE, self.converted());
        let configuration = self.words.get(CONFIGURATION) | DATA_READY;
        match self.mode() {
            Mode::Continuous => {
                self.words.set(CONFIGURATION, configuration);
                self.done_at = Some(done_at.max(now).after(self.cycle_time()));
            }
            // A one-shot conversion ends in shutdown (section 7.4.3).
            Mode::OneShot | Mode::Shutdown => {
                self.words.set(CONFIGURATION, configuration & !0x0c00 | 0x0400);
                self.done_at = None;
            }
        }
    }

    /// The nearest step, plus the offset register, clamped to the register.
    fn converted(&self) -> u16 {
        let steps = self.temperature.thousandths().saturating_mul(256).saturating_add(1000);
        let steps = steps.div_euclid(2000) + i32::from(self.words.get(OFFSET).cast_signed());
        let bound = i32::from(i16::MAX);
        i16::try_from(steps.clamp(-bound - 1, bound)).unwrap_or(i16::MAX).cast_unsigned()
    }
}

impl I2cDevice for Tmp117 {
    fn write(&mut self, now: Tick, bytes: &[u8]) -> Answer {
        self.settle(now);
        match bytes {
            [] => {}
            [pointer] | [pointer, _] => self.words.pointer = *pointer,
            [pointer, high, low, ..] => {
                self.words.pointer = *pointer;
                let value = u16::from_be_bytes([*high, *low]);
                match *pointer {
                    CONFIGURATION => self.configure(now, value),
                    TEMPERATURE | DEVICE_ID => {}
                    register => self.words.set(register, value),
                }
            }
        }
        Answer::Acknowledged
    }

    /// Reading the configuration or the temperature clears the flag.
    fn read(&mut self, now: Tick, buffer: &mut [u8]) -> Answer {
        self.settle(now);
        self.words.show(buffer);
        if matches!(self.words.pointer, TEMPERATURE | CONFIGURATION) {
            self.words.set(CONFIGURATION, self.words.get(CONFIGURATION) & !DATA_READY);
        }
        Answer::Acknowledged
    }
}

impl Model for Tmp117 {
    fn expose(&mut self, air: Air) {
        self.temperature = air.temperature;
    }

    fn power_up(&mut self, now: Tick) {
        let (offset, id) = (self.words.get(OFFSET), self.words.get(DEVICE_ID));
        self.words = Words::new([0; 16]);
        self.words.set(TEMPERATURE, 0x8000);
        self.words.set(CONFIGURATION, AS_DELIVERED);
        self.words.set(0x02, 0x6000);
        self.words.set(0x03, 0x8000);
        self.words.set(OFFSET, offset);
        self.words.set(DEVICE_ID, if id == 0 { 0x0117 } else { id });
        self.done_at = Some(now.after(self.conversion_time()));
    }

    fn hang(&mut self) {
        self.hangs = true;
    }

    fn raw(&self) -> u32 {
        self.converted().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(chip: &mut Tmp117, now_ms: u64, register: u8) -> u16 {
        let now = Tick::from_micros(now_ms * 1000);
        chip.write(now, &[register]);
        let mut bytes = [0; 2];
        chip.read(now, &mut bytes);
        u16::from_be_bytes(bytes)
    }

    #[test]
    fn it_powers_up_converting_and_shows_minus_256_until_it_is_done() {
        let mut chip = Tmp117::new(Tick::ZERO);
        assert_eq!(register(&mut chip, 0, CONFIGURATION), 0x0220);
        assert_eq!(register(&mut chip, 123, TEMPERATURE), 0x8000);
        assert_eq!(register(&mut chip, 124, CONFIGURATION), 0x2220);
        assert_eq!(register(&mut chip, 124, CONFIGURATION), 0x0220, "the flag is read once");
        assert_eq!(register(&mut chip, 124, TEMPERATURE), 0x0c80);
    }

    #[test]
    fn a_one_shot_takes_its_time_and_ends_in_shutdown() {
        let mut chip = Tmp117::new(Tick::ZERO);
        chip.expose(Air { temperature: MilliCelsius::new(-25_000), ..Air::default() });
        chip.write(Tick::ZERO, &[CONFIGURATION, 0x0c, 0x20]);
        assert_eq!(register(&mut chip, 100, CONFIGURATION), 0x0c20);
        assert_eq!(register(&mut chip, 124, CONFIGURATION), 0x2420);
        assert_eq!(register(&mut chip, 124, TEMPERATURE), 0xf380);
        chip.expose(Air { temperature: MilliCelsius::new(0), ..Air::default() });
        assert_eq!(register(&mut chip, 60_000, TEMPERATURE), 0xf380, "it sleeps");
    }

    #[test]
    fn the_pointer_outlives_a_read_and_a_reset_does_not_spare_it() {
        let mut chip = Tmp117::new(Tick::ZERO);
        assert_eq!(register(&mut chip, 0, DEVICE_ID), 0x0117);
        let mut bytes = [0; 2];
        chip.read(Tick::ZERO, &mut bytes);
        assert_eq!(bytes, [0x01, 0x17]);
        chip.write(Tick::ZERO, &[CONFIGURATION, 0, 0x02]);
        chip.read(Tick::ZERO, &mut bytes);
        assert_eq!(bytes, [0x80, 0x00]);
    }
}
