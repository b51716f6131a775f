//! What the kernel's own drivers show in files: numbers in text, with units that depend on the
//! subsystem (Documentation/ABI/testing/sysfs-bus-iio, Documentation/hwmon/sysfs-interface).

use super::{Fault, Measurement};
use crate::units::{DeciPascal, MilliCelsius, MilliPercent};

/// A number of a file and how it is to be read: (raw + offset) · scale, in the subsystem's unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number {
    /// What the file says.
    pub raw: f64,
    /// What is added to it.
    pub offset: f64,
    /// What that is multiplied by.
    pub scale: f64,
}

impl Number {
    /// One that is in its unit already.
    pub const fn plain(raw: f64) -> Self {
        Self { raw, offset: 0.0, scale: 1.0 }
    }

    fn value(self) -> f64 {
        (self.raw + self.offset) * self.scale
    }
}

/// A number as the kernel prints it, `22120`, `-10125`, `101.325000000`, with its line end.
pub fn number(text: &[u8]) -> Result<f64, Fault> {
    let text = str::from_utf8(text.trim_ascii()).map_err(|_| Fault::Garbled)?;
    let is_number = |text: &str| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        digits.starts_with(|first: char| first.is_ascii_digit())
            && digits.chars().all(|letter| letter.is_ascii_digit() || letter == '.')
    };
    Some(text)
        .filter(|text| is_number(text))
        .and_then(|text| text.parse().ok())
        .ok_or(Fault::Garbled)
}

/// The temperature in thousandths of a degree, as all of them have it; the humidity in thousandths
/// of a per cent, the pressure in kilopascals.
pub fn measurement(
    temperature: Number,
    humidity: Option<Number>,
    pressure: Option<Number>,
) -> Measurement {
    Measurement {
        humidity: humidity.map(|it| MilliPercent::from_percent(it.value() / 1000.0)),
        pressure: pressure.map(|it| DeciPascal::from_pascals(it.value() * 1000.0)),
        ..Measurement::of(MilliCelsius::from_degrees(temperature.value() / 1000.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<f64, Fault>) {
        assert_eq!(number(text.as_bytes()), expected, "{text}");
    }

    #[test]
    fn numbers_are_the_kernels_and_nothing_else_is() {
        check("22120\n", Ok(22_120.0));
        check("-10125\n", Ok(-10_125.0));
        check("101.325000000\n", Ok(101.325));
        check("0", Ok(0.0));
        for text in ["", "\n", "-", "nan", "inf", "1e9", "+5", "0x10", "1.2.3", "22 120", "é"] {
            check(text, Err(Fault::Garbled));
        }
    }

    /// Raw numbers of a converter, thousandths of a DHT11, kilopascals of a BMP280.
    #[test]
    fn raw_offset_and_scale_make_thousandths_of_a_degree() {
        let read = measurement(
            Number { raw: 512.0, offset: -155.2, scale: 322.265_625 },
            Some(Number::plain(48_250.0)),
            Some(Number::plain(101.325)),
        );
        assert_eq!(read.temperature, MilliCelsius::new(114_984));
        assert_eq!(read.humidity, Some(MilliPercent::new(48_250)));
        assert_eq!(read.pressure, Some(DeciPascal::new(1_013_250)));
    }
}
