//! The real binary on a disk that is full, read-only, broken or slow: it lives, serves what needs
//! no disk, refuses what it cannot keep, and recovers by itself.

mod disk;

use std::io::{Error, ErrorKind};
use std::process::Command;
use std::time::{Duration, Instant};

use maison::mqtt::{
    Acknowledgement, Delivery, Packet, PacketId, QoS, ReasonCode, SubscribeAcknowledgement, Version,
};
use rustix::io::Errno;
use tempfile::TempDir;

use crate::gateway::{Client, Gateway, recorded_tree};
use crate::wire::{PATIENCE, Session, Wire, connect, publish, subscribe, success};
use disk::{Disk, Wrong};

const BROKER: &str = "sys_interval = \"100ms\"\nqueue = { messages = 0, bytes = 0 }";
const ROOM: &str = r#"
[rooms.salon]
[[rooms.salon.sensors]]
driver = "ds18b20"
bus = "w1"
address = "28-01131e858aef"
interval = "500ms"
"#;
/// What the kernel says of a probe at 22.4 °C.
const WARMER: &str =
    "66 01 4b 46 7f ff 0a 10 2d : crc=2d YES\n66 01 4b 46 7f ff 0a 10 2d t=22375\n";
/// Long enough to be sure that nothing comes.
const SILENCE: Duration = Duration::from_millis(400);

fn prepare() -> TempDir {
    let folder = Gateway::prepare_keeping("power-cut", BROKER, ROOM);
    recorded_tree(&folder.path().join("sys"));
    folder
}

fn warm_up(gateway: &Gateway) {
    let file = gateway.sysfs().join("bus/w1/devices/28-01131e858aef/w1_slave");
    std::fs::write(file, WARMER).unwrap();
}

/// Sees what the gateway tells of itself and of its rooms.
fn looker(gateway: &Gateway) -> Client {
    let mut command = Command::new("mosquitto_sub");
    command.args(["-v", "-q", "1", "-h", "127.0.0.1", "-p", &gateway.plain_port().to_string()]);
    for filter in ["maison/#", "$SYS/broker/maison/store/#"] {
        command.args(["-t", filter]);
    }
    Client::start(&mut command)
}

fn client(gateway: &Gateway, version: Version, name: &str, session: Session) -> Wire {
    Wire::try_open(gateway.plain_port(), connect(version, name, session)).unwrap().0
}

fn say(wire: &mut Wire, topic: &str, text: &str, id: u16) {
    let delivery = Delivery::AtLeastOnce(PacketId::new(id).unwrap());
    wire.send(&Packet::Publish(publish(topic, delivery, text.to_owned()))).unwrap();
}

#[track_caller]
fn acknowledged(wire: &mut Wire, id: u16) -> Acknowledgement {
    match wire.receive().unwrap() {
        Packet::PubAck(answer) if answer.packet_id.get() == id => answer,
        other => panic!("no PUBACK of {id}: {other:?}"),
    }
}

#[track_caller]
fn hears(wire: &mut Wire, text: &str) {
    let Packet::Publish(message) = wire.receive().unwrap() else { panic!("no message") };
    assert_eq!(str::from_utf8(&message.message.payload).unwrap(), text);
    if let Some(id) = message.delivery.packet_id() {
        wire.send(&Packet::PubAck(success(id))).unwrap();
    }
}

fn is_silence(error: &Error) -> bool {
    [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind())
}

/// Nothing comes, but the connection is there.
#[track_caller]
fn hears_nothing(wire: &mut Wire) {
    wire.stream.set_read_timeout(Some(SILENCE)).unwrap();
    match wire.receive() {
        Err(error) if is_silence(&error) => {}
        other => panic!("no silence: {other:?}"),
    }
    wire.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    wire.send(&Packet::PingReq).unwrap();
    assert_eq!(wire.receive().unwrap(), Packet::PingResp);
}

/// How a trouble is told.
struct Told {
    state: &'static str,
    why: &'static str,
}

