//! What the broker counts, below `$SYS/broker`: with mosquitto's names where the meaning is the
//! same, the rest below `maison/`. Retained, QoS 0, and only what has changed is published again.
//!
//! Two meanings to know: `heap/…` is the memory of the process that is in RAM (its peak, the
//! maximum), since Rust's allocator keeps no books; `store/messages/bytes` counts topics and
//! bookkeeping too, as the bounds of queues and retained messages do. Left out is the `timestamp`
//! of mosquitto's build, which Debian's does not tell either.

use crate::mqtt::{QoS, TopicName};
use crate::time::Tick;

use super::Publication;
use super::average::{SPANS, damped, per_minute};
use super::retained::{named, retained};
use super::store::{self, Store};

/// What was counted, at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Transports that are open, logged in or not.
    pub connections: u64,
    /// Transports that were opened.
    pub sockets: u64,
    /// CONNECT packets.
    pub connects: u64,
    /// Sessions, with or without a connection.
    pub sessions: u64,
    /// Sessions whose client did not come back in time.
    pub sessions_expired: u64,
    /// Sessions given up because there were too many.
    pub sessions_discarded: u64,
    /// Clients that are connected.
    pub clients_connected: u64,
    /// Most clients that were connected at a time.
    pub clients_maximum: u64,
    /// Subscriptions, shared ones included.
    pub subscriptions: u64,
    /// Shared subscriptions.
    pub shared_subscriptions: u64,
    /// Packets of any kind from clients.
    pub packets_received: u64,
    /// Packets of any kind to clients.
    pub packets_sent: u64,
    /// PUBLISH packets from clients.
    pub publish_received: u64,
    /// PUBLISH packets to clients.
    pub publish_sent: u64,
    /// Messages that full queues lost.
    pub publish_dropped: u64,
    /// Payload bytes of PUBLISH packets from clients.
    pub payload_bytes_received: u64,
    /// Payload bytes of PUBLISH packets to clients.
    pub payload_bytes_sent: u64,
    /// Bytes from the network.
    pub bytes_received: u64,
    /// Bytes to the network.
    pub bytes_sent: u64,
    /// Messages of QoS 1 and 2 sent and not yet acknowledged.
    pub inflight: u64,
    /// Messages waiting in queues.
    pub queued: u64,
    /// Those of them that are in memory.
    pub queued_in_memory: u64,
    /// Bytes of those.
    pub queued_bytes: u64,
    /// Retained messages.
    pub retained: u64,
    /// Bytes of those.
    pub retained_bytes: u64,
    /// Messages that the gateway published.
    pub own: u64,
    /// Messages that expired in a queue.
    pub expired: u64,
    /// Publications and subscriptions that the rights denied.
    pub denied: u64,
    /// Memory of the process, where it can be known.
    pub memory: Option<Memory>,
    /// The store, where there is one.
    pub store: Option<Store>,
}

/// Bytes of the process that are in the machine's RAM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Now.
    pub resident: u64,
    /// At most since the start.
    pub peak: u64,
}

/// A number of [`Counts`]; `None`: unknown.
type Number = fn(&Counts) -> Option<u64>;

/// A number of [`Counts`] that only grows.
type Counter = fn(&Counts) -> u64;

