//! The log: lines on standard error, by a filter that can be changed while the program runs.
//!
//! Where standard error is the journal's, events are told by the journal's own protocol, with their
//! fields; where that cannot be, a line begins with its priority, `<3>` for an error, as
//! `sd-daemon(3)` has it, and has no time: the journal knows it. The same warning or error is
//! written a few times a minute at most, and then how often it was meant.

mod journal;
mod line;
mod repeats;

use std::io::IsTerminal;
use std::sync::OnceLock;

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, reload};

use crate::config::{LogFilter, LogFormat};
use journal::Journal;
use line::{Line, Stamp};

/// The filter that holds, as it is written and where it works.
struct Live {
    handle: reload::Handle<EnvFilter, Registry>,
    filter: std::sync::Mutex<LogFilter>,
}

static LIVE: OnceLock<Live> = OnceLock::new();

/// From now on events are logged; a second call does nothing.
pub fn start(filter: &LogFilter, format: LogFormat) {
    let (layer, handle) = reload::Layer::new(EnvFilter::new(filter.as_str()));
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colours = std::io::stderr().is_terminal() && !no_colour;
    let stamp = match is_journal().then(Journal::open) {
        Some(Some(journal)) => Stamp::Journal(journal),
        Some(None) => Stamp::Priority,
        None => Stamp::Time,
    };
    let lines =
        fmt::layer().with_writer(std::io::stderr).event_format(Line::new(format, stamp, colours));
    if Registry::default().with(layer).with(lines).try_init().is_ok() {
        let live = Live { handle, filter: std::sync::Mutex::new(filter.clone()) };
        // There is none yet, since nothing was initialised before.
        let _ = LIVE.set(live);
    }
}

/// From now on by this filter.
pub(super) fn change(filter: &LogFilter) {
    let Some(live) = LIVE.get() else { return };
    if live.handle.reload(EnvFilter::new(filter.as_str())).is_ok() {
        live.filter.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone_from(filter);
    }
}

/// The filter that holds.
pub(super) fn current() -> LogFilter {
    let of =
        |live: &Live| live.filter.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    LIVE.get().map(of).unwrap_or_default()
}

/// Whether standard error is what systemd says that the journal reads: a variable that a shell of
/// the service inherited is not enough (`systemd.exec(5)`, `$JOURNAL_STREAM`).
fn is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let Ok(own) = rustix::fs::fstat(std::io::stderr()) else { return false };
    stream == format!("{}:{}", own.st_dev, own.st_ino)
}
