//! A room as its subscribers see it: a strand for each quantity that its sensors give. The room is
//! online as long as any of its sensors has a temperature that counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::mqtt::TopicName;
use crate::sampling::{Report, SensorId};
use crate::time::{Tick, Timestamp};
use crate::units::Quantity;

use super::alert::{Alert, spread};
use super::retained::{News, named};
use super::strand::{Outcome, Source, Strand};
use super::{Alarm, Offer, Publication, Room, SeenRoom, Sensor};

/// One room.
#[derive(Debug)]
pub(super) struct RoomView {
    slug: Arc<str>,
    availability: News<Availability>,
    alert: Alert,
    temperature: Strand,
    others: Vec<Strand>,
}

/// Whether a room has a temperature that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Availability {
    Online,
    Offline,
}

impl Availability {
    fn payload(self) -> String {
        match self {
            Self::Online => "online".to_owned(),
            Self::Offline => "offline".to_owned(),
        }
    }
}

impl RoomView {
    /// A room whose topics begin with `above` and its slug.
    pub(super) fn new(above: &str, room: &Room) -> Self {
        let base = format!("{above}/{}", room.slug);
        let sources = sources(&base, &room.sensors);
        let giving = |quantity| -> Vec<Source> {
            let giving = sources.iter().zip(&room.sensors).filter_map(|(source, sensor)| {
                let offer = sensor.offers.iter().find(|offer| offer.quantity == quantity)?;
                let Offer { promise, pace, .. } = *offer;
                let Place { id, address, base } = source.clone();
                Some(Source { id, address, base, promise, pace })
            });
            giving.collect()
        };
        let others = [Quantity::Humidity, Quantity::Pressure].map(|it| (it, giving(it)));
        let others = others.into_iter().filter(|(_, sources)| !sources.is_empty());
        let strand = |(it, sources)| Strand::new(&base, it, sources, room.combine);
        Self {
            slug: Arc::clone(&room.slug),
            availability: News::new(named(&format!("{base}/availability"))),
            alert: Alert::new(&base, room.tolerance),
            temperature: strand((Quantity::Temperature, giving(Quantity::Temperature))),
            others: others.map(strand).collect(),
        }
    }

    /// As in its topics.
    pub(super) fn slug(&self) -> &str {
        &self.slug
    }

    /// What it shows now.
    pub(super) fn seen(&self) -> SeenRoom {
        let strands = [&self.temperature].into_iter().chain(&self.others);
        SeenRoom {
            slug: Arc::clone(&self.slug),
            online: self.availability.told() == Some(&Availability::Online),
            measured: strands.filter_map(Strand::seen).collect(),
        }
    }

    /// All that it may have retained.
    pub(super) fn topics(&self) -> impl Iterator<Item = &TopicName> {
        let strands = [&self.temperature].into_iter().chain(&self.others);
        let own = [self.availability.topic(), self.alert.topic()];
        own.into_iter().chain(strands.flat_map(Strand::topics))
    }

    /// It goes on for the other, perhaps with other sensors; of new ones nothing is known from `at`
    /// on.
    pub(super) fn inherit(&mut self, other: Self, now: Tick, at: Timestamp) -> Vec<Publication> {
        let Self { availability, alert, temperature, mut others, .. } = other;
        self.availability.inherit(availability);
        let sensors = self.temperature.len();
        let cleared = self.alert.inherit(alert, sensors);
        let is_doubted = temperature.is_doubted() && self.alert.is_raised();
        let outcome = self.temperature.inherit(Some(temperature), is_doubted, (now, at));
        let mut publications = self.lead(outcome);
        publications.extend(cleared);
        for strand in &mut self.others {
            let same = others.iter().position(|other| other.quantity() == strand.quantity());
            let before = same.map(|index| others.swap_remove(index));
            let outcome = strand.inherit(before, false, (now, at));
            publications.extend(follow(strand, outcome));
        }
        publications
    }

    /// Nobody speaks for it any more.
    pub(super) fn leave(&mut self) -> Option<Publication> {
        self.tell(Availability::Offline)
    }

