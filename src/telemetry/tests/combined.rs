//! Several sensors of one room: what is made of them, and what is told when they disagree.

use super::*;

const C: SensorId = SensorId(2);
const THREE: &str = "28-00000000000c";

/// A house of one room with three sensors, started: further apart than 2 °C for 60 s is an alarm.
fn cave(combine: Combination) -> House {
    let mut house = House::new("maison", &[trio(combine)]);
    house.start(at(0));
    house
}

fn trio(combine: Combination) -> Room {
    let tolerance = Tolerance { spread: 2000, patience: Duration::from_secs(60) };
    Room { combine, tolerance, ..room("cave", &[(A, ONE), (B, TWO), (C, THREE)]) }
}

/// What the room itself is told to be: the lines that are not of a sensor.
fn of_room(publications: &[Publication]) -> Vec<String> {
    lines(publications).into_iter().filter(|line| !line.contains("/sensor/")).collect()
}

fn number(told: &[String]) -> Option<&str> {
    told.iter().find_map(|line| line.strip_prefix("2 maison/cave/temperature "))
}

/// Tenths of three sensors, and the number of the room after each.
#[track_caller]
fn check_numbers(combine: Combination, expected: [&str; 3]) {
    let mut house = cave(combine);
    let told = [(A, 200), (B, 215), (C, 203)]
        .map(|(sensor, tenths)| of_room(&house.told(&value(sensor, 1, 1, tenths))));
    let shown = told.each_ref().map(|told| number(told).unwrap_or("-"));
    assert_eq!(shown, expected, "{combine:?}");
}

#[test]
fn the_value_of_a_room_is_made_of_all_that_are_well() {
    check_numbers(Combination::FirstHealthy, ["20.0", "-", "-"]);
    check_numbers(Combination::Median, ["20.0", "20.8", "20.3"]);
    check_numbers(Combination::Mean, ["20.0", "20.8", "20.6"]);
}

