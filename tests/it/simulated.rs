//! Troubles of a simulated house, on every kind of bus, seen from outside the real binary: each is
//! told by its name, in the log once, and is over without a restart.

use std::fmt::Write as _;
use std::fs;

use crate::gateway::{Client, Gateway, binary};

/// Seconds after the start when everything goes wrong, and for how long.
const AFTER_S: u64 = 8;
const LASTS_S: u64 = 12;

/// Room, its sensor (driver, bus, address) with the bus to itself, what befalls it, and how that is
/// called.
const CASES: &[[&str; 4]] = &[
    ["wire-off", "ds18b20 w1 28-000000000001", "unplugged", "absent"],
    ["wire-low", "ds18b20 gpio5 28-000000000001", "stuck", "stuck-low"],
    ["wire-crc", "ds18b20 gpio6 28-000000000001", "crc", "crc"],
    ["wire-85", "ds18b20 gpio7 28-000000000001", "power-on", "power-on"],
    ["dht-off", "dht22 gpio8", "unplugged", "absent"],
    ["dht-low", "dht22 gpio9", "stuck", "stuck-low"],
    ["dht-crc", "dht22 gpio10", "crc", "crc"],
    ["i2c-off", "tmp117 i2c-1", "unplugged", "absent"],
    ["i2c-held", "tmp117 i2c-2", "stuck", "timeout"],
    ["i2c-crc", "sht3x i2c-3", "crc", "crc"],
    ["i2c-behind", "tmp117 i2c-4 0x70:3/0x48", "unplugged", "absent"],
    ["i2c-held-behind", "sht4x i2c-5 0x70:3/0x44", "stuck", "timeout"],
    ["i2c-other", "tmp117 i2c-7", "wrong-chip", "wrong-chip"],
    ["i2c-nonsense", "sht3x i2c-8", "wrong-chip", "crc"],
    ["spi-other", "max31855 spi-0.2", "wrong-chip", "wrong-chip"],
    ["spi-off", "max6675 spi-0.0", "unplugged", "stuck-low"],
    ["spi-low", "max31855 spi-0.1", "stuck", "stuck-low"],
    ["hwmon-off", "hwmon hwmon lm75", "unplugged", "absent"],
    ["iio-held", "iio iio dht11@4", "stuck", "bus"],
    ["thermal-held", "cpu thermal", "stuck", "bus"],
];

fn configuration() -> String {
    let mut text = "[simulation]\nnoise = false\n".to_owned();
    for [room, sensor, fault, _] in CASES {
        let mut words = sensor.split(' ');
        let (driver, bus) = (words.next().unwrap(), words.next().unwrap());
        let address = words.next().map(|address| format!("address = \"{address}\""));
        let interval = if driver == "dht22" { 2000 } else { 500 };
        write!(
            text,
            "[[simulation.faults]]\nfault = \"{fault}\"\nroom = \"{room}\"\n{}\n\
             after = \"{AFTER_S}s\"\nlasts = \"{LASTS_S}s\"\n\
             [[rooms.{room}.sensors]]\ndriver = \"{driver}\"\nbus = \"{bus}\"\n{}\n\
             interval = \"{interval}ms\"\nstale_after = \"{}ms\"\n",
            if *fault == "crc" { "share = 1" } else { "" },
            address.unwrap_or_default(),
            3 * interval
        )
        .unwrap();
    }
    text + DRIFT
}

/// Two sensors, one of which goes away from the other and comes back.
const DRIFT: &str = r#"
[[simulation.places]]
room = "duo"
place = "room"

[[simulation.faults]]
fault = "drift"
room = "duo"
sensor = "0x49"
after = "8s"
lasts = "12s"
by = 5

[rooms.duo]
combine = "mean"
disagreement = 4
disagreement_after = "1s"

[[rooms.duo.sensors]]
driver = "tmp117"
bus = "i2c-6"
interval = "500ms"
heartbeat = "1s"

[[rooms.duo.sensors]]
driver = "tmp117"
bus = "i2c-6"
address = 0x49
interval = "500ms"
heartbeat = "1s"
"#;

