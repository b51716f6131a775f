//! The Pi's own processor, which is a thermal zone of the kernel.

use crate::sensors::catalog::{Facts, Span, Wiring};
use crate::units::MilliCelsius;

/// Its name among the thermal zones, from Pi Zero to Pi 5.
pub const ZONE: &str = "cpu-thermal";

/// The processor.
pub const FACTS: Facts = Facts {
    name: "cpu",
    parts: "BCM2835, BCM2836, BCM2837, BCM2711, BCM2712",
    wirings: &[Wiring::Thermal],
    temperature: Span::celsius(MilliCelsius::new(-40_000), MilliCelsius::new(125_000), 1000),
    origin: "the kernel's",
    ..Facts::BLANK
};