#[test]
fn the_twin_says_of_how_many_it_is_made_and_counts_what_was_shown() {
    let mut house = cave(Combination::Mean);
    let first = of_room(&house.told(&value(A, 1, 1, 200)));
    assert!(first[1].ends_with(r#""q":"ok","s":"28-00000000000a","n":1}"#), "{first:?}");
    let second = of_room(&house.told(&value(B, 2, 2, 210)));
    let expected = r#""t":"2026-11-22T13:00:02Z","q":"ok","s":"mean of 2","n":2}"#;
    assert!(second[1].ends_with(expected), "{second:?}");
    assert_eq!(second.len(), 2, "the room was well before");
}

#[test]
fn a_sensor_that_dies_is_left_out_and_the_room_goes_on() {
    let mut house = cave(Combination::Mean);
    for (sensor, tenths) in [(A, 200), (B, 210), (C, 202)] {
        house.told(&value(sensor, 1, 1, tenths));
    }
    let told = of_room(&house.told(&change(B, 11, State::Suspect(CRC), Some(1))));
    assert_eq!(number(&told), Some("20.1"), "whoever has a bad reading waits outside");
    assert_eq!(told.len(), 2, "{told:?}");
    let told = of_room(&house.told(&change(B, 31, State::Failed(CRC), Some(1))));
    assert!(told.is_empty(), "{told:?}");
    house.told(&change(A, 32, State::Stale, Some(1)));
    let told = of_room(&house.told(&change(C, 33, State::Suspect(CRC), Some(1))));
    assert!(told[1].contains(r#""q":"suspect","s":"28-00000000000c""#), "{told:?}");
    assert!(told[2].contains(r#"cave/status {"state":"suspect","error":"crc""#), "{told:?}");
    let told = of_room(&house.told(&change(C, 63, State::Failed(CRC), Some(1))));
    assert_eq!(told[0], "1 maison/cave/availability offline");
    let expected = "1 maison/cave/status {\"state\":\"failed\",\"error\":\"crc\",\
                    \"since\":\"2026-11-22T13:01:03Z\",\"last_good\":\"2026-11-22T13:00:01Z\"}";
    assert_eq!(told[1], expected);
    let told = of_room(&house.told(&value(B, 70, 70, 211)));
    assert_eq!(number(&told), Some("21.1"));
    assert!(told[3].contains(r#""state":"ok","error":null,"since":"2026-11-22T13:01:10Z""#));
}

#[test]
fn a_value_expires_with_the_first_of_those_it_is_made_of() {
    let mut house = cave(Combination::Mean);
    house.told(&value(A, 1, 1, 200));
    let mut patient = value(B, 1, 1, 210);
    patient.value.as_mut().unwrap().stale_after = Duration::from_secs(600);
    let told = house.told(&patient);
    let of_room = told.iter().find(|it| it.message.topic.as_str() == "maison/cave/temperature");
    assert_eq!(of_room.unwrap().retained_for, Some(Duration::from_secs(30)));
}

/// B drifts away from second 10 on.
fn drifting(combine: Combination) -> House {
    let mut house = cave(combine);
    for (sensor, tenths) in [(A, 200), (B, 201), (C, 202)] {
        house.told(&value(sensor, 1, 1, tenths));
    }
    house.told(&value(B, 10, 1, 221));
    house
}

#[test]
fn sensors_that_disagree_for_long_are_an_alarm_that_is_told_once() {
    let mut house = drifting(Combination::Median);
    assert_eq!(house.deadline(), Some(Tick::from_micros(70_000_000)));
    assert!(house.wake(Tick::from_micros(69_999_999), at(69)).is_empty());
    assert!(house.alarms().is_empty());
    check(
        &house.wake(Tick::from_micros(70_000_000), at(70)),
        &[
            concat!(
                r#"1 maison/cave/alert {"alert":"disagreement","spread":2.1,"limit":2.0"#,
                r#","u":"°C","sensors":{"28-00000000000a":20.0,"28-00000000000b":22.1"#,
                r#","28-00000000000c":20.2},"t":"2026-11-22T13:01:10Z"}"#,
            ),
            "2 maison/cave/temperature 20.2",
            concat!(
                r#"2 maison/cave/temperature/json "#,
                r#"{"v":20.2,"u":"°C","t":"2026-11-22T13:00:10Z""#,
                r#","q":"suspect","s":"median of 3","n":4}"#,
            ),
            concat!(
                r#"1 maison/cave/status {"state":"suspect","error":"disagreement""#,
                r#","since":"2026-11-22T13:01:10Z","last_good":"2026-11-22T13:00:10Z"}"#,
            ),
        ],
    );
    let alarm = |is_raised, spread| Alarm { room: "cave".into(), is_raised, spread };
    assert_eq!(house.alarms(), [alarm(true, Some(2100))]);
    let told = of_room(&house.told(&value(C, 80, 1, 201)));
    assert_eq!(told.len(), 2, "the number alone: {told:?}");
    assert!(told[1].contains(r#""q":"suspect""#), "{told:?}");
    house.told(&value(B, 90, 1, 203));
    let told = house.wake(Tick::from_micros(150_000_000), at(150));
    assert_eq!(lines(&told)[0], "1 maison/cave/alert");
    assert!(lines(&told)[2].contains(r#""q":"ok","s":"median of 3""#), "{told:?}");
    let ended = r#""state":"ok","error":null,"since":"2026-11-22T13:02:30Z""#;
    assert!(lines(&told)[3].contains(ended), "{told:?}");
    assert_eq!(house.alarms(), [alarm(false, Some(300))]);
}

/// What a room of one sensor's value is tells it as well.
#[test]
fn the_time_of_a_state_is_that_of_its_change_when_sensors_agree_again() {
    let mut house = drifting(Combination::FirstHealthy);
    let told = lines(&house.wake(tick(70), at(70)));
    let doubted = r#""state":"suspect","error":"disagreement","since":"2026-11-22T13:01:10Z""#;
    assert!(told.last().unwrap().contains(doubted), "{told:?}");
    house.told(&value(B, 90, 1, 203));
    let told = lines(&house.wake(tick(150), at(150)));
    let ended = r#""state":"ok","error":null,"since":"2026-11-22T13:02:30Z""#;
    assert!(told.last().unwrap().contains(ended), "{told:?}");
    let told = of_room(&house.told(&value(A, 151, 1, 201)));
    assert!(told.iter().all(|line| !line.contains("status")), "no news: {told:?}");
    assert_eq!(house.seen()[0].measured[0].since, at(150));
}

/// The gateway has started at second 0, and nobody has been read.
#[test]
fn a_room_of_which_nothing_is_known_is_so_since_the_start() {
    for combine in [Combination::FirstHealthy, Combination::Median, Combination::Mean] {
        let mut house = House::new("maison", &[trio(combine)]);
        let told = of_room(&house.start(at(0)));
        let unknown = r#"{"state":"unknown","error":null,"since":"2026-11-22T13:00:00Z""#;
        assert!(told.iter().any(|line| line.contains(unknown)), "{told:?}");
        assert_eq!(house.seen()[0].measured[0].since, at(0));
    }
}

/// A house whose three sensors are told at each change of so much, else each minute.
fn paced_cave(combine: Combination, deadband: u32) -> House {
    let mut room = trio(combine);
    let pace = Pace {
        deadband,
        heartbeat: Duration::from_secs(60),
        stale_after: Duration::from_secs(300),
        ..promised(Quantity::Temperature).pace
    };
    for offer in room.sensors.iter_mut().flat_map(|sensor| &mut sensor.offers) {
        offer.pace = pace;
    }
    let mut house = House::new("maison", &[room]);
    house.start(at(0));
    house
}

/// Readings of three sensors, each ten seconds, and what the room shows: second and number.
fn shown(house: &mut House, cycles: u64, tenths: impl Fn(u64) -> i32) -> Vec<(u64, String)> {
    let mut shown = Vec::new();
    for second in 0..cycles * 10 {
        let mut told = house.wake(tick(second), at(second));
        for (sensor, phase) in [(A, 0), (B, 3), (C, 6)] {
            if second % 10 == phase {
                told.extend(house.told(&value(sensor, second, 0, tenths(second))));
            }
        }
        shown.extend(number(&of_room(&told)).map(|it| (second, it.to_owned())));
    }
    shown
}

#[test]
fn what_is_made_of_several_has_one_deadband_and_one_heartbeat() {
    let mut house = paced_cave(Combination::Mean, 500);
    let seconds = |told: Vec<(u64, String)>| -> Vec<u64> {
        told.into_iter().map(|(second, _)| second).collect()
    };
    assert_eq!(seconds(shown(&mut house, 13, |_| 200)), [0, 60, 120]);
    let mut house = paced_cave(Combination::Mean, 500);
    let step = |second: u64| if second < 30 { 200 } else { 206 };
    let told = shown(&mut house, 6, step);
    let expected = [(0, "20.0"), (36, "20.6")].map(|(second, it)| (second, it.to_owned()));
    assert_eq!(told, expected, "two of three are no change of half a degree");
}

/// Readings of a sensor are all told, and those of three are one in a cycle.
#[test]
fn without_a_deadband_a_room_has_a_value_a_cycle() {
    let mut house = paced_cave(Combination::Median, 0);
    let told = shown(&mut house, 6, |_| 200);
    assert_eq!(told.len(), 6, "{told:?}");
}

/// Its sensors themselves tell nothing new for so long.
#[test]
fn what_is_made_of_several_is_renewed_though_nobody_is_read() {
    let mut house = paced_cave(Combination::Mean, 500);
    house.told(&value(A, 1, 1, 200));
    assert_eq!(house.deadline(), Some(tick(61)));
    assert!(house.wake(tick(60), at(60)).is_empty());
    let told = of_room(&house.wake(tick(61), at(61)));
    assert_eq!(number(&told), Some("20.0"), "{told:?}");
    house.told(&change(A, 70, State::Failed(CRC), Some(1)));
    assert_eq!(house.deadline(), None, "nothing is shown");
    let told = of_room(&house.told(&value(A, 75, 75, 200)));
    assert_eq!(number(&told), Some("20.0"), "after a gap it is news: {told:?}");
}

#[test]
fn a_drift_that_comes_back_in_time_is_no_alarm() {
    let mut house = drifting(Combination::Mean);
    house.told(&value(B, 60, 1, 205));
    assert!(house.wake(Tick::from_micros(80_000_000), at(80)).is_empty());
}

#[test]
fn the_alarm_ends_when_nobody_is_left_to_disagree_and_at_the_end() {
    let mut house = drifting(Combination::FirstHealthy);
    house.wake(Tick::from_micros(70_000_000), at(70));
    house.told(&change(A, 80, State::Stale, Some(1)));
    house.told(&change(C, 80, State::Stale, Some(1)));
    let told = lines(&house.wake(Tick::from_micros(140_000_000), at(140)));
    assert_eq!(told[0], "1 maison/cave/alert");
    let mut house = drifting(Combination::FirstHealthy);
    house.wake(Tick::from_micros(70_000_000), at(70));
    assert!(lines(&house.stop(at(75))).contains(&"1 maison/cave/alert".to_owned()));
    let told = lines(&drifting(Combination::FirstHealthy).stop(at(75)));
    assert!(told.iter().all(|line| !line.contains("alert")), "nothing to clear: {told:?}");
}

#[test]
fn a_reload_keeps_the_alarm_unless_its_terms_are_others() {
    let mut house = drifting(Combination::Mean);
    house.wake(Tick::from_micros(70_000_000), at(70));
    assert!(house.refit(&[trio(Combination::Mean)], tick(75), at(75)).is_empty());
    let told = of_room(&house.refit(&[trio(Combination::Median)], tick(76), at(76)));
    assert_eq!(number(&told), Some("20.2"), "{told:?}");
    assert!(told[1].contains(r#""q":"suspect","s":"median of 3""#), "{told:?}");
    let tolerance = Tolerance { spread: 5000, patience: Duration::from_secs(60) };
    let wider = Room { tolerance, ..trio(Combination::Median) };
    let told = of_room(&house.refit(&[wider], tick(77), at(77)));
    assert!(told.contains(&"1 maison/cave/alert".to_owned()), "{told:?}");
    assert!(told.iter().any(|line| line.contains(r#""q":"ok","s":"median of 3""#)), "{told:?}");
}
