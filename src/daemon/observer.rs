//! What the gateway tells about itself in intervals: `$SYS`, and how the machine is. Both begin
//! with one timer each; nothing is read or woken in between.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::certificates::Expiry;
use super::house::Health as Sensors;
use super::hub::Hub;
use super::machine::{self, Condition, Machine};
use crate::broker::Statistics;
use crate::bus::Clock;
use crate::limits::HEALTH_INTERVAL;
use crate::net::{Meter, Metered};
use crate::telemetry::{Counts, Health, Memory, System};
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
        let counts = counts(&self.hub.statistics(), &self.meter.read(), machine::memory());
        self.hub.publish(self.system.tell(self.clock.now(), &counts));
    }
}

fn counts(statistics: &Statistics, wire: &Metered, memory: Option<Memory>) -> Counts {
    let number = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
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
        queued_bytes: number(statistics.queued_bytes),
        retained: number(statistics.retained),
        retained_bytes: number(statistics.retained_bytes),
        own: traffic.messages_own,
        expired: traffic.messages_expired,
        denied: traffic.denied,
        memory,
    }
}

/// Tells how the gateway and its machine are.
pub(super) struct Physician {
    pub hub: Arc<Hub>,
    pub clock: Arc<dyn Clock>,
    /// First levels of its topic.
    pub root: String,
    pub machine: Machine,
    pub certificate: Expiry,
    pub sensors: watch::Receiver<Sensors>,
    /// How many there are.
    pub sensors_total: usize,
}

impl Physician {
    /// Begins when every sensor was tried once, or after a while; then for ever.
    pub(super) async fn keep_telling(mut self) {
        let all = self.sensors_total;
        let tried = self.sensors.wait_for(|sensors| sensors.tried >= all);
        // Late, or gone with the house: what is known is told all the same.
        let _ = timeout(FIRST_TRY_MAX, tried).await;
        let mut ticks = interval(HEALTH_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // A disk that does not answer is not to hold the broker.
            let mut machine = self.machine.clone();
            let Ok(condition) = spawn_blocking(move || machine.look()).await else { continue };
            self.hub.publish([self.health(condition).publication(&self.root)]);
        }
    }

    fn health(&self, condition: Condition) -> Health {
        let Condition { cpu, under_voltage, disk_free } = condition;
        let sensors = self.sensors.borrow();
        let expires = self.certificate.unix_s().map(|seconds| seconds.saturating_mul(1000));
        Health {
            at: self.clock.wall(),
            uptime: self.clock.now().since(Tick::ZERO),
            resident: machine::memory().map(|memory| memory.resident),
            cpu,
            under_voltage,
            disk_free,
            queue_drops: self.hub.statistics().traffic.messages_dropped,
            sensors_ok: sensors.ok,
            sensors_failed: sensors.complaints.len(),
            certificate_expires: expires.map(|unix_ms| Timestamp::new(unix_ms, true)),
        }
    }
}
