//! How a subcommand asks the gateway that runs, and what it says when there is no answer.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{complain, exit, warn};
use crate::daemon::control::{self, Answer, Request, Trouble};
use crate::daemon::settings;

/// Where the gateway of a configuration is asked.
pub(super) struct Running {
    state_dir: PathBuf,
    /// The file that should name that folder, and says nothing.
    silent: Option<PathBuf>,
    /// Whether its configuration is wrong, which has been said.
    is_wrong: bool,
}

/// Why there is no answer, in words and as the code to end with.
pub(super) struct Unanswered {
    pub(super) words: String,
    code: u8,
}

impl Running {
    /// That of the configuration at `path`, or at the default one; complains about what is wrong
    /// with it.
    pub(super) fn of(path: Option<&Path>) -> Result<Self, ExitCode> {
        match settings::load(path) {
            Ok(settings) => Ok(Self {
                state_dir: settings.gateway.state_dir,
                silent: settings::silent(path).map(Path::to_owned),
                is_wrong: false,
            }),
            Err(error) => {
                complain(error);
                Err(exit::code(exit::CONFIGURATION))
            }
        }
    }

    /// The same for who only looks: a gateway at work goes on by what its files said before they
    /// were wrong, so it is asked all the same.
    pub(super) fn whatever(path: Option<&Path>) -> Self {
        settings::load(path).map_or_else(
            |error| {
                warn(error);
                Self { state_dir: settings::state_dir(path), silent: None, is_wrong: true }
            },
            |settings| Self {
                state_dir: settings.gateway.state_dir,
                silent: settings::silent(path).map(Path::to_owned),
                is_wrong: false,
            },
        )
    }

    /// Asks and waits.
    pub(super) fn ask(&self, request: Request) -> Result<Answer, Unanswered> {
        control::ask(&self.state_dir, request).map_err(|trouble| {
            let state_dir = self.state_dir.display();
            let (words, code) = match (trouble, &self.silent) {
                (Trouble::NotRunning, Some(file)) => (
                    format!(
                        "`{}` says nothing, and no gateway is running on the default state folder \
                         `{state_dir}`\n  hint: was it emptied? A gateway at work goes on by what \
                         it said before: put that back, then reload",
                        file.display()
                    ),
                    exit::CONFIGURATION,
                ),
                (Trouble::NotRunning, None) => (
                    format!(
                        "no gateway is running on the state folder `{state_dir}`\n  hint: \
                         `sudo journalctl -u maison -n 20` or `maison run`; a new `state_dir` \
                         needs a restart"
                    ),
                    if self.is_wrong { exit::CONFIGURATION } else { exit::UNAVAILABLE },
                ),
                (Trouble::Forbidden, _) => (
                    format!(
                        "not allowed to ask the gateway of `{state_dir}`\n  hint: as root (`sudo`) \
                         or as its user; where systemd started it, its group may as well: \
                         `sudo usermod --append --groups maison NAME`, then log in again"
                    ),
                    exit::PERMISSION,
                ),
                (trouble @ Trouble::Silent(_), _) => {
                    (format!("the gateway does not answer: {trouble}"), exit::UNAVAILABLE)
                }
                (Trouble::Misunderstood(why), _) => (
                    format!(
                        "the gateway is not understood: {why}\n  hint: after an upgrade it needs \
                         a restart"
                    ),
                    exit::UNAVAILABLE,
                ),
            };
            Unanswered { words, code }
        })
    }
}

impl Unanswered {
    /// Says it.
    pub(super) fn told(self) -> ExitCode {
        complain(self.words);
        exit::code(self.code)
    }
}

/// An answer to another question: our own fault.
pub(super) fn unexpected(answer: &Answer) -> ExitCode {
    complain(format_args!("the gateway gave an answer that was not asked for: {answer:?}"));
    exit::code(exit::UNAVAILABLE)
}
