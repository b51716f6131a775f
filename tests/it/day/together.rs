//! Two rooms of the day with several sensors each: what befalls them by the clock, and what their
//! subscribers must see of it.

use std::ops::Range;
use std::time::Duration;

use maison::sampling::{Combination, SensorId, Tolerance};
use maison::telemetry::{Offer, Room, Sensor};
use maison::units::MilliCelsius;

use super::clients::Client;
use super::house::settings;

const HOUR: u64 = 3600;
/// Further apart than this for so long is an alarm.
const TOLERANCE: Tolerance = Tolerance { spread: 2000, patience: Duration::from_secs(600) };
/// How far a drifting sensor goes away, in an hour.
const DRIFT: i32 = 6000;

/// A room with several sensors, numbered from `first` on.
struct Shared {
    slug: &'static str,
    combine: Combination,
    sensors: usize,
    /// Which of them is away from the truth, and when.
    drift: (usize, Range<u64>),
    /// Which of them is unplugged, and when.
    dead: (usize, Range<u64>),
}

const SHARED: [Shared; 2] = [
    Shared {
        slug: "duo",
        combine: Combination::FirstHealthy,
        sensors: 2,
        drift: (1, 15 * HOUR..18 * HOUR),
        dead: (0, 10 * HOUR..12 * HOUR),
    },
    Shared {
        slug: "trio",
        combine: Combination::Median,
        sensors: 3,
        drift: (0, 5 * HOUR..9 * HOUR),
        dead: (1, 12 * HOUR..14 * HOUR),
    },
];

/// Sensors of these rooms.
pub(super) const SENSORS: usize = SHARED[0].sensors + SHARED[1].sensors;

/// The rooms, whose sensors have the numbers from `first` on.
pub(super) fn rooms(first: usize) -> Vec<Room> {
    let mut next = first;
    let room = |shared: &Shared| {
        let numbers = next..next + shared.sensors;
        next = numbers.end;
        let sensor = |number| Sensor {
            id: SensorId(number),
            address: format!("28-{number:012x}").into(),
            offers: Offer::all(&settings()),
        };
        Room {
            slug: shared.slug.into(),
            combine: shared.combine,
            tolerance: TOLERANCE,
            sensors: numbers.map(sensor).collect(),
        }
    };
    SHARED.iter().map(room).collect()
}

/// The room of the sensor of that number from the first of them on, and which it is there.
fn place(number: usize) -> (&'static Shared, usize) {
    let [duo, trio] = &SHARED;
    number.checked_sub(duo.sensors).map_or((duo, number), |number| (trio, number))
}

/// A key of the weather that all sensors of its room share.
pub(super) fn key(number: usize) -> usize {
    1000 + place(number).0.sensors
}

/// When it is unplugged.
pub(super) fn dead(number: usize) -> Option<Range<u64>> {
    let (shared, index) = place(number);
    (shared.dead.0 == index).then(|| shared.dead.1.clone())
}

/// How far from the truth it is.
pub(super) fn drift(number: usize, second: u64) -> MilliCelsius {
    let (shared, index) = place(number);
    let away = if shared.drift.0 == index { shared.away(second) } else { 0 };
    MilliCelsius::new(away)
}

/// The key of the weather of that room, if it is one of these.
pub(super) fn key_of(slug: &str) -> Option<usize> {
    SHARED.iter().find(|shared| shared.slug == slug).map(|shared| 1000 + shared.sensors)
}

impl Shared {
    fn away(&self, second: u64) -> i32 {
        let when = &self.drift.1;
        if !when.contains(&second) {
            return 0;
        }
        let part = i32::try_from((second - when.start).min(HOUR)).unwrap();
        DRIFT * part / i32::try_from(HOUR).unwrap()
    }
}

/// Each minute: online always, true always, and an alarm while one drifts. What is shown may lag
/// behind by `lag` seconds.
pub(super) fn check(second: u64, lag: u64, watcher: &Client, is_true: impl Fn(&str, &str) -> bool) {
    if second < lag {
        return;
    }
    for shared in &SHARED {
        let slug = shared.slug;
        let shown = |what: &str| watcher.shown.get(&format!("maison/{slug}/{what}"));
        assert_eq!(shown("availability").unwrap(), "online", "{slug} at {second}");
        let number = shown("temperature").unwrap();
        assert!(is_true(slug, number), "{slug} at {second}: {number}");
        let spread = i32::try_from(TOLERANCE.spread).unwrap();
        let patience = TOLERANCE.patience.as_secs() + lag;
        let far = |second: u64| shared.away(second) > spread + 300;
        let near = |second: u64| shared.away(second) < spread - 300;
        let all = |is: &dyn Fn(u64) -> bool, past: u64| {
            (second.saturating_sub(past)..=second).step_by(10).all(is)
        };
        let alert = shown("alert");
        if all(&far, patience) {
            let alert = alert.unwrap_or_else(|| panic!("{slug} has no alarm at {second}"));
            assert!(alert.starts_with(r#"{"alert":"disagreement","spread":"#), "{alert}");
            let twin = shown("temperature/json").unwrap();
            assert!(twin.contains(r#""q":"suspect""#), "{slug} at {second}: {twin}");
        }
        if all(&near, patience) {
            assert_eq!(alert, None, "{slug} at {second}");
            let twin = shown("temperature/json").unwrap();
            assert!(twin.contains(r#""q":"ok""#), "{slug} at {second}: {twin}");
        }
    }
}
