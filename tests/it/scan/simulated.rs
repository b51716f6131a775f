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

/// Chips that are where their bus says have no address, and inputs only their number.
#[test]
fn what_is_written_of_any_bus_is_a_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let house = folder.path().join("house.toml");
    let sensors = [
        "driver = \"dht22\"\nbus = \"gpio17\"\n",
        "driver = \"max31855\"\nbus = \"spi-1.0\"\n",
        "driver = \"max6675\"\nbus = \"spi-1.1\"\n",
        "driver = \"dht11\"\nbus = \"iio\"\naddress = \"dht11\"\n",
        "driver = \"dht22\"\nbus = \"simulated\"\naddress = \"gpio4\"\n",
        "driver = \"max31855\"\nbus = \"simulated\"\naddress = \"spi-0.0\"\n",
    ];
    let rooms = sensors.iter().enumerate();
    let rooms = rooms.map(|(at, it)| format!("[[rooms.r{at}.sensors]]\n{it}"));
    let rooms = rooms.collect::<Vec<_>>().concat();
    fs::write(&house, format!("[simulation]\nnoise = false\n{rooms}")).unwrap();
    for (key, sensor) in [
        ("gpio17/gpio17", sensors[0]),
        ("spi-1.0/spi-1.0", sensors[1]),
        ("spi-1.1/spi-1.1", sensors[2]),
        ("simulated/gpio4", sensors[4]),
        ("simulated/spi-0.0", sensors[5]),
    ] {
        let mine = Gateway::prepare("");
        let room = format!("{key}=Cave");
        let words = ["--write", "--room", &room, "--simulated", house.to_str().unwrap()];
        let output = scan(mine.path(), &words);
        assert_eq!(output.status.code(), Some(0), "{key}: {output:?}");
        let written = fs::read_to_string(mine.path().join("conf.d/90-scan.toml")).unwrap();
        let expected = format!("\n[[rooms.cave.sensors]]\n{sensor}");
        assert!(written.ends_with(&expected), "{key}: {written}");
    }
}

/// Each input of a converter is a line of its own, with its own value and its own room.
#[test]
fn inputs_of_a_converter_have_their_own_values() {
    let folder = tempfile::tempdir().unwrap();
    let house = folder.path().join("house.toml");
    let sensor = |driver: &str, bus: &str, address: &str| {
        format!(
            "driver = \"{driver}\"\nbus = \"{bus}\"\naddress = {address}\n\
                 thermistor = {{ beta = 3950 }}\n"
        )
    };
    let fault = |room: &str, by: &str| {
        format!("[[simulation.faults]]\nroom = \"{room}\"\nfault = \"drift\"\nby = {by}\n")
    };
    let places: String = ["a", "b", "c", "d"]
        .map(|room| format!("[[simulation.places]]\nroom = \"{room}\"\nplace = \"cellar\"\n"))
        .concat();
    let rooms = [
        ("a", sensor("mcp3008", "spi-0.1", "1")),
        ("b", sensor("mcp3008", "spi-0.1", "0")),
        ("c", sensor("ads1115", "i2c-1", "\"0x48:0\"")),
        ("d", sensor("ads1115", "i2c-1", "\"0x48:2\"")),
    ];
    let rooms = rooms.map(|(room, it)| format!("[[rooms.{room}.sensors]]\n{it}")).concat();
    let faults = fault("b", "20.0") + &fault("d", "20.0");
    let text = format!("[simulation]\nnoise = false\n{places}{faults}{rooms}");
    fs::write(&house, text).unwrap();
    let output = binary().args(["scan", "--json", "--simulated"]).arg(&house).output().unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let devices =
        json["buses"].as_array().unwrap().iter().flat_map(|bus| bus["devices"].as_array().unwrap());
    let found: Vec<_> = devices
        .map(|it| {
            let (address, room) = (it["address"].as_str().unwrap(), it["room"].as_str().unwrap());
            (address, room, it["values"]["temperature"].as_f64().unwrap())
        })
        .collect();
    let value = |address: &str, room: &str| {
        let here = found.iter().find(|it| (it.0, it.1) == (address, room));
        here.unwrap_or_else(|| panic!("no {address} of {room} in {found:?}")).2
    };
    assert_eq!(found.len(), 4, "{found:?}");
    for (cold, warm) in [
        (value("spi-0.1:1", "a"), value("spi-0.1:0", "b")),
        (value("0x48:0", "c"), value("0x48:2", "d")),
    ] {
        assert!((15.0..25.0).contains(&(warm - cold)), "{found:?}");
    }
}
