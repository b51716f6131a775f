//! From whatever lies in the folder to a store that works.
//!
//! ```text
//!   nothing ────────────────────────────────────────────────────────▶ fresh ─┐
//!   a file ─▶ looked at as bytes ─▶ checked by SQLite, unchanged ─▶ whole ───┼─▶ opened to write
//!                    └──────────────────┴─▶ damaged ─▶ put aside ─▶ saved ───┘
//!                                                                  row by row
//! ```

use std::path::Path;

use rusqlite::Connection;

use super::aside::{self, log_of};
use super::check::{Checked, check, has_room, open_alone};
use super::fresh::{forget_drafts, make, replace};
use super::log_file::Log;
use super::look::{Found, look};
use super::payloads::Payloads;
use super::read::{self, Loaded};
use super::round;
use super::schema;
use super::trouble::{SqlResult, failure};
use crate::broker::record::Restored;
use crate::store::lives::Lives;
use crate::store::{Contents, Durability, OpenError, OpenReport};
use crate::time::{Tick, Timestamp};

/// A store that was found whole, or was made so.
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) lives: Lives,
    pub(super) payloads: Payloads,
    pub(super) loaded: Loaded,
    pub(super) report: OpenReport,
}

/// The moment of an opening.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) now: Tick,
    pub(super) wall: Timestamp,
}

/// Opens whatever is at `path`.
pub(super) fn open(
    path: &Path,
    durability: Durability,
    moment: Moment,
) -> Result<Opened, OpenError> {
    let mut report = OpenReport::default();
    let failed = |error: &rusqlite::Error| OpenError::Failed {
        path: path.to_owned(),
        failure: failure(error, path),
    };
    forget_drafts(path);
    let mut checked = None;
    match look(path, moment, &mut report)? {
        Found::Nothing => make(path).map_err(|error| error.of(path))?,
        Found::Unusable => replace(path, moment, &mut report)?,
        Found::File(log) => {
            let log = refuse_foreign_log(path, log, moment, &mut report)?;
            match check(path, log, moment, &mut report)? {
                Checked::Whole(whole) => checked = Some(whole),
                Checked::Older => {}
                Checked::Damaged => replace(path, moment, &mut report)?,
            }
        }
    }
    let mut connection = open_to_write(path).map_err(|error| failed(&error))?;
    schema::configure(&connection, durability).map_err(|error| failed(&error))?;
    schema::migrate(&mut connection).map_err(|error| failed(&error))?;
    let (lives, payloads, loaded) = match checked {
        Some(whole) => *whole,
        None => load(&connection, moment).map_err(|error| failed(&error))?,
    };
    if !report.is_clean() {
        report.saved = contents(&loaded.restored, report.saved.others);
    }
    Ok(Opened { connection, lives, payloads, loaded, report })
}

/// Puts a log aside that SQLite must not take for the file's own; what log there is then.
fn refuse_foreign_log(
    path: &Path,
    log: Log,
    moment: Moment,
    report: &mut OpenReport,
) -> Result<Log, OpenError> {
    let beside = log_of(path);
    let is_own = round::is_own(path, &beside, log, moment).map_err(|error| OpenError::Io {
        doing: "read",
        path: beside,
        error,
    })?;
    if is_own {
        return Ok(log);
    }
    report.put_aside.push(aside::put_beside(path, aside::LOG, moment.wall)?);
    report.faults.push("the log beside it is not its own".to_owned());
    report.uncounted = true;
    Ok(Log::None)
}

/// What is in a file.
pub(super) type Whole = (Lives, Payloads, Loaded);

/// Reads all that is in a file.
pub(super) fn load(connection: &Connection, moment: Moment) -> SqlResult<Whole> {
    let (earlier, bad) = read::lives(connection)?;
    let lives = Lives::begin(earlier, moment.now, moment.wall);
    let mut payloads = Payloads::load(connection)?;
    let mut loaded = read::load(connection, &lives, &mut payloads)?;
    loaded.bad.extend(bad);
    Ok((lives, payloads, loaded))
}

/// How much of each.
pub(super) fn contents(restored: &Restored, others: u64) -> Contents {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let mut contents = Contents { others, ..Contents::default() };
    contents.sessions = count(restored.sessions.len());
    contents.retained = count(restored.retained.len());
    for session in &restored.sessions {
        let waiting: u64 = session.waiting.iter().map(|run| run.messages).sum();
        contents.messages += waiting.saturating_add(count(session.sent.len()));
        contents.subscriptions += count(session.subscriptions.len());
    }
    contents
}

/// Opens a file that is whole; for us alone where there is no room to share it.
fn open_to_write(path: &Path) -> SqlResult<Connection> {
    let shared = Connection::open(path)?;
    if has_room(&shared) {
        return Ok(shared);
    }
    tracing::warn!("no room to share the store: `maison store` cannot look into it in this life");
    open_alone(path)
}
