//! Durations, sizes and decimal numbers: as written, and written back.

use std::time::Duration;

use super::complaint::{Complaint, Complaints};
use super::document::{Node, Value};
use super::manual::Kind;
use super::written::{Written, mismatch};
use crate::units::{Quantity, Value as Measured};

/// What can be compared with a bound and written back as the configuration has it, without quotes.
pub(super) trait Bounded: Copy + PartialOrd {
    /// As written.
    fn written(self) -> String;
}

/// Units of durations, the longest first, in milliseconds.
const DURATION_UNITS: [(&str, u128); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

const DURATION_HINT: &str = "a number and `ms`, `s`, `m`, `h` or `d`, as in `\"10s\"`";

impl Written for Duration {
    const KIND: Kind = Kind::Duration;

    fn read(node: Node, complaints: &mut Complaints) -> Option<Self> {
        let text = match node.value {
            Value::Text(text) => text,
            Value::Integer(number) => {
                let complaint = Complaint::value(node.place, "a duration needs a unit");
                let seconds = format!("for seconds write `\"{number}s\"`");
                complaints.push(complaint.found(number.to_string()).hint(seconds));
                return None;
            }
            other => {
                let hint = Some(DURATION_HINT.to_owned());
                return mismatch(node.place, &other, "a duration", hint, complaints);
            }
        };
        let duration = strict_duration(&text);
        if duration.is_none() {
            let hint = loose_duration(&text).map_or(DURATION_HINT.to_owned(), |duration| {
                format!("did you mean `\"{}\"`?", duration.written())
            });
            complaints.push(Complaint::value(node.place, "not a duration").found(text).hint(hint));
        }
        duration
    }
}

/// One notation only, in lower case: elsewhere `1m` is a minute and `1M` a month.
fn strict_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    while !rest.is_empty() {
        let unit = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let after = unit.trim_start_matches(|letter: char| letter.is_ascii_lowercase());
        let name = unit.strip_suffix(after)?;
        if unit.len() == rest.len() || !DURATION_UNITS.iter().any(|(known, _)| *known == name) {
            return None;
        }
        rest = after.strip_prefix(' ').unwrap_or(after);
    }
    humantime::parse_duration(text).ok()
}

/// What somebody may have meant by a text that is no duration.
fn loose_duration(text: &str) -> Option<Duration> {
    let text = text.trim().to_lowercase();
    let seconds = format!("{text}s");
    strict_duration(&text)
        .or_else(|| humantime::parse_duration(&text).ok())
        .or_else(|| strict_duration(&seconds))
}

