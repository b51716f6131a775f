//! The subcommands, one file each: arguments with their help, and what they do.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is where the program speaks")]

/// First, for its macros.
#[macro_use]
mod output;

pub mod acl;
pub mod ca;
pub mod check;
pub mod completions;
pub mod demo;
pub mod doctor;
pub mod drivers;
mod exit;
mod gateway;
pub mod import;
mod interruption;
mod invoker;
mod lines;
pub mod log;
pub mod manual;
pub mod publish;
pub mod read;
pub mod record;
mod recording;
pub mod reload;
mod remote;
pub mod replay;
pub mod run;
pub mod scan;
pub mod schema;
pub mod simulate;
mod spoken;
pub mod status;
pub mod store;
pub mod subscribe;
pub mod subscriber;
mod table;
pub mod user;
pub mod version;

use std::fmt;
use std::future::Future;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::config::Settings;
use crate::daemon::settings;
use crate::daemon::state::StateError;
use crate::printable::printable;

/// Prints one message for the operator: an error, with its hints a line each. Whatever it repeats
/// moves no cursor.
pub fn complain(message: impl fmt::Display) {
    say("error", message);
}

/// The same of what does not keep it from being done.
fn warn(message: impl fmt::Display) {
    say("warning", message);
}

fn say(weight: &str, message: impl fmt::Display) {
    let message = message.to_string();
    let lines: Vec<String> = message.split('\n').map(printable).collect();
    eprintln!("{weight}: {}", lines.join("\n"));
}

/// Turns what a subcommand says into the code the process ends with.
pub fn end(result: Result<ExitCode>) -> ExitCode {
    // What is left of a line that has not ended.
    let _ = output::Standard.flush();
    result.unwrap_or_else(|error| {
        complain(format_args!("{error:#}"));
        exit::code(exit::FAILED)
    })
}

/// Does something in the state folder that the configuration names.
pub fn with_state_dir(config: Option<&Path>, run: impl FnOnce(&Path) -> ExitCode) -> ExitCode {
    match settings::load(config) {
        Ok(settings) => run(&settings.gateway.state_dir),
        Err(error) => {
            complain(error);
            exit::code(exit::CONFIGURATION)
        }
    }
}

/// Does something with the settings of a gateway, and tells what went wrong by its exit code.
fn with_settings(
    config: Option<&Path>,
    run: impl FnOnce(&Settings) -> Result<ExitCode>,
) -> ExitCode {
    let settings = match settings::load(config) {
        Ok(settings) => settings,
        Err(error) => {
            complain(error);
            return exit::code(exit::CONFIGURATION);
        }
    };
    run(&settings).unwrap_or_else(|error| {
        complain(format_args!("{error:#}"));
        exit::code(match error.downcast_ref::<StateError>() {
            Some(error) if error.is_permission() => exit::PERMISSION,
            Some(StateError::UserExists(_) | StateError::UserUnknown(_)) | None => exit::FAILED,
            Some(_) => exit::CONFIGURATION,
        })
    })
}

/// Runs one small client on a runtime of its own.
fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(future);
    runtime.shutdown_background();
    result
}
