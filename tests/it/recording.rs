//! `maison read`, `record` and `replay`: the gateway's own pipeline without a broker.

mod bounds;
mod simulated;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::gateway::{Gateway, binary, recorded_tree};

const KERNEL: &str = "[rooms.salon]\nname = \"Salon\"\n[[rooms.salon.sensors]]\n\
    driver = \"ds18b20\"\nbus = \"w1\"\naddress = \"28-01131e858aef\"\noffset = -0.3\n\
    [[rooms.cave.sensors]]\ndriver = \"ds18b20\"\nbus = \"w1\"\n\
    address = \"28-0316a2794dff\"\n";

const TROUBLES: &str = r#"
[simulation]
seed = 7
start = "2026-01-15T09:59:57Z"
noise = true
faults = [
  { fault = "unplugged", room = "salon", at = "10:00", lasts = "2s" },
  { fault = "stuck", room = "bureau", at = "10:00", lasts = "1s" },
  { fault = "crc", room = "cave", sensor = "28-0115deadbeef", share = 0.3 },
]
"#;

/// Room, driver, bus of a Pi, address where the bus is simulated, milliseconds.
const CHIPS: [[&str; 5]; 6] = [
    ["salon", "ds18b20", "w1", "28-01131e858aef", "250"],
    ["bureau", "bme280", "i2c-1", "0x70:3/0x76", "250"],
    ["bureau", "max6675", "spi-0.0", "spi-0.0", "500"],
    ["cave", "ds18b20", "w1", "28-0115deadbeef", "250"],
    ["cave", "dht22", "gpio17", "gpio17", "1000"],
    ["cave", "hwmon", "hwmon", "lm75", "500"],
];

/// A chip of each kind of bus, and what goes wrong with them three seconds after the start: one is
/// unplugged, a bus is stuck, checksums fail.
fn troubled() -> String {
    let sensor = |[room, driver, _, address, interval]: [&str; 5]| {
        sensor(room, driver, "simulated", &format!("address = \"{address}\""), interval)
    };
    TROUBLES.to_owned() + &CHIPS.map(sensor).concat()
}

/// The same on the buses of a Pi, where pins and chip selects are no addresses.
fn troubled_pi() -> String {
    let sensor = |[room, driver, bus, address, interval]: [&str; 5]| {
        let is_told = address == bus;
        let address = if is_told { String::new() } else { format!("address = \"{address}\"") };
        sensor(room, driver, bus, &address, interval)
    };
    TROUBLES.to_owned() + &CHIPS.map(sensor).concat()
}

fn sensor(room: &str, driver: &str, bus: &str, address: &str, interval: &str) -> String {
    format!(
        "[[rooms.{room}.sensors]]\ndriver = \"{driver}\"\nbus = \"{bus}\"\n{address}\n\
         interval = \"{interval}ms\"\nretries = 0\n"
    )
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let config = folder.join("maison.toml");
    let output = binary().args(arguments).arg("--config").arg(config).output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{output:?}");
    output
}

