//! `maison store`: what is kept on the card, for people. All but `compact` work beside a gateway.

mod lines;
mod output;
mod tell;
mod work;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use self::output::Output;
use super::exit;
use crate::daemon::state::{StateDir, StateError};
use crate::store::{self, Exported, Progress, Reader, VisitError};
use crate::time::Timestamp;

/// Look after what is kept: sessions, queues and retained messages
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
    /// Configuration file [default: `/etc/maison/maison.toml`]
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// A store itself instead of the one of the configuration, as a backup
    #[arg(long, value_name = "STORE", global = true, conflicts_with = "config")]
    file: Option<PathBuf>,
}

#[derive(Clone, Debug, Subcommand)]
enum Action {
    /// Look at every page and every row; exit code 1 and what is wrong, if anything is
    Check {
        /// Answer in JSON: `{"ok": true, "faults": [], …}`
        #[arg(long)]
        json: bool,
    },
    /// Count what is there: sessions and what waits for each, retained messages, sizes
    Stats {
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Write all that is there as JSON Lines, payloads as text or in base64
    ///
    /// The first line is of the store, the last one of the export itself. Beside a gateway each
    /// line is as it was when it was read; export a backup for a picture of one moment.
    Export {
        /// A new file, for its owner alone, instead of standard output
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Give back the room that nothing uses; the gateway must be stopped
    Compact {
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Copy the store as it is at one moment into a new file, for its owner alone, and check that
    Backup {
        /// Must not be there
        #[arg(value_name = "FILE")]
        to: PathBuf,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
}

/// Why it was not done.
#[derive(Debug)]
enum Failure {
    State(StateError),
    /// There is a gateway at work: its process number.
    Running(String),
    Visit(VisitError),
    Signals(std::io::Error),
}

/// Does it to the store that is named.
pub fn run(arguments: &Arguments) -> ExitCode {
    match &arguments.file {
        Some(file) => act(&arguments.action, None, file),
        None => super::with_state_dir(arguments.config.as_deref(), |folder| {
            act(&arguments.action, Some(folder), &folder.join(store::FILE))
        }),
    }
}

fn act(action: &Action, folder: Option<&Path>, file: &Path) -> ExitCode {
    let done = enter(folder).and_then(|()| carry_out(action, folder, file));
    match done {
        Ok(code) => code,
        // Whoever was reading has heard enough.
        Err(Failure::Visit(VisitError::Output(error)))
            if error.kind() == std::io::ErrorKind::BrokenPipe =>
        {
            ExitCode::SUCCESS
        }
        Err(failure) => {
            super::complain(&failure);
            exit::code(failure.code())
        }
    }
}

/// Whether this user may look into the state folder, if there is one.
fn enter(folder: Option<&Path>) -> Result<(), Failure> {
    match folder {
        Some(folder) if folder.exists() => Ok(StateDir::visit(folder).map(|_| ())?),
        _ => Ok(()),
    }
}

fn carry_out(action: &Action, folder: Option<&Path>, file: &Path) -> Result<ExitCode, Failure> {
    match action {
        Action::Check { json } => check(file, *json),
        Action::Stats { json } => stats(file, *json),
        Action::Export { output } => export(file, output.clone()),
        Action::Compact { json } => compact(folder, file, *json),
        Action::Backup { to, json } => backup(file, to, *json),
    }
}

fn check(file: &Path, json: bool) -> Result<ExitCode, Failure> {
    let path = file.to_owned();
    let findings = work::run("checking", move |progress| store::check(&path, wall(), progress))?;
    if json {
        println!("{}", tell::findings_json(&findings));
    } else {
        tell::findings(&findings);
        if findings.faults.is_empty() {
            println!("ok: {}", findings.contents);
        }
    }
    Ok(code_of(&findings.faults))
}

fn stats(file: &Path, json: bool) -> Result<ExitCode, Failure> {
    let path = file.to_owned();
    let stats = work::run("counting", move |progress| open(&path, progress)?.stats())?;
    if json {
        println!("{}", tell::stats_json(&stats));
    } else {
        print!("{}", tell::stats(file, &stats));
        tell::damaged(&stats.damaged);
    }
    Ok(code_of(&stats.damaged))
}

fn export(file: &Path, output: Option<PathBuf>) -> Result<ExitCode, Failure> {
    let path = file.to_owned();
    let exported = work::run("exporting", move |progress| {
        let reader = open(&path, progress)?;
        let mut output = Output::open(output)?;
        let exported = write_export(&reader, &mut output)?;
        output.finish().map(|()| exported)
    })?;
    tell::damaged(&exported.damaged);
    Ok(code_of(&exported.damaged))
}

fn write_export(reader: &Reader, output: &mut Output) -> Result<Exported, VisitError> {
    output.line(&lines::first(wall())).map_err(VisitError::Output)?;
    let exported = reader.export(&mut |change| output.line(&lines::of(reader, &change)))?;
    output.line(&lines::last(&exported)).map_err(VisitError::Output)?;
    Ok(exported)
}

fn compact(folder: Option<&Path>, file: &Path, json: bool) -> Result<ExitCode, Failure> {
    // Held until the work is done. A file that is no gateway's needs no lock.
    let _alone = match folder {
        Some(folder) if folder.exists() => Some(StateDir::open(folder)?),
        _ => None,
    };
    let path = file.to_owned();
    let done = work::run("compacting", move |progress| store::compact(&path, wall(), progress))?;
    if json {
        println!("{}", json!({ "ok": true, "before_bytes": done.before, "bytes": done.after }));
    } else {
        println!("compacted: {} were {}", tell::bytes(done.after), tell::bytes(done.before));
    }
    Ok(ExitCode::SUCCESS)
}

fn backup(file: &Path, to: &Path, json: bool) -> Result<ExitCode, Failure> {
    let (path, target) = (file.to_owned(), to.to_owned());
    let copied = work::run("copying", move |progress| open(&path, progress)?.backup(&target))?;
    if json {
        println!("{}", tell::findings_json(&copied));
    } else {
        tell::findings(&copied);
        let of = if copied.faults.is_empty() { "of" } else { "of what is damaged:" };
        println!("backup made: `{}`, {of} {}", to.display(), copied.contents);
    }
    Ok(code_of(&copied.faults))
}

fn open(path: &Path, progress: &Progress) -> Result<Reader, VisitError> {
    Reader::open(path, wall(), progress)
}

fn wall() -> Timestamp {
    crate::daemon::wall()
}

fn code_of(faults: &[String]) -> ExitCode {
    if faults.is_empty() { ExitCode::SUCCESS } else { exit::code(exit::FAILED) }
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::State(error) if error.is_permission() => exit::PERMISSION,
            Self::Visit(error) if error.is_permission() => exit::PERMISSION,
            Self::State(_) | Self::Visit(VisitError::Newer { .. }) => exit::CONFIGURATION,
            Self::Running(_)
            | Self::Visit(
                VisitError::Absent { .. } | VisitError::Busy { .. } | VisitError::Open(_),
            ) => exit::UNAVAILABLE,
            Self::Visit(
                VisitError::Damaged { .. }
                | VisitError::Permission { .. }
                | VisitError::Older { .. }
                | VisitError::Exists { .. }
                | VisitError::Output(_)
                | VisitError::Stopped,
            )
            | Self::Signals(_) => exit::FAILED,
        }
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Locked { holder, .. } => Self::Running(holder),
            error => Self::State(error),
        }
    }
}

impl From<VisitError> for Failure {
    fn from(error: VisitError) -> Self {
        Self::Visit(error)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::State(error) => error.fmt(formatter),
            Self::Running(holder) => write!(
                formatter,
                "a gateway works on the store: process {}\n  hint: stop it first, as with \
                 `systemctl stop maison`",
                if holder.is_empty() { "unknown" } else { holder }
            ),
            Self::Visit(error) => error.fmt(formatter),
            Self::Signals(error) => write!(formatter, "cannot listen to signals: {error}"),
        }
    }
}
