//! What subscribers see of reports.

mod combined;
mod quantities;
mod refit;

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::sampling::{Reading, Reason, State};
use crate::sensors::Fault;
use crate::units::MilliCelsius;

const CRC: Reason = Reason::Fault(Fault::Crc);
const A: SensorId = SensorId(0);
const B: SensorId = SensorId(1);
const ONE: &str = "28-00000000000a";
const TWO: &str = "28-00000000000b";

fn at(second: u64) -> Timestamp {
    Timestamp::new(1_795_352_400_000 + second * 1000, true)
}

/// Told at each change, and once a day.
fn promised(quantity: Quantity) -> Offer {
    let day = Duration::from_secs(24 * 3600);
    let interval = Duration::from_secs(10);
    let pace = Pace { deadband: 1, interval, heartbeat: day, stale_after: day };
    Offer { quantity, promise: Promise::Always, pace }
}

fn tick(second: u64) -> Tick {
    Tick::from_micros(second * 1_000_000)
}

fn room(slug: &str, sensors: &[(SensorId, &str)]) -> Room {
    let sensor = |(id, address): &(SensorId, &str)| Sensor {
        id: *id,
        address: Arc::from(*address),
        offers: vec![promised(Quantity::Temperature)],
    };
    let sensors = sensors.iter().map(sensor);
    Room {
        slug: Arc::from(slug),
        combine: Combination::FirstHealthy,
        tolerance: Tolerance { spread: 0, patience: Duration::ZERO },
        sensors: sensors.collect(),
    }
}

/// A report is told when it comes, which is when it was read or its state began.
trait Told {
    fn told(&mut self, report: &Report) -> Vec<Publication>;
}

impl Told for House {
    fn told(&mut self, report: &Report) -> Vec<Publication> {
        let when = report.value.map_or(report.since, |reading| reading.at);
        let now = Tick::from_micros((when.unix_ms() - at(0).unix_ms()) * 1000);
        self.report(report, now, when)
    }
}

/// A good reading of `tenths` at `second`, healthy since `since`.
fn value(sensor: SensorId, second: u64, since: u64, tenths: i32) -> Report {
    let reading = Reading {
        value: MilliCelsius::new(tenths * 100).value(),
        decimals: 1,
        at: at(second),
        number: second,
        stale_after: Duration::from_secs(30),
    };
    let last_good = Some(at(second));
    let quantity = Quantity::Temperature;
    Report { sensor, quantity, value: Some(reading), state: State::Ok, since: at(since), last_good }
}

/// A change of state at `second`, last good at `good`.
fn change(sensor: SensorId, second: u64, state: State, good: Option<u64>) -> Report {
    let (quantity, last_good) = (Quantity::Temperature, good.map(at));
    Report { sensor, quantity, value: None, state, since: at(second), last_good }
}

/// `<qos> <topic> <payload>` of each.
fn lines(publications: &[Publication]) -> Vec<String> {
    let line = |publication: &Publication| {
        let qos = match publication.qos {
            QoS::AtMostOnce => 0,
            QoS::AtLeastOnce => 1,
            QoS::ExactlyOnce => 2,
        };
        let message = &publication.message;
        let payload = std::str::from_utf8(&message.payload).unwrap();
        format!("{qos} {} {payload}", message.topic.as_str()).trim_end().to_owned()
    };
    publications.iter().map(line).collect()
}

#[track_caller]
fn check(publications: &[Publication], expected: &[&str]) {
    assert_eq!(lines(publications), expected);
}

/// A house of one room with one sensor, started.
fn salon() -> House {
    let mut house = House::new("maison", &[room("salon", &[(A, ONE)])]);
    house.start(at(0));
    house
}

/// A house of one room with two sensors, started.
fn grenier() -> House {
    let mut house = House::new("home/maison", &[room("grenier", &[(A, ONE), (B, TWO)])]);
    house.start(at(0));
    house
}

#[test]
fn at_the_start_every_room_is_offline_and_the_gateway_online() {
    let rooms = vec![room("chambre", &[(A, ONE)]), room("salon", &[])];
    let info = format!(
        r#"1 home/maison/_gateway/info {{"version":"{}","rooms":["chambre","salon"]}}"#,
        env!("CARGO_PKG_VERSION")
    );
    check(
        &House::new("home/maison", &rooms).start(at(0)),
        &[
            "1 home/maison/chambre/availability offline",
            "1 home/maison/chambre/alert",
            concat!(
                r#"1 home/maison/chambre/status {"state":"unknown","error":null"#,
                r#","since":"2026-11-22T13:00:00Z","last_good":null}"#,
            ),
            "1 home/maison/salon/availability offline",
            "1 home/maison/salon/alert",
            &info,
            "1 home/maison/_gateway/state online",
        ],
    );
}

