//! A temperature travels from a recorded 1-Wire tree, through the real binary, to a remote
//! subscriber of another maker: over TLS, with a login.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::gateway::{Client, Gateway, PASSWORD, recorded_tree, script, tool};

/// Three probes: one that dies and comes back, one that says 85 °C at power-on, one in the cold.
pub(crate) const ROOMS: &str = r#"
[rooms.salon]
[[rooms.salon.sensors]]
driver = "ds18b20"
bus = "w1"
address = "28-01131e858aef"
interval = "1s"
retries = 0
stale_after = "3s"

[rooms.chambre]
[[rooms.chambre.sensors]]
driver = "ds18b20"
bus = "w1"
address = "28-0316a2794dff"
interval = "1s"
retries = 0
stale_after = "3s"

[rooms.cave]
[[rooms.cave.sensors]]
driver = "ds18b20"
bus = "w1"
address = "28-3c01d6075f12"
interval = "1s"
decimals = 3
"#;

const SALON: &str = "bus/w1/devices/28-01131e858aef/w1_slave";
/// 22.5 °C, as the kernel shows the scratchpad of a DS18B20.
const WARMER: &str =
    "68 01 4b 46 7f ff 08 10 05 : crc=05 YES\n68 01 4b 46 7f ff 08 10 05 t=22500\n";

fn gateway() -> Gateway {
    Gateway::with_bob(ROOMS, recorded_tree)
}

fn check(client: impl FnOnce(&Gateway) -> Command) {
    check_evening(gateway(), client);
}

/// A client's whole evening in the house of [`ROOMS`]: what it is shown at once, a death, a
/// return, the last words.
pub(crate) fn check_evening(mut gateway: Gateway, client: impl FnOnce(&Gateway) -> Command) {
    let client = Client::start(&mut client(&gateway));
    client.expect("maison/salon/temperature 21.4");
    client.expect("maison/salon/availability online");
    client.expect("maison/cave/temperature -10.125");
    client.expect("maison/cave/availability online");
    client.expect("maison/chambre/availability offline");
    let failed = |room: &str, error: &str| {
        let (topic, state) = (format!("maison/{room}/status "), "\"state\":\"failed\"");
        let error = format!("\"error\":\"{error}\"");
        client.lines.wait(&error, |line| {
            line.starts_with(&topic) && line.contains(state) && line.contains(&error)
        });
    };
    failed("chambre", "power-on");
    client.expect("maison/_gateway/state online");

    fs::write(gateway.sysfs().join(SALON), "").unwrap();
    failed("salon", "crc");
    client.expect("maison/salon/availability offline");
    client.expect("maison/salon/temperature ");

    fs::write(gateway.sysfs().join(SALON), WARMER).unwrap();
    client.expect("maison/salon/temperature 22.5");

    let (status, took) = gateway.stop();
    assert!(status.success() && took < Duration::from_secs(2), "{status} after {took:?}");
    client.expect("maison/_gateway/state offline");
    client.expect("maison/cave/availability offline");

    let seen = |topic: &str| -> Vec<String> {
        let prefix = format!("{topic} ");
        let mut values: Vec<String> = client
            .lines
            .all()
            .iter()
            .filter_map(|line| Some(line.strip_prefix(&prefix)?.into()))
            .collect();
        values.dedup();
        values
    };
    assert_eq!(seen("maison/salon/temperature"), ["21.4", "", "22.5"]);
    assert_eq!(seen("maison/cave/temperature"), ["-10.125"]);
    assert!(seen("maison/chambre/temperature").iter().all(String::is_empty), "85 °C never shown");
    assert_eq!(seen("maison/salon/availability"), ["online", "offline", "online", "offline"]);
}

#[test]
fn mosquitto_sub_sees_the_house() {
    check(|gateway| mosquitto_sub(gateway, PASSWORD));
}

#[test]
fn paho_mqtt_sees_the_house() {
    check(|gateway| paho(gateway, PASSWORD));
}

#[test]
fn mqtt_js_sees_the_house() {
    check(|gateway| mqtt_js(gateway, PASSWORD));
}

#[test]
fn maison_sub_sees_the_house() {
    check(|gateway| maison_sub(gateway, PASSWORD));
}

#[test]
fn wrong_password_shows_nothing() {
    let gateway = gateway();
    for client in [mosquitto_sub, paho, mqtt_js, maison_sub] {
        let mut client = Client::start(&mut client(&gateway, "wrong"));
        assert!(!client.end().success());
        assert_eq!(client.lines.all(), [""; 0]);
    }
    let line = gateway.wait_for_log("auth refused");
    assert!(line.contains("user=\"bob\"") && line.contains("reason=bad-password"), "{line}");
}

#[test]
fn plain_text_on_the_tls_port_shows_nothing() {
    let gateway = gateway();
    let port = gateway.tls_port().to_string();
    let arguments = ["-p", &port, "-t", "#", "-u", "bob", "-P", PASSWORD, "-W", "3"];
    let mut command = Command::new("mosquitto_sub");
    let mut client = Client::start(command.args(["-h", "localhost"]).args(arguments));
    assert!(!client.end().success());
    assert_eq!(client.lines.all(), [""; 0]);
}

fn mosquitto_sub(gateway: &Gateway, password: &str) -> Command {
    let mut command = Command::new("mosquitto_sub");
    command
        .args([
            "-F",
            "%t %p",
            "-t",
            "maison/#",
            "-q",
            "2",
            "-h",
            "localhost",
            "-u",
            "bob",
            "-P",
            password,
        ])
        .args(["-p", &gateway.tls_port().to_string(), "--cafile", &gateway.authority()]);
    command
}

fn paho(gateway: &Gateway, password: &str) -> Command {
    let mut command = Command::new(tool("MAISON_TEST_PYTHON", "python/bin/python"));
    command.arg(script("paho_subscriber.py"));
    scripted(command, gateway, password)
}

fn mqtt_js(gateway: &Gateway, password: &str) -> Command {
    let mut command = Command::new("node");
    command.env("NODE_PATH", tool("MAISON_TEST_NODE_MODULES", "node/node_modules"));
    command.arg(script("mqttjs_subscriber.cjs"));
    scripted(command, gateway, password)
}

fn scripted(mut command: Command, gateway: &Gateway, password: &str) -> Command {
    let port = gateway.tls_port().to_string();
    command.args([&port, &gateway.authority(), "bob", password, "maison/#", "1"]);
    command
}

fn maison_sub(gateway: &Gateway, password: &str) -> Command {
    let mut command = crate::gateway::binary();
    command
        .args(["sub", "maison/#", "--user", "bob", "--ca", &gateway.authority()])
        .args(["--port", &gateway.tls_port().to_string(), "--qos", "2"])
        .env("MAISON_PASSWORD", password);
    command
}