fn replay(record: &Path, arguments: &[&str]) -> Output {
    binary().arg("replay").arg(record).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn each_sensor_is_read_once_and_faults_are_named() {
    let folder = Gateway::prepare(KERNEL);
    recorded_tree(&folder.path().join("sys"));
    let output = run(folder.path(), &["read"]);
    assert_eq!(output.status.code(), Some(1), "one of two fails: {output:?}");
    let shown = text(&output.stdout);
    let rows: Vec<Vec<&str>> = shown.lines().map(|it| it.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["cave", "28-0316a2794dff", "failed:", "power-on"]);
    assert_eq!(rows[1], ["salon", "28-01131e858aef", "21.1", "°C"]);
    let one = run(folder.path(), &["read", "Salon", "--json"]);
    assert_eq!(one.status.code(), Some(0));
    let json: Value = serde_json::from_slice(&one.stdout).unwrap();
    assert_eq!((json.as_array().unwrap().len(), &json[0]["room"]), (1, &"salon".into()));
    assert_eq!(json[0]["values"]["temperature"], 21.1);
    let none = run(folder.path(), &["read", "grenier"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(text(&none.stderr).contains("hint: there are `cave`, `salon`"), "{none:?}");
}

#[test]
fn raw_shows_the_bytes_what_the_chip_says_and_what_is_published() {
    let folder = Gateway::prepare(KERNEL);
    recorded_tree(&folder.path().join("sys"));
    let shown = text(&run(folder.path(), &["read", "salon", "--raw"]).stdout);
    for part in [
        "w1-0  bus/w1/devices/28-01131e858aef/w1_slave: 57 01 4b 46 7f ff 09 10 c7 : crc=c7 YES | ",
        "w1-0  salon 28-01131e858aef: the chip says 21.438 °C",
        "21.1 °C",
    ] {
        assert!(shown.contains(part), "no `{part}` in:\n{shown}");
    }
}

#[test]
fn watching_goes_on_until_it_is_ended_beside_a_gateway_at_work() {
    let rooms = KERNEL.replace("offset = -0.3", "interval = \"200ms\"");
    let gateway = Gateway::with_bob(&rooms, recorded_tree);
    let config = gateway.config();
    let mut command = binary();
    command.args(["read", "salon", "--watch", "--config", config.to_str().unwrap()]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut seen = String::new();
    let mut out = child.stdout.take().unwrap();
    let started = Instant::now();
    while seen.matches("salon 28-01131e858aef: 21.438 °C").count() < 3 {
        let mut chunk = [0; 512];
        let count = out.read(&mut chunk).unwrap();
        seen.push_str(&String::from_utf8_lossy(&chunk[..count]));
        assert!(count > 0 && started.elapsed() < Duration::from_secs(30), "{seen}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A record of a house, and what was printed meanwhile.
fn recorded(folder: &Path, seconds: &str) -> (PathBuf, String) {
    recorded_by(folder, seconds, &[])
}

/// The same with further words.
fn recorded_by(folder: &Path, seconds: &str, words: &[&str]) -> (PathBuf, String) {
    let record = folder.join("house.rec");
    let path = record.to_str().unwrap();
    let output = run(folder, &[&["record", path, "--for", seconds, "--print"], words].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    (record, text(&output.stdout))
}

#[test]
fn what_was_recorded_is_published_again_word_for_word() {
    let folder = Gateway::prepare(&troubled());
    let (record, printed) = recorded(folder.path(), "7s");
    for fault in ["salon 28-01131e858aef: fault: absent", "fault: crc", "fault: timeout"] {
        assert!(printed.contains(fault), "no `{fault}` in:\n{printed}");
    }
    for topic in ["salon/temperature ", "bureau/humidity ", "cave/sensor/lm75/temperature "] {
        assert!(printed.contains(&format!("maison/{topic}")), "no `{topic}` in:\n{printed}");
    }
    for _ in 0..2 {
        let output = replay(&record, &[]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(text(&output.stdout), printed);
        assert!(!text(&output.stderr).contains("others than"), "{output:?}");
    }
    let lines = text(&replay(&record, &["--json"]).stdout);
    assert_eq!(lines.lines().count(), printed.lines().count());
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert!(first["topic"].as_str().unwrap().starts_with("maison/"), "{first}");
    let content = fs::read_to_string(&record).unwrap();
    assert!(!content.contains(folder.path().to_str().unwrap()), "paths are nobody's business");
}

/// Files of the kernel, and a bus that this machine does not have.
#[test]
fn real_files_and_missing_devices_are_recorded_too() {
    let chip = "[[rooms.cave.sensors]]\ndriver = \"tmp117\"\nbus = \"i2c-255\"\n";
    let folder = Gateway::prepare(&format!("{KERNEL}{chip}"));
    recorded_tree(&folder.path().join("sys"));
    let (record, printed) = recorded(folder.path(), "1s");
    assert!(printed.contains("maison/salon/temperature 21.1"), "{printed}");
    assert!(printed.contains("cave 0x48: fault: no-bus"), "{printed}");
    assert_eq!(text(&replay(&record, &[]).stdout), printed);
    let again = run(folder.path(), &["record", record.to_str().unwrap(), "--for", "1s"]);
    assert_eq!(again.status.code(), Some(1), "a record is never written over");
    assert_eq!(text(&replay(&record, &[]).stdout), printed);
}

fn started(folder: &Path, record: &Path) -> std::process::Child {
    let config = folder.join("maison.toml");
    let mut command: Command = binary();
    command.arg("record").arg(record).arg("--config").arg(config).stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
fn an_interrupted_record_is_whole() {
    let folder: TempDir = Gateway::prepare(&troubled());
    let record = folder.path().join("a.rec");
    let mut child = started(folder.path(), &record);
    let begun = Instant::now();
    while fs::metadata(&record).map_or(0, |it| it.len()) < 8_000 {
        assert!(begun.elapsed() < Duration::from_secs(30), "nothing is recorded");
        std::thread::sleep(Duration::from_millis(20));
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert!(child.wait().unwrap().success());
    let content = fs::read_to_string(&record).unwrap();
    assert!(content.ends_with("\"end\":\"interrupted\"}\n"), "{content}");
    assert_eq!(replay(&record, &[]).status.code(), Some(0));
}

#[test]
fn a_damaged_record_is_told_by_its_line() {
    let folder = Gateway::prepare(&troubled());
    let (record, _) = recorded(folder.path(), "1s");
    let good = fs::read_to_string(&record).unwrap();
    let check = |content: &str, expected: &str| {
        fs::write(&record, content).unwrap();
        let output = replay(&record, &[]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(expected), "no `{expected}` in:\n{said}");
    };
    let lines = good.lines().count();
    check(&good[..good.len() - 9], &format!("house.rec:{lines}: damaged"));
    check(&good.replacen("\"maison-record\":1", "\"maison-record\":9", 1), "version 9");
    check(&good.replacen("\"program\"", "\"progrXm\"", 1), "house.rec:1: damaged: missing field");
    check(&good.replacen("\"wall\":", "\"wall\":x", 1), "house.rec:1: damaged: expected value");
    check("no record", "house.rec:1: this is no record");
    let at = good.lines().position(|line| line.contains("\"i2c\"")).unwrap();
    let other: Vec<String> = good
        .lines()
        .enumerate()
        .map(|(number, line)| match number {
            _ if number == at => line.replacen("\"at\":112", "\"at\":113", 1),
            _ => line.to_owned(),
        })
        .collect();
    check(&other.join("\n"), &format!("house.rec:{}: this answers another question", at + 1));
    let said = text(&replay(&record, &[]).stderr);
    assert!(!said.contains("the record is of program"), "by this very program: {said}");
    // One bit of what a chip said: no line is broken, but its answer is not what it was.
    let bit = good.find("\"r\":\"").unwrap() + 5;
    let flipped = if &good[bit..=bit] == "0" { "1" } else { "0" };
    let flipped = format!("{}{flipped}{}", &good[..bit], &good[bit + 1..]);
    check(&flipped, "house.rec:");
    let other = good.replacen("\"temperature\":", "\"temperature\":1", 1);
    check(&other, "the answers here are others than at the time: 1 in all");
    let begin: Vec<&str> = good.lines().take(lines - 1).collect();
    fs::write(&record, begin.join("\n")).unwrap();
    let cut = replay(&record, &[]);
    assert_eq!(cut.status.code(), Some(0));
    assert!(text(&cut.stderr).contains("the record is cut off"), "{cut:?}");
}

/// Each is named, and how many more there are.
#[test]
fn several_damages_are_each_told() {
    let folder = Gateway::prepare(&troubled());
    let (record, printed) = recorded(folder.path(), "2s");
    let mut bytes = fs::read(&record).unwrap();
    let starts = |bytes: &[u8]| -> Vec<usize> {
        let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        ends.map(|(at, _)| at + 1).collect()
    };
    let lines = starts(&bytes);
    let (flipped, holed) = (lines.len() / 2, lines.len() / 2 + 4);
    bytes[lines[flipped] + 2] ^= 0x80;
    bytes[lines[holed]..lines[holed] + 5].fill(0);
    bytes.truncate(bytes.len() - 30);
    fs::write(&record, &bytes).unwrap();
    let output = replay(&record, &[]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for expected in [
        format!(":{}: damaged: not UTF-8\n  hint: it is replayed up to there", flipped + 2),
        format!(":{}: damaged: expected value", holed + 2),
        format!(":{}: damaged: cut off", starts(&bytes).len() + 1),
    ] {
        assert!(said.contains(&format!("house.rec{expected}")), "no `{expected}` in:\n{said}");
    }
    assert_eq!(said.matches("error: ").count(), 3, "{said}");
    let shown = text(&output.stdout);
    assert!(!shown.is_empty() && printed.starts_with(&shown), "{shown}");
}

/// As after a power cut: the file ends somewhere, or has a hole.
#[test]
fn a_damaged_record_is_replayed_up_to_the_damage() {
    let folder = Gateway::prepare(&troubled());
    let (record, printed) = recorded(folder.path(), "2s");
    let good = fs::read_to_string(&record).unwrap();
    let lines: Vec<&str> = good.lines().collect();
    let half = lines.len() / 2;
    let before = lines[..half].join("\n");
    let rest = lines[half + 1..].join("\n");
    for wrong in [&lines[half][..9], &format!("\n{rest}"), &format!("{{}}\n{rest}")] {
        fs::write(&record, format!("{before}\n{wrong}")).unwrap();
        let output = replay(&record, &[]);
        let (shown, said) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("house.rec:{}: damaged: ", half + 1)), "{said}");
        assert!(!said.contains("another question"), "{said}");
        assert!(shown.lines().count() > 9 && printed.starts_with(&shown), "{shown}\n{printed}");
        assert!(shown.len() < printed.len());
    }
}
