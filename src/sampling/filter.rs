//! From a believed raw reading to the value that may be shown: calibration, median, average,
//! rounding.
//!
//! A reading that is refused enters none of them: a median and an average are of the last good
//! ones, and stay as they are until the next.

use std::collections::VecDeque;

use crate::time::Tick;
use crate::units::Value;

use super::average::Average;
use super::{Calibration, Rules, SensorSettings};

/// The last calibrated readings of one quantity of a sensor.
#[derive(Debug, Default)]
pub(super) struct Filter {
    window: VecDeque<Value>,
    average: Average,
    last: Tick,
}

impl Filter {
    /// The value to show for a reading. Readings from before a gap of `stale_after` no longer
    /// count: their median and their average would be shown with the time of this one.
    pub(super) fn apply(
        &mut self,
        settings: &SensorSettings,
        rules: &Rules,
        now: Tick,
        raw: Value,
    ) -> Value {
        if now.since(self.last) >= settings.stale_after {
            *self = Self::default();
        }
        self.last = now;
        self.window.push_back(rules.calibration.apply(raw));
        while self.window.len() > rules.median {
            self.window.pop_front();
        }
        let median = median(&self.window).expect("the reading just taken is in the window");
        self.average.take(rules.alpha, median).rounded(rules.decimals)
    }
}

