//! The files of `config/`, and settings written back.

use std::fs;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::time::Duration;

use maison::access::Policy;
use maison::config::{Bus, Durability, Library, Limits, Settings, Source, Tls, Transport, parse};
use maison::mqtt::TopicFilter;
use maison::sampling::Calibration;
use maison::sensors::catalog::{Driver, Promise};
use maison::sensors::{Address, OneWireId};
use maison::units::{MilliCelsius, MilliPercent};

use super::parse_one;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config")
}

fn sample(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap()
}

#[track_caller]
fn settings(text: &str) -> Settings {
    parse_one(text).unwrap_or_else(|report| panic!("{report}"))
}

/// `maison.toml` with its examples: lines with `#` directly before something.
fn with_examples() -> String {
    let uncommented = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => rest.to_owned(),
        _ => line.to_owned(),
    };
    sample("maison.toml").lines().map(uncommented).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_main_file_equals_the_defaults() {
    assert_eq!(settings(&sample("maison.toml")), Settings::default());
    assert_eq!(settings(""), Settings::default());
    assert_eq!(parse(&[]).unwrap(), Settings::default());
}

/// The values behind the listed keys; everything that is not listed is a key that can be left out.
#[test]
fn the_examples_of_the_main_file_are_right_and_the_optional_keys_are_the_defaults() {
    let all = settings(&with_examples());
    assert_eq!(all.listeners.len(), 4);
    let [room_by_points, elements, damp_room, room_by_offset] = all.rooms.as_slice() else {
        panic!("four rooms")
    };
    assert_eq!(room_by_offset.name, "Salon");
    assert_eq!(room_by_points.name, "Chambre d'été");

    let minimal = settings(
        "[[rooms.salon.sensors]]\ndriver = \"ds18b20\"\nbus = \"w1\"\n\
         address = \"28-01131e858aef\"",
    );
    assert_eq!(room_by_offset.sensors, minimal.rooms[0].sensors);
    let minimal = settings("[[rooms.salon.sensors]]\ndriver = \"sht3x\"\nbus = \"i2c-1\"");
    assert_eq!(damp_room.sensors, minimal.rooms[0].sensors);
    let minimal = settings(
        "[[rooms.a.sensors]]\ndriver = \"ads1115\"\nbus = \"i2c-1\"\naddress = \"0x4a:0\"\n\
         thermistor = { beta = 3950 }\n\
         [[rooms.a.sensors]]\ndriver = \"max31865\"\nbus = \"spi-0.0\"\n\
         rtd = { element = \"pt100\", wires = 3 }",
    );
    assert_eq!(elements.sensors, minimal.rooms[0].sensors);
}

#[test]
fn every_key_is_explained_in_the_main_file() {
    let text = with_examples();
    let every = settings(&text).to_toml();
    for line in every.lines().filter(|line| line.contains(" = ")) {
        let key = line.split(" = ").next().unwrap();
        assert!(text.contains(&format!("\n{key} = ")), "`{key}` is not in config/maison.toml");
    }
}

#[test]
fn every_example_is_right() {
    let mut names: Vec<PathBuf> =
        fs::read_dir(folder().join("examples")).unwrap().map(|it| it.unwrap().path()).collect();
    names.sort();
    let summary: Vec<String> = names
        .iter()
        .map(|path| {
            let settings = settings(&fs::read_to_string(path).unwrap());
            let sensors: usize = settings.rooms.iter().map(|room| room.sensors.len()).sum();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            format!("{name} {} {sensors} {}", settings.rooms.len(), settings.listeners.len())
        })
        .collect();
    assert_eq!(
        summary,
        [
            "dht.toml 2 2 2",
            "i2c-multiplexer.toml 4 4 2",
            "i2c.toml 3 3 2",
            "kernel-1wire.toml 3 4 2",
            "kernel-files.toml 4 4 2",
            "pin-1wire.toml 1 1 2",
            "simulated-house.toml 4 5 1",
            "simulated.toml 3 3 1",
            "spi.toml 4 4 2",
            "thermistors.toml 2 2 2",
            "two-listeners.toml 0 0 2",
        ]
    );
}

/// The keys that other tools rely on, none with its default.
const FIXED_KEYS: &str = r#"
[gateway]
root = "home/maison"
state_dir = "state"
watch_files = false
[broker]
durability = "crash"
max_packet_size = "256 MiB"
session_expiry = "1h30m"
queue = { messages = 0, bytes = 0 }
sys_interval = "0s"
private = ["alarm/#", "+/secret"]
[hardware]
sysfs = "recorded/sys"
spi = "rppal"
[[listener]]
bind = "0.0.0.0:1883"
auth = "anonymous"
open = true
[[listener]]
bind = "[::]:8883"
tls = { certificate = "c", key = "k", client_ca = "a", client_crl = ["l", "m"] }
websocket = true
auth = "certificate-and-password"
[rooms.salon]
name = "Salon"
[[rooms.salon.sensors]]
driver = "ds18b20"
bus = "gpio4"
address = "28-01131E858AEF"
interval = "200ms"
offset = -0.3
[[rooms.salon.sensors]]
driver = "sht3x"
bus = "i2c-1"
address = "0x45"
min = 1
max = 30.5
max_rate = 0
calibration = { low = [0.5, 0], high = [99, 100.25] }
median = 3
decimals = 2
deadband = 0.05
heartbeat = "1m"
stale_after = "2m"
retries = 0
humidity = { offset = -2.5, max = 95, max_rate = 0, median = 5, decimals = 0, deadband = 1 }
"#;

