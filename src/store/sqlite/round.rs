//! Whether the log beside a file is the file's own. SQLite takes any whole log for it, one of
//! another life too, and writes its old pages over what was acknowledged since.
//!
//! A log is written in rounds: after it was moved into the file it begins anew, under a number that
//! is one higher. While a gateway works on a file, the file says itself, without its log, in which
//! round it was last moved; once it is closed, that there is no log.

use std::fs::File;
use std::io;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::log_file::{self, Log};
use super::opening::{Moment, load};
use super::row::{Columns, ReadError, Table};
use super::schema;
use super::trouble::SqlResult;
use super::write::Fact;

/// Rounds that a log may be ahead of what the file says: one is the rule, another may have begun
/// when that was written down, and a third where a disk refused it.
const AHEAD_MAX: u32 = 3;

/// Sets the value of an open file apart from the one of a closed file.
const OPEN: u64 = 1 << 32;

/// The value of [`Fact::Open`] while the log is in that round.
pub(super) fn open(round: Option<u32>) -> u64 {
    OPEN | u64::from(round.unwrap_or(0))
}

/// What a file says of its log, without looking into that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// There is none, for it was closed in peace.
    Closed,
    /// It was moved last in that round.
    Round(u32),
    /// It cannot be read: a move of the log was interrupted.
    Unknown,
}

/// Whether a log belongs to the file at `path`. What a file says that is not whole is not believed:
/// a move of the log was interrupted, and only the log can make it whole again.
pub(super) fn is_own(path: &Path, log_path: &Path, log: Log, moment: Moment) -> io::Result<bool> {
    let Log::Frames { round, batches: 1.., .. } = log else { return Ok(true) };
    let is_own = match said(path) {
        Said::Unknown => true,
        Said::Round(last) => round.wrapping_sub(last) <= AHEAD_MAX,
        Said::Closed => is_nothing_new(path, log_path)?,
    };
    Ok(is_own || !is_whole(path, moment).unwrap_or(false))
}

/// Whether all that a file has without its log is as it was written.
fn is_whole(path: &Path, moment: Moment) -> SqlResult<bool> {
    let file = alone(path)?;
    let structure: String = file.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if structure != "ok" || !schema::is_intact(&file)? {
        return Ok(false);
    }
    let (_, _, loaded) = load(&file, moment)?;
    Ok(loaded.bad.is_empty())
}

fn said(path: &Path) -> Said {
    let Ok(Some(value)) = alone(path).and_then(|file| value(&file)) else { return Said::Unknown };
    match u64::try_from(value) {
        Ok(0) => Said::Closed,
        Ok(value) => u32::try_from(value ^ OPEN).map_or(Said::Unknown, Said::Round),
        Err(_) => Said::Unknown,
    }
}

/// The file without its log.
pub(super) fn alone(path: &Path) -> SqlResult<Connection> {
    let mut uri = "file:".to_owned();
    for character in path.to_string_lossy().chars() {
        match character {
            '%' => uri.push_str("%25"),
            '?' => uri.push_str("%3f"),
            '#' => uri.push_str("%23"),
            other => uri.push(other),
        }
    }
    uri.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

/// What a file says, with or without its log.
pub(super) fn value(file: &Connection) -> SqlResult<Option<i64>> {
    if !schema::is_ours(file)? {
        return Ok(None);
    }
    let sql = "SELECT * FROM store WHERE name = ?";
    let mut statement = file.prepare(sql)?;
    let mut rows = statement.query([Fact::Open.name()])?;
    // A file of which nobody ever took hold has none.
    let Some(row) = rows.next()? else { return Ok(Some(0)) };
    let value = Columns::checked(Table::Store, row).and_then(|columns| columns.required(1));
    match value {
        Ok(value) => Ok(Some(value)),
        Err(ReadError::Row(_)) => Ok(None),
        Err(ReadError::Sql(error)) => Err(error),
    }
}

/// A file that says it is closed may have a log all the same, if the end came right before or after
/// that was said: but with nothing in it, except for what it says of itself.
fn is_nothing_new(path: &Path, log: &Path) -> io::Result<bool> {
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'store'";
    let page = alone(path).and_then(|file| file.query_row(sql, [], |row| row.get::<_, u32>(0)));
    let Ok(page) = page else { return Ok(true) };
    let changed = log_file::changed_pages(log, &mut File::open(path)?)?;
    Ok(changed.into_iter().all(|changed| changed == page))
}
