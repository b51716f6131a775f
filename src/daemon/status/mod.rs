//! How a gateway is, for `maison status`: in JSON over the control socket, and printed by the
//! command line. Fields are only ever added.

mod survey;
mod warnings;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(super) use survey::{Survey, Trials};

/// How a gateway is at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// What asks for attention, the gravest first; empty where all is well.
    pub warnings: Vec<Warning>,
    /// Of the program that runs.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Since its start.
    pub uptime_s: u64,
    /// Its wall clock, RFC 3339 in UTC, …
    pub time: String,
    /// … and whether that has been set.
    pub clock_set: bool,
    /// Where it keeps its state.
    pub state_dir: String,
    /// Memory of the process in RAM; absent where the kernel does not tell.
    pub resident_bytes: Option<u64>,
    /// Bytes that it can still write beside its state.
    pub disk_free_bytes: Option<u64>,
    /// The rooms, in the order of their slugs.
    pub rooms: Vec<Room>,
    /// Where clients are let in.
    pub listeners: Vec<Listener>,
    /// Who is there, and who may come back.
    pub clients: Clients,
    /// What waits, and what was lost.
    pub queues: Queues,
    /// Absent where all is in memory.
    pub store: Option<Store>,
    /// What listeners show, and our own authority.
    pub certificates: Vec<Certificate>,
    /// Each sensor, and how often it answered.
    #[serde(default)]
    pub sensors: Vec<Sensor>,
    /// The bus whose thread is stuck.
    #[serde(default)]
    pub stuck_bus: Option<String>,
    /// Mistakes for which the changed files were refused.
    #[serde(default)]
    pub mistakes: usize,
    /// Keys that were changed and wait for a restart.
    #[serde(default)]
    pub restart: Vec<String>,
    /// What was wrong with the store at the start.
    #[serde(default)]
    pub store_damage: Option<String>,
}

/// Something that asks for attention.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// What it is, in lower case, without a full stop.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether the gateway does not do what it is for, so that `/health` says 503.
    pub grave: bool,
}

/// A room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Room {
    /// As in its topics.
    pub slug: String,
    /// As people call it.
    pub name: String,
    /// Whether it has a temperature that counts.
    pub online: bool,
    /// Each quantity that its sensors give; empty in a room without sensors.
    pub measured: Vec<Measured>,
}

/// One quantity of a room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// `temperature`, `humidity`, `pressure`.
    pub quantity: String,
    /// In which `value` is.
    pub unit: String,
    /// The value that counts; absent where none does.
    pub value: Option<f64>,
    /// Digits after the dot.
    pub decimals: u8,
    /// Since that value, or the last that there was, was given.
    pub age_s: Option<u64>,
    /// `ok`, `suspect`, `stale`, `failed`, `unknown`.
    pub quality: String,
    /// What is wrong, where that is known.
    pub error: Option<String>,
    /// Since when it is so, RFC 3339.
    pub since: String,
    /// Last good reading, RFC 3339.
    pub last_good: Option<String>,
    /// Printed address of the sensor whose value it is.
    pub sensor: String,
}

/// A sensor, since the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sensor {
    /// Slug of its room.
    pub room: String,
    /// As the configuration names it.
    pub bus: String,
    /// As it is printed.
    pub address: String,
    /// Tries that gave an answer.
    pub answers: u64,
    /// Tries that gave a fault, by its name, those that were tried again included.
    pub faults: BTreeMap<String, u64>,
    /// What is wrong with it now; absent: nothing, or it is not tried yet.
    pub error: Option<String>,
}

/// A listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// Where it listens.
    pub address: String,
    /// Whether TLS is spoken.
    pub tls: bool,
    /// Whether MQTT is inside WebSocket.
    pub websocket: bool,
    /// Who is let in, as in the configuration.
    pub auth: String,
    /// Clients that came by it and are there.
    pub clients: usize,
}

/// Clients, and their sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clients {
    /// Who is there.
    pub connected: usize,
    /// Sessions, of those who are away too.
    pub sessions: usize,
    /// Most that were there at a time.
    pub maximum: u64,
    /// Logins that were refused since the start.
    pub refused: u64,
    /// The first of them: who is there before who is away, then those for whom most waits.
    pub listed: Vec<Client>,
}

/// A client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Client identifier.
    pub id: String,
    /// Absent without a login.
    pub user: Option<String>,
    /// Where it comes from; absent: it is away.
    pub address: Option<String>,
    /// By which listener.
    pub listener: Option<String>,
    /// Since its last packet.
    pub silent_s: Option<u64>,
    /// Topic filters.
    pub subscriptions: usize,
    /// Messages that wait for it.
    pub queued: usize,
}

/// What waits for clients, and what they lost since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queues {
    /// Messages that wait.
    pub messages: usize,
    /// What they take.
    pub bytes: usize,
    /// Sent and not yet acknowledged.
    pub inflight: usize,
    /// Lost by full queues.
    pub dropped: u64,
    /// Expired while they waited.
    pub expired: u64,
    /// Publications and subscriptions that the rights denied.
    pub denied: u64,
    /// Retained messages, …
    pub retained: usize,
    /// … and what they take.
    pub retained_bytes: usize,
}

/// The store, since the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Store {
    /// `ok`, `full`, `read-only`, `failed`.
    pub state: String,
    /// Bytes written to the card.
    pub bytes_written: u64,
    /// Times the card was told to keep them.
    pub syncs: u64,
    /// Batches that became durable, …
    pub commits: u64,
    /// … and those that failed and were tried again.
    pub failures: u64,
    /// Changes that were over before they were written.
    pub changes_spared: u64,
    /// Messages of clients that could not be kept, and were refused.
    pub refused: u64,
    /// Of its file.
    pub file_bytes: u64,
}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Whose: the address of a listener, or our own authority.
    pub of: String,
    /// When it ends, RFC 3339.
    pub until: String,
    /// Days until then; negative when it is over.
    pub days_left: i64,
}
