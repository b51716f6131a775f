//! Whether a file is whole: its structure by SQLite's own check, its rows by their checksums, its
//! log by what it must be. Nothing is changed.
//!
//! Structure and rows are looked at side by side, each by a connection of its own: together they
//! take as long as the rows alone where there are two cores.

use std::any::Any;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Builder};
use std::time::Instant;

use rusqlite::{Connection, ErrorCode};

use super::aside;
use super::log_file::Log;
use super::opening::{Moment, Whole, load};
use super::read::{self, BadRow};
use super::salvage::{ask, open_to_read};
use super::schema;
use super::trouble::{SqlResult, failure, is_damage};
use super::write::Fact;
use crate::limits::STORE_CHECK_TIME_MAX;
use crate::store::{OpenError, OpenReport};

/// What a check found.
pub(super) enum Checked {
    Whole(Box<Whole>),
    /// Its structure is right. Its rows are checked when they have become today's.
    Older,
    /// As the report says.
    Damaged,
}

/// Checks a file without changing it.
pub(super) fn check(
    path: &Path,
    log: Log,
    moment: Moment,
    report: &mut OpenReport,
) -> Result<Checked, OpenError> {
    let failed = |error: rusqlite::Error| OpenError::Failed {
        path: path.to_owned(),
        failure: failure(&error, path),
    };
    let access = Access::to(path).map_err(failed)?;
    let began = Instant::now();
    let is_over = move || began.elapsed() > STORE_CHECK_TIME_MAX;
    let examined = examine(&access, moment, is_over, report).and_then(|checked| {
        let is_whole = matches!(checked, Checked::Whole(_));
        let is_cut = is_whole && judge_log(&lock(&access.rows), log, report)?;
        Ok((checked, is_cut))
    });
    match examined {
        Ok((checked, is_cut)) => {
            if is_cut {
                report.put_aside.push(aside::copy_log(path, moment.wall)?);
            }
            Ok(checked)
        }
        Err(error) if is_damage(&error) => {
            report.faults.push(error.to_string());
            Ok(Checked::Damaged)
        }
        Err(error) if is_unreadable(&error) => {
            report.faults.push(format!("the disk cannot read it: {error}"));
            report.uncounted = true;
            Ok(Checked::Damaged)
        }
        Err(error) => Err(failed(error)),
    }
}

/// The file for those who look at it, which may be two at a time.
struct Access {
    rows: Mutex<Connection>,
    /// `None` where the file is open for us alone.
    pages: Option<Mutex<Connection>>,
}

impl Access {
    /// Opens a file to check it. Where there is no room for the index that readers share, it is
    /// opened for us alone.
    fn to(path: &Path) -> SqlResult<Self> {
        let shared = open_to_read(path)?;
        if !has_room(&shared) {
            return Ok(Self { rows: Mutex::new(open_alone(path)?), pages: None });
        }
        let second = open_to_read(path).ok().filter(has_room);
        Ok(Self { rows: Mutex::new(shared), pages: second.map(Mutex::new) })
    }

    fn pages(&self) -> &Mutex<Connection> {
        self.pages.as_ref().unwrap_or(&self.rows)
    }
}

fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether there is room for the index of the log, which those who have the file open share.
pub(super) fn has_room(connection: &Connection) -> bool {
    match ask(connection, "PRAGMA user_version") {
        Ok(_) => true,
        Err(error) => {
            let code = error.sqlite_error_code();
            !matches!(code, Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure))
        }
    }
}

/// Without an index that is shared: it is in memory.
pub(super) fn open_alone(path: &Path) -> SqlResult<Connection> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    Ok(connection)
}

fn is_unreadable(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure)
}

fn examine(
    access: &Access,
    moment: Moment,
    is_over: impl Fn() -> bool + Copy + Send + Sync + 'static,
    report: &mut OpenReport,
) -> SqlResult<Checked> {
    if let Some(what) = foreign(&lock(&access.rows))? {
        report.faults.push(what);
        return Ok(Checked::Damaged);
    }
    let look = || pages(&mut lock(access.pages()), is_over);
    let (pages, rows) = thread::scope(|scope| {
        let beside = Builder::new().name("store check".to_owned()).spawn_scoped(scope, look);
        let rows = rows(&lock(&access.rows), moment, is_over);
        // Without a thread one comes after the other.
        let pages = beside.map_or_else(|_| look(), |thread| thread.join().unwrap_or_else(rethrow));
        (pages, rows)
    });
    // What rows there are in damaged pages says nothing.
    let pages = pages?;
    if let Pages::Damaged(what) = pages {
        report.faults.push(what);
        return Ok(Checked::Damaged);
    }
    let Rows { checked, faults, are_all } = rows?;
    report.faults.extend(faults);
    let are_all = are_all && matches!(pages, Pages::Whole);
    if !are_all && !matches!(checked, Checked::Older) {
        report.notes.push("it is too large to be checked as a whole at each start".to_owned());
    }
    Ok(checked)
}

fn rethrow<T>(panic: Box<dyn Any + Send>) -> T {
    resume_unwind(panic)
}

/// Why a file is not for this program, if so.
fn foreign(connection: &Connection) -> SqlResult<Option<String>> {
    if !schema::is_ours(connection)? {
        return Ok(Some("it is a database of another program".to_owned()));
    }
    if schema::is_later(connection)? {
        let (found, known) = (schema::version(connection)?, schema::known());
        let fault = format!("a later version wrote it: schema {found}, this program knows {known}");
        return Ok(Some(fault));
    }
    Ok(None)
}

/// What the pages of a file are.
enum Pages {
    Whole,
    /// Nothing is known of all of them: there was no time.
    Unchecked,
    Damaged(String),
}

