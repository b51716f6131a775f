//! A record, read and checked: what is wrong with it is said with its line. Without its first line
//! there is none; else it goes as far as its lines are right.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::bus::line::What;
use crate::bus::tap::Said;
use crate::cli::recording::{Answer, Content, Entry, Header, Recorded, VERSION, tick, wall};
use crate::config::{self, Settings, Source};
use crate::limits;
use crate::time::{Tick, Timestamp};

/// A record.
pub(super) struct Record {
    pub header: Header,
    pub settings: Settings,
    pub tracks: Vec<Track>,
    /// Why it ended; `None`: it is cut off.
    pub end: Option<String>,
    /// What is wrong with the first line that is not in it, as are all behind that.
    pub damage: Option<Damage>,
}

/// What happened on one bus, each with its line.
pub(super) struct Track {
    pub bus: Recorded,
    pub said: Vec<(usize, Said)>,
    pub moments: Vec<Moment>,
    /// Time of its last line.
    last: u64,
}

/// A step of a bus.
#[derive(Clone)]
pub(super) struct Moment {
    pub line: usize,
    pub now: Tick,
    pub at: Timestamp,
    /// Of a sensor; `None`: time had passed.
    pub answer: Option<Answer>,
}

impl Moment {
    /// Whether a step is as it was then; `None`: it is another one.
    pub(super) fn is_of(&self, what: &What) -> Option<bool> {
        match (what, &self.answer) {
            (What::Woken, None) => Some(true),
            (What::Answered(sensor, result), Some(then)) if sensor.0 == then.sensor => {
                Some(Answer::new(*sensor, self.at, result) == *then)
            }
            _ => None,
        }
    }
}

/// What is wrong, and in which line; 0: with the file. To be written behind its name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Damage {
    line: usize,
    what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(formatter, ": {}", self.what),
            line => write!(formatter, ":{line}: {}", self.what),
        }
    }
}

fn damage(line: usize, what: impl Into<String>) -> Damage {
    Damage { line, what: what.into() }
}

/// Reads a record as a whole: [`limits::RECORD_MIB_MAX`] bound it.
pub(super) fn read(path: &Path) -> Result<Record, Damage> {
    let bytes_max = limits::RECORD_MIB_MAX * 1024 * 1024;
    let file = File::open(path).map_err(|error| damage(0, error.to_string().to_lowercase()))?;
    let mut bytes = Vec::new();
    let read = file.take(bytes_max + 1).read_to_end(&mut bytes);
    read.map_err(|error| damage(0, error.to_string().to_lowercase()))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > bytes_max) {
        return Err(damage(0, format!("too large: {} MiB at most", limits::RECORD_MIB_MAX)));
    }
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Result<Record, Damage> {
    let mut lines = (1..).zip(bytes.strip_suffix(b"\n").unwrap_or(bytes).split(|it| *it == b'\n'));
    let first = lines.next().map_or(Ok(""), |(number, line)| utf8(number, line))?;
    let header = header(first)?;
    let source = Source { path: "record".into(), text: header.rooms.clone() };
    let settings = config::parse(&[source])
        .map_err(|report| damage(1, format!("its rooms are wrong:\n{report}")))?;
    let known: usize = settings.rooms.iter().map(|room| room.sensors.len()).sum();
    let track = |bus: &Recorded| {
        let (said, moments) = (Vec::new(), Vec::new());
        let track = Track { bus: bus.clone(), said, moments, last: header.t };
        (bus.name.clone(), track)
    };
    let mut tracks: BTreeMap<String, Track> = header.buses.iter().map(track).collect();
    if header.buses.iter().flat_map(|bus| &bus.sensors).any(|sensor| *sensor >= known) {
        return Err(damage(1, "a bus has a sensor that no room has"));
    }
    let mut end = None;
    let damage = lines.find_map(|(number, line)| take(&mut tracks, &mut end, number, line).err());
    Ok(Record { header, settings, tracks: tracks.into_values().collect(), end, damage })
}

/// A line behind the first.
fn take(
    tracks: &mut BTreeMap<String, Track>,
    end: &mut Option<String>,
    number: usize,
    line: &[u8],
) -> Result<(), Damage> {
    if end.is_some() {
        return Err(damage(number, "there is more behind the end"));
    }
    let line = utf8(number, line)?;
    if line.trim().is_empty() {
        return Err(damage(number, "damaged: a blank line"));
    }
    let entry: Entry = serde_json::from_str(line).map_err(|error| {
        let what = if error.is_eof() { "cut off".to_owned() } else { error.to_string() };
        damage(number, format!("damaged: {what}"))
    })?;
    if let Content::End(why) = entry.content {
        *end = Some(why);
        return Ok(());
    }
    let track = tracks
        .get_mut(&entry.bus)
        .ok_or_else(|| damage(number, format!("unknown bus: `{}`", entry.bus)))?;
    track.take(number, entry)
}

