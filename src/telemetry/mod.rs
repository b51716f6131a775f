//! A reading or a fault → topic, payload, retain flag.
//!
//! Below the root, which may have several levels; all but events are retained:
//!
//! | topic | payload | QoS |
//! |---|---|---|
//! | `<room>/temperature` | `21.4`; empty when no sensor has a value that counts | 2 |
//! | `<room>/temperature/json` | the same with time, quality, sensor and number | 2 |
//! | `<room>/availability` | `online`, `offline` | 1 |
//! | `<room>/status` | state, error, since, last good reading of the sensor in use | 1 |
//! | `<room>/alert` | sensors, spread and limit, while its sensors disagree; else empty | 1 |
//! | `<room>/humidity`, `<room>/pressure` | `48.2`, `1013.2`; and `…/json` | 2 |
//! | `<room>/humidity/status`, `…/pressure/status` | as `<room>/status` | 1 |
//! | `<room>/sensor/<id>/temperature` | each sensor, where a room has several | 1 |
//! | `<room>/sensor/<id>/status` | likewise; and so for humidity and pressure | 1 |
//! | `_gateway/state` | `online`, `offline` | 1 |
//! | `_gateway/info` | version, rooms | 1 |
//! | `_gateway/health` | memory, temperature, disk, store, queue drops, sensors, certificate | 0 |
//! | `_gateway/event` | what full queues and too many sessions cost whom; the store | 1 |
//!
//! `<id>` is the printed address, as `28-01131e858aef` or `0x44`, with `-` for `/`; a second sensor
//! with it in the same room, on another bus, has `-2` appended. Numbers are retained for
//! `stale_after`. What the broker counts is told below `$SYS/broker`: see [`System`].

mod alert;
mod average;
mod event;
mod health;
mod metrics;
mod page;
mod payload;
mod pool;
mod probe;
mod retained;
mod room;
mod seen;
mod standing;
mod store;
mod strand;
mod system;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::mqtt::{Message, QoS, TopicName};
use crate::sampling::{Combination, Pace, Report, Rules, SensorId, SensorSettings, Tolerance};
use crate::sensors::catalog::Promise;
use crate::time::{Tick, Timestamp};
use crate::units::Quantity;

use retained::{named, retained};
use room::RoomView;

pub use event::EventTopic;
pub use health::Health;
pub use metrics::{CONTENT_TYPE, Metrics, SensorFigures};
pub use seen::{Seen, SeenRoom};
pub use store::Store;
pub use system::{Counts, Memory, System};

/// A message of the gateway's own.
#[derive(Clone, Debug, PartialEq)]
pub struct Publication {
    /// Topic and payload.
    pub message: Message,
    /// Most a subscriber can get.
    pub qos: QoS,
    /// How long it is retained: a number only as long as it counts, even where nobody is left to
    /// clear it. `None`: until another takes its place.
    pub retained_for: Option<Duration>,
}

/// A room and its sensors, in the order of the configuration.
#[derive(Clone, Debug)]
pub struct Room {
    /// As in its topics.
    pub slug: Arc<str>,
    /// What its value is where it has several sensors.
    pub combine: Combination,
    /// How far their temperatures may be apart.
    pub tolerance: Tolerance,
    /// Its sensors.
    pub sensors: Vec<Sensor>,
}

/// A sensor as its room names it.
#[derive(Clone, Debug)]
pub struct Sensor {
    /// Its name in the house.
    pub id: SensorId,
    /// Its printed address.
    pub address: Arc<str>,
    /// What it measures, the temperature at least.
    pub offers: Vec<Offer>,
}

/// A quantity that a sensor measures.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// Which.
    pub quantity: Quantity,
    /// Whether each reading has it: of what nobody has promised nothing is told before the first.
    pub promise: Promise,
    /// How often it is told.
    pub pace: Pace,
}

impl Offer {
    /// What a sensor that is sampled so measures.
    pub fn all(settings: &SensorSettings) -> Vec<Self> {
        let offer = |(quantity, rules): (_, &Rules)| Self {
            quantity,
            promise: rules.promise,
            pace: settings.pace(rules),
        };
        settings.rules().map(offer).collect()
    }
}

/// The sensors of a room disagree, or agree again: for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Slug of the room.
    pub room: Arc<str>,
    /// Whether it begins.
    pub is_raised: bool,
    /// How far they are apart, in thousandths of a degree; `None`: no two are left.
    pub spread: Option<u32>,
}

/// The rooms as their subscribers see them.
#[derive(Debug)]
pub struct House {
    root: String,
    state: TopicName,
    info: Publication,
    rooms: Vec<RoomView>,
    alarms: Vec<Alarm>,
}

