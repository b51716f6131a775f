//! `maison replay`: drivers, plausibility, filters and topics on what was recorded. The same record
//! gives the same words each time.

mod file;

use std::cell::Cell;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
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
use crate::time::Tick;

use file::{Damage, Record, Track};

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
    match file::read(&arguments.file) {
        Ok(record) => replay(arguments, record),
        Err(error) => {
            super::complain(format_args!("{}{error}", arguments.file.display()));
            Ok(exit::code(exit::FAILED))
        }
    }
}

fn replay(arguments: &Arguments, record: Record) -> Result<ExitCode> {
    let Record { header, settings, tracks, end, damages, more } = record;
    let roster = Roster::new(&settings);
    let (mut steps, mut diverged) = (Vec::new(), Vec::new());
    for track in tracks {
        let (mine, asked) = replayed(track, &roster, tick(header.t));
        steps.extend(mine);
        diverged.extend(asked);
    }
    steps.sort_by_key(|(line, ..)| *line);
    diverged.sort_unstable();
    let (at, root) = (wall(header.wall), &settings.gateway.root);
    let mut publisher = Publisher::start(root, &roster, at, arguments.json, Standard)?;
    let mut last = tick(header.t);
    for (_, told, _) in &steps {
        if let Some(speed) = arguments.speed {
            let passed = told.now.since(last).as_secs_f64() / speed;
            thread::sleep(Duration::try_from_secs_f64(passed).unwrap_or(Duration::ZERO));
            last = told.now.max(last);
        }
        publisher.tell(told)?;
    }
    let [readings, faults, publications] = publisher.counts;
    let end = match (damages.is_empty(), &end) {
        (false, _) => "the record is damaged",
        (true, None) => "the record is cut off",
        (true, Some(end)) => end,
    };
    eprintln!("replayed: {readings} readings, {faults} faults, {publications} publications: {end}");
    let others: Vec<usize> =
        steps.iter().filter(|(.., is_as_recorded)| !is_as_recorded).map(|it| it.0).collect();
    let mut trouble = Trouble { file: &arguments.file, is_any: false };
    trouble.others(&others, &header.program);
    for (line, asked) in diverged {
        let hint = hint(&header.program, env!("CARGO_PKG_VERSION"));
        trouble.tell(&format!(":{line}: this answers another question; {asked}{hint}"));
    }
    trouble.damages(&damages, more);
    Ok(exit::code(if trouble.is_any { exit::FAILED } else { 0 }))
}

/// What is wrong with a record, said as it is found.
struct Trouble<'a> {
    file: &'a Path,
    is_any: bool,
}

impl Trouble<'_> {
    fn tell(&mut self, what: &str) {
        self.is_any = true;
        super::complain(format_args!("{}{what}", self.file.display()));
    }

    /// Answers that are others than at the time are what a replay is for, where the program is
    /// another; where it is not, somebody changed the record.
    fn others(&mut self, lines: &[usize], program: &str) {
        let Some(first) = lines.first() else { return };
        let count = lines.len();
        if program == env!("CARGO_PKG_VERSION") {
            let hint = "a line before it was changed, or the drivers were";
            let what = "the answers here are others than at the time";
            self.tell(&format!(":{first}: {what}: {count} in all\n  hint: {hint}"));
        } else {
            eprintln!("{count} answers are others than at the time, by program {program}");
        }
    }

    fn damages(&mut self, damages: &[Damage], more: usize) {
        for (number, damage) in damages.iter().enumerate() {
            let hint = if number == 0 { "\n  hint: it is replayed up to there" } else { "" };
            self.tell(&format!("{damage}{hint}"));
        }
        if more > 0 {
            self.tell(&format!(": {more} more lines are damaged"));
        }
    }
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

/// All steps of one bus that began at `start`, and where it was asked something that was not
/// recorded.
fn replayed(track: Track, roster: &Roster, start: Tick) -> (Vec<Step>, Option<(usize, String)>) {
    let all = roster.sensors().iter().map(Fitted::attached).map(|(.., attached)| attached);
    let attached: Vec<_> = all.filter(|it| track.bus.sensors.contains(&it.id.0)).collect();
    let script = Script::new(track.said);
    let hands = bus(&track.bus.name, &script, &attached);
    let mine = sensors(roster, &attached).into_values().collect();
    let mut line = Line::new(track.bus.name, hands, (mine, track.bus.seed), start, Tap::default());
    let mut moments = VecDeque::from(track.moments);
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
