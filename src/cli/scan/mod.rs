//! `maison scan`: what hangs on every bus, which of it the configuration knows, what is missing and
//! what to do about it; `--write` gives the rest its rooms.

mod advice;
mod file;
mod interrupt;
mod look;
mod naming;
mod show;
mod simulated;
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
use interrupt::Promise;
use look::Place;
use show::Found;
use values::Readers;

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
    /// Look into a simulated house in place of this machine: all buses of a configuration; the
    /// demo's, if none is named. Its own rooms count, unless `--config` names others
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "a flag, with or without a value")]
    simulated: Option<Option<PathBuf>>,
}

/// Status 0; 1 if something of the configuration is missing, 69 if there is no bus, 77 if none may
/// be opened, 78 if the configuration is wrong.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let config = arguments.config.as_deref();
    if arguments.write && arguments.simulated.is_some() && config.is_none() {
        super::complain(
            "`--write` of a simulated house needs `--config FILE`\n  hint: its sensors do not go \
             into the configuration of this machine",
        );
        return Ok(exit::code(exit::USAGE));
    }
    match settings(arguments) {
        Ok((settings, house)) => scan(arguments, &settings, house.as_ref()),
        Err(error) => {
            super::complain(error);
            Ok(exit::code(exit::CONFIGURATION))
        }
    }
}

fn scan(arguments: &Arguments, settings: &Settings, house: Option<&Settings>) -> Result<ExitCode> {
    let promise = if arguments.write { Some(Promise::give()?) } else { None };
    let mut places = match house {
        Some(house) => simulated::at_house(house),
        None => look::at_machine(settings),
    };
    look::assign(&mut places, settings);
    let readers = Readers::new(&places, settings, house);
    readers.read_once(&mut places);
    let missing = look::missing(&places, settings, house);
    let (advice, nothing) = match house {
        Some(_) => (Vec::new(), "no bus: this house has no sensors"),
        None => (
            advice::advice(&places, &missing),
            "no bus: neither 1-Wire nor I²C nor SPI nor a thermometer of the kernel",
        ),
    };
    let found = Found { places, nothing, missing, advice };
    if arguments.json {
        println!("{:#}", show::json(&found));
    } else {
        print!("{}", show::text(&found));
    }
    if let Some(promise) = promise {
        let main = arguments.config.as_deref().unwrap_or(Path::new(DEFAULT_PATH));
        return naming::name_and_write(
            arguments,
            main,
            settings,
            &found.places,
            &readers,
            &promise,
        );
    }
    let is_nameless = |thing: &look::Thing| thing.is_a_probe() && thing.room.is_none();
    let mut things = found.places.iter().flat_map(|place| &place.things);
    if !arguments.json && things.any(is_nameless) {
        println!("\n`maison scan --write` gives rooms to those that have none");
    }
    Ok(exit::code(code(&found.places, found.missing.len())))
}

/// The settings, and those of the simulated house.
fn settings(arguments: &Arguments) -> Result<(Settings, Option<Settings>), LoadError> {
    let config = arguments.config.as_deref();
    let Some(house) = &arguments.simulated else { return Ok((configured(config)?, None)) };
    let house = simulated_house(house.as_deref())?;
    let settings = match config {
        Some(path) => settings::load(Some(path))?,
        None => house.clone(),
    };
    Ok((settings, Some(house)))
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
fn simulated_house(file: Option<&Path>) -> Result<Settings, LoadError> {
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
