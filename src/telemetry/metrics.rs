//! All figures in Prometheus' text format: names with their units, in base units (°C, seconds,
//! bytes, pascals, a ratio of 1), counters with `_total`, rooms and sensors as labels.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

use std::sync::Arc;
use std::time::Duration;

use super::page::{Kind, Page};
use super::{Counts, Memory, SeenRoom, Store};
use crate::sampling::State;
use crate::units::{MilliCelsius, Quantity};

/// The `Content-Type` of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What is told, at one instant.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Since the start.
    pub uptime: Duration,
    /// Whether the wall clock has been set.
    pub clock_set: bool,
    /// What the broker counts.
    pub counts: Counts,
    /// Messages that were not sent because their client takes none of that size.
    pub too_large: u64,
    /// Rooms, and for each quantity of theirs the age of its value.
    pub rooms: Vec<(SeenRoom, Vec<Option<Duration>>)>,
    /// Sensors that there are.
    pub sensors: Vec<SensorFigures>,
    /// Sensors that are well, and that are tried and not well.
    pub well: [usize; 2],
    /// Reports that were folded into newer ones.
    pub reports_folded: u64,
    /// Logins that were refused, by the reason.
    pub logins_refused: Vec<(String, u64)>,
    /// CONNECTs that asked for what is not given.
    pub connects_refused: u64,
    /// Connections that sent what is no packet.
    pub malformed: u64,
    /// Peers for which there was no place, …
    pub turned_away: u64,
    /// … whose TLS or WebSocket handshake failed, …
    pub handshakes_failed: u64,
    /// … and that the kernel could not hand over.
    pub accepts_failed: u64,
    /// Of the processor.
    pub cpu: Option<MilliCelsius>,
    /// Whether the supply of a Raspberry Pi was too weak lately.
    pub under_voltage: Option<bool>,
    /// Bytes that can still be written beside the state.
    pub disk_free: Option<u64>,
    /// When certificates end: whose, and seconds since 1970.
    pub certificates: Vec<(String, u64)>,
}

/// How often a sensor was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SensorFigures {
    /// Slug of its room.
    pub room: Arc<str>,
    /// Its printed address.
    pub address: Arc<str>,
    /// Tries that gave an answer.
    pub answers: u64,
    /// Tries that gave a fault, each that was tried again included, by its name.
    pub faults: Vec<(&'static str, u64)>,
}

/// A figure of the broker that only grows: name, what it is, and how to have it.
type Counter = (&'static str, &'static str, fn(&Counts) -> u64);

const COUNTERS: &[Counter] = &[
    ("connections_opened", "Transports that were opened", |it| it.sockets),
    ("connects", "CONNECT packets", |it| it.connects),
    ("sessions_expired", "Sessions whose client did not come back in time", |it| {
        it.sessions_expired
    }),
    ("sessions_discarded", "Sessions given up because there were too many", |it| {
        it.sessions_discarded
    }),
    ("messages_dropped", "Messages that full queues lost", |it| it.publish_dropped),
    ("messages_expired", "Messages that expired in a queue", |it| it.expired),
    ("messages_own", "Messages that the gateway published", |it| it.own),
    ("requests_denied", "Publications and subscriptions that the rights denied", |it| it.denied),
];

/// The same in two directions, from clients and to them.
type Pair = (&'static str, &'static str, fn(&Counts) -> [u64; 2]);

const PAIRS: &[Pair] = &[
    ("packets", "MQTT packets", |it| [it.packets_received, it.packets_sent]),
    ("messages", "PUBLISH packets", |it| [it.publish_received, it.publish_sent]),
    ("payload_bytes", "Payload of PUBLISH packets", |it| {
        [it.payload_bytes_received, it.payload_bytes_sent]
    }),
    ("network_bytes", "Bytes on the network, TLS included", |it| {
        [it.bytes_received, it.bytes_sent]
    }),
];

const GAUGES: &[Counter] = &[
    ("connections", "Transports that are open", |it| it.connections),
    ("clients_connected", "Clients that are there", |it| it.clients_connected),
    ("clients_connected_maximum", "Most clients at a time", |it| it.clients_maximum),
    ("sessions", "Sessions, of absent clients too", |it| it.sessions),
    ("subscriptions", "Topic filters of all clients", |it| it.subscriptions),
    ("messages_inflight", "Messages sent and not acknowledged", |it| it.inflight),
    ("queue_messages", "Messages that wait for clients", |it| it.queued),
    ("queue_memory_bytes", "Memory that they take", |it| it.queued_bytes),
    ("retained_messages", "Retained messages", |it| it.retained),
    ("retained_bytes", "Memory that they take", |it| it.retained_bytes),
];

