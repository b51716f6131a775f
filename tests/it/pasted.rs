//! What is printed for a subscriber, pasted where it belongs, for each way to come: mosquitto's
//! client and paho as they are; a sketch for an ESP32 by a compiler and by what it says; Home
//! Assistant's dialog by its fields.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::gateway::{Client, Gateway, SALON, free_port, listener, tool};

/// What arduino-mqtt and the ESP32's libraries declare, as far as a sketch uses them.
const ARDUINO: &str = r"
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#define PROGMEM
typedef std::string String;
enum { WL_CONNECTED = 3 };
void delay(unsigned long milliseconds);
unsigned long millis();
struct Line { void begin(unsigned long baud); void println(const String &text); };
extern Line Serial;
struct Radio { int status(); void begin(const char *name, const char *password); };
extern Radio WiFi;
struct Client {};
struct WiFiClientSecure : Client {
  void setCACert(const char *pem); void setCertificate(const char *pem);
  void setPrivateKey(const char *pem);
};
struct MQTTClient {
  explicit MQTTClient(int bytes);
  void begin(const char *host, int port, Client &client);
  bool connect(const char *id);
  bool connect(const char *id, const char *user, const char *password);
  void onMessage(void (*heard)(String &topic, String &payload));
  bool subscribe(const char *topic, int qos); bool loop(); bool connected();
  bool publish(const char *topic, const char *payload, bool retained, int qos);
};
";

/// Who is let in, and what was printed.
struct Guest {
    gateway: Gateway,
    text: String,
}

impl Guest {
    fn come(auth: &str, flags: &[&str]) -> Self {
        Self::called("alice", auth, &[&["--rooms", "salon"], flags].concat())
    }

    fn called(name: &str, auth: &str, flags: &[&str]) -> Self {
        let listener = listener(free_port(), &format!("tls = true\nauth = \"{auth}\""));
        let gateway = Gateway::start(Gateway::prepare_listening(&[listener], SALON));
        let text = gateway.says(&[&["subscriber", "add", name, "--no-qr"], flags].concat());
        Self { gateway, text }
    }

    fn line(&self, beginning: &str) -> &str {
        let found = self.text.lines().find(|line| line.starts_with(beginning));
        found.unwrap_or_else(|| panic!("no `{beginning}` in:\n{}", self.text))
    }

