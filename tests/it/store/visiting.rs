//! `maison store` as a user runs it: beside a gateway, without one, and on what is damaged.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use maison::mqtt::{Delivery, Packet, PacketId, Publish, QoS, Version};
use serde_json::Value;

use crate::gateway::{Gateway, binary};
use crate::wire::{Session, Wire, connect, publish, success};

const MESSAGES: u16 = 500;

/// What a command says, and its exit code.
struct Said {
    out: String,
    err: String,
    code: i32,
}

fn store(folder: &Path, words: &[&str]) -> Said {
    let config = folder.join("maison.toml");
    said(&["store", "--config", config.to_str().unwrap()], words)
}

fn store_file(file: &Path, words: &[&str]) -> Said {
    said(&["store", "--file", file.to_str().unwrap()], words)
}

fn said(before: &[&str], words: &[&str]) -> Said {
    let Output { status, stdout, stderr } = binary().args(before).args(words).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { out: text(stdout), err: text(stderr), code: status.code().unwrap() }
}

impl Said {
    #[track_caller]
    fn well(self) -> String {
        assert!(self.code == 0 && self.err.is_empty(), "{}: {}{}", self.code, self.err, self.out);
        self.out
    }

    #[track_caller]
    fn json(self) -> Value {
        serde_json::from_str(&self.well()).unwrap()
    }

    #[track_caller]
    fn badly(self, code: i32, what: &str) -> String {
        assert!(self.err.contains(what) && self.code == code, "{}: {}", self.code, self.err);
        self.out
    }
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of_kind<'all>(lines: &'all [Value], kind: &str) -> Vec<&'all Value> {
    lines.iter().filter(|line| line["kind"] == kind).collect()
}

/// A gateway with a session that is away, for which messages wait, and one that is retained.
fn gateway() -> Gateway {
    let gateway = Gateway::start(Gateway::prepare_keeping("power-cut", "", ""));
    let open =
        |name| Wire::try_open(gateway.plain_port(), connect(Version::V3_1_1, name, Session::Stays));
    let (mut away, _) = open("logger").unwrap();
    away.subscribe("kept/#", QoS::AtLeastOnce);
    away.leave();
    let (mut publisher, _) = open("publisher").unwrap();
    for number in 1..=MESSAGES {
        let delivery = Delivery::AtLeastOnce(PacketId::new(number).unwrap());
        let payload = if number == 1 { vec![0xFF, 0] } else { format!("n{number}").into_bytes() };
        let packet = Publish { retain: number == 2, ..publish("kept/a", delivery, payload) };
        publisher.send(&Packet::Publish(packet)).unwrap();
    }
    for _ in 1..=MESSAGES {
        assert!(matches!(publisher.receive().unwrap(), Packet::PubAck(_)));
    }
    gateway
}

/// The payloads that the absent session gets, in their order.
fn drained(gateway: &Gateway) -> Vec<Vec<u8>> {
    let words = connect(Version::V3_1_1, "logger", Session::Stays);
    let (mut away, is_there) = Wire::try_open(gateway.plain_port(), words).unwrap();
    assert!(is_there);
    let mut payloads = Vec::new();
    while payloads.len() < usize::from(MESSAGES) {
        let Packet::Publish(message) = away.receive().unwrap() else { panic!("no message") };
        let id = message.delivery.packet_id().unwrap();
        away.send(&Packet::PubAck(success(id))).unwrap();
        payloads.push(message.message.payload.to_vec());
    }
    away.leave();
    payloads
}

#[test]
fn a_store_is_checked_counted_exported_and_copied_while_the_gateway_works() {
    let gateway = gateway();
    let folder = gateway.folder.path();
    let checked = store(folder, &["check", "--json"]).json();
    assert_eq!((&checked["ok"], &checked["messages"]), (&true.into(), &MESSAGES.into()));
    let text = store(folder, &["check"]).well();
    assert!(text.starts_with("ok: ") && text.contains("500 messages"), "{text}");

    let stats = store(folder, &["stats", "--json"]).json();
    let logger =
        stats["sessions"].as_array().unwrap().iter().find(|it| it["client_id"] == "logger");
    let logger = logger.unwrap();
    assert_eq!((&logger["queued"], &logger["subscriptions"]), (&MESSAGES.into(), &1.into()));
    assert!(logger["expires"].as_str().is_some_and(|time| time.ends_with('Z')), "{logger}");
    assert!(stats["file_bytes"].as_u64() > Some(0) && stats["retained"] == 1, "{stats}");
    let text = store(folder, &["stats"]).well();
    assert!(text.contains("  logger ") && text.contains("500 messages"), "{text}");

    let exported = lines(&store(folder, &["export"]).well());
    assert_eq!(exported[0]["kind"], "store");
    let queued = of_kind(&exported, "queued");
    assert_eq!((queued.len(), of_kind(&exported, "retained").len()), (MESSAGES.into(), 1));
    assert_eq!(
        (&queued[0]["payload_base64"], &queued[1]["payload"]),
        (&"/wA=".into(), &"n2".into())
    );
    assert_eq!(of_kind(&exported, "subscription")[0]["filter"], "kept/#");
    assert_eq!(exported.last().unwrap()["one_moment"], true);

    let refused = store(folder, &["compact"]);
    refused.badly(69, "a gateway works on the store: process");
    assert!(!gateway.has_logged("does not work"));
    let copy = folder.join("copy.db");
    let words = ["backup", copy.to_str().unwrap()];
    let made = store(folder, &words).well();
    assert!(made.contains("500 messages"), "{made}");
    store(folder, &words).badly(1, "there is something already");
    check_copy(folder, &copy);
    assert_eq!(drained(&gateway).len(), usize::from(MESSAGES));
}