#[test]
fn the_fixed_keys_of_gateway_and_broker_mean_what_they_say() {
    let settings = settings(FIXED_KEYS);
    assert_eq!(settings.gateway.root, "home/maison");
    assert_eq!(settings.gateway.state_dir, Path::new("state"));
    assert!(!settings.gateway.watch_files);
    assert_eq!(settings.broker.durability, Durability::Crash);
    assert_eq!(settings.broker.max_packet_size, 256 * 1024 * 1024);
    assert_eq!(settings.broker.session_expiry, Duration::from_secs(5400));
    assert_eq!((settings.broker.queue_messages, settings.broker.queue_bytes), (None, None));
    assert_eq!(settings.broker.sys_interval, None);
    let private: Vec<_> = settings.broker.private.iter().map(TopicFilter::as_str).collect();
    assert_eq!(private, ["alarm/#", "+/secret"]);
    assert_eq!(settings.hardware.sysfs, Path::new("recorded/sys"));
    assert_eq!(settings.hardware.spi, Library::Rppal);
}

#[test]
fn the_limits_mean_what_they_say() {
    let limits = |text: &str| settings(&format!("[broker.limits]\n{text}")).broker.limits;
    let all = limits(
        "connections = 30\nconnections_per_address = 20\nconnect_timeout = \"2m\"\n\
         packet_before_login = \"1 MiB\"\nsessions = 40\nsessions_per_user = 35\n\
         subscriptions = 50\ntopic_levels = 8\ninflight = 1000\nreceive_maximum = 65535\n\
         topic_aliases = 0\nkeep_alive = \"65535s\"\nsubscribed = \"5 MiB\"\nretained = \"1 MiB\"\n\
         queued = \"3 B\"\nunfinished = \"2 MiB\"",
    );
    let expected = Limits {
        connections: 30,
        connections_per_address: 20,
        connect_timeout: Duration::from_secs(120),
        packet_before_login: 1024 * 1024,
        sessions: 40,
        sessions_per_user: 35,
        subscriptions: 50,
        topic_levels: 8,
        inflight: 1000,
        receive_maximum: NonZeroU16::MAX,
        topic_aliases: 0,
        keep_alive: Some(Duration::from_secs(65_535)),
        subscribed: 5 * 1024 * 1024,
        retained: 1024 * 1024,
        queued: Some(3),
        unfinished: 2 * 1024 * 1024,
    };
    assert_eq!(all, expected);
    let unbounded = limits("queued = 0\nkeep_alive = \"0s\"");
    assert_eq!((unbounded.queued, unbounded.keep_alive), (None, None));
    assert_eq!(limits(""), Limits::default());
}

#[test]
fn the_fixed_keys_of_listeners_mean_what_they_say() {
    let settings = settings(FIXED_KEYS);
    let [open, secure] = settings.listeners.as_slice() else { panic!("two listeners") };
    assert_eq!((open.bind.to_string().as_str(), &open.tls), ("0.0.0.0:1883", &None));
    assert_eq!((open.auth, secure.auth), (Policy::Anonymous, Policy::CertificateAndPassword));
    let (client_ca, client_crl) = (vec!["a".into()], vec!["l".into(), "m".into()]);
    let files = Tls::Files { certificate: "c".into(), key: "k".into(), client_ca, client_crl };
    assert_eq!(secure.tls, Some(files));
    assert_eq!((open.transport, secure.transport), (Transport::Tcp, Transport::WebSocket));
}

#[test]
fn the_keys_of_sensors_mean_what_they_say() {
    let settings = settings(FIXED_KEYS);
    let [pin, i2c] = settings.rooms[0].sensors.as_slice() else { panic!("two sensors") };
    let id = OneWireId { family: 0x28, serial: 0x0113_1e85_8aef };
    assert_eq!((&pin.bus, &pin.address), (&Bus::Gpio(4), &Address::OneWire(id)));
    assert_eq!(pin.sampling.interval, Duration::from_millis(200));
    assert_eq!(pin.sampling.stale_after, Duration::from_secs(30));
    assert_eq!(
        pin.sampling.temperature.calibration,
        Calibration::Offset(MilliCelsius::new(-300).value())
    );
    let chip = Driver::Ds18b20.facts().temperature;
    assert_eq!(pin.sampling.temperature.lowest, chip.lowest);

    assert_eq!((&i2c.bus, &i2c.address), (&Bus::I2c(1), &Address::i2c(0x45)));
    let celsius = |thousandths| MilliCelsius::new(thousandths).value();
    let point = |raw, value| (celsius(raw), celsius(value));
    let rules = &i2c.sampling.temperature;
    let (low, high) = (point(500, 0), point(99_000, 100_250));
    assert_eq!(rules.calibration, Calibration::TwoPoint { low, high });
    let range = (rules.lowest, rules.highest);
    assert_eq!(range, (celsius(1000), celsius(30_500)));
    assert_eq!(rules.rate_per_minute, None);
    assert_eq!((rules.median, rules.decimals, i2c.sampling.retries), (3, 2, 0));
    assert_eq!(rules.deadband, 50);
    assert_eq!(i2c.sampling.heartbeat, Duration::from_secs(60));
    assert_eq!(i2c.sampling.stale_after, Duration::from_secs(120));
}

