//! `[simulation]`: what a simulated house is like, and what befalls it.

use std::time::Duration;

use super::{integer, one_of, within, word};
use crate::config::amount::{Bounded, Decimal};
use crate::config::complaint::{Complaint, Complaints, Place as Position};
use crate::config::schema::{self, Hour};
use crate::config::words::PLACES;
use crate::config::written::{At, Field};
use crate::config::{Room, Simulation, Target};
use crate::limits;
use crate::sensors::Address;
use crate::sensors::catalog::Driver;
use crate::sim::script::{Begin, Episode, Trouble};
use crate::sim::weather::{Climate, Heating, Place};

/// The words for what goes wrong.
const FAULTS: [&str; 7] = ["unplugged", "wrong-chip", "power-on", "crc", "stuck", "drift", "noise"];

/// Chips that are ready by the time they are asked, or are told each time how to convert: their
/// power-on values are not read.
const CONVERTS_WHEN_ASKED: [Driver; 11] = [
    Driver::Ads1115,
    Driver::Dht11,
    Driver::Dht22,
    Driver::Lm75,
    Driver::Max31865,
    Driver::Max6675,
    Driver::Mcp3008,
    Driver::Mcp9808,
    Driver::Pct2075,
    Driver::Tmp102,
    Driver::Tmp117,
];

/// Coldest and hottest that anything is by way of these keys, and most that anything is moved.
const FAR: Decimal = Decimal(limits::CORRECTION_MAX);

/// What the table says, for a house of these rooms.
pub(super) fn simulation(
    field: &Field<schema::Simulation>,
    rooms: &[Room],
    complaints: &mut Complaints,
) -> Simulation {
    let default = Simulation::default();
    let Some(written) = field.value() else { return default };
    let seed = integer(&written.seed, "seed", 0..=u32::MAX, 7, complaints);
    let mut places = Vec::new();
    for at in written.places.value().into_iter().flatten() {
        let target = target(at.place, &at.value.room, &at.value.sensor, rooms, complaints);
        let words: Vec<_> = PLACES.iter().map(|(word, _)| *word).collect();
        let hint = one_of("", || words.iter().copied());
        at.value.place.required("place", at.place, &hint, complaints);
        let place = word(&at.value.place, "place", &PLACES, Place::Room, complaints);
        places.extend(target.map(|target| (target, place)));
    }
    let mut faults = Vec::new();
    for at in written.faults.value().into_iter().flatten() {
        let target = target(at.place, &at.value.room, &at.value.sensor, rooms, complaints);
        let episode = episode(at, target.as_ref(), rooms, complaints);
        faults.extend(target.zip(episode));
    }
    Simulation {
        seed: seed.into(),
        start: start(&written.start, complaints),
        noise: written.noise.value().copied().unwrap_or(default.noise),
        weather: weather(&written.weather, complaints),
        heating: heating(&written.heating, complaints),
        places,
        faults,
    }
}

fn start(field: &Field<String>, complaints: &mut Complaints) -> Option<u64> {
    let At { place, value } = field.given()?;
    let since_1970 = humantime::parse_rfc3339(value)
        .ok()
        .and_then(|time| time.duration_since(std::time::SystemTime::UNIX_EPOCH).ok());
    let unix_ms = since_1970.and_then(|time| time.as_secs().checked_mul(1000));
    if unix_ms.is_none() {
        let complaint = Complaint::value(*place, "not a time in UTC").found(value);
        complaints.push(complaint.hint("as in `\"2026-01-15T06:00:00Z\"`"));
    }
    unix_ms
}

fn weather(field: &Field<schema::Weather>, complaints: &mut Complaints) -> Climate {
    let usual = Climate::USUAL;
    let Some(written) = field.value() else { return usual };
    let mut swing =
        |field, key, usual| within(field, key, Decimal(0)..=FAR, Decimal(usual), complaints).0;
    let season = swing(&written.season, "season", usual.season);
    let day = swing(&written.day, "day", usual.day);
    let fronts = swing(&written.fronts, "fronts", usual.fronts);
    let range = Decimal(-FAR.0)..=FAR;
    let mean = within(&written.mean, "mean", range, Decimal(usual.mean), complaints).0;
    Climate { mean, season, day, fronts }
}

