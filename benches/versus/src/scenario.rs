//! What is measured.

use std::path::Path;

use anyhow::{Context, Result};

use crate::broker::{Broker, Kind};
use crate::calls;
use crate::house::{LOAD, Load, Shape};
use crate::load::{Bench, Outcome};
use crate::queued;
use crate::report::{Figure, share};
use crate::resting;
use crate::setup::{Durability, Login, PLAIN, Setup, Transport};
use crate::storm;

/// Messages of the first run, from which the number of the measured ones follows.
const TRIAL: u64 = 4000;
/// For a client that is away.
const QUEUED: u64 = 20_000;

pub struct Scenario {
    pub name: &'static str,
    setup: Setup,
    work: Work,
}

enum Work {
    Messages(Load),
    Idle(usize),
    Storm(usize),
    Retained,
    /// Messages, and publishers.
    Queued(u64, usize),
}

/// Of QoS 2 no more than 20 are under way, since mosquitto loses beyond.
pub const SCENARIOS: &[Scenario] = &[
    messages("1 to 1, QoS 0", LOAD),
    messages("1 to 1, QoS 1", Load { qos: 1, window: 100, ..LOAD }),
    messages("1 to 1, QoS 1, window 20", Load { qos: 1, window: 20, ..LOAD }),
    messages("1 to 1, QoS 2", Load { qos: 2, window: 20, ..LOAD }),
    messages("1 to 50, QoS 0", Load { subscribers: 50, window: 100, ..LOAD }),
    messages("1 to 50, QoS 1", Load { subscribers: 50, qos: 1, window: 100, ..LOAD }),
    messages("1 to 50, QoS 2", Load { subscribers: 50, qos: 2, window: 20, ..LOAD }),
    messages("20 to 1, QoS 0", Load { publishers: 20, window: 50, ..LOAD }),
    messages("20 to 1, QoS 1", Load { publishers: 20, qos: 1, window: 100, ..LOAD }),
    messages("20 to 1, QoS 2", Load { publishers: 20, qos: 2, window: 20, ..LOAD }),
    messages("20 pairs, QoS 0", PAIRS),
    messages("20 pairs, QoS 1", Load { qos: 1, window: 100, ..PAIRS }),
    messages("20 pairs, QoS 2", Load { qos: 2, window: 20, ..PAIRS }),
    messages("1,000 wildcards, 10 match", WILDCARDS),
    messages("1,000 a second", Load { pace: Some(1000), ..LOAD }),
    messages("10,000 a second", Load { pace: Some(10_000), ..LOAD }),
    messages("1 to 1, 1 KiB", Load { payload: 1024, ..LOAD }),
    messages("1 to 1, 64 KiB", Load { payload: 64 * 1024, window: 20, ..LOAD }),
    messages("1 to 1, 10 MiB", Load { payload: 10 * 1024 * 1024, window: 2, ..LOAD }),
    messages_by("TLS, 1 to 1, QoS 0", Transport::Tls, LOAD),
    messages_by("TLS, 1 to 1, QoS 1", Transport::Tls, Load { qos: 1, window: 100, ..LOAD }),
    messages_by("WebSocket, 1 to 1, QoS 0", Transport::WebSocket, LOAD),
    messages_by(
        "WebSocket, 1 to 1, QoS 1",
        Transport::WebSocket,
        Load { qos: 1, window: 100, ..LOAD },
    ),
    Scenario { name: "5,000 idle", setup: PLAIN, work: Work::Idle(5000) },
    Scenario { name: "TLS, 1,000 idle", setup: by(Transport::Tls), work: Work::Idle(1000) },
    Scenario { name: "storm of 1,000, TLS", setup: by(Transport::Tls), work: Work::Storm(1000) },
    Scenario { name: "storm of 1,000, password", setup: PASSWORD, work: Work::Storm(1000) },
    Scenario { name: "10,000 retained", setup: PLAIN, work: Work::Retained },
    queued("queued by 1, power-cut", Durability::PowerCut, 1),
    queued("queued by 1, crash", Durability::Crash, 1),
    queued("queued by 1, memory", Durability::Memory, 1),
    queued("queued by 100, power-cut", Durability::PowerCut, 100),
    queued("queued by 100, crash", Durability::Crash, 100),
    queued("queued by 100, memory", Durability::Memory, 100),
    queued("queued by 100, strictest", Durability::Strict, 100),
];

