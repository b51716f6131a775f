//! `maison run`: the gateway, in the foreground.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use tracing::warn;
use tracing_subscriber::EnvFilter;

use super::exit;
use crate::config::Settings;
use crate::daemon::signals::Signals;
use crate::daemon::state::StateError;
use crate::daemon::{Gateway, StartError, reload, service, settings};
use crate::store::OpenError;

/// Run the gateway in the foreground
#[derive(Args, Debug)]
pub struct Arguments {
    /// Configuration file [default: `/etc/maison/maison.toml`]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What to log, as in `info` or `maison::net=debug`
    #[arg(long, value_name = "FILTER", default_value = "info", env = "MAISON_LOG")]
    log: String,
}

/// Runs until SIGTERM, SIGINT or Ctrl-C.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    serve(arguments.config.as_deref(), &arguments.log, Gateway::start)
}

/// A gateway of that configuration, until SIGTERM, SIGINT or Ctrl-C.
pub(super) fn serve(
    config: Option<&Path>,
    log: &str,
    start: impl FnOnce(&Settings) -> Result<Gateway, StartError>,
) -> Result<ExitCode> {
    let settings = match settings::load(config) {
        Ok(settings) => settings,
        Err(error) => {
            super::complain(error);
            return Ok(exit::code(exit::CONFIGURATION));
        }
    };
    logging(log);
    keep_memory_private();
    super::block_on(async {
        let mut signals = Signals::listen()?;
        let gateway = match start(&settings) {
            Ok(gateway) => gateway,
            Err(error) => {
                let code = code_of(&error);
                super::complain(error);
                return Ok(exit::code(code));
            }
        };
        tokio::select! {
            () = service::attend(&gateway) => {}
            () = reload::attend(&gateway, config, &mut signals) => {}
        }
        service::stopping();
        gateway.stop().await;
        Ok(ExitCode::SUCCESS)
    })
}

/// No core file is written of this process, and no other of its user looks into its memory: keys
/// and passwords are there.
fn keep_memory_private() {
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        warn!(%error, "a crash may leave keys and passwords in a core file");
    }
}

/// Log lines go to standard error; under journald with its priorities and without its own time.
pub fn logging(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|error| {
        super::complain(format_args!("no log filter: {error}; using `info`"));
        EnvFilter::new("info")
    });
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let builder = builder.with_ansi(colours).with_target(false);
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        builder.without_time().init();
    } else {
        builder.init();
    }
}

/// The exit code that tells the service manager whether trying again can help.
fn code_of(error: &StartError) -> u8 {
    match error {
        StartError::State(error) if error.is_permission() => exit::PERMISSION,
        StartError::Store(error) if error.is_permission() => exit::PERMISSION,
        // Tried again: another gateway in the folder may be on its way out, and a disk that cannot
        // be written now may be there in a moment.
        StartError::State(StateError::Locked { .. } | StateError::Io { .. })
        | StartError::Store(OpenError::Io { .. } | OpenError::Failed { .. })
        | StartError::Bind(_)
        | StartError::Thread(_) => exit::UNAVAILABLE,
        StartError::State(_) | StartError::Tls(_) => exit::CONFIGURATION,
    }
}
