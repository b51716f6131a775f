use super::*;
use crate::config::{Source, parse};

fn settings(text: &str) -> Settings {
    parse(&[Source { path: "a.toml".into(), text: text.into() }]).unwrap()
}

const HOUSE: &str = r#"
[rooms.salon]
[[rooms.salon.sensors]]
driver = "ds18b20"
bus = "w1"
address = "28-01131e858aef"

[[rooms.salon.sensors]]
driver = "sht3x"
bus = "i2c-1"

[[listener]]
bind = "127.0.0.1:1883"

[[listener]]
bind = "[::]:8883"
tls = true
auth = "password"
"#;

#[track_caller]
fn check(old: &str, new: &str, expected: &[&str]) {
    let (old, new) = (settings(old), settings(new));
    let lines: Vec<_> = difference(&old, &new).iter().map(Change::to_string).collect();
    assert_eq!(lines, expected);
    let left = difference(&adopted(&old, &new), &new);
    assert!(left.iter().all(|change| matches!(change, Change::Restart(_))), "{left:?}");
}

#[test]
fn what_is_the_same_has_no_line() {
    check(HOUSE, HOUSE, &[]);
}

#[test]
fn rooms_and_sensors_are_named_with_the_keys_that_differ() {
    let cave = "[rooms.cave]\n[[rooms.cave.sensors]]\ndriver = \"cpu\"\nbus = \"thermal\"\n";
    check(HOUSE, &format!("{HOUSE}{cave}"), &["room added: cave"]);
    check(&format!("{HOUSE}{cave}"), HOUSE, &["room removed: cave"]);
    let named = HOUSE.replace("[rooms.salon]\n", "[rooms.salon]\nname = \"Le salon\"\n");
    check(HOUSE, &named, &["room changed: salon: name"]);
    let together = "combine = \"mean\"\ndisagreement = 2.0\ndisagreement_after = \"1m\"\n";
    let together = HOUSE.replace("[rooms.salon]\n", &format!("[rooms.salon]\n{together}"));
    let expected = "room changed: salon: combine, disagreement, disagreement_after";
    check(HOUSE, &together, &[expected]);
    let address = "address = \"28-01131e858aef\"\n";
    let other = HOUSE.replace(address, "address = \"28-3c01d6075f12\"\n");
    let expected = ["sensor removed: salon 28-01131e858aef", "sensor added: salon 28-3c01d6075f12"];
    check(HOUSE, &other, &expected);
    let keys = "interval = \"2s\"\nstale_after = \"1m\"\noffset = 0.5\nalpha = 0.2\ndecimals = 2\n";
    let tuned = HOUSE.replace(address, &format!("{address}{keys}"));
    let keys = "interval, stale_after, offset, alpha, decimals";
    let expected = format!("sensor changed: salon 28-01131e858aef: {keys}");
    check(HOUSE, &tuned, &[&expected]);
}

/// A sensor of everything with this key beside its address.
fn tuned(key: &str) -> String {
    format!("[[rooms.a.sensors]]\ndriver = \"bme280\"\nbus = \"i2c-1\"\n{key}\n")
}

/// Each key of what is believed and shown has the name that it has in the file.
#[test]
fn every_key_of_a_quantity_is_named_as_it_is_written() {
    let curve = "calibration = { low = [0.0, 1.0], high = [50.0, 50.5] }";
    let keys = ["min = 1.0", "max = 50.0", "max_rate = 7.0", "offset = 0.5", curve];
    let keys = keys.into_iter().chain(["median = 3", "alpha = 0.5", "decimals = 2"]);
    for key in keys.chain(["deadband = 0.3"]) {
        let name = key.split(' ').next().unwrap();
        check(&tuned(""), &tuned(key), &[&format!("sensor changed: a 0x76: {name}")]);
        let of_humidity = tuned(&format!("humidity = {{ {key} }}"));
        check(&tuned(""), &of_humidity, &[&format!("sensor changed: a 0x76: humidity.{name}")]);
    }
    let expected = ["sensor changed: a 0x76: offset, calibration"];
    check(&tuned("offset = 0.5"), &tuned(curve), &expected);
}

#[test]
fn listeners_are_known_by_their_address() {
    let bare = HOUSE.replace("[[listener]]\nbind = \"127.0.0.1:1883\"\n", "");
    check(HOUSE, &bare, &["listener removed: 127.0.0.1:1883"]);
    check(&bare, HOUSE, &["listener added: 127.0.0.1:1883"]);
    let stricter = HOUSE.replace("auth = \"password\"", "auth = \"certificate\"");
    check(HOUSE, &stricter, &["listener changed: [::]:8883: auth"]);
    let chance = |auth: &str| format!("[[listener]]\nbind = \"127.0.0.1:0\"\nauth = \"{auth}\"\n");
    let (one, other) = (chance("anonymous"), chance("password"));
    check(&format!("{one}{other}"), &other, &["listener removed: 127.0.0.1:0"]);
}

#[test]
fn keys_hold_at_once_or_need_a_restart() {
    let old = "[gateway]\nroot = \"a\"\n[broker]\nsession_expiry = \"1d\"\n";
    let new = "[gateway]\nroot = \"b\"\n[broker]\nsession_expiry = \"2d\"\n";
    check(old, new, &["needs a restart: gateway.root", "changed: broker.session_expiry"]);
    let adopted = adopted(&settings(old), &settings(new));
    assert_eq!(adopted.gateway.root, "a");
}

/// A key that was forgotten would be neither changed nor told.
#[test]
fn every_key_but_rooms_and_listeners_is_compared() {
    let names: Vec<_> = FIXED.iter().chain(LIVE).map(|key| key.name).collect();
    let text = Settings::default().to_toml();
    let mut table = String::new();
    let mut keys = 0;
    for line in text.lines().take_while(|line| !line.starts_with("[[")) {
        if let Some(title) = line.strip_prefix('[') {
            table = title.trim_end_matches(']').to_owned();
        } else if let Some((key, _)) = line.split_once(" = ") {
            let wanted = format!("{table}.{key}");
            assert!(names.iter().any(|name| name.starts_with(&wanted)), "{wanted}");
            keys += 1;
        }
    }
    // The queue has two; the start is not written if it is now, and no metrics where there are
    // none; places and faults have headers.
    assert_eq!(names.len(), keys + 1 + 4);
}
