//! A BME680 down to its registers (datasheet BST-BME680-DS001), with a calibration as chips have
//! it. Of the gas sensor there is only the switch.

use std::time::Duration;

use crate::sim::air::Air;
use crate::sim::i2c::{Answer, I2cDevice};
use crate::sim::model::Model;
use crate::time::Tick;

const STATUS: u8 = 0x1d;
const DATA: u8 = 0x1f;
const CONTROL_GAS: u8 = 0x71;
const CONTROL_HUMIDITY: u8 = 0x72;
const CONTROL: u8 = 0x74;
const CONFIGURATION: u8 = 0x75;

const NEW_DATA: u8 = 1 << 7;
const MEASURING: u8 = 1 << 5;
const START_UP: Duration = Duration::from_millis(2);

/// `par_t1` to `par_t3`, `par_p1` to `par_p10`, `par_h1` to `par_h7`.
const T: [f64; 3] = [26_125.0, 26_370.0, 3.0];
const P: [f64; 10] =
    [36_248.0, -10_373.0, 88.0, 6931.0, -117.0, 30.0, 35.0, -1004.0, -2535.0, 30.0];
const H: [f64; 7] = [783.0, 1003.0, 0.0, 45.0, 20.0, 120.0, -100.0];

/// The same as they lie in the registers from 0x8a and from 0xe1 on.
const LOWER_TRIM: [u8; 23] = [
    0x02, 0x67, 0x03, 0x00, 0x98, 0x8d, 0x7b, 0xd7, 0x58, 0x00, 0x13, 0x1b, 0x8b, 0xff, 0x23, 0x1e,
    0x00, 0x00, 0x14, 0xfc, 0x19, 0xf6, 0x1e,
];
const UPPER_TRIM: [u8; 10] = [0x3e, 0xbf, 0x30, 0x00, 0x2d, 0x14, 0x78, 0x9c, 0x0d, 0x66];

/// The chip.
#[derive(Debug)]
pub struct Bme680 {
    pointer: u8,
    control_gas: u8,
    control_humidity: u8,
    control: u8,
    configuration: u8,
    new_data: u8,
    data: [u8; 8],
    air: Air,
    asleep_until: Tick,
    done_at: Option<Tick>,
    hangs: bool,
}

impl Bme680 {
    /// A chip that powers up now.
    pub fn new(now: Tick) -> Self {
        let mut chip = Self {
            pointer: 0,
            control_gas: 0,
            control_humidity: 0,
            control: 0,
            configuration: 0,
            new_data: 0,
            data: [0; 8],
            air: Air::default(),
            asleep_until: now,
            done_at: None,
            hangs: false,
        };
        chip.power_up(now);
        chip
    }

    fn write_register(&mut self, now: Tick, register: u8, value: u8) {
        match register {
            0xe0 if value == 0xb6 => self.power_up(now),
            CONTROL_GAS => self.control_gas = value & 0x3f,
            CONTROL_HUMIDITY => self.control_humidity = value & 0x47,
            CONFIGURATION => self.configuration = value & 0x1d,
            CONTROL => {
                self.control = value;
                if value & 0b11 == 0b01 {
                    self.new_data = 0;
                    self.done_at = Some(now.after(self.measurement_time()));
                }
            }
            _ => {}
        }
    }

    /// As the maker's driver counts it, with the gas part or without it.
    fn measurement_time(&self) -> Duration {
        let times = times(self.control >> 5)
            + times(self.control >> 2 & 0b111)
            + times(self.control_humidity & 0b111);
        Duration::from_micros(u64::from(times) * 1963 + 477 * 9 + 1000)
    }

