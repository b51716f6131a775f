//! What hangs at an input of a converter: `thermistor`, `rtd`, `tmp36` of a sensor.

use super::{within, word};
use crate::config::amount::Decimal;
use crate::config::complaint::{Complaint, Complaints, Place};
use crate::config::schema;
use crate::config::suggestion::listed;
use crate::config::words::{PLATINUM, SIDES, WIRES};
use crate::config::written::{At, Field};
use crate::sensors::catalog::Driver;
use crate::sensors::element::{
    Curve, Element, ElementKind, Platinum, Rtd, Side, Thermistor, Tmp36,
};

/// Smallest and largest resistance, and β: beyond, a digit was lost or is one too many.
const OHMS: (Decimal, Decimal) = (Decimal(10_000), Decimal(2_000_000_000));
const BETA: (Decimal, Decimal) = (Decimal(500_000), Decimal(10_000_000));

/// The reference of a platinum resistance in ohms, and that of a converter in volts.
const REFERENCE: (Decimal, Decimal) = (Decimal(10_000), Decimal(20_000_000));
const VOLTS: (Decimal, Decimal) = (Decimal(1_800), Decimal(5_500));

/// Where a thermistor is as large as the resistor beside it, it measures best: that is within this
/// range, in kelvins, −55 to 200 °C.
const MIDDLE: (f64, f64) = (218.15, 473.15);

/// What the sensor's keys say; `None` if its driver has no inputs, or nothing of use is written,
/// which has been complained about.
pub(super) fn element(
    at: &At<schema::Sensor>,
    driver: Driver,
    complaints: &mut Complaints,
) -> Option<Element> {
    let facts = driver.facts();
    let written = [
        (ElementKind::Thermistor, place(&at.value.thermistor)),
        (ElementKind::Rtd, place(&at.value.rtd)),
        (ElementKind::Tmp36, place(&at.value.tmp36)),
    ];
    for (kind, place) in written {
        if let Some(place) = place.filter(|_| !facts.elements.contains(&kind)) {
            let complaint = Complaint::shape(place, format!("not a key of `{}`", facts.name));
            complaints.push(complaint.found(kind.key()));
        }
    }
    let fitting = written.iter().filter(|(kind, _)| facts.elements.contains(kind));
    let mut given = fitting.filter_map(|(kind, place)| Some((*kind, (*place)?)));
    let Some((kind, first)) = given.next() else {
        if let Some(usual) = facts.elements.first().filter(|_| is_absent(&at.value)) {
            let all = listed(facts.elements.iter().map(|kind| kind.key()));
            let hint = format!("what hangs at the input of `{}`: {all}", facts.name);
            let complaint = Complaint::shape(at.place, "missing key").found(usual.key());
            complaints.push(complaint.hint(hint));
        }
        return None;
    };
    if let Some((other, place)) = given.next() {
        let complaint = Complaint::shape(place, "two elements at one input").found(other.key());
        complaints.push(complaint.first(first));
    }
    match kind {
        ElementKind::Thermistor => {
            thermistor(at.value.thermistor.given()?, complaints).map(Element::Thermistor)
        }
        ElementKind::Rtd => rtd(at.value.rtd.given()?, complaints).map(Element::Rtd),
        ElementKind::Tmp36 => {
            let field = &at.value.tmp36.value()?.reference;
            let range = VOLTS.0..=VOLTS.1;
            let reference = within(field, "reference", range, Decimal(3300), complaints).into();
            Some(Element::Tmp36(Tmp36 { reference }))
        }
    }
}

/// Whether no key of an element is written, not even a wrong one.
fn is_absent(written: &schema::Sensor) -> bool {
    matches!(
        (&written.thermistor, &written.rtd, &written.tmp36),
        (Field::Absent, Field::Absent, Field::Absent)
    )
}

fn place<T>(field: &Field<T>) -> Option<Place> {
    field.given().map(|at| at.place)
}

