//! A gateway that is killed at random moments, while it starts too, and clients of both versions
//! that keep their side: at the end nothing that was acknowledged is lost, nothing of QoS 2 came
//! twice, all is in order, and sessions, subscriptions, retained messages and wills are right.
//!
//! ```text
//! MAISON_SEED=7 tests/run kills                        that one alone
//! MAISON_KILLS=200 MAISON_SEEDS=10 tests/run kills     the long form
//! ```

mod check;
mod door;
mod publisher;
mod subscriber;

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use maison::mqtt::{Packet, QoS, Version};
use maison::sim::chance::Chance;
use tempfile::TempDir;

use crate::cut_links::seeds;
use crate::gateway::Gateway;
use crate::wire::{Session, Wire, subscribe};
use door::Door;
use publisher::{Card, Publisher, retained};
use subscriber::{Collector, Subscriber, is_silence};

/// Kills of an ordinary run.
const KILLS: u32 = 8;
/// All messages may wait for the subscriber that is away.
const BROKER: &str = "queue = { messages = 0, bytes = 0 }\nsys_interval = \"1h\"";
const LIMITS: &str = "[broker.limits]\nqueued = \"1 GiB\"\n";
/// What publishers say, and how they are.
const FILTERS: &[&str] = &["t/#", "s/#"];

#[test]
fn nothing_acknowledged_is_lost_however_often_it_is_killed() {
    let kills = std::env::var("MAISON_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    for seed in seeds(1) {
        let outcome = catch_unwind(AssertUnwindSafe(|| play(seed, kills)));
        assert!(outcome.is_ok(), "seed {seed}");
        eprintln!("seed {seed}: {kills} kills");
    }
}

fn play(seed: u64, kills: u32) {
    let mut chance = Chance::new(seed);
    let (door, cards) = (Door::default(), cards());
    let folder = Gateway::prepare_keeping("power-cut", BROKER, LIMITS);
    let mut gateway = start(folder, &door);
    let enrol = |whose, filters: &[&str]| Subscriber::enrol(&door, whose, filters);
    let present = [
        enrol(("online-1", Version::V3_1_1, QoS::AtLeastOnce), FILTERS),
        enrol(("online-2", Version::V5, QoS::ExactlyOnce), FILTERS),
    ];
    let visitor = enrol(("visitor", Version::V5, QoS::ExactlyOnce), FILTERS);
    let away = enrol(("away", Version::V3_1_1, QoS::ExactlyOnce), FILTERS);

    thread::scope(|scope| {
        let (door, count, _watch) = (&door, cards.len(), door.watch());
        let mut chance_of = || Chance::new(chance.draw());
        let publishers: Vec<_> =
            cards.iter().map(|card| Publisher::new(door, card, chance_of())).collect();
        let publishers: Vec<_> =
            publishers.into_iter().map(|one| scope.spawn(|| one.publish_all())).collect();
        let mut listeners = Vec::from(present.map(|one| scope.spawn(move || one.stay(count))));
        let of_visitor = chance_of();
        listeners.push(scope.spawn(move || visitor.come_and_go(count, of_visitor)));
        let collector = Collector::new(door, chance_of());
        let collector = scope.spawn(|| collector.collect());
        let mut moments = chance_of();
        for _ in 0..kills {
            gateway = kill_and_start(gateway, door, &mut moments);
            check_retained(gateway.plain_port(), &cards);
        }
        door.end();
        let published: Vec<_> = publishers.into_iter().map(|one| one.join().unwrap()).collect();
        let mut subscribers: Vec<_> =
            listeners.into_iter().map(|one| one.join().unwrap()).collect();
        subscribers.push(away.stay(count));
        let collector = collector.join().unwrap();
        let house = check::House { door, cards: &cards, published, subscribers, collector };
        house.check_all(gateway);
    });
}

fn cards() -> [Card; 4] {
    let card = |name, version, qos| Card {
        name,
        version,
        qos,
        said: AtomicU64::new(0),
        acknowledged: AtomicU64::new(0),
    };
    [
        card("p1", Version::V3_1_1, QoS::AtLeastOnce),
        card("p2", Version::V3_1_1, QoS::ExactlyOnce),
        card("p3", Version::V5, QoS::AtLeastOnce),
        card("p4", Version::V5, QoS::ExactlyOnce),
    ]
}

fn start(folder: TempDir, door: &Door) -> Gateway {
    let gateway = Gateway::spawn_with(folder, |command| {
        command.env("MAISON_LOG", "info");
    });
    gateway.wait_for_log("ready");
    assert!(!gateway.has_logged("store was damaged"), "a kill is no damage");
    door.open(gateway.plain_port());
    gateway
}

fn kill_and_start(gateway: Gateway, door: &Door, chance: &mut Chance) -> Gateway {
    thread::sleep(Duration::from_millis(20 + chance.below(900)));
    door.check();
    door.shut();
    let mut folder = gateway.kill();
    while chance.below(4) == 0 {
        let gateway = Gateway::spawn(folder);
        thread::sleep(Duration::from_millis(chance.below(150)));
        folder = gateway.kill();
    }
    start(folder, door)
}

/// What is retained is what was acknowledged last, or something that was said later.
fn check_retained(port: u16, cards: &[Card]) {
    let least: Vec<_> = cards.iter().map(|card| card.acknowledged.load(Ordering::SeqCst)).collect();
    let found = retained_below(port, "r/#");
    for (card, least) in cards.iter().zip(least) {
        let most = card.said.load(Ordering::SeqCst);
        let text = found.get(&format!("r/{}", card.name)).cloned();
        let fits = |number| if number == 0 { text.is_none() } else { text == retained(number) };
        assert!(
            (least..=most).any(fits),
            "{} had acknowledged {least} of {most}, and retained is {text:?}",
            card.name
        );
    }
}

/// By topic.
fn retained_below(port: u16, filter: &str) -> BTreeMap<String, String> {
    let mut guest = Wire::connect(port, "guest", Session::Clean);
    guest.send(&subscribe(filter, QoS::AtMostOnce)).unwrap();
    guest.send(&Packet::PingReq).unwrap();
    let mut found = BTreeMap::new();
    loop {
        match guest.receive().unwrap() {
            Packet::Publish(message) if message.retain => {
                let text = String::from_utf8(message.message.payload.to_vec()).unwrap();
                found.insert(message.message.topic.as_str().to_owned(), text);
            }
            Packet::Publish(_) | Packet::SubAck(_) => {}
            Packet::PingResp => return found,
            other => panic!("the guest hears {other:?}"),
        }
    }
}

/// An end of the link is what this is about; silence is not.
#[track_caller]
fn over_a_link(outcome: io::Result<()>) {
    if let Err(error) = outcome {
        assert!(!is_silence(&error), "nothing comes any more");
    }
}
