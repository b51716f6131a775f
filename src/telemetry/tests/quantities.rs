//! Rooms whose sensors measure more than the temperature.

use crate::units::{DeciPascal, MilliPercent, Value};

use super::*;

const BME280: &str = "0x70:3/0x76";

/// A house of one room whose only sensor measures everything, started.
fn bureau() -> House {
    let everything =
        Sensor { id: A, address: BME280.into(), offers: Quantity::ALL.map(promised).into() };
    let mut house =
        House::new("maison", &[Room { sensors: vec![everything], ..room("bureau", &[]) }]);
    house.start(at(0));
    house
}

/// A good reading of some other quantity.
fn other(sensor: SensorId, second: u64, value: Value) -> Report {
    let report = super::value(sensor, second, 1, 0);
    let reading = report.value.map(|reading| Reading { value, ..reading });
    Report { quantity: value.quantity(), value: reading, ..report }
}

fn percent(sensor: SensorId, second: u64, thousandths: i32) -> Report {
    other(sensor, second, MilliPercent::new(thousandths).value())
}

#[test]
fn humidity_and_pressure_go_beside_the_temperature_and_do_not_bring_the_room_online() {
    let mut house = bureau();
    check(
        &house.told(&percent(A, 1, 48_249)),
        &[
            "2 maison/bureau/humidity 48.2",
            concat!(
                r#"2 maison/bureau/humidity/json "#,
                r#"{"v":48.2,"u":"%","t":"2026-11-22T13:00:01Z","q":"ok","s":"0x70:3/0x76","n":1}"#,
            ),
            concat!(
                r#"1 maison/bureau/humidity/status {"state":"ok","error":null"#,
                r#","since":"2026-11-22T13:00:01Z","last_good":"2026-11-22T13:00:01Z"}"#,
            ),
        ],
    );
    let pressure = other(A, 2, DeciPascal::new(1_013_250).value());
    let told = lines(&house.told(&pressure));
    assert_eq!(told[0], "2 maison/bureau/pressure 1013.3");
    assert!(told[1].starts_with(r#"2 maison/bureau/pressure/json {"v":1013.3,"u":"hPa""#));
    let told = lines(&house.told(&value(A, 3, 1, 214)));
    assert_eq!(told[0], "2 maison/bureau/temperature 21.4");
    assert_eq!(told[2], "1 maison/bureau/availability online");
}

#[test]
fn a_humidity_that_fails_alone_takes_its_number_away_and_leaves_the_room_online() {
    let mut house = bureau();
    house.told(&value(A, 1, 1, 214));
    house.told(&percent(A, 1, 48_249));
    let failed = change(A, 40, State::Failed(Reason::Range), Some(1));
    check(
        &house.told(&Report { quantity: Quantity::Humidity, ..failed }),
        &[
            concat!(
                r#"1 maison/bureau/humidity/status {"state":"failed","error":"range""#,
                r#","since":"2026-11-22T13:00:40Z","last_good":"2026-11-22T13:00:01Z"}"#,
            ),
            "2 maison/bureau/humidity",
            "2 maison/bureau/humidity/json",
        ],
    );
}

#[test]
fn of_several_sensors_each_has_the_topics_of_what_it_shares() {
    let everything =
        Sensor { id: A, address: BME280.into(), offers: Quantity::ALL.map(promised).into() };
    let damp = [Quantity::Temperature, Quantity::Humidity].map(promised).into();
    let damp = Sensor { id: B, address: "0x44".into(), offers: damp };
    let room = Room { sensors: vec![everything, damp], ..room("bureau", &[]) };
    let mut house = House::new("maison", &[room]);
    house.start(at(0));
    let topics = |publications: &[Publication]| -> Vec<String> {
        publications.iter().map(|it| it.message.topic.as_str().to_owned()).collect()
    };
    assert_eq!(
        topics(&house.told(&percent(B, 1, 48_249))),
        [
            "maison/bureau/sensor/0x44/humidity",
            "maison/bureau/sensor/0x44/humidity/status",
            "maison/bureau/humidity",
            "maison/bureau/humidity/json",
            "maison/bureau/humidity/status",
        ]
    );
    assert_eq!(
        topics(&house.told(&value(A, 1, 1, 214)))[..2],
        ["maison/bureau/sensor/0x70:3-0x76/temperature", "maison/bureau/sensor/0x70:3-0x76/status"]
    );
    let pressure = other(A, 2, DeciPascal::new(1_013_250).value());
    assert_eq!(topics(&house.told(&pressure))[0], "maison/bureau/pressure");
}

#[test]
fn the_end_leaves_nothing_known_of_any_quantity() {
    let mut house = bureau();
    house.told(&value(A, 1, 1, 214));
    house.told(&percent(A, 1, 48_249));
    let told = lines(&house.stop(at(9)));
    for topic in ["status", "humidity/status"] {
        let unknown = format!(r#"1 maison/bureau/{topic} {{"state":"unknown""#);
        assert!(told.iter().any(|line| line.starts_with(&unknown)), "{told:?}");
    }
}

/// A device of the kernel of which nobody knows whether it has a humidity.
#[test]
fn of_what_nobody_has_promised_nothing_is_told_before_it_was_there() {
    let perhaps = Offer { promise: Promise::Perhaps, ..promised(Quantity::Humidity) };
    let device = |id, address: &str| Sensor {
        id,
        address: address.into(),
        offers: vec![promised(Quantity::Temperature), perhaps],
    };
    let alone = Room { sensors: vec![device(A, "dht11")], ..room("alone", &[]) };
    let pair = vec![device(B, "dht11@17"), device(SensorId(2), "dht11@4")];
    let pair = Room { sensors: pair, ..room("pair", &[]) };
    let rooms = [alone, pair];
    let mut house = House::new("maison", &rooms);
    let mut told = lines(&house.start(at(0)));
    told.extend(lines(&house.told(&value(A, 1, 1, 214))));
    told.extend(lines(&house.told(&value(B, 1, 1, 214))));
    told.extend(lines(&house.told(&change(A, 9, State::Failed(CRC), Some(1)))));
    told.extend(lines(&house.refit(&rooms[..1], tick(10), at(10))));
    told.extend(lines(&house.refit(&rooms, tick(11), at(11))));
    told.extend(lines(&house.stop(at(12))));
    told.retain(|line| line.contains("humidity") && !line.contains("pair/"));
    assert!(told.is_empty(), "{told:?}");
    assert!(house.seen().iter().all(|room| room.measured.len() == 1));
    let told = lines(&house.told(&percent(A, 20, 48_249)));
    assert_eq!(told[0], "2 maison/alone/humidity 48.2");
    assert!(told[2].starts_with("1 maison/alone/humidity/status"), "{told:?}");
    assert_eq!(house.seen()[0].measured.len(), 2);
    assert!(lines(&house.stop(at(21))).iter().any(|line| line.contains("humidity/status")));
}
