//! One quantity of a room: the value of its first healthy sensor.
//!
//! A suspected sensor gives way to a healthy one; where there is none, its last value counts until
//! it is stale.

use std::sync::Arc;

use crate::mqtt::TopicName;
use crate::sampling::{Report, SensorId};
use crate::time::Timestamp;
use crate::units::Quantity;

use super::payload;
use super::probe::{Probe, Status};
use super::retained::{News, Number, named};
use super::{Publication, Seen};

/// A sensor that gives the quantity.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Its name in the house.
    pub(super) id: SensorId,
    /// Its printed address.
    pub(super) address: Arc<str>,
    /// What its own topics begin with.
    pub(super) base: String,
}

/// One quantity of a room.
#[derive(Debug)]
pub(super) struct Strand {
    quantity: Quantity,
    number: Number,
    status: News<Status>,
    probes: Vec<Probe>,
    /// Whose value and status are the room's; while none has a value, whose were last.
    in_use: usize,
}

/// What a report means to its strand.
#[derive(Debug)]
pub(super) enum Outcome {
    /// There is a value that counts.
    Light(Vec<Publication>),
    /// There is none: the first is told before the second.
    Dark(Vec<Publication>, Vec<Publication>),
}

/// Where the status of a quantity is told: that of the temperature is the sensor's and the room's.
pub(super) fn status_topic(base: &str, quantity: Quantity) -> String {
    match quantity {
        Quantity::Temperature => format!("{base}/status"),
        Quantity::Humidity | Quantity::Pressure => format!("{base}/{}/status", quantity.name()),
    }
}

impl Strand {
    /// A quantity that these sensors give, in a room whose topics begin with `base`.
    pub(super) fn new(base: &str, quantity: Quantity, sources: Vec<Source>) -> Self {
        let plain = format!("{base}/{}", quantity.name());
        let json = named(&format!("{plain}/json"));
        Self {
            quantity,
            number: Number::of_room(named(&plain), json),
            status: News::new(named(&status_topic(base, quantity))),
            probes: probes(quantity, sources),
            in_use: 0,
        }
    }

    /// Its topics, and those of its sensors.
    pub(super) fn topics(&self) -> impl Iterator<Item = &TopicName> {
        let probes = self.probes.iter().flat_map(Probe::topics);
        self.number.topics().chain([self.status.topic()]).chain(probes)
    }

    /// What it measures.
    pub(super) const fn quantity(&self) -> Quantity {
        self.quantity
    }

    /// What it shows now; nothing where no sensor gives it.
    pub(super) fn seen(&self) -> Option<Seen> {
        Some(self.probes.get(self.in_use)?.seen(self.quantity))
    }

    /// It goes on for the other, perhaps with other sensors; of new ones nothing is known from `at`
    /// on.
    pub(super) fn inherit(&mut self, other: Option<Self>, at: Timestamp) -> Outcome {
        let Some(other) = other else {
            return Outcome::Dark(self.unknown(at), self.number.clear());
        };
        let was = other.probes.get(other.in_use).map(Probe::id);
        self.number.inherit(&other.number);
        self.status.inherit(other.status);
        let mut before = other.probes;
        let mut publications = Vec::new();
        for probe in &mut self.probes {
            match before.iter().position(|other| other.id() == probe.id()) {
                Some(index) => probe.inherit(before.swap_remove(index)),
                None => publications.extend(probe.unknown(at)),
            }
            publications.extend(probe.catch_up());
        }
        let stays = self.probes.iter().position(|probe| Some(probe.id()) == was);
        self.in_use = stays.unwrap_or(0);
        let Some(best) = self.best() else {
            return Outcome::Dark(publications, self.number.clear());
        };
        self.in_use = best;
        let is_news = stays != Some(best) || !self.number.is_shown();
        let value = self.probes.get(best).and_then(Probe::value).filter(|_| is_news);
        publications.extend(value.into_iter().flat_map(|value| self.number.show(value)));
        Outcome::Light(publications)
    }

    /// Nothing is known of its sensors from `at` on.
    pub(super) fn unknown(&mut self, at: Timestamp) -> Vec<Publication> {
        self.probes.iter_mut().filter_map(|probe| probe.unknown(at)).collect()
    }

    /// What a report means here; `None` if it is of something else.
    pub(super) fn report(&mut self, report: &Report) -> Option<Outcome> {
        if report.quantity != self.quantity {
            return None;
        }
        let index = self.probes.iter().position(|probe| probe.id() == report.sensor)?;
        let mut publications = self.probes.get_mut(index)?.report(report);
        let Some(best) = self.best() else {
            return Some(Outcome::Dark(publications, self.number.clear()));
        };
        let is_news = best != self.in_use || (best == index && report.value.is_some());
        self.in_use = best;
        let value = self.probes.get(best).and_then(Probe::value).filter(|_| is_news);
        publications.extend(value.into_iter().flat_map(|value| self.number.show(value)));
        Some(Outcome::Light(publications))
    }

    /// The status of the sensor in use, if that is news.
    pub(super) fn tell_status(&mut self) -> Option<Publication> {
        let (status, payload) = self.probes.get(self.in_use)?.status();
        self.status.tell(status, payload, Some(payload::json()))
    }

    /// The first healthy sensor; else the one in use if it is only suspected, so that two such do
    /// not take turns; else the first suspected.
    fn best(&self) -> Option<usize> {
        let in_use = self.probes.get(self.in_use).filter(|probe| probe.is_suspect());
        self.probes
            .iter()
            .position(Probe::is_healthy)
            .or(in_use.map(|_| self.in_use))
            .or_else(|| self.probes.iter().position(Probe::is_suspect))
    }
}

fn probes(quantity: Quantity, sources: Vec<Source>) -> Vec<Probe> {
    match <[Source; 1]>::try_from(sources) {
        Ok([Source { id, address, .. }]) => vec![Probe::alone(id, address)],
        Err(several) => {
            several.into_iter().map(|source| Probe::among_others(source, quantity)).collect()
        }
    }
}
