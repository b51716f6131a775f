//! `maison replay`: drivers, plausibility, filters and topics on what was recorded. The same record
//! gives the same words each time.

mod file;

use std::cell::Cell;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use super::exit;
use super::output::Standard;
use super::recording::{Publisher, tick, wall};
use crate::bus::line::{Line, Told, What};
use crate::bus::replayed::{Script, bus};
use crate::bus::tap::Tap;
use crate::daemon::{Fitted, Roster, sensors};

use file::{Moment, Record, Track};

/// Print what a gateway would publish of a record, and each fault
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Made by `maison record`
    file: PathBuf,
    /// So many times as fast as it was [default: as fast as it goes]
    #[arg(long, value_name = "FACTOR")]
    speed: Option<f64>,
    /// Print JSON, an object a line
    #[arg(long)]
    json: bool,
}

/// Status 0; 1 if the record is damaged, of another version, or answers what is not asked any more.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    if arguments.speed.is_some_and(|speed| !speed.is_finite() || speed <= 0.0) {
        super::complain("no speed: it is a number above zero, as in `--speed 10`");
        return Ok(exit::code(exit::USAGE));
    }
    let record = match file::read(&arguments.file) {
        Ok(record) => record,
        Err(error) => {
            super::complain(format_args!("{}{error}", arguments.file.display()));
            return Ok(exit::code(exit::FAILED));
        }
    };
    let roster = Roster::new(&record.settings);
    let mut steps = Vec::new();
    let mut diverged = None;
    for track in &record.tracks {
        let (mine, asked) = replayed(&record, track, &roster);
        steps.extend(mine);
        diverged = diverged.or(asked);
    }
    steps.sort_by_key(|(line, ..)| *line);
    let at = wall(record.header.wall);
    let root = &record.header.root;
    let mut publisher = Publisher::start(root, &roster, at, arguments.json, Standard)?;
    let mut last = tick(record.header.t);
    let mut others = 0;
    for (_, told, is_as_recorded) in &steps {
        if let Some(speed) = arguments.speed {
            let passed = told.now.since(last).as_secs_f64() / speed;
            thread::sleep(Duration::try_from_secs_f64(passed).unwrap_or(Duration::ZERO));
            last = told.now.max(last);
        }
        others += usize::from(!is_as_recorded);
        publisher.tell(told)?;
    }
    let [readings, faults, publications] = publisher.counts;
    let end = match (&record.damage, &record.end) {
        (Some(_), _) => "the record is damaged",
        (None, None) => "the record is cut off",
        (None, Some(end)) => end,
    };
    eprintln!("replayed: {readings} readings, {faults} faults, {publications} publications: {end}");
    if others > 0 {
        let program = &record.header.program;
        eprintln!("{others} answers are others than at the time, by program {program}");
    }
    let is_whole = diverged.is_none() && record.damage.is_none();
    let file = arguments.file.display();
    if let Some((line, asked)) = diverged {
        let hint = hint(&record.header.program, env!("CARGO_PKG_VERSION"));
        super::complain(format_args!(
            "{file}:{line}: this answers another question; {asked}{hint}"
        ));
    }
    if let Some(damage) = &record.damage {
        super::complain(format_args!("{file}{damage}\n  hint: it is replayed up to there"));
    }
    Ok(if is_whole { ExitCode::SUCCESS } else { exit::code(exit::FAILED) })
}

/// Why a record and this program may not agree.
fn hint(then: &str, now: &str) -> String {
    if then == now {
        "\n  hint: a line before it is missing or was changed".to_owned()
    } else {
        format!("\n  hint: the record is of program {then}, this is {now}")
    }
}

/// A step with its line, and whether the driver made the same of it as at the time.
type Step = (usize, Told, bool);

/// All steps of one bus, and where it was asked something that was not recorded.
fn replayed(
    record: &Record,
    track: &Track,
    roster: &Roster,
) -> (Vec<Step>, Option<(usize, String)>) {
    let all = roster.sensors().iter().map(Fitted::attached).map(|(.., attached)| attached);
    let attached: Vec<_> = all.filter(|it| track.bus.sensors.contains(&it.id.0)).collect();
    let script = Script::new(track.said.clone());
    let hands = bus(&track.bus.name, &script, &attached);
    let mine = sensors(roster, &attached).into_values().collect();
    let start = tick(record.header.t);
    let name = track.bus.name.clone();
    let mut line = Line::new(name, hands, (mine, track.bus.seed), start, Tap::default());
    let mut moments: VecDeque<Moment> = track.moments.iter().cloned().collect();
    let (mut steps, place, mut lost) = (Vec::new(), Cell::new((0, true)), None);
    while let Some(before) = moments.front().map(|moment| moment.line) {
        let mut next = |what: &What| {
            let moment = moments.front()?;
            let Some(is_as_recorded) = moment.is_of(what) else {
                lost = lost.take().or(Some((moment.line, format!("next now: {what:?}"))));
                return None;
            };
            place.set((moment.line, is_as_recorded));
            let moment = moments.pop_front()?;
            Some((moment.now, moment.at))
        };
        line.turn(&mut next, &mut |told| {
            let (number, is_as_recorded) = place.get();
            steps.push((number, told, is_as_recorded));
        });
        let stands_still = moments.front().map(|moment| moment.line) == Some(before);
        if stands_still || script.diverged().is_some() {
            break;
        }
    }
    let diverged = script.diverged().or(lost);
    if let Some((line, _)) = &diverged {
        // What came of no answer was never said.
        steps.retain(|(number, ..)| number < line);
    }
    (steps, diverged)
}
