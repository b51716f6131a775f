//! How a sensor is sampled: its keys against the chip, the limits and each other.

use std::time::Duration;

use super::{integer, within};
use crate::config::complaint::{Complaint, Complaints};
use crate::config::quantity::Quantity;
use crate::config::written::{At, Field};
use crate::config::{defaults, schema};
use crate::limits;
use crate::sampling::{Calibration, SensorSettings};
use crate::sensors::catalog::Driver;
use crate::units::MilliCelsius;

/// Fastest change that can be asked for, in thousandths of a degree per minute.
const RATE_MAX: i32 = 1_000_000;

/// What can be written where no chip sets a narrower range: absolute zero, and red heat.
const COLDEST: MilliCelsius = MilliCelsius::new(-273_150);
const HOTTEST: MilliCelsius = MilliCelsius::new(1_000_000);

/// Nearest that the points of a calibration may be, in thousandths of a degree: the noise of the
/// measured points grows with the distance from them.
const POINTS_DISTANCE_MIN: i32 = 1_000;

/// How the sensor is sampled. The range of an unknown chip is not judged.
pub(super) fn sampling(
    written: &schema::Sensor,
    driver: Option<Driver>,
    complaints: &mut Complaints,
) -> SensorSettings {
    let default = defaults::sampling(driver.unwrap_or(Driver::Ds18b20));
    let intervals = limits::INTERVAL_MIN..=limits::INTERVAL_MAX;
    let interval =
        within(&written.interval, "interval", intervals.clone(), default.interval, complaints);
    let (lowest, highest) = range(written, driver, &default, complaints);
    SensorSettings {
        interval,
        retries: retries(written, default.retries, complaints),
        lowest,
        highest,
        rate_per_minute: rate(&written.max_rate, default.rate_per_minute, complaints),
        calibration: calibration(written, complaints),
        median: median(written, default.median, complaints),
        decimals: decimals(written, default.decimals, complaints),
        deadband: deadband(&written.deadband, default.deadband, complaints),
        heartbeat: within(
            &written.heartbeat,
            "heartbeat",
            intervals,
            default.heartbeat,
            complaints,
        ),
        stale_after: stale_after(&written.stale_after, interval, complaints),
    }
}

fn retries(written: &schema::Sensor, default: u8, complaints: &mut Complaints) -> u8 {
    integer(&written.retries, "retries", 0..=limits::RETRIES_MAX, default, complaints)
}

fn decimals(written: &schema::Sensor, default: u8, complaints: &mut Complaints) -> u8 {
    integer(&written.decimals, "decimals", 0..=3, default, complaints)
}

fn median(written: &schema::Sensor, default: usize, complaints: &mut Complaints) -> usize {
    let most = u8::try_from(limits::MEDIAN_READINGS_MAX).unwrap_or(u8::MAX);
    let median = usize::from(integer(&written.median, "median", 1..=most, 1, complaints));
    let Some(at) = written.median.given() else { return default };
    if median.is_multiple_of(2) {
        let hint = format!("an odd number has one in the middle: `{}`", median + 1);
        let complaint = Complaint::value(at.place, "`median` is even").found(at.value.to_string());
        complaints.push(complaint.hint(hint));
    }
    median
}

fn range(
    written: &schema::Sensor,
    driver: Option<Driver>,
    default: &SensorSettings,
    complaints: &mut Complaints,
) -> (MilliCelsius, MilliCelsius) {
    let chip = match driver {
        Some(driver) => driver.facts().lowest..=driver.facts().highest,
        None => COLDEST..=HOTTEST,
    };
    let lowest = within(&written.min, "min", chip.clone(), default.lowest, complaints);
    let highest = within(&written.max, "max", chip, default.highest, complaints);
    if lowest >= highest
        && let Some(at) = written.max.given().or(written.min.given())
    {
        complaints.push(Complaint::shape(at.place, "`min` is not below `max`").found(format!(
            "{} to {}",
            lowest.written(),
            highest.written()
        )));
    }
    (lowest, highest)
}

/// Zero is no bound.
fn rate(
    field: &Field<MilliCelsius>,
    default: Option<u32>,
    complaints: &mut Complaints,
) -> Option<u32> {
    if field.given().is_none() {
        return default;
    }
    let (zero, most) = (MilliCelsius::new(0), MilliCelsius::new(RATE_MAX));
    let rate = within(field, "max_rate", zero..=most, zero, complaints);
    u32::try_from(rate.thousandths()).ok().filter(|rate| *rate > 0)
}

fn deadband(field: &Field<MilliCelsius>, default: u32, complaints: &mut Complaints) -> u32 {
    let (zero, most) = (MilliCelsius::new(0), MilliCelsius::new(limits::CORRECTION_MAX));
    if field.given().is_none() {
        return default;
    }
    let deadband = within(field, "deadband", zero..=most, zero, complaints);
    u32::try_from(deadband.thousandths()).unwrap_or(default)
}

fn stale_after(
    field: &Field<Duration>,
    interval: Duration,
    complaints: &mut Complaints,
) -> Duration {
    let default = defaults::stale_after(interval);
    if let Some(At { place, value }) = field.given().filter(|at| at.value < interval) {
        complaints.push(
            Complaint::shape(*place, "`stale_after` is shorter than `interval`")
                .found(value.written())
                .hint(format!("at least `{}`", interval.written())),
        );
        return default;
    }
    let range = Duration::ZERO..=limits::STALE_AFTER_MAX;
    within(field, "stale_after", range, default, complaints)
}

fn calibration(written: &schema::Sensor, complaints: &mut Complaints) -> Calibration {
    let most = limits::CORRECTION_MAX;
    let range = MilliCelsius::new(-most)..=MilliCelsius::new(most);
    let offset = within(&written.offset, "offset", range, MilliCelsius::new(0), complaints);
    let none = Calibration::Offset(offset);
    let Some(At { place, value: points }) = written.calibration.given() else { return none };
    if let Some(at) = written.offset.given() {
        let complaint = Complaint::shape(at.place, "`offset` beside `calibration`");
        complaints.push(complaint.hint("the two points of `calibration` say it all"));
    }
    let hint = "two points: `{ low = [raw, true], high = [raw, true] }`";
    let low = points.low.required("low", *place, hint, complaints);
    let high = points.high.required("high", *place, hint, complaints);
    let (Some(low), Some(high)) = (low, high) else { return none };
    for point in [low, high] {
        check_point(point, complaints);
    }
    let distance = |cold: MilliCelsius, warm: MilliCelsius| {
        warm.thousandths().saturating_sub(cold.thousandths())
    };
    if distance(low.value.raw, high.value.raw) < POINTS_DISTANCE_MIN
        || distance(low.value.true_value, high.value.true_value) <= 0
    {
        let complaint = Complaint::shape(high.place, "`high` is not above `low`");
        complaints.push(complaint.hint("by 1 °C or more, in both raw and true temperature"));
    }
    Calibration::TwoPoint {
        low: (low.value.raw, low.value.true_value),
        high: (high.value.raw, high.value.true_value),
    }
}

/// A point moves a reading by its distance, as an offset does.
fn check_point(at: &At<schema::Point>, complaints: &mut Complaints) {
    let correction = at.value.raw.distance(at.value.true_value);
    if correction > limits::CORRECTION_MAX.unsigned_abs() {
        let (raw, value) = (at.value.raw.written(), at.value.true_value.written());
        complaints.push(
            Complaint::value(at.place, "raw and true temperature are too far apart")
                .found(format!("{raw} and {value}"))
                .hint("by at most 50 °C"),
        );
    }
}