fn heating(field: &Field<schema::Heating>, complaints: &mut Complaints) -> Heating {
    let usual = Heating::USUAL;
    let Some(written) = field.value() else { return usual };
    let mut setting =
        |field, key, usual| within(field, key, Decimal(0)..=FAR, Decimal(usual), complaints).0;
    let day = setting(&written.day, "day", usual.day);
    let night = setting(&written.night, "night", usual.night);
    let hour = |field: &Field<Hour>, usual| field.value().map_or(usual, |Hour(hour)| *hour);
    let hours = (hour(&written.from, usual.hours.0), hour(&written.to, usual.hours.1));
    if hours.0 == hours.1
        && let Some(at) = written.to.given().map(|at| at.place).or(field.given().map(|at| at.place))
    {
        complaints.push(Complaint::shape(at, "the night begins with the day"));
    }
    Heating { day, night, hours }
}

/// Whom it befalls, if there is such a sensor.
fn target(
    place: Position,
    room: &Field<String>,
    sensor: &Field<schema::Address>,
    rooms: &[Room],
    complaints: &mut Complaints,
) -> Option<Target> {
    let slugs = || rooms.iter().map(|room| room.slug.as_str());
    let slug = room.required("room", place, "slug of a room", complaints)?;
    let Some(found) = rooms.iter().find(|room| room.slug == slug.value) else {
        let complaint = Complaint::value(slug.place, "no such room").found(&slug.value);
        complaints.push(complaint.hint(one_of(&slug.value, slugs)));
        return None;
    };
    let room = found.slug.clone();
    let written = match sensor {
        Field::Absent => return Some(Target { room, sensor: None }),
        Field::Wrong => return None,
        Field::Given(at) => at,
    };
    let text = match &written.value {
        schema::Address::Text(text) => text.clone(),
        schema::Address::Number(number) => format!("{number:#04x}"),
    };
    let addresses: Vec<_> = found.sensors.iter().map(|it| it.address.to_string()).collect();
    let index = addresses.iter().position(|address| *address == text);
    let Some(sensor) = index.and_then(|index| found.sensors.get(index)) else {
        let complaint = Complaint::value(written.place, "no such sensor in this room").found(&text);
        complaints.push(complaint.hint(one_of(&text, || addresses.iter().map(String::as_str))));
        return None;
    };
    Some(Target { room, sensor: Some(sensor.address.clone()) })
}

fn episode(
    At { place, value: written }: &At<schema::Episode>,
    target: Option<&Target>,
    rooms: &[Room],
    complaints: &mut Complaints,
) -> Option<Episode> {
    let hint = one_of("", || FAULTS.into_iter());
    let name = written.fault.required("fault", *place, &hint, complaints)?;
    let is = |wanted: &str| name.value == wanted;
    if !FAULTS.iter().any(|known| is(known)) {
        let complaint = Complaint::value(name.place, "unknown fault").found(&name.value);
        complaints.push(complaint.hint(one_of(&name.value, || FAULTS.into_iter())));
        return None;
    }
    let fitting = [
        ("share", written.share.given().map(|at| at.place), is("crc")),
        ("by", written.by.given().map(|at| at.place), is("drift") || is("noise")),
        ("over", written.over.given().map(|at| at.place), is("drift")),
    ];
    for (key, place, fits) in fitting {
        if let Some(place) = place.filter(|_| !fits) {
            let complaint = Complaint::shape(place, format!("not a key of `{}`", name.value));
            complaints.push(complaint.found(key));
        }
    }
    if let Some(target) = target {
        check_fits(name, target, rooms, complaints);
    }
    let trouble = match name.value.as_str() {
        "unplugged" => Trouble::Unplugged,
        "wrong-chip" => Trouble::WrongChip,
        "power-on" => Trouble::PowerOn,
        "stuck" => Trouble::Stuck,
        "crc" => Trouble::Crc { share: share(&written.share, complaints) },
        "drift" => Trouble::Drift {
            by: by(written, *place, Decimal(-FAR.0), complaints)?,
            over: written.over.value().copied().unwrap_or_default(),
        },
        // To either side: how far at most.
        _ => Trouble::Noise { by: by(written, *place, Decimal(1), complaints)? },
    };
    let (begin, lasts) = when(written, complaints)?;
    Some(Episode { trouble, begin, lasts })
}

