//! `maison log`: what the gateway that runs logs, looked at or changed while it works.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::gateway::{Running, unexpected};
use super::{complain, exit};
use crate::config::LogFilter;
use crate::daemon::control::{Answer, Request};

/// Show or change what the running gateway logs, until its next start
#[derive(Args, Debug)]
pub struct Arguments {
    /// What to log from now on, as in `debug` or `info,maison::net=debug`; left out: show it
    #[arg(value_name = "FILTER")]
    filter: Option<String>,
    /// As a JSON object
    #[arg(long)]
    json: bool,
    /// Configuration file of the gateway [default: `/etc/maison/maison.toml`]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Prints the filter that holds. Status 2 for one that is none, 69 if no gateway is running, 77 if
/// it may not be asked.
pub fn run(arguments: &Arguments) -> ExitCode {
    if let Some(Err(why)) = arguments.filter.as_deref().map(LogFilter::parse) {
        complain(why);
        return exit::code(exit::USAGE);
    }
    let running = match Running::of(arguments.config.as_deref()) {
        Ok(running) => running,
        Err(code) => return code,
    };
    match running.ask(Request::Log { filter: arguments.filter.clone() }) {
        Ok(Answer::Log { filter }) => {
            if arguments.json {
                println!("{}", json!({ "filter": filter }));
            } else {
                println!("{filter}");
            }
            ExitCode::SUCCESS
        }
        Ok(other) => unexpected(&other),
        Err(unanswered) => unanswered.told(),
    }
}
