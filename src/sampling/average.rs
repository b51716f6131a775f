//! The exponential moving average of the last readings.

use crate::units::Value;

use super::filter::divided;

/// Parts of a thousandth that are kept: rounded to what is shown, an average would stop as soon as
/// a step is less than half a thousandth, and stay away from a value for ever.
const FINE: i128 = 1 << 20;

/// An average that begins with the first reading it is given.
#[derive(Debug, Default)]
pub(super) struct Average {
    /// In [`FINE`] parts of a thousandth.
    fine: Option<i128>,
}

impl Average {
    /// With a reading more, whose weight is `alpha` thousandths, to the nearest thousandth.
    pub(super) fn take(&mut self, alpha: u32, value: Value) -> Value {
        let new = i128::from(value.thousandths()) * FINE;
        let before = self.fine.unwrap_or(new);
        let average = before + divided((new - before) * i128::from(alpha), 1000);
        self.fine = Some(average);
        let thousandths = i32::try_from(divided(average, FINE));
        value.with(thousandths.expect("an average is not beyond what it is of"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::milli;
    use super::*;

    #[track_caller]
    fn check(alpha: u32, readings: &[(i32, i32)]) {
        let mut average = Average::default();
        for (reading, expected) in readings {
            assert_eq!(average.take(alpha, milli(*reading)), milli(*expected), "{readings:?}");
        }
    }

    #[test]
    fn it_begins_with_the_first_reading_and_goes_a_part_of_the_way() {
        check(100, &[(20_000, 20_000), (30_000, 21_000), (30_000, 21_900), (0, 19_710)]);
        check(1000, &[(20_000, 20_000), (90_000, 90_000), (-5, -5)]);
        check(500, &[(i32::MIN, i32::MIN), (i32::MAX, -1), (i32::MAX, 1_073_741_823)]);
    }

    proptest! {
        /// The smallest weight halves the distance in 693 readings; 26 times that is enough for
        /// any two temperatures.
        #[test]
        fn what_stays_is_reached_to_the_thousandth_from_either_side(
            alpha in 1..=1000_u32,
            from in -200_000..1_000_000_i32,
            to in -200_000..1_000_000_i32,
        ) {
            let mut average = Average::default();
            average.take(alpha, milli(from));
            let mut last = milli(from);
            for _ in 0..26 * 693_000 / (1000 * alpha) + 26 {
                let next = average.take(alpha, milli(to));
                prop_assert!(next.distance(milli(to)) <= last.distance(milli(to)), "it turned");
                last = next;
            }
            prop_assert_eq!(last, milli(to));
        }

        /// A year of readings each ten minutes does not lead it away from the real average.
        #[test]
        fn it_does_not_drift(
            alpha in 1..=1000_u32,
            readings in prop::collection::vec(-40_000..125_000_i32, 1..100),
        ) {
            let mut average = Average::default();
            let mut exact = f64::from(readings[0]);
            for reading in readings.iter().cycle().take(52_560) {
                exact += (f64::from(*reading) - exact) * f64::from(alpha) / 1000.0;
                let shown = average.take(alpha, milli(*reading)).thousandths();
                prop_assert!((f64::from(shown) - exact).abs() < 0.501, "{} is {}", shown, exact);
            }
        }

        #[test]
        fn cold_is_averaged_as_heat_is(
            alpha in 1..=1000_u32,
            readings in prop::collection::vec(-125_000..125_000_i32, 1..100),
        ) {
            let (mut one, mut other) = (Average::default(), Average::default());
            for reading in readings {
                let mirrored = other.take(alpha, milli(-reading)).thousandths();
                prop_assert_eq!(one.take(alpha, milli(reading)).thousandths(), -mirrored);
            }
        }
    }
}
