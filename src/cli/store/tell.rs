//! Answers, for people and in JSON.

use std::fmt::Write;
use std::path::Path;

use indicatif::{DecimalBytes, HumanCount};
use serde_json::{Value, json};

use crate::access::Principal;
use crate::store::{Findings, LifeStats, SessionStats, Stats};

/// `12.35 MB`.
pub(super) fn bytes(bytes: u64) -> String {
    DecimalBytes(bytes).to_string()
}

fn count(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", HumanCount(number), if number == 1 { "" } else { "s" })
}

/// Faults and notes, on standard error.
pub(super) fn findings(findings: &Findings) {
    for note in &findings.notes {
        eprintln!("note: {note}");
    }
    damaged(&findings.faults);
}

/// What is damaged, on standard error.
pub(super) fn damaged(faults: &[String]) {
    for fault in faults {
        eprintln!("error: store is damaged: {fault}");
    }
    if !faults.is_empty() {
        eprintln!(
            "  hint: the next start of the gateway puts the file aside and saves what it can"
        );
    }
}

/// The same as an object.
pub(super) fn findings_json(findings: &Findings) -> Value {
    let Findings { faults, notes, contents } = findings;
    json!({
        "ok": faults.is_empty(),
        "faults": faults,
        "notes": notes,
        "sessions": contents.sessions,
        "subscriptions": contents.subscriptions,
        "messages": contents.messages,
        "retained": contents.retained,
    })
}

/// Sizes and sums, then a line for each session.
pub(super) fn stats(file: &Path, stats: &Stats) -> String {
    let of = |value: fn(&SessionStats) -> u64| stats.sessions.iter().map(value).sum::<u64>();
    let away = stats.sessions.iter().filter(|session| session.expires.is_some()).count();
    let large = format!("{}, {}", count(stats.payloads, "payload"), bytes(stats.payload_bytes));
    let queued = of(|session| session.queued);
    let rows = [
        ("file", format!("{}, {} unused", bytes(stats.file_bytes), bytes(stats.free_bytes))),
        ("log", bytes(stats.log_bytes)),
        ("sessions", format!("{}, {away} away", HumanCount(of(|_| 1)))),
        ("queued", format!("{}, {}", count(queued, "message"), bytes(of(|it| it.queued_bytes)))),
        ("in flight", HumanCount(of(|session| session.in_flight)).to_string()),
        (
            "retained",
            format!("{}, {}", count(stats.retained, "message"), bytes(stats.retained_bytes)),
        ),
        ("large", large),
        ("lives", lives(&stats.lives)),
    ];
    let mut text = format!("{}\n", file.display());
    for (name, value) in rows {
        // A string takes what is written to it.
        let _ = writeln!(text, "  {name:<10} {value}");
    }
    if !stats.sessions.is_empty() {
        let head = ["client", "user", "queued", "bytes", "in flight", "subscriptions", "ends"];
        text.push('\n');
        text.push_str(&line(head.map(str::to_owned)));
        stats.sessions.iter().for_each(|session| text.push_str(&line(cells(session))));
    }
    text
}

fn lives(lives: &[LifeStats]) -> String {
    let number = u64::try_from(lives.len()).unwrap_or(u64::MAX);
    match lives.last().and_then(|life| life.seen) {
        Some(seen) => format!("{}, the last one seen {seen}", HumanCount(number)),
        None => HumanCount(number).to_string(),
    }
}

fn line([client, user, queued, bytes, in_flight, subscriptions, ends]: [String; 7]) -> String {
    format!(
        "  {client:<20} {user:<12} {queued:>12} {bytes:>10} {in_flight:>10} {subscriptions:>14}  \
         {ends}\n"
    )
}

fn cells(session: &SessionStats) -> [String; 7] {
    [
        // What a client calls itself is not to move the cursor.
        session.record.client_id.escape_debug().to_string(),
        name(&session.record.principal).escape_debug().to_string(),
        HumanCount(session.queued).to_string(),
        bytes(session.queued_bytes),
        HumanCount(session.in_flight).to_string(),
        HumanCount(session.subscriptions).to_string(),
        session.expires.map_or("–".to_owned(), |at| at.to_string()),
    ]
}

fn name(principal: &Principal) -> &str {
    match principal {
        Principal::Gateway => "(gateway)",
        Principal::Anonymous => "–",
        Principal::User(name) => name,
    }
}

/// The same as an object.
pub(super) fn stats_json(stats: &Stats) -> Value {
    let sessions: Vec<_> = stats.sessions.iter().map(session_json).collect();
    let lives: Vec<_> = stats.lives.iter().map(life_json).collect();
    json!({
        "file_bytes": stats.file_bytes,
        "free_bytes": stats.free_bytes,
        "log_bytes": stats.log_bytes,
        "retained": stats.retained,
        "retained_bytes": stats.retained_bytes,
        "large_payloads": stats.payloads,
        "large_payload_bytes": stats.payload_bytes,
        "damaged": stats.damaged,
        "sessions": sessions,
        "lives": lives,
    })
}

fn session_json(session: &SessionStats) -> Value {
    let user = match &session.record.principal {
        Principal::User(name) => Some(&**name),
        Principal::Gateway | Principal::Anonymous => None,
    };
    json!({
        "session": session.record.id.0,
        "client_id": &*session.record.client_id,
        "user": user,
        "expires": session.expires.map(|at| at.to_string()),
        "subscriptions": session.subscriptions,
        "queued": session.queued,
        "queued_bytes": session.queued_bytes,
        "in_flight": session.in_flight,
        "released": session.released,
        "received": session.received,
        "will": session.record.will.is_some(),
    })
}

fn life_json(life: &LifeStats) -> Value {
    let LifeStats { number, seconds, seen } = *life;
    json!({ "life": number, "seconds": seconds, "seen": seen.map(|at| at.to_string()) })
}
