//! What SQLite says, in the words of the broker.

use std::path::Path;

use rusqlite::ErrorCode;
use rusqlite::ffi;
use rustix::fs::{StatVfsMountFlags, statvfs};

use crate::broker::record::Trouble;
use crate::store::Failure;

/// What SQLite answers.
pub(super) type SqlResult<T> = rusqlite::Result<T>;

/// What the broker is told of an error with the file at `path`.
pub(super) fn failure(error: &rusqlite::Error, path: &Path) -> Failure {
    let trouble = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Trouble::Full,
        Some(ErrorCode::ReadOnly) => Trouble::ReadOnly,
        Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => of_disk(path),
        _ => Trouble::Failed,
    };
    Failure::new(trouble, describe(error))
}

/// A write that failed for another reason than a full disk: a disk that was remounted read-only
/// after an error says so here only.
fn of_disk(path: &Path) -> Trouble {
    let folder = path.parent().unwrap_or(path);
    match statvfs(folder) {
        Ok(facts) if facts.f_flag.contains(StatVfsMountFlags::RDONLY) => Trouble::ReadOnly,
        Ok(facts) if facts.f_bavail == 0 => Trouble::Full,
        Ok(_) | Err(_) => Trouble::Failed,
    }
}

/// The text of an error with its number, by which SQLite's manual knows it.
fn describe(error: &rusqlite::Error) -> String {
    match error.sqlite_error() {
        Some(ffi::Error { extended_code, .. }) => format!("{error} (SQLite {extended_code})"),
        None => error.to_string(),
    }
}

/// Whether the file itself is wrong.
#[expect(dead_code, reason = "what is damaged is put aside")]
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}
