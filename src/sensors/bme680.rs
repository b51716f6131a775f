//! BME680 and BME688 on I²C: temperature, humidity and pressure; their gas sensor stays cold.
//!
//! Written out here instead of taken from the crate `bosch-bme680` 1.0: see `hardware/bme680.md`.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

use crate::sensors::catalog::{Facts, Span, Wiring};
use crate::sensors::i2c::{I2cChip, read, read_twice, write};
use crate::sensors::packages;
use crate::sensors::{Fault, Measurement, humidity};
use crate::units::{DeciPascal, MilliCelsius};

/// BME680, BME688.
pub const FACTS: Facts = Facts {
    name: "bme680",
    parts: "BME680, BME688",
    wirings: &[Wiring::I2c],
    temperature: Span::celsius(MilliCelsius::new(-40_000), MilliCelsius::new(85_000), 330),
    humidity: Some(Span::percent(8000)),
    pressure: Some(Span::hectopascal(DeciPascal::new(300_000), DeciPascal::new(1_100_000), 1900)),
    addresses: &[0x76, 0x77],
    pinout: Some(&packages::BOSCH),
    ..Facts::BLANK
};

/// BME680 datasheet BST-BME680-DS001, section 5.2.
const STATUS: u8 = 0x1d;
const PRESSURE: u8 = 0x1f;
const CONTROL_GAS: u8 = 0x71;
const CONTROL_HUMIDITY: u8 = 0x72;
const CONTROL: u8 = 0x74;
const CONFIGURATION: u8 = 0x75;
const LOWER_TRIM: u8 = 0x8a;
const ID: u8 = 0xd0;
const RESET: u8 = 0xe0;
const UPPER_TRIM: u8 = 0xe1;

const BME680: u8 = 0x61;
const RESET_WORD: u8 = 0xb6;
/// No heater, humidity once, no filter.
const NO_GAS: u8 = 0x00;
const HUMIDITY_ONCE: u8 = 0x01;
const UNFILTERED: u8 = 0x00;
/// Temperature and pressure sixteen times, asleep; the same and begin once.
const ASLEEP: u8 = 0xb4;
const FORCED: u8 = ASLEEP | 0b01;
const NEW_DATA: u8 = 1 << 7;
const MEASURING: u8 = 1 << 5;

const START_UP_MS: u32 = 5;
/// 33 measurements of 1.963 ms and some changes between them, as the maker's own driver counts.
const MEASUREMENT_MS: u32 = 72;
const POLL_MS: u32 = 10;
/// Looks at a chip that says that it is still measuring.
const POLLS_MAX: u32 = 3;

/// The chip at one address.
#[derive(Debug)]
pub struct Bme680 {
    address: u8,
    /// Read when its identity was proved; `None` after a fault.
    trim: Option<Trim>,
}

impl Bme680 {
    /// The chip at this 7-bit address.
    pub const fn new(address: u8) -> Self {
        Self { address, trim: None }
    }

    /// The reset makes every reading the first: "new data" then speaks of this one.
    fn measure<I: I2c>(
        &mut self,
        i2c: &mut I,
        delay: &mut impl DelayNs,
    ) -> Result<Measurement, Fault> {
        write(i2c, self.address, &[RESET, RESET_WORD])?;
        delay.delay_ms(START_UP_MS);
        let trim = match self.trim {
            Some(trim) => trim,
            None => *self.trim.insert(self.prove(i2c)?),
        };
        let settings = [
            [CONTROL_GAS, NO_GAS],
            [CONTROL_HUMIDITY, HUMIDITY_ONCE],
            [CONFIGURATION, UNFILTERED],
            [CONTROL, FORCED],
        ];
        write(i2c, self.address, settings.as_flattened())?;
        delay.delay_ms(MEASUREMENT_MS);
        self.wait_until_done(i2c, delay)?;
        let data: [u8; 8] = read_twice(i2c, self.address, PRESSURE)?;
        // At the end, so that a restart before the data were read is seen.
        let [gas, humidity, _, control, configuration] =
            read_twice(i2c, self.address, CONTROL_GAS)?;
        if [gas, humidity, control, configuration] != [NO_GAS, HUMIDITY_ONCE, ASLEEP, UNFILTERED] {
            return Err(Fault::PowerOn);
        }
        Ok(trim.convert(data))
    }

    fn prove<I: I2c>(&self, i2c: &mut I) -> Result<Trim, Fault> {
        if read_twice(i2c, self.address, ID)? != [BME680] {
            return Err(Fault::WrongChip);
        }
        let lower = read_twice(i2c, self.address, LOWER_TRIM)?;
        let upper = read_twice(i2c, self.address, UPPER_TRIM)?;
        Ok(Trim::new(&lower, &upper))
    }

    fn wait_until_done<I: I2c>(&self, i2c: &mut I, delay: &mut impl DelayNs) -> Result<(), Fault> {
        for _ in 0..POLLS_MAX {
            match read(i2c, self.address, STATUS)? {
                [0xff] => return Err(Fault::StuckHigh),
                [status] if status & (NEW_DATA | MEASURING) == NEW_DATA => return Ok(()),
                [status] if status & MEASURING != 0 => delay.delay_ms(POLL_MS),
                [_] => return Err(Fault::PowerOn),
            }
        }
        Err(Fault::Timeout)
    }
}

