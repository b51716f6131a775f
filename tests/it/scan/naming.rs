//! `maison scan --write`: by the command line, by touch, and what is never lost.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{SALON, house, scan, text};
use crate::gateway::{Gateway, binary};
use crate::terminal::Terminal;

fn written(folder: &Path) -> PathBuf {
    folder.join("conf.d/90-scan.toml")
}

fn check_ok(folder: &Path, rooms: &str) {
    let config = folder.join("maison.toml");
    let output = binary().arg("check").arg("--config").arg(config).output().unwrap();
    assert!(text(&output).contains(rooms), "{output:?}");
}

#[test]
fn rooms_of_the_command_line_are_written_and_a_second_run_adds() {
    let folder = house(SALON);
    let output = scan(folder.path(), &["--write", "--room", "28-3c01d6075f12=Chambre d'été"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let path = written(folder.path());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
    let first = fs::read_to_string(&path).unwrap();
    assert!(first.contains("[rooms.chambre-d-ete]\nname = \"Chambre d'été\"\n"), "{first}");
    check_ok(folder.path(), "2 rooms, 2 sensors");
    // By its slug, and a line that somebody wrote by hand in between.
    fs::write(&path, first.clone() + "offset = -0.3 # mine\n").unwrap();
    let again = ["--write", "--room", "w1/28-0316a2794dff=chambre-d-ete"];
    assert_eq!(scan(folder.path(), &again).status.code(), Some(0));
    let second = fs::read_to_string(&path).unwrap();
    assert!(second.starts_with(&(first + "offset = -0.3 # mine\n")), "{second}");
    check_ok(folder.path(), "2 rooms, 3 sensors");
    let left: Vec<_> = fs::read_dir(folder.path().join("conf.d")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[track_caller]
fn check_refused(folder: &Path, arguments: &[&str], code: i32, expected: &str) {
    let before = fs::read(written(folder)).ok();
    let output = scan(folder, &[&["--write"], arguments].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(expected), "no `{expected}` in:\n{said}");
    assert_eq!(fs::read(written(folder)).ok(), before, "something was written");
}

#[test]
fn what_is_wrong_is_said_and_nothing_is_written() {
    let folder = house(SALON);
    let at = folder.path();
    check_refused(at, &[], 2, "rooms are asked for on a terminal");
    check_refused(at, &["--room", "28-000000000001=Cave"], 1, "nobody answers at");
    check_refused(at, &["--room", "28-01131e858aef=Cave"], 1, "has a room already: `Salon`");
    check_refused(at, &["--room", "28-3c01d6075f12=浴室"], 1, "needs letters or digits");
    check_refused(at, &["--room", "28-3c01d6075f12"], 2, "write an address");
    let twice = ["--room", "28-3c01d6075f12=A", "--room", "28-3c01d6075f12=B"];
    check_refused(at, &twice, 1, "gets two rooms");
    fs::create_dir(at.join("conf.d")).unwrap();
    fs::write(written(at), "# mine\n[rooms.cave]\nname = \"Cave\"\n").unwrap();
    check_refused(at, &["--room", "28-3c01d6075f12=Cave"], 1, "was not written by this program");
    fs::write(at.join("conf.d/50.toml"), "[rooms.cave]\nname = \"Cave\"\n").unwrap();
    check_refused(at, &["--room", "28-3c01d6075f12=Cave"], 78, "set in two files");
}

#[test]
fn a_chip_that_cannot_be_told_apart_needs_a_word() {
    let folder = Gateway::prepare("");
    let at = folder.path();
    let chip = "[[rooms.any.sensors]]\ndriver = \"lm75\"\nbus = \"simulated\"\naddress = 0x48\n";
    fs::write(at.join("house.toml"), chip).unwrap();
    let house = at.join("house.toml");
    let simulated = ["--simulated", house.to_str().unwrap(), "--room", "0x48=Bureau"];
    check_refused(at, &simulated, 1, "hint: `--driver 0x48=lm75`");
    let word = [&simulated[..], &["--driver", "0x48=tmp117"]].concat();
    check_refused(at, &word, 1, "is no `tmp117`, but lm75 or pct2075");
    let word = [&["--write"], &simulated[..], &["--driver", "0x48=pct2075"]].concat();
    assert_eq!(scan(at, &word).status.code(), Some(0));
    assert!(fs::read_to_string(written(at)).unwrap().contains("driver = \"pct2075\""));
}

fn simulated_house(folder: &Path) -> Terminal {
    let config = folder.join("maison.toml");
    Terminal::run(&["scan", "--write", "--simulated", "--config", config.to_str().unwrap()])
}

/// The hand of the simulated house warms the probes one after the other, in the order of the list.
#[test]
fn probes_get_their_rooms_by_touch() {
    let folder = Gateway::prepare("[rooms.cave]\nname = \"Cave à vin\"\n");
    let mut terminal = simulated_house(folder.path());
    let mut name = |probe: &str, room: &str| {
        terminal.expect("Warm one with your hand");
        terminal.expect(&format!("{probe} rose "));
        let rise = terminal.expect(" °C: which room?");
        assert!(rise.parse::<f64>().unwrap() >= 1.5, "{rise}");
        terminal.expect("(Enter: none) ");
        terminal.answer(room);
    };
    name("28-0114a2b3c4d5", "Salon");
    name("28-01131e858aef", "/");
    terminal.expect("needs letters or digits");
    terminal.answer("Salon");
    terminal.expect("3 probes have no room");
    terminal.answer("");
    let status = terminal.end();
    assert!(status.success(), "{}", terminal.shown());
    let text = fs::read_to_string(written(folder.path())).unwrap();
    let sensor = |address: &str| {
        format!(
            "\n[[rooms.salon.sensors]]\ndriver = \"ds18b20\"\nbus = \"simulated\"\n\
             address = \"{address}\"\n"
        )
    };
    let expected = "\n[rooms.salon]\nname = \"Salon\"\n".to_owned()
        + &sensor("28-0114a2b3c4d5")
        + &sensor("28-01131e858aef");
    assert!(text.ends_with(&expected), "{text}");
    check_ok(folder.path(), "2 rooms, 2 sensors");
    assert!(terminal.shown().contains(&expected), "{}", terminal.shown());
}

/// What the rest of the configuration does not take is said with its place, while it can be mended.
#[test]
fn a_name_that_cannot_be_a_rooms_is_asked_for_again() {
    let folder = Gateway::prepare("");
    let other = folder.path().join("conf.d/50.toml");
    fs::create_dir(folder.path().join("conf.d")).unwrap();
    let mut terminal = simulated_house(folder.path());
    terminal.expect("28-0114a2b3c4d5 rose ");
    for (name, fault) in [
        ("a\tb", "control character in the name of a room"),
        ("浴室", "needs letters or digits for its topic: `浴室`"),
        (&"x".repeat(65), "name of a room too long: 64 letters at most"),
    ] {
        terminal.expect(" °C: which room? (Enter: none) ");
        terminal.answer(name);
        terminal.expect(fault);
    }
    terminal.expect(" °C: which room? (Enter: none) ");
    fs::write(&other, "[rooms.cave]\nnmae = \"Cave\"\n").unwrap();
    terminal.answer("Salon");
    terminal.expect("this cannot be written:\n");
    terminal.expect("50.toml:2:1: unknown key: `nmae`");
    terminal.expect(" °C: which room? (Enter: none) ");
    fs::remove_file(&other).unwrap();
    terminal.answer("Salon");
    terminal.expect("4 probes have no room");
    terminal.answer("");
    assert!(terminal.end().success(), "{}", terminal.shown());
    let text = fs::read_to_string(written(folder.path())).unwrap();
    assert_eq!(text.matches("\n[rooms.").count(), 1, "{text}");
    check_ok(folder.path(), "1 room, 1 sensor");
}

#[test]
fn a_chip_that_cannot_be_told_apart_is_asked_for_until_it_is_one_of_those() {
    let folder = Gateway::prepare("");
    let chip = "[[rooms.any.sensors]]\ndriver = \"lm75\"\nbus = \"simulated\"\naddress = 0x48\n";
    let house = folder.path().join("house.toml");
    fs::write(&house, chip).unwrap();
    let config = folder.path().join("maison.toml");
    let words = ["scan", "--write", "--in-order", "--config", config.to_str().unwrap()];
    let words = [&words[..], &["--simulated", house.to_str().unwrap()]].concat();
    let mut terminal = Terminal::run(&words);
    terminal.expect("which room? (Enter: none) ");
    terminal.answer("Bureau");
    terminal.expect("lm75 or pct2075? (Enter: lm75) ");
    terminal.answer("tmp117");
    terminal.expect("one of these: lm75 or pct2075");
    terminal.expect("lm75 or pct2075? (Enter: lm75) ");
    terminal.answer("pct2075");
    assert!(terminal.end().success(), "{}", terminal.shown());
    let text = fs::read_to_string(written(folder.path())).unwrap();
    assert!(text.contains("driver = \"pct2075\""), "{text}");
}

#[test]
fn ctrl_c_leaves_all_as_it_was() {
    let folder = Gateway::prepare("");
    let mut terminal = simulated_house(folder.path());
    terminal.expect("which room?");
    terminal.answer("Salon");
    terminal.expect("Warm one with your hand");
    terminal.press('\u{3}');
    terminal.expect("interrupted: nothing is written");
    assert_eq!(terminal.end().code(), Some(130));
    assert!(!folder.path().join("conf.d").exists());
}

/// What is typed before a probe is warm is no "enough"; an end of all typing gives up.
#[test]
fn only_an_empty_line_ends_the_touching() {
    let folder = Gateway::prepare("");
    let mut terminal = simulated_house(folder.path());
    terminal.expect("Warm one with your hand");
    terminal.answer("Salon");
    terminal.expect("no probe is warm yet");
    terminal.expect("which room?");
    terminal.press('\u{4}');
    terminal.expect("given up: nothing is written");
    assert_eq!(terminal.end().code(), Some(1));
    assert!(!folder.path().join("conf.d").exists());
}

#[test]
fn a_file_of_somebody_else_is_added_to_only_where_that_is_said() {
    const THEIRS: &str = "# mine\n[rooms.cave]\nname = \"Cave\"\n";
    for (answer, is_added) in [("n", false), ("", false), ("y", true)] {
        let folder = Gateway::prepare("");
        fs::create_dir(folder.path().join("conf.d")).unwrap();
        fs::write(written(folder.path()), THEIRS).unwrap();
        let mut terminal = simulated_house(folder.path());
        terminal.expect("which room?");
        terminal.answer("Salon");
        terminal.expect("Warm one with your hand");
        terminal.answer("");
        terminal.expect("is not this program's: add to it? [y/N]");
        terminal.answer(answer);
        assert_eq!(terminal.end().success(), is_added, "{}", terminal.shown());
        let text = fs::read_to_string(written(folder.path())).unwrap();
        assert!(text.starts_with(THEIRS), "{text}");
        assert_eq!(text.contains("[rooms.salon]"), is_added, "{text}");
    }
}

/// Capitals make no other room, whether it was there before or is new.
#[test]
fn a_room_is_the_same_in_capitals() {
    let folder = house(SALON);
    let words = ["--write", "--room", "28-3c01d6075f12=cave", "--room", "28-0316a2794dff=Cave"];
    assert_eq!(scan(folder.path(), &words).status.code(), Some(0));
    check_ok(folder.path(), "2 rooms, 3 sensors");
    let folder = house(SALON);
    let words = ["--write", "--room", "28-3c01d6075f12=SALON"];
    assert_eq!(scan(folder.path(), &words).status.code(), Some(0));
    check_ok(folder.path(), "1 room, 2 sensors");
}
