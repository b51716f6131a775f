//! A BMP180 down to its registers (datasheet BST-BMP180-DS000), with the calibration of the
//! datasheet's example (section 3.5).

use std::time::Duration;

use crate::sim::air::Air;
use crate::sim::i2c::{Answer, I2cDevice};
use crate::sim::model::Model;
use crate::time::Tick;

const CONTROL: u8 = 0xf4;
const CONVERTING: u8 = 1 << 5;
const START_UP: Duration = Duration::from_millis(10);

/// `AC1` to `AC6`, `B1`, `B2`, `MB`, `MC`, `MD`.
const TRIM: [i32; 11] = [408, -72, -14_383, 32_741, 32_757, 23_153, 6190, 4, -32_768, -8711, 2868];

/// The chip.
#[derive(Debug)]
pub struct Bmp180 {
    pointer: u8,
    control: u8,
    data: [u8; 3],
    air: Air,
    asleep_until: Tick,
    done_at: Option<Tick>,
    raw_temperature: u32,
    hangs: bool,
}

impl Bmp180 {
    /// A chip that powers up now.
    pub fn new(now: Tick) -> Self {
        let mut chip = Self {
            pointer: 0,
            control: 0,
            data: [0; 3],
            air: Air::default(),
            asleep_until: now,
            done_at: None,
            raw_temperature: 0,
            hangs: false,
        };
        chip.power_up(now);
        chip
    }

    fn write_register(&mut self, now: Tick, register: u8, value: u8) {
        match (register, value) {
            (0xe0, 0xb6) => self.power_up(now),
            (CONTROL, _) => {
                self.control = value;
                let time_us = match (value & 0x3f, value >> 6) {
                    (0x2e, _) | (0x34, 0) => 4500,
                    (0x34, 1) => 7500,
                    (0x34, 2) => 13_500,
                    (0x34, _) => 25_500,
                    _ => {
                        self.control &= !CONVERTING;
                        return;
                    }
                };
                self.done_at = Some(now.after(Duration::from_micros(time_us)));
            }
            _ => {}
        }
    }

    fn settle(&mut self, now: Tick) {
        if self.done_at.is_none_or(|done| done > now) || self.hangs {
            return;
        }
        self.done_at = None;
        let warmth = f64::from(self.air.temperature.thousandths()) * 0.16;
        if self.control & 0x1f == 0x0e {
            self.raw_temperature = whole(raw_temperature(warmth), 0xffff);
            let [_, _, high, low] = self.raw_temperature.to_be_bytes();
            self.data = [high, low, 0];
        } else {
            let oversampling = u32::from(self.control >> 6);
            let pascals = f64::from(self.air.pressure.thousandths()) / 10.0;
            let finest = raw_pressure(pascals, warmth);
            let raw = whole(finest / f64::from(8_u32 >> oversampling), 0x7_ffff);
            let [_, high, middle, low] = (raw << (8 - oversampling)).to_be_bytes();
            self.data = [high, middle, low];
        }
        self.control &= !CONVERTING;
    }

    fn register(&self, register: u8) -> u8 {
        let at = |from: u8| usize::from(register.wrapping_sub(from));
        match register {
            0xaa..=0xbf => {
                let word = TRIM.get(at(0xaa) / 2).copied().unwrap_or(0);
                let [_, _, high, low] = word.to_be_bytes();
                if at(0xaa).is_multiple_of(2) { high } else { low }
            }
            0xd0 => 0x55,
            CONTROL => self.control,
            0xf6..=0xf8 => self.data.get(at(0xf6)).copied().unwrap_or(0),
            _ => 0,
        }
    }
}

fn trim(at: usize) -> f64 {
    TRIM.get(at).copied().unwrap_or(0).into()
}

/// The nearest integer from 0 to `most`.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "there is no other way from a float to an integer, and this one saturates"
)]
fn whole(number: f64, most: u32) -> u32 {
    (number.round() as u32).min(most)
}

