//! Several sensors of a room: `combine`, `disagreement`, `disagreement_after`.

use std::time::Duration;

use super::{within, word};
use crate::config::amount::Decimal;
use crate::config::complaint::{Complaint, Complaints};
use crate::config::defaults::TOLERANCE;
use crate::config::schema;
use crate::config::words::COMBINATIONS;
use crate::config::written::{At, Field};
use crate::limits;
use crate::sampling::{Combination, Tolerance};

/// What the keys of a room say of its sensors together.
pub(super) fn combine(
    room: &schema::Room,
    complaints: &mut Complaints,
) -> (Combination, Tolerance) {
    let combination = Combination::default();
    let combination = word(&room.combine, "combination", &COMBINATIONS, combination, complaints);
    let most = Decimal(limits::CORRECTION_MAX);
    let spread =
        within(&room.disagreement, "disagreement", Decimal(0)..=most, Decimal(0), complaints);
    let after = Duration::ZERO..=limits::INTERVAL_MAX;
    let patience = within(
        &room.disagreement_after,
        "disagreement_after",
        after,
        TOLERANCE.patience,
        complaints,
    );
    let tolerance = Tolerance { spread: u32::try_from(spread.0).unwrap_or(0), patience };
    if combination != Combination::default() {
        needs_several(room, &room.combine, "combine", complaints);
    }
    if tolerance.spread > 0 {
        needs_several(room, &room.disagreement, "disagreement", complaints);
    }
    (combination, tolerance)
}

/// One sensor has nobody to be combined with, and nobody who contradicts it.
fn needs_several<T>(room: &schema::Room, field: &Field<T>, key: &str, complaints: &mut Complaints) {
    let number = match &room.sensors {
        Field::Absent => 0,
        Field::Wrong => return,
        Field::Given(At { value, .. }) => value.len(),
    };
    if let Some(at) = field.given().filter(|_| number < 2) {
        let what = format!("`{key}` of a room with fewer than two sensors");
        let complaint = Complaint::shape(at.place, what).found(number.to_string());
        complaints.push(complaint.hint("leave it out, or add a sensor"));
    }
}
