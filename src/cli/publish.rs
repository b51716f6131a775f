//! `maison pub`: gives a broker one message and waits until it has it.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use rumqttc::{AsyncClient, Event, EventLoop, Outgoing, Packet};

use super::exit;
use super::remote::{self, Quality, Remote};

const REQUESTS_MAX: usize = 4;

/// Publish one message
#[derive(Args, Debug)]
pub struct Arguments {
    /// Where
    topic: String,
    /// What; with neither this nor `--file`, standard input
    #[arg(conflicts_with = "file")]
    payload: Option<String>,
    /// The payload is the content of this file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
    /// Quality of service
    #[arg(long, value_enum, default_value = "1")]
    qos: Quality,
    /// The broker keeps the message for those who come later; an empty payload clears it
    #[arg(long)]
    retain: bool,
    /// Longest time to wait for the broker
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    within: Duration,
}

/// Publishes, and returns when the broker has acknowledged.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    if !rumqttc::valid_topic(&arguments.topic) || arguments.topic.is_empty() {
        bail!("no topic to publish to: `{}`\n  hint: wildcards are for `sub`", arguments.topic);
    }
    let payload = payload(arguments)?;
    let (client, events) = AsyncClient::new(arguments.remote.options("pub")?, REQUESTS_MAX);
    client.try_publish(&arguments.topic, arguments.qos.into(), arguments.retain, payload)?;
    super::block_on(async {
        if let Ok(code) = tokio::time::timeout(arguments.within, deliver(client, events)).await {
            return Ok(code);
        }
        super::complain(format_args!("no acknowledgement within {:?}", arguments.within));
        Ok(exit::code(exit::UNAVAILABLE))
    })
}

fn payload(arguments: &Arguments) -> Result<Vec<u8>> {
    if let Some(text) = &arguments.payload {
        return Ok(text.clone().into_bytes());
    }
    if let Some(path) = &arguments.file {
        return std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()));
    }
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes).context("cannot read standard input")?;
    Ok(bytes)
}

/// Drives the connection until the message is acknowledged (QoS 0: written) and the farewell sent.
async fn deliver(client: AsyncClient, mut events: EventLoop) -> ExitCode {
    loop {
        match events.poll().await {
            Ok(
                Event::Incoming(Packet::PubAck(_) | Packet::PubComp(_))
                | Event::Outgoing(Outgoing::Publish(0)),
            ) => {
                if client.try_disconnect().is_err() {
                    return exit::code(exit::UNAVAILABLE);
                }
            }
            Ok(Event::Outgoing(Outgoing::Disconnect)) => return ExitCode::SUCCESS,
            Ok(Event::Incoming(_) | Event::Outgoing(_)) => {}
            Err(error) => {
                let (message, code) = remote::explain(&error);
                super::complain(message);
                return exit::code(code);
            }
        }
    }
}