type OfStore = (&'static str, &'static str, fn(&Store) -> u64);

const STORE_COUNTERS: &[OfStore] = &[
    ("written_bytes", "Bytes written to the card", |it| it.bytes_written),
    ("syncs", "Times the card was told to keep them", |it| it.syncs),
    ("commits", "Batches that became durable", |it| it.commits),
    ("commits_retried", "Batches that failed and were tried again", |it| it.failures),
    ("changes_noted", "Changes to be kept", |it| it.changes_noted),
    ("changes_spared", "Changes that were over before they were written", |it| it.changes_spared),
    ("messages_refused", "Messages of clients that could not be kept", |it| it.refused),
    ("messages_damaged", "Messages found damaged and left out", |it| it.damaged),
];

const STORE_GAUGES: &[OfStore] = &[
    ("changes_waiting", "Changes that wait to be written", |it| it.changes_waiting),
    ("answers_waiting", "Acknowledgements that wait for them", |it| it.answers_waiting),
    ("queued_messages", "Messages that wait in the store alone", |it| it.queued),
    ("file_bytes", "Size of its file", |it| it.file_bytes),
    ("free_bytes", "What nothing uses of it", |it| it.free_bytes),
    ("log_bytes", "Size of the log beside it", |it| it.log_bytes),
];

impl Metrics {
    /// All of it as text.
    pub fn text(&self) -> String {
        let mut page = Page::default();
        self.process(&mut page);
        self.rooms(&mut page);
        self.sensors(&mut page);
        self.broker(&mut page);
        self.turned_away(&mut page);
        if let Some(store) = &self.counts.store {
            of_store(store, &mut page);
        }
        self.machine(&mut page);
        page.into_text()
    }

    fn process(&self, page: &mut Page) {
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        page.family("build_info", Kind::Gauge, "The program that runs").value(&version, 1);
        let uptime = self.uptime.as_secs_f64();
        page.family("uptime_seconds", Kind::Gauge, "Since the start").value(&[], uptime);
        let clock = u8::from(self.clock_set);
        page.family("clock_set", Kind::Gauge, "Whether the clock has been set").value(&[], clock);
        if let Some(Memory { resident, peak }) = self.counts.memory {
            let help = "Memory of the process in RAM";
            page.family("resident_memory_bytes", Kind::Gauge, help).value(&[], resident);
            let help = "The most that it was";
            page.family("resident_memory_maximum_bytes", Kind::Gauge, help).value(&[], peak);
        }
    }

    fn rooms(&self, page: &mut Page) {
        let online = page.family("room_online", Kind::Gauge, "Whether its temperature counts");
        for (room, _) in &self.rooms {
            online.value(&[("room", &room.slug)], u8::from(room.online));
        }
        for quantity in Quantity::ALL {
            let (name, help, scale) = base(quantity);
            let family = page.family(name, Kind::Gauge, help);
            let rooms = self.rooms.iter().map(|(room, _)| room);
            let seen = rooms.flat_map(|room| room.measured.iter().map(move |seen| (room, seen)));
            for (room, seen) in seen.filter(|(_, seen)| seen.quantity == quantity) {
                let Some(reading) = seen.reading else { continue };
                let labels = [("room", &*room.slug), ("sensor", &*seen.address)];
                family.value(&labels, f64::from(reading.value.thousandths()) / scale);
            }
        }
        let help = "Since the value of a room was given";
        let family = page.family("room_value_age_seconds", Kind::Gauge, help);
        for (room, ages) in &self.rooms {
            for (seen, age) in room.measured.iter().zip(ages) {
                let Some(age) = age else { continue };
                let labels = [("room", &*room.slug), ("quantity", seen.quantity.name())];
                family.value(&labels, age.as_secs_f64());
            }
        }
        let help = "Whether the sensor of a room gave a good reading";
        let family = page.family("room_sensor_ok", Kind::Gauge, help);
        for (room, _) in &self.rooms {
            for seen in &room.measured {
                let quantity = seen.quantity.name();
                let labels =
                    [("room", &*room.slug), ("quantity", quantity), ("sensor", &*seen.address)];
                family.value(&labels, u8::from(seen.state == State::Ok));
            }
        }
    }

