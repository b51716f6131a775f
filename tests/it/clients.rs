//! Clients of other makers live one story, `tests/clients/story.md`, over every transport and at
//! each quality of service: they publish, subscribe, go away and resume.

mod rumqttc;

use std::process::Command;
use std::thread;

use crate::gateway::{Client, Gateway, PASSWORD, script, tool};

/// Messages in each part of the story: more than may be unacknowledged at a time.
const COUNT: usize = 30;
const VERSIONS: [Version; 1] = [Version::V3_1_1];
const TRANSPORTS: [Transport; 1] = [Transport::Tcp];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V3_1_1,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Tcp,
}

/// Whether a client tells that the broker had a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Session {
    Told,
    Untold,
}

/// What a client needs to know.
#[derive(Clone, Debug)]
struct Story {
    port: u16,
    /// Path of the certificate authority; `None`: plain.
    authority: Option<String>,
    /// Empty: none.
    user: &'static str,
    version: Version,
    transport: Transport,
    qos: u8,
    id: String,
}

impl Story {
    fn all(gateway: &Gateway, name: &str) -> Vec<Self> {
        let mut stories = Vec::new();
        for (version, transport) in VERSIONS
            .into_iter()
            .flat_map(|version| TRANSPORTS.map(|transport| (version, transport)))
        {
            for (tls, qos) in [(false, 0), (false, 1), (false, 2), (true, 0), (true, 1), (true, 2)]
            {
                stories.push(Self {
                    port: gateway.port(tls),
                    authority: tls.then(|| gateway.authority()),
                    user: if tls { "bob" } else { "" },
                    version,
                    transport,
                    qos,
                    id: format!("{name}-{version:?}-{transport:?}-{tls}-{qos}"),
                });
            }
        }
        stories
    }

    fn topic(&self) -> String {
        format!("{}/été", self.id)
    }

    fn filter(&self) -> String {
        format!("{}/+", self.id)
    }

    fn payload(part: &str, number: usize) -> String {
        format!("{part} {number}{}", ".".repeat(if number == 7 { 20_000 } else { 0 }))
    }

    /// Tells the program what it needs to know.
    fn tell(&self, command: &mut Command) {
        let version = match self.version {
            Version::V3_1_1 => "3.1.1",
        };
        let transport = match self.transport {
            Transport::Tcp => "tcp",
        };
        command
            .env("MQTT_HOST", "localhost")
            .env("MQTT_PORT", self.port.to_string())
            .env("MQTT_CA", self.authority.as_deref().unwrap_or_default())
            .env("MQTT_USER", self.user)
            .env("MQTT_PASSWORD", PASSWORD)
            .env("MQTT_VERSION", version)
            .env("MQTT_TRANSPORT", transport)
            .env("MQTT_QOS", self.qos.to_string())
            .env("MQTT_ID", &self.id)
            .env("MQTT_TOPIC", self.topic())
            .env("MQTT_FILTER", self.filter())
            .env("MQTT_COUNT", COUNT.to_string());
    }

    /// Messages of QoS 0 are not kept for a client that is away.
    #[track_caller]
    fn judge(&self, facts: &[String], session: Session) {
        let (received, told): (Vec<&str>, Vec<&str>) =
            facts.iter().map(String::as_str).partition(|fact| fact.starts_with("received "));
        let granted = format!("granted {}", self.qos);
        let steps = match session {
            Session::Told => vec![
                "connected session=0",
                &granted,
                "published here",
                "left",
                "published away",
                "connected session=1",
                "published back",
            ],
            Session::Untold => {
                vec![
                    &granted,
                    "published here",
                    "left",
                    "published away",
                    &granted,
                    "published back",
                ]
            }
        };
        assert_eq!(told, steps, "{self:?}");
        let (topic, qos) = (self.topic(), self.qos);
        let parts = ["here", "away", "back"].into_iter().filter(|part| qos > 0 || *part != "away");
        let messages = parts.flat_map(|part| (0..COUNT).map(move |number| (part, number)));
        let expected: Vec<String> = messages
            .map(|(part, number)| Self::payload(part, number))
            .map(|payload| format!("received {topic} {qos} 0 {payload}"))
            .collect();
        let short = |fact: &str| fact.chars().take(120).collect::<String>();
        let expected: Vec<String> = expected.iter().map(|fact| short(fact)).collect();
        let received: Vec<String> = received.into_iter().map(short).collect();
        assert_eq!(received, expected, "{self:?}");
    }
}

/// All stories of one client, at the same time.
fn check(name: &str, session: Session, live: impl Fn(&Story) -> Vec<String> + Sync) {
    let gateway = Gateway::with_bob("", |_| {});
    let stories = Story::all(&gateway, name);
    thread::scope(|scope| {
        for story in &stories {
            let live = &live;
            scope.spawn(move || story.judge(&live(story), session));
        }
    });
}

/// The facts of a program.
fn run(story: &Story, mut command: Command) -> Vec<String> {
    story.tell(&mut command);
    let mut client = Client::start(&mut command);
    let status = client.end();
    assert!(status.success(), "{status}: {story:?}");
    client.lines.whole()
}

#[test]
fn paho_mqtt_lives_the_story() {
    check("paho-python", Session::Told, |story| {
        let mut command = Command::new(tool("MAISON_TEST_PYTHON", "python/bin/python"));
        command.arg(script("story_paho.py"));
        run(story, command)
    });
}

#[test]
fn mqtt_js_lives_the_story() {
    check("mqtt-js", Session::Told, |story| {
        let mut command = Command::new("node");
        command.env("NODE_PATH", tool("MAISON_TEST_NODE_MODULES", "node/node_modules"));
        command.arg(script("story_mqttjs.cjs"));
        run(story, command)
    });
}

#[test]
fn mosquitto_pub_and_sub_live_the_story() {
    check("mosquitto", Session::Untold, |story| {
        let mut command = Command::new("bash");
        command.arg(script("story_mosquitto.sh"));
        run(story, command)
    });
}

#[test]
fn libpaho_mqtt_lives_the_story() {
    let program = format!("{}/story_paho_c", env!("CARGO_TARGET_TMPDIR"));
    let compiled = Command::new("cc")
        .args(["-O1", "-Wall", "-Wextra", "-Werror", "-o", &program, &script("story_paho.c")])
        .arg("-lpaho-mqtt3cs")
        .status();
    assert!(compiled.unwrap().success(), "`tests/run` installs what the tests need");
    check("paho-c", Session::Told, |story| run(story, Command::new(&program)));
}

#[test]
fn rumqttc_lives_the_story() {
    check("rumqttc", Session::Told, rumqttc::live);
}
