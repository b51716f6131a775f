//! One quantity of a room: the value of its first healthy sensor, or what is made of several.
//!
//! A suspected sensor gives way to a healthy one; where there is none, its last value counts until
//! it is stale. While sensors disagree nobody knows which of them is right, so whatever is shown is
//! suspect.

use std::sync::Arc;

use crate::mqtt::TopicName;
use crate::sampling::{Combination, Pace, Report, SensorId, State};
use crate::sensors::catalog::Promise;
use crate::time::{Tick, Timestamp};
use crate::units::Quantity;

use super::payload::{self, Sourced};
use super::pool::{self, Pool};
use super::probe::Probe;
use super::retained::{News, Number, named};
use super::standing::{DOUBTFUL, Standing};
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
    /// Whether each reading has the quantity.
    pub(super) promise: Promise,
    /// How often that is told.
    pub(super) pace: Pace,
}

/// One quantity of a room.
#[derive(Debug)]
pub(super) struct Strand {
    quantity: Quantity,
    number: Number,
    status: News<Standing>,
    /// `None` before anything is known.
    standing: Option<Standing>,
    probes: Vec<Probe>,
    /// Whose value and status are the room's; while none has a value, whose were last.
    in_use: usize,
    /// Where the value is made of several.
    pool: Option<Pool>,
    /// Whether its sensors disagree.
    is_doubted: bool,
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
    pub(super) fn new(
        base: &str,
        quantity: Quantity,
        sources: Vec<Source>,
        combination: Combination,
    ) -> Self {
        let paces: Vec<_> = sources.iter().map(|source| source.pace).collect();
        let plain = format!("{base}/{}", quantity.name());
        let json = named(&format!("{plain}/json"));
        Self {
            quantity,
            number: Number::of_room(named(&plain), json),
            status: News::new(named(&status_topic(base, quantity))),
            standing: None,
            probes: probes(quantity, sources),
            in_use: 0,
            pool: Pool::new(combination, &paces),
            is_doubted: false,
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
        let in_use = self.probes.get(self.in_use).filter(|_| !self.is_moot())?;
        let Standing { state, since, .. } = self.standing?;
        let value = self.value();
        let address = value.as_ref().map_or(in_use.address(), |value| &value.sensor);
        Some(Seen {
            quantity: self.quantity,
            sensor: in_use.id(),
            address: Arc::clone(address),
            state,
            since,
            last_good: self.last_good(),
            reading: value.as_ref().map(|value| value.reading),
        })
    }

    /// Sensors that give it.
    pub(super) fn len(&self) -> usize {
        self.probes.len()
    }

    /// Whether its sensors disagree.
    pub(super) const fn is_doubted(&self) -> bool {
        self.is_doubted
    }

    /// Each sensor whose value counts, with that.
    pub(super) fn values(&self) -> Vec<Sourced> {
        self.probes.iter().filter_map(Probe::value).collect()
    }

    /// Its sensors disagree from `at` on, or agree again.
    pub(super) fn doubt(&mut self, is_doubted: bool, now: Tick, at: Timestamp) -> Vec<Publication> {
        self.is_doubted = is_doubted;
        self.settle(at);
        let mut publications = self.show(now);
        publications.extend(self.tell_status());
        publications
    }

    /// It goes on for the other, perhaps with other sensors, which disagree or don't; of new ones
    /// nothing is known from `at` on.
    pub(super) fn inherit(
        &mut self,
        other: Option<Self>,
        is_doubted: bool,
        (now, at): (Tick, Timestamp),
    ) -> Outcome {
        self.is_doubted = is_doubted;
        let Some(other) = other else {
            return Outcome::Dark(self.unknown(at), self.hide());
        };
        let was = other.probes.get(other.in_use).map(Probe::id);
        self.number.inherit(&other.number);
        self.status.inherit(other.status);
        self.standing = other.standing;
        let mut publications = self.inherit_probes(other.probes, at);
        let stays = self.probes.iter().position(|probe| Some(probe.id()) == was);
        self.in_use = stays.unwrap_or(0);
        let best = self.best();
        self.in_use = best.unwrap_or(self.in_use);
        self.settle(at);
        if best.is_none() {
            return Outcome::Dark(publications, self.hide());
        }
        let is_other = match (&mut self.pool, other.pool) {
            (Some(pool), Some(before)) => {
                pool.inherit(&before);
                self.is_news(now)
            }
            (None, None) => stays != best,
            (Some(_), None) | (None, Some(_)) => true,
        };
        if is_other || !self.number.is_shown() || other.is_doubted != is_doubted {
            publications.extend(self.show(now));
        }
        Outcome::Light(publications)
    }

    /// Each sensor that was there goes on.
    fn inherit_probes(&mut self, mut before: Vec<Probe>, at: Timestamp) -> Vec<Publication> {
        let mut publications = Vec::new();
        for probe in &mut self.probes {
            match before.iter().position(|other| other.id() == probe.id()) {
                Some(index) => probe.inherit(before.swap_remove(index)),
                None => publications.extend(probe.unknown(at)),
            }
            publications.extend(probe.catch_up());
        }
        publications
    }

    /// Nothing is known of its sensors from `at` on.
    pub(super) fn unknown(&mut self, at: Timestamp) -> Vec<Publication> {
        self.is_doubted = false;
        let told = self.probes.iter_mut().filter_map(|probe| probe.unknown(at)).collect();
        self.settle(at);
        told
    }

    /// What a report means here; `None` if it is of something else.
    pub(super) fn report(&mut self, report: &Report, now: Tick) -> Option<Outcome> {
        if report.quantity != self.quantity {
            return None;
        }
        let index = self.probes.iter().position(|probe| probe.id() == report.sensor)?;
        let mut publications = self.probes.get_mut(index)?.report(report);
        let best = self.best();
        let before = self.in_use;
        self.in_use = best.unwrap_or(before);
        self.settle(report.since);
        if best.is_none() {
            return Some(Outcome::Dark(publications, self.hide()));
        }
        let is_its_own = report.value.is_some() && self.in_use == index;
        let is_news = match &self.pool {
            Some(_) => self.is_news(now),
            None => is_its_own || self.in_use != before,
        };
        if is_news {
            publications.extend(self.show(now));
        }
        Some(Outcome::Light(publications))
    }

    /// What is made of several is shown again, if it is time.
    pub(super) fn renew(&mut self, now: Tick) -> Vec<Publication> {
        if self.deadline().is_some_and(|due| due <= now) { self.show(now) } else { Vec::new() }
    }

    /// When to call [`Strand::renew`] at the latest.
    pub(super) fn deadline(&self) -> Option<Tick> {
        self.pool.as_ref().filter(|_| self.number.is_shown()).and_then(Pool::deadline)
    }

    /// How the sensor in use is, or all together, if that is news.
    pub(super) fn tell_status(&mut self) -> Option<Publication> {
        let standing = self.standing.filter(|_| !self.is_moot())?;
        let payload = payload::status(&standing, self.last_good());
        self.status.tell(standing, payload, Some(payload::json()))
    }

    /// Whether nobody can tell if any sensor gives it at all, and nothing was ever told of it.
    fn is_moot(&self) -> bool {
        let is_new = self.status.told().is_none();
        is_new && !self.probes.is_empty() && self.probes.iter().all(Probe::is_moot)
    }

    /// When the sensor in use was last good, or any where all count.
    fn last_good(&self) -> Option<Timestamp> {
        match &self.pool {
            None => self.probes.get(self.in_use)?.last_good(),
            Some(_) => {
                self.probes.iter().filter_map(Probe::last_good).max_by_key(|at| at.unix_ms())
            }
        }
    }

    /// From `at` on it is as its sensors are now.
    fn settle(&mut self, at: Timestamp) {
        let Some(in_use) = self.probes.get(self.in_use) else { return };
        let mut next = in_use.standing();
        if self.pool.is_some() {
            let state = pool::state(&self.probes, next.state);
            next = Standing { of: None, state, since: at };
        }
        if self.is_doubted && matches!(next.state, State::Ok | State::Suspect(_)) {
            next = Standing { state: DOUBTFUL, since: at, ..next };
        }
        self.standing = Some(self.standing.map_or(next, |before| before.then(next, at)));
    }

    /// What the room has now, if that counts.
    fn value(&self) -> Option<Sourced> {
        let value = match &self.pool {
            Some(pool) => pool.value(&self.probes)?,
            None => self.probes.get(self.in_use)?.value()?,
        };
        let state = if self.is_doubted { DOUBTFUL } else { value.state };
        Some(Sourced { state, ..value })
    }

    /// Shows what the room has now, if that counts.
    fn show(&mut self, now: Tick) -> Vec<Publication> {
        let Some(value) = self.value() else { return Vec::new() };
        if let Some(pool) = &mut self.pool {
            pool.show(now, &value);
        }
        self.number.show(&value)
    }

    /// Nothing counts any more.
    fn hide(&mut self) -> Vec<Publication> {
        if let Some(pool) = &mut self.pool {
            pool.hide();
        }
        if self.is_moot() { Vec::new() } else { self.number.clear() }
    }

    /// Whether what is made of several is to be shown now.
    fn is_news(&self, now: Tick) -> bool {
        let pool = self.pool.as_ref();
        pool.is_some_and(|pool| self.value().is_some_and(|value| pool.is_news(now, &value)))
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
        Ok([source]) => vec![Probe::alone(source)],
        Err(several) => {
            several.into_iter().map(|source| Probe::among_others(source, quantity)).collect()
        }
    }
}