/// What is told as it is.
const NUMBERS: &[(&str, Number)] = &[
    ("clients/total", |counts| Some(counts.sessions)),
    ("clients/connected", |counts| Some(counts.clients_connected)),
    ("clients/disconnected", |counts| counts.sessions.checked_sub(counts.clients_connected)),
    // Older names of the two above, which dashboards still ask for.
    ("clients/active", |counts| Some(counts.clients_connected)),
    ("clients/inactive", |counts| counts.sessions.checked_sub(counts.clients_connected)),
    ("clients/maximum", |counts| Some(counts.clients_maximum)),
    ("clients/expired", |counts| Some(counts.sessions_expired)),
    ("messages/received", |counts| Some(counts.packets_received)),
    ("messages/sent", |counts| Some(counts.packets_sent)),
    ("messages/stored", stored),
    ("messages/inflight", |counts| Some(counts.inflight)),
    ("store/messages/count", stored),
    ("store/messages/bytes", |counts| counts.queued_bytes.checked_add(counts.retained_bytes)),
    ("publish/messages/received", |counts| Some(counts.publish_received)),
    ("publish/messages/sent", |counts| Some(counts.publish_sent)),
    ("publish/messages/dropped", |counts| Some(counts.publish_dropped)),
    ("publish/bytes/received", |counts| Some(counts.payload_bytes_received)),
    ("publish/bytes/sent", |counts| Some(counts.payload_bytes_sent)),
    ("bytes/received", |counts| Some(counts.bytes_received)),
    ("bytes/sent", |counts| Some(counts.bytes_sent)),
    ("retained messages/count", |counts| Some(counts.retained)),
    ("subscriptions/count", |counts| Some(counts.subscriptions)),
    ("shared_subscriptions/count", |counts| Some(counts.shared_subscriptions)),
    ("heap/current", |counts| Some(counts.memory?.resident)),
    ("heap/maximum", |counts| Some(counts.memory?.peak)),
    ("maison/connections/count", |counts| Some(counts.connections)),
    ("maison/sessions/discarded", |counts| Some(counts.sessions_discarded)),
    ("maison/messages/own", |counts| Some(counts.own)),
    ("maison/messages/expired", |counts| Some(counts.expired)),
    ("maison/denied/count", |counts| Some(counts.denied)),
    ("maison/queues/messages", |counts| Some(counts.queued)),
    ("maison/queues/memory", |counts| Some(counts.queued_in_memory)),
    ("maison/queues/bytes", |counts| Some(counts.queued_bytes)),
    ("maison/retained/bytes", |counts| Some(counts.retained_bytes)),
];

/// What is told as averages per minute.
const LOADS: &[(&str, Counter)] = &[
    ("messages/received", |counts| counts.packets_received),
    ("messages/sent", |counts| counts.packets_sent),
    ("publish/received", |counts| counts.publish_received),
    ("publish/sent", |counts| counts.publish_sent),
    ("publish/dropped", |counts| counts.publish_dropped),
    ("bytes/received", |counts| counts.bytes_received),
    ("bytes/sent", |counts| counts.bytes_sent),
    ("sockets", |counts| counts.sockets),
    ("connections", |counts| counts.connects),
];

fn stored(counts: &Counts) -> Option<u64> {
    counts.queued.checked_add(counts.retained)
}

/// The tree below `$SYS/broker`, as its subscribers see it.
#[derive(Debug)]
pub struct System {
    started: Tick,
    earlier: Option<(Tick, Counts)>,
    version: Leaf,
    uptime: Leaf,
    numbers: Vec<(Leaf, Number)>,
    store: Leaf,
    store_numbers: Vec<(Leaf, store::Number)>,
    loads: Vec<(Counter, [Average; 3])>,
}

/// A topic, and what it tells.
#[derive(Debug)]
struct Leaf {
    topic: TopicName,
    told: String,
}

#[derive(Debug)]
struct Average {
    leaf: Leaf,
    value: f64,
}

impl System {
    /// Of a gateway that starts now; nothing was told yet.
    pub fn new(now: Tick) -> Self {
        let average = |base: &str, span: &str| Average {
            leaf: Leaf::new(&format!("load/{base}/{span}")),
            value: 0.0,
        };
        let load =
            |(base, count): &(&str, Counter)| (*count, SPANS.map(|(span, _)| average(base, span)));
        let of_store = |(name, number): &(&str, store::Number)| {
            (Leaf::new(&format!("maison/store/{name}")), *number)
        };
        Self {
            started: now,
            earlier: None,
            version: Leaf::new("version"),
            uptime: Leaf::new("uptime"),
            numbers: NUMBERS.iter().map(|(name, number)| (Leaf::new(name), *number)).collect(),
            store: Leaf::new("maison/store/state"),
            store_numbers: store::NUMBERS.iter().map(of_store).collect(),
            loads: LOADS.iter().map(load).collect(),
        }
    }

    /// What has changed since the last call; everything at the first.
    pub fn tell(&mut self, now: Tick, counts: &Counts) -> Vec<Publication> {
        self.average(now, counts);
        let mut news = vec![
            self.version.tell(concat!("maison version ", env!("CARGO_PKG_VERSION")).to_owned()),
            self.uptime.tell(format!("{} seconds", now.since(self.started).as_secs())),
        ];
        for (leaf, number) in &mut self.numbers {
            news.push(number(counts).and_then(|number| leaf.tell(number.to_string())));
        }
        if let Some(store) = &counts.store {
            news.push(self.store.tell(store.state.to_owned()));
            for (leaf, number) in &mut self.store_numbers {
                news.push(leaf.tell(number(store).to_string()));
            }
        }
        let averages = self.loads.iter_mut().flat_map(|(_, averages)| averages);
        news.extend(averages.map(|Average { leaf, value }| leaf.tell(format!("{value:.2}"))));
        news.into_iter().flatten().collect()
    }

