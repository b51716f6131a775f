//! DHT22, AM2302 and AM2301 on a pin of their own, or behind the kernel's driver: temperature and
//! humidity.
//!
//! What their bits mean is in `sensors/dht.rs`, how they are timed in `bus/dht.rs`.

use crate::sensors::catalog::{Facts, Span, Wiring};
use crate::sensors::packages;
use crate::units::MilliCelsius;

/// DHT22 and its relatives.
pub const FACTS: Facts = Facts {
    name: "dht22",
    parts: "DHT22, AM2302, AM2301",
    wirings: &[Wiring::Pin, Wiring::Iio],
    temperature: Span::celsius(MilliCelsius::new(-40_000), MilliCelsius::new(80_000), 100_000),
    humidity: Some(Span::percent(100_000)),
    pinout: Some(&packages::DHT),
    ..Facts::BLANK
};
