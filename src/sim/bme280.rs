//! A BME280, or a BMP280, down to its registers (datasheets BST-BME280-DS001 and BST-BMP280-DS001).
//! Its calibration is that of the BMP280 datasheet's example (section 3.12), with a humidity part
//! as chips have it.

use std::time::Duration;

use crate::sim::air::Air;
use crate::sim::i2c::{Answer, I2cDevice};
use crate::sim::model::Model;
use crate::time::Tick;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// With humidity.
    Bme280,
    /// Without.
    Bmp280,
}

const ID: u8 = 0xd0;
const RESET: u8 = 0xe0;
const CONTROL_HUMIDITY: u8 = 0xf2;
const STATUS: u8 = 0xf3;
const CONTROL: u8 = 0xf4;
const CONFIGURATION: u8 = 0xf5;
const DATA: u8 = 0xf7;

const MEASURING: u8 = 1 << 3;
const START_UP: Duration = Duration::from_millis(2);

/// `dig_T1` to `dig_P9` of the example.
const T: [f64; 3] = [27_504.0, 26_435.0, -1000.0];
const P: [f64; 9] = [36_477.0, -10_685.0, 3024.0, 2855.0, 140.0, -7.0, 15_500.0, -14_600.0, 6000.0];
/// `dig_H1` to `dig_H6`.
const H: [f64; 6] = [75.0, 362.0, 0.0, 313.0, 50.0, 30.0];

/// The same as they lie in the registers from 0x88 on: low byte first.
const TRIM: [u16; 12] =
    [27_504, 26_435, 0xfc18, 36_477, 0xd643, 3024, 2855, 140, 0xfff9, 15_500, 0xc6f8, 6000];
/// From 0xe1 on; the fourth and fifth number are twelve bits each and share a byte.
const HUMIDITY_TRIM: [u8; 7] = [0x6a, 0x01, 0x00, 0x13, 0x29, 0x03, 0x1e];

/// The chip.
#[derive(Debug)]
pub struct Bme280 {
    kind: Kind,
    pointer: u8,
    control_humidity: u8,
    /// What was written to it counts from the next write to the control register on.
    oversampling_humidity: u8,
    control: u8,
    configuration: u8,
    data: [u8; 8],
    air: Air,
    asleep_until: Tick,
    done_at: Option<Tick>,
    hangs: bool,
}

impl Bme280 {
    /// A chip that powers up now.
    pub fn new(kind: Kind, now: Tick) -> Self {
        let mut chip = Self {
            kind,
            pointer: 0,
            control_humidity: 0,
            oversampling_humidity: 0,
            control: 0,
            configuration: 0,
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
            RESET if value == 0xb6 => self.power_up(now),
            CONTROL_HUMIDITY if self.kind == Kind::Bme280 => self.control_humidity = value & 0x07,
            CONFIGURATION => self.configuration = value & 0xfd,
            CONTROL => {
                self.control = value;
                self.oversampling_humidity = self.control_humidity;
                if value & 0b11 != 0 {
                    self.done_at = Some(now.after(self.measurement_time()));
                }
            }
            _ => {}
        }
    }

    /// Section 9.1, the longest.
    fn measurement_time(&self) -> Duration {
        let of = |oversampling: u8, extra: u64| match times(oversampling) {
            0 => 0,
            times => 2300 * times + extra,
        };
        let humidity = match self.kind {
            Kind::Bme280 => of(self.oversampling_humidity, 575),
            Kind::Bmp280 => 0,
        };
        Duration::from_micros(
            1250 + of(self.control >> 5, 0) + of(self.control >> 2 & 0b111, 575) + humidity,
        )
    }

