//! Simulated houses that cannot be.

use super::check;

/// A house of two rooms, in seven lines.
const HOUSE: &str = "[[rooms.salon.sensors]]\ndriver = \"max31855\"\nbus = \"spi-0.0\"\n\
                     [[rooms.cave.sensors]]\ndriver = \"tmp117\"\nbus = \"i2c-1\"\n\n";

/// As [`check`], for a fault; its keys begin on line 9.
#[track_caller]
fn check_fault(keys: &str, expected: &str) {
    check(&format!("{HOUSE}[[simulation.faults]]\n{keys}"), expected);
}

/// All kinds of faults, as messages list them.
const KINDS: &str = "`unplugged`, `wrong-chip`, `power-on`, `crc`, `stuck`, `drift`, `noise`";

#[test]
fn whom_and_what() {
    check_fault(
        "",
        &format!(
            ":8:1: missing key: `room`\n  hint: slug of a room\n\
             :8:1: missing key: `fault`\n  hint: there are {KINDS}"
        ),
    );
    check_fault(
        "fault = \"unpluged\"\nroom = \"cav\"",
        &format!(
            ":9:9: unknown fault: `unpluged`\n  hint: did you mean `unplugged`? there are {KINDS}\n\
             :10:8: no such room: `cav`\n  hint: did you mean `cave`? there are `cave`, `salon`"
        ),
    );
    check_fault(
        "fault = \"stuck\"\nroom = \"cave\"\nsensor = 0x49",
        ":11:10: no such sensor in this room: `0x49`\n  \
         hint: did you mean `0x48`? there are `0x48`",
    );
    check_fault(
        "fault = \"crc\"\nroom = \"salon\"",
        ":9:9: nothing there has a checksum: `spi-0.0`\n  hint: `crc` has no effect on it",
    );
}

#[test]
fn when_and_how_much() {
    let check_cave = |fault: &str, keys: &str, expected: &str| {
        check_fault(&format!("fault = \"{fault}\"\nroom = \"cave\"\n{keys}"), expected);
    };
    check_cave(
        "unplugged",
        "at = \"25:00\"\nlasts = \"5m\"",
        ":11:6: not an hour of the day: `25:00`\n  hint: from `\"00:00\"` to `\"23:59\"`",
    );
    check_cave(
        "unplugged",
        "at = \"10:00\"",
        ":11:6: missing key: `lasts`\n  \
         hint: it comes each day: how long it stays, as in `lasts = \"5m\"`",
    );
    check_cave(
        "stuck",
        "at = \"10:00\"\nlasts = \"2d\"\nafter = \"1m\"",
        ":12:9: `lasts` out of range: `2d`\n  hint: from `1ms` to `1d`\n\
         :13:9: `after` beside `at`\n  \
         hint: once so long after the start, or each day at that hour",
    );
    check_cave(
        "drift",
        "share = 0.1",
        ":8:1: missing key: `by`\n  hint: how far from the truth, in °C: `by = 3.0`\n\
         :11:9: not a key of `drift`: `share`",
    );
    check_cave(
        "crc",
        "share = 1.5",
        ":11:9: `share` out of range: `1.5`\n  hint: from `0.001` to `1.0`",
    );
    check_cave(
        "noise",
        "by = 90",
        ":11:6: `by` out of range: `90.0`\n  hint: from `0.001` to `50.0`",
    );
}

#[test]
fn what_would_befall_nobody() {
    let check_cave = |fault: &str, keys: &str, expected: &str| {
        check_fault(&format!("fault = \"{fault}\"\nroom = \"cave\"\n{keys}"), expected);
    };
    check_cave(
        "power-on",
        "",
        ":9:9: it converts when it is asked, however fresh its supply is: `0x48`\n  \
         hint: `power-on` has no effect on it",
    );
    check_cave(
        "noise",
        "by = -0.5",
        ":11:6: `by` out of range: `-0.5`\n  hint: from `0.001` to `50.0`",
    );
    check_cave(
        "drift",
        "by = 0",
        ":11:6: not away from the truth at all: `0.0`\n  \
         hint: how far from the truth, in °C: `by = 3.0`",
    );
    check_cave(
        "unplugged",
        "lasts = \"0s\"",
        ":11:9: it lasts no time: `0s`\n  hint: left out: for ever",
    );
}

#[test]
fn the_house_itself() {
    check(
        "[simulation]\nseed = -1\nstart = \"tomorrow\"\n\
         heating = { day = 60, from = \"22:00\" }\nweather.season = -1",
        ":2:8: `seed` out of range: `-1`\n  hint: from `0` to `4294967295`\n\
         :3:9: not a time in UTC: `tomorrow`\n  hint: as in `\"2026-01-15T06:00:00Z\"`\n\
         :4:11: the night begins with the day\n\
         :4:19: `day` out of range: `60.0`\n  hint: from `0.0` to `50.0`\n\
         :5:18: `season` out of range: `-1.0`\n  hint: from `0.0` to `50.0`",
    );
    check(
        "[rooms.a]\n[[simulation.places]]\nroom = \"a\"\nplace = \"loft\"",
        ":4:9: unknown place: `loft`\n  hint: there are `room`, `cellar`, `outside`",
    );
}
