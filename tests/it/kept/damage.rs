//! Every kind of damage to the files of the store, on the real binary: it starts and serves, the
//! damaged files lie aside under a dated name, what can be saved is there, and the rest is told.

mod filled;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::ops::RangeInclusive;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;

use maison::mqtt::{Delivery, Packet, PacketId, QoS, Version};
use rustix::process::geteuid;
use tempfile::TempDir;

use crate::gateway::Gateway;
use crate::wire::{Session, Wire, connect, publish, subscribe, success};
use filled::{
    ALL, BROKER, Filled, OF_FIRST_LIFE, RETAINED_ALL, RETAINED_OF_FIRST_LIFE, Store, edit,
    is_retained, place_of,
};

/// Debian's user for those who may nothing.
const NOBODY: u32 = 65534;
const PAGE: usize = 2048;

/// How the gateway ended before the damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    InPeace,
    Killed,
}

use End::{InPeace, Killed};

/// A kind of damage.
struct Row {
    what: &'static str,
    end: End,
    how: fn(&Store, &Filled),
    /// What the log, the event and the health topic say.
    fault: &'static str,
    left: Left,
}

/// What is left for clients.
struct Left {
    messages: RangeInclusive<usize>,
    retained: RangeInclusive<usize>,
}

const ALL_OF_IT: Left = Left { messages: ALL..=ALL, retained: RETAINED_ALL..=RETAINED_ALL };
const FIRST_LIFE: Left = Left {
    messages: OF_FIRST_LIFE..=OF_FIRST_LIFE,
    retained: RETAINED_OF_FIRST_LIFE..=RETAINED_OF_FIRST_LIFE,
};
const SOME: Left = Left { messages: 1..=ALL - 1, retained: 0..=RETAINED_ALL };
const NOTHING: Left = Left { messages: 0..=0, retained: 0..=0 };

const fn row(
    what: &'static str,
    end: End,
    how: fn(&Store, &Filled),
    fault: &'static str,
    left: Left,
) -> Row {
    Row { what, end, how, fault, left }
}

#[test]
fn whatever_happens_to_its_file_it_serves_and_tells_what_is_lost() {
    check_all(&[
        row("a cut at 95 %", InPeace, |it, _| cut(&it.file(), 95), "malformed", SOME),
        row("a cut at 50 %", InPeace, |it, _| cut(&it.file(), 50), "malformed", SOME),
        row("a cut in the header", InPeace, |it, _| truncate(&it.file(), 10), "cut off", NOTHING),
        row("no first page", InPeace, |it, _| zero(&it.file(), 0), "its beginning", ALL_OF_IT),
        row("a page of zeros", InPeace, |it, _| zero_middle(&it.file()), "in database", SOME),
        row("all zeros", InPeace, |it, _| all_zero(&it.file()), "its beginning", NOTHING),
        row("flipped bits", InPeace, |it, _| flip(&it.file(), b"number 1"), "checksum", SOME),
        row("a wrong schema", InPeace, |it, _| flip(&it.file(), b"user TEXT"), "tables", ALL_OF_IT),
        row("a picture", InPeace, |it, _| picture(&it.file()), "its beginning", NOTHING),
        row("a database", InPeace, |it, _| foreign(&it.file()), "another program", NOTHING),
        row("an empty file", InPeace, |it, _| truncate(&it.file(), 0), "is empty", NOTHING),
        row("a folder", InPeace, |it, _| folder(&it.file()), "not a file", NOTHING),
        row("no file", Killed, |it, _| remove(&it.file()), "the file is gone", NOTHING),
        row("a later version", InPeace, |it, _| later(&it.file()), "later version", ALL_OF_IT),
    ]);
}

#[test]
fn whatever_happens_to_its_log_it_serves_and_tells_what_is_lost() {
    check_all(&[
        row("no log", Killed, |it, _| remove(&it.log()), "its log is gone", FIRST_LIFE),
        row("an empty log", Killed, |it, _| truncate(&it.log(), 0), "its log is gone", FIRST_LIFE),
        row("no beginning", Killed, |it, _| zero(&it.log(), 0), "at the beginning", FIRST_LIFE),
        row("a page of zeros", Killed, |it, _| zero_middle(&it.log()), "in the middle", SOME),
        row("a flipped bit", Killed, |it, _| flip_middle(&it.log()), "in the middle", SOME),
        row("another log", Killed, |it, all| other_log(it, &all.first), "not its own", FIRST_LIFE),
        row("an old log", InPeace, |it, all| other_log(it, &all.first), "not its own", ALL_OF_IT),
        row("a folder", Killed, |it, _| folder(&it.log()), "stood in the way", FIRST_LIFE),
    ]);
}

