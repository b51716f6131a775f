//! An HTU21D down to its commands (datasheet, version 3); SHT2x and Si702x speak the same.

use std::time::Duration;

use crate::sim::air::Air;
use crate::sim::i2c::{Answer, I2cDevice};
use crate::sim::model::Model;
use crate::sim::sensirion::fill_from;
use crate::time::Tick;

/// Fourteen and twelve bits, no heater, OTP reload disabled.
const USER_REGISTER: u8 = 0x02;
const START_UP: Duration = Duration::from_millis(15);
const TEMPERATURE: Duration = Duration::from_millis(50);
const HUMIDITY: Duration = Duration::from_millis(16);

/// What the next read gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    Nothing,
    UserRegister,
    Word(Tick, u16),
}

/// The chip.
#[derive(Debug)]
pub struct Htu21d {
    output: Output,
    user_register: u8,
    asleep_until: Tick,
    air: Air,
    hangs: bool,
}

impl Htu21d {
    /// A chip that powers up now.
    pub fn new(now: Tick) -> Self {
        Self {
            output: Output::Nothing,
            user_register: USER_REGISTER,
            asleep_until: now.after(START_UP),
            air: Air::default(),
            hangs: false,
        }
    }

    /// T = −46.85 + 175.72 · raw / 2¹⁶ in fourteen bits; the lowest two say what it is.
    fn temperature(&self) -> u16 {
        scaled(self.air.temperature.thousandths() + 46_850, 175_720, 4)
    }

    /// RH = −6 + 125 · raw / 2¹⁶ in twelve bits.
    fn humidity(&self) -> u16 {
        scaled(self.air.humidity.thousandths() + 6000, 125_000, 16) | 0b10
    }

    fn measure(&mut self, now: Tick, time: Duration, word: u16) {
        let time = if self.hangs { Duration::from_secs(3600) } else { time };
        self.output = Output::Word(now.after(time), word);
    }
}

/// The nearest multiple of `step` to `thousandths` / `whole` · 2¹⁶.
fn scaled(thousandths: i32, whole: i64, step: i64) -> u16 {
    let steps = 65_536 / step;
    let raw = (i64::from(thousandths) * steps * 2 + whole).div_euclid(whole * 2);
    u16::try_from(raw.clamp(0, steps - 1) * step).unwrap_or(u16::MAX)
}

impl I2cDevice for Htu21d {
    fn write(&mut self, now: Tick, bytes: &[u8]) -> Answer {
        if now < self.asleep_until {
            return Answer::NotAcknowledged;
        }
        match bytes {
            [0xfe] => self.power_up(now),
            [0xe7] => self.output = Output::UserRegister,
            [0xe6, value] => self.user_register = *value,
            [0xf3] => self.measure(now, TEMPERATURE, self.temperature()),
            [0xf5] => self.measure(now, HUMIDITY, self.humidity()),
            _ => self.output = Output::Nothing,
        }
        Answer::Acknowledged
    }

    /// Not acknowledged while it measures, and without a question.
    fn read(&mut self, now: Tick, buffer: &mut [u8]) -> Answer {
        match self.output {
            _ if now < self.asleep_until => return Answer::NotAcknowledged,
            Output::Nothing => return Answer::NotAcknowledged,
            Output::Word(done, _) if now < done => return Answer::NotAcknowledged,
            Output::Word(_, word) => fill_from(0x00, buffer, &[word]),
            Output::UserRegister => buffer.fill(self.user_register),
        }
        self.output = Output::Nothing;
        Answer::Acknowledged
    }
}

impl Model for Htu21d {
    fn expose(&mut self, air: Air) {
        self.air = air;
    }

    fn power_up(&mut self, now: Tick) {
        self.output = Output::Nothing;
        self.user_register = USER_REGISTER;
        self.asleep_until = now.after(START_UP);
    }

    fn hang(&mut self) {
        self.hangs = true;
    }

    fn raw(&self) -> u32 {
        self.temperature().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{MilliCelsius, MilliPercent};

    /// The examples of the datasheet, page 14, but for the lowest two bits: 24.7 °C and 32.4 %.
    #[test]
    fn the_datasheets_example_is_met() {
        let mut chip = Htu21d::new(Tick::ZERO);
        let temperature = MilliCelsius::new(24_687);
        chip.expose(Air { temperature, humidity: MilliPercent::new(32_360), ..Air::default() });
        assert_eq!(chip.temperature(), 0x6838);
        assert_eq!(chip.humidity(), 0x4e92);
    }

    #[test]
    fn a_measurement_takes_its_time_and_is_read_once() {
        let mut chip = Htu21d::new(Tick::ZERO);
        let (begun, mut bytes) = (Tick::from_micros(15_000), [0; 3]);
        chip.write(begun, &[0xf3]);
        assert_eq!(chip.read(Tick::from_micros(64_999), &mut bytes), Answer::NotAcknowledged);
        assert_eq!(chip.read(Tick::from_micros(65_000), &mut bytes), Answer::Acknowledged);
        assert_eq!(chip.read(Tick::from_micros(65_000), &mut bytes), Answer::NotAcknowledged);
    }
}
