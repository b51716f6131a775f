//! TOML text → checked settings. What is written is in `schema`, what is meant is here, what is
//! wrong is said by `report`.

mod amount;
mod check;
mod complaint;
mod defaults;
mod difference;
mod document;
mod effective;
mod log;
mod manual;
mod report;
mod schema;
mod suggestion;
mod syntax;
mod words;
mod written;

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

pub use check::slug_fault;
pub use difference::{Change, adopted, difference, paired_listeners};
pub(crate) use effective::quoted;
pub use log::{LogFilter, LogFilterError, LogFormat};
pub use manual::{Chapter, json_schema, manual};
pub use report::{Mistake, Position, Report};
pub(crate) use suggestion::{nearest, one_of, slug};
pub use words::policy_word;
use written::Written;

use crate::access::Policy;
use crate::limits::PACKET_BYTES_MAX;
use crate::mqtt::TopicFilter;
use crate::sampling::{Combination, SensorSettings, Tolerance};
use crate::sensors::Address;
use crate::sensors::catalog::Driver;
use crate::sensors::element::Element;
use crate::sim::script::Episode;
use crate::sim::weather::{Climate, Heating, Place};

/// A file of the configuration, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// As messages name it.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
}

/// The state folder that one line names, whatever the others are.
pub fn named_state_dir(line: &str) -> Option<PathBuf> {
    let line = line.trim();
    let line = line.strip_prefix("gateway.").unwrap_or(line);
    let table = toml::from_str::<toml::Table>(line).ok()?;
    table.get("state_dir")?.as_str().map(PathBuf::from)
}

/// The settings that `sources` mean together: the main file and the files of `conf.d`, in order.
/// Their tables are merged, listeners and sensors are appended, and any other key may be set in one
/// of them only. Without any source: the defaults.
///
/// The error names everything that is wrong, not the first mistake only.
pub fn parse(sources: &[Source]) -> Result<Settings, Report> {
    let mut complaints = complaint::Complaints::default();
    let document = document::read(sources, &mut complaints);
    let settings = schema::File::read(document, &mut complaints)
        .map(|file| check::settings(&file, &mut complaints))
        .unwrap_or_default();
    complaints.into_report(sources).map_or(Ok(settings), Err)
}

/// All that an operator can set, checked: nothing below asks again.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `[gateway]`.
    pub gateway: Gateway,
    /// `[broker]`.
    pub broker: Broker,
    /// `[hardware]`.
    pub hardware: Hardware,
    /// `[log]`.
    pub log: Log,
    /// `[metrics]`; `None`: there are none.
    pub metrics: Option<Metrics>,
    /// `announce` of `[mdns]`.
    pub announce: Announce,
    /// `[simulation]`.
    pub simulation: Simulation,
    /// `[[listener]]`, in order; one at least.
    pub listeners: Vec<Listener>,
    /// `[rooms.*]`, in order of their slugs.
    pub rooms: Vec<Room>,
}

/// `[gateway]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Gateway {
    /// First level(s) of the gateway's own topics.
    pub root: String,
    /// CA, users, store, history.
    pub state_dir: PathBuf,
    /// Whether a changed file is a reload.
    pub watch_files: bool,
}

/// `[broker]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Broker {
    /// What an acknowledgement promises.
    pub durability: Durability,
    /// Largest packet accepted, in bytes.
    pub max_packet_size: u32,
    /// How long a session outlives its connection.
    pub session_expiry: Duration,
    /// Messages queued for one absent client; `None`: no bound.
    pub queue_messages: Option<usize>,
    /// Bytes queued for one absent client; `None`: no bound.
    pub queue_bytes: Option<usize>,
    /// How often `$SYS` tells what has changed; `None`: never.
    pub sys_interval: Option<Duration>,
    /// What a client without a login may not read.
    pub private: Vec<TopicFilter>,
    /// `[broker.limits]`.
    pub limits: Limits,
}

impl Broker {
    /// Largest packet accepted, header included. The highest that can be asked for is a round
    /// number a few bytes below what the protocol can say, and means all that it can.
    pub fn packet_bytes_max(&self) -> u32 {
        const HIGHEST: u32 = PACKET_BYTES_MAX / (1024 * 1024) * (1024 * 1024);
        if self.max_packet_size == HIGHEST { PACKET_BYTES_MAX } else { self.max_packet_size }
    }
}

/// `[broker.limits]`: what one peer, or all of them together, may take.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Connections at a time.
    pub connections: usize,
    /// Connections at a time from one address; at most `connections`.
    pub connections_per_address: usize,
    /// Longest a TLS handshake may take, and then a CONNECT.
    pub connect_timeout: Duration,
    /// Largest packet before login, in bytes; at most `max_packet_size`.
    pub packet_before_login: u32,
    /// Sessions at a time, absent ones included; at least `connections`.
    pub sessions: usize,
    /// Sessions of one user at a time; at most `sessions`.
    pub sessions_per_user: usize,
    /// Topic filters of one client.
    pub subscriptions: usize,
    /// Levels of a topic.
    pub topic_levels: usize,
    /// QoS 1 and 2 messages under way to one client.
    pub inflight: usize,
    /// QoS 2 messages under way from a 5.0 client.
    pub receive_maximum: NonZeroU16,
    /// Topic aliases of a 5.0 client.
    pub topic_aliases: u16,
    /// Longest keep alive of a 5.0 client, in whole seconds; `None`: as it likes.
    pub keep_alive: Option<Duration>,
    /// Bytes of the topic filters of all clients together.
    pub subscribed: usize,
    /// Bytes of retained messages.
    pub retained: usize,
    /// Bytes queued for all clients together; `None`: no bound.
    pub queued: Option<usize>,
    /// Bytes of large packets, of all connections together, that have not arrived as a whole.
    pub unfinished: usize,
}