/// As another user than the one who owns what is not to be read.
#[test]
fn whatever_its_owner_and_mode_it_serves_and_tells_what_is_lost() {
    if !geteuid().is_root() {
        return eprintln!("NOT SHOWN for files of others: only root can make them");
    }
    check_all(&[
        row("of root, readable", InPeace, |it, _| give(it, 0, 0o644), "of user 0", ALL_OF_IT),
        row("of root, with log", Killed, |it, _| give(it, 0, 0o644), "of user 0", ALL_OF_IT),
        row("of root", InPeace, |it, _| give(it, 0, 0o600), "of user 0", NOTHING),
    ]);
}

/// What the plug leaves of the last batch is no damage.
#[test]
fn a_log_that_is_half_written_at_its_end_is_no_damage() {
    let filled = Filled::new();
    let gateway = start(damaged(&filled, Killed, |it, _| {
        edit(&it.log(), |all| all.truncate(all.len() - 1000));
    }));
    gateway.wait_for_log("the last batch was not finished, and is left out");
    assert!(!gateway.has_logged("store was damaged"));
    let heard = hear(&gateway).expect("the session is there");
    check_heard(&heard, &(ALL - 2..=ALL));
}

/// Its owner may take them, and so does the gateway.
#[test]
fn rights_that_are_gone_cost_nothing() {
    let filled = Filled::new();
    let ways: [fn(&Store); 2] = [|it| give(it, NOBODY, 0o000), |it| own(&it.log(), NOBODY, 0o000)];
    for way in ways {
        let folder = damaged(&filled, Killed, |_, _| {});
        way(&Store::of(&folder));
        let gateway = start(folder);
        gateway.wait_for_log("had mode 000");
        assert!(!gateway.has_logged("store was damaged"));
        check_heard(&hear(&gateway).expect("the session is there"), &(ALL..=ALL));
        assert_eq!(retained(&gateway).len(), RETAINED_ALL);
    }
}

fn check_all(rows: &[Row]) {
    let filled = Filled::new();
    let failed: Vec<_> = rows
        .iter()
        .filter(|row| catch_unwind(AssertUnwindSafe(|| check(&filled, row))).is_err())
        .map(|row| row.what)
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
}

/// A folder with a store that ended so and was damaged so.
fn damaged(filled: &Filled, end: End, how: fn(&Store, &Filled)) -> TempDir {
    let folder = Gateway::prepare_keeping("power-cut", BROKER, "");
    let state = match end {
        InPeace => &filled.in_peace,
        Killed => &filled.killed,
    };
    let mut command = Command::new("cp");
    command.arg("-a").arg(state.path().join("state")).arg(folder.path());
    assert!(command.status().unwrap().success());
    if geteuid().is_root() {
        let mut command = Command::new("chown");
        command.arg("-R").arg(format!("{NOBODY}:{NOBODY}")).arg(folder.path());
        assert!(command.status().unwrap().success());
    }
    how(&Store::of(&folder), filled);
    folder
}

/// Starts it as nobody, if that can be done.
fn start(folder: TempDir) -> Gateway {
    let gateway = Gateway::spawn_with(folder, |command| {
        command.env("MAISON_LOG", "info");
        if geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
    });
    gateway.wait_for_log("ready");
    gateway
}

fn check(filled: &Filled, row: &Row) {
    let folder = damaged(filled, row.end, row.how);
    let store = Store::of(&folder);
    let before = [store.file(), store.log()].map(|path| fs::read(path).unwrap_or_default());
    let gateway = start(folder);
    check_life(&gateway, row, &before);
    check_next_life(&start(gateway.kill()));
}

fn check_life(gateway: &Gateway, row: &Row, before: &[Vec<u8>; 2]) {
    let told = gateway.wait_for_log("store was damaged");
    assert!(told.contains(row.fault), "{}: {told}", row.what);
    check_aside(&Store::of(&gateway.folder), before, &told);
    let heard = hear(gateway).unwrap_or_default();
    check_heard(&heard, &row.left.messages);
    let retained = retained(gateway);
    assert!(retained.iter().all(|(topic, text)| is_retained(topic, text)), "{retained:?}");
    assert!(row.left.retained.contains(&retained.len()), "{}: {}", row.what, retained.len());
    let is_all = heard.len() == ALL && retained.len() == RETAINED_ALL;
    assert!(is_all || !told.contains("lost: nothing"), "{}: {told}", row.what);
    check_event(gateway, row);
    check_health(gateway, row);
    serve(gateway);
}