fn thermistor(at: &At<schema::Thermistor>, complaints: &mut Complaints) -> Option<Thermistor> {
    let written = &at.value;
    let curve = curve(at, complaints);
    let series = ohms(&written.series, "series", complaints);
    let side = word(&written.side, "side of a thermistor", &SIDES, Side::Ground, complaints);
    let thermistor = Thermistor { curve: curve?, series, side };
    let middle = thermistor.curve.kelvin(series);
    if !(MIDDLE.0..=MIDDLE.1).contains(&middle) {
        let shown = format!("{series} Ω at {:.0} °C", middle - 273.15);
        let complaint = Complaint::shape(at.place, "no thermistor is like this");
        let hint = "it should be as large as its `series` resistor between −55 and 200 °C";
        complaints.push(complaint.found(shown).hint(hint));
        return None;
    }
    Some(thermistor)
}

fn rtd(at: &At<schema::Rtd>, complaints: &mut Complaints) -> Option<Rtd> {
    let written = &at.value;
    let hint = "`element = \"pt100\"` or `element = \"pt1000\"`";
    written.element.required("element", at.place, hint, complaints)?;
    let element =
        word(&written.element, "platinum resistance", &PLATINUM, Platinum::Pt100, complaints);
    let hint = "2, 3 or 4: as many as lead from the board to the probe";
    let wires = written.wires.required("wires", at.place, hint, complaints)?;
    let number = wires.value.to_string();
    let Some((_, wires)) = WIRES.iter().find(|(word, _)| *word == number) else {
        let complaint = Complaint::value(wires.place, "`wires` out of range").found(number);
        complaints.push(complaint.hint(hint));
        return None;
    };
    let usual = match element {
        Platinum::Pt100 => Decimal(430_000),
        Platinum::Pt1000 => Decimal(4_300_000),
    };
    let range = REFERENCE.0..=REFERENCE.1;
    let reference: f64 = within(&written.reference, "reference", range, usual, complaints).into();
    if reference <= element.ohms() {
        let complaint = Complaint::shape(at.place, "`reference` is not above the resistance");
        complaints
            .push(complaint.hint("boards for PT100 have 400 or 430 Ω, for PT1000 4000 or 4300"));
        return None;
    }
    Some(Rtd { element, wires: *wires, reference })
}

fn curve(at: &At<schema::Thermistor>, complaints: &mut Complaints) -> Option<Curve> {
    let written = &at.value;
    let (beta, coefficients) = (&written.beta, &written.steinhart_hart);
    if let (Some(At { value, place }), Field::Absent) = (coefficients.given(), beta) {
        if let Some(at) = written.r25.given() {
            complaints.push(Complaint::shape(at.place, "`r25` beside `steinhart_hart`"));
        }
        let schema::Coefficients(numbers @ [_, b, c]) = *value;
        if b <= 0.0 || c <= 0.0 {
            let complaint = Complaint::value(*place, "B and C of Steinhart and Hart are above 0");
            complaints.push(complaint.found(format!("{b:e}, {c:e}")));
            return None;
        }
        return Some(Curve::SteinhartHart(numbers));
    }
    if let Some(at) = coefficients.given() {
        complaints.push(Complaint::shape(at.place, "`steinhart_hart` beside `beta`"));
    }
    let r25 = ohms(&written.r25, "r25", complaints);
    if matches!(coefficients, Field::Wrong) {
        return None;
    }
    beta.required("beta", at.place, "as its datasheet has it: `beta = 3950`", complaints)?;
    let beta = within(beta, "beta", BETA.0..=BETA.1, Decimal(3_950_000), complaints);
    Some(Curve::Beta { r25, beta: beta.into() })
}

fn ohms(field: &Field<Decimal>, key: &str, complaints: &mut Complaints) -> f64 {
    within(field, key, OHMS.0..=OHMS.1, Decimal(10_000_000), complaints).into()
}
