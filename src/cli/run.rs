//! `maison run`: the gateway, in the foreground.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use tracing::warn;

use super::exit;
use crate::config::{LogFilter, Settings};
use crate::daemon::activation::Sockets;
use crate::daemon::signals::Signals;
use crate::daemon::state::StateError;
use crate::daemon::{Gateway, StartError, logging, reload, service, settings};
use crate::limits::FREED_BYTES_KEPT;
use crate::store::OpenError;

/// Run the gateway in the foreground
#[derive(Args, Debug)]
pub struct Arguments {
    /// Configuration file [default: `/etc/maison/maison.toml`]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What to log, as in `debug` or `info,maison::net=debug` [default: `log.level` of the
    /// configuration]
    #[arg(long, value_name = "FILTER", env = "MAISON_LOG")]
    log: Option<String>,
}

/// Runs until SIGTERM, SIGINT or Ctrl-C.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let start = |settings: &Settings| Gateway::start(settings, Sockets::of_environment());
    serve(arguments.config.as_deref(), arguments.log.as_deref(), start)
}

/// A gateway of that configuration, until SIGTERM, SIGINT or Ctrl-C.
pub(super) fn serve(
    config: Option<&Path>,
    log: Option<&str>,
    start: impl FnOnce(&Settings) -> Result<Gateway, StartError>,
) -> Result<ExitCode> {
    let settings = match settings::load(config) {
        Ok(settings) => settings,
        Err(error) => {
            super::complain(error);
            return Ok(exit::code(exit::CONFIGURATION));
        }
    };
    match log.map(LogFilter::parse) {
        None => logging::start(&settings.log.level, settings.log.format),
        Some(Ok(filter)) => logging::start(&filter, settings.log.format),
        Some(Err(why)) => {
            super::complain(why);
            return Ok(exit::code(exit::USAGE));
        }
    }
    keep_memory_private();
    keep_freed_memory();
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

/// The C library gives the top of its heap back to the kernel as soon as it is free, and then each
/// large message is zeroed pages again. It keeps twice the largest block that was ever mapped for
/// itself and freed (`mallopt(3)`, `M_MMAP_THRESHOLD`): so one is.
fn keep_freed_memory() {
    drop(black_box(Vec::<u8>::with_capacity(FREED_BYTES_KEPT / 2)));
}

/// No core file is written of this process, and no other of its user looks into its memory: keys
/// and passwords are there.
fn keep_memory_private() {
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        warn!(%error, "a crash may leave keys and passwords in a core file");
    }
}

/// The exit code that tells the service manager whether trying again can help.
fn code_of(error: &StartError) -> u8 {
    match error {
        StartError::State(error) if error.is_permission() => exit::PERMISSION,
        StartError::Store(error) if error.is_permission() => exit::PERMISSION,
        StartError::Tls(error) if error.is_permission() => exit::PERMISSION,
        StartError::Tls(error) if error.is_of_the_disk() => exit::UNAVAILABLE,
        // Tried again: another gateway in the folder may be on its way out, and a disk that cannot
        // be written now may be there in a moment.
        StartError::State(StateError::Locked { .. } | StateError::Io { .. })
        | StartError::Store(OpenError::Io { .. } | OpenError::Failed { .. })
        | StartError::Bind(_)
        | StartError::Thread(_) => exit::UNAVAILABLE,
        StartError::State(_) | StartError::Tls(_) => exit::CONFIGURATION,
    }
}
