//! What a broker takes of memory: at rest, and for each connection that says nothing.

use anyhow::Result;

use crate::broker::Broker;
use crate::client::Client;
use crate::report::Figure;

/// Memory at rest, and what each of so many connections adds.
pub fn connections(broker: &Broker, count: usize) -> Result<Vec<Figure>> {
    let dial = broker.dial()?;
    let before = broker.memory()?;
    let cpu = broker.processor_time()?;
    let mut clients = Vec::new();
    for index in 0..count {
        let name = format!("idle-{index}");
        clients.push(Client::connect(broker.address, &dial, &name)?);
    }
    let many = count as f64;
    Ok(vec![
        Figure::new("at rest, MiB", before / 1024.0),
        Figure::new("each, KiB", (broker.memory()? - before) / many),
        Figure::new("CPU to come, µs", (broker.processor_time()? - cpu) / many * 1e6),
    ])
}