const FULL: Told = Told { state: "full", why: "it cannot be kept: the disk is full" };
const READ_ONLY: Told =
    Told { state: "read-only", why: "it cannot be kept: the disk is read-only" };
const FAILED: Told = Told { state: "failed", why: "it cannot be kept: the disk fails" };

/// The whole story of a disk that fails, and works again.
fn lives_through(mut disk: Disk, told: &Told, fail: impl Fn(&Disk), heal: impl Fn(&Disk)) {
    let gateway = disk.start();
    let looker = looker(&gateway);
    looker.expect("$SYS/broker/maison/store/state ok");
    looker.expect("maison/salon/temperature 21.4");
    let mut away = client(&gateway, Version::V3_1_1, "away", Session::Stays);
    away.subscribe("kept/#", QoS::AtLeastOnce);
    away.leave();
    let mut guest = client(&gateway, Version::V3_1_1, "guest", Session::Clean);
    guest.subscribe("#", QoS::AtLeastOnce);
    let mut first = client(&gateway, Version::V5, "first", Session::Clean);
    say(&mut first, "kept/a", "before", 1);
    assert_eq!(acknowledged(&mut first, 1), success(PacketId::MIN));

    fail(&disk);
    let waits = say_until_it_waits(&mut first, &gateway);
    let event =
        format!("maison/_gateway/event {{\"event\":\"store-failed\",\"reason\":\"{}", told.why);
    looker.lines.wait("store-failed", |line| line.starts_with(&event));
    looker.expect(&format!("$SYS/broker/maison/store/state {}", told.state));
    let health = format!("\"store\":{{\"state\":\"{}\"", told.state);
    looker.lines.wait("health", |line| line.contains("/health ") && line.contains(&health));
    serves_what_needs_no_disk(&gateway, &looker);
    let mut old = refuses_what_it_cannot_keep(&gateway, told);
    hears_nothing(&mut first);

    heal(&disk);
    looker.lines.wait("store-recovered", |line| line.contains("\"event\":\"store-recovered\""));
    let is_ok = |line: &&String| line.starts_with("$SYS/broker/maison/store/state ");
    looker.lines.wait("state", |_| {
        looker.lines.all().iter().rfind(is_ok).is_some_and(|line| line.ends_with(" ok"))
    });
    assert_eq!(acknowledged(&mut first, waits), success(PacketId::new(waits).unwrap()));
    assert_eq!(old.receive().unwrap_err().kind(), ErrorKind::UnexpectedEof, "it is to come back");
    let mut old = client(&gateway, Version::V3_1_1, "old", Session::Clean);
    say(&mut old, "kept/a", "again", 1);
    acknowledged(&mut old, 1);
    let gateway = disk.kill_and_start(gateway);
    let mut away = client(&gateway, Version::V3_1_1, "away", Session::Stays);
    hears(&mut away, "before");
    for id in 2..=waits {
        hears(&mut away, &large(id));
    }
    hears(&mut away, "again");
    hears_nothing(&mut away);
}

fn large(id: u16) -> String {
    format!("{id} {}", "x".repeat(200_000))
}

/// A disk that is full has still the room that was taken before. Gives the identifier of the
/// first message that is not acknowledged.
fn say_until_it_waits(wire: &mut Wire, gateway: &Gateway) -> u16 {
    wire.stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    for id in 2.. {
        say(wire, "kept/a", &large(id), id);
        loop {
            match wire.receive() {
                Ok(Packet::PubAck(answer)) => {
                    assert_eq!(answer, success(PacketId::new(id).unwrap()));
                    break;
                }
                Ok(other) => panic!("no PUBACK: {other:?}"),
                Err(_) if gateway.has_logged("what clients want kept is refused") => {
                    wire.stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    return id;
                }
                Err(error) => assert!(is_silence(&error), "{error}"),
            }
        }
    }
    unreachable!("some message is the first that does not fit")
}