const PAIRS: Load =
    Load { shape: Shape::Pairs, publishers: 20, subscribers: 20, window: 50, ..LOAD };
const WILDCARDS: Load =
    Load { shape: Shape::Some(10), subscribers: 1000, topics: 100, window: 100, ..LOAD };
const PASSWORD: Setup = Setup { login: Login::Password, ..PLAIN };

const fn messages(name: &'static str, load: Load) -> Scenario {
    messages_by(name, Transport::Tcp, load)
}

const fn messages_by(name: &'static str, transport: Transport, load: Load) -> Scenario {
    Scenario { name, setup: by(transport), work: Work::Messages(load) }
}

const fn by(transport: Transport) -> Setup {
    Setup { transport, ..PLAIN }
}

const fn queued(name: &'static str, durability: Durability, publishers: usize) -> Scenario {
    Scenario { name, setup: Setup { durability, ..PLAIN }, work: Work::Queued(QUEUED, publishers) }
}

impl Scenario {
    /// Whether the broker can take it.
    pub fn suits(&self, kind: Kind) -> bool {
        // rumqttd takes 16 MiB, and does not survive them; of 10,000 retained messages it hands out
        // 200; its WebSocket is left out of the build.
        kind != Kind::Rumqttd
            || !(self.name.contains("MiB")
                || matches!(self.work, Work::Retained)
                || self.setup.transport == Transport::WebSocket)
    }

    /// Runs it for about so long.
    pub fn run(&self, kind: Kind, maison: &Path, seconds: f64) -> Result<Vec<Figure>> {
        let broker = Broker::start(kind, &self.setup, maison)?;
        let figures = match self.work {
            Work::Messages(load) => deliver(load, &broker, seconds),
            Work::Idle(count) => resting::connections(&broker, count),
            Work::Storm(count) => storm::storm(&broker, self.setup.login, count),
            Work::Retained => queued::retained(&broker),
            Work::Queued(messages, publishers) => queued::queued(&broker, messages, publishers),
        };
        figures.with_context(|| format!("{}: {}", self.name, kind.name()))
    }
}

fn deliver(load: Load, broker: &Broker, seconds: f64) -> Result<Vec<Figure>> {
    let mut bench = Bench::prepare(load, broker)?;
    let (outcome, count) = measure(&mut bench, load, broker, seconds)?;
    let mut figures = figures(&outcome, load.pace.is_some());
    let some = (count / 8).max(4);
    if let Some((calls, counted)) = calls::count(broker.id(), || bench.run(some, broker))? {
        figures.push(Figure::new("system calls each", calls / counted.messages as f64));
    }
    Ok(figures)
}

/// For about so long; and how many messages that were.
pub fn measure(
    bench: &mut Bench,
    load: Load,
    broker: &Broker,
    seconds: f64,
) -> Result<(Outcome, u64)> {
    let count = match load.pace {
        Some(pace) => (f64::from(pace) * seconds) as u64,
        None => {
            let copies = load.copies().max(1);
            let payload = u64::try_from(load.payload.max(64))?;
            let trial = (TRIAL / copies).min(TRIAL * 4096 / payload).max(4);
            let first = bench.run(trial, broker)?;
            let count = trial as f64 * seconds / first.seconds.max(1e-6);
            (count as u64).max(trial)
        }
    };
    Ok((bench.run(count, broker)?, count))
}

fn figures(outcome: &Outcome, is_paced: bool) -> Vec<Figure> {
    let delivered = outcome.messages as f64;
    let mut figures = vec![
        Figure::new("CPU each, µs", outcome.broker / delivered * 1e6),
        Figure::new("per second", delivered / outcome.seconds),
        Figure::new("generator each, µs", outcome.generator / delivered * 1e6),
    ];
    if is_paced {
        for (name, part) in [("p50, µs", 0.5), ("p99, µs", 0.99), ("p99.9, µs", 0.999)] {
            figures.push(Figure::new(name, share(&outcome.latencies, part).into()));
        }
    }
    figures
}
