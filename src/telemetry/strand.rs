//! One quantity of a room: the value of its first healthy sensor, or what is made of several.
//!
//! A suspected sensor gives way to a healthy one; where there is none, its last value counts until
//! it is stale. While sensors disagree nobody knows which of them is right, so whatever is shown is
//! suspect.

use std::sync::Arc;

use crate::mqtt::TopicName;
use crate::sampling::{Combination, Reason, Report, SensorId, State};
use crate::time::Timestamp;
use crate::units::Quantity;

use super::payload::{self, Sourced};
use super::pool::Pool;
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
    /// Where the value is made of several.
    pool: Option<Pool>,
    /// Since when its sensors disagree.
    doubted: Option<Timestamp>,
}

/// How a value is, of sensors that disagree.
const DOUBTFUL: State = State::Suspect(Reason::Disagreement);

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
    pub(super) fn new(
        base: &str,
        quantity: Quantity,
        sources: Vec<Source>,
        combination: Combination,
    ) -> Self {
        let is_made = combination != Combination::FirstHealthy && sources.len() > 1;
        let plain = format!("{base}/{}", quantity.name());
        let json = named(&format!("{plain}/json"));
        Self {
            quantity,
            number: Number::of_room(named(&plain), json),
            status: News::new(named(&status_topic(base, quantity))),
            probes: probes(quantity, sources),
            in_use: 0,
            pool: is_made.then(|| Pool::new(combination)),
            doubted: None,
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
        let in_use = self.probes.get(self.in_use)?;
        let (_, state, since, last_good) = self.condition()?;
        let value = self.value();
        let address = value.as_ref().map_or(in_use.address(), |value| &value.sensor);
        Some(Seen {
            quantity: self.quantity,
            sensor: in_use.id(),
            address: Arc::clone(address),
            state,
            since,
            last_good,
            reading: value.as_ref().map(|value| value.reading),
        })
    }

    /// Sensors that give it.
    pub(super) fn len(&self) -> usize {
        self.probes.len()
    }

    /// Since when its sensors disagree.
    pub(super) const fn doubted(&self) -> Option<Timestamp> {
        self.doubted
    }

    /// Each sensor whose value counts, with that.
    pub(super) fn values(&self) -> Vec<Sourced> {
        self.probes.iter().filter_map(Probe::value).collect()
    }

    /// Its sensors disagree since then, or agree again.
    pub(super) fn doubt(&mut self, doubted: Option<Timestamp>) -> Vec<Publication> {
        self.doubted = doubted;
        let mut publications = self.show();
        publications.extend(self.tell_status());
        publications
    }

    /// It goes on for the other, perhaps with other sensors, which disagree since `doubted`; of new
    /// ones nothing is known from `at` on.
    pub(super) fn inherit(
        &mut self,
        other: Option<Self>,
        doubted: Option<Timestamp>,
        at: Timestamp,
    ) -> Outcome {
        self.doubted = doubted;
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
        let is_other = match (&mut self.pool, other.pool) {
            (Some(pool), Some(before)) => {
                pool.inherit(&before);
                false
            }
            (None, None) => stays != Some(best),
            (Some(_), None) | (None, Some(_)) => true,
        };
        self.enter(at);
        if is_other || !self.number.is_shown() || other.doubted != doubted || self.is_other_value()
        {
            publications.extend(self.show());
        }
        Outcome::Light(publications)
    }

    /// Nothing is known of its sensors from `at` on.
    pub(super) fn unknown(&mut self, at: Timestamp) -> Vec<Publication> {
        let told = self.probes.iter_mut().filter_map(|probe| probe.unknown(at)).collect();
        self.enter(at);
        told
    }

    /// What a report means here; `None` if it is of something else.
    pub(super) fn report(&mut self, report: &Report) -> Option<Outcome> {
        if report.quantity != self.quantity {
            return None;
        }
        let index = self.probes.iter().position(|probe| probe.id() == report.sensor)?;
        let mut publications = self.probes.get_mut(index)?.report(report);
        let best = self.best();
        let before = self.in_use;
        self.in_use = best.unwrap_or(before);
        self.enter(report.since);
        if best.is_none() {
            return Some(Outcome::Dark(publications, self.number.clear()));
        }
        let counts = self.pool.is_some() || self.in_use == index;
        let is_other = self.pool.is_none() && self.in_use != before;
        if (counts && report.value.is_some()) || is_other || self.is_other_value() {
            publications.extend(self.show());
        }
        Some(Outcome::Light(publications))
    }

    /// The status of the sensor in use, or of all together, if that is news.
    pub(super) fn tell_status(&mut self) -> Option<Publication> {
        let (id, state, since, last_good) = self.condition()?;
        let payload = payload::status(state, since, last_good);
        self.status.tell((id, state, since), payload, Some(payload::json()))
    }

    /// How it is: of the sensor in use, or of all together; since when, and when it was last good.
    fn condition(&self) -> Option<(Option<SensorId>, State, Timestamp, Option<Timestamp>)> {
        let in_use = self.probes.get(self.in_use)?;
        let (id, (state, since, last_good)) = match &self.pool {
            Some(pool) => (None, pool.condition(&self.probes)),
            None => (Some(in_use.id()), in_use.condition()),
        };
        let (state, since) = match (state, self.doubted) {
            (State::Ok | State::Suspect(_), Some(doubted)) => (DOUBTFUL, doubted),
            _ => (state, since),
        };
        Some((id, state, since, last_good))
    }

    /// What the room has now, if that counts.
    fn value(&self) -> Option<Sourced> {
        let value = match &self.pool {
            Some(pool) => pool.value(&self.probes)?,
            None => self.probes.get(self.in_use)?.value()?,
        };
        let state = self.doubted.map_or(value.state, |_| DOUBTFUL);
        Some(Sourced { state, ..value })
    }

    /// Shows what the room has now, if that counts.
    fn show(&mut self) -> Vec<Publication> {
        let Some(value) = self.value() else { return Vec::new() };
        if let Some(pool) = &mut self.pool {
            pool.show(&value);
        }
        self.number.show(&value)
    }

    /// Whether less or more sensors make another value than what is shown.
    fn is_other_value(&self) -> bool {
        let pool = self.pool.as_ref();
        pool.is_some_and(|pool| self.value().is_some_and(|value| pool.is_news(&value)))
    }

    /// A sensor is as it is since `at`, which may be news of all together.
    fn enter(&mut self, at: Timestamp) {
        let state = self.probes.get(self.in_use).map(|probe| probe.condition().0);
        if let (Some(pool), Some(state)) = (&mut self.pool, state) {
            pool.enter(&self.probes, state, at);
        }
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