    fn sensors(&self, page: &mut Page) {
        let [ok, failed] = self.well;
        let untried = self.sensors.len().saturating_sub(ok + failed);
        let family = page.family("sensors", Kind::Gauge, "Sensors by how they are");
        for (state, number) in [("ok", ok), ("failed", failed), ("untried", untried)] {
            family.value(&[("state", state)], number);
        }
        let help = "Tries to read a sensor that gave an answer";
        let family = page.family("sensor_answers", Kind::Counter, help);
        for sensor in &self.sensors {
            let labels = [("room", &*sensor.room), ("sensor", &*sensor.address)];
            family.value(&labels, sensor.answers);
        }
        let help = "Tries to read a sensor that gave a fault, those that were tried again included";
        let family = page.family("sensor_faults", Kind::Counter, help);
        for sensor in &self.sensors {
            for (fault, times) in &sensor.faults {
                let labels =
                    [("room", &*sensor.room), ("sensor", &*sensor.address), ("fault", fault)];
                family.value(&labels, times);
            }
        }
        let help = "Reports of sensors that newer ones replaced before they were published";
        page.family("reports_dropped", Kind::Counter, help).value(&[], self.reports_folded);
    }

    fn broker(&self, page: &mut Page) {
        for (name, help, number) in GAUGES {
            page.family(name, Kind::Gauge, help).value(&[], number(&self.counts));
        }
        for (name, help, number) in COUNTERS {
            page.family(name, Kind::Counter, help).value(&[], number(&self.counts));
        }
        for (name, help, numbers) in PAIRS {
            let [received, sent] = numbers(&self.counts);
            let family = page.family(name, Kind::Counter, help);
            family.value(&[("direction", "received")], received);
            family.value(&[("direction", "sent")], sent);
        }
        let help = "Messages not sent to clients that take none of that size";
        page.family("messages_too_large", Kind::Counter, help).value(&[], self.too_large);
    }

    fn turned_away(&self, page: &mut Page) {
        let family = page.family("logins_refused", Kind::Counter, "Logins that were refused");
        for (reason, times) in &self.logins_refused {
            family.value(&[("reason", reason)], times);
        }
        let numbers = [
            ("connects_refused", "CONNECTs that asked for too much", self.connects_refused),
            ("malformed", "Connections that sent what is no packet", self.malformed),
            ("connections_refused", "Peers for which there was no place", self.turned_away),
            ("handshakes_failed", "TLS and WebSocket handshakes", self.handshakes_failed),
            ("accepts_failed", "Peers that could not be accepted", self.accepts_failed),
        ];
        for (name, help, number) in numbers {
            page.family(name, Kind::Counter, help).value(&[], number);
        }
    }

    fn machine(&self, page: &mut Page) {
        if let Some(cpu) = self.cpu {
            let family = page.family("cpu_temperature_celsius", Kind::Gauge, "Of the processor");
            family.value(&[], f64::from(cpu.value().thousandths()) / 1000.0);
        }
        if let Some(alarm) = self.under_voltage {
            let help = "Whether the supply was too weak lately";
            page.family("under_voltage", Kind::Gauge, help).value(&[], u8::from(alarm));
        }
        if let Some(free) = self.disk_free {
            let help = "Bytes that can still be written beside the state";
            page.family("disk_free_bytes", Kind::Gauge, help).value(&[], free);
        }
        let help = "When a certificate ends, in seconds since 1970";
        let family = page.family("certificate_expiry_timestamp_seconds", Kind::Gauge, help);
        for (of, until) in &self.certificates {
            family.value(&[("of", of)], until);
        }
    }
}

fn of_store(store: &Store, page: &mut Page) {
    let help = "Whether what clients want kept can be kept";
    page.family("store_ok", Kind::Gauge, help).value(&[], u8::from(store.state == "ok"));
    for (name, help, number) in STORE_COUNTERS {
        page.family(&format!("store_{name}"), Kind::Counter, help).value(&[], number(store));
    }
    for (name, help, number) in STORE_GAUGES {
        page.family(&format!("store_{name}"), Kind::Gauge, help).value(&[], number(store));
    }
    let total = store.commit_total.as_secs_f64();
    page.family("store_commit_seconds", Kind::Counter, "What all batches took").value(&[], total);
    let longest = store.commit_max.as_secs_f64();
    let help = "The longest that a batch took";
    page.family("store_commit_maximum_seconds", Kind::Gauge, help).value(&[], longest);
}

/// Name in base units, what it is, and how many thousandths of ours one of those is.
const fn base(quantity: Quantity) -> (&'static str, &'static str, f64) {
    match quantity {
        Quantity::Temperature => ("room_temperature_celsius", "Temperature of a room", 1000.0),
        Quantity::Humidity => ("room_humidity_ratio", "Relative humidity of a room", 100_000.0),
        Quantity::Pressure => ("room_pressure_pascals", "Pressure of the air in a room", 10.0),
    }
}

#[cfg(test)]
mod tests;
