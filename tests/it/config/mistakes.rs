//! What is said about mistakes, word by word.

mod form;
mod limits;
mod meaning;
mod sensors;
mod simulation;

use maison::config::{Source, parse};
use maison::limits::{LISTENERS_MAX, ROOMS_MAX, SENSORS_MAX};

use super::parse_one;

/// The report on `text`, with `:line:column` for `maison.toml:line:column`.
fn report(text: &str) -> String {
    parse_one(text).unwrap_err().to_string().replace("maison.toml:", ":")
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(report(text), expected);
}

/// As [`check`], for a key of a sensor that is otherwise right; it is on line 5.
#[track_caller]
fn check_sensor(line: &str, expected: &str) {
    let sensor = "[[rooms.a.sensors]]\ndriver = \"tmp117\"\nbus = \"i2c-1\"\n\n";
    check(&format!("{sensor}{line}"), expected);
}

/// As [`check`], for the address of a sensor on 1-Wire; it is on line 4.
#[track_caller]
fn check_one_wire(address: &str, expected: &str) {
    let sensor = "[[rooms.a.sensors]]\ndriver = \"ds18b20\"\nbus = \"w1\"\n";
    check(&format!("{sensor}address = {address}"), expected);
}

#[test]
fn too_many_of_anything() {
    let listener = |port: usize| format!("[[listener]]\nbind = \"127.0.0.1:{port}\"\n");
    let listeners: String = (0..=LISTENERS_MAX).map(|at| listener(at + 1)).collect();
    check(&listeners, ":33:1: too many listeners\n  hint: at most 16");

    let rooms = (0..=ROOMS_MAX).map(|at| format!("[rooms.a{at:04}]\n")).collect::<Vec<_>>();
    check(&rooms.concat(), ":1025:8: too many rooms\n  hint: at most 1024");

    let sensor = |at: usize| {
        format!(
            "[[rooms.a.sensors]]\ndriver = \"ds18b20\"\nbus = \"w1\"\naddress = \"28-{at:012x}\"\n"
        )
    };
    let sensors: String = (0..SENSORS_MAX).map(sensor).collect();
    assert!(parse_one(&sensors).is_ok());
    let sensors = sensors + &sensor(SENSORS_MAX);
    check(&sensors, ":4097:1: too many sensors\n  hint: at most 1024");
}

#[test]
fn the_same_key_in_two_files_names_both_places() {
    let file = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
    let report = parse(&[
        file("maison.toml", "[gateway]\nroot = \"a\"\n[rooms.salon]\nname = \"Salon\"\n"),
        file("conf.d/a.toml", "[rooms.salon]\nname = \"Salon\"\n"),
        file("conf.d/b.toml", "# more\n[gateway]\nroot = \"b\"\n"),
    ])
    .unwrap_err();
    assert_eq!(
        report.to_string(),
        "conf.d/a.toml:2:1: set in two files: `name`\n  \
         hint: the first is at `maison.toml:4:1`\n\
         conf.d/b.toml:3:1: set in two files: `root`\n  \
         hint: the first is at `maison.toml:2:1`"
    );
}

#[test]
fn ten_mistakes_are_told_at_once() {
    let text = r#"
[gateway]
rot = "maison"
state_dir = ""

[broker]
max_packet_size = "1 GiB"

[[listener]]
bind = "0.0.0.0:1883"
auth = "anonymous"

[rooms._salon]
name = "Salon"

[[rooms._salon.sensors]]
driver = "ds18b2"
bus = "w1"
interval = 10s
median = 2
deadband = -1
decimals = "1"
"#;
    let report = parse_one(text).unwrap_err();
    let told: Vec<String> = report
        .mistakes()
        .iter()
        .map(|it| format!("{} {}", it.position.unwrap().line, it.what))
        .collect();
    assert_eq!(
        told,
        [
            "3 unknown key",
            "4 `state_dir` is not a path",
            "7 `max_packet_size` out of range",
            "11 everyone on the network is let in",
            "13 room slugs with `_` are the gateway's own",
            "17 unknown sensor driver",
            "19 a text needs quotes",
            "20 `median` is even",
            "21 `deadband` out of range",
            "22 expected an integer, found a text",
        ]
    );
}