/// Looks at the pages of a file by SQLite's own check, until `is_over`.
fn pages(
    connection: &mut Connection,
    is_over: impl Fn() -> bool + Send + 'static,
) -> SqlResult<Pages> {
    const STEPS: i32 = 100_000;
    connection.progress_handler(STEPS, Some(is_over))?;
    let answer = ask(connection, "PRAGMA quick_check(1)");
    connection.progress_handler(0, None::<fn() -> bool>)?;
    match answer {
        Ok(Some(answer)) if answer == "ok" => Ok(Pages::Whole),
        Ok(Some(answer)) => Ok(Pages::Damaged(one_line(&answer))),
        Ok(None) => Ok(Pages::Damaged("its structure cannot be checked".to_owned())),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            Ok(Pages::Unchecked)
        }
        Err(error) => Err(error),
    }
}

/// What the rows of a file are.
struct Rows {
    checked: Checked,
    faults: Vec<String>,
    /// Whether there was time for the large payloads.
    are_all: bool,
}

/// Looks at every row of a file; at the large payloads until `is_over`.
fn rows(connection: &Connection, moment: Moment, is_over: impl Fn() -> bool) -> SqlResult<Rows> {
    let (faults, are_all) = (Vec::new(), true);
    if schema::version(connection)? < schema::known() {
        return Ok(Rows { checked: Checked::Older, faults, are_all });
    }
    if !schema::is_intact(connection)? {
        let faults = vec!["its description of its tables is damaged".to_owned()];
        return Ok(Rows { checked: Checked::Damaged, faults, are_all });
    }
    let mut whole = load(connection, moment)?;
    let bad = &mut whole.2.bad;
    let are_all = read::check_payloads(connection, is_over, bad)?;
    let faults = describe(bad);
    let checked =
        if faults.is_empty() { Checked::Whole(Box::new(whole)) } else { Checked::Damaged };
    Ok(Rows { checked, faults, are_all })
}

pub(super) fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

/// Faults that are alike as one clause.
pub(super) fn describe(bad: &[BadRow]) -> Vec<String> {
    let mut kinds: Vec<BadRow> = Vec::new();
    for row in bad {
        if !kinds.contains(row) {
            kinds.push(*row);
        }
    }
    let count = |kind: &BadRow| bad.iter().filter(|row| *row == kind).count();
    let describe =
        |kind: &BadRow| format!("{} of table `{}`: {}", count(kind), kind.table.name(), kind.what);
    kinds.iter().map(describe).collect()
}

/// What the log tells that SQLite has left out of it; whether there is something to be put aside
/// before it is written over.
pub(super) fn judge_log(
    connection: &Connection,
    log: Log,
    report: &mut OpenReport,
) -> SqlResult<bool> {
    let sql = format!("SELECT value FROM store WHERE name = '{}'", Fact::Open.name());
    let must_be_there = ask(connection, &sql)?.is_some_and(|value| value != "0");
    let fault = match log {
        Log::None if must_be_there => "its log is gone, with what was written last",
        Log::Headless if must_be_there => "its log is damaged at the beginning",
        // One may be the batch that was under way when the plug was pulled.
        Log::Frames { cut_off: 2.., .. } => "its log is damaged in the middle",
        Log::Frames { is_unfinished: true, .. } | Log::Headless => {
            report.notes.push("the last batch was not finished, and is left out".to_owned());
            return Ok(false);
        }
        Log::None | Log::Frames { .. } => return Ok(false),
    };
    report.faults.push(fault.to_owned());
    report.uncounted = true;
    Ok(log != Log::None)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::super::SqliteStore;
    use super::*;
    use crate::store::tests::records::{batch, plain, session_of, waits};
    use crate::store::{Durability, Store as _};
    use crate::time::{Tick, Timestamp};

    const MOMENT: Moment = Moment { now: Tick::from_micros(1), wall: Timestamp::new(1, true) };

    /// A store with a large payload in it.
    fn store(folder: &Path) -> PathBuf {
        let path = folder.join("broker.db");
        let Moment { now, wall } = MOMENT;
        let (mut store, _) = SqliteStore::open(&path, Durability::Crash, now, wall).unwrap();
        let picture = plain("door/picture", vec![7; 100_000]);
        let all = batch([session_of(1, "anna", "phone"), waits(1, 0, picture)]);
        store.commit(&all, now, wall).unwrap();
        path
    }

    fn look(access: &Access, is_over: fn() -> bool) -> (bool, OpenReport) {
        let mut report = OpenReport::default();
        let checked = examine(access, MOMENT, is_over, &mut report).unwrap();
        (matches!(checked, Checked::Whole(_)), report)
    }

    #[test]
    fn a_file_that_is_open_for_us_alone_is_looked_at_as_thoroughly() {
        let folder = tempfile::tempdir().unwrap();
        let path = store(folder.path());
        let alone = || Access { rows: Mutex::new(open_alone(&path).unwrap()), pages: None };
        assert_eq!(look(&alone(), || false), (true, OpenReport::default()));
        let mut content = fs::read(&path).unwrap();
        // The number of free pages.
        content[39] ^= 1;
        fs::write(&path, content).unwrap();
        let (is_whole, report) = look(&alone(), || false);
        assert_eq!((is_whole, report.faults.len()), (false, 1), "{report}");
    }

    #[test]
    fn a_file_that_there_is_no_time_to_check_is_opened_with_a_note_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let access = Access::to(&store(folder.path())).unwrap();
        let (is_whole, report) = look(&access, || true);
        assert!(is_whole && report.is_clean());
        assert_eq!(report.notes, ["it is too large to be checked as a whole at each start"]);
    }
}
