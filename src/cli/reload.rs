//! `maison reload`: a changed configuration, checked and then given to the gateway that runs.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::exit;
use crate::daemon::control::{self, Outcome};
use crate::daemon::settings::{self, DEFAULT_PATH};

/// Check the configuration, have the running gateway read it again, and print what has changed
#[derive(Args, Debug)]
pub struct Arguments {
    /// Configuration file of the gateway [default: `/etc/maison/maison.toml`]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Status 0 if it holds now; 78 if the files are wrong, 1 if the gateway refused them, 69 if none
/// is running, 77 if it may not be asked.
pub fn run(arguments: &Arguments) -> ExitCode {
    let settings = match settings::load(arguments.config.as_deref()) {
        Ok(settings) => settings,
        Err(error) => {
            super::complain(error);
            return exit::code(exit::CONFIGURATION);
        }
    };
    let config = arguments.config.as_deref().unwrap_or(Path::new(DEFAULT_PATH));
    let state_dir = &settings.gateway.state_dir;
    match control::reload(state_dir, config) {
        Ok(outcome) => tell(&outcome),
        Err(error) => {
            let state_dir = state_dir.display();
            match error.kind() {
                ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
                    super::complain(format_args!(
                        "no gateway is running on the state folder `{state_dir}`\n  hint: a new \
                         `state_dir` needs a restart; `maison run` starts one"
                    ));
                    exit::code(exit::UNAVAILABLE)
                }
                ErrorKind::PermissionDenied => {
                    super::complain(format_args!(
                        "not allowed to ask the gateway of `{state_dir}`\n  hint: as its user, or \
                         as root"
                    ));
                    exit::code(exit::PERMISSION)
                }
                _ => {
                    super::complain(format_args!("the gateway does not answer: {error}"));
                    exit::code(exit::UNAVAILABLE)
                }
            }
        }
    }
}

fn tell(outcome: &Outcome) -> ExitCode {
    match outcome {
        Outcome::Applied(changes) if changes.is_empty() => {
            println!("nothing has changed");
            ExitCode::SUCCESS
        }
        Outcome::Applied(changes) => {
            for change in changes {
                println!("{change}");
            }
            ExitCode::SUCCESS
        }
        Outcome::Refused(mistakes) => {
            mistakes.iter().for_each(super::complain);
            exit::code(exit::FAILED)
        }
        Outcome::OtherFile(file) => {
            super::complain(format_args!(
                "the gateway runs on another file: `{file}`\n  hint: \
                 `maison reload --config {file}`"
            ));
            exit::code(exit::FAILED)
        }
    }
}
