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
