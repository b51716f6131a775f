//! The subcommands, one file each: arguments with their help, and what they do.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is where the program speaks")]

pub mod check;
pub mod demo;
pub mod drivers;
mod exit;
pub mod publish;
pub mod reload;
mod remote;
pub mod run;
pub mod store;
pub mod subscribe;
pub mod subscriber;
mod table;
pub mod user;

use std::fmt;
use std::future::Future;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::daemon::settings;

/// Prints one message for the operator: an error, with its hints.
pub fn complain(message: impl fmt::Display) {
    eprintln!("error: {message}");
}

/// Turns what a subcommand says into the code the process ends with.
pub fn end(result: Result<ExitCode>) -> ExitCode {
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

/// Runs one small client on a runtime of its own.
fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(future);
    runtime.shutdown_background();
    result
}