/// Clean sessions, QoS 0 and sensors go on.
fn serves_what_needs_no_disk(gateway: &Gateway, looker: &Client) {
    let mut guest = client(gateway, Version::V5, "another", Session::Clean);
    guest.subscribe("other/#", QoS::AtLeastOnce);
    let mut speaker = client(gateway, Version::V3_1_1, "speaker", Session::Clean);
    for number in 0..20 {
        let text = format!("number {number}");
        let unanswered = publish("other/a", Delivery::AtMostOnce, text.clone());
        speaker.send(&Packet::Publish(unanswered)).unwrap();
        hears(&mut guest, &text);
        say(&mut speaker, "other/b", &text, 1);
        acknowledged(&mut speaker, 1);
        hears(&mut guest, &text);
    }
    warm_up(gateway);
    looker.expect("maison/salon/temperature 22.4");
}

/// A 5.0 client is told why; a 3.1.1 client hears nothing, and its connection is given back.
fn refuses_what_it_cannot_keep(gateway: &Gateway, told: &Told) -> Wire {
    let mut new = client(gateway, Version::V5, "new", Session::Stays);
    for id in [1, 2] {
        say(&mut new, "kept/a", "refused", id);
        let answer = acknowledged(&mut new, id);
        assert_eq!(answer.reason, ReasonCode::QuotaExceeded);
        let words = answer.properties.and_then(|properties| properties.reason_string);
        assert_eq!(words.as_deref(), Some(told.why));
    }
    new.send(&subscribe("kept/#", QoS::AtLeastOnce)).unwrap();
    let Packet::SubAck(answer) = new.receive().unwrap() else { panic!("no SUBACK") };
    let SubscribeAcknowledgement { reasons, .. } = answer;
    assert_eq!(reasons, [ReasonCode::QuotaExceeded]);
    let mut old = client(gateway, Version::V3_1_1, "old", Session::Clean);
    say(&mut old, "kept/a", "old", 1);
    say(&mut old, "other/a", "not heard any more", 2);
    hears_nothing(&mut old);
    old
}

#[test]
fn it_lives_through_a_full_disk() {
    lives_through(
        Disk::preloaded(prepare()),
        &FULL,
        |disk| disk.fill(true),
        |disk| disk.fill(false),
    );
    match Disk::small(prepare()) {
        Some(disk) => lives_through(disk, &FULL, |disk| disk.fill(true), |disk| disk.fill(false)),
        None => eprintln!("NOT SHOWN on a real full disk: this user may not mount one"),
    }
}

#[test]
fn it_lives_through_errors_of_the_disk() {
    let errors = [
        Wrong { write: Some(Errno::IO), ..Wrong::default() },
        Wrong { sync: Some(Errno::IO), ..Wrong::default() },
    ];
    for wrong in errors {
        let heal = |disk: &Disk| disk.order(Wrong::default());
        lives_through(Disk::preloaded(prepare()), &FAILED, |disk| disk.order(wrong), heal);
    }
}

/// A file system that finds itself damaged is not written any more, until somebody repairs it.
#[test]
fn it_lives_through_a_disk_that_becomes_read_only() {
    let Some(mut disk) = Disk::image(prepare()) else {
        return eprintln!("NOT SHOWN on a read-only disk: this user may not mount one");
    };
    let gateway = disk.start();
    let looker = looker(&gateway);
    looker.expect("maison/salon/temperature 21.4");
    let mut away = client(&gateway, Version::V3_1_1, "away", Session::Stays);
    away.subscribe("kept/#", QoS::AtLeastOnce);
    away.leave();
    let mut first = client(&gateway, Version::V5, "first", Session::Clean);
    say(&mut first, "kept/a", "before", 1);
    acknowledged(&mut first, 1);
    disk.stop_writing();
    say(&mut first, "kept/a", "waits", 2);
    looker.expect("$SYS/broker/maison/store/state read-only");
    serves_what_needs_no_disk(&gateway, &looker);
    refuses_what_it_cannot_keep(&gateway, &READ_ONLY);
    hears_nothing(&mut first);
    let gateway = disk.repair(gateway);
    let mut away = client(&gateway, Version::V3_1_1, "away", Session::Stays);
    hears(&mut away, "before");
}

