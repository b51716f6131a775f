//! What the real binary tells about itself: `$SYS`, health and events, seen by `mosquitto_sub`.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::gateway::{Client, Gateway, recorded_tree};

/// A gateway that looks at its counters ten times a second, with these further keys of `[broker]`.
fn gateway(interval: &str, keys: &str, rooms: &str) -> Gateway {
    keeping("memory", interval, keys, rooms)
}

fn keeping(durability: &str, interval: &str, keys: &str, rooms: &str) -> Gateway {
    let folder = Gateway::prepare_keeping(durability, "", rooms);
    recorded_tree(&folder.path().join("sys"));
    let path = folder.path().join("maison.toml");
    let broker = format!("[broker]\nsys_interval = \"{interval}\"\n{keys}\n");
    let text = fs::read_to_string(&path).unwrap().replace("[broker]\n", &broker);
    fs::write(path, text).unwrap();
    Gateway::start(folder)
}

fn subscribe(gateway: &Gateway, filters: &[&str]) -> Client {
    let mut command = Command::new("mosquitto_sub");
    command.args(["-v", "-q", "1", "-h", "127.0.0.1", "-p", &gateway.plain_port().to_string()]);
    for filter in filters {
        command.args(["-t", filter]);
    }
    Client::start(&mut command)
}

