//! `/metrics` as Prometheus' own parser reads it, and `/health` as a probe does, from the real
//! binary.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::gateway::{Gateway, binary, recorded_tree, script, tool};

const SALON: &str = r#"
[rooms.salon]
[[rooms.salon.sensors]]
driver = "ds18b20"
bus = "w1"
address = "28-01131e858aef"
interval = "1s"
stale_after = "3s"
"#;

const CAVE: &str = r#"
[rooms.cave]
[[rooms.cave.sensors]]
driver = "tmp117"
bus = "i2c-99"
[rooms.serre]
[[rooms.serre.sensors]]
driver = "bme280"
bus = "simulated"
"#;

const METRICS: &str = "[metrics]\nbind = \"127.0.0.1:0\"\n";

fn gateway(rooms: &str) -> Gateway {
    let folder = Gateway::prepare_keeping("crash", "", &format!("{METRICS}{rooms}"));
    recorded_tree(&folder.path().join("sys"));
    Gateway::start(folder)
}

fn address(gateway: &Gateway) -> SocketAddr {
    let line = gateway.wait_for_log("metrics are told");
    line.split("address=").nth(1).unwrap().trim().parse().unwrap()
}

/// Status line and content.
fn get(address: SocketAddr, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

/// All samples, as the parser understood them.
fn samples(gateway: &Gateway) -> Vec<String> {
    let mut command = Command::new(tool("MAISON_TEST_PYTHON", "python/bin/python"));
    command.args([script("metrics.py"), format!("http://{}/metrics", address(gateway))]);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let lines: Vec<_> =
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(lines.last().map(String::as_str), Some("end"));
    lines
}

fn value(samples: &[String], name: &str) -> f64 {
    let found = samples.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no `{name}` in:\n{}", samples.join("\n"))).parse().unwrap()
}

#[test]
fn prometheus_reads_every_figure_and_finds_its_conventions_kept() {
    let gateway = gateway(&format!("{SALON}{CAVE}"));
    let port = gateway.plain_port().to_string();
    for _ in 0..3 {
        let publish = ["pub", "note", "hello", "--qos", "1", "--port", &port];
        assert!(binary().args(publish).status().unwrap().success());
    }
    let forged = ["pub", "maison/salon/temperature", "99", "--qos", "1", "--port", &port];
    assert!(binary().args(forged).status().unwrap().success());
    // No password is no login at the other door.
    let tls = gateway.tls_port().to_string();
    let authority = gateway.authority();
    let mut stranger = binary();
    stranger.args(["sub", "#", "--ca", &authority, "--port", &tls, "--user", "eve"]);
    assert_eq!(stranger.env("MAISON_PASSWORD", "x").status().unwrap().code(), Some(77));
    let mut noise = TcpStream::connect(("127.0.0.1", gateway.tls_port())).unwrap();
    noise.write_all(b"no TLS at all\r\n\r\n").unwrap();
    let mut noise = TcpStream::connect(("127.0.0.1", gateway.plain_port())).unwrap();
    noise.write_all(&[0x10, 0xff, 0xff, 0xff, 0xff]).unwrap();
    gateway.wait_for_log("handshake failed");
    let begun = Instant::now();
    let all = loop {
        let all = samples(&gateway);
        if value(&all, "maison_malformed_total{}") > 0.0 {
            break all;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{}", all.join("\n"));
    };
    let salon = r#"{room="salon",sensor="28-01131e858aef"}"#;
    let expected: [(&str, f64); 9] = [
        (&format!("maison_room_temperature_celsius{salon}"), 21.4),
        (r#"maison_room_online{room="salon"}"#, 1.0),
        (r#"maison_room_online{room="cave"}"#, 0.0),
        (r#"maison_sensors{state="ok"}"#, 2.0),
        (r#"maison_sensors{state="failed"}"#, 1.0),
        ("maison_requests_denied_total{}", 1.0),
        (r#"maison_logins_refused_total{reason="bad-password"}"#, 1.0),
        ("maison_handshakes_failed_total{}", 1.0),
        ("maison_store_ok{}", 1.0),
    ];
    for (name, number) in expected {
        assert!((value(&all, name) - number).abs() < 1e-9, "{name}:\n{}", all.join("\n"));
    }
    let of = |name: &str| value(&all, name);
    assert!(of(r#"maison_messages_total{direction="received"}"#) >= 4.0);
    assert!(of(&format!("maison_sensor_answers_total{salon}")) >= 1.0);
    let faults = r#"maison_sensor_faults_total{room="cave",sensor="0x48",fault="no-bus"}"#;
    assert!(of(faults) >= 1.0);
    let humidity = all.iter().find(|line| line.starts_with("maison_room_humidity_ratio"));
    let humidity: f64 = humidity.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    assert!((0.0..=1.0).contains(&humidity), "{humidity}");
    let pressure = all.iter().find(|line| line.starts_with("maison_room_pressure_pascals"));
    let pressure: f64 = pressure.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    assert!((80_000.0..=110_000.0).contains(&pressure), "{pressure}");
    assert!(of(r#"maison_certificate_expiry_timestamp_seconds{of="our own authority"}"#) > 2e9);
}

/// 503 while there is nothing to believe, 200 where one room of two is well, with words for both.
#[test]
fn health_says_whether_the_gateway_does_what_it_is_for() {
    let gateway = gateway(SALON);
    let address = address(&gateway);
    let (status, body) = get(address, "/health");
    assert_eq!(status, "HTTP/1.1 200 OK", "{body}");
    let told: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(told, json!({ "status": "ok", "reasons": [], "warnings": [] }));
    let file = gateway.sysfs().join("bus/w1/devices/28-01131e858aef/w1_slave");
    let content = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    gateway.wait_for_log("sensor gave a bad reading");
    let wait_for = |expected: &str| {
        let begun = Instant::now();
        loop {
            let (status, body) = get(address, "/health");
            if status == expected {
                return serde_json::from_str::<Value>(&body).unwrap();
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "{status}: {body}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let told = wait_for("HTTP/1.1 503 Service Unavailable");
    assert_eq!(told["reasons"], json!(["no room has a temperature that counts"]), "{told}");
    assert_eq!(told["warnings"], json!(["no good reading: salon: absent"]), "{told}");
    fs::write(&file, content).unwrap();
    assert_eq!(wait_for("HTTP/1.1 200 OK")["status"], "ok");
    assert_eq!(get(address, "/").0, "HTTP/1.1 404 Not Found");
}

#[test]
fn metrics_open_and_close_with_a_reload_and_are_nowhere_by_default() {
    let folder = Gateway::prepare(SALON);
    recorded_tree(&folder.path().join("sys"));
    let config = folder.path().join("maison.toml");
    let plain = fs::read_to_string(&config).unwrap();
    let plain = plain.replace("[gateway]\n", "[gateway]\nwatch_files = false\n");
    fs::write(config, &plain).unwrap();
    let gateway = Gateway::start(folder);
    assert!(!gateway.has_logged("metrics are told"));
    let reload = || {
        let config = gateway.config();
        let output =
            binary().args(["reload", "--config", config.to_str().unwrap()]).output().unwrap();
        let told = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(told).unwrap())
    };
    fs::write(gateway.config(), format!("{plain}{METRICS}")).unwrap();
    assert_eq!(reload(), (Some(0), "changed: metrics\n".to_owned()));
    let open = address(&gateway);
    assert_eq!(get(open, "/metrics").0, "HTTP/1.1 200 OK");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let other = METRICS.replace(":0", &format!(":{port}"));
    fs::write(gateway.config(), format!("{plain}{other}")).unwrap();
    let (code, said) = reload();
    assert!(code == Some(1) && said.contains("address already in use"), "{said}");
    assert_eq!(get(open, "/health").0, "HTTP/1.1 200 OK");
    fs::write(gateway.config(), &plain).unwrap();
    assert_eq!(reload(), (Some(0), "changed: metrics\n".to_owned()));
    let begun = Instant::now();
    while TcpStream::connect(open).is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it is still open");
        std::thread::sleep(Duration::from_millis(20));
    }
    let (wide, meant) = ("[metrics]\nbind = \"0.0.0.0:0\"\n", "open = true\n");
    fs::write(gateway.config(), format!("{plain}{wide}")).unwrap();
    let (code, said) = reload();
    assert!(code == Some(78) && said.contains("may read the metrics"), "{said}");
    fs::write(gateway.config(), format!("{plain}{wide}{meant}")).unwrap();
    assert_eq!(reload().0, Some(0));
}