/// It starts on a full disk too, and all that it acknowledged is there.
#[test]
fn a_kill_on_a_full_disk_loses_nothing() {
    let disks = [Some(Disk::preloaded(prepare())), Disk::small(prepare())];
    for mut disk in disks.into_iter().flatten() {
        let gateway = disk.start();
        let mut away = client(&gateway, Version::V3_1_1, "away", Session::Stays);
        away.subscribe("kept/#", QoS::AtLeastOnce);
        away.leave();
        let mut publisher = client(&gateway, Version::V5, "publisher", Session::Clean);
        for id in 1..=100 {
            say(&mut publisher, "kept/a", &id.to_string(), id);
            acknowledged(&mut publisher, id);
        }
        disk.fill(true);
        let waits = say_until_it_waits(&mut publisher, &gateway);
        let gateway = disk.kill_and_start(gateway);
        let mut away = client(&gateway, Version::V3_1_1, "away", Session::Stays);
        for id in 1..=100 {
            hears(&mut away, &id.to_string());
        }
        for id in 2..waits {
            hears(&mut away, &large(id));
        }
        disk.fill(false);
    }
}

/// Seconds for a sync: who needs none does not notice.
#[test]
fn a_slow_disk_delays_acknowledgements_only() {
    const SYNC: Duration = Duration::from_millis(2500);
    let mut disk = Disk::preloaded(prepare());
    let mut gateway = disk.start();
    let looker = looker(&gateway);
    looker.expect("maison/salon/temperature 21.4");
    let mut away = client(&gateway, Version::V3_1_1, "away", Session::Stays);
    away.subscribe("kept/#", QoS::AtLeastOnce);
    away.leave();
    disk.order(Wrong { sync_ms: 2500, ..Wrong::default() });
    let mut publisher = client(&gateway, Version::V3_1_1, "publisher", Session::Clean);
    let asked = Instant::now();
    say(&mut publisher, "kept/a", "1", 1);
    serves_what_needs_no_disk(&gateway, &looker);
    assert!(asked.elapsed() < SYNC, "{:?} for what needs no disk", asked.elapsed());
    acknowledged(&mut publisher, 1);
    assert!(asked.elapsed() >= SYNC, "{:?}", asked.elapsed());
    for id in 2..=50 {
        say(&mut publisher, "kept/a", &id.to_string(), id);
    }
    for id in 2..=50 {
        acknowledged(&mut publisher, id);
    }
    assert!(asked.elapsed() < 5 * SYNC, "what waits is written together: {:?}", asked.elapsed());
    say(&mut publisher, "kept/a", "not acknowledged", 51);
    let (status, took) = gateway.stop();
    assert!(status.success() && took < Duration::from_millis(2500), "{status} after {took:?}");
    disk.order(Wrong::default());
    let gateway = disk.kill_and_start(gateway);
    let mut away = client(&gateway, Version::V3_1_1, "away", Session::Stays);
    for id in 1..=50 {
        hears(&mut away, &id.to_string());
    }
}

/// What cannot be read now is read later; nobody is told that it is gone.
#[test]
fn messages_that_cannot_be_read_come_when_they_can() {
    const COUNT: u16 = 3000;
    let mut disk = Disk::preloaded(prepare());
    let gateway = disk.start();
    let mut away = client(&gateway, Version::V3_1_1, "away", Session::Stays);
    away.subscribe("kept/#", QoS::AtLeastOnce);
    away.leave();
    let mut publisher = client(&gateway, Version::V3_1_1, "publisher", Session::Clean);
    for id in 1..=COUNT {
        say(&mut publisher, "kept/a", &format!("{id:02000}"), id);
        acknowledged(&mut publisher, id);
    }
    let gateway = disk.kill_and_start(gateway);
    disk.order(Wrong { read: Some(Errno::IO), ..Wrong::default() });
    let mut away = client(&gateway, Version::V3_1_1, "away", Session::Stays);
    hears_nothing(&mut away);
    disk.order(Wrong::default());
    for id in 1..=COUNT {
        hears(&mut away, &format!("{id:02000}"));
    }
}