    fn settle(&mut self, now: Tick) {
        if self.done_at.is_none_or(|done| done > now) || self.hangs {
            return;
        }
        self.done_at = None;
        self.control &= !0b11;
        self.new_data = NEW_DATA;
        let degrees = f64::from(self.air.temperature.thousandths()) / 1000.0;
        let pascals = f64::from(self.air.pressure.thousandths()) / 10.0;
        let percent = f64::from(self.air.humidity.thousandths()) / 1000.0;
        let temperature = converted(raw_temperature(degrees), self.control >> 5);
        let pressure = converted(raw_pressure(pascals, degrees), self.control >> 2 & 0b111);
        let humidity = match times(self.control_humidity & 0b111) {
            0 => 0x8000,
            _ => whole(raw_humidity(percent, degrees), 0xffff),
        };
        let [_, p0, p1, p2] = (pressure << 4).to_be_bytes();
        let [_, t0, t1, t2] = (temperature << 4).to_be_bytes();
        let [_, _, h0, h1] = humidity.to_be_bytes();
        self.data = [p0, p1, p2, t0, t1, t2, h0, h1];
    }

    fn register(&self, register: u8) -> u8 {
        let at = |from: u8| usize::from(register.wrapping_sub(from));
        match register {
            STATUS if self.done_at.is_some() => MEASURING,
            STATUS => self.new_data,
            0x1f..=0x26 => self.data.get(at(DATA)).copied().unwrap_or(0),
            CONTROL_GAS => self.control_gas,
            CONTROL_HUMIDITY => self.control_humidity,
            CONTROL => self.control,
            CONFIGURATION => self.configuration,
            0x8a..=0xa0 => LOWER_TRIM.get(at(0x8a)).copied().unwrap_or(0),
            0xd0 => 0x61,
            0xe1..=0xea => UPPER_TRIM.get(at(0xe1)).copied().unwrap_or(0),
            _ => 0,
        }
    }
}

/// How often a quantity is measured, by its three bits; 0: not at all.
const fn times(oversampling: u8) -> u32 {
    match oversampling & 0b111 {
        0 => 0,
        once @ 1..=4 => 1 << (once - 1),
        _ => 16,
    }
}

