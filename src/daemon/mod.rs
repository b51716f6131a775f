//! Start, stop, and the loop that joins brain and hands.

pub mod activation;
mod brakes;
mod buses;
mod certificates;
mod clock;
pub mod control;
mod diary;
mod house;
mod hub;
mod journal;
mod keeper;
mod listeners;
pub mod logging;
mod logins;
mod machine;
pub(crate) mod mdns;
mod metrics;
mod observer;
mod people;
pub mod reload;
mod roster;
pub mod service;
pub mod settings;
pub mod signals;
pub mod state;
pub mod status;
pub mod visits;
mod watching;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::access::{Policy, Rights};
use crate::broker::{self, Delays};
use crate::bus::Clock;
use crate::bus::mailbox::Reports;
use crate::bus::thread::BusThread;
use crate::config::{Change, Durability, Listener, Settings, adopted, difference};
use crate::limits::{
    BUS_LATE_MAX, BUS_STOP_TIMEOUT, LAST_WORDS_TIMEOUT, STOP_TIMEOUT, STORE_STOP_TIMEOUT,
};
use crate::mqtt::TopicFilter;
use crate::net::BindError;
use crate::net::tls::TlsError;
use crate::store::OpenError;
use crate::telemetry::EventTopic;
use crate::time::Tick;

use activation::Sockets;
use buses::Buses;
pub(crate) use buses::{World, sensors};
use certificates::Certificates;
pub(crate) use certificates::Findings;
pub(crate) use clock::{SystemClock, wall};
use house::Steward;
use hub::{Hub, Logins};
use keeper::Opened;
use listeners::Listeners;
use logins::Checks;
pub(crate) use machine::{Condition, Machine, Throttled};
use mdns::Announcer;
use metrics::Office;
use observer::{Counter, Physician};
pub(crate) use roster::{Fitted, Roster};
use state::{StateDir, StateError, UsersFile};
use status::{Survey, Trials};
use visits::Visits;

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
    survey: Arc<Survey>,
    addresses: Vec<SocketAddr>,
    certificates: Certificates,
    tasks: JoinSet<()>,
    users: Arc<UsersFile>,
    /// Held, so that no second gateway works on the same folder.
    state: StateDir,
}

/// What a reload changes.
struct Works {
    settings: Settings,
    roster: Roster,
    listeners: Listeners,
    office: Office,
    buses: Buses,
    announcer: Announcer,
    rights: watch::Sender<Rights>,
}

impl Gateway {
    /// Starts everything: ports are taken first, because they fail most; rooms are offline before
    /// anybody can look; sensors are read last. `sockets` are those that are open already.
    pub fn start(settings: &Settings, sockets: Sockets) -> Result<Self, StartError> {
        Self::start_in(settings, sockets, None)
    }

    /// The same on simulated buses, whatever the configuration says, in a house whose clock goes
    /// `speed` times as fast as ours.
    pub fn simulate(settings: &Settings, speed: u32) -> Result<Self, StartError> {
        Self::start_in(settings, Sockets::default(), Some(speed))
    }

    fn start_in(
        settings: &Settings,
        sockets: Sockets,
        speed: Option<u32>,
    ) -> Result<Self, StartError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let state = StateDir::open(&settings.gateway.state_dir)?;
        let users = Arc::new(UsersFile::open(&state)?);
        let certificates = Certificates::new(settings, &clock);
        let meter = Arc::default();
        let mut listeners = Listeners::new(settings, sockets, certificates.clone(), &meter);
        let opened = listeners.prepare(settings, &state)?;
        let addresses = opened.addresses();
        let asked = Office::default().prepare(settings.metrics.as_ref())?;
        let store = Opened::open(&state, settings.broker.durability, &clock)?;
        let store_damage = store.as_ref().and_then(|opened| opened.damage.clone());
        let rights = rights(settings);
        let of_users = rights.clone().for_users(users.current());
        let (rights, of_house) = watch::channel(rights);
        let visits = Visits::open(&state);
        let (hub, logins) = Self::hub(settings, of_users, visits, store, &clock)?;
        let roster = Roster::new(settings);
        let root = &settings.gateway.root;
        let (steward, health) = Steward::new(Arc::clone(&hub), root, &roster, Arc::clone(&clock));
        steward.begin();