/// The copy is for its owner alone, can be read, and is a store that a gateway works on.
fn check_copy(folder: &Path, copy: &Path) {
    assert_eq!(fs::metadata(copy).unwrap().permissions().mode() & 0o777, 0o600);
    store_file(copy, &["check"]).well();
    let export = folder.join("export.jsonl");
    store_file(copy, &["export", "--output", export.to_str().unwrap()]).well();
    assert_eq!(fs::metadata(&export).unwrap().permissions().mode() & 0o777, 0o600);
    let exported = lines(&fs::read_to_string(&export).unwrap());
    assert_eq!(of_kind(&exported, "queued").len(), usize::from(MESSAGES));
    let other = Gateway::prepare_keeping("power-cut", "", "");
    fs::create_dir(other.path().join("state")).unwrap();
    let private = fs::Permissions::from_mode(0o700);
    fs::set_permissions(other.path().join("state"), private).unwrap();
    fs::copy(copy, other.path().join("state/broker.db")).unwrap();
    let other = Gateway::start(other);
    assert!(!other.has_logged("damaged"));
    let payloads = drained(&other);
    assert_eq!((&payloads[0], &payloads[499]), (&vec![0xFF, 0], &b"n500".to_vec()));
}

#[test]
fn a_stopped_store_is_compacted_and_loses_nothing() {
    let mut gateway = gateway();
    drained(&gateway);
    gateway.stop();
    let folder = gateway.folder.path();
    let before = store(folder, &["stats", "--json"]).json();
    let done = store(folder, &["compact", "--json"]).json();
    assert!(done["bytes"].as_u64() < before["file_bytes"].as_u64(), "{done} {before}");
    let after = store(folder, &["stats", "--json"]).json();
    assert_eq!((&after["free_bytes"], &after["sessions"]), (&0.into(), &before["sessions"]));
    let gateway = Gateway::start(gateway.kill());
    assert!(!gateway.has_logged("damaged"));
    let words = connect(Version::V3_1_1, "logger", Session::Stays);
    assert!(Wire::try_open(gateway.plain_port(), words).unwrap().1, "the session is gone");
}

#[test]
fn what_is_damaged_is_told_by_every_command_and_left_as_it_is() {
    let folder = gateway().kill();
    let file = folder.path().join("state/broker.db");
    // As the next start would find it, but for its log, which is moved into it first.
    store(folder.path(), &["compact"]).well();
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.windows(4).position(|window| window == b"n123").unwrap();
    bytes[at] = b'm';
    fs::write(&file, &bytes).unwrap();
    let what = "1 of table `queued`: its checksum is wrong";
    store(folder.path(), &["check"]).badly(1, what);
    let json = store(folder.path(), &["check", "--json"]);
    assert!(json.code == 1 && json.out.contains("\"ok\":false") && json.out.contains(what));
    store(folder.path(), &["stats"]).badly(1, what);
    let exported = lines(&store(folder.path(), &["export"]).badly(1, what));
    assert_eq!(of_kind(&exported, "queued").len(), usize::from(MESSAGES) - 1);
    store(folder.path(), &["compact"]).badly(1, what);
    let copy = folder.path().join("copy.db");
    store(folder.path(), &["backup", copy.to_str().unwrap()]).badly(1, what);
    assert!(copy.exists());
    assert!(fs::read(&file).unwrap() == bytes, "it was changed");
}

#[test]
fn what_is_not_there_is_told_with_a_hint_and_not_made() {
    let folder = Gateway::prepare("");
    let state = folder.path().join("state");
    let copy: PathBuf = folder.path().join("copy.db");
    let copy = copy.to_str().unwrap();
    for words in [&["check"][..], &["stats"], &["export"], &["compact"], &["backup", copy]] {
        store(folder.path(), words).badly(69, "no store: `");
        assert!(!state.exists(), "{words:?} made the folder");
    }
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
    store(folder.path(), &["check"]).badly(77, "state folder is open to others");
    said(&["store", "--config", "/nowhere.toml"], &["check"]).badly(78, "no such file");
    said(&["store"], &["chek"]).badly(2, "check");
}
