//! `offset` and `calibration`: what corrects each reading.

use super::rules::{Keys, correction_max};
use super::{integer, within};
use crate::config::amount::{Bounded, Decimal};
use crate::config::complaint::{Complaint, Complaints, Place};
use crate::config::schema;
use crate::config::written::At;
use crate::limits;
use crate::sampling::{Calibration, Polynomial};
use crate::units::{Quantity, Value};

/// Nearest that the points of a calibration may be, in thousandths of the unit: the noise of the
/// measured points grows with the distance from them.
const POINTS_DISTANCE_MIN: i32 = 1_000;

/// What `keys` say; without any, no correction.
pub(super) fn calibration(keys: &Keys<'_>, complaints: &mut Complaints) -> Calibration {
    let most = correction_max(keys.quantity);
    let range = Decimal(-most)..=Decimal(most);
    let offset = within(keys.offset, "offset", range, Decimal(0), complaints);
    let none = Calibration::Offset(offset.of(keys.quantity));
    let Some(at) = keys.calibration.given() else { return none };
    if let Some(offset) = keys.offset.given() {
        let complaint = Complaint::shape(offset.place, "`offset` beside `calibration`");
        complaints.push(complaint.hint("the points of `calibration` say it all"));
    }
    let curve = match at.value.points.given() {
        Some(points) => polynomial(&at.value, points, keys.quantity, complaints),
        None => line(at, keys.quantity, complaints),
    };
    curve.unwrap_or(none)
}

fn line(
    At { place, value }: &At<schema::Calibration>,
    quantity: Quantity,
    complaints: &mut Complaints,
) -> Option<Calibration> {
    if let Some(degree) = value.degree.given() {
        let complaint = Complaint::shape(degree.place, "`degree` without `points`");
        complaints.push(complaint.hint("as in `{ points = [[raw, true], …], degree = 2 }`"));
    }
    let hint = "two points: `{ low = [raw, true], high = [raw, true] }`";
    let low = value.low.required("low", *place, hint, complaints);
    let high = value.high.required("high", *place, hint, complaints);
    let (low, high) = (low?, high?);
    for point in [low, high] {
        check_point(point, quantity, complaints);
    }
    let distance = |low: Decimal, high: Decimal| high.0.saturating_sub(low.0);
    if distance(low.value.raw, high.value.raw) < POINTS_DISTANCE_MIN
        || distance(low.value.true_value, high.value.true_value) <= 0
    {
        let (name, unit) = (quantity.name(), quantity.unit());
        let complaint = Complaint::shape(high.place, "`high` is not above `low`");
        complaints
            .push(complaint.hint(format!("by 1 {unit} or more, in both raw and true {name}")));
    }
    Some(Calibration::TwoPoint { low: point(low, quantity), high: point(high, quantity) })
}

fn polynomial(
    written: &schema::Calibration,
    At { place, value: points }: &At<Vec<At<schema::Point>>>,
    quantity: Quantity,
    complaints: &mut Complaints,
) -> Option<Calibration> {
    for (key, end) in [("low", &written.low), ("high", &written.high)] {
        if let Some(end) = end.given() {
            let complaint = Complaint::shape(end.place, format!("`{key}` beside `points`"));
            complaints.push(complaint.hint("put it among them"));
        }
    }
    check_number(*place, points.len(), complaints)?;
    for point in points {
        check_point(point, quantity, complaints);
    }
    let degree = degree(written, points.len(), complaints)?;
    check_distances(points, quantity, complaints)?;
    let points: Vec<_> = points.iter().map(|at| point(at, quantity)).collect();
    let polynomial = Polynomial::fit(&points, degree).filter(Polynomial::rises);
    if polynomial.is_none() {
        let what = "the curve through these points turns back";
        let complaint = Complaint::shape(*place, what).found(format!("degree {degree}"));
        complaints.push(complaint.hint("one of them is wrong, or the degree is too high"));
    }
    polynomial.map(Calibration::Polynomial)
}

fn check_number(place: Place, number: usize, complaints: &mut Complaints) -> Option<()> {
    let (what, hint) = match number {
        ..2 => ("too few points", "two or more; what moves all alike is an `offset`".to_owned()),
        2..=limits::CALIBRATION_POINTS_MAX => return Some(()),
        _ => ("too many points", format!("at most {}", limits::CALIBRATION_POINTS_MAX)),
    };
    complaints.push(Complaint::value(place, what).found(number.to_string()).hint(hint));
    None
}

fn degree(
    written: &schema::Calibration,
    points: usize,
    complaints: &mut Complaints,
) -> Option<usize> {
    let most = u8::try_from(limits::CALIBRATION_DEGREE_MAX).unwrap_or(u8::MAX);
    let degree = usize::from(integer(&written.degree, "degree", 1..=most, 1, complaints));
    if degree < points {
        return Some(degree);
    }
    let place = written.degree.given()?.place;
    let complaint = Complaint::shape(place, format!("`degree` too high for {points} points"));
    let hint = format!("lower than their number: at most `{}`", points.saturating_sub(1));
    complaints.push(complaint.found(degree.to_string()).hint(hint));
    None
}

/// Two points of one raw value say two truths of it.
fn check_distances(
    points: &[At<schema::Point>],
    quantity: Quantity,
    complaints: &mut Complaints,
) -> Option<()> {
    let raw = |at: &&At<schema::Point>| at.value.raw;
    let mut sorted: Vec<_> = points.iter().collect();
    sorted.sort_by_key(raw);
    let mut pairs = sorted.windows(2).filter_map(|pair| <[_; 2]>::try_from(pair).ok());
    let near = |[one, other]: &[&At<schema::Point>; 2]| {
        raw(other).0.saturating_sub(raw(one).0) < POINTS_DISTANCE_MIN
    };
    let Some([one, other]) = pairs.find(near) else { return Some(()) };
    let (first, second) = if one.place <= other.place { (one, other) } else { (other, one) };
    let complaint = Complaint::value(second.place, "two points are too near");
    let found = format!("{} and {}", raw(&first).written(), raw(&second).written());
    let hint = format!("1 {} or more from one raw value to the next", quantity.unit());
    complaints.push(complaint.found(found).first(first.place).hint(hint));
    None
}

fn point(at: &At<schema::Point>, quantity: Quantity) -> (Value, Value) {
    (at.value.raw.of(quantity), at.value.true_value.of(quantity))
}

/// A point moves a reading by its distance, as an offset does.
fn check_point(at: &At<schema::Point>, quantity: Quantity, complaints: &mut Complaints) {
    let (raw, true_value) = (at.value.raw, at.value.true_value);
    let most = correction_max(quantity);
    if raw.0.abs_diff(true_value.0) > most.unsigned_abs() {
        let (name, unit) = (quantity.name(), quantity.unit());
        complaints.push(
            Complaint::value(at.place, format!("raw and true {name} are too far apart"))
                .found(format!("{} and {}", raw.written(), true_value.written()))
                .hint(format!("by at most {} {unit}", most / 1000)),
        );
    }
}
