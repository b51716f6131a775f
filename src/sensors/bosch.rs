//! What BMP280 and BME280 have in common: one sequence of registers, one kind of calibration.
//!
//! Written out here instead of taken from the crate `bme280` 0.5: see `hardware/bme280.md`.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

use super::i2c::{read, read_twice, write};
use super::{Fault, Measurement, humidity};
use crate::units::{DeciPascal, MilliCelsius};

/// BME280 datasheet BST-BME280-DS001, section 5.3.
const TEMPERATURE_AND_PRESSURE_TRIM: u8 = 0x88;
const HUMIDITY_TRIM: u8 = 0xe1;
const ID: u8 = 0xd0;
const RESET: u8 = 0xe0;
const CONTROL_HUMIDITY: u8 = 0xf2;
const CONTROL: u8 = 0xf4;
const CONFIGURATION: u8 = 0xf5;

const RESET_WORD: u8 = 0xb6;
/// Humidity once.
const HUMIDITY_ONCE: u8 = 0x01;
/// Temperature and pressure sixteen times, asleep; the same and begin once. The temperature that
/// often because the pressure is computed with it.
const ASLEEP: u8 = 0xb4;
const FORCED: u8 = ASLEEP | 0b01;
/// No filter: what is shown is what is measured now.
const UNFILTERED: u8 = 0x00;
const MEASURING: u8 = 1 << 3;

/// Start-up after a reset (section 1.1, table 1).
const START_UP_MS: u32 = 3;
/// Longest of these measurements: 1.25 + 2.3 · 16 + 2.3 · 16 + 0.575 + 2.3 + 0.575 (section 9.1).
const MEASUREMENT_MS: u32 = 79;
const POLL_MS: u32 = 10;
/// Looks at a chip that says that it is still measuring.
const POLLS_MAX: u32 = 3;

/// What temperature and pressure hold from the reset to the end of the first measurement. Each
/// alone may be a real value, both together are none.
const NO_MEASUREMENT: u32 = 0x8_0000;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Temperature and pressure.
    Bmp280,
    /// And humidity.
    Bme280,
}

impl Kind {
    /// 0x56 and 0x57 are samples of the BMP280.
    fn has_id(self, id: u8) -> bool {
        match self {
            Self::Bmp280 => matches!(id, 0x56..=0x58),
            Self::Bme280 => id == 0x60,
        }
    }
}

/// A chip at one address.
#[derive(Debug)]
pub(super) struct Bosch {
    kind: Kind,
    address: u8,
    /// Read when its identity was proved; `None` after a fault.
    trim: Option<Trim>,
}

impl Bosch {
    /// The chip at this 7-bit address.
    pub(super) const fn new(kind: Kind, address: u8) -> Self {
        Self { kind, address, trim: None }
    }

    /// Takes 82 ms.
    pub(super) fn read<I: I2c>(
        &mut self,
        i2c: &mut I,
        delay: &mut impl DelayNs,
    ) -> Result<Measurement, Fault> {
        let reading = self.measure(i2c, delay);
        if reading.is_err() {
            self.trim = None;
        }
        reading
    }

    /// The reset makes every reading the first: a measurement that did not happen then shows as
    /// none, and never as the one before.
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
        let settings =
            [[CONTROL_HUMIDITY, HUMIDITY_ONCE], [CONFIGURATION, UNFILTERED], [CONTROL, FORCED]];
        write(i2c, self.address, settings.as_flattened())?;
        delay.delay_ms(MEASUREMENT_MS);
        self.wait_until_done(i2c, delay)?;
        let answer: [u8; 13] = read_twice(i2c, self.address, CONTROL_HUMIDITY)?;
        convert(&trim, answer)
    }

    fn prove<I: I2c>(&self, i2c: &mut I) -> Result<Trim, Fault> {
        let [id] = read_twice(i2c, self.address, ID)?;
        if !self.kind.has_id(id) {
            return Err(Fault::WrongChip);
        }
        let common = read_twice(i2c, self.address, TEMPERATURE_AND_PRESSURE_TRIM)?;
        let humidity = match self.kind {
            Kind::Bmp280 => None,
            Kind::Bme280 => Some(read_twice(i2c, self.address, HUMIDITY_TRIM)?),
        };
        Ok(Trim::new(&common, humidity))
    }

    fn wait_until_done<I: I2c>(&self, i2c: &mut I, delay: &mut impl DelayNs) -> Result<(), Fault> {
        for _ in 0..POLLS_MAX {
            let [status, control] = read(i2c, self.address, CONTROL_HUMIDITY + 1)?;
            if status & MEASURING == 0 || control == 0xff {
                return Ok(());
            }
            delay.delay_ms(POLL_MS);
        }
        Err(Fault::Timeout)
    }
}

