//! How large a record becomes, how fast it goes by, who may stop reading, and what a hostile one
//! can do.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::{recorded_by, replay, run, sensor, text, troubled};
use crate::gateway::{Gateway, binary};

/// Twenty thermometers on a wire, ten times a second: each look at the wire is kept.
fn talkative() -> String {
    let probe = |number: usize| {
        let address = format!("address = \"28-{number:012x}\"");
        sensor("salon", "ds18b20", "simulated", &address, "100")
    };
    (1..=20).map(probe).collect()
}

#[test]
fn a_record_ends_whole_when_it_has_the_size_that_was_asked_for() {
    let folder = Gateway::prepare(&talkative());
    let (record, printed) = recorded_by(folder.path(), "5m", &["--max-size", "1"]);
    let content = fs::read_to_string(&record).unwrap();
    assert!(content.ends_with("\"end\":\"file is full\"}\n"));
    assert!((1_000_000..=1_048_576).contains(&content.len()), "{}", content.len());
    let output = replay(&record, &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(text(&output.stdout), printed);
}

/// Replays in an address space of so many MiB.
fn replay_within(mib: u32, file: &Path) -> Output {
    let line = format!("ulimit -v {}; exec \"$0\" replay \"$1\"", mib * 1024);
    let mut command = Command::new("sh");
    command.args(["-c", &line, env!("CARGO_BIN_EXE_maison")]).arg(file);
    command.output().unwrap()
}

#[test]
fn what_cannot_be_a_record_takes_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let check = |file: &Path, expected: &str| {
        let output = replay_within(160, file);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(expected), "no `{expected}` in:\n{said}");
    };
    let huge = folder.path().join("huge.rec");
    File::create(&huge).unwrap().set_len(300 << 30).unwrap();
    check(&huge, "huge.rec: too large: ");
    check(Path::new("/dev/zero"), "/dev/zero:1: damaged: a line longer than any of a record");
    check(folder.path(), "is a directory");
    check(Path::new("/nowhere/a.rec"), "/nowhere/a.rec: no such file");
}

#[test]
fn a_replay_goes_as_fast_as_it_is_told() {
    let folder = Gateway::prepare(&troubled());
    let (record, printed) = recorded_by(folder.path(), "3s", &[]);
    let timed = |speed: &str| {
        let started = Instant::now();
        let output = replay(&record, &["--speed", speed]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(text(&output.stdout), printed);
        started.elapsed()
    };
    assert!(timed("2") >= Duration::from_millis(1_200));
    assert!(timed("1000000") < Duration::from_secs(60));
    for wrong in ["0", "-1", "nan", "inf", "fast"] {
        let output = replay(&record, &[&format!("--speed={wrong}")]);
        assert_eq!(output.status.code(), Some(2), "{wrong}: {output:?}");
    }
}

/// As `maison record … --print | head -3`.
#[test]
fn who_stops_reading_what_is_printed_gets_a_whole_record() {
    let folder = Gateway::prepare(&troubled());
    let record = folder.path().join("a.rec");
    let mut command = binary();
    command.arg("record").arg(&record).args(["--print", "--for", "1m", "--config"]);
    command.arg(folder.path().join("maison.toml")).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.by_ref().take(3).all(|line| line.is_ok()));
    drop(lines);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output.stderr).contains("nobody reads what is printed"), "{output:?}");
    assert_eq!(replay(&record, &[]).status.code(), Some(0));
}

#[test]
fn a_file_whose_name_moves_the_cursor_is_named_as_text() {
    let folder = Gateway::prepare(&sensor("salon", "tmp117", "simulated", "", "100"));
    let record = folder.path().join("a\x1b[31m.rec");
    let said =
        text(&run(folder.path(), &["record", record.to_str().unwrap(), "--for", "1s"]).stderr);
    assert!(said.contains("a\\u{1b}[31m.rec`: time is over"), "{said}");
    fs::write(&record, "no record").unwrap();
    let said = text(&replay(&record, &[]).stderr);
    assert!(said.contains("a\\u{1b}[31m.rec:1: this is no record"), "{said}");
}

/// A record is sent in by whoever likes to.
#[test]
fn a_hostile_record_moves_no_cursor_and_ends_nothing() {
    let folder = Gateway::prepare(&troubled());
    let (record, _) = recorded_by(folder.path(), "1s", &[]);
    let good = fs::read_to_string(&record).unwrap();
    let check = |from: &str, to: &str| {
        assert!(good.contains(from), "no `{from}`");
        fs::write(&record, good.replacen(from, to, 1)).unwrap();
        for words in [&[][..], &["--json"]] {
            let output = replay(&record, words);
            let shown = text(&output.stdout) + &text(&output.stderr);
            assert!(output.status.code().is_some_and(|code| code < 2), "{to}: {shown}");
            assert!(!shown.contains("panicked"), "{to}: {shown}");
            let moves = |letter: char| letter.is_control() && letter != '\n';
            assert!(!shown.contains(moves), "{to}: {shown:?}");
        }
    };
    check("time is over", "\\u001b[2J\\u202eover");
    check("\"program\":\"", "\"program\":\"\\u001b]0;evil\\u0007");
    check("\"root\":\"maison\"", "\"root\":\"mai\\u001b[2Json/#\"");
    check("\"name\":\"simulated-i2c\"", "\"name\":\"\\u001b[2J\"");
    check("\"woken\":", "\"woken\\u001b[2J\":");
    check("\"bus\":\"simulated-w1\"", "\"bus\":\"\\u001b[2J\"");
    check("\"woken\":1", "\"woken\":1844674407370955161");
    check("{\"t\":", "{\"t\":18446744073709");
    check("\"wall\":1", "\"wall\":9999991");
    check("\"wall\":1", "\"wall\":1844674407");
    check("\"seed\":0", "\"seed\":18446744073709551615");
}
