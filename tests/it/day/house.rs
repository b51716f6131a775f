//! Twenty rooms on four buses, their chips and what befalls them, the samplers, the broker.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use maison::access::{ConnectionId, Principal, Rights};
use maison::broker::record::{Batch, Page, PageRequest};
use maison::broker::{Bounds, Broker, Delays, Input, Keeping, Output, Retention, Settings};
use maison::mqtt::Packet;
use maison::sampling::{
    self, Calibration, Combination, Rules, Sampler, Sensor, SensorId, SensorSettings, Tolerance,
};
use maison::sensors::catalog::Promise;
use maison::sensors::{Fault, Measurement, ds18b20};
use maison::sim::chance::Chance;
use maison::sim::scratchpad::{self, Resolution};
use maison::sim::weather::{Place, Weather};
use maison::store::{SqliteStore, Store};
use maison::telemetry::{self, Offer, Publication, Room};
use maison::time::{Tick, Timestamp};
use maison::units::MilliCelsius;

use super::clients::Client;
use super::together;

const FAMILY: u8 = 0x28;
const BUSES: usize = 4;
const INTERVAL: Duration = Duration::from_secs(30);
const STALE_AFTER: Duration = Duration::from_secs(90);
const DEADBAND: u32 = 100;
/// Noon of 2026-11-22, in milliseconds since 1970.
const START_UNIX_MS: u64 = 1_795_348_800_000;
/// Half a step of the chip, half a digit of the payload, and a thousandth lost on the way.
const ERROR_MAX: u32 = 31 + 50 + 1;

/// The world of one seed.
pub(super) struct House {
    pub(super) broker: Broker,
    pub(super) chance: Chance,
    /// Every JSON twin that was published, as topic and payload, in order.
    pub(super) twins: Vec<(String, String)>,
    pub(super) readings: u64,
    pub(super) faults: u64,
    /// Rooms whose sensors began or ceased to disagree, in order.
    pub(super) alarms: Vec<String>,
    now: Tick,
    weather: Weather,
    samplers: Vec<Sampler>,
    chips: Vec<Chip>,
    /// Rooms with one sensor; those with several come after them.
    rooms: usize,
    telemetry: telemetry::House,
    inboxes: BTreeMap<ConnectionId, VecDeque<Packet>>,
    next_connection: u64,
    /// Works in no time: so nothing is written together only because a card is slow.
    pub(super) store: Option<SqliteStore>,
}

/// One DS18B20, and the times at which it is in trouble.
struct Chip {
    troubles: Vec<(std::ops::Range<u64>, Trouble)>,
    has_power_on_value: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Unplugged,
    Shorted,
    /// Every other reading has wrong bits.
    Noise,
}

impl Chip {
    fn new(chance: &mut Chance) -> Self {
        let trouble = |chance: &mut Chance| {
            let (from, minutes) = (chance.below(22 * 3600), 1 + chance.below(20));
            let kinds = [Trouble::Unplugged, Trouble::Shorted, Trouble::Noise];
            let kind = kinds[usize::try_from(chance.below(3)).unwrap()];
            (from..from + 60 * minutes, kind)
        };
        let troubles = (0..4).map(|_| trouble(chance)).collect();
        Self { troubles, has_power_on_value: true }
    }

    fn trouble_at(&self, second: u64) -> Option<Trouble> {
        let current = self.troubles.iter().find(|(when, _)| when.contains(&second));
        current.map(|(_, trouble)| *trouble)
    }

    fn read(&mut self, truth: MilliCelsius, second: u64, chance: &mut Chance) -> Reading {
        let good = scratchpad::converted(FAMILY, truth, Resolution::Bits12);
        let bytes = match self.trouble_at(second) {
            Some(Trouble::Unplugged) => {
                self.has_power_on_value = true;
                return Err(Fault::Absent);
            }
            Some(Trouble::Shorted) => [0; scratchpad::BYTES],
            Some(Trouble::Noise) if chance.below(2) == 0 => disturbed(good, chance),
            _ if std::mem::take(&mut self.has_power_on_value) => {
                scratchpad::power_on(FAMILY, Resolution::Bits12)
            }
            _ => good,
        };
        ds18b20::decode(FAMILY, &bytes)
    }
}