/// What was damaged lies aside as it was.
fn check_aside(store: &Store, before: &[Vec<u8>; 2], told: &str) {
    let aside = store.aside();
    for path in &aside {
        assert!(told.contains(path.to_str().unwrap()), "{} is not told: {told}", path.display());
        let is_log = path.to_str().unwrap().ends_with("-wal");
        let content = fs::read(path).unwrap_or_default();
        assert!(content == before[usize::from(is_log)], "{} is not what was there", path.display());
    }
    let named =
        told.split("put aside as ").nth(1).map_or(0, |names| names.matches('`').count() / 2);
    assert_eq!(named, aside.len(), "{told}");
}

/// What the client that was away is told, in order; nothing without its session.
fn hear(gateway: &Gateway) -> Option<Vec<(String, Vec<u8>)>> {
    const MARK: &[u8] = b"mark";
    let words = connect(Version::V3_1_1, "away", Session::Stays);
    let (mut wire, session) = Wire::try_open(gateway.plain_port(), words).unwrap();
    if !session {
        return None;
    }
    let mut heard = Vec::new();
    wire.send(&subscribe("notes/#", QoS::ExactlyOnce)).unwrap();
    let mut marked = false;
    loop {
        let message = match wire.receive().unwrap() {
            Packet::Publish(message) => message,
            Packet::PubRel(answer) => {
                wire.send(&Packet::PubComp(success(answer.packet_id))).unwrap();
                continue;
            }
            Packet::SubAck(_) if !marked => {
                mark(gateway, MARK);
                marked = true;
                continue;
            }
            other => panic!("{other:?}"),
        };
        match message.delivery {
            Delivery::AtMostOnce => {}
            Delivery::AtLeastOnce(id) => wire.send(&Packet::PubAck(success(id))).unwrap(),
            Delivery::ExactlyOnce(id) => wire.send(&Packet::PubRec(success(id))).unwrap(),
        }
        if message.message.payload == MARK {
            return Some(heard);
        }
        let topic = message.message.topic.as_str().to_owned();
        heard.push((topic, message.message.payload.to_vec()));
    }
}

/// Nothing but what was said, each once, in order.
#[track_caller]
fn check_heard(heard: &[(String, Vec<u8>)], count: &RangeInclusive<usize>) {
    assert!(count.contains(&heard.len()), "{} of {count:?} messages", heard.len());
    let mut last: BTreeMap<&str, usize> = BTreeMap::new();
    for (topic, payload) in heard {
        let place = place_of(topic, payload).expect("it was said");
        let before = last.insert(topic, place);
        assert!(before.is_none_or(|before| before < place), "{topic}: {place} after {before:?}");
    }
}

fn retained(gateway: &Gateway) -> Vec<(String, Vec<u8>)> {
    let mut guest = Wire::connect(gateway.plain_port(), "guest", Session::Clean);
    guest.send(&subscribe("r/#", QoS::AtMostOnce)).unwrap();
    guest.send(&Packet::PingReq).unwrap();
    let mut found = Vec::new();
    loop {
        match guest.receive().unwrap() {
            Packet::Publish(it) => {
                found.push((it.message.topic.as_str().to_owned(), it.message.payload.to_vec()));
            }
            Packet::PingResp => return found,
            _ => {}
        }
    }
}

/// Who had wanted events hears of it, if the session is left.
fn check_event(gateway: &Gateway, row: &Row) {
    let words = connect(Version::V3_1_1, "watcher", Session::Stays);
    let (mut wire, session) = Wire::try_open(gateway.plain_port(), words).unwrap();
    assert!(session || *row.left.messages.start() < OF_FIRST_LIFE, "the watcher is forgotten");
    if session && *row.left.messages.start() >= OF_FIRST_LIFE {
        let Packet::Publish(message) = wire.receive().unwrap() else { panic!("no event") };
        let text = String::from_utf8(message.message.payload.to_vec()).unwrap();
        assert!(text.starts_with("{\"event\":\"store-damaged\""), "{text}");
        assert!(text.contains(row.fault), "{text}");
    }
}

/// Whoever looks later sees it too.
fn check_health(gateway: &Gateway, row: &Row) {
    let mut wire = Wire::connect(gateway.plain_port(), "dashboard", Session::Clean);
    wire.send(&subscribe("maison/_gateway/health", QoS::AtMostOnce)).unwrap();
    loop {
        let Packet::Publish(message) = wire.receive().unwrap() else { continue };
        let health: serde_json::Value = serde_json::from_slice(&message.message.payload).unwrap();
        let damage = health["store_damage"].as_str().expect("it was damaged");
        return assert!(damage.contains(row.fault), "{damage}");
    }
}

