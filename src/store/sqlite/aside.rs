//! Damaged files are never overwritten: they get a dated name and stay in the folder.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::limits::STORE_DAMAGED_KEPT_MAX;
use crate::store::OpenError;
use crate::time::Timestamp;

/// The file that belongs to the one at `path` by its name.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Ending of a log.
pub(super) const LOG: &str = "-wal";
/// Ending of the index of a log.
pub(super) const INDEX: &str = "-shm";
/// Ending of what SQLite would roll back.
pub(super) const JOURNAL: &str = "-journal";
const DAMAGED: &str = ".damaged-";

/// The log of a file.
pub(super) fn log_of(path: &Path) -> PathBuf {
    beside(path, LOG)
}

/// What SQLite knows of a log, made anew at each opening.
pub(super) fn index_of(path: &Path) -> PathBuf {
    beside(path, INDEX)
}

/// A name that nothing has: `broker.db.damaged-2026-11-25T13-00-05`.
fn name(path: &Path, wall: Timestamp) -> PathBuf {
    let date = wall.to_string().replace(':', "-");
    let date = date.trim_end_matches('Z');
    let is_taken = |name: &PathBuf| {
        [name.clone(), log_of(name)].iter().any(|path| fs::symlink_metadata(path).is_ok())
    };
    let mut name = beside(path, &format!("{DAMAGED}{date}"));
    let mut number = 1_u32;
    while is_taken(&name) {
        number = number.saturating_add(1);
        name = beside(path, &format!("{DAMAGED}{date}-{number}"));
    }
    name
}

/// Puts a file aside with its log; where they are now. The first name is that of the file.
pub(super) fn put(path: &Path, wall: Timestamp) -> Result<(PathBuf, Vec<PathBuf>), OpenError> {
    let aside = name(path, wall);
    let mut moved = Vec::new();
    // SQLite makes an empty one whenever it looks at a file.
    if fs::metadata(log_of(path)).is_ok_and(|log| log.is_file() && log.len() == 0) {
        let _ = fs::remove_file(log_of(path));
    }
    for (from, to) in [(path.to_owned(), aside.clone()), (log_of(path), log_of(&aside))] {
        match fs::rename(&from, &to) {
            Ok(()) => moved.push(to),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(OpenError::Io { doing: "put aside", path: from, error }),
        }
    }
    // Nothing of value is in it, and the next file must not find it.
    let _ = fs::remove_file(index_of(path));
    forget_oldest(path);
    Ok((aside, moved))
}

/// Puts aside what lies beside a file; where it is now.
pub(super) fn put_beside(path: &Path, ending: &str, wall: Timestamp) -> Result<PathBuf, OpenError> {
    let (from, to) = (beside(path, ending), beside(&name(path, wall), ending));
    match fs::rename(&from, &to) {
        Ok(()) => Ok(to),
        Err(error) => Err(OpenError::Io { doing: "put aside", path: from, error }),
    }
}

/// Leaves a copy of the log, which SQLite is about to write over.
pub(super) fn copy_log(path: &Path, wall: Timestamp) -> Result<PathBuf, OpenError> {
    let copy = log_of(&name(path, wall));
    let log = log_of(path);
    match fs::copy(&log, &copy) {
        Ok(_) => Ok(copy),
        Err(error) => Err(OpenError::Io { doing: "copy", path: log, error }),
    }
}

/// Keeps the newest only: a card that damages a file at each start must not fill up.
fn forget_oldest(path: &Path) {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return };
    let prefix = format!("{}{DAMAGED}", name.to_string_lossy());
    let Ok(entries) = fs::read_dir(folder) else { return };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let damaged: BTreeSet<String> = names
        .filter(|name| name.starts_with(&prefix))
        .map(|name| {
            let endings = [LOG, INDEX, JOURNAL].iter().find_map(|end| name.strip_suffix(end));
            endings.unwrap_or(&name).to_owned()
        })
        .collect();
    let excess = damaged.len().saturating_sub(STORE_DAMAGED_KEPT_MAX);
    for name in damaged.into_iter().take(excess) {
        let path = folder.join(name);
        for path in [log_of(&path), index_of(&path), beside(&path, JOURNAL), path] {
            // A folder was never ours; it stays.
            let is_file = fs::symlink_metadata(&path).is_ok_and(|facts| !facts.is_dir());
            if is_file && let Err(error) = fs::remove_file(&path) {
                tracing::warn!(path = %path.display(), %error, "old damaged store not removed");
            }
        }
    }
}
