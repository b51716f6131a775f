//! BMP180 and BMP085 on I²C (datasheet BST-BMP180-DS000): two conversions per reading, each seen to
//! begin and to end.
//!
//! Written out here instead of taken from the crate `bmp180-driver` 0.1: see `hardware/bmp180.md`.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

use crate::sensors::catalog::{Facts, Span, Wiring};
use crate::sensors::i2c::{I2cChip, read, read_twice, write};
use crate::sensors::pinout::{I2C_PARTS, Line, Pinout, Terminal};
use crate::sensors::{Fault, Measurement};
use crate::units::{DeciPascal, MilliCelsius};

/// BMP180, BMP085.
pub const FACTS: Facts = Facts {
    name: "bmp180",
    parts: "BMP180, BMP085",
    wirings: &[Wiring::I2c],
    temperature: Span::celsius(MilliCelsius::new(-40_000), MilliCelsius::new(85_000), 20_600),
    pressure: Some(Span::hectopascal(DeciPascal::new(300_000), DeciPascal::new(1_100_000), 50_000)),
    addresses: &[0x77],
    pinout: Some(&PINOUT),
    ..Facts::BLANK
};

/// Its pins, and where they go.
const PINOUT: Pinout = Pinout {
    package: "LGA-7",
    terminals: &[
        Terminal::to(2, "VDD", Line::Supply),
        Terminal::to(3, "VDDIO", Line::Supply),
        Terminal::to(6, "SDA", Line::Sda),
        Terminal::to(5, "SCL", Line::Scl),
        Terminal::open(1, "CSB"),
        Terminal::open(4, "SDO"),
        Terminal::to(7, "GND", Line::Ground),
    ],
    parts: &I2C_PARTS,
};

/// Section 4.1, memory map.
const TRIM: u8 = 0xaa;
const ID: u8 = 0xd0;
const CONTROL: u8 = 0xf4;
const DATA: u8 = 0xf6;

const BMP180: u8 = 0x55;
/// What begins a conversion; the bit in it that is cleared when it has ended.
const TEMPERATURE: u8 = 0x2e;
const PRESSURE_EIGHT_TIMES: u8 = 0xf4;
const CONVERTING: u8 = 1 << 5;
/// Longest conversions (section 3.3.1).
const TEMPERATURE_MS: u32 = 5;
const PRESSURE_MS: u32 = 26;
const POLL_MS: u32 = 5;
/// Looks at a chip that still converts.
const POLLS_MAX: u32 = 3;

/// The chip; it has one address.
#[derive(Debug)]
pub struct Bmp180 {
    address: u8,
    /// Read when its identity was proved; `None` after a fault.
    trim: Option<Trim>,
}

impl Bmp180 {
    /// The chip at this 7-bit address.
    pub const fn new(address: u8) -> Self {
        Self { address, trim: None }
    }

    fn measure<I: I2c>(
        &mut self,
        i2c: &mut I,
        delay: &mut impl DelayNs,
    ) -> Result<Measurement, Fault> {
        let trim = match self.trim {
            Some(trim) => trim,
            None => *self.trim.insert(self.prove(i2c)?),
        };
        let temperature: [u8; 2] = self.convert(i2c, delay, TEMPERATURE, TEMPERATURE_MS)?;
        let pressure: [u8; 3] = self.convert(i2c, delay, PRESSURE_EIGHT_TIMES, PRESSURE_MS)?;
        let [high, middle, low] = pressure.map(u32::from);
        let warmth = trim.warmth(u16::from_be_bytes(temperature).into());
        let pascals = trim.pascals((high << 16 | middle << 8 | low) >> 5, warmth);
        Ok(Measurement {
            pressure: Some(DeciPascal::from_pascals(pascals)),
            ..Measurement::of(MilliCelsius::from_degrees(warmth / 160.0))
        })
    }

