//! An SHTC3 down to its commands (datasheet SHTC3, version 4, section 5).

use std::time::Duration;

use crate::sim::air::Air;
use crate::sim::i2c::{Answer, I2cDevice};
use crate::sim::model::Model;
use crate::sim::sensirion::fill;
use crate::time::Tick;

/// The bits that are always so are 0x0807 in 0x083f.
const ID: u16 = 0xc887;
/// Longest power-up, wake-up and reset (table 5).
const START_UP: Duration = Duration::from_micros(240);

/// What the next read gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    Nothing,
    Id,
    /// Held until then; read sooner, it is not acknowledged.
    Words(Tick, [u16; 2]),
    /// Held until then; read sooner, the clock is held.
    Stretched(Tick, [u16; 2]),
}

/// The chip.
#[derive(Debug)]
pub struct Shtc3 {
    output: Output,
    starting_until: Tick,
    is_awake: bool,
    air: Air,
    hangs: bool,
}

impl Shtc3 {
    /// A chip that powers up now, and is awake.
    pub fn new(now: Tick) -> Self {
        Self {
            output: Output::Nothing,
            starting_until: now.after(START_UP),
            is_awake: true,
            air: Air::default(),
            hangs: false,
        }
    }

    fn command(&mut self, now: Tick, command: u16) {
        let done = |microseconds| now.after(Duration::from_micros(microseconds));
        let (normal, quick) = if self.hangs { (1 << 40, 1 << 40) } else { (12_100, 800) };
        let [t, rh] = self.measured();
        self.output = match command {
            0x7866 => Output::Words(done(normal), [t, rh]),
            0x58e0 => Output::Words(done(normal), [rh, t]),
            0x609c => Output::Words(done(quick), [t, rh]),
            0x401a => Output::Words(done(quick), [rh, t]),
            0x7ca2 => Output::Stretched(done(normal), [t, rh]),
            0x5c24 => Output::Stretched(done(normal), [rh, t]),
            0x6458 => Output::Stretched(done(quick), [t, rh]),
            0x44de => Output::Stretched(done(quick), [rh, t]),
            0xefc8 => Output::Id,
            _ => Output::Nothing,
        };
        match command {
            0xb098 => self.is_awake = false,
            0x805d => self.power_up(now),
            _ => {}
        }
    }

    /// T = −45 + 175 · raw / 65536, RH = 100 · raw / 65536 (section 5.11).
    fn measured(&self) -> [u16; 2] {
        let scaled = |thousandths: i32, whole: i64| {
            let raw = (i64::from(thousandths) * 65_536 * 2 + whole).div_euclid(whole * 2);
            u16::try_from(raw.clamp(0, 65_535)).unwrap_or(u16::MAX)
        };
        [
            scaled(self.air.temperature.thousandths() + 45_000, 175_000),
            scaled(self.air.humidity.thousandths(), 100_000),
        ]
    }
}

impl I2cDevice for Shtc3 {
    /// Asleep it hears but the word that wakes it.
    fn write(&mut self, now: Tick, bytes: &[u8]) -> Answer {
        let [high, low, ..] = *bytes else { return Answer::NotAcknowledged };
        let command = u16::from_be_bytes([high, low]);
        match (now < self.starting_until, self.is_awake, command) {
            (true, _, _) => return Answer::NotAcknowledged,
            (_, false, 0x3517) => {
                self.is_awake = true;
                self.starting_until = now.after(START_UP);
            }
            (_, false, _) => return Answer::NotAcknowledged,
            (_, true, command) => self.command(now, command),
        }
        Answer::Acknowledged
    }

    fn read(&mut self, now: Tick, buffer: &mut [u8]) -> Answer {
        if now < self.starting_until || !self.is_awake {
            return Answer::NotAcknowledged;
        }
        match self.output {
            Output::Words(done, _) if now < done => return Answer::NotAcknowledged,
            Output::Nothing => return Answer::NotAcknowledged,
            Output::Id => fill(buffer, &[ID]),
            Output::Words(_, words) | Output::Stretched(_, words) => fill(buffer, &words),
        }
        let output = std::mem::replace(&mut self.output, Output::Nothing);
        match output {
            Output::Stretched(done, _) => Answer::Stretched(done.since(now)),
            Output::Nothing | Output::Id | Output::Words(..) => Answer::Acknowledged,
        }
    }
}

impl Model for Shtc3 {
    fn expose(&mut self, air: Air) {
        self.air = air;
    }

    fn power_up(&mut self, now: Tick) {
        self.output = Output::Nothing;
        self.is_awake = true;
        self.starting_until = now.after(START_UP);
    }

    fn hang(&mut self) {
        self.hangs = true;
    }

    fn raw(&self) -> u32 {
        let [temperature, _] = self.measured();
        temperature.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asleep_it_hears_only_the_word_that_wakes_it() {
        let mut chip = Shtc3::new(Tick::ZERO);
        let at = |ms: u64| Tick::from_micros(ms * 1000);
        assert_eq!(chip.write(at(1), &[0xb0, 0x98]), Answer::Acknowledged);
        assert_eq!(chip.write(at(2), &[0xef, 0xc8]), Answer::NotAcknowledged);
        assert_eq!(chip.write(at(2), &[0x35, 0x17]), Answer::Acknowledged);
        let mut bytes = [0; 3];
        chip.write(at(3), &[0xef, 0xc8]);
        assert_eq!(chip.read(at(3), &mut bytes), Answer::Acknowledged);
        assert_eq!(u16::from_be_bytes([bytes[0], bytes[1]]) & 0x083f, 0x0807);
    }

    #[test]
    fn a_measurement_is_not_acknowledged_before_its_end() {
        let mut chip = Shtc3::new(Tick::ZERO);
        let (begun, mut bytes) = (Tick::from_micros(1000), [0; 6]);
        chip.write(begun, &[0x78, 0x66]);
        assert_eq!(chip.read(Tick::from_micros(13_099), &mut bytes), Answer::NotAcknowledged);
        assert_eq!(chip.read(Tick::from_micros(13_100), &mut bytes), Answer::Acknowledged);
        assert_eq!(bytes[..2], 0x6666_u16.to_be_bytes());
        assert_eq!(chip.read(Tick::from_micros(13_100), &mut bytes), Answer::NotAcknowledged);
    }
}
