//! MQTT inside WebSocket, by the real binary: clients of other makers, and what a browser would be
//! told.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use crate::gateway::{Client, Gateway, PASSWORD, recorded_tree};
use crate::gateway::{script, tool};
use crate::subscribers::{ROOMS, check_evening};

/// Beside the listeners that every test has.
const LISTENERS: &str = r#"
[[listener]]
bind = "127.0.0.1:0"
websocket = true
auth = "anonymous"

[[listener]]
bind = "127.0.0.1:0"
websocket = true
tls = true
auth = "password"
"#;

/// Room for a PUBLISH of the default `max_packet_size` around its payload.
const LARGEST: usize = 1024 * 1024 - 100;

fn gateway() -> Gateway {
    Gateway::with_bob(&format!("{ROOMS}{LISTENERS}"), recorded_tree)
}

#[test]
fn mqtt_js_sees_the_house_over_wss() {
    check_evening(gateway(), |gateway| subscriber(mqtt_js(), gateway, "wss", PASSWORD));
}

#[test]
fn paho_mqtt_sees_the_house_over_wss() {
    check_evening(gateway(), |gateway| subscriber(paho(), gateway, "wss", PASSWORD));
}

#[test]
fn mqtt_js_sees_the_house_over_ws() {
    check_evening(gateway(), |gateway| subscriber(mqtt_js(), gateway, "ws", PASSWORD));
}

#[test]
fn paho_mqtt_sees_the_house_over_ws() {
    check_evening(gateway(), |gateway| subscriber(paho(), gateway, "ws", PASSWORD));
}

#[test]
fn a_wrong_password_shows_nothing_over_wss() {
    let gateway = gateway();
    for client in [mqtt_js, paho] {
        let mut client = Client::start(&mut subscriber(client(), &gateway, "wss", "wrong"));
        assert!(!client.end().success());
        assert_eq!(client.lines.all(), [""; 0]);
    }
    let line = gateway.wait_for_log("auth refused");
    assert!(line.contains("user=\"bob\"") && line.contains("reason=bad-password"), "{line}");
}

#[test]
fn messages_of_any_size_come_back_over_a_websocket_as_they_were() {
    let gateway = gateway();
    let mut command = mqtt_js();
    command.arg(script("mqttjs_echo.cjs"));
    let (port, largest) = (gateway.websocket_port(false).to_string(), LARGEST.to_string());
    let mut client = Client::start(command.args([&port, &largest]));
    for size in [0, 1, 100, 125, 126, 16_384, 65_535, 65_536, 70_000, LARGEST] {
        client.expect(&format!("size {size}"));
    }
    client.expect("burst 2000");
    client.expect("closed");
    assert!(client.end().success());
}

/// A browser's request, with those lines.
fn request(gateway: &Gateway, lines: &str) -> TcpStream {
    let port = gateway.websocket_port(false);
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let request = format!(
        "GET /mqtt HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{lines}\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// All that is said until the end.
fn told(mut stream: TcpStream) -> Vec<u8> {
    let mut told = Vec::new();
    stream.read_to_end(&mut told).unwrap();
    told
}

/// [MQTT-6.0.0-3]
#[test]
fn a_browser_that_does_not_offer_mqtt_is_told_so_over_a_websocket_port() {
    let gateway = gateway();
    let told = String::from_utf8(told(request(&gateway, ""))).unwrap();
    assert!(told.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{told}");
    assert!(told.ends_with("must offer the WebSocket sub-protocol `mqtt`.\n"), "{told}");
    let line = gateway.wait_for_log("handshake failed");
    assert!(line.contains("layer=\"WebSocket\""), "{line}");
}

#[test]
fn a_page_of_another_host_gets_no_websocket_where_everyone_else_is_let_in() {
    let gateway = gateway();
    let with_origin = |origin: &str| {
        request(&gateway, &format!("Sec-WebSocket-Protocol: mqtt\r\nOrigin: {origin}\r\n"))
    };
    let refused = String::from_utf8(told(with_origin("https://evil.example"))).unwrap();
    assert!(refused.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{refused}");
    let mut start = [0; 12];
    with_origin("http://localhost:8123").read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 101");
}

/// [MQTT-6.0.0-1]
#[test]
fn text_in_a_websocket_is_answered_with_a_close_that_arrives() {
    let gateway = gateway();
    let mut stream = request(&gateway, "Sec-WebSocket-Protocol: mqtt\r\n");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    // A text frame of 100 KiB, of which the gateway reads the header.
    let text = [&b"\x81\xFF\0\0\0\0\0\x01\x90\0mask"[..], &b"x".repeat(102_400)].concat();
    stream.write_all(&text).unwrap();
    assert_eq!(told(stream), b"\x88\x02\x03\xEB");
}

fn mqtt_js() -> Command {
    let mut command = Command::new("node");
    command.env("NODE_PATH", tool("MAISON_TEST_NODE_MODULES", "node/node_modules"));
    command
}

pub(crate) fn paho() -> Command {
    Command::new(tool("MAISON_TEST_PYTHON", "python/bin/python"))
}

pub(crate) fn subscriber(
    mut command: Command,
    gateway: &Gateway,
    scheme: &str,
    password: &str,
) -> Command {
    let is_node = command.get_program() == "node";
    let script = script(if is_node { "mqttjs_subscriber.cjs" } else { "paho_subscriber.py" });
    let port = gateway.websocket_port(scheme == "wss").to_string();
    let (authority, filter) = (gateway.authority(), "maison/#");
    command.args([&script, &port, &authority, "bob", password, filter, "1", scheme]);
    command
}
