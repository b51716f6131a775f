//! What differs between two configurations, in lines for people: what a reload changes at once, and
//! what waits for a restart.

use std::fmt;
use std::net::SocketAddr;

use super::{Listener, Room, Sensor, Settings, Tls};
use crate::sampling::{Calibration, Rules, SensorSettings};
use crate::sensors::element::ElementKind;
use crate::units::Quantity;

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A room is new, with all its sensors.
    RoomAdded(String),
    /// A room is gone, with all its sensors.
    RoomRemoved(String),
    /// The keys of a room that differ.
    RoomChanged(String, Vec<&'static str>),
    /// A sensor is new in a room that was there.
    SensorAdded(Place),
    /// A sensor is gone from a room that stays.
    SensorRemoved(Place),
    /// The keys of a sensor that differ.
    SensorChanged(Place, Vec<String>),
    /// A listener is new.
    ListenerAdded(SocketAddr),
    /// A listener is gone.
    ListenerRemoved(SocketAddr),
    /// The keys of a listener that differ.
    ListenerChanged(SocketAddr, Vec<&'static str>),
    /// The keys of a listener are the same, and the certificate in its file is another.
    CertificateChanged(SocketAddr),
    /// The same of its authorities of client certificates.
    AuthoritiesChanged(SocketAddr),
    /// The same of its revocation lists.
    RevocationsChanged(SocketAddr),
    /// A key that holds at once.
    Key(&'static str),
    /// A key that holds from the next start on.
    Restart(&'static str),
}

/// Where a sensor is: slug of its room, printed address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    room: String,
    address: String,
}

/// A key of the configuration that is no room and no listener.
struct Key {
    name: &'static str,
    is_same: fn(&Settings, &Settings) -> bool,
    take: fn(&mut Settings, &Settings),
}

macro_rules! keys {
    ($($name:literal: $($path:ident).+,)*) => {
        &[$(Key {
            name: $name,
            is_same: |one, other| one.$($path).+ == other.$($path).+,
            take: |to, from| to.$($path).+.clone_from(&from.$($path).+),
        }),*]
    };
}

/// What a running gateway cannot change: its topics and files, and what clients were promised when
/// they came, or is counted while they are there.
const FIXED: &[Key] = keys![
    "gateway.root": gateway.root,
    "gateway.state_dir": gateway.state_dir,
    "broker.durability": broker.durability,
    "broker.max_packet_size": broker.max_packet_size,
    "broker.sys_interval": broker.sys_interval,
    "broker.limits.connections": broker.limits.connections,
    "broker.limits.connections_per_address": broker.limits.connections_per_address,
    "broker.limits.connect_timeout": broker.limits.connect_timeout,
    "broker.limits.packet_before_login": broker.limits.packet_before_login,
    "broker.limits.receive_maximum": broker.limits.receive_maximum,
    "broker.limits.topic_aliases": broker.limits.topic_aliases,
    "broker.limits.unfinished": broker.limits.unfinished,
    "hardware.sysfs": hardware.sysfs,
    "hardware.i2c": hardware.i2c,
    "hardware.spi": hardware.spi,
    "log.format": log.format,
    "simulation.seed": simulation.seed,
    "simulation.start": simulation.start,
    "simulation.noise": simulation.noise,
    "simulation.weather": simulation.weather,
    "simulation.heating": simulation.heating,
    "simulation.places": simulation.places,
    "simulation.faults": simulation.faults,
];

/// What holds at once, for what comes from then on.
const LIVE: &[Key] = keys![
    "gateway.watch_files": gateway.watch_files,
    "log.level": log.level,
    "metrics": metrics,
    "mdns.announce": announce,
    "broker.session_expiry": broker.session_expiry,
    "broker.queue.messages": broker.queue_messages,
    "broker.queue.bytes": broker.queue_bytes,
    "broker.private": broker.private,
    "broker.limits.sessions": broker.limits.sessions,
    "broker.limits.sessions_per_user": broker.limits.sessions_per_user,
    "broker.limits.subscriptions": broker.limits.subscriptions,
    "broker.limits.topic_levels": broker.limits.topic_levels,
    "broker.limits.inflight": broker.limits.inflight,
    "broker.limits.keep_alive": broker.limits.keep_alive,
    "broker.limits.subscribed": broker.limits.subscribed,
    "broker.limits.retained": broker.limits.retained,
    "broker.limits.queued": broker.limits.queued,
];

impl Change {
    /// The key that waits for a restart, if it is one.
    pub const fn restart(&self) -> Option<&'static str> {
        match self {
            Self::Restart(key) => Some(key),
            _ => None,
        }
    }
}

/// What differs in `new`: keys, listeners, rooms, sensors.
pub fn difference(old: &Settings, new: &Settings) -> Vec<Change> {
    let differing = |keys: &'static [Key]| keys.iter().filter(|key| !(key.is_same)(old, new));
    let mut changes: Vec<Change> = Vec::new();
    changes.extend(differing(FIXED).map(|key| Change::Restart(key.name)));
    changes.extend(differing(LIVE).map(|key| Change::Key(key.name)));
    for pair in paired_listeners(&old.listeners, &new.listeners) {
        changes.extend(of_listeners(&old.listeners, &new.listeners, pair));
    }
    for room in &old.rooms {
        if !new.rooms.iter().any(|other| other.slug == room.slug) {
            changes.push(Change::RoomRemoved(room.slug.clone()));
        }
    }
    for room in &new.rooms {
        match old.rooms.iter().find(|other| other.slug == room.slug) {
            None => changes.push(Change::RoomAdded(room.slug.clone())),
            Some(before) => of_room(before, room, &mut changes),
        }
    }
    changes
}

/// What `new` means to a gateway that runs by `old`: all of it but what waits for a restart.
#[must_use]
pub fn adopted(old: &Settings, new: &Settings) -> Settings {
    let mut adopted = new.clone();
    for key in FIXED {
        (key.take)(&mut adopted, old);
    }
    adopted
}

/// Indexes of the listeners that are one: what is the same, then what has the same address. One
/// that has none is new or gone.
pub fn paired_listeners(old: &[Listener], new: &[Listener]) -> Vec<(Option<usize>, Option<usize>)> {
    let mut partners: Vec<Option<usize>> = vec![None; new.len()];
    let fits: [fn(&Listener, &Listener) -> bool; 2] =
        [|one, other| one == other, |one, other| one.bind == other.bind];
    for fit in fits {
        for (at, listener) in new.iter().enumerate() {
            let is_free = |index: &usize| !partners.contains(&Some(*index));
            let mut free = (0..old.len()).filter(is_free);
            let found = free.find(|index| old.get(*index).is_some_and(|old| fit(old, listener)));
            if let Some(partner) = partners.get_mut(at).filter(|partner| partner.is_none()) {
                *partner = found;
            }
        }
    }
    let gone = (0..old.len()).filter(|index| !partners.contains(&Some(*index)));
    let gone: Vec<_> = gone.map(|index| (Some(index), None)).collect();
    let here = partners.iter().enumerate().map(|(at, partner)| (*partner, Some(at)));
    gone.into_iter().chain(here).collect()
}

fn of_listeners(
    old: &[Listener],
    new: &[Listener],
    (before, after): (Option<usize>, Option<usize>),
) -> Option<Change> {
    let before = before.and_then(|index| old.get(index));
    let after = after.and_then(|index| new.get(index));
    match (before, after) {
        (None, None) => None,
        (Some(before), None) => Some(Change::ListenerRemoved(before.bind)),
        (None, Some(after)) => Some(Change::ListenerAdded(after.bind)),
        (Some(before), Some(after)) => {
            let keys: Vec<_> = [
                ("tls", before.tls != after.tls),
                ("websocket", before.transport != after.transport),
                ("auth", before.auth != after.auth),
            ]
            .into_iter()
            .filter_map(|(key, differs)| differs.then_some(key))
            .collect();
            (!keys.is_empty()).then_some(Change::ListenerChanged(after.bind, keys))
        }
    }
}

impl Listener {
    /// Whether who came in by this one would have come in by the other as well: only the host's own
    /// certificate differs.
    pub fn lets_in_as(&self, other: &Self) -> bool {
        let authorities = |listener: &Self| match &listener.tls {
            None => None,
            Some(Tls::Own) => Some(Vec::new()),
            Some(Tls::Files { client_ca, .. }) => Some(client_ca.clone()),
        };
        self.auth == other.auth
            && self.transport == other.transport
            && authorities(self) == authorities(other)
    }
}

impl Sensor {
    /// Whether the other is this sensor, though its other keys may differ.
    pub fn is_at_the_place_of(&self, other: &Self) -> bool {
        let place = |sensor: &Self| (sensor.driver, sensor.bus, sensor.address.clone());
        place(self) == place(other)
    }
}

fn of_room(old: &Room, new: &Room, changes: &mut Vec<Change>) {
    let place =
        |sensor: &Sensor| Place { room: new.slug.clone(), address: sensor.address.to_string() };
    let find = |sensors: &[Sensor], sensor: &Sensor| {
        sensors.iter().position(|other| other.is_at_the_place_of(sensor))
    };
    let kept: Vec<_> = new.sensors.iter().filter_map(|it| find(&old.sensors, it)).collect();
    let keys = [
        ("name", old.name != new.name),
        ("combine", old.combine != new.combine),
        ("disagreement", old.tolerance.spread != new.tolerance.spread),
        ("disagreement_after", old.tolerance.patience != new.tolerance.patience),
        ("order of sensors", !kept.is_sorted()),
    ];
    let keys: Vec<_> = keys.into_iter().filter_map(|(key, is)| is.then_some(key)).collect();
    if !keys.is_empty() {
        changes.push(Change::RoomChanged(new.slug.clone(), keys));
    }
    let gone = old.sensors.iter().filter(|it| find(&new.sensors, it).is_none());
    changes.extend(gone.map(|it| Change::SensorRemoved(place(it))));
    for sensor in &new.sensors {
        match find(&old.sensors, sensor).and_then(|index| old.sensors.get(index)) {
            None => changes.push(Change::SensorAdded(place(sensor))),
            Some(before) => {
                let keys = sensor_keys(before, sensor);
                if !keys.is_empty() {
                    changes.push(Change::SensorChanged(place(sensor), keys));
                }
            }
        }
    }
}

fn sensor_keys(old: &Sensor, new: &Sensor) -> Vec<String> {
    let SensorSettings { interval, retries, heartbeat, stale_after, .. } = &old.sampling;
    let hangs = |kind: ElementKind| {
        let at = |sensor: &Sensor| sensor.element.filter(|element| element.kind() == kind);
        at(old) != at(new)
    };
    let keys = [
        ("thermistor", hangs(ElementKind::Thermistor)),
        ("rtd", hangs(ElementKind::Rtd)),
        ("tmp36", hangs(ElementKind::Tmp36)),
        ("interval", *interval != new.sampling.interval),
        ("retries", *retries != new.sampling.retries),
        ("heartbeat", *heartbeat != new.sampling.heartbeat),
        ("stale_after", *stale_after != new.sampling.stale_after),
    ];
    let mut keys: Vec<String> =
        keys.into_iter().filter(|(_, is)| *is).map(|(key, _)| key.to_owned()).collect();
    for quantity in Quantity::ALL {
        // What a chip measures is no key: it is the same at the place of the same driver.
        let rules = [old.sampling.rules_of(quantity), new.sampling.rules_of(quantity)];
        let [Some(old), Some(new)] = rules else { continue };
        keys.extend(rule_keys(old, new).into_iter().map(|key| match quantity {
            Quantity::Temperature => key.to_owned(),
            Quantity::Humidity | Quantity::Pressure => format!("{}.{key}", quantity.name()),
        }));
    }
    keys
}

/// As they are written.
fn rule_keys(old: &Rules, new: &Rules) -> Vec<&'static str> {
    let corrections = [old, new].map(|rules| match &rules.calibration {
        Calibration::Offset(offset) => (*offset, None),
        curve => (rules.lowest.with(0), Some(curve)),
    });
    let [(old_offset, old_curve), (new_offset, new_curve)] = corrections;
    let keys = [
        ("min", old.lowest != new.lowest),
        ("max", old.highest != new.highest),
        ("max_rate", old.rate_per_minute != new.rate_per_minute),
        ("offset", old_offset != new_offset),
        ("calibration", old_curve != new_curve),
        ("median", old.median != new.median),
        ("alpha", old.alpha != new.alpha),
        ("decimals", old.decimals != new.decimals),
        ("deadband", old.deadband != new.deadband),
    ];
    keys.into_iter().filter_map(|(key, differs)| differs.then_some(key)).collect()
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.room, self.address)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RoomAdded(room) => write!(formatter, "room added: {room}"),
            Self::RoomRemoved(room) => write!(formatter, "room removed: {room}"),
            Self::RoomChanged(room, keys) => {
                write!(formatter, "room changed: {room}: {}", keys.join(", "))
            }
            Self::SensorAdded(place) => write!(formatter, "sensor added: {place}"),
            Self::SensorRemoved(place) => write!(formatter, "sensor removed: {place}"),
            Self::SensorChanged(place, keys) => {
                write!(formatter, "sensor changed: {place}: {}", keys.join(", "))
            }
            Self::ListenerAdded(bind) => write!(formatter, "listener added: {bind}"),
            Self::ListenerRemoved(bind) => write!(formatter, "listener removed: {bind}"),
            Self::ListenerChanged(bind, keys) => {
                write!(formatter, "listener changed: {bind}: {}", keys.join(", "))
            }
            Self::CertificateChanged(bind) => write!(formatter, "certificate changed: {bind}"),
            Self::AuthoritiesChanged(bind) => write!(formatter, "authorities changed: {bind}"),
            Self::RevocationsChanged(bind) => {
                write!(formatter, "revocation lists changed: {bind}")
            }
            Self::Key(key) => write!(formatter, "changed: {key}"),
            Self::Restart(key) => write!(formatter, "needs a restart: {key}"),
        }
    }
}

#[cfg(test)]
mod tests;
