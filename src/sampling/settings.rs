//! How a sensor is sampled, as the configuration has checked it.

use std::time::Duration;

use crate::limits;
use crate::sensors::catalog::Promise;
use crate::units::{Quantity, Value};

use super::{Pace, Polynomial};

/// How one sensor is sampled. Checked: see the configuration for what each means.
#[derive(Clone, Debug, PartialEq)]
pub struct SensorSettings {
    /// From one reading to the next.
    pub interval: Duration,
    /// Further tries within one interval when a reading fails or is refused; none while the sensor
    /// has failed for some intervals in a row.
    pub retries: u8,
    /// Longest time between two publications of a healthy sensor, to the nearest reading. Where
    /// `stale_after` is shorter, that counts: a published value must not expire under a sensor
    /// that is well.
    pub heartbeat: Duration,
    /// Age at which the last good reading no longer counts.
    pub stale_after: Duration,
    /// What is believed and shown of its temperature.
    pub temperature: Rules,
    /// Likewise of the humidity; `None`: it has none.
    pub humidity: Option<Rules>,
    /// Likewise of the pressure; `None`: it has none.
    pub pressure: Option<Rules>,
}

/// What is believed and shown of one quantity of a sensor. All its values are of that quantity.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Whether each reading has it.
    pub promise: Promise,
    /// Readings below are refused.
    pub lowest: Value,
    /// Readings above are refused.
    pub highest: Value,
    /// Fastest believable change, in thousandths of the unit per minute; a faster one must be
    /// confirmed by the next reading.
    pub rate_per_minute: Option<u32>,
    /// Raw → true value.
    pub calibration: Calibration,
    /// Number of last readings whose median counts; 1: none. Odd.
    pub median: usize,
    /// Weight of each reading in an exponential moving average, in thousandths, 1 to 1000; 1000:
    /// none.
    pub alpha: u32,
    /// Digits after the dot that are published, 0 to 3.
    pub decimals: u8,
    /// Smallest change that is published at once, in thousandths of the unit.
    pub deadband: u32,
}

/// Raw → true value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Calibration {
    /// True = raw + offset; zero for none.
    Offset(Value),
    /// The line through two points of (raw, true).
    TwoPoint {
        /// Raw and true value of the one.
        low: (Value, Value),
        /// Raw and true value of the other; raw differs from `low`'s.
        high: (Value, Value),
    },
    /// The polynomial that passes measured points nearest.
    Polynomial(Polynomial),
}

impl SensorSettings {
    /// The quantities that it gives, the temperature first, with the rules of each.
    pub fn rules(&self) -> impl Iterator<Item = (Quantity, &Rules)> {
        Quantity::ALL.into_iter().filter_map(|quantity| Some((quantity, self.rules_of(quantity)?)))
    }

    /// The rules of a quantity; `None` if the sensor does not give it.
    pub const fn rules_of(&self, quantity: Quantity) -> Option<&Rules> {
        match quantity {
            Quantity::Temperature => Some(&self.temperature),
            Quantity::Humidity => self.humidity.as_ref(),
            Quantity::Pressure => self.pressure.as_ref(),
        }
    }

    /// How often a quantity with these rules is published.
    pub const fn pace(&self, rules: &Rules) -> Pace {
        Pace {
            deadband: rules.deadband,
            interval: self.interval,
            heartbeat: self.heartbeat,
            stale_after: self.stale_after,
        }
    }

    /// What the configuration promises and the arithmetic of this module relies on.
    pub(super) fn assert_checked(&self, label: &str) {
        assert!(!self.interval.is_zero(), "no interval: {label}");
        assert!(!self.stale_after.is_zero(), "no age at which a reading is stale: {label}");
        for (quantity, rules) in self.rules() {
            rules.assert_checked(quantity, label);
        }
    }
}

impl Rules {
    fn assert_checked(&self, quantity: Quantity, label: &str) {
        let mine = |value: Value| value.quantity() == quantity;
        assert!(mine(self.lowest) && mine(self.highest), "a range of something else: {label}");
        assert!(self.lowest <= self.highest, "an empty range: {label}");
        assert!(self.median % 2 == 1, "a median of an even number: {label}");
        assert!(self.median <= limits::MEDIAN_READINGS_MAX, "too long a median: {label}");
        assert!((1..=1000).contains(&self.alpha), "no weight of an average: {label}");
        if let Calibration::TwoPoint { low, high } = self.calibration {
            assert!(low.0 != high.0, "one point twice: {label}");
        }
    }
}
