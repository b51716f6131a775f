//! `[rooms.*]`: slugs that are fit for topics, names that are there once, one chip at one place.

use std::collections::BTreeMap;

use super::combine::combine;
use super::sensors;
use crate::config::complaint::{Complaint, Complaints, Place};
use crate::config::suggestion::slug;
use crate::config::written::{At, Field, Named};
use crate::config::{Bus, Room, Sensor, schema};
use crate::limits::{ROOM_NAME_CHARS_MAX, ROOM_SLUG_BYTES_MAX, ROOMS_MAX, SENSORS_MAX};
use crate::sensors::catalog::Driver;
use crate::sensors::{Address, I2cAddress, SpiAddress};

/// The rooms, in order of their slugs.
pub(super) fn rooms(field: &Field<Named<schema::Room>>, complaints: &mut Complaints) -> Vec<Room> {
    let Some(Named(written)) = field.value() else { return Vec::new() };
    if let Some((slug, _)) = written.get(ROOMS_MAX) {
        let hint = format!("at most {ROOMS_MAX}");
        complaints.push(Complaint::shape(slug.place, "too many rooms").hint(hint));
    }
    // In the order of the file, so that the first of two is the one that stands first.
    let mut written: Vec<_> = written.iter().take(ROOMS_MAX).collect();
    written.sort_by_key(|(slug, _)| slug.place);
    let mut seen = Seen::default();
    let room = |(slug, room): &(At<String>, At<schema::Room>)| {
        check_slug(slug, complaints);
        let sensors = room_sensors(room, &mut seen, complaints);
        let (combine, tolerance) = combine(&room.value, complaints);
        Room {
            slug: slug.value.clone(),
            name: name(slug, room, &mut seen, complaints),
            combine,
            tolerance,
            sensors,
        }
    };
    let mut rooms: Vec<_> = written.into_iter().map(room).collect();
    rooms.sort_by(|one, other| one.slug.cmp(&other.slug));
    rooms
}

/// What may be in the house once only.
#[derive(Default)]
struct Seen {
    names: BTreeMap<String, Place>,
    chips: BTreeMap<(Bus, Address), Place>,
    /// Which driver reads a chip that has inputs, so that it may be named several times.
    drivers: BTreeMap<(Bus, Address), (Driver, Place)>,
    /// Where an address on I²C is in use.
    ways: BTreeMap<(Bus, (u8, Way)), Place>,
    sensors: usize,
}

/// How a chip on I²C is reached.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Direct,
    Behind,
}

/// Why a text is no slug of a room, if it is none.
pub fn slug_fault(text: &str) -> Option<&'static str> {
    match text.as_bytes() {
        [] => Some("a room needs a slug"),
        [b'_', ..] => Some("room slugs with `_` are the gateway's own"),
        [first, rest @ ..] if fits_slug(*first, rest) => None,
        slug if slug.len() > ROOM_SLUG_BYTES_MAX => Some("room slug too long"),
        _ => Some("not a room slug"),
    }
}

fn check_slug(at: &At<String>, complaints: &mut Complaints) {
    let Some(fault) = slug_fault(&at.value) else { return };
    let rule = "1 to 32 lower-case letters without accents, digits and hyphens";
    let hint = slug(&at.value).map_or(rule.to_owned(), |slug| {
        format!("write `[rooms.{slug}]`; accents and spaces may go into its `name`")
    });
    complaints.push(Complaint::value(at.place, fault).found(&at.value).hint(hint));
}

fn fits_slug(first: u8, rest: &[u8]) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    rest.len() < ROOM_SLUG_BYTES_MAX
        && letter(first)
        && rest.iter().all(|byte| letter(*byte) || *byte == b'-')
}

