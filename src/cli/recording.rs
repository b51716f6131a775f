//! What a record is: JSON, a line each, the first one saying what it is a record of.
//!
//! ```text
//! {"maison-record":1,"program":"0.1.0","t":0,"wall":1795352400000,"root":"maison","buses":[…],…}
//! {"t":15,"bus":"i2c-1","woken":1795352400000}
//! {"t":212,"bus":"i2c-1","said":{"i2c":{"at":68,"steps":[{"w":"f32d"},{"r":"801070"}]}}}
//! {"t":640,"bus":"i2c-1","answered":{"sensor":0,"wall":1795352400001,"temperature":21437}}
//! {"t":9000123,"end":"interrupted"}
//! ```
//!
//! `t` is in microseconds since the recorder began: of each bus by itself, and that of its last
//! step where something is said. `wall` is in milliseconds since 1970, values in thousandths of °C,
//! % and hPa. The configuration in the first line has the rooms and their sensors and nothing
//! else: no paths, no users, no passwords.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::bus::line::{Told, What};
use crate::bus::tap::{FaultName, Said};
use crate::daemon::Roster;
use crate::sampling::SensorId;
use crate::sensors::{Fault, Measurement};
use crate::telemetry::{House, Publication};
use crate::time::{CLOCK_SET_FROM_UNIX_S, Tick, Timestamp};
use crate::units::{Quantity, Value};

use super::lines::label;

/// Of the format. A program reads those of its own version.
pub(super) const VERSION: u32 = 1;

/// The first line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Header {
    #[serde(rename = "maison-record")]
    pub version: u32,
    /// Version of the program that wrote it.
    pub program: String,
    /// When the buses began.
    pub t: u64,
    pub wall: u64,
    /// First level of the topics.
    pub root: String,
    /// TOML: the rooms with their sensors.
    pub rooms: String,
    pub buses: Vec<Recorded>,
}

/// A bus of a record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Recorded {
    pub name: String,
    /// Of its sampler.
    pub seed: u64,
    /// The numbers of its sensors, in the order of the rooms.
    pub sensors: Vec<usize>,
}

/// Any other line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub t: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub bus: String,
    #[serde(flatten)]
    pub content: Content,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Content {
    /// Something was said on the bus.
    Said(Said),
    /// Its sampler was woken, at this wall clock time.
    Woken(u64),
    /// A sensor answered.
    Answered(Answer),
    /// The record ends, and why.
    End(String),
}

/// What a driver made of what was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answer {
    pub sensor: usize,
    pub wall: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub humidity: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pressure: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultName>,
}

impl Answer {
    /// What the sensor of that number answered.
    pub(super) fn new(
        sensor: SensorId,
        at: Timestamp,
        result: &Result<Measurement, Fault>,
    ) -> Self {
        let value = |quantity| {
            result.as_ref().ok().and_then(|it| it.value(quantity)).map(Value::thousandths)
        };
        Self {
            sensor: sensor.0,
            wall: at.unix_ms(),
            temperature: value(Quantity::Temperature),
            humidity: value(Quantity::Humidity),
            pressure: value(Quantity::Pressure),
            fault: result.as_ref().err().map(|fault| FaultName(*fault)),
        }
    }
}

/// The line of a step.
pub(super) fn content(told: &Told) -> Content {
    match &told.what {
        What::Woken => Content::Woken(told.at.unix_ms()),
        What::Answered(sensor, result) => Content::Answered(Answer::new(*sensor, told.at, result)),
    }
}

/// A time of the wall clock as a record has it.
pub(super) fn wall(unix_ms: u64) -> Timestamp {
    Timestamp::new(unix_ms, unix_ms / 1000 >= CLOCK_SET_FROM_UNIX_S.into())
}

/// What subscribers would be told of the steps of a record, for people or as JSON lines.
pub(super) struct Publisher<W> {
    house: House,
    roster: Roster,
    is_json: bool,
    out: W,
    /// Readings, faults, publications.
    pub counts: [usize; 3],
}

impl<W: Write> Publisher<W> {
    /// Begins with what a gateway says at its start.
    pub(super) fn start(
        root: &str,
        roster: &Roster,
        at: Timestamp,
        is_json: bool,
        out: W,
    ) -> io::Result<Self> {
        let house = House::new(root, &roster.rooms());
        let roster = roster.clone();
        let mut publisher = Self { house, roster, is_json, out, counts: [0; 3] };
        let first = publisher.house.start(at);
        publisher.publish(at, &first)?;
        Ok(publisher)
    }

    /// Says each fault, and what is published.
    pub(super) fn tell(&mut self, told: &Told) -> io::Result<()> {
        if let What::Answered(sensor, result) = told.what {
            let [readings, faults, _] = &mut self.counts;
            *readings += 1;
            if let Err(fault) = result {
                *faults += 1;
                let (at, who) = (told.at, label(&self.roster, sensor));
                if self.is_json {
                    let line = json!({ "t": at.to_string(), "sensor": who, "fault": fault.name() });
                    writeln!(self.out, "{line}")?;
                } else {
                    writeln!(self.out, "{at} {who}: fault: {fault}")?;
                }
            }
        }
        let mut publications = self.house.wake(told.now, told.at);
        for report in &told.reports {
            publications.extend(self.house.report(report, told.now, told.at));
        }
        self.publish(told.at, &publications)
    }

    fn publish(&mut self, at: Timestamp, publications: &[Publication]) -> io::Result<()> {
        for Publication { message, .. } in publications {
            let [.., published] = &mut self.counts;
            *published += 1;
            let topic = message.topic.as_str();
            let payload = String::from_utf8_lossy(&message.payload);
            if self.is_json {
                let line = json!({ "t": at.to_string(), "topic": topic, "payload": payload });
                writeln!(self.out, "{line}")?;
            } else {
                writeln!(self.out, "{at} {topic} {payload}")?;
            }
        }
        self.out.flush()
    }
}

/// When something was, in microseconds.
pub(super) const fn tick(t: u64) -> Tick {
    Tick::from_micros(t)
}