fn say(gateway: &Gateway, topic: &str, payload: &'static [u8]) {
    let mut wire = Wire::connect(gateway.plain_port(), "speaker", Session::Clean);
    let delivery = Delivery::AtLeastOnce(PacketId::MIN);
    wire.send(&Packet::Publish(publish(topic, delivery, payload))).unwrap();
    assert!(matches!(wire.receive().unwrap(), Packet::PubAck(_)));
}

/// Behind all that waits: at QoS 1 it would overtake what waits at QoS 2.
fn mark(gateway: &Gateway, payload: &'static [u8]) {
    let mut wire = Wire::connect(gateway.plain_port(), "marker", Session::Clean);
    let delivery = Delivery::ExactlyOnce(PacketId::MIN);
    wire.send(&Packet::Publish(publish("notes/mark", delivery, payload))).unwrap();
    assert!(matches!(wire.receive().unwrap(), Packet::PubRec(_)));
    wire.send(&Packet::PubRel(success(PacketId::MIN))).unwrap();
    assert!(matches!(wire.receive().unwrap(), Packet::PubComp(_)));
}

/// A session that is new is kept.
fn serve(gateway: &Gateway) {
    let mut new = Wire::connect(gateway.plain_port(), "new", Session::Stays);
    new.subscribe("new/#", QoS::AtLeastOnce);
    new.leave();
    say(gateway, "new/a", b"kept");
}

/// The next start finds nothing wrong, and what was acknowledged after the damage.
fn check_next_life(gateway: &Gateway) {
    assert!(!gateway.has_logged("store was damaged"), "again");
    let words = connect(Version::V3_1_1, "new", Session::Stays);
    let (mut new, session) = Wire::try_open(gateway.plain_port(), words).unwrap();
    assert!(session);
    let Packet::Publish(message) = new.receive().unwrap() else { panic!("no message") };
    assert_eq!(message.message.payload, b"kept".as_slice());
}

// ---- kinds of damage

fn truncate(path: &Path, length: usize) {
    edit(path, |content| content.truncate(length));
}

fn cut(path: &Path, percent: usize) {
    edit(path, |content| content.truncate(content.len() * percent / 100));
}

fn zero(path: &Path, at: usize) {
    edit(path, |content| content[at..at + PAGE].fill(0));
}

/// A page in use, for there are messages in the middle.
fn zero_middle(path: &Path) {
    let length = fs::read(path).unwrap().len();
    zero(path, length / 2 / PAGE * PAGE);
}

fn all_zero(path: &Path) {
    edit(path, |content| content.fill(0));
}

fn flip_middle(path: &Path) {
    edit(path, |content| {
        let middle = content.len() / 2;
        content[middle] ^= 1;
    });
}

/// In each place with this text, for some are not used any more.
fn flip(path: &Path, text: &[u8]) {
    edit(path, |content| {
        let places = 0..content.len() - text.len();
        let places: Vec<_> = places.filter(|at| content[*at..].starts_with(text)).collect();
        assert!(!places.is_empty());
        for at in places {
            content[at] ^= 1;
        }
    });
}

fn picture(path: &Path) {
    edit(path, |content| *content = vec![0xFF; 100_000]);
}

fn remove(path: &Path) {
    fs::remove_file(path).unwrap();
}

fn folder(path: &Path) {
    fs::remove_file(path).unwrap();
    fs::create_dir(path).unwrap();
}

fn foreign(path: &Path) {
    remove(path);
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute_batch("CREATE TABLE songs (name); INSERT INTO songs VALUES (1);").unwrap();
    own(path, NOBODY, 0o600);
}

/// Made by a program that knows another table.
fn later(path: &Path) {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute_batch("CREATE TABLE moods (mood); PRAGMA user_version = 99;").unwrap();
}

fn other_log(store: &Store, of: &TempDir) {
    fs::copy(Store::of(of).log(), store.log()).unwrap();
    own(&store.log(), NOBODY, 0o600);
}

fn own(path: &Path, user: u32, mode: u32) {
    if geteuid().is_root() {
        chown(path, Some(user), Some(user)).unwrap();
    }
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn give(store: &Store, user: u32, mode: u32) {
    let files = [store.file(), store.log()];
    files.iter().filter(|path| path.exists()).for_each(|path| own(path, user, mode));
}