fn name(
    slug: &At<String>,
    room: &At<schema::Room>,
    seen: &mut Seen,
    complaints: &mut Complaints,
) -> String {
    let At { place, value } = room.value.name.given().unwrap_or(slug);
    let fault = if value.trim().is_empty() {
        Some("a room needs a name")
    } else if value.contains(char::is_control) {
        Some("control character in the name of a room")
    } else if value.chars().count() > ROOM_NAME_CHARS_MAX {
        Some("name of a room too long")
    } else {
        None
    };
    if let Some(fault) = fault {
        complaints.push(Complaint::value(*place, fault).found(value));
    } else {
        let first = seen.names.entry(value.clone()).or_insert(*place);
        if first != place {
            complaints.push(twice("two rooms of one name", *place, first).found(value));
        }
    }
    value.clone()
}

/// The sensors of a room may stand apart in the file: what was met later may stand earlier, and the
/// complaint is of whichever stands later.
fn twice(what: &str, place: Place, first: &mut Place) -> Complaint {
    let second = place.max(*first);
    *first = place.min(*first);
    Complaint::shape(second, what).first(*first)
}

/// Whatever its inputs are, a chip is one of its kind.
fn check_chip(sensor: &Sensor, place: Place, seen: &mut Seen, complaints: &mut Complaints) {
    let chip = match &sensor.address {
        Address::I2c(address) => Address::I2c(I2cAddress { input: None, ..*address }),
        Address::Spi(address) => Address::Spi(SpiAddress { input: None, ..*address }),
        // 1-Wire devices share a pin with each other and with nothing else.
        Address::OneWire(_) | Address::Pin(_) => match sensor.bus {
            Bus::Gpio(pin) => Address::Pin(pin),
            _ => return,
        },
        Address::Kernel(_) => return,
    };
    let found = format!("{chip} on {}", sensor.bus);
    let known = seen.drivers.entry((sensor.bus, chip)).or_insert((sensor.driver, place));
    if known.0 != sensor.driver {
        let complaint = twice("two kinds of chip at one address", place, &mut known.1);
        complaints.push(complaint.found(found));
    }
}

/// A chip on the bus itself also answers when another of its address is called behind a
/// multiplexer, and so does a multiplexer in its place.
fn check_way(sensor: &Sensor, place: Place, seen: &mut Seen, complaints: &mut Complaints) {
    let Address::I2c(address) = sensor.address else { return };
    let bus = sensor.bus;
    let (mine, others) = match address.behind {
        None => ((address.chip, Way::Direct), vec![(address.chip, Way::Behind)]),
        Some(gate) => {
            let others = vec![(address.chip, Way::Direct), (gate.multiplexer, Way::Direct)];
            seen.ways.entry((bus, (gate.multiplexer, Way::Behind))).or_insert(place);
            ((address.chip, Way::Behind), others)
        }
    };
    for other in others {
        if let Some(first) = seen.ways.get_mut(&(bus, other)) {
            let what = "address on the bus itself and behind a multiplexer, or the multiplexer's";
            let complaint = twice(what, place, first).found(format!("{:#04x}", other.0));
            complaints.push(complaint.hint("move one of them to another address"));
        }
    }
    seen.ways.entry((bus, mine)).or_insert(place);
}

fn room_sensors(
    room: &At<schema::Room>,
    seen: &mut Seen,
    complaints: &mut Complaints,
) -> Vec<Sensor> {
    let mut sensors = Vec::new();
    for at in room.value.sensors.value().into_iter().flatten() {
        seen.sensors += 1;
        if seen.sensors == SENSORS_MAX + 1 {
            let hint = format!("at most {SENSORS_MAX}");
            complaints.push(Complaint::shape(at.place, "too many sensors").hint(hint));
        }
        if seen.sensors > SENSORS_MAX {
            break;
        }
        let Some(sensor) = sensors::sensor(at, complaints) else { continue };
        let place = at.value.address.given().map_or(at.place, |address| address.place);
        let first = seen.chips.entry((sensor.bus, sensor.address.clone())).or_insert(place);
        if *first != place {
            let found = format!("{} on {}", sensor.address, sensor.bus);
            let complaint = twice("two sensors at one address", place, first);
            complaints.push(complaint.found(found));
        }
        check_chip(&sensor, place, seen, complaints);
        check_way(&sensor, place, seen, complaints);
        sensors.push(sensor);
    }
    sensors
}