impl Bounded for Duration {
    /// What is below a millisecond is left out.
    fn written(self) -> String {
        let mut rest = self.as_millis();
        let mut text = String::new();
        for (unit, milliseconds) in DURATION_UNITS {
            if rest >= milliseconds {
                text.push_str(&(rest / milliseconds).to_string());
                text.push_str(unit);
                rest %= milliseconds;
            }
        }
        if text.is_empty() { "0s".to_owned() } else { text }
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Size(pub(super) u64);

/// Units of sizes, binary ones first, the largest first.
const SIZE_UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

const SIZE_HINT: &str =
    "a number and `B`, `KiB`, `MiB`, `GiB`, `kB`, `MB` or `GB`, as in `\"1 MiB\"`";

impl Written for Size {
    const KIND: Kind = Kind::Size;

    fn read(node: Node, complaints: &mut Complaints) -> Option<Self> {
        let text = match node.value {
            Value::Text(text) => text,
            Value::Integer(0) => return Some(Self(0)),
            Value::Integer(number) => {
                let complaint = Complaint::value(node.place, "a size needs a unit");
                let hint = u64::try_from(number).map_or(SIZE_HINT.to_owned(), |number| {
                    format!("for bytes write `\"{}\"`", Self(number).written())
                });
                complaints.push(complaint.found(number.to_string()).hint(hint));
                return None;
            }
            other => {
                let hint = Some(SIZE_HINT.to_owned());
                return mismatch(node.place, &other, "a size", hint, complaints);
            }
        };
        let size = size(&text, |written, unit| written == unit);
        if size.is_none() {
            let meant = self::size(&text, loosely_same);
            let hint = meant.map_or(SIZE_HINT.to_owned(), |meant| {
                format!("did you mean `\"{}\"`?", meant.written())
            });
            complaints.push(Complaint::value(node.place, "not a size").found(text).hint(hint));
        }
        size
    }
}

/// A number and a unit, with or without a space between them.
fn size(text: &str, same: impl Fn(&str, &str) -> bool) -> Option<Size> {
    let unit = text.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let (_, bytes) = SIZE_UNITS.iter().find(|(known, _)| same(unit, known))?;
    number.checked_mul(*bytes).map(Size)
}

/// `k`, `K`, `kib` for `KiB`; `KB`, `kb` for `kB`; `bytes` or nothing for `B`.
fn loosely_same(written: &str, unit: &str) -> bool {
    let (written, unit) = (written.trim().to_lowercase(), unit.to_lowercase());
    match written.as_str() {
        "" | "byte" | "bytes" => unit == "b",
        "k" | "m" | "g" => unit == format!("{written}ib"),
        _ => unit == written,
    }
}

impl Bounded for Size {
    fn written(self) -> String {
        let fits = |(_, bytes): &&(&str, u64)| self.0 >= *bytes && self.0.is_multiple_of(*bytes);
        let (unit, bytes) = SIZE_UNITS.iter().find(fits).copied().unwrap_or(("B", 1));
        format!("{} {unit}", self.0 / bytes)
    }
}

/// A decimal number in thousandths: temperatures in °C, and whatever else has a dot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Decimal(pub(super) i32);

impl Decimal {
    /// As a value of `quantity`, whose unit it was written in.
    pub(super) const fn of(self, quantity: Quantity) -> Measured {
        Measured::new(quantity, self.0)
    }
}

impl From<Decimal> for f64 {
    fn from(decimal: Decimal) -> Self {
        Self::from(decimal.0) / 1000.0
    }
}

impl From<Measured> for Decimal {
    fn from(value: Measured) -> Self {
        Self(value.thousandths())
    }
}

/// Largest magnitude that is read at all: what fits in [`Decimal`].
const DECIMAL_MAX: f64 = 2_000_000.0;

impl Written for Decimal {
    const KIND: Kind = Kind::Decimal;

    fn read(node: Node, complaints: &mut Complaints) -> Option<Self> {
        let number = match &node.value {
            Value::Integer(integer) => i32::try_from(*integer).ok().map(f64::from),
            Value::Float(float) => Some(*float),
            other => {
                let hint = match other {
                    Value::Text(text) => loose_number(text),
                    _ => None,
                };
                return mismatch(node.place, other, "a number", hint, complaints);
            }
        };
        let rounded = number.and_then(to_thousandths);
        if rounded.is_none() {
            let written = node.value.written().unwrap_or_default();
            complaints.push(Complaint::value(node.place, "not a number of use").found(written));
        }
        // What would be taken for zero, which often means that something is off.
        if rounded == Some(0) && number != Some(0.0) {
            let written = node.value.written().unwrap_or_default();
            let complaint = Complaint::value(node.place, "finer than a thousandth").found(written);
            complaints.push(complaint.hint("three digits after the dot count: `0.001`"));
            return None;
        }
        rounded.map(Self)
    }
}

fn loose_number(text: &str) -> Option<String> {
    let number = text.trim().trim_end_matches(['C', '°', ' ']).replace(',', ".");
    let number = number.replace('−', "-");
    let number: f64 = number.parse().ok().filter(|number: &f64| number.is_finite())?;
    Some(format!("without quotes and unit: `{number}`"))
}

/// The nearest thousandth. Formatting rounds the exact value of the float, which no product with
/// 1000 would do.
fn to_thousandths(value: f64) -> Option<i32> {
    if value.is_nan() || value.abs() > DECIMAL_MAX {
        return None;
    }
    format!("{value:.3}").replace('.', "").parse().ok()
}

impl Bounded for Decimal {
    fn written(self) -> String {
        let decimal = self.of(Quantity::Temperature).to_decimal(3);
        match decimal.trim_end_matches('0') {
            whole if whole.ends_with('.') => format!("{whole}0"),
            trimmed => trimmed.to_owned(),
        }
    }
}

impl Bounded for i64 {
    fn written(self) -> String {
        self.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_duration(text: &str, expected: Result<u128, Option<&str>>) {
        let meant = || loose_duration(text).map(Bounded::written);
        let found = strict_duration(text).map(|duration| duration.as_millis()).ok_or_else(meant);
        assert_eq!(found, expected.map_err(|meant| meant.map(str::to_owned)), "{text}");
    }

    #[test]
    fn durations_have_one_notation_and_others_are_understood_as_suggestions() {
        check_duration("10s", Ok(10_000));
        check_duration("1h30m", Ok(5_400_000));
        check_duration("1h 30m", Ok(5_400_000));
        check_duration("500ms", Ok(500));
        check_duration("7d", Ok(604_800_000));
        check_duration("0s", Ok(0));
        check_duration("10 sec", Err(Some("10s")));
        check_duration("10", Err(Some("10s")));
        check_duration("5M", Err(Some("5m")));
        check_duration("1.5h", Err(Some("1h30m")));
        check_duration("2 weeks", Err(Some("14d")));
        check_duration("10  s", Err(Some("10s")));
        check_duration("-5s", Err(None));
        check_duration("soon", Err(None));
        check_duration("", Err(None));
        check_duration("99999999999999999999d", Err(None));
    }

    #[track_caller]
    fn check_size(text: &str, expected: Result<u64, Option<&str>>) {
        let meant = || size(text, loosely_same).map(Bounded::written);
        let found = size(text, |a, b| a == b).map(|size| size.0).ok_or_else(meant);
        assert_eq!(found, expected.map_err(|meant| meant.map(str::to_owned)), "{text}");
    }

    #[test]
    fn sizes_have_binary_and_decimal_units() {
        check_size("1 MiB", Ok(1_048_576));
        check_size("16MiB", Ok(16_777_216));
        check_size("64 KiB", Ok(65_536));
        check_size("500 B", Ok(500));
        check_size("2 kB", Ok(2_000));
        check_size("3 MB", Ok(3_000_000));
        check_size("1 GiB", Ok(1_073_741_824));
        check_size("16 M", Err(Some("16 MiB")));
        check_size("16 mib", Err(Some("16 MiB")));
        check_size("64 KB", Err(Some("64 kB")));
        check_size("1048576", Err(Some("1 MiB")));
        check_size("1.5 MiB", Err(None));
        check_size("MiB", Err(None));
        check_size("99999999999 GiB", Err(None));
    }

    #[test]
    fn decimals_are_the_nearest_thousandths() {
        assert_eq!(to_thousandths(-0.3), Some(-300));
        assert_eq!(to_thousandths(1.001), Some(1001));
        assert_eq!(to_thousandths(0.0045), Some(4), "the float is just below the half");
        assert_eq!(to_thousandths(-0.0), Some(0));
        assert_eq!(to_thousandths(2_000_000.0), Some(2_000_000_000));
        assert_eq!(to_thousandths(2_000_001.0), None);
        assert_eq!(to_thousandths(f64::INFINITY), None);
        assert_eq!(to_thousandths(f64::NAN), None);
    }

    #[test]
    fn quantities_are_written_back_as_they_are_read() {
        assert_eq!(Duration::from_millis(90_061_500).written(), "1d1h1m1s500ms");
        assert_eq!(Duration::ZERO.written(), "0s");
        assert_eq!(Size(0).written(), "0 B");
        assert_eq!(Size(1536).written(), "1536 B");
        assert_eq!(Size(268_435_456).written(), "256 MiB");
        assert_eq!(Decimal(-300).written(), "-0.3");
        assert_eq!(Decimal(85_000).written(), "85.0");
        assert_eq!(Decimal(0).written(), "0.0");
        assert_eq!(Decimal(100_001).written(), "100.001");
    }
}