fn share(field: &Field<Decimal>, complaints: &mut Complaints) -> u32 {
    let share = within(field, "share", Decimal(1)..=Decimal(1000), Decimal(10), complaints);
    u32::try_from(share.0).unwrap_or(1)
}

fn by(
    written: &schema::Episode,
    place: Position,
    least: Decimal,
    complaints: &mut Complaints,
) -> Option<i32> {
    let hint = "how far from the truth, in °C: `by = 3.0`";
    let at = written.by.required("by", place, hint, complaints)?;
    let by = within(&written.by, "by", least..=FAR, FAR, complaints);
    if by == Decimal(0) {
        let complaint = Complaint::value(at.place, "not away from the truth at all").found("0.0");
        complaints.push(complaint.hint(hint));
    }
    Some(by.0)
}

fn when(
    written: &schema::Episode,
    complaints: &mut Complaints,
) -> Option<(Begin, Option<Duration>)> {
    let after = written.after.value().copied().unwrap_or_default();
    let Some(at) = written.at.given() else {
        if let Some(at) = written.lasts.given().filter(|at| at.value.is_zero()) {
            let complaint = Complaint::value(at.place, "it lasts no time");
            complaints.push(complaint.found(at.value.written()).hint("left out: for ever"));
        }
        return Some((Begin::After(after), written.lasts.value().copied()));
    };
    if let Some(after) = written.after.given() {
        let complaint = Complaint::shape(after.place, "`after` beside `at`");
        complaints.push(complaint.hint("once so long after the start, or each day at that hour"));
    }
    let hint = "it comes each day: how long it stays, as in `lasts = \"5m\"`";
    written.lasts.required("lasts", at.place, hint, complaints)?;
    let range = Duration::from_millis(1)..=Duration::from_secs(24 * 3600);
    let lasts = within(&written.lasts, "lasts", range, Duration::from_secs(60), complaints);
    Some((Begin::Daily(at.value.0), Some(lasts)))
}

/// Not everything can befall everybody.
fn check_fits(name: &At<String>, target: &Target, rooms: &[Room], complaints: &mut Complaints) {
    let room = rooms.iter().find(|room| room.slug == target.room);
    let sensors = room.map_or(&[][..], |room| &room.sensors);
    let mut meant = sensors.iter().filter(|sensor| target.is(&target.room, &sensor.address));
    let what = |address: &Address| match (name.value.as_str(), address) {
        ("crc", Address::Spi(_) | Address::Kernel(_)) => Some("nothing there has a checksum"),
        ("wrong-chip", Address::OneWire(_) | Address::Pin(_) | Address::Kernel(_)) => {
            Some("no chip takes the place of another there")
        }
        ("power-on", Address::Kernel(_)) => Some("the kernel has no supply that fails"),
        _ => None,
    };
    let unfit = meant.find_map(|sensor| {
        let asked = || name.value == "power-on" && CONVERTS_WHEN_ASKED.contains(&sensor.driver);
        let fresh =
            || asked().then_some("it converts when it is asked, however fresh its supply is");
        Some((sensor, what(&sensor.address).or_else(fresh)?))
    });
    if let Some((sensor, what)) = unfit {
        let complaint = Complaint::shape(name.place, what).found(sensor.address.to_string());
        let hint = format!("`{}` has no effect on it", name.value);
        complaints.push(complaint.hint(hint));
    }
}
