//! An SHT4x down to its commands (datasheet SHT4x, version 6, section 4).

use std::time::Duration;

use crate::sim::air::Air;
use crate::sim::i2c::{Answer, I2cDevice};
use crate::sim::model::Model;
use crate::sim::sensirion::{fill, nearest};
use crate::time::Tick;

const SERIAL: [u16; 2] = [0x0f1e, 0x2d3c];
/// Longest start-up and soft reset.
const START_UP: Duration = Duration::from_millis(1);

/// What the next read gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    Nothing,
    Words([u16; 2]),
}

/// The chip.
#[derive(Debug)]
pub struct Sht4x {
    output: Output,
    busy_until: Tick,
    air: Air,
    hangs: bool,
}

impl Sht4x {
    /// A chip that powers up now.
    pub fn new(now: Tick) -> Self {
        let busy_until = now.after(START_UP);
        Self { output: Output::Nothing, busy_until, air: Air::default(), hangs: false }
    }

    fn command(&mut self, now: Tick, command: u8) {
        let (output, microseconds) = match command {
            0xfd => (self.measured(), 8300),
            0xf6 => (self.measured(), 4500),
            0xe0 => (self.measured(), 1600),
            0x39 | 0x2f | 0x1e => (self.measured(), 1_108_300),
            0x32 | 0x24 | 0x15 => (self.measured(), 118_300),
            0x89 => (Output::Words(SERIAL), 0),
            0x94 => return self.power_up(now),
            _ => (Output::Nothing, 0),
        };
        self.output = output;
        let microseconds = if self.hangs { 500_000_000 } else { microseconds };
        self.busy_until = now.after(Duration::from_micros(microseconds));
    }

    /// T = −45 + 175 · raw / 65535, RH = −6 + 125 · raw / 65535 (section 4.6).
    fn measured(&self) -> Output {
        let temperature = nearest(self.air.temperature.thousandths() + 45_000, 175_000, 65_535);
        let humidity = nearest(self.air.humidity.thousandths() + 6000, 125_000, 65_535);
        Output::Words([temperature, humidity])
    }
}

impl I2cDevice for Sht4x {
    fn write(&mut self, now: Tick, bytes: &[u8]) -> Answer {
        match bytes {
            _ if now < self.busy_until => return Answer::NotAcknowledged,
            [] => {}
            [command, ..] => self.command(now, *command),
        }
        Answer::Acknowledged
    }

    /// What was read is gone.
    fn read(&mut self, now: Tick, buffer: &mut [u8]) -> Answer {
        if now < self.busy_until {
            return Answer::NotAcknowledged;
        }
        match std::mem::replace(&mut self.output, Output::Nothing) {
            Output::Nothing => Answer::NotAcknowledged,
            Output::Words(words) => {
                fill(buffer, &words);
                Answer::Acknowledged
            }
        }
    }
}

impl Model for Sht4x {
    fn expose(&mut self, air: Air) {
        self.air = air;
    }

    fn power_up(&mut self, now: Tick) {
        self.output = Output::Nothing;
        self.busy_until = now.after(START_UP);
    }

    fn hang(&mut self) {
        self.hangs = true;
    }

    fn raw(&self) -> u32 {
        match self.measured() {
            Output::Words([temperature, _]) => temperature.into(),
            Output::Nothing => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_takes_its_time_and_is_read_once() {
        let mut chip = Sht4x::new(Tick::ZERO);
        let (begun, mut bytes) = (Tick::from_micros(1000), [0; 6]);
        assert_eq!(chip.read(begun, &mut bytes), Answer::NotAcknowledged, "nothing was asked");
        chip.write(begun, &[0xfd]);
        assert_eq!(chip.read(Tick::from_micros(9299), &mut bytes), Answer::NotAcknowledged);
        assert_eq!(chip.read(Tick::from_micros(9300), &mut bytes), Answer::Acknowledged);
        assert_eq!(bytes[..2], 0x6666_u16.to_be_bytes());
        assert_eq!(chip.read(Tick::from_micros(9300), &mut bytes), Answer::NotAcknowledged);
    }
}
