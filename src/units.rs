//! Quantities that carry their unit in the type.
//!
//! A driver gives a [`MilliCelsius`], a [`MilliPercent`], a [`DeciPascal`]: thousandths of the unit
//! that people read. What does not care which of them it is (filters, topics) takes a [`Value`].

use std::fmt;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quantity {
    /// In °C.
    Temperature,
    /// Relative humidity of the air, in %.
    Humidity,
    /// Of the air, in hPa.
    Pressure,
}

impl Quantity {
    /// Every one, the temperature first.
    pub const ALL: [Self; 3] = [Self::Temperature, Self::Humidity, Self::Pressure];

    /// Its name in topics and settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Temperature => "temperature",
            Self::Humidity => "humidity",
            Self::Pressure => "pressure",
        }
    }

    /// The unit that people read.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Temperature => "°C",
            Self::Humidity => "%",
            Self::Pressure => "hPa",
        }
    }
}

/// A measured value of any quantity, in thousandths of its unit. Values of two quantities are never
/// compared but for order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value {
    quantity: Quantity,
    thousandths: i32,
}

impl Value {
    /// `thousandths` of the unit of `quantity`.
    pub const fn new(quantity: Quantity, thousandths: i32) -> Self {
        Self { quantity, thousandths }
    }

    /// What it is a value of.
    pub const fn quantity(self) -> Quantity {
        self.quantity
    }

    /// Thousandths of its unit.
    pub const fn thousandths(self) -> i32 {
        self.thousandths
    }

    /// The same quantity with another number.
    #[must_use]
    pub const fn with(self, thousandths: i32) -> Self {
        Self { thousandths, ..self }
    }

    /// The nearest value with `decimals` (0 to 3) digits after the dot; halves go away from zero.
    #[must_use]
    pub fn rounded(self, decimals: u8) -> Self {
        let step = 10_i32.pow(3_u32.saturating_sub(u32::from(decimals)));
        let (half, number) = (step / 2, self.thousandths);
        let towards =
            if number < 0 { number.saturating_sub(half) } else { number.saturating_add(half) };
        self.with(towards / step * step)
    }

    /// Distance between two values of one quantity, in thousandths of their unit.
    pub fn distance(self, other: Self) -> u32 {
        debug_assert_eq!(self.quantity, other.quantity, "no distance between two quantities");
        self.thousandths.abs_diff(other.thousandths)
    }

    /// This value as plain decimal text with `decimals` (0 to 3) digits: `-10.1`, never `-0.0`.
    pub fn to_decimal(self, decimals: u8) -> String {
        let rounded = self.rounded(decimals).thousandths;
        let sign = if rounded < 0 { "-" } else { "" };
        let (whole, fraction) = (rounded.unsigned_abs() / 1000, rounded.unsigned_abs() % 1000);
        let digits = format!("{fraction:03}");
        match digits.get(..usize::from(decimals.min(3))) {
            Some(shown) if !shown.is_empty() => format!("{sign}{whole}.{shown}"),
            _ => format!("{sign}{whole}"),
        }
    }
}

impl Value {
    /// With as many decimals as it has: `-40`, `1023.75`.
    pub fn to_shortest(self) -> String {
        let exact = self.to_decimal(3);
        exact.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.to_decimal(3), self.quantity.unit())
    }
}

/// A type for the values of one quantity.
macro_rules! unit {
    ($(#[doc = $about:literal])* $name:ident of $quantity:ident, $unit:literal) => {
        $(#[doc = $about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(i32);

        impl $name {
            #[doc = concat!("A value of `thousandths` of ", $unit, ".")]
            pub const fn new(thousandths: i32) -> Self {
                Self(thousandths)
            }

            #[doc = concat!("Thousandths of ", $unit, ".")]
            pub const fn thousandths(self) -> i32 {
                self.0
            }

            /// The same where any quantity will do.
            pub const fn value(self) -> Value {
                Value::new(Quantity::$quantity, self.0)
            }
        }

        impl From<$name> for Value {
            fn from(typed: $name) -> Self {
                typed.value()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.value().fmt(formatter)
            }
        }
    };
}

unit! {
    /// A temperature in thousandths of a degree Celsius.
    MilliCelsius of Temperature, "a degree Celsius"
}
unit! {
    /// A relative humidity in thousandths of a per cent.
    MilliPercent of Humidity, "a per cent"
}
unit! {
    /// A pressure in tenths of a pascal, which are thousandths of a hectopascal.
    DeciPascal of Pressure, "a hectopascal"
}

impl MilliCelsius {
    /// The nearest thousandth of some degrees; beyond the type's ends, the end. No number is 0.
    pub fn from_degrees(degrees: f64) -> Self {
        Self(nearest(degrees * 1000.0))
    }

    /// Distance between two temperatures, in thousandths of a degree.
    pub const fn distance(self, other: Self) -> u32 {
        self.0.abs_diff(other.0)
    }

    /// See [`Value::to_decimal`].
    pub fn to_decimal(self, decimals: u8) -> String {
        self.value().to_decimal(decimals)
    }
}

impl MilliPercent {
    /// The nearest thousandth of some per cent; beyond the type's ends, the end. No number is 0.
    pub fn from_percent(percent: f64) -> Self {
        Self(nearest(percent * 1000.0))
    }
}

impl DeciPascal {
    /// The nearest tenth of some pascals; beyond the type's ends, the end. No number is 0.
    pub fn from_pascals(pascals: f64) -> Self {
        Self(nearest(pascals * 10.0))
    }
}

/// The nearest integer, halves away from zero.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "there is no other way from a float to an integer, and this one saturates"
)]
fn nearest(number: f64) -> i32 {
    number.round() as i32
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

    #[test]
    fn each_quantity_is_shown_in_the_unit_that_people_read() {
        assert_eq!(MilliCelsius::new(-10_125).to_string(), "-10.125 °C");
        assert_eq!(MilliPercent::new(48_250).to_string(), "48.250 %");
        assert_eq!(DeciPascal::new(1_013_250).to_string(), "1013.250 hPa");
    }

    #[test]
    fn floats_become_the_nearest_thousandth_and_keep_their_sign() {
        assert_eq!(MilliCelsius::from_degrees(-10.125_4), MilliCelsius::new(-10_125));
        assert_eq!(MilliCelsius::from_degrees(21.437_6), MilliCelsius::new(21_438));
        assert_eq!(MilliCelsius::from_degrees(f64::NAN), MilliCelsius::new(0));
        assert_eq!(MilliCelsius::from_degrees(f64::INFINITY), MilliCelsius::new(i32::MAX));
        assert_eq!(MilliPercent::from_percent(48.25), MilliPercent::new(48_250));
        assert_eq!(DeciPascal::from_pascals(101_325.04), DeciPascal::new(1_013_250));
    }
}