/// The compensation of the temperature turned round: `warmth`, in 1/160 °C, is
/// x + MC 2¹¹ / (x + MD), and x the larger root of that.
fn raw_temperature(warmth: f64) -> f64 {
    let (ac5, ac6, mc, md) = (trim(4), trim(5), trim(9), trim(10));
    let half = (warmth - md) / 2.0;
    let x = half + (half * half + warmth * md - mc * 2048.0).sqrt();
    x * 32_768.0 / ac5 + ac6
}

/// The compensation of the pressure turned round, in the steps of eight measurements.
fn raw_pressure(pascals: f64, warmth: f64) -> f64 {
    let (ac1, ac2, ac3, ac4) = (trim(0), trim(1), trim(2), trim(3));
    let (b1, b2) = (trim(6), trim(7));
    let (square, slope) = (3038.0 / 2_f64.powi(36), 1.0 - 7357.0 / 2_f64.powi(20));
    let c = pascals - 3791.0 / 16.0;
    let linear = 2.0 * c / (slope + (slope * slope + 4.0 * square * c).sqrt());
    let u = warmth - 4000.0;
    let gain =
        ac4 * (1.0 + (ac3 * u / 2_f64.powi(13) + b1 * u * u / 2_f64.powi(28)) / 2_f64.powi(17));
    let offset = 8.0 * ac1 + (ac2 * u / 2048.0 + b2 * u * u / 2_f64.powi(23)) * 2.0;
    linear * gain / 12_500.0 + offset
}

impl I2cDevice for Bmp180 {
    fn write(&mut self, now: Tick, bytes: &[u8]) -> Answer {
        if now < self.asleep_until {
            return Answer::NotAcknowledged;
        }
        self.settle(now);
        match *bytes {
            [] => {}
            [pointer] => self.pointer = pointer,
            [register, value, ..] => self.write_register(now, register, value),
        }
        Answer::Acknowledged
    }

    fn read(&mut self, now: Tick, buffer: &mut [u8]) -> Answer {
        if now < self.asleep_until {
            return Answer::NotAcknowledged;
        }
        self.settle(now);
        for byte in buffer {
            *byte = self.register(self.pointer);
            self.pointer = self.pointer.wrapping_add(1);
        }
        Answer::Acknowledged
    }
}

impl Model for Bmp180 {
    fn expose(&mut self, air: Air) {
        self.air = air;
    }

    fn power_up(&mut self, now: Tick) {
        (self.pointer, self.control, self.done_at) = (0, 0, None);
        self.data = [0x80, 0, 0];
        self.asleep_until = now.after(START_UP);
    }

    fn hang(&mut self) {
        self.hangs = true;
    }

    fn raw(&self) -> u32 {
        self.raw_temperature
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Section 3.5: 15.0 °C and 699.64 hPa, both rounded.
    #[test]
    fn the_datasheets_example_is_met() {
        assert!((raw_temperature(2399.0) - 27_898.0).abs() < 1.0, "{}", raw_temperature(2399.0));
        let raw = raw_pressure(69_964.0, 2399.0) / 8.0;
        assert!((raw - 23_843.0).abs() < 1.0, "{raw}");
    }

    #[test]
    fn a_conversion_is_seen_to_run_and_to_end() {
        let mut chip = Bmp180::new(Tick::ZERO);
        let control = |chip: &mut Bmp180, us: u64| {
            chip.write(Tick::from_micros(us), &[CONTROL]);
            let mut byte = [0];
            chip.read(Tick::from_micros(us), &mut byte);
            byte
        };
        chip.write(Tick::from_micros(10_000), &[CONTROL, 0xf4]);
        assert_eq!(control(&mut chip, 35_499), [0xf4]);
        assert_eq!(control(&mut chip, 35_500), [0xd4]);
        chip.write(Tick::from_micros(40_000), &[CONTROL, 0x2e]);
        assert_eq!(control(&mut chip, 44_499), [0x2e]);
        assert_eq!(control(&mut chip, 44_500), [0x0e]);
    }
}
