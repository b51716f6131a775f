//! `[simulation]`, written back: what the house is like, and behind its rooms what befalls them.

use std::fmt::{self, Write};

use super::quoted;
use crate::config::amount::{Bounded, Decimal};
use crate::config::schema::Hour;
use crate::config::words::{PLACES, word};
use crate::config::{Simulation, Target};
use crate::sim::script::{Begin, Episode, Trouble};
use crate::sim::weather::{Climate, Heating};
use crate::time::Timestamp;

/// The table.
pub(super) fn house(out: &mut String, simulation: &Simulation) -> fmt::Result {
    writeln!(out, "\n[simulation]\nseed = {}", simulation.seed)?;
    if let Some(start) = simulation.start {
        writeln!(out, "start = {}", quoted(&Timestamp::new(start, true).to_string()))?;
    }
    writeln!(out, "noise = {}", simulation.noise)?;
    let Climate { mean, season, day, fronts } = simulation.weather;
    let [mean, season, day, fronts] = [mean, season, day, fronts].map(decimal);
    writeln!(
        out,
        "weather = {{ mean = {mean}, season = {season}, day = {day}, fronts = {fronts} }}"
    )?;
    let Heating { day, night, hours: (from, to) } = simulation.heating;
    let [day, night] = [day, night].map(decimal);
    let [from, to] = [from, to].map(|hour| quoted(&Hour(hour).written()));
    writeln!(out, "heating = {{ day = {day}, night = {night}, from = {from}, to = {to} }}")
}

/// Where its sensors hang, and what goes wrong.
pub(super) fn script(out: &mut String, simulation: &Simulation) -> fmt::Result {
    for (whom, place) in &simulation.places {
        writeln!(out, "\n[[simulation.places]]")?;
        target(out, whom)?;
        writeln!(out, "place = {}", quoted(word(&PLACES, place)))?;
    }
    for (whom, episode) in &simulation.faults {
        writeln!(out, "\n[[simulation.faults]]")?;
        target(out, whom)?;
        fault(out, episode)?;
    }
    Ok(())
}

fn target(out: &mut String, Target { room, sensor }: &Target) -> fmt::Result {
    writeln!(out, "room = {}", quoted(room))?;
    let Some(sensor) = sensor else { return Ok(()) };
    writeln!(out, "sensor = {}", quoted(&sensor.to_string()))
}

fn fault(out: &mut String, Episode { trouble, begin, lasts }: &Episode) -> fmt::Result {
    let duration = |duration: &std::time::Duration| quoted(&duration.written());
    let (name, rest) = match trouble {
        Trouble::Unplugged => ("unplugged", String::new()),
        Trouble::WrongChip => ("wrong-chip", String::new()),
        Trouble::PowerOn => ("power-on", String::new()),
        Trouble::Stuck => ("stuck", String::new()),
        Trouble::Crc { share } => {
            ("crc", format!("share = {}\n", decimal(i32::try_from(*share).unwrap_or(1000))))
        }
        Trouble::Drift { by, over } => {
            ("drift", format!("by = {}\nover = {}\n", decimal(*by), duration(over)))
        }
        Trouble::Noise { by } => ("noise", format!("by = {}\n", decimal(*by))),
    };
    write!(out, "fault = {}\n{rest}", quoted(name))?;
    match begin {
        Begin::After(wait) => writeln!(out, "after = {}", duration(wait))?,
        Begin::Daily(hour) => writeln!(out, "at = {}", quoted(&Hour(*hour).written()))?,
    }
    match lasts {
        Some(lasts) => writeln!(out, "lasts = {}", duration(lasts)),
        None => Ok(()),
    }
}

fn decimal(thousandths: i32) -> String {
    Decimal(thousandths).written()
}
