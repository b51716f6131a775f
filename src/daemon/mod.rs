//! Start, stop, and the loop that joins brain and hands.

mod brakes;
mod buses;
mod certificates;
mod clock;
mod house;
mod hub;
mod journal;
mod keeper;
mod logins;
mod machine;
mod observer;
mod people;
pub mod service;
pub mod settings;
pub mod signals;
pub mod state;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::access::Rights;
use crate::broker::{self, Delays};
use crate::bus::Clock;
use crate::bus::mailbox::Reports;
use crate::bus::thread::BusThread;
use crate::config::{Durability, Settings};
use crate::limits::{BUS_STOP_TIMEOUT, LAST_WORDS_TIMEOUT, STOP_TIMEOUT, STORE_STOP_TIMEOUT};
use crate::net::tls::TlsError;
use crate::net::{self, Admission, BindError, Bound, Listener, Service, Stop, Transport};
use crate::sampling::{SensorId, Silence};
use crate::store::OpenError;
use crate::telemetry::{EventTopic, House, Room, Sensor};
use crate::time::Tick;

use certificates::Certificates;
use clock::SystemClock;
pub(crate) use clock::wall;
use house::{Health, Label, Steward};
use hub::{Hub, Logins};
use keeper::Opened;
use logins::Checks;
use machine::Machine;
use observer::{Counter, Physician};
use state::{StateDir, StateError, UsersFile};

/// Why a gateway did not start. Its text says what, why, and a hint.
#[derive(Debug)]
pub enum StartError {
    /// The state folder, or a file in it.
    State(StateError),
    /// Certificates.
    Tls(TlsError),
    /// A listener.
    Bind(BindError),
    /// The store of sessions, queues and retained messages.
    Store(OpenError),
    /// A thread.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(error) => error.fmt(formatter),
            Self::Tls(error) => error.fmt(formatter),
            Self::Bind(error) => error.fmt(formatter),
            Self::Store(error) => error.fmt(formatter),
            Self::Thread(error) => write!(formatter, "cannot start a thread: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<TlsError> for StartError {
    fn from(error: TlsError) -> Self {
        Self::Tls(error)
    }
}

impl From<BindError> for StartError {
    fn from(error: BindError) -> Self {
        Self::Bind(error)
    }
}

impl From<OpenError> for StartError {
    fn from(error: OpenError) -> Self {
        Self::Store(error)
    }
}

impl From<StateError> for StartError {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}

/// A gateway at work. Dropped without [`Gateway::stop`] it ends without a word to its clients.
pub struct Gateway {
    rooms: usize,
    sensors: usize,
    clock: Arc<dyn Clock>,
    hub: Arc<Hub>,
    house: Arc<Mutex<House>>,
    health: watch::Receiver<Health>,
    addresses: Vec<SocketAddr>,
    buses: Vec<BusThread>,
    accepting: Stop,
    tasks: JoinSet<()>,
    /// Held, so that no second gateway works on the same folder.
    _state: StateDir,
}

impl Gateway {
    /// Starts everything: ports are taken first, because they fail most; rooms are offline before
    /// anybody can look; sensors are read last.
    pub fn start(settings: &Settings) -> Result<Self, StartError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let state = StateDir::open(&settings.gateway.state_dir)?;
        let users = Arc::new(UsersFile::open(&state)?);
        let mut certificates = Certificates::new(settings, &clock);
        let listeners = bind(settings, &state, &mut certificates)?;
        let addresses = listeners.iter().filter_map(|bound| bound.local_addr().ok()).collect();
        let store = Opened::open(&state, settings.broker.durability, &clock)?;
        let store_damage = store.as_ref().and_then(|opened| opened.damage.clone());
        let rights = rights(settings);
        let of_users = rights.clone().for_users(users.current());
        let (hub, logins) = Self::hub(settings, of_users, store, &clock)?;
        let house = House::new(&settings.gateway.root, &rooms(settings));
        let house = Arc::new(Mutex::new(house));
        hub.publish(lock(&house).start(clock.wall()));

        let (mut tasks, accepting, meter) = (JoinSet::new(), Stop::new(), Arc::default());
        if let Some(every) = settings.broker.sys_interval {
            let counter = Counter::start(hub.clone(), Arc::clone(&meter), Arc::clone(&clock));
            tasks.spawn(counter.keep_telling(every));
        }
        for listener in listeners {
            let service: Arc<dyn Service> = hub.clone();
            tasks.spawn(listener.metered(&meter).serve(service, accepting.clone()));
        }
        let certificate = certificates.expiry();
        tasks.spawn(certificates.keep_fresh());
        let checks = Checks::start(&hub, &users).map_err(StartError::Thread)?;
        tasks.spawn(checks.answer(logins));
        tasks.spawn(people::follow(users, Arc::clone(&hub), rights));
        let timed = Arc::clone(&hub);
        tasks.spawn(async move { timed.keep_time().await });

