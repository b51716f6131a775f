//! The loop between sensors and broker: takes the reports of the bus threads, publishes them, and
//! keeps the sentence that says how the house is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tracing::{info, warn};

use super::hub::Hub;
use crate::bus::Clock;
use crate::bus::mailbox::Reports;
use crate::sampling::{Report, SensorId, Silence, State};
use crate::telemetry::House;
use crate::time::Tick;
use crate::units::Quantity;

/// Longest sleep of the steward: timers of the runtime have an end.
const SLEEP_MAX: Duration = Duration::from_secs(24 * 3600);

/// A sensor as an operator knows it.
#[derive(Clone, Debug)]
pub(super) struct Label {
    /// Slug of its room.
    pub room: Arc<str>,
    /// Its printed address.
    pub address: Arc<str>,
}

/// How the sensors are, for the service manager and the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Health {
    /// Sensors that were tried at least once.
    pub tried: usize,
    /// Sensors whose last reading was good, in all that they measure.
    pub ok: usize,
    /// `room: reason` of each other that was tried.
    pub complaints: Vec<String>,
}

/// Publishes what the buses report, for ever.
pub(super) struct Steward {
    hub: Arc<Hub>,
    house: Arc<Mutex<House>>,
    labels: BTreeMap<SensorId, Label>,
    states: BTreeMap<(SensorId, Quantity), State>,
    silence: Silence,
    /// Losses of the mailbox that were told.
    folded: u64,
    clock: Arc<dyn Clock>,
    health: watch::Sender<Health>,
}

impl Steward {
    /// A steward of `house`, whose sensors are called as `labels` says.
    pub(super) fn new(
        hub: Arc<Hub>,
        house: Arc<Mutex<House>>,
        labels: BTreeMap<SensorId, Label>,
        silence: Silence,
        clock: Arc<dyn Clock>,
    ) -> (Self, watch::Receiver<Health>) {
        let (health, watched) = watch::channel(Health::default());
        let states = BTreeMap::new();
        (Self { hub, house, labels, states, silence, folded: 0, clock, health }, watched)
    }

    /// Takes reports until the task is dropped.
    pub(super) async fn serve(mut self, reports: Arc<Reports>) {
        loop {
            let deadline = self.silence.deadline().unwrap_or(Tick::MAX);
            let wait = deadline.since(self.clock.now()).min(SLEEP_MAX);
            tokio::select! {
                report = reports.next() => {
                    self.silence.handle(self.clock.now(), &report);
                    self.take(&report);
                }
                () = tokio::time::sleep(wait) => {}
            }
            self.tell_folded(reports.folded());
            while let Some(owed) = self.silence.poll(self.clock.now(), self.clock.wall()) {
                self.take(&owed);
            }
        }
    }

    fn take(&mut self, report: &Report) {
        let publications = self.house.lock().unwrap_or_else(PoisonError::into_inner).report(report);
        self.hub.publish(publications);
        let subject = (report.sensor, report.quantity);
        if self.states.get(&subject) != Some(&report.state) {
            self.tell(report);
            self.states.insert(subject, report.state);
            self.health.send_replace(self.health());
        }
    }

    /// Values that newer ones of the same sensor replaced before they could be published.
    fn tell_folded(&mut self, folded: u64) {
        if folded > self.folded {
            warn!(values = folded - self.folded, "the house was slow: older values were dropped");
            self.folded = folded;
        }
    }

    /// One line a change of state, not one a second.
    fn tell(&self, report: &Report) {
        let Some(Label { room, address }) = self.labels.get(&report.sensor) else { return };
        let (room, sensor, of) = (&**room, &**address, report.quantity.name());
        match &report.state {
            State::Unknown => {}
            State::Ok => info!(room, sensor, of, "sensor is well"),
            State::Suspect(reason) => {
                info!(room, sensor, of, reason = reason.name(), "sensor gave a bad reading");
            }
            State::Stale => warn!(room, sensor, of, "sensor is silent"),
            State::Failed(reason) => {
                warn!(room, sensor, of, reason = reason.name(), "sensor has failed");
            }
        }
    }

    fn health(&self) -> Health {
        let mut sensors: BTreeMap<SensorId, bool> = BTreeMap::new();
        let tried = self.states.iter().filter(|(_, state)| **state != State::Unknown);
        for ((sensor, _), state) in tried {
            *sensors.entry(*sensor).or_insert(true) &= *state == State::Ok;
        }
        let ok = sensors.values().filter(|is_well| **is_well).count();
        let complaints = self.states.iter().filter_map(|((sensor, quantity), state)| {
            let reason = match state {
                State::Unknown | State::Ok => return None,
                State::Stale => "silent",
                State::Suspect(reason) | State::Failed(reason) => reason.name(),
            };
            let room = self.labels.get(sensor).map(|label| &*label.room)?;
            Some(match quantity {
                Quantity::Temperature => format!("{room}: {reason}"),
                Quantity::Humidity | Quantity::Pressure => {
                    format!("{room}: {}: {reason}", quantity.name())
                }
            })
        });
        Health { tried: sensors.len(), ok, complaints: complaints.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Rights;
    use crate::broker::record::Restored;
    use crate::broker::{Bounds, Settings};
    use crate::bus::clock::ManualClock;
    use crate::config;
    use crate::telemetry::{EventTopic, Room, Sensor};

    const A: SensorId = SensorId(0);

    /// As when the kernel does not come back from a read.
    #[tokio::test(start_paused = true)]
    async fn a_bus_that_hangs_makes_its_rooms_stale() {
        let clock = Arc::new(ManualClock::default());
        let its_clock: Arc<dyn Clock> = clock.clone();
        let settings = Settings {
            session_expiry: Duration::ZERO,
            queue_messages: None,
            queue_bytes: None,
            bounds: Bounds::default(),
            assigned_prefix: "assigned".into(),
            rights: Rights::new("maison"),
            keeping: crate::broker::Keeping::Nothing,
        };
        let events = EventTopic::new("maison");
        let (hub, _logins) =
            Hub::new(settings, Arc::clone(&its_clock), events, Restored::default());
        let (room, address): (Arc<str>, Arc<str>) = ("salon".into(), "28-1".into());
        let quantities = vec![Quantity::Temperature];
        let sensors = vec![Sensor { id: A, address: Arc::clone(&address), quantities }];
        let house = House::new("maison", &[Room { slug: Arc::clone(&room), sensors }]);
        let label = Label { room, address };
        let source = "[[rooms.salon.sensors]]\ndriver = \"sht3x\"\nbus = \"i2c-1\"";
        let source = config::Source { path: "a.toml".into(), text: source.into() };
        let sampling = config::parse(&[source]).unwrap().rooms[0].sensors[0].sampling.clone();
        let silence = Silence::new([(A, &sampling)], clock.now());
        let labels = BTreeMap::from([(A, label)]);
        let house = Arc::new(Mutex::new(house));
        let (steward, mut health) = Steward::new(hub, house, labels, silence, its_clock);
        let serving = tokio::spawn(steward.serve(Arc::new(Reports::default())));
        clock.advance(Duration::from_secs(60));
        let silent = health.wait_for(|health| health.complaints == ["salon: silent"]);
        tokio::time::timeout(Duration::from_secs(60), silent).await.unwrap().unwrap();
        serving.abort();
    }
}
