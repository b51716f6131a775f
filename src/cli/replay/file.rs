//! A record, read line by line and checked: what is wrong with it is said with its line. Without
//! its first line there is none; else it goes as far as its lines are right. Those behind are
//! looked at too, so that all that is broken is told at once.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use serde_json::Value;

use crate::bus::line::What;
use crate::bus::tap::Said;
use crate::cli::recording::{Answer, Content, Entry, Header, Recorded, VERSION, tick, wall};
use crate::config::{self, Settings, Source};
use crate::limits;
use crate::printable::shortened;
use crate::time::{Tick, Timestamp};

/// A record.
pub(super) struct Record {
    pub header: Header,
    pub settings: Settings,
    pub tracks: Vec<Track>,
    /// Why it ended; `None`: it is cut off.
    pub end: Option<String>,
    /// The first lines that are wrong. It goes up to the first of them.
    pub damages: Vec<Damage>,
    /// How many more there are.
    pub more: usize,
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

fn damage(line: usize, what: impl AsRef<str>) -> Damage {
    Damage { line, what: shortened(what.as_ref(), limits::RECORD_LETTERS_SHOWN) }
}

/// Reads a record of [`limits::RECORD_MIB_MAX`] at most. What can only be larger, or has a line
/// that no record has, is not taken into memory.
pub(super) fn read(path: &Path) -> Result<Record, Damage> {
    let bytes_max = limits::RECORD_MIB_MAX * 1024 * 1024;
    let too_large = || damage(0, format!("too large: {} MiB at most", limits::RECORD_MIB_MAX));
    let file = File::open(path).map_err(|it| broken(&it))?;
    if file.metadata().map_err(|it| broken(&it))?.len() > bytes_max {
        return Err(too_large());
    }
    // A pipe has no length.
    let mut from = BufReader::new(file).take(bytes_max + 1);
    let record = parse(&mut from)?;
    if from.limit() == 0 { Err(too_large()) } else { Ok(record) }
}

fn parse(mut from: impl BufRead) -> Result<Record, Damage> {
    let first = match next(&mut from, limits::RECORD_HEADER_BYTES_MAX).map_err(|it| broken(&it))? {
        Next::Line(line) => line,
        Next::TooLong => return Err(too_long(1)),
        Next::None => Vec::new(),
    };
    let header = header(utf8(1, &first)?)?;
    let settings = settings(&header)?;
    let known: usize = settings.rooms.iter().map(|room| room.sensors.len()).sum();
    if header.buses.iter().flat_map(|bus| &bus.sensors).any(|sensor| *sensor >= known) {
        return Err(damage(1, "a bus has a sensor that no room has"));
    }
    let track = |bus: &Recorded| {
        let (said, moments) = (Vec::new(), Vec::new());
        let track = Track { bus: bus.clone(), said, moments, last: header.t };
        (bus.name.clone(), track)
    };
    let mut tracks: BTreeMap<String, Track> = header.buses.iter().map(track).collect();
    let (mut end, mut damages, mut more) = (None, Vec::new(), 0);
    for number in 2.. {
        let line = match next(&mut from, limits::RECORD_LINE_BYTES_MAX).map_err(|it| broken(&it))? {
            Next::Line(line) => entry(number, &line),
            Next::TooLong => Err(too_long(number)),
            Next::None => break,
        };
        let taken = line.and_then(|entry| {
            if damages.is_empty() { take(&mut tracks, &mut end, number, entry) } else { Ok(()) }
        });
        match taken {
            Ok(()) => {}
            Err(damage) if damages.len() < limits::RECORD_DAMAGES_NAMED => damages.push(damage),
            Err(_) => more += 1,
        }
    }
    Ok(Record { header, settings, tracks: tracks.into_values().collect(), end, damages, more })
}

/// A line of a file, without its end.
enum Next {
    Line(Vec<u8>),
    /// Longer than any of a record; its rest was passed over.
    TooLong,
    None,
}

fn next(from: &mut impl BufRead, bytes_max: u64) -> io::Result<Next> {
    let mut line = Vec::new();
    if from.by_ref().take(bytes_max).read_until(b'\n', &mut line)? == 0 {
        return Ok(Next::None);
    }
    let is_whole = line.pop_if(|last| *last == b'\n').is_some();
    if !is_whole && u64::try_from(line.len()).is_ok_and(|length| length >= bytes_max) {
        from.skip_until(b'\n')?;
        return Ok(Next::TooLong);
    }
    Ok(Next::Line(line))
}

fn too_long(number: usize) -> Damage {
    damage(number, "damaged: a line longer than any of a record")
}

fn broken(error: &io::Error) -> Damage {
    damage(0, error.to_string().to_lowercase())
}

/// What the first line says of the rooms, checked as a configuration is.
fn settings(header: &Header) -> Result<Settings, Damage> {
    let root = format!("[gateway]\nroot = {}\n", config::quoted(&header.root));
    let sources = [("record", root), ("rooms", header.rooms.clone())];
    let sources = sources.map(|(path, text)| Source { path: path.into(), text });
    config::parse(&sources).map_err(|report| {
        let first = report.mistakes().first();
        let value = first.and_then(|it| it.value.as_ref()).map(|it| format!(": `{it}`"));
        let what = first.map_or("", |it| &it.what);
        damage(1, format!("its rooms are wrong: {what}{}", value.unwrap_or_default()))
    })
}

/// A line behind the first.
fn entry(number: usize, line: &[u8]) -> Result<Entry, Damage> {
    let line = utf8(number, line)?;
    if line.trim().is_empty() {
        return Err(damage(number, "damaged: a blank line"));
    }
    serde_json::from_str(line).map_err(|error| {
        let what = if error.is_eof() { "cut off".to_owned() } else { error.to_string() };
        damage(number, format!("damaged: {what}"))
    })
}

/// Puts it where it belongs.
fn take(
    tracks: &mut BTreeMap<String, Track>,
    end: &mut Option<String>,
    number: usize,
    entry: Entry,
) -> Result<(), Damage> {
    if end.is_some() {
        return Err(damage(number, "there is more behind the end"));
    }
    if let Content::End(why) = entry.content {
        *end = Some(shortened(&why, limits::RECORD_LETTERS_SHOWN));
        return Ok(());
    }
    let track = tracks
        .get_mut(&entry.bus)
        .ok_or_else(|| damage(number, format!("unknown bus: `{}`", entry.bus)))?;
    track.take(number, entry)
}

fn utf8(number: usize, line: &[u8]) -> Result<&str, Damage> {
    str::from_utf8(line).map_err(|_| damage(number, "damaged: not UTF-8"))
}

fn header(line: &str) -> Result<Header, Damage> {
    let broken = |error: serde_json::Error| damage(1, format!("damaged: {error}"));
    let none = || damage(1, "this is no record of `maison record`");
    let value: Value = match serde_json::from_str(line) {
        Ok(value) => value,
        Err(error) if line.starts_with("{\"maison-record\"") => return Err(broken(error)),
        Err(_) => return Err(none()),
    };
    let version = value.get("maison-record").and_then(Value::as_u64).ok_or_else(none)?;
    if version != u64::from(VERSION) {
        let what = format!("a record of version {version}: this program reads version {VERSION}");
        return Err(damage(1, what));
    }
    let header: Header = serde_json::from_value(value).map_err(broken)?;
    Ok(Header { program: shortened(&header.program, limits::RECORD_LETTERS_SHOWN), ..header })
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
            Ok(record) => record.damages[0].to_string(),
            Err(damage) => damage.to_string(),
        };
        assert!(found.starts_with(expected), "{found}");
    }

    #[test]
    fn what_stands_before_the_damage_is_kept() {
        let woken = br#"{"t":5,"bus":"i2c-1","woken":1795352400000}"#;
        for wrong in [b"".as_slice(), b"{\"t\":", b"\xff", b"[]"] {
            let text = [HEADER.as_bytes(), woken, wrong, woken].join(&b'\n');
            let record = parse(text.as_slice()).ok().unwrap();
            assert_eq!((record.tracks[0].moments.len(), &record.end), (1, &None), "{wrong:?}");
            assert!(record.damages[0].to_string().starts_with(":3: "), "{wrong:?}");
            assert_eq!((record.damages.len(), record.more), (1, 0), "{wrong:?}");
        }
    }

    /// The first are named, and the others counted.
    #[test]
    fn all_that_is_wrong_is_told() {
        let woken = r#"{"t":5,"bus":"i2c-1","woken":1795352400000}"#;
        let wide = "x".repeat(300_000);
        let lines = [HEADER, woken, "{", woken, &wide, woken, "", "{\"t\":"];
        let record = parse(lines.join("\n").as_bytes()).ok().unwrap();
        let damages: Vec<_> = record.damages.iter().map(|damage| damage.line).collect();
        assert_eq!((damages, record.more), (vec![3, 5, 7, 8], 0));
        let many = [HEADER].into_iter().chain(std::iter::repeat_n("{", 20));
        let record = parse(many.collect::<Vec<_>>().join("\n").as_bytes()).ok().unwrap();
        assert_eq!((record.damages.len(), record.more), (8, 12));
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
        let wide = "x".repeat(300_000);
        check(&[HEADER, &wide, woken], ":2: damaged: a line longer than any of a record");
        check(&[HEADER, woken, "\x1b[2J"], ":3: damaged: expected value");
        check(&[&HEADER.replace("maison\",", "mai\\u001bson\",")], ":1: its rooms are wrong");
        check(&[&HEADER[..60]], ":1: damaged: EOF");
        let end = r#"{"t":6,"end":"interrupted"}"#;
        check(&[HEADER, end, woken], ":3: there is more behind the end");
        check(&[HEADER, &woken.replace("woken", "wokne")], ":2: damaged");
        let record = parse([HEADER, woken].join("\n").as_bytes()).ok().unwrap();
        assert_eq!((record.tracks[0].moments.len(), record.end), (1, None));
    }
}
