//! Several sensors of one room: which value is the room's, and whether they agree.

use std::time::Duration;

use crate::time::Tick;
use crate::units::Value;

use super::filter::divided;

/// What the value of a room with several sensors is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Combination {
    /// That of the first that is well, in the order of the configuration.
    #[default]
    FirstHealthy,
    /// The middle one; the mean of the two in the middle where their number is even.
    Median,
    /// The mean of all.
    Mean,
}

impl Combination {
    /// Its name in settings and payloads.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FirstHealthy => "first-healthy",
            Self::Median => "median",
            Self::Mean => "mean",
        }
    }

    /// The value of several of one quantity, the first first; to the nearest thousandth, halves
    /// away from zero.
    pub fn of(self, values: &[Value]) -> Option<Value> {
        let first = *values.first()?;
        match self {
            Self::FirstHealthy => Some(first),
            Self::Mean => Some(mean(first, values)),
            Self::Median => {
                let mut sorted = values.to_vec();
                sorted.sort_unstable();
                let (below, above) = ((sorted.len() - 1) / 2, sorted.len() / 2);
                Some(mean(first, sorted.get(below..=above)?))
            }
        }
    }
}

fn mean(first: Value, values: &[Value]) -> Value {
    let sum: i128 = values.iter().map(|value| i128::from(value.thousandths())).sum();
    let number = i128::try_from(values.len()).unwrap_or(i128::MAX);
    let mean = i32::try_from(divided(sum, number));
    first.with(mean.expect("a mean is not beyond what it is of"))
}

/// How far sensors of one room may be apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance {
    /// In thousandths of the unit; 0: no bound.
    pub spread: u32,
    /// How long they must be further apart before an alarm, and how long nearer before its end.
    pub patience: Duration,
}

/// Whether sensors of one room agree.
///
/// ```text
///            further apart for `patience`
///   agree ──────────────────────────────▶ alarm
///         ◀──────────────────────────────
///            nearer for `patience`
/// ```
///
/// Where only one is left there is nothing to compare, and it may be the wrong one: an alarm
/// stands until two agree.
#[derive(Debug)]
pub struct Agreement {
    tolerance: Tolerance,
    is_alarm: bool,
    /// Since when they do what ends the state.
    turning: Option<Tick>,
}

impl Agreement {
    /// Of sensors that agree as far as is known.
    pub const fn new(tolerance: Tolerance) -> Self {
        Self { tolerance, is_alarm: false, turning: None }
    }

    /// How far they may be apart.
    pub const fn tolerance(&self) -> Tolerance {
        self.tolerance
    }

    /// Whether the alarm stands.
    pub const fn is_alarm(&self) -> bool {
        self.is_alarm
    }

    /// The largest distance between two of them is this now, `None` if there are no two. Whether
    /// the alarm begins or ends with that.
    pub fn judge(&mut self, now: Tick, spread: Option<u32>) -> bool {
        let Tolerance { spread: most, patience } = self.tolerance;
        let is_apart = most > 0 && spread.is_some_and(|spread| spread > most);
        if is_apart == self.is_alarm || self.is_alarm && spread.is_none() {
            self.turning = None;
            return false;
        }
        if now.since(*self.turning.get_or_insert(now)) < patience {
            return false;
        }
        (self.is_alarm, self.turning) = (is_apart, None);
        true
    }

    /// When [`Agreement::judge`] is to be called though nothing was read.
    pub fn deadline(&self) -> Option<Tick> {
        self.turning.map(|since| since.after(self.tolerance.patience))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::milli;
    use super::*;

    #[track_caller]
    fn check(values: &[i32], median: i32, mean: i32) {
        let values: Vec<_> = values.iter().copied().map(milli).collect();
        assert_eq!(Combination::Median.of(&values), Some(milli(median)), "median of {values:?}");
        assert_eq!(Combination::Mean.of(&values), Some(milli(mean)), "mean of {values:?}");
        assert_eq!(Combination::FirstHealthy.of(&values), Some(values[0]));
    }

    #[test]
    fn values_are_combined_to_the_nearest_thousandth() {
        check(&[21_000], 21_000, 21_000);
        check(&[21_000, 20_001], 20_501, 20_501);
        check(&[-21_000, -20_001], -20_501, -20_501);
        check(&[90_000, 20_000, 21_000], 21_000, 43_667);
        check(&[4, 1, 3, 2], 3, 3);
        check(&[i32::MAX, i32::MAX], i32::MAX, i32::MAX);
        check(&[i32::MIN; 3], i32::MIN, i32::MIN);
        assert_eq!(Combination::Mean.of(&[]), None);
        assert_eq!(Combination::Median.of(&[]), None);
    }

    proptest! {
        #[test]
        fn the_order_of_sensors_does_not_matter_and_no_value_is_beyond_them(
            values in prop::collection::vec(any::<i32>().prop_map(milli), 1..20),
        ) {
            let mut turned = values.clone();
            turned.reverse();
            for combination in [Combination::Median, Combination::Mean] {
                let found = combination.of(&values).unwrap();
                prop_assert_eq!(combination.of(&turned).unwrap(), found);
                prop_assert!(values.iter().min() <= Some(&found));
                prop_assert!(Some(&found) <= values.iter().max());
            }
        }
    }

    /// Seconds and spreads, and whether the alarm stands after each.
    #[track_caller]
    fn check_alarm(patience: u64, story: &[(u64, Option<u32>, bool)]) {
        let patience = Duration::from_secs(patience);
        let mut agreement = Agreement::new(Tolerance { spread: 2000, patience });
        for (second, spread, alarm) in story {
            let before = agreement.is_alarm();
            let changed = agreement.judge(Tick::from_micros(second * 1_000_000), *spread);
            assert_eq!(agreement.is_alarm(), *alarm, "at {second}");
            assert_eq!(changed, before != *alarm, "at {second}");
        }
    }

    #[test]
    fn an_alarm_begins_and_ends_after_as_long() {
        let (near, far) = (Some(2000), Some(2001));
        let story = [
            (0, near, false),
            (10, far, false),
            (69, far, false),
            (70, far, true),
            (80, near, true),
            (100, far, true),
            (110, near, true),
            (169, None, true),
            (300, None, true),
            (310, near, true),
            (370, near, false),
        ];
        check_alarm(60, &story);
        check_alarm(60, &[(0, far, false), (59, near, false), (60, far, false), (119, far, false)]);
        check_alarm(0, &[(0, far, true), (0, near, false), (1, None, false), (1, far, true)]);
    }

    #[test]
    fn without_a_bound_there_is_no_alarm() {
        let mut agreement = Agreement::new(Tolerance { spread: 0, patience: Duration::ZERO });
        assert!(!agreement.judge(Tick::ZERO, Some(u32::MAX)));
        assert_eq!(agreement.deadline(), None);
    }
}