type Reading = Result<Measurement, Fault>;

fn disturbed(mut bytes: [u8; scratchpad::BYTES], chance: &mut Chance) -> [u8; scratchpad::BYTES] {
    for _ in 0..=chance.below(2) {
        let place = usize::try_from(chance.below(9)).unwrap();
        bytes[place] ^= 1 << chance.below(8);
    }
    bytes
}

pub(super) fn settings() -> SensorSettings {
    SensorSettings {
        interval: INTERVAL,
        retries: 2,
        heartbeat: Duration::from_secs(300),
        stale_after: STALE_AFTER,
        temperature: Rules { deadband: DEADBAND, ..rules() },
        humidity: None,
        pressure: None,
    }
}

/// Of a thermometer for rooms that is shown as it is, each time.
pub(crate) fn rules() -> Rules {
    Rules {
        promise: Promise::Always,
        lowest: MilliCelsius::new(-55_000).value(),
        highest: MilliCelsius::new(125_000).value(),
        rate_per_minute: Some(30_000),
        calibration: Calibration::Offset(MilliCelsius::new(0).value()),
        median: 1,
        alpha: 1000,
        decimals: 1,
        deadband: 0,
    }
}

fn slug(room: usize) -> String {
    format!("room-{room}")
}

impl House {
    pub(super) fn new(seed: u64, rooms: usize) -> Self {
        Self::built(seed, rooms, together::SENSORS, None)
    }

    /// With a store that is empty, and no room with several sensors.
    pub(super) fn keeping(seed: u64, rooms: usize, store: Option<SqliteStore>) -> Self {
        Self::built(seed, rooms, 0, store)
    }

    fn built(seed: u64, rooms: usize, shared: usize, store: Option<SqliteStore>) -> Self {
        let mut chance = Chance::new(seed);
        let mut chips: Vec<_> = (0..rooms).map(|_| Chip::new(&mut chance)).collect();
        chips.extend((0..shared).map(|number| Chip {
            troubles:
                together::dead(number).map(|when| (when, Trouble::Unplugged)).into_iter().collect(),
            has_power_on_value: true,
        }));
        let sampler = |bus: usize| {
            let mine = (0..rooms + shared).filter(|room| room % BUSES == bus);
            let sensor = |room| Sensor {
                id: SensorId(room),
                label: Arc::from(slug(room)),
                settings: settings(),
            };
            Sampler::new(mine.map(sensor).collect(), seed, Tick::ZERO)
        };
        let room = |room| Room {
            slug: Arc::from(slug(room)),
            combine: Combination::FirstHealthy,
            tolerance: Tolerance { spread: 0, patience: Duration::ZERO },
            sensors: vec![telemetry::Sensor {
                id: SensorId(room),
                address: Arc::from(format!("28-{room:012x}")),
                offers: Offer::all(&settings()),
            }],
        };
        let mut all: Vec<_> = (0..rooms).map(room).collect();
        all.extend(if shared > 0 { together::rooms(rooms) } else { Vec::new() });
        let mut house = Self {
            broker: Broker::new(Settings {
                session_expiry: Duration::from_secs(7 * 24 * 3600),
                queue_messages: None,
                queue_bytes: None,
                bounds: Bounds::default(),
                assigned_prefix: "assigned".into(),
                rights: Rights::new("maison"),
                keeping: match store {
                    Some(_) => Keeping::All(Delays::default()),
                    None => Keeping::Nothing,
                },
            }),
            chance,
            twins: Vec::new(),
            readings: 0,
            faults: 0,
            alarms: Vec::new(),
            now: Tick::ZERO,
            weather: Weather::new(seed),
            samplers: (0..BUSES).map(sampler).collect(),
            chips,
            rooms,
            telemetry: telemetry::House::new("maison", &all),
            inboxes: BTreeMap::new(),
            next_connection: 0,
            store,
        };
        let first = house.telemetry.start(house.wall());
        house.publish(first);
        house
    }

    fn second(&self) -> u64 {
        self.now.as_micros() / 1_000_000
    }

