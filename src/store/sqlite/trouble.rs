//! What SQLite says, in the words of the broker.

use std::path::Path;

use rusqlite::ErrorCode;
use rusqlite::ffi;
use rustix::fs::{
    AtFlags, CWD, StatVfsMountFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, statvfs,
    utimensat,
};
use rustix::io::Errno;

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
        Ok(_) | Err(_) if refuses_writes(path) => Trouble::ReadOnly,
        Ok(_) | Err(_) => Trouble::Failed,
    }
}

/// A file system that stopped because it found itself damaged: newer kernels do not call it
/// read-only, and refuse whatever would change it. By name, for to open and close the file would
/// end SQLite's locks on it.
fn refuses_writes(path: &Path) -> bool {
    let of = |nanoseconds| Timespec { tv_sec: 0, tv_nsec: nanoseconds };
    let times = Timestamps { last_access: of(UTIME_OMIT), last_modification: of(UTIME_NOW) };
    utimensat(CWD, path, &times, AtFlags::empty()) == Err(Errno::ROFS)
}

/// The text of an error with its number, by which SQLite's manual knows it.
fn describe(error: &rusqlite::Error) -> String {
    match error.sqlite_error() {
        Some(ffi::Error { extended_code, .. }) => format!("{error} (SQLite {extended_code})"),
        None => error.to_string(),
    }
}

/// Whether the file itself is wrong: nothing that passes, and nothing that the operating system
/// says of it.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    !matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::DiskFull
                | ErrorCode::OutOfMemory
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::OperationInterrupted
                | ErrorCode::OperationAborted
        )
    )
}