    fn settle(&mut self, now: Tick) {
        let Some(done_at) = self.done_at.filter(|done| *done <= now && !self.hangs) else { return };
        let fine = fine(f64::from(self.air.temperature.thousandths()) / 1000.0);
        let temperature = converted(raw_temperature(fine), self.control >> 5);
        let pascals = f64::from(self.air.pressure.thousandths()) / 10.0;
        let pressure = converted(raw_pressure(pascals, fine), self.control >> 2 & 0b111);
        let percent = f64::from(self.air.humidity.thousandths()) / 1000.0;
        let humidity = match times(self.oversampling_humidity) {
            0 => 0x8000,
            _ => whole(raw_humidity(percent, fine), 0xffff),
        };
        let [_, p0, p1, p2] = (pressure << 4).to_be_bytes();
        let [_, t0, t1, t2] = (temperature << 4).to_be_bytes();
        let [_, _, h0, h1] = humidity.to_be_bytes();
        self.data = [p0, p1, p2, t0, t1, t2, h0, h1];
        if self.control & 0b11 == 0b11 {
            self.done_at = Some(done_at.max(now).after(self.measurement_time()));
        } else {
            self.control &= !0b11;
            self.done_at = None;
        }
    }

    fn register(&self, register: u8) -> u8 {
        let at = |from: u8| usize::from(register.wrapping_sub(from));
        match (register, self.kind) {
            (0x88..=0x9f, _) => {
                let pair = TRIM.get(at(0x88) / 2).copied().unwrap_or(0).to_le_bytes();
                pair.get(at(0x88) % 2).copied().unwrap_or(0)
            }
            (0xa1, Kind::Bme280) => 75,
            (0xe1..=0xe7, Kind::Bme280) => HUMIDITY_TRIM.get(at(0xe1)).copied().unwrap_or(0),
            (ID, Kind::Bme280) => 0x60,
            (ID, Kind::Bmp280) => 0x58,
            (CONTROL_HUMIDITY, Kind::Bme280) => self.control_humidity,
            (STATUS, _) if self.done_at.is_some() => MEASURING,
            (CONTROL, _) => self.control,
            (CONFIGURATION, _) => self.configuration,
            (0xf7..=0xfc, _) | (0xfd..=0xfe, Kind::Bme280) => {
                self.data.get(at(DATA)).copied().unwrap_or(0)
            }
            _ => 0,
        }
    }
}

