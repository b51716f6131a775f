//! `maison scan --simulated`: all buses of a house, and nothing of this machine.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{check_line, scan, text};
use crate::gateway::{Gateway, binary};

/// A sensor on each kind of bus that a Pi has; a bus that is stuck, and one that is unplugged.
const HOUSE: &str = r#"
[simulation]
noise = false
[[simulation.faults]]
fault = "stuck"
room = "cave"
after = "0s"
[[simulation.faults]]
fault = "unplugged"
room = "grenier"
after = "0s"
[rooms.salon]
name = "Salon"
sensors = [
  { driver = "ds18b20", bus = "w1", address = "28-01131e858aef" },
  { driver = "ds18b20", bus = "gpio17", address = "28-0114a2b3c4d5" },
  { driver = "dht22", bus = "gpio27" },
  { driver = "dht22", bus = "iio" },
  { driver = "tmp117", bus = "i2c-1", address = 0x48 },
  { driver = "tmp117", bus = "i2c-6", address = 0x48 },
  { driver = "mcp3008", bus = "spi-0.0", address = 3, tmp36 = { reference = 3.3 } },
  { driver = "hwmon", bus = "hwmon", address = "lm75" },
  { driver = "cpu", bus = "thermal" },
]
[rooms.cave]
sensors = [{ driver = "tmp117", bus = "i2c-3" }]
[rooms.grenier]
sensors = [{ driver = "tmp117", bus = "i2c-6", address = 0x49 }]
"#;

fn house(folder: &Path) -> PathBuf {
    let house = folder.join("house.toml");
    fs::write(&house, HOUSE).unwrap();
    house
}

#[test]
fn all_buses_of_a_house_are_simulated_with_their_troubles_and_without_advice() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(folder.path());
    let look = |arguments: &[&str]| {
        binary().args(["scan", "--simulated"]).arg(&house).args(arguments).output().unwrap()
    };
    let output = look(&[]);
    let shown = text(&output);
    assert_eq!(output.status.code(), Some(1), "two are missing: {output:?}");
    for bus in ["w1", "gpio17", "gpio27", "iio", "i2c-1", "i2c-6", "spi-0.0", "hwmon", "thermal"] {
        assert!(shown.contains(&format!("simulated {bus}\n  ")), "no `{bus}` in:\n{shown}");
    }
    for (sensor, what) in [
        ("28-01131e858aef", "DS18B20"),
        ("28-0114a2b3c4d5", "DS18B20"),
        ("gpio27", "AM2302"),
        ("dht11", "AM2302"),
        ("0x48", "TMP117"),
        ("spi-0.0:3", "MCP3008"),
        ("lm75", "TMP421"),
        ("cpu-thermal", "BCM2837"),
    ] {
        check_line(&shown, &[sensor, " °C", "room Salon", what]);
    }
    assert!(shown.contains("simulated i2c-3\n  timeout: the clock line is held"), "{shown}");
    check_line(&shown, &["cave: tmp117 0x48 on i2c-3"]);
    check_line(&shown, &["grenier: tmp117 0x49 on i2c-6"]);
    assert!(!shown.contains("sudo") && !shown.contains("dtoverlay"), "{shown}");
    let json: Value = serde_json::from_slice(&look(&["--json"]).stdout).unwrap();
    assert_eq!(json["advice"], Value::Array(Vec::new()));
    assert_eq!(json["missing"].as_array().unwrap().len(), 2);
    let buses: Vec<_> = json["buses"].as_array().unwrap().iter().map(|it| &it["bus"]).collect();
    assert!(buses.contains(&&Value::from("spi-0.0")), "{buses:?}");
}

#[test]
fn a_house_without_sensors_has_no_bus_and_gets_no_boot_lines() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.toml");
    fs::write(&empty, "[rooms.salon]\n").unwrap();
    let output = binary().args(["scan", "--simulated"]).arg(&empty).output().unwrap();
    assert_eq!(output.status.code(), Some(69), "{output:?}");
    assert_eq!(text(&output), "no bus: this house has no sensors\n");
}

#[test]
fn sensors_of_a_simulated_house_go_only_where_they_are_told_to() {
    let folder = Gateway::prepare("");
    let house = house(folder.path());
    let words = ["scan", "--write", "--room", "i2c-1/0x48=Bureau", "--simulated"];
    let refused = binary().args(words).arg(&house).output().unwrap();
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("needs `--config FILE`"), "{said}");
    assert!(refused.stdout.is_empty());
    let told = ["--write", "--room", "i2c-1/0x48=Bureau", "--simulated", house.to_str().unwrap()];
    assert_eq!(scan(folder.path(), &told).status.code(), Some(0));
    let written = fs::read_to_string(folder.path().join("conf.d/90-scan.toml")).unwrap();
    assert!(written.contains("bus = \"i2c-1\"\naddress = \"0x48\"\n"), "{written}");
}