    /// Moves the averages on. The first counts are where they start from.
    fn average(&mut self, now: Tick, counts: &Counts) {
        let Some((then, before)) = self.earlier.replace((now, *counts)) else { return };
        let elapsed = now.since(then);
        if elapsed.is_zero() {
            self.earlier = Some((then, before));
            return;
        }
        for (count, averages) in &mut self.loads {
            let rate = per_minute(count(counts).saturating_sub(count(&before)), elapsed);
            for (average, (_, span)) in averages.iter_mut().zip(SPANS) {
                average.value = damped(average.value, rate, elapsed, span);
            }
        }
    }
}

impl Leaf {
    fn new(name: &str) -> Self {
        Self { topic: named(&format!("$SYS/broker/{name}")), told: String::new() }
    }

    /// Tells it, if it was not what was told last.
    fn tell(&mut self, text: String) -> Option<Publication> {
        if self.told == text {
            return None;
        }
        self.told.clone_from(&text);
        Some(retained(self.topic.clone(), QoS::AtMostOnce, text, None))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> Tick {
        Tick::ZERO.after(Duration::from_secs(seconds))
    }

    /// What was published, by the name below `$SYS/broker`.
    fn told(publications: &[Publication]) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for Publication { message, qos, retained_for } in publications {
            assert_eq!((*qos, *retained_for), (QoS::AtMostOnce, None));
            let name = message.topic.as_str().strip_prefix("$SYS/broker/").unwrap().to_owned();
            let text = String::from_utf8(message.payload.to_vec()).unwrap();
            assert_eq!(all.insert(name, text), None, "a topic is told once");
        }
        all
    }

    /// Numbers that differ from each other.
    const COUNTS: Counts = Counts {
        connections: 1,
        sockets: 2,
        connects: 3,
        sessions: 40,
        sessions_expired: 5,
        sessions_discarded: 6,
        clients_connected: 7,
        clients_maximum: 8,
        subscriptions: 9,
        shared_subscriptions: 10,
        packets_received: 11,
        packets_sent: 12,
        publish_received: 13,
        publish_sent: 14,
        publish_dropped: 15,
        payload_bytes_received: 16,
        payload_bytes_sent: 17,
        bytes_received: 18,
        bytes_sent: 19,
        inflight: 20,
        queued: 100,
        queued_in_memory: 60,
        queued_bytes: 2000,
        retained: 200,
        retained_bytes: 4000,
        own: 21,
        expired: 22,
        denied: 23,
        memory: Some(Memory { resident: 24, peak: 25 }),
        store: Some(Store {
            state: "ok",
            bytes_written: 26,
            syncs: 27,
            commits: 10,
            failures: 2,
            commit_max: Duration::from_micros(900),
            commit_total: Duration::from_micros(1200),
            changes_noted: 28,
            changes_spared: 29,
            changes_waiting: 30,
            answers_waiting: 31,
            refused: 32,
            queued: 33,
            damaged: 34,
            file_bytes: 35,
            free_bytes: 36,
            log_bytes: 37,
        }),
    };

    const TOLD: &[(&str, &str)] = &[
        ("version", concat!("maison version ", env!("CARGO_PKG_VERSION"))),
        ("uptime", "0 seconds"),
        ("clients/total", "40"),
        ("clients/connected", "7"),
        ("clients/disconnected", "33"),
        ("clients/active", "7"),
        ("clients/inactive", "33"),
        ("clients/maximum", "8"),
        ("clients/expired", "5"),
        ("messages/received", "11"),
        ("messages/sent", "12"),
        ("messages/stored", "300"),
        ("messages/inflight", "20"),
        ("store/messages/count", "300"),
        ("store/messages/bytes", "6000"),
        ("publish/messages/received", "13"),
        ("publish/messages/sent", "14"),
        ("publish/messages/dropped", "15"),
        ("publish/bytes/received", "16"),
        ("publish/bytes/sent", "17"),
        ("bytes/received", "18"),
        ("bytes/sent", "19"),
        ("retained messages/count", "200"),
        ("subscriptions/count", "9"),
        ("shared_subscriptions/count", "10"),
        ("heap/current", "24"),
        ("heap/maximum", "25"),
        ("maison/connections/count", "1"),
        ("maison/sessions/discarded", "6"),
        ("maison/messages/own", "21"),
        ("maison/messages/expired", "22"),
        ("maison/denied/count", "23"),
        ("maison/queues/messages", "100"),
        ("maison/queues/memory", "60"),
        ("maison/queues/bytes", "2000"),
        ("maison/retained/bytes", "4000"),
        ("maison/store/state", "ok"),
        ("maison/store/bytes/written", "26"),
        ("maison/store/bytes/file", "35"),
        ("maison/store/bytes/free", "36"),
        ("maison/store/bytes/log", "37"),
        ("maison/store/syncs/count", "27"),
        ("maison/store/commits/count", "10"),
        ("maison/store/commits/failed", "2"),
        ("maison/store/commits/mean_us", "100"),
        ("maison/store/commits/max_us", "900"),
        ("maison/store/changes/noted", "28"),
        ("maison/store/changes/spared", "29"),
        ("maison/store/changes/waiting", "30"),
        ("maison/store/answers/waiting", "31"),
        ("maison/store/messages/refused", "32"),
        ("maison/store/messages/queued", "33"),
        ("maison/store/messages/damaged", "34"),
    ];

