//! One quantity of a sensor as its room sees it, and its own topics where the room has several.

use std::sync::Arc;

use crate::mqtt::TopicName;
use crate::sampling::{Reading, Report, SensorId, State};
use crate::sensors::catalog::Promise;
use crate::time::Timestamp;
use crate::units::Quantity;

use super::Publication;
use super::payload::{self, Sourced};
use super::retained::{News, Number, named};
use super::standing::Standing;
use super::strand::{Source, status_topic};

/// One sensor.
#[derive(Debug)]
pub(super) struct Probe {
    condition: Condition,
    own: Option<Own>,
}

/// What is known of a sensor.
#[derive(Debug)]
struct Condition {
    id: SensorId,
    address: Arc<str>,
    state: State,
    since: Timestamp,
    last_good: Option<Timestamp>,
    reading: Option<Reading>,
    /// Nobody has promised that it gives the quantity, and it never did.
    is_moot: bool,
}

/// The topics of a sensor.
#[derive(Debug)]
struct Own {
    number: Number,
    status: News<Standing>,
}

impl Probe {
    /// The only sensor of its room that gives the quantity: its topics are the room's.
    pub(super) fn alone(Source { id, address, promise, .. }: Source) -> Self {
        let condition = Condition {
            id,
            address,
            is_moot: promise == Promise::Perhaps,
            state: State::Unknown,
            since: Timestamp::new(0, false),
            last_good: None,
            reading: None,
        };
        Self { condition, own: None }
    }

    /// One of several: it has topics of its own.
    pub(super) fn among_others(source: Source, quantity: Quantity) -> Self {
        let base = &source.base;
        let number = Number::of_sensor(named(&format!("{base}/{}", quantity.name())));
        let status = News::new(named(&status_topic(base, quantity)));
        Self { own: Some(Own { number, status }), ..Self::alone(source) }
    }

    /// Its name in the house.
    pub(super) const fn id(&self) -> SensorId {
        self.condition.id
    }

    /// Whether nobody can tell if it gives the quantity at all.
    pub(super) const fn is_moot(&self) -> bool {
        self.condition.is_moot
    }

    /// Whether its last cycle gave a good reading.
    pub(super) fn is_healthy(&self) -> bool {
        self.condition.state == State::Ok
    }

    /// Whether it is suspected and its last value still counts.
    pub(super) fn is_suspect(&self) -> bool {
        matches!(self.condition.state, State::Suspect(_)) && self.value().is_some()
    }

    /// The last value, if it counts.
    pub(super) fn value(&self) -> Option<Sourced> {
        self.condition.value()
    }

    /// As it is printed.
    pub(super) const fn address(&self) -> &Arc<str> {
        &self.condition.address
    }

    /// How it is, and since when.
    pub(super) const fn standing(&self) -> Standing {
        self.condition.standing()
    }

    /// When it was last good.
    pub(super) const fn last_good(&self) -> Option<Timestamp> {
        self.condition.last_good
    }

    /// Takes a report of this sensor, and tells it on its own topics.
    pub(super) fn report(&mut self, report: &Report) -> Vec<Publication> {
        self.condition.take(report);
        let Some(own) = &mut self.own else { return Vec::new() };
        let mut publications = match self.condition.value() {
            Some(value) if report.value.is_some() => own.number.show(&value),
            Some(_) => Vec::new(),
            None => own.number.clear(),
        };
        publications.extend(own.tell_status(&self.condition));
        publications
    }

    /// Its own topics.
    pub(super) fn topics(&self) -> impl Iterator<Item = &TopicName> {
        let own = self.own.iter();
        own.flat_map(|own| own.number.topics().chain([own.status.topic()]))
    }

    /// It is the sensor that the other was.
    pub(super) fn inherit(&mut self, other: Self) {
        self.condition = other.condition;
        if let (Some(own), Some(before)) = (&mut self.own, other.own) {
            own.number.inherit(&before.number);
            own.status.inherit(before.status);
        }
    }

    /// What its own topics do not tell yet.
    pub(super) fn catch_up(&mut self) -> Vec<Publication> {
        let Some(own) = self.own.as_mut().filter(|_| !self.condition.is_moot) else {
            return Vec::new();
        };
        let mut publications = match self.condition.value() {
            Some(value) if !own.number.is_shown() => own.number.show(&value),
            Some(_) => Vec::new(),
            None => own.number.clear(),
        };
        publications.extend(own.tell_status(&self.condition));
        publications
    }

    /// Nothing is known of it from `at` on.
    pub(super) fn unknown(&mut self, at: Timestamp) -> Option<Publication> {
        self.condition.state = State::Unknown;
        self.condition.since = at;
        let own = self.own.as_mut().filter(|_| !self.condition.is_moot)?;
        own.tell_status(&self.condition)
    }
}

impl Own {
    fn tell_status(&mut self, condition: &Condition) -> Option<Publication> {
        let standing = condition.standing();
        let payload = payload::status(&standing, condition.last_good);
        self.status.tell(standing, payload, Some(payload::json()))
    }
}

impl Condition {
    fn take(&mut self, report: &Report) {
        self.state = report.state;
        self.since = report.since;
        self.last_good = report.last_good;
        self.reading = report.value.or(self.reading);
        self.is_moot = false;
    }

    fn value(&self) -> Option<Sourced> {
        let reading = match self.state {
            State::Ok | State::Suspect(_) => self.reading?,
            State::Unknown | State::Stale | State::Failed(_) => return None,
        };
        Some(Sourced { reading, state: self.state, sensor: Arc::clone(&self.address) })
    }

    const fn standing(&self) -> Standing {
        Standing { of: Some(self.id), state: self.state, since: self.since }
    }
}