        let reports = Arc::new(Reports::default());
        let (steward, health) = Steward::new(
            Arc::clone(&hub),
            Arc::clone(&house),
            labels(settings),
            silence(settings, clock.now()),
            Arc::clone(&clock),
        );
        tasks.spawn(steward.serve(Arc::clone(&reports)));
        let buses = buses::start(settings, &clock, &reports).map_err(StartError::Thread)?;
        let sensors = settings.rooms.iter().map(|room| room.sensors.len()).sum();
        let physician = Physician {
            hub: Arc::clone(&hub),
            clock: Arc::clone(&clock),
            root: settings.gateway.root.clone(),
            machine: Machine::new(&settings.hardware.sysfs, &settings.gateway.state_dir),
            certificate,
            store_damage,
            sensors: health.clone(),
            sensors_total: sensors,
        };
        tasks.spawn(physician.keep_telling());
        info!(rooms = settings.rooms.len(), sensors, buses = buses.len(), "started");
        Ok(Self {
            rooms: settings.rooms.len(),
            sensors,
            clock,
            hub,
            house,
            health,
            addresses,
            buses,
            accepting,
            tasks,
            _state: state,
        })
    }

    /// The broker with what earlier lives left, its store at work, and the logins it wants checked.
    fn hub(
        settings: &Settings,
        rights: Rights,
        mut store: Option<Opened>,
        clock: &Arc<dyn Clock>,
    ) -> Result<(Arc<Hub>, Logins), StartError> {
        let restored = store.as_mut().map(|opened| std::mem::take(&mut opened.restored));
        let events = EventTopic::new(&settings.gateway.root);
        let (hub, logins) = Hub::new(
            broker_settings(settings, rights),
            Arc::clone(clock),
            events,
            restored.unwrap_or_default(),
        );
        if let Some(store) = store {
            store.start(&hub, clock).map_err(StartError::Thread)?;
        }
        Ok((hub, logins))
    }

    /// Where it listens, in the order of the configuration.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Publishes the last words, lets them leave, and ends all threads and tasks: within
    /// [`STOP_TIMEOUT`] and a little.
    pub async fn stop(mut self) {
        let asked = self.clock.now();
        self.accepting.stop();
        for bus in &self.buses {
            bus.ask_to_stop();
        }
        self.hub.publish(lock(&self.house).stop(self.clock.wall()));
        let farewell = async {
            // A client that does not acknowledge must not cost the others their good-bye.
            let _ = tokio::time::timeout(LAST_WORDS_TIMEOUT, self.hub.delivered()).await;
            self.hub.shut_down();
            self.hub.emptied().await;
            self.hub.flushed().await;
        };
        if tokio::time::timeout(STOP_TIMEOUT, farewell).await.is_err() {
            warn!("some clients did not take their last messages");
        }
        self.tasks.shutdown().await;
        let left = STORE_STOP_TIMEOUT.saturating_sub(self.clock.now().since(asked));
        self.hub.close_store(left);
        for bus in self.buses {
            let left = STOP_TIMEOUT.saturating_sub(self.clock.now().since(asked));
            bus.stop(left.min(BUS_STOP_TIMEOUT));
        }
        info!("stopped");
    }

    /// The first bus whose loop has not gone round for `patience` past its time, if any.
    fn late_bus(&self, patience: Duration) -> Option<&str> {
        let now = self.clock.now();
        let late = |bus: &&BusThread| now.since(bus.beat()) > patience;
        self.buses.iter().find(late).map(BusThread::name)
    }
}

fn lock(house: &Mutex<House>) -> std::sync::MutexGuard<'_, House> {
    house.lock().unwrap_or_else(PoisonError::into_inner)
}

fn bind(
    settings: &Settings,
    state: &StateDir,
    certificates: &mut Certificates,
) -> Result<Vec<Bound>, StartError> {
    let admission = Admission::new(net_bounds(settings));
    let mut bound = Vec::new();
    for listener in &settings.listeners {
        let tls = certificates.of_listener(listener, state)?;
        let is_encrypted = tls.is_some();
        let listening = Listener {
            name: Arc::from(listener.bind.to_string()),
            bind: listener.bind,
            policy: listener.auth,
            tls,
            transport: transport(listener),
            packet_bytes_max: settings.broker.packet_bytes_max(),
        };
        let listening = Bound::bind(listening, &admission)?;
        if let Ok(address) = listening.local_addr() {
            let websocket = listener.transport == crate::config::Transport::WebSocket;
            info!(%address, tls = is_encrypted, websocket, auth = ?listener.auth, "listening");
        }
        bound.push(listening);
    }
    Ok(bound)
}

