//! Any thermal zone of the kernel (`/sys/class/thermal`), by its type.

use crate::sensors::catalog::{Facts, Span, Wiring};
use crate::units::MilliCelsius;

/// A thermal zone.
pub const FACTS: Facts = Facts {
    name: "thermal",
    parts: "thermal zones",
    wirings: &[Wiring::Thermal],
    temperature: Span::celsius(MilliCelsius::new(-273_150), MilliCelsius::new(1_000_000), 1000),
    origin: "the kernel's",
    ..Facts::BLANK
};
