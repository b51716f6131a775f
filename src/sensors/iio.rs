//! Any thermometer that the kernel shows as IIO (`/sys/bus/iio/devices`), by its name.

use crate::sensors::catalog::{Facts, Promise, Span, Wiring};
use crate::units::{DeciPascal, MilliCelsius};

/// A device of IIO.
pub const FACTS: Facts = Facts {
    name: "iio",
    parts: "DHT11, DHT22, BME280, BMP280, BMP180, MAX31856, MAX31855, MAX6675",
    wirings: &[Wiring::Iio],
    // What the chip behind it can measure is the kernel's to know.
    temperature: Span::celsius(MilliCelsius::new(-273_150), MilliCelsius::new(1_400_000), 1000),
    humidity: Some(Span { promise: Promise::Perhaps, ..Span::percent(1000) }),
    pressure: Some(Span {
        promise: Promise::Perhaps,
        ..Span::hectopascal(DeciPascal::new(100_000), DeciPascal::new(1_300_000), 1000)
    }),
    origin: "the kernel's",
    ..Facts::BLANK
};