/// Settings, a reserved byte, pressure, temperature, humidity.
fn convert(trim: &Trim, answer: [u8; 13]) -> Result<Measurement, Fault> {
    let [once, _, control, configuration, _, p0, p1, p2, t0, t1, t2, h0, h1] = answer;
    if (control, configuration) != (ASLEEP, UNFILTERED) {
        return Err(Fault::PowerOn);
    }
    let wide = |bytes: [u8; 3]| {
        let [high, middle, low] = bytes.map(u32::from);
        high << 12 | middle << 4 | low >> 4
    };
    let (pressure, temperature) = (wide([p0, p1, p2]), wide([t0, t1, t2]));
    if pressure == NO_MEASUREMENT && temperature == NO_MEASUREMENT {
        return Err(Fault::PowerOn);
    }
    let fine = trim.fine(temperature);
    let humidity = match &trim.humidity {
        None => None,
        Some(trim) => {
            if once & 0b111 != HUMIDITY_ONCE {
                return Err(Fault::PowerOn);
            }
            Some(humidity(trim.percent(u16::from_be_bytes([h0, h1]), fine)))
        }
    };
    Ok(Measurement {
        humidity,
        pressure: Some(DeciPascal::from_pascals(trim.pascals(pressure, fine))),
        ..Measurement::of(MilliCelsius::from_degrees(fine / 5120.0))
    })
}

/// What the maker measured of this one chip: `dig_T1` to `dig_H6` of section 4.2.2.
#[derive(Clone, Copy, Debug)]
struct Trim {
    t: [f64; 3],
    p: [f64; 9],
    humidity: Option<HumidityTrim>,
}

#[derive(Clone, Copy, Debug)]
struct HumidityTrim {
    h: [f64; 6],
}

impl Trim {
    fn new(common: &[u8; 26], humidity: Option<[u8; 7]>) -> Self {
        let [words @ .., _, h1] = common;
        let unsigned = |at: usize| {
            let pair = words.as_chunks::<2>().0.get(at).copied().unwrap_or_default();
            u16::from_le_bytes(pair)
        };
        let signed = |at: usize| f64::from(unsigned(at).cast_signed());
        let [t2, t3, p2, p3, p4, p5, p6, p7, p8, p9] = [1, 2, 4, 5, 6, 7, 8, 9, 10, 11].map(signed);
        Self {
            t: [unsigned(0).into(), t2, t3],
            p: [unsigned(3).into(), p2, p3, p4, p5, p6, p7, p8, p9],
            humidity: humidity.map(|bytes| HumidityTrim::new(*h1, bytes)),
        }
    }

    /// The temperature in units of 1/5120 °C, which the other two need (section 8.1).
    fn fine(&self, raw: u32) -> f64 {
        let [t1, t2, t3] = self.t;
        let above = f64::from(raw) / 16_384.0 - t1 / 1024.0;
        above * t2 + above * above * t3 / 64.0
    }

    fn pascals(&self, raw: u32, fine: f64) -> f64 {
        let [p1, p2, p3, p4, p5, p6, p7, p8, p9] = self.p;
        let from_mean = fine / 2.0 - 64_000.0;
        let offset =
            (from_mean * from_mean * p6 / 32_768.0 + from_mean * p5 * 2.0) / 4.0 + p4 * 65_536.0;
        let gain = (p3 * from_mean * from_mean / 524_288.0 + p2 * from_mean) / 524_288.0;
        let gain = (1.0 + gain / 32_768.0) * p1;
        let linear = (1_048_576.0 - f64::from(raw) - offset / 4096.0) * 6250.0 / gain;
        linear + (p9 * linear * linear / 2_147_483_648.0 + linear * p8 / 32_768.0 + p7) / 16.0
    }
}

impl HumidityTrim {
    /// Four and five are twelve bits each and share a byte.
    fn new(h1: u8, bytes: [u8; 7]) -> Self {
        let [h2_low, h2_high, h3, h4_high, shared, h5_high, h6] = bytes;
        let twelve = |high: u8, low: u8| i16::from(high.cast_signed()) << 4 | i16::from(low);
        let h = [
            h1.into(),
            i16::from_le_bytes([h2_low, h2_high]).into(),
            h3.into(),
            twelve(h4_high, shared & 0x0f).into(),
            twelve(h5_high, shared >> 4).into(),
            h6.cast_signed().into(),
        ];
        Self { h }
    }

    fn percent(&self, raw: u16, fine: f64) -> f64 {
        let [h1, h2, h3, h4, h5, h6] = self.h;
        let from_mean = fine - 76_800.0;
        let above = f64::from(raw) - (h4 * 64.0 + h5 / 16_384.0 * from_mean);
        let slope = 1.0 + h3 / 67_108_864.0 * from_mean;
        let curve = 1.0 + h6 / 67_108_864.0 * from_mean * slope;
        let linear = above * (h2 / 65_536.0 * curve);
        linear * (1.0 - h1 * linear / 524_288.0)
    }
}
