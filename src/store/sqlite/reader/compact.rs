//! A store without the room that nothing uses, in place of the one with it.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use super::super::aside::{index_of, log_of};
use super::super::fresh::{draft_of, empty_draft, forget_drafts, publish};
use super::super::salvage::ask;
use super::super::schema;
use super::super::write::{Fact, fact};
use super::backup::{of_copy, of_make};
use super::{STEPS, check, number, of_sql, size};
use crate::store::{Compacted, Durability, Findings, Progress, VisitError};
use crate::time::Timestamp;

/// Makes the store at `path` as small as it can be. No gateway may work on it: the caller has the
/// lock of its folder. The old file stays until the new one is whole and on the disk, which takes
/// room for both.
pub fn compact(path: &Path, wall: Timestamp, progress: &Progress) -> Result<Compacted, VisitError> {
    let before = size(path).saturating_add(size(&log_of(path)));
    let findings = check(path, wall, progress)?;
    if let Some(what) = findings.faults.first() {
        return Err(VisitError::Damaged { path: path.to_owned(), what: what.clone() });
    }
    let mut alone = open_alone(path).map_err(|error| of_sql(&error, path))?;
    forget_drafts(path);
    let draft = empty_draft(path).map_err(|error| of_make(error, &draft_of(path)))?;
    let made = write(&mut alone, &draft, progress)
        .map_err(|error| of_copy(&error, &draft))
        .and_then(|()| compare(&findings, &draft, wall, progress))
        .and_then(|()| publish(&draft, path).map_err(|error| of_make(error, path)));
    forget_drafts(path);
    made?;
    // Of the file that was there; the next to open the store makes its own.
    for left in [log_of(path), index_of(path)] {
        let _ = fs::remove_file(left);
    }
    drop(alone);
    Ok(Compacted { before, after: size(path) })
}

/// Opens the file for us alone, and moves all that is in its log into it.
fn open_alone(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    schema::configure(&connection, Durability::PowerCut)?;
    connection.execute_batch("BEGIN EXCLUSIVE; COMMIT")?;
    ask(&connection, "PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(connection)
}

fn write(alone: &mut Connection, draft: &Path, progress: &Progress) -> rusqlite::Result<()> {
    let pages = number(alone, "PRAGMA page_count")?;
    let free = number(alone, "PRAGMA freelist_count")?;
    let all = pages.saturating_sub(free).saturating_mul(schema::PAGE_BYTES.into());
    let (seen, growing) = (progress.clone(), draft.to_owned());
    let look = move || {
        seen.set(size(&growing).min(all), all);
        seen.is_stopped()
    };
    alone.progress_handler(STEPS, Some(look))?;
    let name = draft.to_str().ok_or_else(|| rusqlite::Error::InvalidPath(draft.to_owned()))?;
    let written = alone.execute("VACUUM INTO ?", [name]);
    alone.progress_handler(0, None::<fn() -> bool>)?;
    written?;
    let fresh = Connection::open(draft)?;
    schema::configure(&fresh, Durability::PowerCut)?;
    fact(&fresh, Fact::Open, 0)?;
    fresh.close().map_err(|(_, error)| error)
}

/// What replaces a store must have all that was in it.
fn compare(
    was: &Findings,
    draft: &Path,
    wall: Timestamp,
    progress: &Progress,
) -> Result<(), VisitError> {
    progress.set(0, 0);
    let is = check(draft, wall, progress)?;
    if is.faults.is_empty() && is.contents == was.contents {
        return Ok(());
    }
    let what = format!("its copy is not what it was: {} of {}", is.contents, was.contents);
    Err(VisitError::Damaged { path: draft.to_owned(), what })
}