/// One client publishes these lines, and is gone.
fn publish(gateway: &Gateway, topic: &str, lines: &[&str]) {
    let port = gateway.plain_port().to_string();
    let mut child = Command::new("mosquitto_pub")
        .args(["-h", "127.0.0.1", "-p", &port, "-q", "1", "-t", topic, "-l"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{}", lines.join("\n")).unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

/// The tree below `$SYS/broker` as one client sees it.
struct Tree(Client);

impl Tree {
    fn of(gateway: &Gateway) -> Self {
        Self(subscribe(gateway, &["$SYS/#"]))
    }

    /// Waits until a topic tells what fits; gives it.
    #[track_caller]
    fn wait(&self, name: &str, fits: impl Fn(f64) -> bool) -> f64 {
        let prefix = format!("$SYS/broker/{name} ");
        let number = |line: &str| -> Option<f64> {
            let rest = line.strip_prefix(&prefix)?;
            Some(rest.trim_end_matches(" seconds").parse().unwrap())
        };
        let line = self.0.lines.wait(name, |line| number(line).is_some_and(&fits));
        number(&line).unwrap()
    }

    #[track_caller]
    fn expect(&self, name: &str, text: &str) {
        self.0.expect(&format!("$SYS/broker/{name} {text}"));
    }
}

#[test]
fn the_tree_is_there_at_once_and_counts_what_clients_do() {
    let gateway = gateway("100ms", "", "");
    let tree = Tree::of(&gateway);
    tree.expect("version", &format!("maison version {}", env!("CARGO_PKG_VERSION")));
    tree.expect("clients/connected", "1");
    tree.expect("subscriptions/count", "1");
    tree.expect("publish/messages/received", "0");
    let lines: Vec<String> = (10..20).map(|number| format!("number {number}")).collect();
    publish(&gateway, "notes", &lines.iter().map(String::as_str).collect::<Vec<_>>());
    tree.expect("publish/messages/received", "10");
    tree.expect("publish/bytes/received", "90");
    tree.expect("clients/maximum", "2");
    // CONNECT, SUBSCRIBE; CONNECT, ten times PUBLISH, DISCONNECT.
    tree.expect("messages/received", "14");
    // The same packets, byte by byte: "notes" and nine letters at QoS 1 take 20.
    let wire = tree.wait("bytes/received", |bytes| bytes >= 10.0 * 20.0);
    assert!(wire < 500.0, "{wire} bytes for 14 small packets");
    tree.wait("bytes/sent", |bytes| bytes > 1000.0);
    tree.wait("load/publish/received/1min", |rate| rate > 0.0 && rate < 60.0 * 10.0 * 10.0);
    tree.wait("load/connections/15min", |rate| rate > 0.0);
    tree.wait("load/sockets/5min", |rate| rate > 0.0);
    tree.wait("retained messages/count", |count| count > 50.0);
    let resident = tree.wait("heap/current", |bytes| bytes > 1e6 && bytes < 1e9);
    tree.wait("heap/maximum", |bytes| bytes >= resident);
    tree.wait("uptime", |seconds| seconds >= 1.0);
    assert_eq!(
        tree.0.lines.all().iter().filter(|line| line.contains("/version ")).count(),
        1,
        "what does not change is not told again"
    );
    let other = subscribe(&gateway, &["notes"]);
    tree.expect("clients/connected", "2");
    drop(other);
    let told = || tree.0.lines.all();
    let connected = |line: &&String| line.starts_with("$SYS/broker/clients/connected ");
    tree.0.lines.wait("one again", |_| {
        told().iter().rfind(connected).is_some_and(|line| line.ends_with(" 1"))
    });
}

/// [MQTT-4.7.2-1]
#[test]
fn a_subscriber_to_everything_is_not_bothered_with_the_tree() {
    let gateway = gateway("100ms", "", "");
    let (everything, tree) = (subscribe(&gateway, &["#", "+/#"]), Tree::of(&gateway));
    everything.expect("maison/_gateway/state online");
    tree.wait("uptime", |seconds| seconds >= 1.0);
    publish(&gateway, "notes", &["last"]);
    everything.expect("notes last");
    let seen = everything.lines.all();
    assert!(!seen.iter().any(|line| line.starts_with('$')), "{seen:?}");
}

#[test]
fn an_interval_of_zero_leaves_the_tree_out() {
    let gateway = gateway("0s", "", "");
    let client = subscribe(&gateway, &["$SYS/#", "maison/#"]);
    client.lines.wait("health", |line| line.starts_with("maison/_gateway/health "));
    let seen = client.lines.all();
    assert!(!seen.iter().any(|line| line.starts_with('$')), "{seen:?}");
}

#[test]
fn what_an_absent_clients_queue_loses_is_counted_and_told() {
    let gateway = gateway("100ms", "queue = { messages = 3, bytes = 0 }", "");
    let tree = Tree::of(&gateway);
    let looker = subscribe(&gateway, &["maison/_gateway/event"]);
    tree.expect("clients/connected", "2");
    let port = gateway.plain_port().to_string();
    let absent = ["-i", "absent", "-c", "-q", "1", "-t", "notes", "-E"];
    let mut command = Command::new("mosquitto_sub");
    let status = command.args(["-h", "127.0.0.1", "-p", &port]).args(absent).status().unwrap();
    assert!(status.success());
    tree.expect("clients/disconnected", "1");
    tree.expect("clients/total", "3");
    publish(&gateway, "notes", &["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]);
    tree.expect("publish/messages/dropped", "7");
    tree.expect("maison/queues/messages", "3");
    tree.wait("load/publish/dropped/1min", |rate| rate > 0.0);
    let event = "maison/_gateway/event {\"event\":\"queue-dropped\",\"client\":\"absent\",\
                 \"messages\":7,\"t\":\"20";
    looker.lines.wait("event", |line| line.starts_with(event));
    assert_eq!(looker.lines.all().len(), 1);
}

/// Point 3 of issue 4: what the card bears, and what it is spared.
#[test]
fn what_is_written_and_what_need_not_be_is_counted() {
    let gateway = keeping("power-cut", "100ms", "", "");
    let tree = Tree::of(&gateway);
    tree.expect("maison/store/state", "ok");
    let port = gateway.plain_port().to_string();
    let client = |name| {
        let mut command = Command::new("mosquitto_sub");
        command.args(["-h", "127.0.0.1", "-p", &port, "-i", name, "-c", "-q", "1", "-t", "notes"]);
        command
    };
    assert!(client("absent").arg("-E").status().unwrap().success());
    publish(&gateway, "notes", &["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]);
    tree.expect("maison/queues/messages", "10");
    tree.expect("maison/queues/memory", "0");
    tree.expect("maison/store/messages/queued", "10");
    let commits = tree.wait("maison/store/commits/count", |count| count >= 2.0);
    tree.wait("maison/store/syncs/count", |count| count > commits);
    let written = tree.wait("maison/store/bytes/written", |bytes| bytes >= commits * 2048.0);
    tree.wait("maison/store/commits/mean_us", |time| time > 0.0);
    tree.wait("maison/store/commits/max_us", |time| time > 0.0);
    let present = Client::start(&mut client("absent"));
    present.expect("10");
    // Each copy was sent under an identifier and acknowledged: of that only the end is written.
    tree.wait("maison/store/changes/spared", |count| count >= 10.0);
    tree.wait("maison/store/changes/waiting", |count| count >= 10.0);
    let health = subscribe(&gateway, &["maison/_gateway/health"]);
    let line = health.lines.wait("health", |line| line.starts_with("maison/_gateway/health {"));
    let json = line.strip_prefix("maison/_gateway/health ").unwrap();
    let health: serde_json::Value = serde_json::from_str(json).unwrap();
    let store = &health["store"];
    assert_eq!((&store["state"], &store["failures"]), (&"ok".into(), &0.into()), "{line}");
    assert!(store["bytes_written"].as_f64().unwrap() <= written, "told before: {line}");
    drop(present);
}

#[test]
fn health_is_told_with_what_this_machine_can_say() {
    let sensor = |room: &str, address: &str| {
        format!(
            "[rooms.{room}]\n[[rooms.{room}.sensors]]\ndriver = \"ds18b20\"\nbus = \"w1\"\n\
             address = \"{address}\"\n"
        )
    };
    let rooms = sensor("salon", "28-01131e858aef") + &sensor("grenier", "28-000000000000");
    let folder = Gateway::prepare(&rooms);
    let sysfs = folder.path().join("sys");
    recorded_tree(&sysfs);
    for (path, content) in [
        ("class/thermal/thermal_zone0/temp", "48312\n"),
        ("class/hwmon/hwmon1/name", "rpi_volt\n"),
        ("class/hwmon/hwmon1/in0_lcrit_alarm", "0\n"),
    ] {
        let path = sysfs.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let gateway = Gateway::start(folder);
    let client = subscribe(&gateway, &["maison/_gateway/health"]);
    let line = client.lines.wait("health", |line| line.starts_with("maison/_gateway/health {"));
    let json = line.strip_prefix("maison/_gateway/health ").unwrap();
    let health: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(health["cpu_temperature"], 48.3, "{line}");
    assert_eq!(health["under_voltage"], false, "{line}");
    assert_eq!(health["queue_drops"], 0, "{line}");
    assert_eq!(health["sensors"], serde_json::json!({ "ok": 1, "failed": 1 }), "{line}");
    assert!(health["uptime_s"].as_u64().unwrap() < 60, "{line}");
    assert!(health["rss_bytes"].as_u64().unwrap() > 1_000_000, "{line}");
    assert!(health["disk_free_bytes"].as_u64().unwrap() > 0, "{line}");
    assert!(health["t"].as_str().unwrap() < health["certificate_expires"].as_str().unwrap());
}