    /// A field of Home Assistant's dialog.
    fn field(&self, name: &str) -> Option<&str> {
        let after = self.text.split("# Home Assistant").nth(1).unwrap();
        after.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    fn mosquitto(&self) -> Client {
        let line = format!("exec {}", self.line("mosquitto_sub"));
        Client::start(Command::new("sh").args(["-c", &line]))
    }

    fn paho(&self) -> Client {
        self.program("subscribe.py")
    }

    /// A line that runs a program of the bundle.
    fn program(&self, file: &str) -> Client {
        let is_it = |line: &&str| line.starts_with("python3") && line.contains(file);
        let line = self.text.lines().find(is_it).expect("it is printed");
        let python = tool("MAISON_TEST_PYTHON", "python/bin/python");
        let line = format!("exec {}", line.replacen("python3", &python, 1));
        Client::start(Command::new("sh").args(["-c", &line]))
    }

    /// With what a person puts into Home Assistant's dialog.
    fn home_assistant(&self) -> Client {
        let mut command = Command::new("mosquitto_sub");
        command.args(["-v", "-t", "maison/salon/#", "-h", self.field("Broker").unwrap()]);
        command.args(["-p", self.field("Port").unwrap()]);
        if let Some(user) = self.field("Username") {
            command.args(["-u", user, "-P", self.field("Password").unwrap()]);
        }
        let authority = self.field("Broker certificate validation").unwrap();
        command.args(["--cafile", authority.strip_prefix("Custom, upload ").unwrap()]);
        if let Some(files) = self.field("Use a client certificate") {
            let (certificate, key) = files.split_once(" and ").unwrap();
            command.args(["--cert", certificate, "--key", key]);
        }
        Client::start(&mut command)
    }

    /// With what the sketch has in it.
    fn sketch(&self) -> Client {
        self.by_sketch("subscribe.ino", "mosquitto_sub", |command, words| {
            command.args(["-v", "-t", &words("client.subscribe(")[0]]);
        })
    }

    /// What a sketch would do, by a program of mosquitto.
    fn by_sketch(
        &self,
        file: &str,
        program: &str,
        does: impl FnOnce(&mut Command, &dyn Fn(&str) -> Vec<String>),
    ) -> Client {
        let is_it = |line: &&str| line.starts_with('/') && line.ends_with(file);
        let place = PathBuf::from(self.text.lines().find(is_it).expect("it is printed"));
        let sketch = fs::read_to_string(&place).unwrap();
        compile(&sketch, place.parent().unwrap());
        let words = |call: &str| -> Vec<String> {
            let after = sketch.split(call).nth(1).unwrap().split(')').next().unwrap();
            after.split(", ").map(|word| word.trim_matches('"').to_owned()).collect()
        };
        let (reached, login) = (words("client.begin("), words("client.connect("));
        let mut command = Command::new(program);
        does(&mut command, &words);
        command.args(["-h", &reached[0], "-p", &reached[1], "-i", &login[0]]);
        if let [_, user, password] = &login[..] {
            command.args(["-u", user, "-P", password]);
        }
        for (name, option) in [("CA", "--cafile"), ("CERTIFICATE", "--cert"), ("KEY", "--key")] {
            let Some(after) = sketch.split(&format!("char {name}[]")).nth(1) else { continue };
            let pem = after.split("R\"PEM(").nth(1).unwrap().split(")PEM\"").next().unwrap();
            let file = place.with_file_name(format!("{name}.in-the-sketch"));
            fs::write(&file, pem.trim_start()).unwrap();
            command.arg(option).arg(&file);
        }
        Client::start(&mut command)
    }
}

#[track_caller]
fn compile(sketch: &str, folder: &Path) {
    let includes = |line: &&str| line.starts_with("#include");
    let named: Vec<&str> = sketch.lines().filter(includes).collect();
    assert_eq!(named, ["#include <MQTT.h>", "#include <WiFi.h>", "#include <WiFiClientSecure.h>"]);
    let rest: Vec<&str> = sketch.lines().filter(|line| !includes(line)).collect();
    let whole = folder.join("sketch.cpp");
    fs::write(&whole, format!("{ARDUINO}\n{}\n", rest.join("\n"))).unwrap();
    let mut compiler = Command::new("g++");
    compiler.args(["-std=c++17", "-fsyntax-only", "-Wall", "-Werror"]).arg(&whole);
    let output = compiler.output().expect("`tests/run` installs what the tests need");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[track_caller]
fn check(auth: &str, flags: &[&str]) {
    let guest = Guest::come(auth, flags);
    let clients = [guest.mosquitto(), guest.paho(), guest.sketch(), guest.home_assistant()];
    for client in &clients {
        client.expect("maison/salon/temperature 21.4");
    }
    guest.gateway.says(&["subscriber", "revoke", "alice"]);
    let revoked = fs::metadata(guest.gateway.folder.path().join("state/users")).unwrap();
    let revoked = revoked.modified().unwrap();
    let why = "this user, password or certificate counts no more";
    for line in guest.gateway.wait_for_logs(clients.len(), why) {
        let stamp = line.split_whitespace().next().unwrap();
        let at: SystemTime = humantime::parse_rfc3339(stamp).unwrap();
        let late = at.duration_since(revoked).unwrap_or_default();
        assert!(late < Duration::from_secs(1), "{late:?} after the command: {line}");
    }
    for mut again in [guest.mosquitto(), guest.home_assistant()] {
        again.end();
        assert_eq!(again.lines.all(), [""; 0]);
    }
}

#[test]
fn what_is_printed_works_by_password_and_is_worth_nothing_a_second_after_revoke() {
    check("password", &["--password"]);
}

#[test]
fn what_is_printed_works_by_certificate_and_is_worth_nothing_a_second_after_revoke() {
    check("certificate", &["--certificate"]);
}

#[test]
fn what_is_printed_works_by_both_and_is_worth_nothing_a_second_after_revoke() {
    check("certificate-and-password", &["--password", "--certificate"]);
}

/// By mosquitto's client, by paho and by a sketch; the device reads its own room.
#[test]
fn what_is_printed_for_a_device_publishes_to_its_room() {
    for auth in ["password", "certificate"] {
        let flags = ["--rooms", "garage", "--write"];
        let device = Guest::called("probe", auth, &flags);
        let heard = device.mosquitto();
        device.gateway.wait_for_log("client connected");
        let count = |times: usize| {
            let is_it = |line: &&String| **line == "maison/garage/temperature 21.5";
            let fit = |lines: &[String]| lines.iter().filter(is_it).count() >= times;
            heard.lines.wait_until(&format!("{times} numbers"), fit);
        };
        let said = Command::new("sh").args(["-c", device.line("mosquitto_pub")]).output().unwrap();
        assert!(said.status.success(), "{said:?}");
        count(1);
        let paho = device.program("publish.py");
        count(2);
        drop(paho);
        let sketch = device.by_sketch("publish.ino", "mosquitto_pub", |command, words| {
            let said = words("client.publish(");
            assert_eq!(said[1..], ["text", "true", "1"]);
            command.args(["-t", &said[0], "-m", "21.5", "-r", "-q", "1"]);
        });
        count(3);
        drop(sketch);
    }
}

/// `%u` and `%c` are the names under which the printed words come.
#[test]
fn topics_of_ones_own_name_are_printed_with_it() {
    let flags = ["--read", "in/%u/%c/#", "--publish", "in/%u/%c/said", "--password"];
    let device = Guest::called("probe", "password", &flags);
    assert!(
        device.text.contains("client identifier (`%c`): here that is probe"),
        "{}",
        device.text
    );
    assert!(!device.text.contains("/%"), "{}", device.text);
    let said = Command::new("sh").args(["-c", device.line("mosquitto_pub")]).output().unwrap();
    assert!(said.status.success(), "{said:?}");
    let clients: [fn(&Guest) -> Client; 3] = [Guest::mosquitto, Guest::paho, Guest::sketch];
    for client in clients {
        client(&device).expect("in/probe/probe/said 21.5");
    }
}
