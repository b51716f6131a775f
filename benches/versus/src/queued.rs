//! Messages for a client that is away, and retained ones: stored, held, handed out.

use std::time::Instant;

use anyhow::Result;

use crate::broker::Broker;
use crate::client::{Client, Session};
use crate::collect::collect;
use crate::house::{LOAD, Load};
use crate::load::Bench;
use crate::report::Figure;

const RETAINED: u64 = 10_000;
const PAYLOAD: &[u8; 64] = &[b'x'; 64];

/// So many messages of QoS 1 for an absent session: stored by so many publishers, and drained.
pub fn queued(broker: &Broker, messages: u64, publishers: usize) -> Result<Vec<Figure>> {
    let mut figures = store(broker, messages, publishers)?;
    figures.extend(drain(broker, messages)?);
    Ok(figures)
}

pub fn store(broker: &Broker, messages: u64, publishers: usize) -> Result<Vec<Figure>> {
    away(broker)?.subscribe("house/#", 1)?;
    let before = broker.memory()?;
    let load = Load { publishers, subscribers: 0, qos: 1, window: 20, ..LOAD };
    let stored = Bench::prepare(load, broker)?.run(messages, broker)?;
    let many = messages as f64;
    Ok(vec![
        Figure::new("CPU each stored, µs", stored.broker / many * 1e6),
        Figure::new("stored per second", many / stored.seconds),
        Figure::new("memory each, KiB", (broker.memory()? - before) / many),
    ])
}

fn drain(broker: &Broker, messages: u64) -> Result<Vec<Figure>> {
    let (began, cpu) = (Instant::now(), broker.processor_time()?);
    collect(&mut away(broker)?, messages)?;
    let many = messages as f64;
    Ok(vec![
        Figure::new("CPU each drained, µs", (broker.processor_time()? - cpu) / many * 1e6),
        Figure::new("drained per second", many / began.elapsed().as_secs_f64()),
    ])
}

fn away(broker: &Broker) -> Result<Client> {
    Client::enter(broker.address, &broker.dial()?, "away", Session::Stays, None)
}

/// Retained messages of as many topics, and one who asks for all of them.
pub fn retained(broker: &Broker) -> Result<Vec<Figure>> {
    let mut publisher = Client::connect(broker.address, &broker.dial()?, "publisher")?;
    let (memory, cpu) = (broker.memory()?, broker.processor_time()?);
    for index in 0..RETAINED {
        publisher.retain(&format!("house/room-{index}/temperature"), PAYLOAD);
    }
    publisher.ping()?;
    let many = RETAINED as f64;
    let mut figures = vec![
        Figure::new("CPU each stored, µs", (broker.processor_time()? - cpu) / many * 1e6),
        Figure::new("memory each, KiB", (broker.memory()? - memory) / many),
    ];
    let mut subscriber = Client::connect(broker.address, &broker.dial()?, "subscriber")?;
    let (began, cpu) = (Instant::now(), broker.processor_time()?);
    subscriber.ask(&["house/#".to_owned()], 0);
    collect(&mut subscriber, RETAINED)?;
    figures.extend([
        Figure::new("CPU each, µs", (broker.processor_time()? - cpu) / many * 1e6),
        Figure::new("per second", many / began.elapsed().as_secs_f64()),
    ]);
    Ok(figures)
}
