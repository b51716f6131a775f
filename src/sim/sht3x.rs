//! An SHT3x down to its commands (datasheet SHT3x-DIS, version 5, section 4).

use std::time::Duration;

use crate::sim::air::Air;
use crate::sim::i2c::{Answer, I2cDevice};
use crate::sim::model::Model;
use crate::sim::sensirion::{fill, nearest};
use crate::time::Tick;
use crate::units::{MilliCelsius, MilliPercent};

/// Alert pending and reset detected: the status after power-up and reset.
const STATUS_AFTER_RESET: u16 = 0x8010;
const COMMAND_REFUSED: u16 = 1 << 1;
const HEATER_ON: u16 = 1 << 13;
/// Longest soft reset.
const RESET_TIME: Duration = Duration::from_micros(1500);

/// What a chip does with the clock when it is read before its measurement is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stretching {
    /// Holds it.
    Enabled,
    /// Lets it go, and does not acknowledge.
    Disabled,
}

/// What the next read gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    Nothing,
    Status,
    Measurement { done: Tick, stretching: Stretching },
}

/// The chip.
#[derive(Debug)]
pub struct Sht3x {
    status: u16,
    output: Output,
    asleep_until: Tick,
    temperature: u16,
    humidity: u16,
    hangs: bool,
}

impl Sht3x {
    /// A chip at 25 °C and 50 % that powers up now.
    pub fn new(now: Tick) -> Self {
        let mut chip = Self {
            status: 0,
            output: Output::Nothing,
            asleep_until: now,
            temperature: raw(MilliCelsius::new(25_000)),
            humidity: 0x8000,
            hangs: false,
        };
        chip.power_up(now);
        chip
    }

    fn command(&mut self, now: Tick, command: [u8; 2]) -> Answer {
        self.status &= !COMMAND_REFUSED;
        self.output = Output::Nothing;
        match command {
            [0x2c, 0x06] => self.measure(now, 15_500, Stretching::Enabled),
            [0x2c, 0x0d] => self.measure(now, 6_500, Stretching::Enabled),
            [0x2c, 0x10] => self.measure(now, 4_500, Stretching::Enabled),
            [0x24, 0x00] => self.measure(now, 15_500, Stretching::Disabled),
            [0x24, 0x0b] => self.measure(now, 6_500, Stretching::Disabled),
            [0x24, 0x16] => self.measure(now, 4_500, Stretching::Disabled),
            [0xf3, 0x2d] => self.output = Output::Status,
            [0x30, 0x41] => self.status &= !0x8c10,
            [0x30, 0x6d] => self.status |= HEATER_ON,
            [0x30, 0x66] => self.status &= !HEATER_ON,
            [0x30, 0xa2] => self.power_up(now),
            _ => self.status |= COMMAND_REFUSED,
        }
        Answer::Acknowledged
    }

    fn measure(&mut self, now: Tick, microseconds: u64, stretching: Stretching) {
        let microseconds = if self.hangs { 500_000 } else { microseconds };
        let done = now.after(Duration::from_micros(microseconds));
        self.output = Output::Measurement { done, stretching };
    }
}

impl I2cDevice for Sht3x {
    fn write(&mut self, now: Tick, bytes: &[u8]) -> Answer {
        match *bytes {
            _ if now < self.asleep_until => Answer::NotAcknowledged,
            [high, low, ..] => self.command(now, [high, low]),
            [] | [_] => Answer::Acknowledged,
        }
    }

    fn read(&mut self, now: Tick, buffer: &mut [u8]) -> Answer {
        if now < self.asleep_until {
            return Answer::NotAcknowledged;
        }
        let output = std::mem::replace(&mut self.output, Output::Nothing);
        match output {
            Output::Nothing => Answer::NotAcknowledged,
            Output::Status => {
                fill(buffer, &[self.status]);
                Answer::Acknowledged
            }
            Output::Measurement { done, stretching } => {
                let left = done.since(now);
                if stretching == Stretching::Disabled && !left.is_zero() {
                    self.output = output;
                    return Answer::NotAcknowledged;
                }
                fill(buffer, &[self.temperature, self.humidity]);
                Answer::Stretched(left)
            }
        }
    }
}

impl Model for Sht3x {
    fn expose(&mut self, air: Air) {
        self.temperature = raw(air.temperature);
        self.humidity = raw_humidity(air.humidity);
    }

    fn power_up(&mut self, now: Tick) {
        self.status = STATUS_AFTER_RESET;
        self.output = Output::Nothing;
        self.asleep_until = now.after(RESET_TIME);
    }

    fn hang(&mut self) {
        self.hangs = true;
    }

    fn raw(&self) -> u32 {
        self.temperature.into()
    }
}

/// T = −45 + 175 · raw / 65535 (section 4.13).
fn raw(temperature: MilliCelsius) -> u16 {
    nearest(temperature.thousandths() + 45_000, 175_000, 65_535)
}

/// RH = 100 · raw / 65535.
fn raw_humidity(humidity: MilliPercent) -> u16 {
    nearest(humidity.thousandths(), 100_000, 65_535)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn awake() -> (Sht3x, Tick) {
        (Sht3x::new(Tick::ZERO), Tick::from_micros(1500))
    }

    #[test]
    fn without_stretching_an_early_read_is_not_acknowledged() {
        let (mut chip, now) = awake();
        let mut bytes = [0; 6];
        assert_eq!(chip.read(now, &mut bytes), Answer::NotAcknowledged, "nothing was asked");
        chip.write(now, &[0x24, 0x00]);
        assert_eq!(chip.read(now, &mut bytes), Answer::NotAcknowledged);
        let done = now.after(Duration::from_micros(15_500));
        assert_eq!(chip.read(done, &mut bytes), Answer::Stretched(Duration::ZERO));
        assert_eq!(bytes[..2], 0x6666_u16.to_be_bytes());
        assert_eq!(chip.read(done, &mut bytes), Answer::NotAcknowledged, "it is read once");
    }

    #[test]
    fn with_stretching_it_holds_the_clock_until_it_is_done() {
        let (mut chip, now) = awake();
        chip.write(now, &[0x2c, 0x0d]);
        let answer = chip.read(now, &mut [0; 6]);
        assert_eq!(answer, Answer::Stretched(Duration::from_micros(6500)));
    }

    #[test]
    fn the_status_tells_of_resets_and_of_what_is_no_command() {
        let (mut chip, now) = awake();
        let mut bytes = [0; 3];
        chip.write(now, &[0x30, 0x41]);
        chip.write(now, &[0x12, 0x34]);
        chip.output = Output::Status;
        chip.read(now, &mut bytes);
        assert_eq!(bytes[..2], [0x00, 0x02]);
        chip.write(now, &[0x30, 0xa2]);
        assert_eq!(chip.write(now, &[0xf3, 0x2d]), Answer::NotAcknowledged, "it resets");
        let later = now.after(RESET_TIME);
        chip.write(later, &[0xf3, 0x2d]);
        chip.read(later, &mut bytes);
        assert_eq!(bytes[..2], STATUS_AFTER_RESET.to_be_bytes());
    }
}