#[test]
fn the_first_value_brings_a_room_online_and_the_next_are_values_only() {
    let mut house = salon();
    check(
        &house.told(&value(A, 1, 1, 214)),
        &[
            "2 maison/salon/temperature 21.4",
            concat!(
                r#"2 maison/salon/temperature/json "#,
                r#"{"v":21.4,"u":"°C","t":"2026-11-22T13:00:01Z""#,
                r#","q":"ok","s":"28-00000000000a","n":1}"#,
            ),
            "1 maison/salon/availability online",
            concat!(
                r#"1 maison/salon/status {"state":"ok","error":null"#,
                r#","since":"2026-11-22T13:00:01Z","last_good":"2026-11-22T13:00:01Z"}"#,
            ),
        ],
    );
    check(
        &house.told(&value(A, 11, 1, 215)),
        &[
            "2 maison/salon/temperature 21.5",
            concat!(
                r#"2 maison/salon/temperature/json "#,
                r#"{"v":21.5,"u":"°C","t":"2026-11-22T13:00:11Z""#,
                r#","q":"ok","s":"28-00000000000a","n":11}"#,
            ),
        ],
    );
}

#[test]
fn numbers_carry_their_lifetime_and_the_rest_stays() {
    let publications = salon().told(&value(A, 1, 1, 214));
    let lifetimes = publications.iter().map(|publication| publication.retained_for);
    let expected = [Some(Duration::from_secs(30)), Some(Duration::from_secs(30)), None, None];
    assert_eq!(lifetimes.collect::<Vec<_>>(), expected);
}

#[test]
fn a_suspected_sensor_is_online_and_its_failure_clears_the_number() {
    let mut house = salon();
    house.told(&value(A, 1, 1, 214));
    check(
        &house.told(&change(A, 11, State::Suspect(CRC), Some(1))),
        &[concat!(
            r#"1 maison/salon/status {"state":"suspect","error":"crc""#,
            r#","since":"2026-11-22T13:00:11Z","last_good":"2026-11-22T13:00:01Z"}"#,
        )],
    );
    check(
        &house.told(&change(A, 31, State::Failed(CRC), Some(1))),
        &[
            "1 maison/salon/availability offline",
            concat!(
                r#"1 maison/salon/status {"state":"failed","error":"crc""#,
                r#","since":"2026-11-22T13:00:31Z","last_good":"2026-11-22T13:00:01Z"}"#,
            ),
            "2 maison/salon/temperature",
            "2 maison/salon/temperature/json",
        ],
    );
    let absent = State::Failed(Reason::Fault(Fault::Absent));
    check(
        &house.told(&change(A, 31, absent, Some(1))),
        &[concat!(
            r#"1 maison/salon/status {"state":"failed","error":"absent""#,
            r#","since":"2026-11-22T13:00:31Z","last_good":"2026-11-22T13:00:01Z"}"#,
        )],
    );
    let back = lines(&house.told(&value(A, 41, 41, 214)));
    assert_eq!(back[0], "2 maison/salon/temperature 21.4");
    assert_eq!(back[2], "1 maison/salon/availability online");
    assert_eq!(back.len(), 4);
}

#[test]
fn a_sensor_that_is_dead_from_the_start_clears_the_number_of_an_earlier_run() {
    let publications = lines(&salon().told(&change(A, 1, State::Failed(CRC), None)));
    let cleared = ["2 maison/salon/temperature", "2 maison/salon/temperature/json"];
    assert_eq!(publications[1..], cleared);
    assert!(publications[0].ends_with(
        r#"{"state":"failed","error":"crc","since":"2026-11-22T13:00:01Z","last_good":null}"#
    ));
}

#[test]
fn a_room_shows_its_first_healthy_sensor_and_each_on_its_own_topic() {
    let mut house = grenier();
    let first = lines(&house.told(&value(B, 1, 1, 180)));
    assert_eq!(first[0], "1 home/maison/grenier/sensor/28-00000000000b/temperature 18.0");
    assert_eq!(first[2], "2 home/maison/grenier/temperature 18.0");
    assert_eq!(first[4], "1 home/maison/grenier/availability online");

    let better = lines(&house.told(&value(A, 2, 2, 214)));
    assert_eq!(better[2], "2 home/maison/grenier/temperature 21.4");
    assert!(better[4].starts_with("1 home/maison/grenier/status"), "{better:?}");
    assert_eq!(better.len(), 5);

    check(
        &house.told(&value(B, 11, 1, 181)),
        &["1 home/maison/grenier/sensor/28-00000000000b/temperature 18.1"],
    );
}

#[test]
fn a_suspected_sensor_gives_way_to_a_healthy_one_with_the_time_of_that_ones_value() {
    let mut house = grenier();
    house.told(&value(A, 1, 1, 214));
    house.told(&value(B, 2, 2, 180));
    check(
        &house.told(&change(A, 11, State::Suspect(CRC), Some(1))),
        &[
            concat!(
                r#"1 home/maison/grenier/sensor/28-00000000000a/status "#,
                r#"{"state":"suspect","error":"crc""#,
                r#","since":"2026-11-22T13:00:11Z","last_good":"2026-11-22T13:00:01Z"}"#,
            ),
            "2 home/maison/grenier/temperature 18.0",
            concat!(
                r#"2 home/maison/grenier/temperature/json "#,
                r#"{"v":18.0,"u":"°C","t":"2026-11-22T13:00:02Z""#,
                r#","q":"ok","s":"28-00000000000b","n":2}"#,
            ),
            concat!(
                r#"1 home/maison/grenier/status {"state":"ok","error":null"#,
                r#","since":"2026-11-22T13:00:02Z","last_good":"2026-11-22T13:00:02Z"}"#,
            ),
        ],
    );
}

