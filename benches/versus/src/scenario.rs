//! What is measured.

use anyhow::Result;

use crate::broker::{Broker, Kind, Transport};
use crate::load::{Bench, Load, Outcome, Shape};
use crate::report::Figure;
use crate::resting;

/// Messages of the first run, from which the number of the measured ones follows.
const TRIAL: u64 = 4000;

pub struct Scenario {
    pub name: &'static str,
    pub transport: Transport,
    work: Work,
}

enum Work {
    Messages(Load),
    Idle(usize),
}

const LOAD: Load = Load {
    shape: Shape::All,
    publishers: 1,
    subscribers: 1,
    qos: 0,
    payload: 64,
    window: 1000,
    pace: None,
};

const fn messages(name: &'static str, load: Load) -> Scenario {
    Scenario { name, transport: Transport::Tcp, work: Work::Messages(load) }
}

/// mosquitto lets 20 of QoS 1 and 2 be under way to a client, and loses beyond.
pub const SCENARIOS: &[Scenario] = &[
    messages("1 to 1, QoS 0", LOAD),
    messages("1 to 1, QoS 1", Load { qos: 1, window: 20, ..LOAD }),
    messages("1 to 1, QoS 1, window 200", Load { qos: 1, window: 200, ..LOAD }),
    messages("1 to 1, QoS 2", Load { qos: 2, window: 20, ..LOAD }),
    messages("1 to 50, QoS 0", Load { subscribers: 50, window: 100, ..LOAD }),
    messages("1 to 50, QoS 1", Load { subscribers: 50, qos: 1, window: 20, ..LOAD }),
    messages("1 to 50, QoS 2", Load { subscribers: 50, qos: 2, window: 20, ..LOAD }),
    messages("20 to 1, QoS 0", Load { publishers: 20, window: 50, ..LOAD }),
    messages("20 to 1, QoS 1", Load { publishers: 20, qos: 1, window: 20, ..LOAD }),
    messages("20 to 1, QoS 2", Load { publishers: 20, qos: 2, window: 20, ..LOAD }),
    messages("20 pairs, QoS 0", PAIRS),
    messages("20 pairs, QoS 1", Load { qos: 1, window: 20, ..PAIRS }),
    messages("20 pairs, QoS 2", Load { qos: 2, window: 20, ..PAIRS }),
    messages("1,000 a second", Load { pace: Some(1000), ..LOAD }),
    messages("10,000 a second", Load { pace: Some(10_000), ..LOAD }),
    messages("1 to 1, 1 KiB", Load { payload: 1024, ..LOAD }),
    messages("1 to 1, 64 KiB", Load { payload: 64 * 1024, window: 20, ..LOAD }),
    messages("1 to 1, 10 MiB", Load { payload: 10 * 1024 * 1024, window: 2, ..LOAD }),
    Scenario { name: "TLS, 1 to 1, QoS 0", transport: Transport::Tls, work: Work::Messages(LOAD) },
    Scenario {
        name: "TLS, 1 to 1, QoS 1",
        transport: Transport::Tls,
        work: Work::Messages(Load { qos: 1, window: 20, ..LOAD }),
    },
    Scenario { name: "5,000 idle", transport: Transport::Tcp, work: Work::Idle(5000) },
    Scenario { name: "TLS, 1,000 idle", transport: Transport::Tls, work: Work::Idle(1000) },
];

const PAIRS: Load =
    Load { shape: Shape::Pairs, publishers: 20, subscribers: 20, window: 50, ..LOAD };

impl Scenario {
    /// Whether the broker can take it.
    pub fn suits(&self, kind: Kind) -> bool {
        // rumqttd takes 16 MiB, and does not survive them.
        kind != Kind::Rumqttd || !self.name.contains("MiB")
    }

    /// Runs it for about so long.
    pub fn run(&self, broker: &Broker, seconds: f64) -> Result<Vec<Figure>> {
        let load = match self.work {
            Work::Messages(load) => load,
            Work::Idle(count) => return resting::connections(broker, self.transport, count),
        };
        let mut bench = Bench::prepare(load, broker, self.transport)?;
        let count = match load.pace {
            Some(pace) => (f64::from(pace) * seconds) as u64,
            None => {
                let trial = TRIAL.min(TRIAL * 4096 / u64::try_from(load.payload.max(64))?).max(4);
                let first = bench.run(trial, broker)?;
                let count = trial as f64 * seconds / first.seconds.max(1e-6);
                (count as u64).max(trial)
            }
        };
        Ok(figures(&bench.run(count, broker)?, load.pace.is_some()))
    }
}

fn figures(outcome: &Outcome, is_paced: bool) -> Vec<Figure> {
    let delivered = outcome.delivered as f64;
    let mut figures = vec![
        Figure::new("CPU each, µs", outcome.broker / delivered * 1e6),
        Figure::new("per second", delivered / outcome.seconds),
        Figure::new("generator each, µs", outcome.generator / delivered * 1e6),
    ];
    if is_paced {
        for (name, share) in [("p50, µs", 0.5), ("p99, µs", 0.99), ("p99.9, µs", 0.999)] {
            let at = (delivered * share) as usize;
            let latency = outcome.latencies.get(at).copied().unwrap_or(u32::MAX);
            figures.push(Figure::new(name, f64::from(latency)));
        }
    }
    figures
}