    fn wall(&self) -> Timestamp {
        Timestamp::new(START_UNIX_MS + self.now.as_micros() / 1000, true)
    }

    /// Of a sensor: where several are in a room, it is the same for all.
    fn truth(&self, sensor: usize) -> MilliCelsius {
        self.weather_at(sensor.checked_sub(self.rooms).map_or(sensor, together::key))
    }

    fn truth_of(&self, slug: &str) -> MilliCelsius {
        let single = || slug.strip_prefix("room-").unwrap().parse().unwrap();
        self.weather_at(together::key_of(slug).unwrap_or_else(single))
    }

    fn weather_at(&self, key: usize) -> MilliCelsius {
        let unix_ms = self.wall().unix_ms();
        self.weather.temperature(u64::try_from(key).unwrap(), Place::Room, unix_ms)
    }

    /// Lives on, from deadline to deadline.
    pub(super) fn run_until(&mut self, end: Tick) {
        loop {
            let samplers = self.samplers.iter().filter_map(Sampler::deadline);
            let house = self.telemetry.deadline();
            let next = samplers.chain(self.broker.deadline()).chain(house).min().unwrap_or(end);
            if next > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(next);
            self.tell(Input::Wake);
            let told = self.telemetry.wake(self.now, self.wall());
            self.publish(told);
            self.hear_alarms();
            for bus in 0..BUSES {
                self.wake(bus);
            }
        }
    }

    fn wake(&mut self, bus: usize) {
        let at = self.wall();
        self.samplers[bus].handle(self.now, sampling::Input::Wake { at });
        while let Some(output) = self.samplers[bus].poll() {
            match output {
                sampling::Output::Read(sensors) => {
                    for sensor in sensors {
                        let result = self.read(sensor);
                        let answer = sampling::Input::Answer { sensor, at, result };
                        self.samplers[bus].handle(self.now, answer);
                    }
                }
                sampling::Output::Report(report) => {
                    let publications = self.telemetry.report(&report, self.now, at);
                    self.publish(publications);
                    self.hear_alarms();
                }
            }
        }
    }

    fn hear_alarms(&mut self) {
        self.alarms.extend(self.telemetry.alarms().iter().map(|alarm| alarm.room.to_string()));
    }

    fn read(&mut self, sensor: SensorId) -> Reading {
        let (truth, second) = (self.truth(sensor.0), self.second());
        let drift = sensor.0.checked_sub(self.rooms).map(|it| together::drift(it, second));
        let drift = drift.map_or(0, MilliCelsius::thousandths);
        let truth = MilliCelsius::new(truth.thousandths() + drift);
        let result = self.chips[sensor.0].read(truth, second, &mut self.chance);
        match result {
            Ok(_) => self.readings += 1,
            Err(_) => self.faults += 1,
        }
        result
    }

    /// Gives publications to the broker, and checks each number against the truth of this moment.
    fn publish(&mut self, publications: Vec<Publication>) {
        for Publication { message, qos, retained_for } in publications {
            let topic = message.topic.as_str().to_owned();
            let payload = String::from_utf8(message.payload.to_vec()).unwrap();
            let slug = topic.split('/').nth(1).unwrap();
            let is_of_room = topic == format!("maison/{slug}/temperature");
            if is_of_room && !payload.is_empty() {
                let error = number(&payload).distance(self.truth_of(slug));
                // What is made of several is as old as the oldest of them.
                let most = ERROR_MAX + if slug == "trio" { DEADBAND + ERROR_MAX } else { 0 };
                assert!(error <= most, "{topic} {payload}: off by {error} at {}", self.second());
            }
            if topic.ends_with("/temperature/json") {
                self.twins.push((topic, payload));
            }
            let retention = retained_for.map_or(Retention::Replaced, Retention::For);
            self.tell(Input::Publish { message, qos, retention });
        }
    }

