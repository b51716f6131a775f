//! Looks at all parts of a gateway at once. May wait for files, so the runtime's thread does not.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::warnings;
use super::{
    Certificate, Client, Clients, Listener, Measured, Queues, Room, Sensor, Status, Store,
};
use crate::access::Principal;
use crate::broker::{self, Statistics};
use crate::bus::Clock;
use crate::bus::mailbox::{Reports, Tries};
use crate::config;
use crate::daemon::certificates::Expiry;
use crate::daemon::house::{Health, Heard, Label, Steward};
use crate::daemon::hub::Hub;
use crate::daemon::machine::{self, Condition, Machine};
use crate::daemon::observer;
use crate::daemon::{Fitted, Works};
use crate::limits::STATUS_CLIENTS_MAX;
use crate::net::Meter;
use crate::telemetry::{self, Metrics, Seen, SeenRoom, SensorFigures};
use crate::time::{Tick, Timestamp};

const SECONDS_OF_A_DAY: i64 = 86_400;

/// Whose certificate it is that no listener shows.
const AUTHORITY: &str = "our own authority";

/// The parts of a gateway, and how they are looked at.
pub(in crate::daemon) struct Survey {
    pub hub: Arc<Hub>,
    pub clock: Arc<dyn Clock>,
    pub steward: Arc<Steward>,
    pub health: watch::Receiver<Health>,
    pub machine: Machine,
    pub expiry: Expiry,
    pub works: Mutex<Works>,
    pub trials: Trials,
    pub meter: Arc<Meter>,
    pub reports: Arc<Reports>,
    pub is_ready: AtomicBool,
    /// What was wrong with the store at the start.
    pub store_damage: Option<Arc<str>>,
    pub state_dir: PathBuf,
}

/// What came of the last reload. Clones know the same.
#[derive(Clone, Debug, Default)]
pub(in crate::daemon) struct Trials(Arc<Mutex<Trial>>);

/// What is not as the files say.
#[derive(Clone, Debug, Default)]
pub(super) struct Trial {
    /// Mistakes for which they were refused; 0: they were not.
    pub mistakes: usize,
    /// Keys that wait for a restart.
    pub restart: Vec<&'static str>,
}