/// The middle of the last readings; of one reading less where their number is even, so that it is
/// always one that was read.
fn median(window: &VecDeque<Value>) -> Option<Value> {
    let even = usize::from(window.len().is_multiple_of(2));
    let mut sorted: Vec<_> = window.iter().skip(even).copied().collect();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

impl Calibration {
    /// The true value for a raw one, to the nearest thousandth, halves away from zero.
    pub fn apply(&self, raw: Value) -> Value {
        match self {
            Self::Offset(offset) => {
                raw.with(raw.thousandths().saturating_add(offset.thousandths()))
            }
            Self::TwoPoint { low, high } => line(*low, *high, raw),
            Self::Polynomial(polynomial) => polynomial.apply(raw),
        }
    }
}

/// The line through two points of (raw, true). A product of two differences of 32 bits needs 66.
fn line(low: (Value, Value), high: (Value, Value), raw: Value) -> Value {
    let wide = |value: Value| i128::from(value.thousandths());
    let (run, rise) = (wide(high.0) - wide(low.0), wide(high.1) - wide(low.1));
    let way = (wide(raw) - wide(low.0)) * rise + wide(low.1) * run;
    let thousandths = divided(way, run);
    let bound = if thousandths < 0 { i32::MIN } else { i32::MAX };
    raw.with(i32::try_from(thousandths).unwrap_or(bound))
}

/// The nearest integer, halves away from zero. `divisor` is not zero.
pub(super) fn divided(dividend: i128, divisor: i128) -> i128 {
    let (dividend, divisor) = (dividend * divisor.signum(), divisor.abs());
    (2 * dividend + divisor * dividend.signum()) / (2 * divisor)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{milli, with_rules};
    use super::*;

    #[track_caller]
    fn check_two_point(low: (i32, i32), high: (i32, i32), raw: i32, expected: i32) {
        let calibration = Calibration::TwoPoint {
            low: (milli(low.0), milli(low.1)),
            high: (milli(high.0), milli(high.1)),
        };
        assert_eq!(calibration.apply(milli(raw)), milli(expected));
    }

    #[test]
    fn two_points_are_met_exactly_and_the_line_between_rounds_to_nearest() {
        let (low, high) = ((400, 0), (99_300, 100_000));
        check_two_point(low, high, 400, 0);
        check_two_point(low, high, 99_300, 100_000);
        check_two_point(low, high, 21_437, 21_271);
        check_two_point(low, high, -10_000, -10_516);
        check_two_point(high, low, 21_437, 21_271);
        check_two_point((0, 0), (2, 1), 3, 2);
        check_two_point((0, 0), (2, 1), -3, -2);
        check_two_point((0, 0), (2, -1), 3, -2);
        check_two_point((0, 1), (2, 2), -3, -1);
    }

    #[test]
    fn calibration_saturates_at_the_ends_of_its_type() {
        let ends = ((0, 0), (1, i32::MAX));
        check_two_point(ends.0, ends.1, i32::MAX, i32::MAX);
        check_two_point(ends.0, ends.1, i32::MIN, i32::MIN);
        check_two_point((i32::MIN, i32::MAX), (i32::MAX, i32::MIN), i32::MAX, i32::MIN);
        assert_eq!(Calibration::Offset(milli(1)).apply(milli(i32::MAX)), milli(i32::MAX));
        assert_eq!(Calibration::Offset(milli(-300)).apply(milli(100)), milli(-200));
    }

    /// Raw readings 10 s apart with a median of `median`, and what is shown for them.
    #[track_caller]
    fn check_median(median: usize, readings: &[(i32, i32)]) {
        let settings = with_rules(|rules| rules.median = median);
        let mut filter = Filter::default();
        for (index, (raw, expected)) in (0_u64..).zip(readings) {
            let now = Tick::from_micros(index * 10_000_000);
            assert_eq!(
                filter.apply(&settings, &settings.temperature, now, milli(*raw)),
                milli(*expected),
                "at {index}"
            );
        }
    }

    #[test]
    fn a_median_shows_readings_that_were_read() {
        check_median(1, &[(20_000, 20_000), (90_000, 90_000)]);
        check_median(3, &[(20_000, 20_000), (90_000, 90_000), (21_000, 21_000), (22_000, 22_000)]);
        check_median(3, &[(21_000, 21_000), (20_000, 20_000)]);
        let spike = [(20_000, 20_000), (20_000, 20_000), (20_100, 20_000), (90_000, 20_100)];
        check_median(3, &spike);
        check_median(5, &[(1000, 1000), (2000, 2000), (3000, 2000), (4000, 3000), (5000, 3000)]);
    }

    #[test]
    fn readings_from_before_a_gap_are_forgotten() {
        let settings = with_rules(|rules| rules.median = 5);
        let mut filter = Filter::default();
        let mut at = |second: u64, raw| {
            let now = Tick::from_micros(second * 1_000_000);
            filter.apply(&settings, &settings.temperature, now, milli(raw))
        };
        for second in [0, 10, 20, 30] {
            at(second, 21_000);
        }
        assert_eq!(at(59, 15_000), milli(21_000));
        assert_eq!(at(89, 14_000), milli(14_000));
    }

    /// A spike goes into the median, which keeps it from the average.
    #[test]
    fn the_median_comes_before_the_average_which_begins_anew_after_a_gap() {
        let settings = with_rules(|rules| (rules.median, rules.alpha) = (3, 500));
        let mut filter = Filter::default();
        let mut at = |second: u64, raw| {
            let now = Tick::from_micros(second * 1_000_000);
            filter.apply(&settings, &settings.temperature, now, milli(raw)).thousandths()
        };
        let shown = [(0, 20_000), (10, 20_000), (20, 90_000), (30, 22_000), (40, 22_000)]
            .map(|(second, raw)| at(second, raw));
        assert_eq!(shown, [20_000, 20_000, 20_000, 21_000, 21_500]);
        assert_eq!(at(69, 22_000), 21_750);
        assert_eq!(at(99, 15_000), 15_000);
    }

    #[test]
    fn the_offset_comes_before_the_rounding() {
        let settings = with_rules(|rules| {
            rules.calibration = Calibration::Offset(milli(-60));
            rules.decimals = 1;
        });
        let shown =
            |raw| Filter::default().apply(&settings, &settings.temperature, Tick::ZERO, milli(raw));
        assert_eq!(shown(21_100), milli(21_000));
        assert_eq!(shown(11).to_decimal(1), "0.0");
    }
}
