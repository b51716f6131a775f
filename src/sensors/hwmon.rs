//! Any thermometer that the kernel shows as hwmon (`/sys/class/hwmon`), by its name.

use crate::sensors::catalog::{Facts, Promise, Span, Wiring};
use crate::units::MilliCelsius;

/// A device of hwmon.
pub const FACTS: Facts = Facts {
    name: "hwmon",
    parts: "LM75, TMP102, TMP421, EMC1403, JC42, SHT2x, SHT3x, SHT4x, NTC",
    wirings: &[Wiring::Hwmon],
    // What the chip behind it can measure is the kernel's to know.
    temperature: Span::celsius(MilliCelsius::new(-273_150), MilliCelsius::new(1_000_000), 1000),
    humidity: Some(Span { promise: Promise::Perhaps, ..Span::percent(1000) }),
    origin: "the kernel's",
    ..Facts::BLANK
};
