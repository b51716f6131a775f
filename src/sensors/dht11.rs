//! DHT11 on a pin of its own, or behind the kernel's driver: temperature and humidity.
//!
//! What its bits mean is in `sensors/dht.rs`, how they are timed in `bus/dht.rs`.

use crate::sensors::catalog::{Facts, Span, Wiring};
use crate::sensors::packages;
use crate::units::{MilliCelsius, MilliPercent};

/// DHT11.
pub const FACTS: Facts = Facts {
    name: "dht11",
    parts: "DHT11",
    wirings: &[Wiring::Pin, Wiring::Iio],
    // The first ones have whole degrees from 0 to 50 °C.
    temperature: Span::celsius(MilliCelsius::new(-20_000), MilliCelsius::new(60_000), 100_000),
    humidity: Some(Span::percent_between(
        MilliPercent::new(5_000),
        MilliPercent::new(95_000),
        1_000_000,
    )),
    pinout: Some(&packages::DHT),
    ..Facts::BLANK
};