impl<I: I2c, D: DelayNs> I2cChip<I, D> for Bme680 {
    /// Takes 77 ms.
    fn read(&mut self, i2c: &mut I, delay: &mut D) -> Result<Measurement, Fault> {
        let reading = self.measure(i2c, delay);
        if reading.is_err() {
            self.trim = None;
        }
        reading
    }
}

/// What the maker measured of this one chip: `par_t1` to `par_h7` of section 3.3.
#[derive(Clone, Copy, Debug)]
struct Trim {
    t: [f64; 3],
    p: [f64; 10],
    h: [f64; 7],
}

impl Trim {
    /// Registers 0x8a to 0xa0, and 0xe1 to 0xea.
    fn new(lower: &[u8; 23], upper: &[u8; 10]) -> Self {
        let byte = |register: u8| {
            let at = usize::from(register.wrapping_sub(LOWER_TRIM));
            lower.get(at).copied().unwrap_or(0)
        };
        let unsigned = |register: u8| u16::from_le_bytes([byte(register), byte(register + 1)]);
        let word = |register: u8| f64::from(unsigned(register).cast_signed());
        let small = |register: u8| f64::from(byte(register).cast_signed());
        let [h2_high, shared, h1_high, h3, h4, h5, h6, h7, t1_low, t1_high] = *upper;
        let twelve = |high: u8, low: u8| u16::from(high) << 4 | u16::from(low);
        let signed = |byte: u8| f64::from(byte.cast_signed());
        Self {
            t: [u16::from_le_bytes([t1_low, t1_high]).into(), word(0x8a), small(0x8c)],
            p: [
                unsigned(0x8e).into(),
                word(0x90),
                small(0x92),
                word(0x94),
                word(0x96),
                small(0x99),
                small(0x98),
                word(0x9c),
                word(0x9e),
                byte(0xa0).into(),
            ],
            h: [
                twelve(h1_high, shared & 0x0f).into(),
                twelve(h2_high, shared >> 4).into(),
                signed(h3),
                signed(h4),
                signed(h5),
                h6.into(),
                signed(h7),
            ],
        }
    }

    /// Pressure, temperature, humidity, in registers 0x1f to 0x26.
    fn convert(&self, data: [u8; 8]) -> Measurement {
        let [p0, p1, p2, t0, t1, t2, h0, h1] = data;
        let wide = |bytes: [u8; 3]| {
            let [high, middle, low] = bytes.map(u32::from);
            f64::from(high << 12 | middle << 4 | low >> 4)
        };
        let fine = self.fine(wide([t0, t1, t2]));
        let percent = self.percent(u16::from_be_bytes([h0, h1]).into(), fine / 5120.0);
        Measurement {
            humidity: Some(humidity(percent)),
            pressure: Some(DeciPascal::from_pascals(self.pascals(wide([p0, p1, p2]), fine))),
            ..Measurement::of(MilliCelsius::from_degrees(fine / 5120.0))
        }
    }

    /// The temperature in units of 1/5120 °C (section 3.3.1).
    fn fine(&self, raw: f64) -> f64 {
        let [t1, t2, t3] = self.t;
        let above = raw / 16_384.0 - t1 / 1024.0;
        above * t2 + above * above * t3 / 4.0
    }

    /// Section 3.3.2.
    fn pascals(&self, raw: f64, fine: f64) -> f64 {
        let [p1, p2, p3, p4, p5, p6, p7, p8, p9, p10] = self.p;
        let from_mean = fine / 2.0 - 64_000.0;
        let offset = (from_mean * from_mean * p6 / 131_072.0 + from_mean * p5 * 2.0) / 4.0;
        let offset = offset + p4 * 65_536.0;
        let gain = (p3 * from_mean * from_mean / 16_384.0 + p2 * from_mean) / 524_288.0;
        let gain = (1.0 + gain / 32_768.0) * p1;
        let linear = (1_048_576.0 - raw - offset / 4096.0) * 6250.0 / gain;
        let square = p9 * linear * linear / 2_147_483_648.0;
        let cube = (linear / 256.0).powi(3) * p10 / 131_072.0;
        linear + (square + linear * p8 / 32_768.0 + cube + p7 * 128.0) / 16.0
    }

    /// Section 3.3.3.
    fn percent(&self, raw: f64, degrees: f64) -> f64 {
        let [h1, h2, h3, h4, h5, h6, h7] = self.h;
        let above = raw - (h1 * 16.0 + h3 / 2.0 * degrees);
        let slope = 1.0 + h4 / 16_384.0 * degrees + h5 / 1_048_576.0 * degrees * degrees;
        let linear = above * h2 / 262_144.0 * slope;
        linear + (h6 / 16_384.0 + h7 / 2_097_152.0 * degrees) * linear * linear
    }
}
