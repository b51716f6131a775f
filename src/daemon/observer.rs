//! What the gateway tells about itself in intervals: `$SYS`, and how the machine is. Both begin
//! with one timer each; nothing is read or woken in between.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::house::Health as Sensors;
use super::hub::Hub;
use super::machine::{self, Condition};
use super::status::Survey;
use crate::broker::Statistics;
use crate::broker::record::Trouble;
use crate::bus::Clock;
use crate::limits::HEALTH_INTERVAL;
use crate::net::{Meter, Metered};
use crate::store::Pace;
use crate::telemetry::{Counts, Health, Memory, Store, System};
use crate::time::{Tick, Timestamp};

/// Longest the first word on health waits for the sensors to be tried: it would call them neither
/// well nor failed.
const FIRST_TRY_MAX: Duration = Duration::from_secs(30);

/// Tells what the broker counts.
pub(super) struct Counter {
    hub: Arc<Hub>,
    meter: Arc<Meter>,
    clock: Arc<dyn Clock>,
    system: System,
}

impl Counter {
    /// Publishes the whole tree; to be called before anybody can look.
    pub(super) fn start(hub: Arc<Hub>, meter: Arc<Meter>, clock: Arc<dyn Clock>) -> Self {
        let system = System::new(clock.now());
        let mut counter = Self { hub, meter, clock, system };
        counter.tell();
        counter
    }

    /// Publishes what has changed, for ever.
    pub(super) async fn keep_telling(mut self, every: Duration) {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await; // the first is over at once
        loop {
            ticks.tick().await;
            self.tell();
        }
    }

    fn tell(&mut self) {
        let store = self.hub.store_pace();
        let wire = self.meter.read();
        let counts = counts(&self.hub.statistics(), store.as_ref(), &wire, machine::memory());
        self.hub.publish(self.system.tell(self.clock.now(), &counts));
    }
}

fn number(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// What is told of the store.
pub(super) fn store(statistics: &Statistics, pace: &Pace) -> Store {
    let (figures, traffic) = (&pace.figures, &statistics.traffic);
    Store {
        state: match statistics.trouble {
            None => "ok",
            Some(Trouble::Full) => "full",
            Some(Trouble::ReadOnly) => "read-only",
            Some(Trouble::Failed) => "failed",
        },
        bytes_written: figures.bytes_written,
        syncs: figures.syncs,
        commits: figures.commits,
        failures: figures.failures,
        commit_max: pace.max,
        commit_total: pace.total,
        changes_noted: traffic.changes_noted,
        changes_spared: traffic.changes_spared,
        changes_waiting: number(statistics.changes_waiting),
        answers_waiting: number(statistics.answers_waiting),
        refused: traffic.messages_unkept,
        queued: number(statistics.queued.saturating_sub(statistics.queued_in_memory)),
        damaged: figures.damaged,
        file_bytes: figures.file_bytes,
        free_bytes: figures.free_bytes,
        log_bytes: figures.log_bytes,
    }
}

/// What is told of all that was counted.
pub(super) fn counts(
    statistics: &Statistics,
    pace: Option<&Pace>,
    wire: &Metered,
    memory: Option<Memory>,
) -> Counts {
    let traffic = &statistics.traffic;
    Counts {
        connections: number(statistics.connections),
        sockets: wire.sockets,
        connects: traffic.connects,
        sessions: number(statistics.sessions),
        sessions_expired: traffic.sessions_expired,
        sessions_discarded: traffic.sessions_discarded,
        clients_connected: number(statistics.clients_connected),
        clients_maximum: traffic.clients_maximum,
        subscriptions: number(statistics.subscriptions),
        shared_subscriptions: number(statistics.shared_subscriptions),
        packets_received: traffic.packets_received,
        packets_sent: traffic.packets_sent,
        publish_received: traffic.messages_received,
        publish_sent: traffic.messages_sent,
        publish_dropped: traffic.messages_dropped,
        payload_bytes_received: traffic.payload_bytes_received,
        payload_bytes_sent: traffic.payload_bytes_sent,
        bytes_received: wire.bytes_received,
        bytes_sent: wire.bytes_sent,
        inflight: number(statistics.inflight),
        queued: number(statistics.queued),
        queued_in_memory: number(statistics.queued_in_memory),
        queued_bytes: number(statistics.queued_bytes),
        retained: number(statistics.retained),
        retained_bytes: number(statistics.retained_bytes),
        own: traffic.messages_own,
        expired: traffic.messages_expired,
        denied: traffic.denied,
        memory,
        store: pace.map(|pace| store(statistics, pace)),
    }
}

/// Tells how the gateway and its machine are.
pub(super) struct Physician {
    survey: Arc<Survey>,
    sensors: watch::Receiver<Sensors>,
    /// First levels of its topic.
    root: String,
    /// Sensors at the start.
    sensors_total: usize,
}

impl Physician {
    /// Of that gateway.
    pub(super) fn of(survey: &Arc<Survey>) -> Self {
        let works = survey.works();
        Self {
            survey: Arc::clone(survey),
            sensors: survey.health.clone(),
            root: works.settings.gateway.root.clone(),
            sensors_total: works.roster.sensors().len(),
        }
    }

    /// Begins when every sensor was tried once, or after a while; then for ever, and at once when
    /// the store fails or works again.
    pub(super) async fn keep_telling(mut self) {
        let all = self.sensors_total;
        let tried = self.sensors.wait_for(|sensors| sensors.tried >= all);
        // Late, or gone with the house: what is known is told all the same.
        let _ = timeout(FIRST_TRY_MAX, tried).await;
        let mut ticks = interval(HEALTH_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.survey.hub.troubled() => {}
            }
            // A disk that does not answer is not to hold the broker.
            let mut machine = self.survey.machine.clone();
            let Ok(condition) = spawn_blocking(move || machine.look()).await else { continue };
            self.survey.hub.publish([self.health(condition).publication(&self.root)]);
        }
    }

    fn health(&self, condition: Condition) -> Health {
        let Condition { cpu, under_voltage, disk_free, .. } = condition;
        let Survey { hub, clock, expiry, store_damage, .. } = &*self.survey;
        let statistics = hub.statistics();
        let sensors = self.sensors.borrow();
        let expires = expiry.unix_s().map(|seconds| seconds.saturating_mul(1000));
        Health {
            at: clock.wall(),
            uptime: clock.now().since(Tick::ZERO),
            resident: machine::memory().map(|memory| memory.resident),
            cpu,
            under_voltage,
            disk_free,
            store: hub.store_pace().map(|pace| store(&statistics, &pace)),
            store_damage: store_damage.clone(),
            queue_drops: statistics.traffic.messages_dropped,
            sensors_ok: sensors.ok,
            sensors_failed: sensors.complaints.len(),
            certificate_expires: expires.map(|unix_ms| Timestamp::new(unix_ms, true)),
        }
    }
}
