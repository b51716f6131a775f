//! `maison simulate`: a configuration run as it is, but for its buses, which are simulated.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::run::serve;
use crate::daemon::Gateway;

/// Run a configuration on simulated buses: chips down to their registers, the real drivers, the
/// weather and the faults of its `[simulation]`
#[derive(Args, Debug)]
pub struct Arguments {
    /// Configuration file; its state folder and its listeners are used as they are
    file: PathBuf,
    /// How many times as fast as ours the clock of the house goes: its weather and its faults, not
    /// how often a sensor is read, nor the times that are published
    #[arg(long, value_name = "TIMES", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=86_400))]
    speed: u32,
    /// What to log, as in `debug` or `info,maison::net=debug` [default: `log.level` of the
    /// configuration]
    #[arg(long, value_name = "FILTER", env = "MAISON_LOG")]
    log: Option<String>,
}

/// Runs until SIGTERM, SIGINT or Ctrl-C.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let Arguments { file, speed, log } = arguments;
    serve(Some(file), log.as_deref(), |settings| Gateway::simulate(settings, *speed))
}