/// How often a quantity is measured, by its three bits; 0: not at all.
const fn times(oversampling: u8) -> u64 {
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

/// Temperature in the units of the compensation: 1/5120 °C.
fn fine(celsius: f64) -> f64 {
    celsius * 5120.0
}

/// The root of `a` x² + `b` x = `c` that is near `c` / `b`.
fn root(a: f64, b: f64, c: f64) -> f64 {
    2.0 * c / (b + (b * b + 4.0 * a * c).sqrt())
}

/// The compensation of the temperature turned round: fine = x T2 + x² T3 / 64, where x is raw/2¹⁴
/// less T1/2¹⁰.
fn raw_temperature(fine: f64) -> f64 {
    let [t1, t2, t3] = T;
    (root(t3 / 64.0, t2, fine) + t1 / 1024.0) * 16_384.0
}

/// The compensation of the pressure turned round.
fn raw_pressure(pascals: f64, fine: f64) -> f64 {
    let [p1, p2, p3, p4, p5, p6, p7, p8, p9] = P;
    let linear = root(p9 / 2_f64.powi(35), 1.0 + p8 / 2_f64.powi(19), pascals - p7 / 16.0);
    let u = fine / 2.0 - 64_000.0;
    let gain = p1 * (1.0 + (p2 * u / 2_f64.powi(34) + p3 * u * u / 2_f64.powi(53)));
    let offset = p4 * 16.0 + p5 * u / 8192.0 + p6 * u * u / 2_f64.powi(29);
    1_048_576.0 - offset - linear * gain / 6250.0
}

/// The compensation of the humidity turned round.
fn raw_humidity(percent: f64, fine: f64) -> f64 {
    let [h1, h2, h3, h4, h5, h6] = H;
    let u = fine - 76_800.0;
    let linear = root(-h1 / 524_288.0, 1.0, percent);
    let gain = h2 / 65_536.0 * (1.0 + h6 * u / 2_f64.powi(26) * (1.0 + h3 * u / 2_f64.powi(26)));
    linear / gain + h4 * 64.0 + h5 * u / 16_384.0
}

impl I2cDevice for Bme280 {
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

impl Model for Bme280 {
    fn expose(&mut self, air: Air) {
        self.air = air;
    }

    fn power_up(&mut self, now: Tick) {
        (self.control_humidity, self.control, self.configuration) = (0, 0, 0);
        self.oversampling_humidity = 0;
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
    use crate::units::{DeciPascal, MilliCelsius};

    /// BMP280 datasheet, section 3.12: 25.08 °C and 1006.53 hPa. Both of the example's numbers are
    /// rounded, so that the raw ones are met within what the rounding hides.
    #[test]
    fn the_datasheets_example_is_met() {
        let fine = 128_422.0;
        assert!((raw_temperature(fine) - 519_888.0).abs() < 1.0, "{}", raw_temperature(fine));
        let raw = raw_pressure(100_653.27, fine);
        assert!((raw - 415_148.0).abs() < 1.0, "{raw}");
    }

    fn registers(chip: &mut Bme280, ms: u64, from: u8) -> [u8; 8] {
        let now = Tick::from_micros(ms * 1000);
        let mut bytes = [0; 8];
        chip.write(now, &[from]);
        chip.read(now, &mut bytes);
        bytes
    }

    #[test]
    fn it_measures_once_when_told_to_and_tells_that_it_does() {
        let mut chip = Bme280::new(Kind::Bme280, Tick::ZERO);
        assert_eq!(chip.write(Tick::ZERO, &[ID]), Answer::NotAcknowledged, "it starts up");
        assert_eq!(registers(&mut chip, 2, DATA), [0x80, 0, 0, 0x80, 0, 0, 0x80, 0]);
        chip.write(Tick::from_micros(2000), &[CONTROL_HUMIDITY, 1, CONTROL, 0x25]);
        assert_eq!(registers(&mut chip, 11, STATUS)[..2], [MEASURING, 0x25]);
        assert_eq!(registers(&mut chip, 12, STATUS)[..2], [0, 0x24]);
        let data = registers(&mut chip, 12, DATA);
        assert_eq!([data[2], data[5]], [0, 0], "sixteen bits without oversampling");
        chip.expose(Air { temperature: MilliCelsius::new(0), ..Air::default() });
        assert_eq!(registers(&mut chip, 60_000, DATA), data, "it sleeps");
    }

    #[test]
    fn what_is_not_to_be_measured_is_skipped() {
        let mut chip = Bme280::new(Kind::Bme280, Tick::ZERO);
        chip.write(Tick::from_micros(2000), &[CONTROL, 0x21]);
        let [p0, p1, p2, t0, _, _, h0, h1] = registers(&mut chip, 60, DATA);
        assert_eq!(([p0, p1, p2], [h0, h1]), ([0x80, 0, 0], [0x80, 0]));
        assert_ne!(t0, 0x80);
    }

    #[test]
    fn a_bmp280_knows_nothing_of_humidity() {
        let mut chip = Bme280::new(Kind::Bmp280, Tick::ZERO);
        let pressure = DeciPascal::new(1_000_000);
        chip.expose(Air { pressure, ..Air::default() });
        chip.write(Tick::from_micros(2000), &[CONTROL_HUMIDITY, 1, CONTROL, 0x25]);
        assert_eq!(registers(&mut chip, 60, CONTROL_HUMIDITY)[0], 0);
        assert_eq!(registers(&mut chip, 60, DATA)[6..], [0, 0]);
        assert_eq!(registers(&mut chip, 60, ID)[0], 0x58);
    }
}
