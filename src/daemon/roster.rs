//! Who is who among the sensors: a number for each, which it keeps over reloads.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::house::Label;
use crate::bus::Attached;
use crate::config::{self, Settings};
use crate::sampling::{Combination, SensorId, SensorSettings, Tolerance};
use crate::telemetry::{Offer, Room, Sensor};

/// The sensors of the configuration, in its order.
#[derive(Clone, Debug)]
pub(crate) struct Roster {
    fitted: Vec<Fitted>,
    rooms: Vec<(Arc<str>, Combination, Tolerance)>,
    next: usize,
}

/// A sensor with its number.
#[derive(Clone, Debug)]
pub(crate) struct Fitted {
    pub id: SensorId,
    /// Slug of its room.
    pub room: Arc<str>,
    pub sensor: config::Sensor,
}

impl Fitted {
    /// Its room, its bus, and what its bus needs to know of it.
    pub(crate) fn attached(&self) -> (&str, config::Bus, Attached) {
        let attached = Attached {
            id: self.id,
            driver: self.sensor.driver,
            address: self.sensor.address.clone(),
            element: self.sensor.element,
        };
        (&self.room, self.sensor.bus, attached)
    }
}

impl Roster {
    /// Of a gateway that starts: numbered in the order of the configuration.
    pub(crate) fn new(settings: &Settings) -> Self {
        Self { fitted: Vec::new(), rooms: Vec::new(), next: 0 }.refitted(settings)
    }

    /// After a reload: a sensor that is where it was keeps its number, and none is given twice.
    pub(crate) fn refitted(&self, settings: &Settings) -> Self {
        let mut next = self.next;
        let mut fitted: Vec<Fitted> = Vec::new();
        for room in &settings.rooms {
            for sensor in &room.sensors {
                let is_it = |old: &&Fitted| {
                    *old.room == *room.slug && sensor.is_at_the_place_of(&old.sensor)
                };
                let id = self.fitted.iter().find(is_it).map_or_else(
                    || {
                        next += 1;
                        SensorId(next - 1)
                    },
                    |old| old.id,
                );
                let room = Arc::from(&*room.slug);
                fitted.push(Fitted { id, room, sensor: sensor.clone() });
            }
        }
        let room = |room: &config::Room| (Arc::from(&*room.slug), room.combine, room.tolerance);
        Self { fitted, rooms: settings.rooms.iter().map(room).collect(), next }
    }

    /// All of them.
    pub(crate) fn sensors(&self) -> &[Fitted] {
        &self.fitted
    }

    /// As subscribers see them.
    pub(crate) fn rooms(&self) -> Vec<Room> {
        let sensor = |fitted: &Fitted| Sensor {
            id: fitted.id,
            address: Arc::from(fitted.sensor.address.to_string()),
            offers: Offer::all(&fitted.sensor.sampling),
        };
        let room = |(slug, combine, tolerance): &(Arc<str>, Combination, Tolerance)| {
            let mine = self.fitted.iter().filter(|fitted| fitted.room == *slug);
            Room {
                slug: Arc::clone(slug),
                combine: *combine,
                tolerance: *tolerance,
                sensors: mine.map(sensor).collect(),
            }
        };
        self.rooms.iter().map(room).collect()
    }

    /// As operators call them.
    pub(super) fn labels(&self) -> BTreeMap<SensorId, Label> {
        let label = |fitted: &Fitted| {
            let address = Arc::from(fitted.sensor.address.to_string());
            (fitted.id, Label { room: Arc::clone(&fitted.room), address })
        };
        self.fitted.iter().map(label).collect()
    }

    /// How each is sampled.
    pub(crate) fn sampling(&self) -> impl Iterator<Item = (SensorId, &SensorSettings)> {
        self.fitted.iter().map(|fitted| (fitted.id, &fitted.sensor.sampling))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        config::parse(&[config::Source { path: "a.toml".into(), text: text.into() }]).unwrap()
    }

    fn sensor(room: &str, address: &str, rest: &str) -> String {
        format!(
            "[[rooms.{room}.sensors]]\ndriver = \"ds18b20\"\nbus = \"w1\"\n\
             address = \"{address}\"\n{rest}\n"
        )
    }

    fn ids(roster: &Roster) -> Vec<(&str, usize)> {
        roster.sensors().iter().map(|fitted| (&*fitted.room, fitted.id.0)).collect()
    }

    #[test]
    fn a_sensor_keeps_its_number_and_none_is_given_twice() {
        const A: &str = "28-01131e858aef";
        const B: &str = "28-3c01d6075f12";
        let first = Roster::new(&settings(&(sensor("cave", A, "") + &sensor("salon", B, ""))));
        assert_eq!(ids(&first), [("cave", 0), ("salon", 1)]);
        let tuned = settings(&sensor("salon", B, "interval = \"2s\""));
        let second = first.refitted(&tuned);
        assert_eq!(ids(&second), [("salon", 1)]);
        let third = second.refitted(&settings(&(sensor("cave", A, "") + &sensor("salon", B, ""))));
        assert_eq!(ids(&third), [("cave", 2), ("salon", 1)]);
    }
}