        let mut tasks = JoinSet::new();
        if let Some(every) = settings.broker.sys_interval {
            let counter = Counter::start(hub.clone(), Arc::clone(&meter), Arc::clone(&clock));
            tasks.spawn(counter.keep_telling(every));
        }
        listeners.apply(opened, &hub);
        let expiry = certificates.expiry();
        tasks.spawn(certificates.clone().keep_fresh(Arc::clone(&hub)));
        let checks = Checks::start(&hub, &users)?;
        tasks.spawn(checks.answer(logins));
        tasks.spawn(people::follow(Arc::clone(&users), Arc::clone(&hub), of_house));
        tasks.spawn(hub.visits().clone().keep(Arc::clone(&users)));
        let timed = Arc::clone(&hub);
        tasks.spawn(async move { timed.keep_time().await });

        let reports = Arc::new(Reports::default());
        tasks.spawn(Arc::clone(&steward).serve(Arc::clone(&reports)));
        let world = World::new(settings, speed, &clock);
        let mut buses = Buses::new(&settings.hardware.sysfs, &clock, &reports, world);
        buses.fit(&roster).map_err(StartError::Thread)?;
        info!(
            rooms = settings.rooms.len(),
            sensors = roster.sensors().len(),
            buses = buses.len(),
            "started"
        );
        let settings = settings.clone();
        let machine = Machine::new(&settings.hardware.sysfs, &settings.gateway.state_dir);
        let office = Office::default();
        let mut announcer = Announcer::default();
        announcer.apply(&settings, expiry.fingerprint().as_deref());
        let works = Works { settings, roster, listeners, office, buses, announcer, rights };
        let survey = Arc::new(Survey {
            hub,
            clock,
            steward,
            health,
            machine,
            expiry,
            works: Mutex::new(works),
            trials: Trials::default(),
            meter,
            reports,
            is_ready: AtomicBool::new(false),
            store_damage,
            state_dir: state.path().to_owned(),
        });
        tasks.spawn(Physician::of(&survey).keep_telling());
        survey.works().office.apply(asked, &survey);
        Ok(Self { survey, addresses, certificates, tasks, users, state })
    }

    /// Changes what differs in `new`, and says what that is; clients and sensors that are not
    /// concerned do not notice. On an error nothing has changed.
    pub fn reload(&self, new: &Settings) -> Result<Vec<Change>, StartError> {
        let mut works = self.survey.works();
        let mut changes = difference(&works.settings, new);
        let settings = adopted(&works.settings, new);
        state::read_users(self.state.path())?;
        let opened = works.listeners.prepare(&settings, &self.state)?;
        let asked = works.office.prepare(settings.metrics.as_ref())?;
        changes.extend(works.listeners.changes(&opened));
        // From here on nothing is refused any more.
        works.listeners.apply(opened, &self.survey.hub);
        works.office.apply(asked, &self.survey);
        self.survey.hub.reconfigure(allowance(&settings));
        let of_house = rights(&settings);
        if private(&settings) != private(&works.settings) {
            works.rights.send_replace(of_house);
        }
        let roster = works.roster.refitted(&settings);
        self.survey.steward.refit(&roster);
        let fitted = works.buses.fit(&roster);
        works.roster = roster;
        if settings.log.level != works.settings.log.level {
            logging::change(&settings.log.level);
        }
        works.settings = settings;
        let fingerprint = self.survey.expiry.fingerprint();
        works.announce(fingerprint.as_deref());
        let restart = changes.iter().filter_map(Change::restart);
        self.survey.trials.applied(restart.collect());
        fitted.map_err(StartError::Thread)?;
        Ok(changes)
    }

    /// Looks at all certificates again: the command line has changed them.
    pub fn refresh_certificates(&self) -> Result<(), StartError> {
        self.certificates.refresh(&self.survey.hub)?;
        let fingerprint = self.survey.expiry.fingerprint();
        self.survey.works().announce(fingerprint.as_deref());
        Ok(())
    }

    /// The broker with what earlier lives left, its store at work, and the logins it wants checked.
    fn hub(
        settings: &Settings,
        rights: Rights,
        visits: Visits,
        mut store: Option<Opened>,
        clock: &Arc<dyn Clock>,
    ) -> Result<(Arc<Hub>, Logins), StartError> {
        let restored = store.as_mut().map(|opened| std::mem::take(&mut opened.restored));
        let events = EventTopic::new(&settings.gateway.root);
        let (hub, logins) = Hub::new(
            broker_settings(settings, rights),
            Arc::clone(clock),
            events,
            visits,
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
        let asked = self.survey.clock.now();
        let mut buses: Vec<BusThread> = {
            let mut works = self.survey.works();
            works.listeners.stop();
            works.office = Office::default();
            works.announcer.stop();
            works.buses.take().collect()
        };
        buses.iter().for_each(BusThread::ask_to_stop);
        self.survey.steward.end();
        let farewell = async {
            // A client that does not acknowledge must not cost the others their good-bye.
            let _ = tokio::time::timeout(LAST_WORDS_TIMEOUT, self.survey.hub.delivered()).await;
            self.survey.hub.shut_down();
            self.survey.hub.emptied().await;
            self.survey.hub.flushed().await;
        };
        if tokio::time::timeout(STOP_TIMEOUT, farewell).await.is_err() {
            warn!("some clients did not take their last messages");
        }
        self.tasks.shutdown().await;
        self.survey.hub.visits().save(&self.users);
        let left = STORE_STOP_TIMEOUT.saturating_sub(self.survey.clock.now().since(asked));
        self.survey.hub.close_store(left);
        for bus in buses.drain(..) {
            let left = STOP_TIMEOUT.saturating_sub(self.survey.clock.now().since(asked));
            bus.stop(left.min(BUS_STOP_TIMEOUT));
        }
        info!("stopped");
    }
}