#[test]
fn the_keys_of_further_quantities_mean_what_they_say() {
    let settings = settings(FIXED_KEYS);
    let [pin, i2c] = settings.rooms[0].sensors.as_slice() else { panic!("two sensors") };
    assert_eq!((&pin.sampling.humidity, &pin.sampling.pressure), (&None, &None));
    assert_eq!(i2c.sampling.pressure, None);
    let percent = |thousandths| MilliPercent::new(thousandths).value();
    let rules = i2c.sampling.humidity.as_ref().unwrap();
    assert_eq!((rules.lowest, rules.highest), (percent(0), percent(95_000)));
    assert_eq!(rules.calibration, Calibration::Offset(percent(-2500)));
    assert_eq!((rules.rate_per_minute, rules.median, rules.deadband), (None, 5, 1000));
    assert_eq!((rules.decimals, rules.promise), (0, Promise::Always));
}

#[test]
fn stale_after_follows_the_interval() {
    let settings = settings(
        "[[rooms.a.sensors]]\ndriver = \"tmp117\"\nbus = \"i2c-1\"\ninterval = \"1m\"\n\
         [[rooms.a.sensors]]\ndriver = \"sht3x\"\nbus = \"i2c-1\"\ninterval = \"5s\"\n\
         [[rooms.a.sensors]]\ndriver = \"sht3x\"\nbus = \"i2c-2\"\nstale_after = \"10s\"",
    );
    let sensors = &settings.rooms[0].sensors;
    assert_eq!(sensors[0].sampling.stale_after, Duration::from_secs(180));
    assert_eq!(sensors[1].sampling.stale_after, Duration::from_secs(30));
    assert_eq!(sensors[2].sampling.stale_after, sensors[2].sampling.interval);
    let addresses = [&sensors[0].address, &sensors[1].address];
    assert_eq!(addresses, [&Address::i2c(0x48), &Address::i2c(0x44)]);
}

#[test]
fn several_files_are_joined_in_order() {
    let file = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
    let settings = parse(&[
        file("maison.toml", "[broker]\nqueue = { messages = 5 }\n[rooms.salon]\nname = \"Salon\""),
        file("a.toml", "[broker.queue]\nbytes = \"1 kB\"\n[rooms.cave]"),
        file("b.toml", "[[rooms.salon.sensors]]\ndriver = \"tmp117\"\nbus = \"i2c-1\""),
        file("c.toml", "[[rooms.salon.sensors]]\ndriver = \"sht3x\"\nbus = \"i2c-1\""),
    ])
    .unwrap();
    assert_eq!(settings.broker.queue_messages, Some(5));
    assert_eq!(settings.broker.queue_bytes, Some(1000));
    let slugs: Vec<&str> = settings.rooms.iter().map(|room| room.slug.as_str()).collect();
    assert_eq!(slugs, ["cave", "salon"]);
    let drivers: Vec<Driver> = settings.rooms[1].sensors.iter().map(|it| it.driver).collect();
    assert_eq!(drivers, [Driver::Tmp117, Driver::Sht3x]);
}

#[test]
fn settings_written_back_are_the_same_settings() {
    let mut texts = vec![with_examples()];
    for entry in fs::read_dir(folder().join("examples")).unwrap() {
        texts.push(fs::read_to_string(entry.unwrap().path()).unwrap());
    }
    texts.push(
        "[gateway]\nwatch_files = false\nroot = \"a\\\"b\\\\\"\n\
         state_dir = \"\u{e9}\\t\"\n[broker]\n\
         queue = { messages = 0, bytes = \"3 B\" }\nsession_expiry = \"1ms\"\n\
         sys_interval = \"100ms\"\nprivate = [\"a\\\\b/#\"]\n\
         limits = { queued = 0, keep_alive = \"1m30s\", topic_aliases = 0, inflight = 1 }\n\
         [[listener]]\nbind = \"0.0.0.0:0\"\nauth = \"anonymous\"\nopen = true"
            .to_owned(),
    );
    for text in texts {
        let once = settings(&text);
        assert_eq!(settings(&once.to_toml()), once);
    }
}
