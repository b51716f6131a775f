//! Fresh files: empty ones, and ones with what was saved of a damaged one.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::aside::{self, beside, index_of, log_of};
use super::opening::Moment;
use super::room::Room;
use super::salvage::{self, Salvaged, open_to_read};
use super::trouble::failure;
use super::{graft, schema};
use crate::store::{Durability, OpenError, OpenReport};

/// Of the file and those beside it: their owner alone.
pub(super) const PRIVATE: u32 = 0o600;

/// Why a file cannot be made.
pub(super) enum MakeError {
    Io(&'static str, io::Error),
    Sql(rusqlite::Error),
}

impl MakeError {
    pub(super) fn of(self, path: &Path) -> OpenError {
        let path = path.to_owned();
        match self {
            Self::Io(doing, error) => OpenError::Io { doing, path, error },
            Self::Sql(error) => {
                let failure = failure(&error, &path);
                OpenError::Failed { path, failure }
            }
        }
    }
}

impl From<rusqlite::Error> for MakeError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// Where a fresh file lies until it is whole.
pub(super) fn draft_of(path: &Path) -> PathBuf {
    beside(path, ".new")
}

fn grafted_of(path: &Path) -> PathBuf {
    beside(path, ".grafted")
}

/// Drafts of an earlier start that did not come to an end.
pub(super) fn forget_drafts(path: &Path) {
    for draft in [draft_of(path), grafted_of(path)] {
        for file in [log_of(&draft), index_of(&draft), draft] {
            // There is none as a rule.
            let _ = fs::remove_file(file);
        }
    }
}

/// Makes a fresh store under the name of a draft: a file that only its owner can read, whole and on
/// the disk.
fn draft(path: &Path) -> Result<PathBuf, MakeError> {
    let draft = empty_draft(path)?;
    let mut connection = Connection::open(&draft)?;
    schema::configure(&connection, Durability::PowerCut)?;
    schema::migrate(&mut connection)?;
    connection.close().map_err(|(_, error)| error)?;
    Ok(draft)
}

/// An empty file that only its owner can read, under the name of a draft.
pub(super) fn empty_draft(path: &Path) -> Result<PathBuf, MakeError> {
    let draft = draft_of(path);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(PRIVATE);
    options.open(&draft).map_err(|error| MakeError::Io("make", error))?;
    Ok(draft)
}

/// Gives a draft its name; both are on the disk then.
pub(super) fn publish(draft: &Path, path: &Path) -> Result<(), MakeError> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    File::open(draft)
        .and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(draft, path))
        .and_then(|()| File::open(folder)?.sync_all())
        .map_err(|error| MakeError::Io("make", error))
}

/// Makes a fresh store. Until it is whole there is none, so an empty file is always a fault.
pub(super) fn make(path: &Path) -> Result<(), MakeError> {
    publish(&draft(path)?, path)
}

/// Puts what is there aside and makes a fresh store of all that can be saved of it.
pub(super) fn replace(
    path: &Path,
    moment: Moment,
    report: &mut OpenReport,
) -> Result<(), OpenError> {
    let (aside, moved) = aside::put(path, moment.wall)?;
    report.put_aside.extend(moved);
    let draft = draft(path).map_err(|error| error.of(path))?;
    match save(&aside, path, &draft) {
        Ok(Salvaged { saved, lost, uncounted, faults }) => {
            (report.saved, report.lost) = (saved, lost);
            report.uncounted |= uncounted;
            report.faults.extend(faults);
        }
        Err(error) => return Err(error.of(path)),
    }
    forget_traces(&aside);
    publish(&draft, path).map_err(|error| error.of(path))?;
    forget_drafts(path);
    Ok(())
}

/// What SQLite makes for each reader, and is worth nothing.
fn forget_traces(path: &Path) {
    let _ = fs::remove_file(index_of(path));
    if fs::metadata(log_of(path)).is_ok_and(|log| log.is_file() && log.len() == 0) {
        let _ = fs::remove_file(log_of(path));
    }
}

/// Copies what can be read of `aside` into `draft`; if that is nothing at all, with the first page
/// of a fresh file.
fn save(aside: &Path, path: &Path, draft: &Path) -> Result<Salvaged, MakeError> {
    let nothing = Salvaged { uncounted: true, ..Salvaged::default() };
    if !fs::metadata(aside).is_ok_and(|facts| facts.is_file() && facts.len() > 0) {
        return Ok(nothing);
    }
    // Dropped last: to close it would end SQLite's locks.
    let mut room = Room::of(draft);
    let target = Connection::open(draft)?;
    schema::configure(&target, Durability::PowerCut)?;
    // A log as large as the file would need room twice.
    target.pragma_update(None, "wal_autocheckpoint", 1000)?;
    let as_it_is = open_to_read(aside).and_then(|source| {
        // A schema that is not ours makes every row look wrong. A later one is taken at its word:
        // a row that it writes as we do has our checksum.
        let is_readable = schema::is_intact(&source)? || schema::is_later(&source)?;
        Ok(is_readable.then_some(source))
    });
    let salvaged = match as_it_is {
        Ok(Some(source)) => salvage::copy(&source, &target, &mut room)?,
        _ if graft::is_plausible(aside).unwrap_or(false) => {
            let pages = schema::pages(&target)?;
            let grafted = grafted_of(path);
            match graft::graft(aside, &grafted, draft, &pages) {
                Ok(()) => salvage::copy(&open_to_read(&grafted)?, &target, &mut room)?,
                Err(error) => Salvaged {
                    faults: vec![format!("no room to look into it further: {error}")],
                    ..nothing
                },
            }
        }
        _ => nothing,
    };
    target.close().map_err(|(_, error)| error)?;
    Ok(salvaged)
}
