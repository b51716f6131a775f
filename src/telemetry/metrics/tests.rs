use super::*;
use crate::sampling::{Reading, SensorId};
use crate::telemetry::Seen;
use crate::time::Timestamp;
use crate::units::Value;

const AT: Timestamp = Timestamp::new(0, true);

fn seen(quantity: Quantity, thousandths: i32) -> Seen {
    let reading = Reading {
        value: Value::new(quantity, thousandths),
        decimals: 1,
        at: AT,
        number: 1,
        stale_after: Duration::from_secs(30),
    };
    Seen {
        quantity,
        sensor: SensorId(0),
        address: "0x76".into(),
        state: State::Ok,
        since: AT,
        last_good: Some(AT),
        reading: Some(reading),
    }
}

fn metrics() -> Metrics {
    let measured = vec![
        seen(Quantity::Temperature, -500),
        seen(Quantity::Humidity, 48_200),
        seen(Quantity::Pressure, 1_013_200),
    ];
    let room = SeenRoom { slug: "serre".into(), online: true, measured };
    Metrics {
        uptime: Duration::from_millis(61_500),
        clock_set: false,
        counts: Counts { publish_dropped: 7, ..Counts::default() },
        too_large: 0,
        rooms: vec![(room, vec![Some(Duration::from_millis(1500)), None, None])],
        sensors: vec![SensorFigures {
            room: "serre".into(),
            address: "0x76".into(),
            answers: 5,
            faults: vec![("crc", 2)],
        }],
        well: [1, 0],
        reports_folded: 3,
        logins_refused: vec![("bad-password".to_owned(), 4)],
        connects_refused: 0,
        malformed: 0,
        turned_away: 0,
        handshakes_failed: 0,
        accepts_failed: 0,
        cpu: Some(MilliCelsius::new(48_312)),
        under_voltage: None,
        disk_free: None,
        certificates: Vec::new(),
    }
}

#[test]
fn figures_are_in_base_units_and_what_is_unknown_is_absent() {
    let text = metrics().text();
    for line in [
        "maison_uptime_seconds 61.5",
        "maison_clock_set 0",
        "maison_room_temperature_celsius{room=\"serre\",sensor=\"0x76\"} -0.5",
        "maison_room_humidity_ratio{room=\"serre\",sensor=\"0x76\"} 0.482",
        "maison_room_pressure_pascals{room=\"serre\",sensor=\"0x76\"} 101320",
        "maison_room_value_age_seconds{room=\"serre\",quantity=\"temperature\"} 1.5",
        "maison_sensors{state=\"untried\"} 0",
        "maison_sensor_answers_total{room=\"serre\",sensor=\"0x76\"} 5",
        "maison_sensor_faults_total{room=\"serre\",sensor=\"0x76\",fault=\"crc\"} 2",
        "maison_reports_dropped_total 3",
        "maison_messages_dropped_total 7",
        "maison_logins_refused_total{reason=\"bad-password\"} 4",
        "maison_cpu_temperature_celsius 48.312",
    ] {
        assert!(text.lines().any(|found| found == line), "no `{line}` in:\n{text}");
    }
    for absent in [
        "under_voltage",
        "disk_free",
        "maison_store",
        "resident",
        "_age_seconds{room=\"serre\",quantity=\"humidity\"",
    ] {
        assert!(!text.contains(absent), "{absent}");
    }
}

/// A value that no longer counts is not told as if it did.
#[test]
fn a_room_whose_value_does_not_count_has_none() {
    let mut metrics = metrics();
    metrics.rooms[0].0.measured[0].reading = None;
    metrics.rooms[0].0.measured[0].state = State::Stale;
    let text = metrics.text();
    assert!(!text.contains("temperature_celsius{room"), "{text}");
    let labels = "room=\"serre\",quantity=\"temperature\",sensor=\"0x76\"";
    assert!(text.contains(&format!("maison_room_sensor_ok{{{labels}}} 0\n")), "{text}");
}
