//! Clients gone mad, against the real binary: nonsense, broken packets, packets in any order, ends
//! without a word. The process lives, others are served meanwhile, and nothing is left. A failure
//! names its seed.
//!
//! ```text
//! MAISON_SEED=7 tests/run noise       that one alone
//! ```

mod talk;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use maison::mqtt::{Delivery, Packet, PacketId, QoS};
use maison::sim::chance::mix;

use crate::cut_links::seeds;
use crate::gateway::Gateway;
use crate::wire::{Session, Wire, publish, success};
use talk::Ports;

const CONVERSATIONS: u64 = 10_000;
/// At a time.
const TALKERS: usize = 4;
/// Longest an ordinary message may take meanwhile, on a machine that has other tests to run.
const DELAY_MAX: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(10);
/// What the first half may leave with the allocator; 2 to 4 MiB were measured.
const GROWTH_KIB_MAX: u64 = 10 * 1024;
/// What the second half may add: nothing grows with the number of conversations. At most 2 MiB
/// were measured.
const GROWTH_KIB_LATER_MAX: u64 = 4 * 1024;

/// What is left behind is gone soon, and cannot be much before.
const BROKER: &str = "sys_interval = \"100ms\"\nsession_expiry = \"1s\"\n\
                      queue = { messages = 100, bytes = \"1 MiB\" }\n";
const LIMITS: &str = r#"
[[listener]]
bind = "127.0.0.1:0"
websocket = true
auth = "anonymous"

[broker.limits]
retained = "1 MiB"
queued = "8 MiB"
unfinished = "4 MiB"
connect_timeout = "1s"
packet_before_login = "1 MiB"
"#;

#[test]
fn mad_conversations_end_nothing_delay_nobody_and_leave_nothing() {
    for seed in seeds(1) {
        let outcome = catch_unwind(AssertUnwindSafe(|| bear(seed)));
        assert!(outcome.is_ok(), "seed {seed}");
    }
}

fn bear(seed: u64) {
    let gateway = Gateway::start(Gateway::prepare_with(BROKER, LIMITS));
    let ports = Ports {
        plain: gateway.plain_port(),
        tls: gateway.tls_port(),
        websocket: gateway.websocket_port(false),
    };
    let mut looker = Looker::connect(ports.plain);
    let mut pair = Pair::connect(ports.plain);
    let alone = looker.at_rest();
    let before = gateway.memory("VmRSS");

    let half = CONVERSATIONS / 2;
    let heard = pair.during(|| talk(seed, 0..half, ports));
    assert_eq!(looker.at_rest(), alone, "left behind");
    let between = gateway.memory("VmRSS");
    let later = pair.during(|| talk(seed, half..CONVERSATIONS, ports));
    assert_eq!(looker.at_rest(), alone, "left behind");
    let after = gateway.memory("VmRSS");

    assert!(!gateway.has_logged("panicked"), "a fault of ours");
    let (messages, delay) = (heard.0 + later.0, heard.1.max(later.1));
    eprintln!(
        "{CONVERSATIONS} conversations: {before} KiB before, {between} KiB between, {after} KiB \
         after; {messages} messages of others, the slowest took {delay:?}"
    );
    assert!(messages >= 100, "{messages} messages");
    assert!(delay < DELAY_MAX, "{delay:?}");
    assert!(between < before + GROWTH_KIB_MAX, "{before} KiB before, {between} KiB after a half");
    assert!(after < between + GROWTH_KIB_LATER_MAX, "{between} KiB, {after} KiB after the rest");
}

/// Holds these conversations, some at a time.
fn talk(seed: u64, conversations: std::ops::Range<u64>, ports: Ports) {
    let next = AtomicU64::new(conversations.start);
    thread::scope(|scope| {
        for _ in 0..TALKERS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= conversations.end {
                        return;
                    }
                    talk::converse(ports, mix(mix(seed).wrapping_add(number)));
                }
            });
        }
    });
}

/// An ordinary client that sends, and one that hears.
struct Pair {
    publisher: Wire,
    subscriber: Wire,
}

impl Pair {
    const TOPIC: &str = "ordinary";

    fn connect(port: u16) -> Self {
        let publisher = Wire::connect(port, "ordinary-publisher", Session::Clean);
        let mut subscriber = Wire::connect(port, "ordinary-subscriber", Session::Clean);
        subscriber.subscribe(Self::TOPIC, QoS::AtLeastOnce);
        Self { publisher, subscriber }
    }

    /// Sends one message after another while `noise` goes on. How many were heard, each at once
    /// and in order, and the longest that one took.
    fn during(&mut self, noise: impl FnOnce() + Send) -> (u64, Duration) {
        let over = AtomicBool::new(false);
        let (mut messages, mut delay) = (0, Duration::ZERO);
        thread::scope(|scope| {
            let noise = scope.spawn(|| {
                let outcome = catch_unwind(AssertUnwindSafe(noise));
                over.store(true, Ordering::Relaxed);
                outcome
            });
            while !over.load(Ordering::Relaxed) {
                delay = delay.max(self.send_one(messages));
                messages += 1;
                thread::sleep(PAUSE);
            }
            noise.join().unwrap().unwrap();
        });
        (messages, delay)
    }

    fn send_one(&mut self, number: u64) -> Duration {
        let started = Instant::now();
        let id = PacketId::MIN;
        let message =
            publish(Self::TOPIC, Delivery::AtLeastOnce(id), number.to_string().into_bytes());
        self.publisher.send(&Packet::Publish(message)).unwrap();
        let heard = match self.subscriber.receive().unwrap() {
            Packet::Publish(heard) => heard,
            other => panic!("no message: {other:?}"),
        };
        assert_eq!(heard.message.payload, number.to_string());
        let id = heard.delivery.packet_id().expect("of QoS 1");
        self.subscriber.send(&Packet::PubAck(success(id))).unwrap();
        assert_eq!(self.publisher.receive().unwrap(), Packet::PubAck(success(PacketId::MIN)));
        started.elapsed()
    }
}

/// One that reads `$SYS`.
struct Looker {
    wire: Wire,
    told: BTreeMap<String, String>,
}

impl Looker {
    /// What is left of clients.
    const LEFT: [&str; 5] = [
        "maison/connections/count",
        "clients/total",
        "subscriptions/count",
        "maison/queues/messages",
        "messages/inflight",
    ];

    fn connect(port: u16) -> Self {
        let mut wire = Wire::connect(port, "looker", Session::Clean);
        wire.subscribe("$SYS/broker/#", QoS::AtMostOnce);
        Self { wire, told: BTreeMap::new() }
    }

    /// What is left once nothing changes any more.
    fn at_rest(&mut self) -> Vec<String> {
        const QUIET: Duration = Duration::from_millis(2500);
        let (mut last, mut since) = (Vec::new(), Instant::now());
        while since.elapsed() < QUIET {
            let Packet::Publish(told) = self.wire.receive().unwrap() else { continue };
            let text = String::from_utf8(told.message.payload.to_vec()).unwrap();
            let name = told.message.topic.as_str().trim_start_matches("$SYS/broker/").to_owned();
            self.told.insert(name, text);
            let told = |name: &&str| self.told.get(*name).cloned().unwrap_or_default();
            let left: Vec<_> = Self::LEFT.iter().map(told).collect();
            if left != last {
                (last, since) = (left, Instant::now());
            }
        }
        last
    }
}