impl Works {
    /// As the settings say, with the authority that clients are to trust.
    fn announce(&mut self, fingerprint: Option<&str>) {
        self.announcer.apply(&self.settings, fingerprint);
    }

    /// The first bus whose loop has not gone round for too long, if any.
    fn late_bus(&self, now: Tick) -> Option<String> {
        let late = |bus: &&BusThread| now.since(bus.beat()) > BUS_LATE_MAX;
        self.buses.threads().find(late).map(|bus| bus.name().to_owned())
    }
}

/// Of the house, whoever its users are.
pub(crate) fn rights(settings: &Settings) -> Rights {
    Rights::new(&settings.gateway.root).keeping_private(private(settings))
}

/// What guests do not read. Where the network is let in without a login, what the gateway tells of
/// itself is not for them: on the loopback alone they are who may log in to the board.
fn private(settings: &Settings) -> Vec<TopicFilter> {
    let mut private = settings.broker.private.clone();
    let is_open = |listener: &Listener| {
        listener.auth == Policy::Anonymous && !listener.bind.ip().to_canonical().is_loopback()
    };
    if settings.listeners.iter().any(is_open) {
        let of_gateway = |topic: &str| format!("{}/_gateway/{topic}", settings.gateway.root);
        let own = ["$SYS/#".to_owned(), of_gateway("health"), of_gateway("event")];
        private.extend(own.into_iter().filter_map(|filter| TopicFilter::new(filter).ok()));
    }
    private
}

fn allowance(settings: &Settings) -> broker::Allowance {
    broker::Allowance {
        session_expiry: settings.broker.session_expiry,
        queue_messages: settings.broker.queue_messages,
        queue_bytes: settings.broker.queue_bytes,
        bounds: broker_bounds(settings),
    }
}

fn broker_settings(settings: &Settings, rights: Rights) -> broker::Settings {
    let broker::Allowance { session_expiry, queue_messages, queue_bytes, bounds } =
        allowance(settings);
    broker::Settings {
        session_expiry,
        queue_messages,
        queue_bytes,
        bounds,
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

/// Chance, so that a client which comes back with a name of an earlier life meets nobody else.
fn assigned_prefix() -> Arc<str> {
    use rustix::rand::{GetRandomFlags, getrandom};
    let mut bytes = [0_u8; 8];
    // Without chance the names are only less certain to be new.
    let _ = getrandom(&mut bytes, GetRandomFlags::empty());
    Arc::from(format!("maison-{:016x}", u64::from_be_bytes(bytes)))
}
