//! The loop between sensors and broker: takes the reports of the bus threads, publishes them, and
//! keeps the sentence that says how the house is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tracing::{info, warn};

use super::diary::Diary;
use super::hub::Hub;
use super::roster::Roster;
use crate::bus::Clock;
use crate::bus::mailbox::Reports;
use crate::sampling::{Reason, Report, SensorId, Silence, State};
use crate::telemetry::{Alarm, House, SeenRoom};
use crate::time::Tick;
use crate::units::{MilliCelsius, Quantity};

/// Longest sleep of the steward: timers of the runtime have an end.
const SLEEP_MAX: Duration = Duration::from_secs(24 * 3600);

/// When each quantity of each sensor last had a value.
pub(super) type Heard = BTreeMap<(SensorId, Quantity), Tick>;

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
    /// Rooms that there are.
    pub rooms: usize,
    /// Sensors that there are.
    pub sensors: usize,
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
    clock: Arc<dyn Clock>,
    health: watch::Sender<Health>,
    refitted: Notify,
    care: Mutex<Care>,
}

/// What a steward knows of its house.
struct Care {
    house: House,
    rooms: usize,
    labels: BTreeMap<SensorId, Label>,
    states: BTreeMap<(SensorId, Quantity), State>,
    heard: Heard,
    diary: Diary,
    silence: Silence,
    /// Losses of the mailbox that were told.
    folded: u64,
}

impl Steward {
    /// A steward of the house with these sensors, whose topics begin with `root`.
    pub(super) fn new(
        hub: Arc<Hub>,
        root: &str,
        roster: &Roster,
        clock: Arc<dyn Clock>,
    ) -> (Arc<Self>, watch::Receiver<Health>) {
        let rooms = roster.rooms();
        let care = Care {
            house: House::new(root, &rooms),
            rooms: rooms.len(),
            labels: roster.labels(),
            states: BTreeMap::new(),
            heard: Heard::new(),
            diary: Diary::default(),
            silence: Silence::new(roster.sampling(), clock.now()),
            folded: 0,
        };
        let (health, watched) = watch::channel(care.health());
        let (refitted, care) = (Notify::new(), Mutex::new(care));
        (Arc::new(Self { hub, clock, health, refitted, care }), watched)
    }

    /// The first words: every room offline until a first good reading.
    pub(super) fn begin(&self) {
        let mut care = self.lock();
        self.hub.publish(care.house.start(self.clock.wall()));
    }

    /// The last words.
    pub(super) fn end(&self) {
        let mut care = self.lock();
        self.hub.publish(care.house.stop(self.clock.wall()));
    }

    /// These rooms and sensors from now on; those that stay go on without a gap.
    pub(super) fn refit(&self, roster: &Roster) {
        let mut care = self.lock();
        let rooms = roster.rooms();
        self.hub.publish(care.house.refit(&rooms, self.clock.now(), self.clock.wall()));
        care.rooms = rooms.len();
        care.labels = roster.labels();
        let Care { states, heard, diary, labels, .. } = &mut *care;
        states.retain(|(sensor, _), _| labels.contains_key(sensor));
        heard.retain(|(sensor, _), _| labels.contains_key(sensor));
        diary.retain(|sensor| labels.contains_key(&sensor));
        care.silence.refit(roster.sampling(), self.clock.now());
        self.health.send_replace(care.health());
        drop(care);
        self.refitted.notify_one();
    }

    /// The rooms as they are now, and how old their values are.
    pub(super) fn seen(&self) -> (Vec<SeenRoom>, Heard) {
        let care = self.lock();
        (care.house.seen(), care.heard.clone())
    }

