//! `maison scan`: what hangs on every bus, which of it the configuration knows, what is missing and
//! what to do about it; `--write` gives the rest its rooms.

mod advice;
mod file;
mod look;
mod naming;
mod show;
mod touch;
mod values;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::exit;
use crate::config::Settings;
use crate::daemon::settings::{self, DEFAULT_PATH, LoadError};
use crate::sensors::Fault;

pub(super) use advice::{MODULE, boot};
use look::Place;

/// List what hangs on every bus, with its value and its room, and say what is missing
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Configuration file [default: `/etc/maison/maison.toml`, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long, conflicts_with = "write")]
    json: bool,
    /// Give rooms to what has none, by touch on a terminal, and write `conf.d/90-scan.toml`
    #[arg(long)]
    write: bool,
    /// Give a probe its room without asking: its address, or bus and address, and the room's name
    #[arg(long, value_name = "[BUS/]ADDRESS=ROOM", requires = "write", value_parser = naming::pair)]
    room: Vec<(String, String)>,
    /// Which of the drivers that cannot be told apart a chip has
    #[arg(long, value_name = "[BUS/]ADDRESS=DRIVER", requires = "write",
          value_parser = naming::pair)]
    driver: Vec<(String, String)>,
    /// Ask for rooms in the order of the list, instead of by touch
    #[arg(long, requires = "write")]
    in_order: bool,
    /// Look into a simulated house in place of this machine: a configuration whose sensors on
    /// `bus = "simulated"` hang there; the demo's, if none is named
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "a flag, with or without a value")]
    simulated: Option<Option<PathBuf>>,
}

/// Status 0; 1 if something of the configuration is missing, 69 if there is no bus, 77 if none may
/// be opened, 78 if the configuration is wrong.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let config = arguments.config.as_deref();
    let settings = match configured(config) {
        Ok(settings) => settings,
        Err(error) => {
            super::complain(error);
            return Ok(exit::code(exit::CONFIGURATION));
        }
    };
    let house = match arguments.simulated.as_ref().map(|file| simulated(file.as_deref())) {
        Some(Err(error)) => {
            super::complain(error);
            return Ok(exit::code(exit::CONFIGURATION));
        }
        Some(Ok(house)) => Some(house),
        None => None,
    };
    let mut places = match &house {
        Some(house) => look::at_simulated(house),
        None => look::at_machine(&settings),
    };
    look::assign(&mut places, &settings);
    let readers = values::Readers::new(&mut places, &settings, house.as_ref());
    readers.read_once(&mut places);
    let missing = look::missing(&places, &settings, house.is_some());
    if arguments.json {
        println!("{:#}", show::json(&places, &missing));
    } else {
        print!("{}", show::text(&places, &missing));
    }
    let is_nameless = |thing: &look::Thing| thing.is_a_probe() && thing.room.is_none();
    let is_hinted = !arguments.write && !arguments.json;
    if is_hinted && places.iter().flat_map(|place| &place.things).any(is_nameless) {
        println!("\n`maison scan --write` gives rooms to those that have none");
    }
    if arguments.write {
        let path = config.unwrap_or(Path::new(DEFAULT_PATH));
        return naming::name_and_write(arguments, path, &settings, &places, &readers);
    }
    Ok(exit::code(code(&places, missing.len())))
}

/// The settings; the defaults on a machine that has no configuration yet.
fn configured(path: Option<&Path>) -> Result<Settings, LoadError> {
    match settings::load(path) {
        Err(LoadError::Absent(absent)) if path.is_none() && absent == Path::new(DEFAULT_PATH) => {
            Ok(Settings::default())
        }
        loaded => loaded,
    }
}

/// What hangs in a simulated house.
fn simulated(file: Option<&Path>) -> Result<Settings, LoadError> {
    match file {
        Some(file) => settings::load(Some(file)),
        None => super::demo::house().map_err(LoadError::Wrong),
    }
}

fn code(places: &[Place], missing: usize) -> u8 {
    let is_denied =
        |place: &Place| place.trouble.as_ref().is_some_and(|it| it.fault == Fault::Permission);
    let denied = places.iter().filter(|place| is_denied(place)).count();
    match places {
        _ if missing > 0 => exit::FAILED,
        [] => exit::UNAVAILABLE,
        _ if denied == places.len() => exit::PERMISSION,
        _ if places.iter().all(|place| place.trouble.is_some()) => exit::UNAVAILABLE,
        _ => 0,
    }
}