    fn prove<I: I2c>(&self, i2c: &mut I) -> Result<Trim, Fault> {
        if read_twice(i2c, self.address, ID)? != [BMP180] {
            return Err(Fault::WrongChip);
        }
        let bytes = read_twice(i2c, self.address, TRIM)?;
        let words = bytes.as_chunks::<2>().0;
        // Section 3.4: none of them is ever 0 or 0xffff.
        if words.iter().any(|word| matches!(word, [0, 0] | [0xff, 0xff])) {
            return Err(Fault::Garbled);
        }
        Ok(Trim::new(bytes))
    }

    /// A chip that did not hear the command would show what it converted before.
    fn convert<const N: usize, I: I2c>(
        &self,
        i2c: &mut I,
        delay: &mut impl DelayNs,
        command: u8,
        wait_ms: u32,
    ) -> Result<[u8; N], Fault> {
        let done = command & !CONVERTING;
        write(i2c, self.address, &[CONTROL, command])?;
        if self.control(i2c)? != command {
            return Err(Fault::Garbled);
        }
        delay.delay_ms(wait_ms);
        for _ in 0..POLLS_MAX {
            let control = self.control(i2c)?;
            if control == done {
                let data = read_twice(i2c, self.address, DATA)?;
                // Still the same conversion: the chip has not restarted since.
                let is_same = self.control(i2c)? == done;
                return if is_same { Ok(data) } else { Err(Fault::PowerOn) };
            }
            if control != command {
                return Err(Fault::PowerOn);
            }
            delay.delay_ms(POLL_MS);
        }
        Err(Fault::Timeout)
    }

    fn control<I: I2c>(&self, i2c: &mut I) -> Result<u8, Fault> {
        read(i2c, self.address, CONTROL).map(|[control]| control)
    }
}

impl<I: I2c, D: DelayNs> I2cChip<I, D> for Bmp180 {
    /// Takes 32 ms.
    fn read(&mut self, i2c: &mut I, delay: &mut D) -> Result<Measurement, Fault> {
        let reading = self.measure(i2c, delay);
        if reading.is_err() {
            self.trim = None;
        }
        reading
    }
}

/// What the maker measured of this one chip: `AC1` to `MD` of section 3.4.
#[derive(Clone, Copy, Debug)]
struct Trim {
    ac: [f64; 6],
    b: [f64; 2],
    mc: f64,
    md: f64,
}

impl Trim {
    fn new(bytes: [u8; 22]) -> Self {
        let word = |at: usize| {
            let pair = bytes.as_chunks::<2>().0.get(at).copied().unwrap_or_default();
            u16::from_be_bytes(pair)
        };
        let signed = |at| f64::from(word(at).cast_signed());
        let unsigned = |at| f64::from(word(at));
        Self {
            ac: [signed(0), signed(1), signed(2), unsigned(3), unsigned(4), unsigned(5)],
            b: [signed(6), signed(7)],
            mc: signed(9),
            md: signed(10),
        }
    }

    /// `B5` of section 3.5: the temperature in units of 1/160 °C, which the pressure needs.
    fn warmth(&self, raw: f64) -> f64 {
        let [.., ac5, ac6] = self.ac;
        let above = (raw - ac6) * ac5 / 32_768.0;
        above + self.mc * 2048.0 / (above + self.md)
    }

    /// Section 3.5, without its roundings; `raw` has three bits more than without oversampling.
    fn pascals(&self, raw: u32, warmth: f64) -> f64 {
        let [ac1, ac2, ac3, ac4, ..] = self.ac;
        let [b1, b2] = self.b;
        let from_mean = warmth - 4000.0;
        let squared = from_mean * from_mean / 4096.0;
        let offset = (ac1 * 4.0 + (b2 * squared + ac2 * from_mean) / 2048.0) * 2.0;
        let gain = (ac3 * from_mean / 8192.0 + b1 * squared / 65_536.0) / 4.0;
        let gain = ac4 * (gain + 32_768.0) / 32_768.0;
        let linear = (f64::from(raw) - offset) * 6250.0 * 2.0 / gain;
        let square = linear / 256.0 * (linear / 256.0);
        linear + (square * 3038.0 / 65_536.0 - 7357.0 * linear / 65_536.0 + 3791.0) / 16.0
    }
}