#[test]
fn two_suspected_sensors_do_not_take_turns_and_the_room_outlives_the_first_to_fail() {
    let mut house = grenier();
    house.told(&value(A, 1, 1, 214));
    house.told(&value(B, 2, 2, 180));
    house.told(&change(A, 11, State::Suspect(CRC), Some(1)));
    let second = lines(&house.told(&change(B, 12, State::Suspect(CRC), Some(2))));
    assert!(second.iter().all(|line| !line.contains("grenier/temperature")), "{second:?}");
    let failed = lines(&house.told(&change(B, 32, State::Failed(CRC), Some(2))));
    assert_eq!(failed[0], "1 home/maison/grenier/sensor/28-00000000000b/temperature");
    assert_eq!(failed[2], "2 home/maison/grenier/temperature 21.4");
    assert!(failed[3].contains(r#""q":"suspect","s":"28-00000000000a""#), "{}", failed[3]);
    assert!(failed.iter().all(|line| !line.contains("availability")), "{failed:?}");
    let dark = lines(&house.told(&change(A, 33, State::Stale, Some(1))));
    assert!(dark.contains(&"1 home/maison/grenier/availability offline".to_owned()));
    assert!(dark.contains(&"2 home/maison/grenier/temperature".to_owned()));
}

#[test]
fn equal_addresses_of_one_room_have_topics_of_their_own() {
    let sensors = [(A, "0x44"), (B, "0x44"), (SensorId(2), "0x45")];
    let mut house = House::new("maison", &[room("cave", &sensors)]);
    for (sensor, name) in [(A, "0x44"), (B, "0x44-2"), (SensorId(2), "0x45")] {
        let first = &lines(&house.told(&value(sensor, 1, 1, 120)))[0];
        assert_eq!(*first, format!("1 maison/cave/sensor/{name}/temperature 12.0"));
    }
}

#[test]
fn the_last_words_are_offline_and_nothing_is_claimed_of_any_sensor() {
    let mut house = salon();
    house.told(&value(A, 1, 1, 214));
    check(
        &house.stop(at(60)),
        &[
            "1 maison/salon/availability offline",
            concat!(
                r#"1 maison/salon/status {"state":"unknown","error":null"#,
                r#","since":"2026-11-22T13:01:00Z","last_good":"2026-11-22T13:00:01Z"}"#,
            ),
            "1 maison/_gateway/state offline",
        ],
    );
}

fn any_report() -> impl Strategy<Value = Report> {
    let reason = prop_oneof![Just(CRC), Just(Reason::Range)];
    let state = prop_oneof![
        reason.clone().prop_map(State::Suspect),
        reason.prop_map(State::Failed),
        Just(State::Stale)
    ];
    let sensor = prop_oneof![Just(A), Just(B)];
    let state = proptest::option::of(state);
    (sensor, 0..1000_u64, -400..400_i32, state).prop_map(|(sensor, second, tenths, state)| {
        match state {
            Some(state) => change(sensor, second, state, Some(second)),
            None => value(sensor, second, second, tenths),
        }
    })
}

/// What is retained after these publications.
fn retain(retained: &mut BTreeMap<String, String>, publications: &[Publication]) {
    for publication in publications {
        let topic = publication.message.topic.as_str().to_owned();
        let payload = std::str::from_utf8(&publication.message.payload).unwrap();
        if payload.is_empty() {
            retained.remove(&topic);
        } else {
            retained.insert(topic, payload.to_owned());
        }
    }
}

proptest! {
    #[test]
    fn a_room_is_online_exactly_while_a_number_is_retained(
        reports in prop::collection::vec(any_report(), 0..50),
    ) {
        let mut house = House::new("maison", &[room("salon", &[(A, ONE), (B, TWO)])]);
        let mut retained = BTreeMap::new();
        retain(&mut retained, &house.start(at(0)));
        let mut good = BTreeMap::new();
        for report in reports {
            // A sampler never suspects a sensor that it has not told to be good.
            let known = good.get(&report.sensor) == Some(&true);
            if matches!(report.state, State::Suspect(_)) && !known {
                continue;
            }
            good.insert(report.sensor, matches!(report.state, State::Ok | State::Suspect(_)));
            retain(&mut retained, &house.told(&report));
            let online = good.values().any(|good| *good);
            let expected = if online { "online" } else { "offline" };
            prop_assert_eq!(&retained["maison/salon/availability"], expected);
            prop_assert_eq!(retained.contains_key("maison/salon/temperature"), online);
            prop_assert_eq!(retained.contains_key("maison/salon/temperature/json"), online);
            for (sensor, address) in [(A, ONE), (B, TWO)] {
                let topic = format!("maison/salon/sensor/{address}/temperature");
                let counts = good.get(&sensor) == Some(&true);
                prop_assert_eq!(retained.contains_key(&topic), counts);
            }
        }
    }
}
