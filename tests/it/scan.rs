//! `maison scan`: what hangs where, beside a gateway at work too, and rooms by touch.

mod i2c;
mod naming;
mod simulated;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::gateway::{Gateway, binary, nobodys_binary, recorded_tree};

const SALON: &str = "[rooms.salon]\nname = \"Salon\"\n[[rooms.salon.sensors]]\n\
    driver = \"ds18b20\"\nbus = \"w1\"\naddress = \"28-01131e858aef\"\n";

/// A folder with a configuration of these rooms, and the recorded house as its `sys`.
fn house(rooms: &str) -> TempDir {
    let folder = Gateway::prepare(rooms);
    recorded_tree(&folder.path().join("sys"));
    folder
}

fn scan(folder: &Path, arguments: &[&str]) -> Output {
    let config = folder.join("maison.toml");
    let output = binary().arg("scan").arg("--config").arg(config).args(arguments).output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{output:?}");
    output
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn file(root: &Path, path: &str, content: &str) {
    let path = root.join("sys").join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

#[track_caller]
fn check_line(shown: &str, parts: &[&str]) {
    let is_it = |line: &&str| parts.iter().all(|part| line.contains(part));
    assert!(shown.lines().any(|line| is_it(&line)), "no line with {parts:?} in:\n{shown}");
}

#[test]
fn a_scan_shows_values_faults_rooms_and_what_to_paste() {
    let folder = house(SALON);
    let output = scan(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let shown = text(&output);
    check_line(&shown, &["28-01131e858aef", "21.4 °C", "room Salon", "DS18B20"]);
    check_line(&shown, &["28-0316a2794dff", "power-on", "no room yet"]);
    check_line(&shown, &["28-3c01d6075f12", "-10.1 °C", "no room yet"]);
    check_line(&shown, &["echo 'dtparam=i2c_arm=on' | sudo tee -a /boot/firmware/config.txt"]);
    assert!(!shown.contains("w1-gpio"), "1-Wire is there: {shown}");
    let json: Value = serde_json::from_slice(&scan(folder.path(), &["--json"]).stdout).unwrap();
    let first = &json["buses"][0]["devices"][0];
    assert_eq!(first["values"]["temperature"], 21.438);
    assert_eq!((&first["room"], &first["bus"]), (&"Salon".into(), &"w1".into()));
    assert_eq!(json["buses"][0]["devices"][1]["fault"], "power-on");
    assert_eq!(json["advice"].as_array().unwrap().len(), 1);
}

#[test]
fn what_the_configuration_has_and_nobody_answers_for_is_missing() {
    let rooms = SALON.replace("aef", "aee");
    let output = scan(house(&rooms).path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    check_line(&text(&output), &["Salon: ds18b20 28-01131e858aee on w1"]);
}

#[test]
fn a_machine_without_a_bus_is_told_what_to_switch_on() {
    let folder = Gateway::prepare("");
    let output = scan(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(69));
    let shown = text(&output);
    for line in ["dtoverlay=w1-gpio", "dtparam=i2c_arm=on", "dtparam=spi=on", "i2c-dev"] {
        check_line(&shown, &["sudo tee", line]);
    }
    let output = scan(folder.path(), &["--write"]);
    assert_eq!(output.status.code(), Some(69));
    assert!(text(&output).ends_with("\nno probe was found: nothing to write\n"), "{output:?}");
    let json: Value = serde_json::from_slice(&scan(folder.path(), &["--json"]).stdout).unwrap();
    assert_eq!(json["buses"], Value::Array(Vec::new()));
    fs::write(folder.path().join("maison.toml"), "[rooms").unwrap();
    assert_eq!(scan(folder.path(), &[]).status.code(), Some(78));
}

/// Root may look anywhere, so somebody else looks.
#[test]
fn a_1_wire_folder_that_may_not_be_read_is_a_permission_and_not_a_bus_that_is_missing() {
    let folder = house(SALON);
    let one_wire = folder.path().join("sys/bus/w1/devices");
    fs::set_permissions(&one_wire, Permissions::from_mode(0o700)).unwrap();
    let look = |words: &[&str]| {
        let mut command = nobodys_binary(folder.path());
        let config = folder.path().join("maison.toml");
        command.args(["scan", "--config"]).arg(config).args(words).output().unwrap()
    };
    let output = look(&["--json"]);
    let Ok(json) = serde_json::from_slice::<Value>(&output.stdout) else {
        return eprintln!("nobody else can be had here: {output:?}");
    };
    assert_eq!(output.status.code(), Some(1), "the sensor of the salon is missing: {json:#}");
    let bus = &json["buses"][0];
    assert_eq!((&bus["bus"], &bus["fault"]), (&"w1".into(), &"permission".into()), "{json:#}");
    let hint = format!("`ls -ld {}` shows", one_wire.display());
    assert!(bus["hint"].as_str().unwrap().ends_with(&hint), "{json:#}");
    let shown = text(&look(&[]));
    assert!(shown.contains("1-Wire\n  permission: ") && !shown.contains("w1-gpio"), "{shown}");
    let empty = folder.path().join("maison.toml");
    let alone = fs::read_to_string(&empty).unwrap().replace(SALON, "");
    fs::write(&empty, alone).unwrap();
    assert_eq!(look(&[]).status.code(), Some(77));
}

/// A Pi of which the kernel has one chip, and whose module `i2c-dev` is not loaded; no file of
/// `/dev` is there for the other bus.
#[test]
fn addresses_of_the_kernel_and_buses_without_a_device_are_named() {
    let folder = Gateway::prepare("");
    let root = folder.path();
    file(root, "bus/i2c/devices/i2c-5/name", "i2c-gpio\n");
    file(root, "bus/i2c/devices/5-0048/name", "lm75\n");
    symlink("../lm75", root.join("sys/bus/i2c/devices/5-0048/driver")).unwrap();
    file(root, "class/hwmon/hwmon0/name", "lm75\n");
    file(root, "class/hwmon/hwmon0/temp1_input", "21500\n");
    file(root, "class/thermal/thermal_zone0/type", "cpu-thermal\n");
    file(root, "class/thermal/thermal_zone0/temp", "48300\n");
    file(root, "class/spidev/spidev0.1/dev", "153:1\n");
    fs::create_dir_all(root.join("sys/bus/w1/devices/w1_bus_master1/00-800000000000")).unwrap();
    let output = scan(root, &[]);
    assert_eq!(output.status.code(), Some(0));
    let shown = text(&output);
    check_line(&shown, &["0x48", "the kernel's `lm75`"]);
    check_line(&shown, &["sudo modprobe i2c-dev"]);
    check_line(&shown, &["lm75", "21.5 °C", "the kernel's `lm75`"]);
    check_line(&shown, &["cpu-thermal", "48.3 °C", "the processor"]);
    check_line(&shown, &["spi-0.1", "a chip select"]);
    check_line(&shown, &["family 00 are noise", "4.7 kΩ"]);
}

/// What a device calls itself is its own affair: it can be seen, and neither moves a cursor nor
/// fills the screen. A number that no room has is no temperature.
#[test]
fn names_move_no_cursor_and_impossible_values_are_none() {
    let folder = Gateway::prepare("");
    let root = folder.path();
    let long = "x".repeat(4000);
    let names = [("0", "a\x1b[2Jb"), ("1", &long), ("2", "lm75"), ("3", "tmp421")];
    for (number, name) in names {
        file(root, &format!("class/hwmon/hwmon{number}/name"), &format!("{name}\n"));
        file(root, &format!("class/hwmon/hwmon{number}/temp1_input"), "21500\n");
    }
    file(root, "class/hwmon/hwmon3/temp1_input", "4000000000\n");
    file(root, "bus/iio/devices/iio:device0/name", "evil\u{202e}\n");
    file(root, "bus/iio/devices/iio:device0/in_temp_input", "21500\n");
    file(root, "class/thermal/thermal_zone0/type", "hot\x07zone\n");
    file(root, "class/thermal/thermal_zone0/temp", "-99999999999999999999\n");
    fs::create_dir_all(root.join("sys/bus/w1/devices/w1_bus_master1\x1b]0;evil\x07")).unwrap();
    file(root, "bus/i2c/devices/5-0048/name", "lm75\x1b[31m\n");
    symlink("../lm75", root.join("sys/bus/i2c/devices/5-0048/driver")).unwrap();
    let output = scan(root, &[]);
    let shown = text(&output);
    assert!(!shown.contains(|letter: char| letter.is_control() && letter != '\n'), "{shown:?}");
    assert!(!shown.contains('\u{202e}'), "{shown:?}");
    let longest = shown.lines().map(|line| line.chars().count()).max();
    assert!(longest < Some(250), "{shown}");
    check_line(&shown, &["a\\u{1b}[2Jb", "a name that no configuration can have"]);
    check_line(&shown, &["w1_bus_master1\\u{1b}]0;evil\\u{7}"]);
    check_line(&shown, &["lm75", "21.5 °C"]);
    check_line(&shown, &["tmp421", " range "]);
    let json: Value = serde_json::from_slice(&scan(root, &["--json"]).stdout).unwrap();
    let buses = json["buses"].as_array().unwrap();
    let devices = buses.iter().flat_map(|bus| bus["devices"].as_array().unwrap());
    let strange = devices.clone().find(|it| it["address"] == "tmp421").unwrap();
    assert_eq!((&strange["fault"], &strange["values"]), (&"range".into(), &serde_json::json!({})));
}

#[test]
fn it_looks_beside_a_gateway_at_work() {
    let gateway = Gateway::with_bob(SALON, recorded_tree);
    let output = scan(gateway.folder.path(), &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    check_line(&text(&output), &["28-01131e858aef", "21.4 °C", "room Salon"]);
}

/// Chips down to their registers: a multiplexer with two of one address behind it, and one that
/// cannot be told from its relative.
#[test]
fn simulated_chips_are_found_where_they_are() {
    let folder = Gateway::prepare("");
    let sensors = [
        ("bme280", "0x70:3/0x76"),
        ("bme280", "0x70:5/0x76"),
        ("pct2075", "0x4f"),
        ("sht4x", "0x44"),
        ("ds18b20", "28-01131e858aef"),
    ];
    let rooms = sensors.map(|(driver, address)| {
        format!(
            "[[rooms.any.sensors]]\ndriver = \"{driver}\"\nbus = \"simulated\"\n\
             address = \"{address}\"\n"
        )
    });
    let house = folder.path().join("house.toml");
    fs::write(&house, rooms.concat()).unwrap();
    let output = scan(folder.path(), &["--simulated", house.to_str().unwrap()]);
    let shown = text(&output);
    for (driver, address) in sensors {
        let parts = match driver {
            "pct2075" => "lm75 or pct2075: they cannot be told apart",
            "bme280" => "hPa",
            "sht4x" => "SHT40",
            _ => "DS18B20",
        };
        check_line(&shown, &[address, " °C", parts]);
    }
    check_line(&shown, &["0x70 ", "TCA9548A"]);
}

/// At a chip select nobody can be asked; the configuration says which inputs are used.
#[test]
fn inputs_at_a_chip_select_of_this_machine_have_a_line_each() {
    let input = |room: &str, at: u8| {
        format!(
            "[[rooms.{room}.sensors]]\ndriver = \"mcp3008\"\nbus = \"spi-0.1\"\n\
                 address = {at}\nthermistor = {{ beta = 3950 }}\n"
        )
    };
    let folder = Gateway::prepare(&(input("serre", 0) + &input("cave", 5)));
    file(folder.path(), "class/spidev/spidev0.1/dev", "");
    let shown = text(&scan(folder.path(), &[]));
    check_line(&shown, &["spi-0.1:0", "room serre"]);
    check_line(&shown, &["spi-0.1:5", "room cave"]);
    assert!(!shown.contains("not there"), "{shown}");
}
