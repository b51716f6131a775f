//! An AHT20, or an AHT10, down to its commands (datasheets AHT20, version 1.1, and AHT10, version
//! 1.1, section 5).

use std::time::Duration;

use crate::sim::air::Air;
use crate::sim::i2c::{Answer, I2cDevice};
use crate::sim::model::Model;
use crate::sim::sensirion::crc8;
use crate::time::Tick;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Without a checksum; not calibrated before it is told to be.
    Aht10,
    /// With a checksum behind the answer.
    Aht20,
}

const BUSY: u8 = 1 << 7;
const CALIBRATED: u8 = 1 << 3;
/// Longest reset; the first milliseconds after power-up are as deaf.
const START_UP: Duration = Duration::from_millis(20);
const MEASUREMENT: Duration = Duration::from_millis(80);

/// The chip.
#[derive(Debug)]
pub struct Aht20 {
    kind: Kind,
    calibrated: u8,
    /// Twenty bits of humidity and twenty of temperature.
    data: [u32; 2],
    air: Air,
    asleep_until: Tick,
    done_at: Option<Tick>,
    hangs: bool,
}

impl Aht20 {
    /// A chip that powers up now.
    pub fn new(kind: Kind, now: Tick) -> Self {
        let mut chip = Self {
            kind,
            calibrated: 0,
            data: [0; 2],
            air: Air::default(),
            asleep_until: now,
            done_at: None,
            hangs: false,
        };
        chip.power_up(now);
        chip
    }

    fn settle(&mut self, now: Tick) {
        if self.done_at.is_some_and(|done| done <= now) && !self.hangs {
            self.data = self.converted();
            self.done_at = None;
        }
    }

    /// RH = 100 · raw / 2²⁰, T = 200 · raw / 2²⁰ − 50 (section 6).
    fn converted(&self) -> [u32; 2] {
        let scaled = |thousandths: i32, whole: i64| {
            let raw = (i64::from(thousandths) * 1_048_576 * 2 + whole).div_euclid(whole * 2);
            u32::try_from(raw.clamp(0, 0xf_ffff)).unwrap_or(0)
        };
        [
            scaled(self.air.humidity.thousandths(), 100_000),
            scaled(self.air.temperature.thousandths() + 50_000, 200_000),
        ]
    }

    fn answer(&self) -> [u8; 7] {
        let busy = if self.done_at.is_some() { BUSY } else { 0 };
        let [damp, warm] = self.data;
        let [_, h1, h2, h3] = (damp << 4).to_be_bytes();
        let [_, t1, t2, t3] = warm.to_be_bytes();
        let status = busy | 0x10 | self.calibrated;
        let shared = h3 | t1;
        let last = match self.kind {
            Kind::Aht10 => 0xff,
            Kind::Aht20 => crc8(0xff, &[status, h1, h2, shared, t2, t3]),
        };
        [status, h1, h2, shared, t2, t3, last]
    }
}

impl I2cDevice for Aht20 {
    fn write(&mut self, now: Tick, bytes: &[u8]) -> Answer {
        if now < self.asleep_until {
            return Answer::NotAcknowledged;
        }
        self.settle(now);
        match (bytes, self.kind) {
            ([0xba], _) => self.power_up(now),
            ([0xe1, 0x08, 0x00], Kind::Aht10) | ([0xbe, 0x08, 0x00], Kind::Aht20) => {
                self.calibrated = CALIBRATED;
            }
            ([0xac, 0x33, 0x00], _) => self.done_at = Some(now.after(MEASUREMENT)),
            _ => {}
        }
        Answer::Acknowledged
    }

    /// Always from the status on.
    fn read(&mut self, now: Tick, buffer: &mut [u8]) -> Answer {
        if now < self.asleep_until {
            return Answer::NotAcknowledged;
        }
        self.settle(now);
        let bytes = self.answer().into_iter().chain(std::iter::repeat(0xff));
        buffer.iter_mut().zip(bytes).for_each(|(target, byte)| *target = byte);
        Answer::Acknowledged
    }
}

impl Model for Aht20 {
    fn expose(&mut self, air: Air) {
        self.air = air;
    }

    fn power_up(&mut self, now: Tick) {
        self.calibrated = match self.kind {
            Kind::Aht10 => 0,
            Kind::Aht20 => CALIBRATED,
        };
        self.data = [0; 2];
        self.done_at = None;
        self.asleep_until = now.after(START_UP);
    }

    fn hang(&mut self) {
        self.hangs = true;
    }

    fn raw(&self) -> u32 {
        let [_, warm] = self.data;
        warm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(chip: &mut Aht20, ms: u64) -> [u8; 7] {
        let mut bytes = [0; 7];
        chip.read(Tick::from_micros(ms * 1000), &mut bytes);
        bytes
    }

    #[test]
    fn it_is_busy_while_it_measures_and_keeps_what_it_measured() {
        let mut chip = Aht20::new(Kind::Aht20, Tick::ZERO);
        assert_eq!(chip.write(Tick::ZERO, &[0xac, 0x33, 0x00]), Answer::NotAcknowledged);
        chip.write(Tick::from_micros(20_000), &[0xac, 0x33, 0x00]);
        assert_eq!(answer(&mut chip, 99)[..2], [0x98, 0]);
        let done = answer(&mut chip, 100);
        assert_eq!(done[..6], [0x18, 0x80, 0x00, 0x06, 0x00, 0x00]);
        assert_eq!(answer(&mut chip, 60_000), done);
    }

    #[test]
    fn an_aht10_wants_to_be_calibrated_and_has_no_checksum() {
        let mut chip = Aht20::new(Kind::Aht10, Tick::ZERO);
        assert_eq!(answer(&mut chip, 20)[0], 0x10);
        chip.write(Tick::from_micros(20_000), &[0xe1, 0x08, 0x00]);
        assert_eq!(answer(&mut chip, 20), [0x18, 0, 0, 0, 0, 0, 0xff]);
    }
}
