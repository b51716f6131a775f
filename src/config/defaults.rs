//! What holds where nothing is written.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::{
    Announce, Broker, Durability, Gateway, Hardware, Library, Limits, Listener, Log, LogFilter,
    LogFormat, Settings, Simulation, Tls, Transport,
};
use crate::access::Policy;
use crate::limits;
use crate::sampling::{Calibration, Rules, SensorSettings, Tolerance};
use crate::sensors::catalog::{Driver, Span};
use crate::sim::weather::{Climate, Heating};
use crate::units::Quantity;

/// Shortest default of `stale_after`: a fast sensor may miss some readings.
const STALE_AFTER_MIN: Duration = Duration::from_secs(30);

impl Default for Settings {
    fn default() -> Self {
        Self {
            gateway: Gateway::default(),
            broker: Broker::default(),
            hardware: Hardware::default(),
            log: Log::default(),
            metrics: None,
            announce: Announce::Private,
            simulation: Simulation::default(),
            listeners: listeners(),
            rooms: Vec::new(),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: LogFilter::default(), format: LogFormat::Text }
    }
}

impl Default for Gateway {
    fn default() -> Self {
        Self { root: "maison".into(), state_dir: "/var/lib/maison".into(), watch_files: true }
    }
}

impl Default for Broker {
    fn default() -> Self {
        Self {
            durability: Durability::PowerCut,
            max_packet_size: limits::PACKET_BYTES_DEFAULT,
            session_expiry: limits::SESSION_EXPIRY_DEFAULT,
            queue_messages: Some(limits::QUEUE_MESSAGES_DEFAULT),
            queue_bytes: Some(limits::QUEUE_BYTES_DEFAULT),
            sys_interval: Some(limits::SYS_INTERVAL_DEFAULT),
            private: Vec::new(),
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: limits::CONNECTIONS_MAX,
            connections_per_address: limits::CONNECTIONS_PER_ADDRESS_MAX,
            connect_timeout: limits::CONNECT_TIMEOUT,
            packet_before_login: limits::PACKET_BYTES_BEFORE_LOGIN_MAX,
            sessions: limits::SESSIONS_MAX,
            sessions_per_user: limits::SESSIONS_PER_USER_MAX,
            subscriptions: limits::SUBSCRIPTIONS_PER_SESSION_MAX,
            topic_levels: limits::TOPIC_LEVELS_MAX,
            inflight: limits::INFLIGHT_TO_CLIENT_DEFAULT,
            receive_maximum: limits::RECEIVE_MAXIMUM_DEFAULT,
            topic_aliases: limits::TOPIC_ALIASES_FROM_PEER_DEFAULT,
            keep_alive: None,
            subscribed: limits::SUBSCRIPTION_BYTES_DEFAULT,
            retained: limits::RETAINED_BYTES_MAX,
            queued: Some(limits::QUEUED_BYTES_DEFAULT),
            unfinished: limits::UNFINISHED_BYTES_DEFAULT,
        }
    }
}

impl Default for Hardware {
    fn default() -> Self {
        let library = Library::LinuxEmbeddedHal;
        Self { sysfs: "/sys".into(), i2c: library, spi: library }
    }
}

impl Default for Simulation {
    fn default() -> Self {
        Self {
            seed: 7,
            start: None,
            noise: true,
            weather: Climate::USUAL,
            heating: Heating::USUAL,
            places: Vec::new(),
            faults: Vec::new(),
        }
    }
}

/// Programs on this machine without a login, all others by TLS and password.
fn listeners() -> Vec<Listener> {
    let local = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1883);
    let house = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 8883);
    let transport = Transport::Tcp;
    vec![
        Listener { bind: local, tls: None, transport, auth: Policy::Anonymous },
        Listener { bind: house, tls: Some(Tls::Own), transport, auth: Policy::Password },
    ]
}

/// How a sensor with this chip is sampled unless its keys say otherwise.
pub(super) fn sampling(driver: Driver) -> SensorSettings {
    let facts = driver.facts();
    let rules = |quantity| Some(rules(quantity, facts.span(quantity)?));
    let interval = Duration::from_secs(10);
    SensorSettings {
        interval,
        retries: 2,
        heartbeat: Duration::from_secs(5 * 60),
        stale_after: stale_after(interval),
        temperature: self::rules(Quantity::Temperature, facts.temperature),
        humidity: rules(Quantity::Humidity),
        pressure: rules(Quantity::Pressure),
    }
}

/// What is believed and shown of a quantity that a chip measures, unless its keys say otherwise.
pub(super) fn rules(quantity: Quantity, chip: Span) -> Rules {
    let (rate_per_minute, deadband) = match quantity {
        Quantity::Temperature => (30_000, 100),
        // A shower, with the sensor beside it.
        Quantity::Humidity => (60_000, 500),
        // A front moves it by some hectopascals an hour; a door, for a moment, by less than one.
        Quantity::Pressure => (10_000, 100),
    };
    Rules {
        promise: chip.promise,
        lowest: chip.lowest,
        highest: chip.highest,
        rate_per_minute: Some(rate_per_minute),
        calibration: Calibration::Offset(chip.lowest.with(0)),
        median: 1,
        alpha: 1000,
        decimals: 1,
        deadband,
    }
}

/// How far sensors of a room may be apart unless its keys say otherwise: a floor and a ceiling
/// differ by degrees, so nobody is bothered unasked.
pub(super) const TOLERANCE: Tolerance =
    Tolerance { spread: 0, patience: Duration::from_secs(5 * 60) };

/// Default of `stale_after` for an `interval`: three readings missed.
pub(super) fn stale_after(interval: Duration) -> Duration {
    interval.saturating_mul(3).max(STALE_AFTER_MIN)
}
