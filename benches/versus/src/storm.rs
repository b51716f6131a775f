//! Many who connect at the same time, as after a power cut.

use std::thread;
use std::time::Instant;

use anyhow::{Result, anyhow};

use crate::broker::Broker;
use crate::client::{Client, Session};
use crate::report::{Figure, share};
use crate::setup::{self, Login};

/// Who connect at the same time: each one after the other, and all stay.
const THREADS: usize = 16;

pub fn storm(broker: &Broker, login: Login, connections: usize) -> Result<Vec<Figure>> {
    let (began, cpu) = (Instant::now(), broker.processor_time()?);
    let came: Vec<Result<_>> = thread::scope(|scope| {
        let shares = (0..THREADS).map(|thread| {
            scope.spawn(move || connect(broker, login, (thread..connections).step_by(THREADS)))
        });
        let shares: Vec<_> = shares.collect();
        let join = |share: thread::ScopedJoinHandle<'_, _>| share.join();
        shares.into_iter().map(|it| join(it).unwrap_or(Err(anyhow!("a thread died")))).collect()
    });
    let (took, spent) = (began.elapsed().as_secs_f64(), broker.processor_time()? - cpu);
    let (mut times, mut clients) = (Vec::new(), Vec::new());
    for share in came {
        let (some_times, some_clients) = share?;
        times.extend(some_times);
        clients.extend(some_clients);
    }
    times.sort_by(f64::total_cmp);
    let many = connections as f64;
    Ok(vec![
        Figure::new("CPU each, µs", spent / many * 1e6),
        Figure::new("per second", many / took),
        Figure::new("p50, ms", share(&times, 0.5) * 1e3),
        Figure::new("p99, ms", share(&times, 0.99) * 1e3),
    ])
}

/// Seconds that each took.
fn connect(
    broker: &Broker,
    login: Login,
    numbers: impl Iterator<Item = usize>,
) -> Result<(Vec<f64>, Vec<Client>)> {
    let dial = broker.dial()?;
    let (mut times, mut clients) = (Vec::new(), Vec::new());
    for number in numbers {
        let began = Instant::now();
        let login = (login == Login::Password).then(|| setup::user(number));
        let name = format!("storm-{number}");
        clients.push(Client::enter(broker.address, &dial, &name, Session::Clean, login)?);
        times.push(began.elapsed().as_secs_f64());
    }
    Ok((times, clients))
}
