//! `maison sub`: prints the messages of a broker.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use rumqttc::{AsyncClient, Event, EventLoop, Packet, Publish, SubscribeFilter};
use serde_json::json;

use super::exit;
use super::remote::{self, Quality, Remote};

const RETRY_AFTER: Duration = Duration::from_secs(2);
const REQUESTS_MAX: usize = 16;

/// Print messages as they arrive
#[derive(Args, Debug)]
pub struct Arguments {
    /// Topic filters; `+` is any level, `#` all below
    #[arg(default_value = "maison/#", value_name = "FILTER")]
    filters: Vec<String>,
    #[command(flatten)]
    remote: Remote,
    /// Highest quality of service wanted
    #[arg(long, value_enum, default_value = "1")]
    qos: Quality,
    /// Stop after this many messages
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Stop after this long, as in `10s`; exit code 1 if `--count` was not reached
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    within: Option<Duration>,
    /// Let the broker keep messages while this client is away (needs `--id`)
    #[arg(long)]
    keep: bool,
    /// Print payloads only
    #[arg(long, conflicts_with = "json")]
    payload: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Runs until told to stop.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    if let Some(filter) = arguments.filters.iter().find(|filter| !rumqttc::valid_filter(filter)) {
        bail!("not a topic filter: `{filter}`\n  hint: `+` is a whole level, `#` the last one");
    }
    if arguments.keep {
        remote::require_name(&arguments.remote, "--keep")?;
    }
    let mut options = arguments.remote.options("sub")?;
    options.set_clean_session(!arguments.keep);
    let (client, events) = AsyncClient::new(options, REQUESTS_MAX);
    super::block_on(async {
        let within = arguments.within.unwrap_or(Duration::MAX);
        tokio::select! {
            code = listen(arguments, client, events) => code,
            () = tokio::time::sleep(within) => {
                let missed = arguments.count.is_some();
                Ok(if missed { exit::code(exit::FAILED) } else { ExitCode::SUCCESS })
            }
            _ = tokio::signal::ctrl_c() => Ok(ExitCode::SUCCESS),
        }
    })
}

async fn listen(
    arguments: &Arguments,
    client: AsyncClient,
    mut events: EventLoop,
) -> Result<ExitCode> {
    let mut left = arguments.count.unwrap_or(u64::MAX);
    let mut was_connected = false;
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                was_connected = true;
                let quality = arguments.qos.into();
                let filters = arguments.filters.iter().cloned();
                let filters = filters.map(|path| SubscribeFilter { path, qos: quality });
                client.try_subscribe_many(filters)?;
            }
            Ok(Event::Incoming(Packet::SubAck(acknowledgement))) => {
                if let Some(refused) = refused(arguments, &acknowledgement) {
                    super::complain(format_args!("the broker refuses the filter: `{refused}`"));
                    return Ok(exit::code(exit::PERMISSION));
                }
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                match print(arguments, &publish) {
                    // Whoever read has seen enough: `maison sub | head`.
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => left = 1,
                    printed => printed?,
                }
                left = left.saturating_sub(1);
            }
            Ok(Event::Incoming(_) | Event::Outgoing(_)) => {}
            Err(error) if was_connected && left > 0 => {
                super::complain(format_args!("{error}; trying again"));
                tokio::time::sleep(RETRY_AFTER).await;
            }
            Err(error) => {
                let (message, code) = remote::explain(&error);
                super::complain(message);
                return Ok(exit::code(code));
            }
        }
        if left == 0 {
            finish(&client, &mut events).await;
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// The first filter that was not granted.
fn refused<'a>(arguments: &'a Arguments, answer: &rumqttc::SubAck) -> Option<&'a str> {
    let codes = answer.return_codes.iter();
    let refused =
        |code: &rumqttc::SubscribeReasonCode| matches!(code, rumqttc::SubscribeReasonCode::Failure);
    let mut answered = arguments.filters.iter().zip(codes);
    answered.find(|(_, code)| refused(code)).map(|(filter, _)| filter.as_str())
}

/// Lets the last acknowledgement and the DISCONNECT leave.
async fn finish(client: &AsyncClient, events: &mut EventLoop) {
    const FAREWELL: Duration = Duration::from_millis(500);
    if client.try_disconnect().is_err() {
        return;
    }
    let _ = tokio::time::timeout(FAREWELL, async { while events.poll().await.is_ok() {} }).await;
}

fn print(arguments: &Arguments, publish: &Publish) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if arguments.json {
        let line = json!({
            "topic": publish.topic,
            "payload": String::from_utf8_lossy(&publish.payload),
            "bytes": publish.payload.len(),
            "qos": level(publish.qos),
            "retain": publish.retain,
        });
        writeln!(out, "{line}")?;
    } else {
        if !arguments.payload {
            write!(out, "{} ", publish.topic)?;
        }
        out.write_all(&publish.payload)?;
        writeln!(out)?;
    }
    out.flush()
}

const fn level(quality: rumqttc::QoS) -> u8 {
    match quality {
        rumqttc::QoS::AtMostOnce => 0,
        rumqttc::QoS::AtLeastOnce => 1,
        rumqttc::QoS::ExactlyOnce => 2,
    }
}