    /// A room is shown online with a true number while its chip is well, and offline without one
    /// soon after it is not.
    pub(super) fn check_rooms(&self, watcher: &Client) {
        let (second, margin) = (self.second(), 3 * INTERVAL.as_secs());
        let too_long = STALE_AFTER.as_secs() + 2 * margin;
        together::check(second, too_long, watcher, |slug, shown| {
            number(shown).distance(self.truth_of(slug)) <= DEADBAND + 2 * ERROR_MAX
        });
        for (room, chip) in self.chips.iter().take(self.rooms).enumerate() {
            let shown = |what: &str| watcher.shown.get(&format!("maison/{}/{what}", slug(room)));
            let troubles = |past: u64| {
                let past = second.saturating_sub(past)..=second;
                past.step_by(10).map(|second| chip.trouble_at(second)).collect::<Vec<_>>()
            };
            if troubles(too_long).iter().all(Option::is_none) {
                assert_eq!(shown("availability").unwrap(), "online", "{room} at {second}");
                let error = number(shown("temperature").unwrap()).distance(self.truth(room));
                assert!(error <= DEADBAND + 2 * ERROR_MAX, "{room} at {second}: off by {error}");
            }
            let is_dead = |trouble: &Option<Trouble>| {
                matches!(trouble, Some(Trouble::Unplugged | Trouble::Shorted))
            };
            if second > too_long && troubles(too_long).iter().all(is_dead) {
                assert_eq!(shown("availability").unwrap(), "offline", "{room} at {second}");
                assert_eq!(shown("temperature"), None, "{room} at {second}");
            }
        }
    }

    pub(super) fn tell(&mut self, input: Input) {
        self.broker.handle(self.now, input);
        let (mut logins, mut answers) = (Vec::new(), Vec::new());
        while let Some(output) = self.broker.poll() {
            match output {
                Output::Send { connection, packet } => {
                    if let Some(inbox) = self.inboxes.get_mut(&connection) {
                        inbox.push_back(packet);
                    }
                }
                Output::Authenticate { connection, .. } => logins.push(connection),
                Output::Close { .. } | Output::Event(_) => {}
                Output::Commit(batch) => answers.push(self.commit(&batch)),
                Output::Page(wish) => answers.push(self.page(&wish)),
                other @ (Output::Pause { .. } | Output::Resume { .. }) => {
                    panic!("the store is fast: {other:?}")
                }
            }
        }
        for answer in answers {
            self.tell(answer);
        }
        for connection in logins {
            self.tell(Input::Verdict { connection, verdict: Ok(Principal::Anonymous) });
        }
        if self.broker.deadline().is_some_and(|deadline| deadline <= self.now) {
            self.tell(Input::Wake);
        }
    }

    fn commit(&mut self, batch: &Batch) -> Input {
        let (now, wall) = (self.now, self.wall());
        let store = self.store.as_mut().expect("there is a store");
        store.commit(batch, now, wall).unwrap();
        store.settle().unwrap();
        Input::Committed { number: batch.number, outcome: Ok(()) }
    }

    fn page(&mut self, wish: &PageRequest) -> Input {
        let (now, wall) = (self.now, self.wall());
        let store = self.store.as_mut().expect("there is a store");
        let messages = Ok(store.page(wish, now, wall).unwrap());
        Input::Paged(Page { session: wish.session, from: wish.from, messages })
    }

    pub(super) fn open(&mut self) -> ConnectionId {
        self.next_connection += 1;
        let connection = ConnectionId(self.next_connection);
        self.inboxes.insert(connection, VecDeque::new());
        connection
    }

    pub(super) fn close(&mut self, connection: ConnectionId) {
        self.inboxes.remove(&connection);
        self.tell(Input::Closed { connection });
    }

    /// What has arrived next at the other end; read, it counts as written.
    pub(super) fn arrived(&mut self, connection: ConnectionId) -> Option<Packet> {
        let packet = self.inboxes.get_mut(&connection)?.pop_front()?;
        self.tell(Input::Written { connection, bytes: packet.weight() });
        Some(packet)
    }
}

/// `21.4` in thousandths.
fn number(payload: &str) -> MilliCelsius {
    let (whole, tenth) = payload.split_once('.').unwrap();
    let thousandths = whole.trim_start_matches('-').parse::<i32>().unwrap() * 1000
        + tenth.parse::<i32>().unwrap() * 100;
    MilliCelsius::new(if payload.starts_with('-') { -thousandths } else { thousandths })
}
