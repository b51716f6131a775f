//! A room as its subscribers see it: the value of its first healthy sensor.
//!
//! A suspected sensor gives way to a healthy one; where there is none, its last value counts until
//! it is stale. The room is online as long as any of its sensors has a value that counts.

use std::collections::BTreeMap;

use crate::sampling::Report;
use crate::time::Timestamp;

use super::payload;
use super::probe::{Probe, Status};
use super::retained::{News, Number, named};
use super::{Publication, Room};

/// One room.
#[derive(Debug)]
pub(super) struct RoomView {
    number: Number,
    availability: News<Availability>,
    status: News<Status>,
    probes: Vec<Probe>,
    /// Whose value and status are the room's; while none has a value, whose were last.
    in_use: usize,
}

/// Whether a room has a value that counts.
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
    pub(super) fn new(above: &str, room: Room) -> Self {
        let base = format!("{above}/{}", room.slug);
        let topic = |name: &str| named(&format!("{base}/{name}"));
        Self {
            number: Number::of_room(topic("temperature"), topic("temperature/json")),
            availability: News::new(topic("availability")),
            status: News::new(topic("status")),
            probes: probes(&base, room),
            in_use: 0,
        }
    }

    /// The room is offline, and nothing is known of its sensors from `at` on.
    pub(super) fn unknown(&mut self, at: Timestamp) -> Vec<Publication> {
        let mut publications: Vec<_> =
            self.probes.iter_mut().filter_map(|probe| probe.unknown(at)).collect();
        publications.extend(self.tell_availability(Availability::Offline));
        publications.extend(self.tell_status());
        publications
    }

    /// What a report means here; `None` if the sensor is elsewhere.
    pub(super) fn report(&mut self, report: &Report) -> Option<Vec<Publication>> {
        let index = self.probes.iter().position(|probe| probe.id() == report.sensor)?;
        let mut publications = self.probes.get_mut(index)?.report(report);
        let Some(best) = self.best() else {
            publications.extend(self.dark());
            return Some(publications);
        };
        let is_news = best != self.in_use || (best == index && report.value.is_some());
        self.in_use = best;
        let value = self.probes.get(best).and_then(Probe::value).filter(|_| is_news);
        publications.extend(value.into_iter().flat_map(|value| self.number.show(value)));
        publications.extend(self.tell_availability(Availability::Online));
        publications.extend(self.tell_status());
        Some(publications)
    }

    /// No sensor has a value that counts: that is told before the number goes.
    fn dark(&mut self) -> Vec<Publication> {
        let offline = self.tell_availability(Availability::Offline);
        let status = self.tell_status();
        offline.into_iter().chain(status).chain(self.number.clear()).collect()
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

    fn tell_availability(&mut self, availability: Availability) -> Option<Publication> {
        self.availability.tell(availability, availability.payload(), None)
    }

    fn tell_status(&mut self) -> Option<Publication> {
        let (status, payload) = self.probes.get(self.in_use)?.status();
        self.status.tell(status, payload, Some(payload::json()))
    }
}

fn probes(base: &str, room: Room) -> Vec<Probe> {
    if let [(id, address)] = &*room.sensors {
        return vec![Probe::alone(*id, address.clone())];
    }
    let mut seen = BTreeMap::new();
    let probes = room.sensors.into_iter().map(|(id, address)| {
        let count = seen.entry(address.clone()).and_modify(|count| *count += 1).or_insert(1);
        let name = if *count == 1 { address.to_string() } else { format!("{address}-{count}") };
        Probe::among_others(id, address, &format!("{base}/sensor/{name}"))
    });
    probes.collect()
}
