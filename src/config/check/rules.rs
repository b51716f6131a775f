//! What is believed and shown of one quantity of a sensor: its keys against the chip, the limits
//! and each other.

use super::calibration::calibration;
use super::{integer, within};
use crate::config::amount::{Bounded, Decimal};
use crate::config::complaint::{Complaint, Complaints};
use crate::config::schema;
use crate::config::written::Field;
use crate::limits;
use crate::sampling::Rules;
use crate::sensors::catalog::Span;
use crate::units::{Quantity, Value};

/// Fastest change that can be asked for, in thousandths of the unit per minute.
const RATE_MAX: Decimal = Decimal(1_000_000);

/// What can be written where no chip sets a narrower range: absolute zero, and red heat.
const COLDEST: Decimal = Decimal(-273_150);
const HOTTEST: Decimal = Decimal(1_000_000);

/// The keys of one quantity: of the sensor itself for its temperature, else of a table of its own.
pub(super) struct Keys<'a> {
    pub(super) quantity: Quantity,
    min: &'a Field<Decimal>,
    max: &'a Field<Decimal>,
    max_rate: &'a Field<Decimal>,
    pub(super) offset: &'a Field<Decimal>,
    pub(super) calibration: &'a Field<schema::Calibration>,
    median: &'a Field<i64>,
    alpha: &'a Field<Decimal>,
    decimals: &'a Field<i64>,
    deadband: &'a Field<Decimal>,
}

impl<'a> From<&'a schema::Sensor> for Keys<'a> {
    fn from(written: &'a schema::Sensor) -> Self {
        Self {
            quantity: Quantity::Temperature,
            min: &written.min,
            max: &written.max,
            max_rate: &written.max_rate,
            offset: &written.offset,
            calibration: &written.calibration,
            median: &written.median,
            alpha: &written.alpha,
            decimals: &written.decimals,
            deadband: &written.deadband,
        }
    }
}

impl<'a> From<(Quantity, &'a schema::Other)> for Keys<'a> {
    fn from((quantity, written): (Quantity, &'a schema::Other)) -> Self {
        Self {
            quantity,
            min: &written.min,
            max: &written.max,
            max_rate: &written.max_rate,
            offset: &written.offset,
            calibration: &written.calibration,
            median: &written.median,
            alpha: &written.alpha,
            decimals: &written.decimals,
            deadband: &written.deadband,
        }
    }
}

/// What `keys` say. Without a `chip` the range is not judged.
pub(super) fn rules(
    keys: &Keys<'_>,
    chip: Option<Span>,
    default: &Rules,
    complaints: &mut Complaints,
) -> Rules {
    let (lowest, highest) = range(keys, chip, default, complaints);
    Rules {
        promise: default.promise,
        lowest,
        highest,
        rate_per_minute: rate(keys.max_rate, default.rate_per_minute, complaints),
        calibration: calibration(keys, complaints),
        median: median(keys.median, default.median, complaints),
        alpha: alpha(keys.alpha, default.alpha, complaints),
        decimals: integer(keys.decimals, "decimals", 0..=3, default.decimals, complaints),
        deadband: deadband(keys, default.deadband, complaints),
    }
}

fn median(field: &Field<i64>, default: usize, complaints: &mut Complaints) -> usize {
    let most = u8::try_from(limits::MEDIAN_READINGS_MAX).unwrap_or(u8::MAX);
    let median = usize::from(integer(field, "median", 1..=most, 1, complaints));
    let Some(at) = field.given() else { return default };
    if median.is_multiple_of(2) {
        let hint = format!("an odd number has one in the middle: `{}`", median + 1);
        let complaint = Complaint::value(at.place, "`median` is even").found(at.value.to_string());
        complaints.push(complaint.hint(hint));
    }
    median
}

fn range(
    keys: &Keys<'_>,
    chip: Option<Span>,
    default: &Rules,
    complaints: &mut Complaints,
) -> (Value, Value) {
    let chip = match chip {
        Some(chip) => chip.lowest.into()..=chip.highest.into(),
        None => COLDEST..=HOTTEST,
    };
    let lowest = within(keys.min, "min", chip.clone(), default.lowest.into(), complaints);
    let highest = within(keys.max, "max", chip, default.highest.into(), complaints);
    if lowest >= highest
        && let Some(at) = keys.max.given().or(keys.min.given())
    {
        complaints.push(Complaint::shape(at.place, "`min` is not below `max`").found(format!(
            "{} to {}",
            lowest.written(),
            highest.written()
        )));
    }
    (lowest.of(keys.quantity), highest.of(keys.quantity))
}

/// Zero is no bound.
fn rate(field: &Field<Decimal>, default: Option<u32>, complaints: &mut Complaints) -> Option<u32> {
    if field.given().is_none() {
        return default;
    }
    let Decimal(rate) = within(field, "max_rate", Decimal(0)..=RATE_MAX, Decimal(0), complaints);
    u32::try_from(rate).ok().filter(|rate| *rate > 0)
}

fn deadband(keys: &Keys<'_>, default: u32, complaints: &mut Complaints) -> u32 {
    if keys.deadband.given().is_none() {
        return default;
    }
    let range = Decimal(0)..=Decimal(correction_max(keys.quantity));
    let Decimal(deadband) = within(keys.deadband, "deadband", range, Decimal(0), complaints);
    u32::try_from(deadband).unwrap_or(default)
}

fn alpha(field: &Field<Decimal>, default: u32, complaints: &mut Complaints) -> u32 {
    if field.given().is_none() {
        return default;
    }
    let Decimal(alpha) =
        within(field, "alpha", Decimal(1)..=Decimal(1000), Decimal(1000), complaints);
    u32::try_from(alpha).unwrap_or(default)
}

pub(super) const fn correction_max(quantity: Quantity) -> i32 {
    match quantity {
        Quantity::Temperature | Quantity::Humidity => limits::CORRECTION_MAX,
        Quantity::Pressure => limits::PRESSURE_CORRECTION_MAX,
    }
}
