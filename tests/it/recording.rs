//! `maison read`, `record` and `replay`: the gateway's own pipeline without a broker.

use std::fs;
use std::io::Read;
use std::path::Path;
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

/// A chip of each kind of bus, and what goes wrong with them three seconds after the start: one is
/// unplugged, one is without supply, a bus is stuck, checksums fail.
const TROUBLED: &str = r#"
[simulation]
seed = 7
start = "2026-01-15T09:59:57Z"
noise = true
[[simulation.faults]]
fault = "unplugged"
room = "salon"
at = "10:00"
lasts = "2s"
[[simulation.faults]]
fault = "stuck"
room = "bureau"
at = "10:00"
lasts = "1s"
[[simulation.faults]]
fault = "crc"
room = "cave"
sensor = "28-0115deadbeef"
share = 0.3
[rooms.salon]
[[rooms.salon.sensors]]
driver = "ds18b20"
bus = "simulated"
address = "28-01131e858aef"
interval = "250ms"
[rooms.bureau]
[[rooms.bureau.sensors]]
driver = "bme280"
bus = "simulated"
address = "0x70:3/0x76"
interval = "250ms"
[[rooms.bureau.sensors]]
driver = "max6675"
bus = "simulated"
address = "spi-0.0"
interval = "500ms"
[rooms.cave]
[[rooms.cave.sensors]]
driver = "ds18b20"
bus = "simulated"
address = "28-0115deadbeef"
interval = "250ms"
retries = 0
[[rooms.cave.sensors]]
driver = "dht22"
bus = "simulated"
address = "gpio17"
interval = "1s"
[[rooms.cave.sensors]]
driver = "hwmon"
bus = "simulated"
address = "lm75"
interval = "500ms"
"#;

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

/// A record of `TROUBLED`, and what was printed meanwhile.
fn recorded(folder: &Path, seconds: &str) -> (std::path::PathBuf, String) {
    let record = folder.join("house.rec");
    let path = record.to_str().unwrap();
    let output = run(folder, &["record", path, "--for", seconds, "--print"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    (record, text(&output.stdout))
}

#[test]
fn what_was_recorded_is_published_again_word_for_word() {
    let folder = Gateway::prepare(TROUBLED);
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
    let folder: TempDir = Gateway::prepare(TROUBLED);
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
    let folder = Gateway::prepare(TROUBLED);
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
    let begin: Vec<&str> = good.lines().take(lines - 1).collect();
    fs::write(&record, begin.join("\n")).unwrap();
    let cut = replay(&record, &[]);
    assert_eq!(cut.status.code(), Some(0));
    assert!(text(&cut.stderr).contains("the record is cut off"), "{cut:?}");
}

/// As after a power cut: the file ends somewhere, or has a hole.
#[test]
fn a_damaged_record_is_replayed_up_to_the_damage() {
    let folder = Gateway::prepare(TROUBLED);
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