fn transport(listener: &crate::config::Listener) -> Transport {
    match listener.transport {
        crate::config::Transport::Tcp => Transport::Tcp,
        crate::config::Transport::WebSocket => Transport::WebSocket,
    }
}

/// Of the house, whoever its users are.
pub(crate) fn rights(settings: &Settings) -> Rights {
    Rights::new(&settings.gateway.root).keeping_private(settings.broker.private.clone())
}

fn broker_settings(settings: &Settings, rights: Rights) -> broker::Settings {
    broker::Settings {
        session_expiry: settings.broker.session_expiry,
        queue_messages: settings.broker.queue_messages,
        queue_bytes: settings.broker.queue_bytes,
        bounds: broker_bounds(settings),
        assigned_prefix: assigned_prefix(),
        rights,
        keeping: match settings.broker.durability {
            Durability::PowerCut | Durability::Crash => broker::Keeping::All(Delays::default()),
            Durability::Memory => broker::Keeping::Nothing,
        },
    }
}

fn broker_bounds(settings: &Settings) -> broker::Bounds {
    let limits = &settings.broker.limits;
    broker::Bounds {
        connect_timeout: limits.connect_timeout,
        sessions: limits.sessions,
        sessions_per_user: limits.sessions_per_user,
        subscriptions_per_session: limits.subscriptions,
        topic_levels: limits.topic_levels,
        inflight_to_client: limits.inflight,
        receive_maximum: limits.receive_maximum,
        topic_alias_maximum: limits.topic_aliases,
        packet_bytes: settings.broker.max_packet_size,
        keep_alive: limits.keep_alive,
        subscription_bytes: limits.subscribed,
        retained_bytes: limits.retained,
        queued_bytes: limits.queued,
    }
}

fn net_bounds(settings: &Settings) -> net::Bounds {
    let limits = &settings.broker.limits;
    net::Bounds {
        connections: limits.connections,
        connections_per_address: limits.connections_per_address,
        connect_timeout: limits.connect_timeout,
        packet_bytes_before_login: limits.packet_before_login,
        unfinished_bytes: limits.unfinished,
    }
}

/// Chance, so that a client which comes back with a name of an earlier life meets nobody else.
fn assigned_prefix() -> Arc<str> {
    use rustix::rand::{GetRandomFlags, getrandom};
    let mut bytes = [0_u8; 8];
    // Without chance the names are only less certain to be new.
    let _ = getrandom(&mut bytes, GetRandomFlags::empty());
    Arc::from(format!("maison-{:016x}", u64::from_be_bytes(bytes)))
}

/// Sensors are numbered in the order of the configuration.
fn sensors(settings: &Settings) -> impl Iterator<Item = (SensorId, &str, &crate::config::Sensor)> {
    let rooms = settings.rooms.iter();
    let sensors =
        rooms.flat_map(|room| room.sensors.iter().map(move |sensor| (&*room.slug, sensor)));
    sensors.enumerate().map(|(number, (room, sensor))| (SensorId(number), room, sensor))
}

fn rooms(settings: &Settings) -> Vec<Room> {
    let of_room = |slug: &str| {
        let mine = sensors(settings).filter(|(_, room, _)| *room == slug);
        let sensor = |(id, _, sensor): (SensorId, &str, &crate::config::Sensor)| Sensor {
            id,
            address: Arc::from(sensor.address.to_string()),
            quantities: sensor.sampling.rules().map(|(quantity, _)| quantity).collect(),
        };
        mine.map(sensor).collect()
    };
    let room = |room: &crate::config::Room| Room {
        slug: Arc::from(&*room.slug),
        sensors: of_room(&room.slug),
    };
    settings.rooms.iter().map(room).collect()
}

fn labels(settings: &Settings) -> BTreeMap<SensorId, Label> {
    let label = |(id, room, sensor): (SensorId, &str, &crate::config::Sensor)| {
        let address = Arc::from(sensor.address.to_string());
        (id, Label { room: Arc::from(room), address })
    };
    sensors(settings).map(label).collect()
}

fn silence(settings: &Settings, now: Tick) -> Silence {
    Silence::new(sensors(settings).map(|(id, _, sensor)| (id, &sensor.sampling)), now)
}