    #[test]
    fn everything_is_told_at_first_under_its_name() {
        let mut expected: BTreeMap<String, String> =
            TOLD.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let loads = ["messages", "publish", "bytes"]
            .iter()
            .flat_map(|base| ["received", "sent"].map(|way| format!("{base}/{way}")))
            .chain(["publish/dropped", "sockets", "connections"].map(str::to_owned));
        for load in loads {
            for span in ["1min", "5min", "15min"] {
                expected.insert(format!("load/{load}/{span}"), "0.00".to_owned());
            }
        }
        assert_eq!(told(&System::new(at(0)).tell(at(0), &COUNTS)), expected);
    }

    #[test]
    fn only_what_has_changed_is_told_again() {
        let mut system = System::new(at(5));
        system.tell(at(5), &COUNTS);
        assert_eq!(told(&system.tell(at(5), &COUNTS)), BTreeMap::new());
        let later = told(&system.tell(at(15), &COUNTS));
        assert_eq!(later.into_iter().collect::<Vec<_>>(), [("uptime".into(), "10 seconds".into())]);
        let counts = Counts { clients_connected: 8, ..COUNTS };
        let names: Vec<_> = told(&system.tell(at(15), &counts)).into_keys().collect();
        let parts = ["active", "connected", "disconnected", "inactive"];
        assert_eq!(names, parts.map(|part| format!("clients/{part}")));
    }

    #[test]
    fn what_is_not_there_is_not_told() {
        let counts = Counts { memory: None, store: None, ..COUNTS };
        let all = told(&System::new(at(0)).tell(at(0), &counts));
        let absent = |name: &&String| name.starts_with("heap") || name.contains("/store/");
        assert_eq!(all.keys().find(absent), None);
    }

    /// Each load is of its own counter, and starts from what was counted at first.
    #[test]
    fn loads_are_averages_per_minute_of_what_came_since() {
        let mut system = System::new(at(0));
        system.tell(at(0), &COUNTS);
        let counts = Counts {
            packets_received: COUNTS.packets_received + 10,
            packets_sent: COUNTS.packets_sent + 20,
            publish_received: COUNTS.publish_received + 30,
            publish_sent: COUNTS.publish_sent + 40,
            publish_dropped: COUNTS.publish_dropped + 50,
            bytes_received: COUNTS.bytes_received + 60,
            bytes_sent: COUNTS.bytes_sent + 70,
            sockets: COUNTS.sockets + 80,
            connects: COUNTS.connects + 90,
            ..COUNTS
        };
        let all = told(&system.tell(at(10), &counts));
        let of = |name: &str| all.get(&format!("load/{name}")).map(String::as_str);
        let expected = [
            ("messages/received/1min", "9.21"),
            ("messages/received/5min", "1.97"),
            ("messages/received/15min", "0.66"),
            ("messages/sent/1min", "18.42"),
            ("publish/received/1min", "27.63"),
            ("publish/sent/1min", "36.84"),
            ("publish/dropped/1min", "46.06"),
            ("bytes/received/1min", "55.27"),
            ("bytes/sent/1min", "64.48"),
            ("sockets/1min", "73.69"),
            ("connections/1min", "82.90"),
        ];
        for (name, text) in expected {
            assert_eq!(of(name), Some(text), "{name}");
        }
    }
}
