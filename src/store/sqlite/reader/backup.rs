//! A copy of a store as it is at one moment, while a gateway works on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::super::fresh::{MakeError, draft_of, empty_draft, forget_drafts, publish};
use super::super::trouble::is_damage;
use super::super::write::{Fact, fact};
use super::{Reader, check, count};
use crate::limits::{STORE_BACKUP_PAGES, STORE_LOG_LOOK_PAUSE};
use crate::store::{Findings, OpenError, VisitError};

impl Reader {
    /// Copies the store to `to`, which must not be there, and checks the copy: a store of its own,
    /// which only its owner can read. A damaged store gives a damaged copy, and says so.
    pub fn backup(&self, to: &Path) -> Result<Findings, VisitError> {
        if fs::symlink_metadata(to).is_ok() {
            return Err(VisitError::Exists { path: to.to_owned() });
        }
        let to = &std::path::absolute(to).map_err(VisitError::Output)?;
        let draft = empty_draft(to).map_err(|error| of_make(error, &draft_of(to)))?;
        let finished = self.copy(&draft).and_then(|()| self.finish(&draft, to));
        if finished.is_err() {
            forget_drafts(to);
        }
        finished
    }

    fn copy(&self, draft: &Path) -> Result<(), VisitError> {
        self.at_one_moment(|connection| {
            let mut target = Connection::open(draft).map_err(|error| of_copy(&error, draft))?;
            self.copy_pages(connection, &mut target).map_err(|error| of_copy(&error, draft))
        })
    }

    /// The moment stays the same from step to step: the reader's transaction holds it.
    fn copy_pages(&self, from: &Connection, target: &mut Connection) -> rusqlite::Result<()> {
        {
            let backup = Backup::new(from, target)?;
            loop {
                if self.progress.is_stopped() {
                    return Err(interrupted());
                }
                let step = backup.step(STORE_BACKUP_PAGES)?;
                let pages = backup.progress();
                let of = |pages: i32| count(usize::try_from(pages).unwrap_or(0));
                let all = of(pages.pagecount);
                self.progress.set(all.saturating_sub(of(pages.remaining)), all);
                match step {
                    StepResult::Done => break,
                    StepResult::Busy | StepResult::Locked => sleep(STORE_LOG_LOOK_PAUSE),
                    _ => {}
                }
            }
        }
        // All that was in the log is in the copy; it needs none.
        fact(target, Fact::Open, 0)
    }

    fn finish(&self, draft: &Path, to: &Path) -> Result<Findings, VisitError> {
        self.progress.set(0, 0);
        let findings = check(draft, self.wall, &self.progress)?;
        publish(draft, to).map_err(|error| of_make(error, to))?;
        forget_drafts(to);
        Ok(findings)
    }
}

fn interrupted() -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_INTERRUPT);
    rusqlite::Error::SqliteFailure(code, None)
}

pub(super) fn of_make(error: MakeError, path: &Path) -> VisitError {
    match error {
        MakeError::Io(doing, error) => {
            VisitError::Open(OpenError::Io { doing, path: path.to_owned(), error })
        }
        MakeError::Sql(error) => of_copy(&error, path),
    }
}

/// What SQLite says of a copy that is being made.
pub(super) fn of_copy(error: &rusqlite::Error, path: &Path) -> VisitError {
    let path: PathBuf = path.to_owned();
    if is_damage(error) {
        return VisitError::Damaged { path, what: format!("it cannot be copied: {error}") };
    }
    super::of_sql(error, &path)
}