fn utf8(number: usize, line: &[u8]) -> Result<&str, Damage> {
    str::from_utf8(line).map_err(|_| damage(number, "not UTF-8"))
}

fn header(line: &str) -> Result<Header, Damage> {
    let value: Value = serde_json::from_str(line)
        .map_err(|_| damage(1, "this is no record of `maison record`"))?;
    match value.get("maison-record").and_then(Value::as_u64) {
        None => Err(damage(1, "this is no record of `maison record`")),
        Some(version) if version != u64::from(VERSION) => Err(damage(
            1,
            format!("a record of version {version}: this program reads version {VERSION}"),
        )),
        Some(_) => {
            serde_json::from_value(value).map_err(|error| damage(1, format!("damaged: {error}")))
        }
    }
}

impl Track {
    fn take(&mut self, line: usize, entry: Entry) -> Result<(), Damage> {
        if entry.t < self.last {
            return Err(damage(line, "time goes backwards"));
        }
        self.last = entry.t;
        let now = tick(entry.t);
        let moment = |unix_ms, answer| Moment { line, now, at: wall(unix_ms), answer };
        match entry.content {
            Content::Said(said) => self.said.push((line, said)),
            Content::Woken(unix_ms) => self.moments.push(moment(unix_ms, None)),
            Content::Answered(answer) if self.bus.sensors.contains(&answer.sensor) => {
                self.moments.push(moment(answer.wall, Some(answer)));
            }
            Content::Answered(answer) => {
                let what = format!("sensor {} is not on `{}`", answer.sensor, self.bus.name);
                return Err(damage(line, what));
            }
            Content::End(_) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = concat!(
        r#"{"maison-record":1,"program":"0.1.0","t":0,"wall":1795352400000,"root":"maison","#,
        r#""rooms":"[[rooms.a.sensors]]\ndriver=\"tmp117\"\nbus=\"i2c-1\"","#,
        r#""buses":[{"name":"i2c-1","seed":0,"sensors":[0]}]}"#
    );

    #[track_caller]
    fn check(lines: &[&str], expected: &str) {
        let found = match parse(lines.join("\n").as_bytes()) {
            Ok(record) => record.damage.unwrap().to_string(),
            Err(damage) => damage.to_string(),
        };
        assert!(found.starts_with(expected), "{found}");
    }

    #[test]
    fn what_stands_before_the_damage_is_kept() {
        let woken = br#"{"t":5,"bus":"i2c-1","woken":1795352400000}"#;
        for wrong in [b"".as_slice(), b"{\"t\":", b"\xff", b"[]"] {
            let record =
                parse(&[HEADER.as_bytes(), woken, wrong, woken].join(&b'\n')).ok().unwrap();
            assert_eq!((record.tracks[0].moments.len(), &record.end), (1, &None), "{wrong:?}");
            assert!(record.damage.unwrap().to_string().starts_with(":3: "), "{wrong:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let woken = r#"{"t":5,"bus":"i2c-1","woken":1795352400000}"#;
        check(&[""], ":1: this is no record");
        check(&["{}"], ":1: this is no record");
        check(&[&HEADER.replace("record\":1", "record\":2")], ":1: a record of version 2");
        check(&[&HEADER.replace("tmp117", "tmp118")], ":1: its rooms are wrong");
        check(&[&HEADER.replace("[0]", "[1]")], ":1: a bus has a sensor that no room has");
        check(&[HEADER, woken, "{\"t\":"], ":3: damaged: cut off");
        check(&[HEADER, woken, "", woken], ":3: damaged: a blank line");
        check(&[HEADER, &woken.replace("i2c-1", "i2c-2")], ":2: unknown bus: `i2c-2`");
        check(&[HEADER, woken, &woken.replace('5', "4")], ":3: time goes backwards");
        let answer = r#"{"t":6,"bus":"i2c-1","answered":{"sensor":1,"wall":1}}"#;
        check(&[HEADER, woken, answer], ":3: sensor 1 is not on");
        let end = r#"{"t":6,"end":"interrupted"}"#;
        check(&[HEADER, end, woken], ":3: there is more behind the end");
        check(&[HEADER, &woken.replace("woken", "wokne")], ":2: damaged");
        let record = parse([HEADER, woken].join("\n").as_bytes()).ok().unwrap();
        assert_eq!((record.tracks[0].moments.len(), record.end), (1, None));
    }
}
