//! An LM75 down to its registers, or a PCT2075 (datasheets SNOS808 and PCT2075, version 9).

use std::time::Duration;

use crate::sim::air::Air;
use crate::sim::i2c::{Answer, I2cDevice};
use crate::sim::model::Model;
use crate::time::Tick;
use crate::units::MilliCelsius;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nine bits; what is below them means nothing.
    Lm75,
    /// Eleven bits, and zeros.
    Pct2075,
}

const SHUT_DOWN: u8 = 1;
/// Longest from waking up to the first result.
const CONVERSION: Duration = Duration::from_millis(300);
const CYCLE: Duration = Duration::from_millis(100);

/// The chip.
#[derive(Debug)]
pub struct Lm75 {
    kind: Kind,
    pointer: u8,
    configuration: u8,
    limits: [u16; 2],
    shown: u16,
    temperature: MilliCelsius,
    done_at: Option<Tick>,
    hangs: bool,
}

impl Lm75 {
    /// A chip that powers up now.
    pub fn new(kind: Kind, now: Tick) -> Self {
        let mut chip = Self {
            kind,
            pointer: 0,
            configuration: 0,
            limits: [0; 2],
            shown: 0,
            temperature: Air::default().temperature,
            done_at: None,
            hangs: false,
        };
        chip.power_up(now);
        chip
    }

    fn configure(&mut self, now: Tick, value: u8) {
        let value = value & 0x1f;
        let wakes = self.configuration & !value & SHUT_DOWN != 0;
        if value & SHUT_DOWN != 0 {
            self.done_at = None;
        } else if wakes {
            self.done_at = Some(now.after(CONVERSION));
        }
        self.configuration = value;
    }

    fn settle(&mut self, now: Tick) {
        let Some(done) = self.done_at.filter(|done| *done <= now && !self.hangs) else { return };
        self.shown = self.converted();
        self.done_at = Some(done.max(now).after(CYCLE));
    }

    /// Halves of a degree in the upper nine bits, or eighths in the upper eleven.
    fn converted(&self) -> u16 {
        let (steps, shift, noise) = match self.kind {
            Kind::Lm75 => (2, 7, 0x2a),
            Kind::Pct2075 => (8, 5, 0),
        };
        let raw = (self.temperature.thousandths() * steps * 2 + 1000).div_euclid(2000) << shift;
        let most = i32::from(i16::MAX);
        i16::try_from(raw.clamp(-most - 1, most)).unwrap_or(0).cast_unsigned() | noise
    }

    fn register(&self) -> [u8; 2] {
        let [hysteresis, limit] = self.limits;
        match self.pointer {
            0 => self.shown.to_be_bytes(),
            1 => [self.configuration; 2],
            2 => hysteresis.to_be_bytes(),
            3 => limit.to_be_bytes(),
            _ => [0xff; 2],
        }
    }
}

impl I2cDevice for Lm75 {
    fn write(&mut self, now: Tick, bytes: &[u8]) -> Answer {
        self.settle(now);
        let [pointer, value @ ..] = bytes else { return Answer::Acknowledged };
        self.pointer = pointer & 0b111;
        let [hysteresis, limit] = &mut self.limits;
        match (self.pointer, value) {
            (1, [value, ..]) => self.configure(now, *value),
            (2, [high, low, ..]) => *hysteresis = u16::from_be_bytes([*high, low & 0x80]),
            (3, [high, low, ..]) => *limit = u16::from_be_bytes([*high, low & 0x80]),
            _ => {}
        }
        Answer::Acknowledged
    }

    fn read(&mut self, now: Tick, buffer: &mut [u8]) -> Answer {
        self.settle(now);
        let bytes = self.register().into_iter().cycle();
        buffer.iter_mut().zip(bytes).for_each(|(byte, value)| *byte = value);
        Answer::Acknowledged
    }
}

impl Model for Lm75 {
    fn expose(&mut self, air: Air) {
        self.temperature = air.temperature;
    }

    fn power_up(&mut self, now: Tick) {
        (self.pointer, self.configuration, self.shown) = (0, 0, 0);
        self.limits = [0x4b00, 0x5000];
        self.done_at = Some(now.after(CONVERSION));
    }

    fn hang(&mut self) {
        self.hangs = true;
    }

    /// Without what means nothing.
    fn raw(&self) -> u32 {
        match self.kind {
            Kind::Lm75 => u32::from(self.shown & 0xff80),
            Kind::Pct2075 => self.shown.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(chip: &mut Lm75, now_ms: u64, register: u8) -> u16 {
        let now = Tick::from_micros(now_ms * 1000);
        chip.write(now, &[register]);
        let mut bytes = [0; 2];
        chip.read(now, &mut bytes);
        u16::from_be_bytes(bytes)
    }

    #[test]
    fn it_shows_zero_until_the_end_of_its_first_conversion() {
        let mut chip = Lm75::new(Kind::Pct2075, Tick::ZERO);
        assert_eq!(register(&mut chip, 299, 0), 0);
        assert_eq!(register(&mut chip, 300, 0), 0x1900);
        chip.expose(Air { temperature: MilliCelsius::new(-25_125), ..Air::default() });
        assert_eq!(register(&mut chip, 400, 0), 0xe6e0);
        assert_eq!(register(&mut chip, 400, 3), 0x5000);
    }

    #[test]
    fn shut_down_it_shows_what_it_last_converted() {
        let mut chip = Lm75::new(Kind::Lm75, Tick::ZERO);
        assert_eq!(register(&mut chip, 300, 0), 0x192a);
        chip.write(Tick::from_micros(300_000), &[1, SHUT_DOWN]);
        chip.expose(Air { temperature: MilliCelsius::new(0), ..Air::default() });
        assert_eq!(register(&mut chip, 60_000, 0), 0x192a);
        chip.write(Tick::from_micros(60_000_000), &[1, 0]);
        assert_eq!(register(&mut chip, 60_300, 0), 0x002a);
    }
}