impl Trials {
    /// The files were refused for so many mistakes.
    pub(in crate::daemon) fn refused(&self, mistakes: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).mistakes = mistakes.max(1);
    }

    /// The files hold, but for these keys.
    pub(in crate::daemon) fn applied(&self, restart: Vec<&'static str>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Trial { mistakes: 0, restart };
    }

    fn last(&self) -> Trial {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What warnings are made of, beside what the status itself says.
pub(super) struct Facts {
    pub condition: Condition,
    pub health: Health,
    pub trial: Trial,
    pub late_bus: Option<String>,
    pub is_ready: bool,
    pub store_damage: Option<Arc<str>>,
}

impl Survey {
    /// How the gateway is now.
    pub(in crate::daemon) fn status(&self) -> Status {
        let condition = self.machine.clone().look();
        let statistics = self.hub.statistics();
        let (time, now) = (self.clock.wall(), self.clock.now());
        let mut status = Status {
            warnings: Vec::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_s: now.since(Tick::ZERO).as_secs(),
            time: time.to_string(),
            clock_set: time.is_synchronised(),
            state_dir: self.state_dir.display().to_string(),
            resident_bytes: machine::memory().map(|memory| memory.resident),
            disk_free_bytes: condition.disk_free,
            rooms: self.rooms(now),
            listeners: self.listeners(),
            clients: self.clients(&statistics),
            queues: queues(&statistics),
            store: self.hub.store_pace().map(|pace| store(&observer::store(&statistics, &pace))),
            certificates: self.ends().iter().map(|end| certificate(end, time)).collect(),
            sensors: self.tried(),
            stuck_bus: self.works().late_bus(now),
            mistakes: 0,
            restart: Vec::new(),
            store_damage: self.store_damage.as_deref().map(str::to_owned),
        };
        let trial = self.trials.last();
        status.mistakes = trial.mistakes;
        status.restart = trial.restart.iter().map(|key| (*key).to_owned()).collect();
        let facts = Facts {
            condition,
            health: self.health.borrow().clone(),
            trial,
            late_bus: status.stuck_bus.clone(),
            is_ready: self.is_ready.load(Ordering::Relaxed),
            store_damage: self.store_damage.clone(),
        };
        status.warnings = warnings::of(&status, &facts);
        status
    }

    /// All figures now.
    pub(in crate::daemon) fn metrics(&self) -> Metrics {
        let condition = self.machine.clone().look();
        let statistics = self.hub.statistics();
        let (pace, wire) = (self.hub.store_pace(), self.meter.read());
        let (seen, heard) = self.steward.seen();
        let now = self.clock.now();
        let aged = |room: SeenRoom| {
            let ages = room.measured.iter().map(|seen| age(seen, &heard, now)).collect();
            (room, ages)
        };
        let away = self.hub.turned_away();
        let turned_away = self.works().listeners.turned_away();
        let health = self.health.borrow().clone();
        let memory = machine::memory();
        Metrics {
            uptime: now.since(Tick::ZERO),
            clock_set: self.clock.wall().is_synchronised(),
            counts: observer::counts(&statistics, pace.as_ref(), &wire, memory),
            too_large: statistics.traffic.messages_too_large,
            rooms: seen.into_iter().map(aged).collect(),
            sensors: self.sensors(),
            well: [health.ok, health.tried.saturating_sub(health.ok)],
            reports_folded: self.reports.folded(),
            logins_refused: away.logins.into_iter().collect(),
            connects_refused: away.connects,
            malformed: away.malformed,
            turned_away: turned_away.peers,
            handshakes_failed: turned_away.handshakes,
            accepts_failed: turned_away.accepts,
            cpu: condition.cpu,
            under_voltage: condition.under_voltage,
            disk_free: condition.disk_free,
            certificates: self.ends(),
        }
    }

    fn sensors(&self) -> Vec<SensorFigures> {
        let tries = self.reports.tries();
        let labels = self.works().roster.labels();
        let sensors = labels.into_iter().map(|(sensor, Label { room, address })| {
            let Tries { answers, faults } = tries.get(&sensor).cloned().unwrap_or_default();
            SensorFigures { room, address, answers, faults: faults.into_iter().collect() }
        });
        sensors.collect()
    }

    /// Each sensor of the configuration.
    fn tried(&self) -> Vec<Sensor> {
        let (tries, errors) = (self.reports.tries(), self.steward.errors());
        let works = self.works();
        let sensor = |fitted: &Fitted| {
            let Tries { answers, faults } = tries.get(&fitted.id).cloned().unwrap_or_default();
            Sensor {
                room: fitted.room.to_string(),
                bus: fitted.sensor.bus.to_string(),
                address: fitted.sensor.address.to_string(),
                answers,
                faults: faults.into_iter().map(|(name, times)| (name.to_owned(), times)).collect(),
                error: errors.get(&fitted.id).map(|name| (*name).to_owned()),
            }
        };
        works.roster.sensors().iter().map(sensor).collect()
    }

    /// Whose certificates end, and when, in seconds since 1970.
    fn ends(&self) -> Vec<(String, u64)> {
        let listeners = self.works().listeners.seen().into_iter();
        let shown = listeners.filter_map(|(name, _, until)| Some((name.to_string(), until?)));
        let authority = self.expiry.authority_unix_s();
        shown.chain(authority.map(|until| (AUTHORITY.to_owned(), until))).collect()
    }

    /// What a reload changes.
    pub(in crate::daemon) fn works(&self) -> MutexGuard<'_, Works> {
        self.works.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rooms(&self, now: Tick) -> Vec<Room> {
        let (seen, heard) = self.steward.seen();
        let works = self.works();
        let name = |slug: &str| {
            let room = works.settings.rooms.iter().find(|room| room.slug == slug);
            room.map_or_else(|| slug.to_owned(), |room| room.name.clone())
        };
        let room = |room: SeenRoom| Room {
            name: name(&room.slug),
            slug: room.slug.to_string(),
            online: room.online,
            measured: room.measured.iter().map(|seen| measured(seen, &heard, now)).collect(),
        };
        seen.into_iter().map(room).collect()
    }

    fn listeners(&self) -> Vec<Listener> {
        let seen = self.works().listeners.seen().into_iter();
        let listener = |(name, settings, _): (Arc<str>, config::Listener, _)| Listener {
            address: name.to_string(),
            tls: settings.tls.is_some(),
            websocket: settings.transport == config::Transport::WebSocket,
            auth: config::policy_word(settings.auth).to_owned(),
            clients: self.hub.clients_of(&name),
        };
        seen.map(listener).collect()
    }

    fn clients(&self, statistics: &Statistics) -> Clients {
        Clients {
            connected: statistics.clients_connected,
            sessions: statistics.sessions,
            maximum: statistics.traffic.clients_maximum,
            refused: self.hub.turned_away().logins.values().sum(),
            listed: self.hub.clients(STATUS_CLIENTS_MAX).iter().map(client).collect(),
        }
    }
}

/// Since its last value was given.
fn age(seen: &Seen, heard: &Heard, now: Tick) -> Option<Duration> {
    heard.get(&(seen.sensor, seen.quantity)).map(|then| now.since(*then))
}

fn measured(seen: &Seen, heard: &Heard, now: Tick) -> Measured {
    Measured {
        quantity: seen.quantity.name().to_owned(),
        unit: seen.quantity.unit().to_owned(),
        value: seen.reading.map(|reading| f64::from(reading.value.thousandths()) / 1000.0),
        decimals: seen.reading.map_or(0, |reading| reading.decimals),
        age_s: age(seen, heard, now).map(|age| age.as_secs()),
        quality: seen.state.name().to_owned(),
        error: seen.state.reason().map(|reason| reason.name().to_owned()),
        since: seen.since.to_string(),
        last_good: seen.last_good.map(|at| at.to_string()),
        sensor: seen.address.to_string(),
    }
}

fn client(client: &broker::Client) -> Client {
    let presence = client.presence.as_ref();
    Client {
        id: client.client_id.to_string(),
        user: match &client.principal {
            Principal::User(name) => Some(name.to_string()),
            Principal::Gateway | Principal::Anonymous => None,
        },
        address: presence.map(|presence| presence.address.to_string()),
        listener: presence.map(|presence| presence.listener.to_string()),
        silent_s: presence.map(|presence| presence.silent_for.as_secs()),
        subscriptions: client.subscriptions,
        queued: client.queued,
    }
}

fn queues(statistics: &Statistics) -> Queues {
    Queues {
        messages: statistics.queued,
        bytes: statistics.queued_bytes,
        inflight: statistics.inflight,
        dropped: statistics.traffic.messages_dropped,
        expired: statistics.traffic.messages_expired,
        denied: statistics.traffic.denied,
        retained: statistics.retained,
        retained_bytes: statistics.retained_bytes,
    }
}

fn store(store: &telemetry::Store) -> Store {
    Store {
        state: store.state.to_owned(),
        bytes_written: store.bytes_written,
        syncs: store.syncs,
        commits: store.commits,
        failures: store.failures,
        changes_spared: store.changes_spared,
        refused: store.refused,
        file_bytes: store.file_bytes,
    }
}

fn certificate((of, until_unix_s): &(String, u64), now: Timestamp) -> Certificate {
    let seconds = |unix_s: u64| i64::try_from(unix_s).unwrap_or(i64::MAX);
    let left = seconds(*until_unix_s).saturating_sub(seconds(now.unix_ms() / 1000));
    Certificate {
        of: of.clone(),
        until: Timestamp::new(until_unix_s.saturating_mul(1000), true).to_string(),
        days_left: left.div_euclid(SECONDS_OF_A_DAY),
    }
}
