//! `maison reload`: a changed configuration, checked and then given to the gateway that runs.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::exit;
use super::gateway::{Running, unexpected};
use crate::daemon::control::{Answer, Request};
use crate::daemon::settings::DEFAULT_PATH;

/// Check the configuration, have the running gateway read it again, and print what has changed
#[derive(Args, Debug)]
pub struct Arguments {
    /// Configuration file of the gateway [default: `/etc/maison/maison.toml`]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Status 0 if it holds now; 78 if the files are wrong or empty, 1 if the gateway refused them, 69
/// if none is running, 77 if it may not be asked.
pub fn run(arguments: &Arguments) -> ExitCode {
    let running = match Running::of(arguments.config.as_deref()) {
        Ok(running) => running,
        Err(code) => return code,
    };
    let config = arguments.config.as_deref().unwrap_or(Path::new(DEFAULT_PATH));
    let config = config.canonicalize().unwrap_or_else(|_| config.to_owned());
    match running.ask(Request::Reload { config }) {
        Ok(answer) => tell(&answer),
        Err(unanswered) => unanswered.told(),
    }
}

fn tell(answer: &Answer) -> ExitCode {
    match answer {
        Answer::Applied { lines } if lines.is_empty() => {
            println!("nothing has changed");
            ExitCode::SUCCESS
        }
        Answer::Applied { lines } => {
            for change in lines {
                println!("{change}");
            }
            ExitCode::SUCCESS
        }
        Answer::Refused { lines } => {
            lines.iter().for_each(super::complain);
            exit::code(exit::FAILED)
        }
        Answer::OtherFile { file } => {
            super::complain(format_args!(
                "the gateway runs on another file: `{file}`\n  hint: \
                 `maison reload --config {file}`"
            ));
            exit::code(exit::FAILED)
        }
        other => unexpected(other),
    }
}