#[test]
fn every_trouble_of_every_bus_has_its_name_is_logged_once_and_heals() {
    let gateway = Gateway::simulate(Gateway::prepare(&configuration()));
    let port = gateway.plain_port().to_string();
    let client = Client::start(binary().args(["sub", "maison/#", "--port", &port]));
    for [room, _, _, error] in CASES {
        let failed = format!("maison/{room}/status {{\"state\":\"failed\",\"error\":\"{error}\"");
        client.lines.wait(&failed, |line| line.starts_with(&failed));
    }
    client.lines.wait("alarm", |line| line.starts_with("maison/duo/alert {"));
    for [room, ..] in CASES {
        let topic = format!("maison/{room}/availability ");
        client.lines.wait_until(&format!("{room} is back"), |lines| {
            let mut said = lines.iter().filter_map(|line| line.strip_prefix(&topic));
            said.any(|payload| payload == "offline") && said.next() == Some("online")
        });
    }
    client.expect("maison/duo/alert ");
    gateway.wait_for_log("sensors of a room agree again");
    for [room, _, _, error] in CASES {
        let is_of_room = |line: &str| {
            line.contains(&format!("room=\"{room}\"")) && line.contains("of=\"temperature\"")
        };
        // What is published is logged right after it.
        gateway.wait_for_lines(2, |line| is_of_room(line) && line.contains("sensor is well"));
        let count =
            |what: &str| gateway.logged(what).iter().filter(|line| is_of_room(line)).count();
        assert_eq!(count("sensor has failed"), 1, "{room}: {error}");
        assert_eq!(count("sensor is well"), 2, "{room}: at the start, and after it");
    }
    assert_eq!(gateway.logged("sensors of a room disagree").len(), 1);
    assert_eq!(gateway.logged("sensors of a room agree again").len(), 1);
}

/// A kind of bus each: the chip, its keys, and the addresses of a first and a second one.
const PAIRS: [(&str, &str, [&str; 2]); 3] = [
    ("ds18b20", "bus = \"gpio5\"", ["28-000000000001", "28-000000000002"]),
    ("tmp117", "bus = \"i2c-1\"", ["0x48", "0x49"]),
    ("mcp3008", "bus = \"spi-0.0\"\ntmp36 = {}", ["0", "1"]),
];

/// Rooms with the first or the second of each.
fn rooms(number: usize) -> String {
    let room = |(driver, keys, addresses): (&str, &str, [&str; 2])| {
        let address = addresses[number];
        let address = address.parse::<u8>().map_or(format!("\"{address}\""), |it| it.to_string());
        format!(
            "[[rooms.{driver}-{number}.sensors]]\ndriver = \"{driver}\"\n{keys}\n\
             address = {address}\ninterval = \"500ms\"\nheartbeat = \"1s\"\nmax_rate = 0\n"
        )
    };
    PAIRS.map(room).concat()
}

#[test]
fn buses_of_pins_i2c_and_spi_are_refitted_by_a_reload_and_who_stays_does_not_notice() {
    let gateway = Gateway::simulate(Gateway::prepare(
        &("[simulation]\nnoise = false\n".to_owned() + &rooms(0)),
    ));
    let port = gateway.plain_port().to_string();
    let client = Client::start(binary().args(["sub", "maison/+/availability", "--port", &port]));
    let expect = |number: usize, state: &str| {
        for (driver, ..) in PAIRS {
            client.expect(&format!("maison/{driver}-{number}/availability {state}"));
        }
    };
    expect(0, "online");
    let config = gateway.config();
    let first = fs::read_to_string(&config).unwrap();
    fs::write(&config, first.clone() + &rooms(1)).unwrap();
    expect(1, "online");
    fs::write(&config, first).unwrap();
    expect(1, "offline");
    let lines = client.lines.all();
    let offline = |line: &&String| line.contains("-0/availability offline");
    assert_eq!(lines.iter().filter(offline).count(), 0, "{lines:?}");
    assert!(!gateway.has_logged("sensor has failed"));
    let well = gateway.logged("sensor is well");
    assert_eq!(well.iter().filter(|line| line.contains("-0\"")).count(), 3, "each once: {well:?}");
}
