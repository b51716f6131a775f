//! A status for people.

use std::fmt::{Display, Write};
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::BinaryBytes;

use crate::daemon::status::{Certificate, Client, Measured, Room, Status, Warning};

/// Clients that are shown; `--json` has more.
const CLIENTS_SHOWN: usize = 20;

/// Whether colours are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Style {
    Plain,
    Coloured,
}

impl Style {
    /// Colours only on a terminal, and not where `NO_COLOR` says no (<https://no-color.org>).
    pub(in crate::cli) fn of_output() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if std::io::stdout().is_terminal() && !refused { Self::Coloured } else { Self::Plain }
    }

    fn title(self, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Coloured => format!("\u{1b}[1m{text}\u{1b}[0m"),
        }
    }

    /// What asks for attention.
    pub(in crate::cli) fn alarm(self, text: String) -> String {
        match self {
            Self::Plain => text,
            Self::Coloured => format!("\u{1b}[31m{text}\u{1b}[0m"),
        }
    }
}

/// The whole of it, warnings first.
pub(super) fn of(status: &Status, style: Style) -> String {
    let mut text = head(status);
    let clock = if status.clock_set { "" } else { ", clock not set" };
    line(&mut text, format_args!("state folder {}{clock}", status.state_dir));
    section(&mut text, style, "warnings", status.warnings.iter().map(|it| warning(it, style)));
    section(&mut text, style, "rooms", rooms(&status.rooms, style));
    section(&mut text, style, "listeners", listeners(status));
    section(&mut text, style, "clients", clients(status));
    section(&mut text, style, "queues", queues(status));
    section(&mut text, style, "store", store(status));
    section(&mut text, style, "certificates", certificates(&status.certificates));
    text
}

fn head(status: &Status) -> String {
    let mut text = format!("maison {}, up {}", status.version, time(status.uptime_s));
    let _ = write!(text, ", process {}", status.pid);
    if let Some(resident) = status.resident_bytes {
        let _ = write!(text, ", {} of memory", BinaryBytes(resident));
    }
    text.push('\n');
    text
}

fn line(text: &mut String, content: impl Display) {
    // A string takes what is written to it.
    let _ = writeln!(text, "{content}");
}

/// A title and what is below it; nothing where nothing is.
fn section(text: &mut String, style: Style, title: &str, lines: impl IntoIterator<Item = String>) {
    let mut lines = lines.into_iter().peekable();
    if lines.peek().is_none() {
        return;
    }
    line(text, format_args!("\n{}", style.title(title)));
    lines.for_each(|content| line(text, format_args!("  {content}")));
}

fn warning(warning: &Warning, style: Style) -> String {
    let what = style.alarm(warning.what.clone());
    match &warning.hint {
        Some(hint) => format!("{what}\n    hint: {hint}"),
        None => what,
    }
}

/// Columns as wide as their widest cell; the last one as it is.
fn columns<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..N).map(|column| width(column).unwrap_or(0)).collect();
    let row = |cells: &[String; N]| {
        let cells = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(row).collect()
}

fn rooms(rooms: &[Room], style: Style) -> Vec<String> {
    let mut rows = Vec::new();
    let mut ails = Vec::new();
    if rooms.is_empty() {
        return vec!["none yet: `sudo maison scan --write` gives them".to_owned()];
    }
    for room in rooms {
        for (index, measured) in room.measured.iter().enumerate() {
            let slug = if index == 0 { room.slug.clone() } else { String::new() };
            ails.push(measured.quality != "ok");
            rows.push([
                slug,
                value(measured),
                measured.age_s.map_or("-".to_owned(), |age| format!("{} ago", time(age))),
                quality(measured),
                measured.sensor.clone(),
            ]);
        }
        if room.measured.is_empty() {
            ails.push(false);
            rows.push([&room.slug, "-", "-", "no sensor", ""].map(str::to_owned));
        }
    }
    let lines = columns(&rows).into_iter().zip(ails);
    lines.map(|(line, ails)| if ails { style.alarm(line) } else { line }).collect()
}

fn value(measured: &Measured) -> String {
    let decimals = usize::from(measured.decimals);
    let number = measured.value.map(|value| format!("{value:.decimals$} {}", measured.unit));
    number.unwrap_or_else(|| "-".to_owned())
}

fn quality(measured: &Measured) -> String {
    match (&*measured.quality, &measured.error) {
        ("ok", _) => "ok".to_owned(),
        (quality, None) => format!("{quality} since {}", measured.since),
        (quality, Some(error)) => format!("{quality}: {error} since {}", measured.since),
    }
}

fn listeners(status: &Status) -> Vec<String> {
    let rows = status.listeners.iter().map(|listener| {
        let carrier = match (listener.tls, listener.websocket) {
            (false, false) => "tcp",
            (true, false) => "tls",
            (false, true) => "ws",
            (true, true) => "wss",
        };
        let count = count(listener.clients, "client");
        [listener.address.clone(), carrier.to_owned(), listener.auth.clone(), count]
    });
    columns(&rows.collect::<Vec<_>>())
}

fn clients(status: &Status) -> Vec<String> {
    let clients = &status.clients;
    let mut lines = vec![format!(
        "{} connected ({} at most), {}, {} refused",
        clients.connected,
        clients.maximum,
        count(clients.sessions, "session"),
        count(usize::try_from(clients.refused).unwrap_or(usize::MAX), "login")
    )];
    let shown = clients.listed.iter().take(CLIENTS_SHOWN);
    lines.extend(columns(&shown.map(client).collect::<Vec<_>>()));
    let more = clients.sessions.saturating_sub(clients.listed.len().min(CLIENTS_SHOWN));
    lines.extend((more > 0).then(|| format!("and {more} more")));
    lines
}

fn client(client: &Client) -> [String; 4] {
    let user = client.user.clone().unwrap_or_else(|| "-".to_owned());
    let place = match (&client.address, client.silent_s) {
        (Some(address), Some(silent)) => format!("{address}, heard {} ago", time(silent)),
        _ => "away".to_owned(),
    };
    [client.id.clone(), user, place, format!("{} queued", client.queued)]
}

fn queues(status: &Status) -> Vec<String> {
    let queues = &status.queues;
    vec![
        format!(
            "{} waiting, {}; {} in flight",
            count(queues.messages, "message"),
            bytes(queues.bytes),
            queues.inflight
        ),
        format!(
            "{} dropped, {} expired, {} denied; {} retained, {}",
            queues.dropped,
            queues.expired,
            queues.denied,
            queues.retained,
            bytes(queues.retained_bytes)
        ),
    ]
}

fn store(status: &Status) -> Vec<String> {
    let Some(store) = &status.store else { return vec!["all is in memory".to_owned()] };
    let (file, written) = (BinaryBytes(store.file_bytes), BinaryBytes(store.bytes_written));
    vec![
        format!("{}, {file}", store.state),
        format!(
            "{written} written in {} syncs; {} commits, {} failed; {} changes spared, {} \
             messages refused",
            store.syncs, store.commits, store.failures, store.changes_spared, store.refused
        ),
    ]
}

fn certificates(certificates: &[Certificate]) -> Vec<String> {
    let rows: Vec<_> = certificates
        .iter()
        .map(|it| [it.of.clone(), format!("until {}", it.until), format!("{} days", it.days_left)])
        .collect();
    columns(&rows)
}

fn bytes(bytes: usize) -> String {
    BinaryBytes(u64::try_from(bytes).unwrap_or(u64::MAX)).to_string()
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// The two largest units of it.
fn time(seconds: u64) -> String {
    let text = humantime::format_duration(Duration::from_secs(seconds)).to_string();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
