//! Quantities that carry their unit in the type.

use std::fmt;

/// A temperature in thousandths of a degree Celsius.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MilliCelsius(i32);

impl MilliCelsius {
    /// A temperature of `thousandths` of a degree Celsius.
    pub const fn new(thousandths: i32) -> Self {
        Self(thousandths)
    }

    /// Thousandths of a degree Celsius.
    pub const fn thousandths(self) -> i32 {
        self.0
    }

    /// The nearest temperature with `decimals` (0 to 3) digits after the dot; halves go away from
    /// zero.
    #[must_use]
    pub fn rounded(self, decimals: u8) -> Self {
        let step = 10_i32.pow(3_u32.saturating_sub(u32::from(decimals)));
        let half = step / 2;
        let towards =
            if self.0 < 0 { self.0.saturating_sub(half) } else { self.0.saturating_add(half) };
        Self(towards / step * step)
    }

    /// Distance between two temperatures, in thousandths of a degree.
    pub const fn distance(self, other: Self) -> u32 {
        self.0.abs_diff(other.0)
    }

    /// This temperature as plain decimal text with `decimals` (0 to 3) digits: `-10.1`, never
    /// `-0.0`.
    pub fn to_decimal(self, decimals: u8) -> String {
        let rounded = self.rounded(decimals).0;
        let sign = if rounded < 0 { "-" } else { "" };
        let (whole, fraction) = (rounded.unsigned_abs() / 1000, rounded.unsigned_abs() % 1000);
        let digits = format!("{fraction:03}");
        match digits.get(..usize::from(decimals.min(3))) {
            Some(shown) if !shown.is_empty() => format!("{sign}{whole}.{shown}"),
            _ => format!("{sign}{whole}"),
        }
    }
}

impl fmt::Display for MilliCelsius {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} °C", self.to_decimal(3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(thousandths: i32, decimals: u8, expected: &str) {
        assert_eq!(MilliCelsius::new(thousandths).to_decimal(decimals), expected);
    }

    #[test]
    fn decimals_round_half_away_from_zero_and_never_print_minus_zero() {
        check(21_437, 1, "21.4");
        check(21_450, 1, "21.5");
        check(-10_125, 3, "-10.125");
        check(-10_125, 2, "-10.13");
        check(-49, 1, "0.0");
        check(-50, 1, "-0.1");
        check(85_000, 0, "85");
        check(i32::MAX, 1, "2147483.6");
    }
}