/// The converter's twenty bits: sixteen, and one more for each doubling of the measurements.
fn converted(raw: f64, oversampling: u8) -> u32 {
    let missing = match oversampling & 0b111 {
        0 => return 0x8_0000,
        once @ 1..=4 => 5 - u32::from(once),
        _ => 0,
    };
    let step = f64::from(1_u32 << missing);
    whole((raw / step).round() * step, 0xf_ffff)
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

/// Where `function`, which rises, is `wanted`: between `low` and `high`, by halving.
fn inverted(wanted: f64, low: f64, high: f64, function: impl Fn(f64) -> f64) -> f64 {
    let halved = (0..60).fold((low, high), |(low, high), _| {
        let middle = f64::midpoint(low, high);
        if function(middle) < wanted { (middle, high) } else { (low, middle) }
    });
    halved.0
}

fn raw_temperature(degrees: f64) -> f64 {
    let [t1, t2, t3] = T;
    // x t2 + x² t3 / 4 = fine, where x is raw/2¹⁴ less t1/2¹⁰.
    let fine = degrees * 5120.0;
    let x = inverted(fine, -40.0, 40.0, |x| x * (t2 + x * t3 / 4.0));
    (x + t1 / 1024.0) * 16_384.0
}

fn raw_pressure(pascals: f64, degrees: f64) -> f64 {
    let [p1, p2, p3, p4, p5, p6, p7, p8, p9, p10] = P;
    let linear = inverted(pascals, 0.0, 200_000.0, |x| {
        let square = p9 * x * x / 2_f64.powi(35);
        x * (1.0 + p8 / 2_f64.powi(19)) + square + p10 * x * x * x / 2_f64.powi(45) + p7 * 8.0
    });
    let u = degrees * 2560.0 - 64_000.0;
    let gain = p1 * (1.0 + p2 * u / 2_f64.powi(34) + p3 * u * u / 2_f64.powi(48));
    let offset = p4 * 16.0 + p5 * u / 8192.0 + p6 * u * u / 2_f64.powi(31);
    1_048_576.0 - offset - linear * gain / 6250.0
}

fn raw_humidity(percent: f64, degrees: f64) -> f64 {
    let [h1, h2, h3, h4, h5, h6, h7] = H;
    let bend = h6 / 2_f64.powi(14) + h7 / 2_f64.powi(21) * degrees;
    let linear = inverted(percent, -20.0, 200.0, |x| x + bend * x * x);
    let slope = 1.0 + (h4 / 2_f64.powi(14) + h5 / 2_f64.powi(20) * degrees) * degrees;
    linear / slope * 2_f64.powi(18) / h2 + h1 * 16.0 + h3 / 2.0 * degrees
}

impl I2cDevice for Bme680 {
    /// A register number, or pairs of a register number and a value.
    fn write(&mut self, now: Tick, bytes: &[u8]) -> Answer {
        if now < self.asleep_until {
            return Answer::NotAcknowledged;
        }
        self.settle(now);
        let (pairs, rest) = bytes.as_chunks::<2>();
        for [register, value] in pairs {
            self.write_register(now, *register, *value);
        }
        if let [pointer] = rest {
            self.pointer = *pointer;
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

impl Model for Bme680 {
    fn expose(&mut self, air: Air) {
        self.air = air;
    }

    fn power_up(&mut self, now: Tick) {
        (self.control_gas, self.control_humidity) = (0, 0);
        (self.control, self.configuration, self.new_data) = (0, 0, 0);
        self.data = [0x80, 0, 0, 0x80, 0, 0, 0x80, 0];
        self.pointer = 0;
        self.asleep_until = now.after(START_UP);
        self.done_at = None;
    }

    fn hang(&mut self) {
        self.hangs = true;
    }

    fn raw(&self) -> u32 {
        let [_, _, _, t0, t1, t2, ..] = self.data;
        u32::from_be_bytes([0, t0, t1, t2]) >> 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registers(chip: &mut Bme680, ms: u64, from: u8) -> [u8; 10] {
        let now = Tick::from_micros(ms * 1000);
        let mut bytes = [0; 10];
        chip.write(now, &[from]);
        chip.read(now, &mut bytes);
        bytes
    }

    #[test]
    fn it_measures_once_when_told_to_and_tells_that_it_does() {
        let mut chip = Bme680::new(Tick::ZERO);
        assert_eq!(registers(&mut chip, 2, STATUS)[..4], [0, 0, 0x80, 0]);
        chip.write(Tick::from_micros(2000), &[CONTROL_HUMIDITY, 1, CONTROL, 0x25]);
        assert_eq!(registers(&mut chip, 13, STATUS)[0], MEASURING);
        assert_eq!(registers(&mut chip, 14, STATUS)[0], NEW_DATA);
        assert_eq!(registers(&mut chip, 14, CONTROL)[0], 0x24);
    }

    #[test]
    fn the_calibration_lies_where_the_datasheet_says() {
        let mut chip = Bme680::new(Tick::ZERO);
        let number = |chip: &mut Bme680, low| {
            let bytes = registers(chip, 2, low);
            f64::from(i16::from_le_bytes([bytes[0], bytes[1]]))
        };
        let expected = [(0xe9, T[0]), (0x8a, T[1]), (0x90, P[1]), (0x94, P[3]), (0x9e, P[8])];
        for (register, value) in expected {
            assert!((number(&mut chip, register) - value).abs() < 0.5, "{register:#x}");
        }
        let [h2, shared, h1, ..] = registers(&mut chip, 2, 0xe1);
        assert!((f64::from(u16::from(h1) << 4 | u16::from(shared & 0x0f)) - H[0]).abs() < 0.5);
        assert!((f64::from(u16::from(h2) << 4 | u16::from(shared >> 4)) - H[1]).abs() < 0.5);
    }
}