impl House {
    /// A house whose topics begin with `root`.
    pub fn new(root: &str, rooms: &[Room]) -> Self {
        Self {
            root: root.to_owned(),
            state: named(&format!("{root}/_gateway/state")),
            info: info(root, rooms),
            rooms: rooms.iter().map(|room| RoomView::new(root, room)).collect(),
            alarms: Vec::new(),
        }
    }

    /// Before listeners open: every room offline until a first good reading.
    pub fn start(&mut self, at: Timestamp) -> Vec<Publication> {
        let mut publications: Vec<_> =
            self.rooms.iter_mut().flat_map(|room| room.unknown(at)).collect();
        publications.push(self.info());
        publications.push(self.state("online"));
        publications
    }

    /// These rooms and sensors from now on. Who stays goes on without a gap; a room that is gone is
    /// offline, and what nobody speaks for any more is no longer retained.
    pub fn refit(&mut self, rooms: &[Room], now: Tick, at: Timestamp) -> Vec<Publication> {
        let mut before = std::mem::take(&mut self.rooms);
        let mut old: BTreeSet<TopicName> =
            before.iter().flat_map(RoomView::topics).cloned().collect();
        let mut news = Vec::new();
        for room in rooms {
            let mut view = RoomView::new(&self.root, room);
            news.extend(match before.iter().position(|other| other.slug() == &*room.slug) {
                Some(index) => view.inherit(before.swap_remove(index), now, at),
                None => view.unknown(at),
            });
            old.retain(|topic| !view.topics().any(|mine| mine == topic));
            self.rooms.push(view);
        }
        let mut publications: Vec<_> = before.iter_mut().filter_map(RoomView::leave).collect();
        let nothing = |topic| retained(topic, QoS::AtLeastOnce, String::new(), None);
        publications.extend(old.into_iter().map(nothing));
        publications.extend(news);
        let info = info(&self.root, rooms);
        if info != self.info {
            self.info = info.clone();
            publications.push(info);
        }
        publications
    }

    /// What a report means to subscribers; `at` is for people.
    pub fn report(&mut self, report: &Report, now: Tick, at: Timestamp) -> Vec<Publication> {
        let told = self.rooms.iter_mut().find_map(|room| Some((room.report(report, now)?, room)));
        let Some((mut publications, room)) = told else {
            debug_assert!(false, "{:?} is in no room", report.sensor);
            return Vec::new();
        };
        if let Some((news, alarm)) = room.judge(now, at) {
            publications.extend(news);
            self.alarms.push(alarm);
        }
        publications
    }

    /// What the passing of time means to them.
    pub fn wake(&mut self, now: Tick, at: Timestamp) -> Vec<Publication> {
        let mut publications = Vec::new();
        let is_due = |room: &&mut RoomView| room.deadline().is_some_and(|due| due <= now);
        for room in self.rooms.iter_mut().filter(is_due) {
            if let Some((told, alarm)) = room.judge(now, at) {
                publications.extend(told);
                self.alarms.push(alarm);
            }
            publications.extend(room.renew(now));
        }
        publications
    }

    /// When to call [`House::wake`] at the latest.
    pub fn deadline(&self) -> Option<Tick> {
        self.rooms.iter().filter_map(RoomView::deadline).min()
    }

    /// Alarms that began and ended since this was last asked.
    pub fn alarms(&mut self) -> Vec<Alarm> {
        std::mem::take(&mut self.alarms)
    }

    /// The last words: rooms and gateway offline, nothing known of any sensor from `at` on.
    pub fn stop(&mut self, at: Timestamp) -> Vec<Publication> {
        let mut publications: Vec<_> =
            self.rooms.iter_mut().flat_map(|room| room.unknown(at)).collect();
        publications.push(self.state("offline"));
        publications
    }

    /// Each room as it is now, in the order of the configuration.
    pub fn seen(&self) -> Vec<SeenRoom> {
        self.rooms.iter().map(RoomView::seen).collect()
    }

    /// What this gateway is: part of [`House::start`].
    pub fn info(&self) -> Publication {
        self.info.clone()
    }

    fn state(&self, payload: &'static str) -> Publication {
        retained(self.state.clone(), QoS::AtLeastOnce, payload.to_owned(), None)
    }
}

fn info(root: &str, rooms: &[Room]) -> Publication {
    let slugs: Vec<_> = rooms.iter().map(|room| &*room.slug).collect();
    let info = payload::info(env!("CARGO_PKG_VERSION"), &slugs);
    let topic = named(&format!("{root}/_gateway/info"));
    retained(topic, QoS::AtLeastOnce, info, Some(payload::json()))
}