/// What an acknowledgement promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Kept across a pulled plug.
    PowerCut,
    /// Kept across `kill -9`.
    Crash,
    /// Kept while the process lives.
    Memory,
}

/// `[hardware]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Hardware {
    /// Where the kernel's files are.
    pub sysfs: PathBuf,
    /// What talks over I²C.
    pub i2c: Library,
    /// What talks over SPI.
    pub spi: Library,
}

/// What talks to a bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// `linux-embedded-hal`: the kernel's devices, on any board.
    LinuxEmbeddedHal,
    /// `rppal`: a Raspberry Pi's.
    Rppal,
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// What is logged.
    pub level: LogFilter,
    /// How.
    pub format: LogFormat,
}

/// `[metrics]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// Address and port.
    pub bind: SocketAddr,
}

/// `announce` of `[mdns]`: where listeners are announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announce {
    /// On addresses of private networks.
    Private,
    /// On all.
    Always,
    /// Nowhere.
    Off,
}

/// `[simulation]`: what the house is like where its buses are simulated.
#[derive(Clone, Debug, PartialEq)]
pub struct Simulation {
    /// Determines weather, noise and chance.
    pub seed: u64,
    /// What its clock shows at the start, in milliseconds since 1970; `None`: now.
    pub start: Option<u64>,
    /// Whether bits flip and addresses go unheard now and then.
    pub noise: bool,
    /// What it is like outside.
    pub weather: Climate,
    /// What the thermostats are set to.
    pub heating: Heating,
    /// Where sensors hang.
    pub places: Vec<(Target, Place)>,
    /// What goes wrong.
    pub faults: Vec<(Target, Episode)>,
}

/// Whom something befalls in a simulated house.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Slug of a room.
    pub room: String,
    /// One of its sensors; `None`: all.
    pub sensor: Option<Address>,
}

impl Target {
    /// Whether a sensor is meant.
    pub fn is(&self, room: &str, sensor: &Address) -> bool {
        self.room == room && self.sensor.as_ref().is_none_or(|mine| mine == sensor)
    }
}

/// `[[listener]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Listener {
    /// Address and port.
    pub bind: SocketAddr,
    /// `None`: plain TCP.
    pub tls: Option<Tls>,
    /// What carries the packets.
    pub transport: Transport,
    /// Who is let in.
    pub auth: Policy,
}

/// `websocket` of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP, or TLS over it.
    Tcp,
    /// WebSocket over either.
    WebSocket,
}

/// `tls` of a listener.
#[derive(Clone, Debug, PartialEq)]
pub enum Tls {
    /// A certificate of our own CA, which also signs the clients'.
    Own,
    /// An administrator's.
    Files {
        /// PEM chain.
        certificate: PathBuf,
        /// PEM key.
        key: PathBuf,
        /// PEM of the authorities of client certificates; `None`: our own CA.
        client_ca: Vec<PathBuf>,
        /// Revocation lists of those authorities.
        client_crl: Vec<PathBuf>,
    },
}

/// `[rooms.<slug>]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Room {
    /// As in its topics.
    pub slug: String,
    /// As people call it.
    pub name: String,
    /// What its value is where it has several sensors.
    pub combine: Combination,
    /// How far they may be apart.
    pub tolerance: Tolerance,
    /// In order; none is allowed.
    pub sensors: Vec<Sensor>,
}

/// `[[rooms.<slug>.sensors]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sensor {
    /// Which chip.
    pub driver: Driver,
    /// Which bus it hangs on.
    pub bus: Bus,
    /// Where on that bus.
    pub address: Address,
    /// What hangs at its input, where it has some.
    pub element: Option<Element>,
    /// How it is sampled.
    pub sampling: SensorSettings,
}

/// `bus` of a sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bus {
    /// `w1`: the kernel's 1-Wire files.
    Kernel1Wire,
    /// `gpioN`: 1-Wire on a pin.
    Gpio(u8),
    /// `i2c-N`: `/dev/i2c-N`.
    I2c(u8),
    /// `spi-N.M`: `/dev/spidevN.M`.
    Spi {
        /// N, the bus.
        bus: u8,
        /// M, the chip select.
        select: u8,
    },
    /// `hwmon`: the kernel's hardware monitoring.
    Hwmon,
    /// `iio`: the kernel's industrial input and output.
    Iio,
    /// `thermal`: the kernel's thermal zones.
    Thermal,
    /// `simulated`.
    Simulated,
}
