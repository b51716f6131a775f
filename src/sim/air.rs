//! What surrounds a chip.

use crate::units::{DeciPascal, MilliCelsius, MilliPercent};

/// The air at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Air {
    /// How warm it is.
    pub temperature: MilliCelsius,
    /// How damp it is.
    pub humidity: MilliPercent,
    /// How heavy it is.
    pub pressure: DeciPascal,
}

impl Default for Air {
    /// 25 °C, 50 %, 1013.25 hPa.
    fn default() -> Self {
        Self {
            temperature: MilliCelsius::new(25_000),
            humidity: MilliPercent::new(50_000),
            pressure: DeciPascal::new(1_013_250),
        }
    }
}
