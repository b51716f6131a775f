//! A store looked at from beside, while a gateway may work on it. Nothing of it is changed.
//!
//! A reader sees one moment for as long as a transaction lasts, and the gateway's log grows
//! meanwhile. So it holds one only while it does not wait for anybody: not while what it read is
//! being written elsewhere.

mod backup;
mod check;
mod compact;
mod export;
mod rules;
mod stats;

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode};
use rustix::process::geteuid;

use super::opening::{Moment, Whole, load};
use super::salvage::{ask, open_to_read};
use super::schema;
use super::trouble::{SqlResult, failure, is_damage};
use crate::store::{Contents, Progress, VisitError};
use crate::time::{Tick, Timestamp};

pub use check::check;
pub use compact::compact;

/// Far enough from both ends that what is over and what is to come can be told from it.
const NOW: Tick = Tick::from_micros(u64::MAX / 4);

/// Steps of SQLite between two looks at whether the work is still wanted.
const STEPS: i32 = 10_000;

/// See the module.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    path: PathBuf,
    wall: Timestamp,
    progress: Progress,
}

impl Reader {
    /// Opens the store at `path`.
    pub fn open(path: &Path, wall: Timestamp, progress: &Progress) -> Result<Self, VisitError> {
        must_be_there(path)?;
        refuse_newer(path)?;
        let reader = Self::of(path, wall, progress)?;
        let facts = (schema::is_ours(&reader.connection), schema::version(&reader.connection));
        let found = match facts {
            (Ok(true), Ok(found)) => found,
            (Ok(false), _) => return Err(reader.damaged("it is a database of another program")),
            (Err(error), _) | (_, Err(error)) => return Err(reader.error(&error)),
        };
        if found < schema::known() {
            let (path, known) = (path.to_owned(), schema::known());
            return Err(VisitError::Older { path, found, known });
        }
        match schema::is_intact(&reader.connection) {
            Ok(true) => Ok(reader),
            Ok(false) => Err(reader.damaged("its description of its tables is damaged")),
            Err(error) => Err(reader.error(&error)),
        }
    }

    /// Whatever is in the file.
    fn of(path: &Path, wall: Timestamp, progress: &Progress) -> Result<Self, VisitError> {
        let wanted = progress.clone();
        let opened = open_to_read(path).and_then(|mut connection| {
            connection.progress_handler(STEPS, Some(move || wanted.is_stopped()))?;
            Ok(connection)
        });
        let connection = opened.map_err(|error| of_sql(&error, path))?;
        Ok(Self { connection, path: path.to_owned(), wall, progress: progress.clone() })
    }

    fn moment(&self) -> Moment {
        Moment { now: NOW, wall: self.wall }
    }

    /// Does something with what the store is at one moment.
    fn at_one_moment<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, VisitError>,
    ) -> Result<T, VisitError> {
        self.run("BEGIN")?;
        // The moment is that of the first look.
        let look = ask(&self.connection, "PRAGMA schema_version");
        let outcome = look.map_err(|error| self.error(&error)).and_then(|_| work(&self.connection));
        let ended = self.run("ROLLBACK");
        let value = outcome?;
        ended.map(|()| value)
    }

    fn run(&self, sql: &str) -> Result<(), VisitError> {
        self.connection.execute_batch(sql).map_err(|error| self.error(&error))
    }

    fn load(&self, connection: &Connection) -> Result<Whole, VisitError> {
        load(connection, self.moment()).map_err(|error| self.error(&error))
    }

    fn error(&self, error: &rusqlite::Error) -> VisitError {
        of_sql(error, &self.path)
    }

    fn damaged(&self, what: &str) -> VisitError {
        VisitError::Damaged { path: self.path.clone(), what: what.to_owned() }
    }

    /// When a tick is that this reader gave.
    pub fn time_of(&self, tick: Tick) -> Timestamp {
        let later = tick.since(NOW).as_millis();
        let earlier = NOW.since(tick).as_millis();
        let of = |millis: u128| u64::try_from(millis).unwrap_or(u64::MAX);
        let millis = self.wall.unix_ms().saturating_add(of(later)).saturating_sub(of(earlier));
        Timestamp::new(millis, self.wall.is_synchronised())
    }
}

/// Refuses what is not there, or not for us.
fn must_be_there(path: &Path) -> Result<(), VisitError> {
    if fs::symlink_metadata(path).is_err() {
        return Err(VisitError::Absent { path: path.to_owned() });
    }
    may_use(path)
}

/// Refuses what the permissions of a file refuse.
fn may_use(path: &Path) -> Result<(), VisitError> {
    let Ok(facts) = fs::metadata(path) else { return Ok(()) };
    if !facts.is_file() {
        return Ok(());
    }
    match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(VisitError::Permission {
                path: path.to_owned(),
                owner: facts.uid(),
                mode: facts.mode() & 0o777,
                own: geteuid().as_raw(),
            })
        }
        // What else is wrong shows when it is read.
        _ => Ok(()),
    }
}

/// Refuses what a later version of the program wrote.
fn refuse_newer(path: &Path) -> Result<(), VisitError> {
    // Whatever is wrong with it is found right after.
    let version = open_to_read(path).and_then(|connection| {
        let ours = schema::is_ours(&connection)?;
        Ok(if ours { schema::version(&connection)? } else { 0 })
    });
    match version {
        Ok(found) if found > schema::known() => {
            Err(VisitError::Newer { path: path.to_owned(), found, known: schema::known() })
        }
        _ => Ok(()),
    }
}

fn of_sql(error: &rusqlite::Error, path: &Path) -> VisitError {
    let path_buf = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => VisitError::Stopped,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            VisitError::Busy { path: path_buf }
        }
        _ if is_damage(error) => VisitError::Damaged { path: path_buf, what: error.to_string() },
        _ => VisitError::failed(path_buf, failure(error, path)),
    }
}

fn number(connection: &Connection, sql: &str) -> SqlResult<u64> {
    connection.query_row(sql, [], |row| row.get(0))
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Of what was loaded.
fn contents(whole: &Whole) -> Contents {
    super::opening::contents(&whole.2.restored, 0)
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |facts| facts.len())
}