    /// What is wrong with each sensor that is not well, by its name: the first that it measures.
    pub(super) fn errors(&self) -> BTreeMap<SensorId, &'static str> {
        let care = self.lock();
        let states = care.states.iter().rev();
        let is_bad = |state: &State| !matches!(state, State::Ok | State::Unknown);
        let bad = states.filter(|(_, state)| is_bad(state));
        let name = |state: &State| state.reason().map_or(state.name(), Reason::name);
        bad.map(|((sensor, _), state)| (*sensor, name(state))).collect()
    }

    /// Takes reports until the task is dropped.
    pub(super) async fn serve(self: Arc<Self>, reports: Arc<Reports>) {
        loop {
            let deadline = self.lock().deadline().unwrap_or(Tick::MAX);
            let wait = deadline.since(self.clock.now()).min(SLEEP_MAX);
            tokio::select! {
                report = reports.next() => {
                    let mut care = self.lock();
                    care.silence.handle(self.clock.now(), &report);
                    self.take(&mut care, &report);
                }
                () = self.refitted.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
            let mut care = self.lock();
            care.tell_folded(reports.folded());
            let told = care.house.wake(self.clock.now(), self.clock.wall());
            self.hub.publish(told);
            care.tell_alarms();
            care.tell_flapping(self.clock.now());
            while let Some(owed) = care.silence.poll(self.clock.now(), self.clock.wall()) {
                self.take(&mut care, &owed);
            }
        }
    }

    /// What a bus still says of a sensor that is gone is not heard.
    fn take(&self, care: &mut Care, report: &Report) {
        if !care.labels.contains_key(&report.sensor) {
            return;
        }
        let told = care.house.report(report, self.clock.now(), self.clock.wall());
        self.hub.publish(told);
        care.tell_alarms();
        let subject = (report.sensor, report.quantity);
        if report.value.is_some() {
            care.heard.insert(subject, self.clock.now());
        }
        if care.states.get(&subject) != Some(&report.state) {
            if care.diary.is_news(subject, report.state, self.clock.now()) {
                care.tell(report);
            }
            care.states.insert(subject, report.state);
            self.health.send_replace(care.health());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Care> {
        self.care.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Care {
    /// When something is to be told though nobody reports.
    fn deadline(&self) -> Option<Tick> {
        let others = self.house.deadline().into_iter().chain(self.diary.deadline());
        self.silence.deadline().into_iter().chain(others).min()
    }

    /// One line when sensors begin to disagree, one when only one is left, and one when they agree
    /// again.
    fn tell_alarms(&mut self) {
        for Alarm { room, is_raised, spread } in self.house.alarms() {
            let room = &*room;
            let Some(spread) = spread else {
                warn!(room, "only one sensor is left of those that disagreed: nothing to compare");
                continue;
            };
            let spread = i32::try_from(spread).unwrap_or(i32::MAX);
            let spread = MilliCelsius::new(spread).to_string();
            if is_raised {
                warn!(room, spread, "sensors of a room disagree");
            } else {
                info!(room, spread, "sensors of a room agree again");
            }
        }
    }

    /// Sensors that were well and ill by turns, more often than is told one by one.
    fn tell_flapping(&mut self, now: Tick) {
        for ((sensor, quantity), changes) in self.diary.flapping(now) {
            let Some(Label { room, address }) = self.labels.get(&sensor) else { continue };
            let (room, sensor_name, of) = (&**room, &**address, quantity.name());
            let state = self.states.get(&(sensor, quantity));
            let state = state.map_or("unknown", |state| state.name());
            warn!(
                room,
                sensor = sensor_name,
                of,
                changes,
                state,
                "sensor flaps: changes in the last minute"
            );
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
        Health {
            rooms: self.rooms,
            sensors: self.labels.len(),
            tried: sensors.len(),
            ok,
            complaints: complaints.collect(),
        }
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
    use crate::daemon::visits::Visits;
    use crate::sampling::Reading;
    use crate::telemetry::EventTopic;

    const SILENT: [&str; 2] = ["salon: silent", "salon: humidity: silent"];

    /// Of a house that says this.
    fn steward(source: &str) -> (Arc<Steward>, watch::Receiver<Health>, Arc<ManualClock>) {
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
        let (hub, _logins) = Hub::new(
            settings,
            Arc::clone(&its_clock),
            events,
            Visits::default(),
            Restored::default(),
        );
        let source = config::Source { path: "a.toml".into(), text: source.into() };
        let roster = Roster::new(&config::parse(&[source]).unwrap());
        let (steward, health) = Steward::new(hub, "maison", &roster, its_clock);
        (steward, health, clock)
    }

    /// As when the kernel does not come back from a read.
    #[tokio::test(start_paused = true)]
    async fn a_bus_that_hangs_makes_its_rooms_stale() {
        let source = "[[rooms.salon.sensors]]\ndriver = \"sht3x\"\nbus = \"i2c-1\"";
        let (steward, mut health, clock) = steward(source);
        let serving = tokio::spawn(steward.serve(Arc::new(Reports::default())));
        clock.advance(Duration::from_secs(60));
        let silent = health.wait_for(|health| health.complaints == SILENT);
        tokio::time::timeout(Duration::from_secs(60), silent).await.unwrap().unwrap();
        serving.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_made_of_several_sensors_is_renewed_while_none_of_them_reports() {
        const HEARTBEAT: Duration = Duration::from_secs(40);
        let sensor = |address: &str| {
            format!(
                "[[rooms.salon.sensors]]\ndriver = \"ds18b20\"\nbus = \"w1\"\naddress = \
                 \"{address}\"\nheartbeat = \"40s\"\nstale_after = \"1h\"\ndeadband = 0.1\n"
            )
        };
        let source = "[rooms.salon]\ncombine = \"median\"\n".to_owned()
            + &sensor("28-01131e858aef")
            + &sensor("28-0316a2794dff");
        let (steward, _health, clock) = steward(&source);
        let at = clock.wall();
        for sensor in [0, 1] {
            let value = MilliCelsius::new(21_000).value();
            let stale_after = Duration::from_secs(3600);
            let reading = Reading { value, decimals: 1, at, number: 1, stale_after };
            let report = Report {
                sensor: SensorId(sensor),
                quantity: Quantity::Temperature,
                value: Some(reading),
                state: State::Ok,
                since: at,
                last_good: Some(at),
            };
            steward.take(&mut steward.lock(), &report);
        }
        let due = |from: Tick| Some(from.after(HEARTBEAT));
        let begun = clock.now();
        assert_eq!(steward.lock().deadline(), due(begun));
        let serving = tokio::spawn(Arc::clone(&steward).serve(Arc::new(Reports::default())));
        clock.advance(HEARTBEAT);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let renewed = steward.lock().house.deadline();
        assert_eq!(renewed, due(begun.after(HEARTBEAT)), "it was shown again");
        serving.abort();
    }
}
