//! What is written → what is meant. A wrong value is complained about and its default goes on in
//! its place, so that everything else is checked as well.

mod address;
mod calibration;
mod combine;
mod element;
mod gateway;
mod kernel;
mod limits;
mod listeners;
mod rooms;
mod rules;
mod sampling;
mod sensors;
mod simulation;
mod watch;

pub use rooms::slug_fault;

use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::amount::Bounded;
use super::complaint::{Complaint, Complaints, Place};
use super::schema;
use super::suggestion::one_of;
use super::written::{At, Field};
use super::{Listener, Settings};

/// The settings that `file` means; of use only if nothing was complained about.
pub(super) fn settings(file: &schema::File, complaints: &mut Complaints) -> Settings {
    let rooms = rooms::rooms(&file.rooms, complaints);
    Settings {
        gateway: gateway::gateway(&file.gateway, complaints),
        broker: gateway::broker(&file.broker, complaints),
        hardware: gateway::hardware(&file.hardware, complaints),
        log: watch::log(&file.log, complaints),
        metrics: watch::metrics(&file.metrics, complaints),
        announce: watch::announce(&file.mdns, complaints),
        simulation: simulation::simulation(&file.simulation, &rooms, complaints),
        listeners: listeners::listeners(&file.listener, complaints),
        rooms,
    }
}

/// Whether the listener is refused without `open = true`.
pub(super) fn needs_open(listener: &Listener) -> bool {
    listeners::danger(listener).is_some()
}

/// The value of `key`, which must be within `range`.
fn within<T: Bounded>(
    field: &Field<T>,
    key: &str,
    range: RangeInclusive<T>,
    default: T,
    complaints: &mut Complaints,
) -> T {
    let Some(At { place, value }) = field.given() else { return default };
    if range.contains(value) {
        return *value;
    }
    let (low, high) = (range.start().written(), range.end().written());
    complaints.push(
        Complaint::value(*place, format!("`{key}` out of range"))
            .found(value.written())
            .hint(format!("from `{low}` to `{high}`")),
    );
    default
}

/// The value of `key` as an integer of another width, which must be within `range`.
fn integer<T: TryFrom<i64> + Into<i64> + Copy>(
    field: &Field<i64>,
    key: &str,
    range: RangeInclusive<T>,
    default: T,
    complaints: &mut Complaints,
) -> T {
    let wide = (*range.start()).into()..=(*range.end()).into();
    T::try_from(within(field, key, wide, default.into(), complaints)).unwrap_or(default)
}

/// The meaning of one of `words`.
fn word<T: Copy>(
    field: &Field<String>,
    what: &str,
    words: &[(&'static str, T)],
    default: T,
    complaints: &mut Complaints,
) -> T {
    let Some(At { place, value }) = field.given() else { return default };
    if let Some((_, meaning)) = words.iter().find(|(word, _)| word == value) {
        return *meaning;
    }
    let names = || words.iter().map(|(word, _)| *word);
    complaints.push(
        Complaint::value(*place, format!("unknown {what}")).found(value).hint(one_of(value, names)),
    );
    default
}

/// A path, relative or not; only an empty one is none.
fn path(
    field: &Field<String>,
    key: &str,
    default: PathBuf,
    complaints: &mut Complaints,
) -> PathBuf {
    let Some(At { place, value }) = field.given() else { return default };
    one_path(*place, value, key, complaints).unwrap_or(default)
}

fn one_path(place: Place, value: &str, key: &str, complaints: &mut Complaints) -> Option<PathBuf> {
    if value.is_empty() || value.contains('\0') {
        complaints.push(Complaint::value(place, format!("`{key}` is not a path")).found(value));
        return None;
    }
    Some(PathBuf::from(value))
}
