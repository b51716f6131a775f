//! Whether a file is whole: its structure by SQLite's own check, its rows by their checksums, its
//! log by what it must be. Nothing is changed.

use std::path::Path;
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
    let mut connection = open_to_check(path).map_err(failed)?;
    let examined = examine(&mut connection, moment, report).and_then(|checked| {
        let is_cut = matches!(checked, Checked::Whole(_)) && judge_log(&connection, log, report)?;
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

/// Opens a file to check it. Where there is no room for the index that readers share, it is opened
/// for us alone.
fn open_to_check(path: &Path) -> SqlResult<Connection> {
    let shared = open_to_read(path)?;
    if has_room(&shared) { Ok(shared) } else { open_alone(path) }
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
    connection: &mut Connection,
    moment: Moment,
    report: &mut OpenReport,
) -> SqlResult<Checked> {
    if !schema::is_ours(connection)? {
        report.faults.push("it is a database of another program".to_owned());
        return Ok(Checked::Damaged);
    }
    if schema::is_later(connection)? {
        let (found, known) = (schema::version(connection)?, schema::known());
        let fault = format!("a later version wrote it: schema {found}, this program knows {known}");
        report.faults.push(fault);
        return Ok(Checked::Damaged);
    }
    let began = Instant::now();
    let is_over = move || began.elapsed() > STORE_CHECK_TIME_MAX;
    if let Some(what) = structure(connection, is_over)? {
        report.faults.push(what);
        return Ok(Checked::Damaged);
    }
    if schema::version(connection)? < schema::known() {
        return Ok(Checked::Older);
    }
    if !schema::is_intact(connection)? {
        report.faults.push("its description of its tables is damaged".to_owned());
        return Ok(Checked::Damaged);
    }
    let mut whole = load(connection, moment)?;
    let bad = &mut whole.2.bad;
    if !read::check_payloads(connection, is_over, bad)? {
        report.notes.push("it is too large to be checked as a whole at each start".to_owned());
    }
    if bad.is_empty() {
        return Ok(Checked::Whole(Box::new(whole)));
    }
    report.faults.extend(describe(bad));
    Ok(Checked::Damaged)
}

/// What is wrong with the pages of the file, by SQLite's own check, which goes on until `is_over`.
fn structure(
    connection: &mut Connection,
    is_over: impl Fn() -> bool + Send + 'static,
) -> SqlResult<Option<String>> {
    const STEPS: i32 = 100_000;
    connection.progress_handler(STEPS, Some(is_over))?;
    let answer = ask(connection, "PRAGMA quick_check(1)");
    connection.progress_handler(0, None::<fn() -> bool>)?;
    match answer {
        Ok(Some(answer)) if answer == "ok" => Ok(None),
        Ok(Some(answer)) => Ok(Some(one_line(&answer))),
        Ok(None) => Ok(Some("its structure cannot be checked".to_owned())),
        // The note of it follows: there is no time for the payloads either.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
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