    /// The room is offline, and nothing is known of its sensors from `at` on.
    pub(super) fn unknown(&mut self, at: Timestamp) -> Vec<Publication> {
        let mut publications = self.temperature.unknown(at);
        publications.extend(self.tell(Availability::Offline));
        publications.extend(self.alert.forget());
        publications.extend(self.temperature.tell_status());
        for strand in &mut self.others {
            publications.extend(strand.unknown(at));
            publications.extend(strand.tell_status());
        }
        publications
    }

    /// Whether its sensors agree, now that one was read or time has passed: what is to be told
    /// where that is news.
    pub(super) fn judge(&mut self, now: Tick, at: Timestamp) -> Option<(Vec<Publication>, Alarm)> {
        let sensors = self.temperature.values();
        let was_raised = self.alert.is_raised();
        let told = self.alert.judge(now, at, &sensors);
        let is_raised = self.alert.is_raised();
        if is_raised == was_raised {
            return None;
        }
        let mut publications: Vec<_> = told.into_iter().collect();
        publications.extend(self.temperature.doubt(is_raised, now, at));
        let spread = spread(&sensors);
        Some((publications, Alarm { room: Arc::clone(&self.slug), is_raised, spread }))
    }

    /// What is to be told again now that time has passed.
    pub(super) fn renew(&mut self, now: Tick) -> Vec<Publication> {
        let strands = [&mut self.temperature].into_iter().chain(&mut self.others);
        strands.flat_map(|strand| strand.renew(now)).collect()
    }

    /// When to judge or to renew though nothing was read.
    pub(super) fn deadline(&self) -> Option<Tick> {
        let strands = [&self.temperature].into_iter().chain(&self.others);
        self.alert.deadline().into_iter().chain(strands.filter_map(Strand::deadline)).min()
    }

    /// What a report means here; `None` if the sensor is elsewhere.
    pub(super) fn report(&mut self, report: &Report, now: Tick) -> Option<Vec<Publication>> {
        if let Some(outcome) = self.temperature.report(report, now) {
            return Some(self.lead(outcome));
        }
        let mut strands = self.others.iter_mut();
        let (outcome, strand) =
            strands.find_map(|strand| Some((strand.report(report, now)?, strand)))?;
        Some(follow(strand, outcome))
    }

    /// The temperature decides whether the room is online. That it is not is told before its
    /// number goes.
    fn lead(&mut self, outcome: Outcome) -> Vec<Publication> {
        let (mut publications, availability, last) = match outcome {
            Outcome::Light(publications) => (publications, Availability::Online, Vec::new()),
            Outcome::Dark(publications, last) => (publications, Availability::Offline, last),
        };
        publications.extend(self.tell(availability));
        publications.extend(self.temperature.tell_status());
        publications.extend(last);
        publications
    }

    fn tell(&mut self, availability: Availability) -> Option<Publication> {
        self.availability.tell(availability, availability.payload(), None)
    }
}

/// What a quantity that does not lead tells.
fn follow(strand: &mut Strand, outcome: Outcome) -> Vec<Publication> {
    let (mut publications, last) = match outcome {
        Outcome::Light(publications) => (publications, Vec::new()),
        Outcome::Dark(publications, last) => (publications, last),
    };
    publications.extend(strand.tell_status());
    publications.extend(last);
    publications
}

/// Where a sensor is told.
#[derive(Clone)]
struct Place {
    id: SensorId,
    address: Arc<str>,
    /// What its own topics begin with.
    base: String,
}

/// The sensors of a room, each with topics that no other has: a second one of the same printed
/// address is on another bus.
fn sources(base: &str, sensors: &[Sensor]) -> Vec<Place> {
    let mut seen = BTreeMap::new();
    let sources = sensors.iter().map(|Sensor { id, address, .. }| {
        let count = seen.entry(address.clone()).and_modify(|count| *count += 1).or_insert(1);
        let level = address.replace('/', "-");
        let name = if *count == 1 { level } else { format!("{level}-{count}") };
        Place { id: *id, address: address.clone(), base: format!("{base}/sensor/{name}") }
    });
    sources.collect()
}
