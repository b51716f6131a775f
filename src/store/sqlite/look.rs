//! What lies in the folder, as bytes and permissions, before SQLite sees it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::process::geteuid;

use super::aside::{beside, index_of, log_of};
use super::fresh::PRIVATE;
use super::log_file::{self, Log};
use crate::store::{OpenError, OpenReport};

const MAGIC: &[u8; 16] = b"SQLite format 3\0";

pub(super) const ONLY_LOG: &str = "the file is gone, only its log is there";

/// What lies in the folder, as far as can be told without SQLite.
pub(super) enum Found {
    Nothing,
    /// Something, of which nothing can be read by SQLite as it is.
    Unusable,
    File(Log),
}

/// Looks at what is there.
pub(super) fn look(path: &Path, report: &mut OpenReport) -> Result<Found, OpenError> {
    let io = |doing, path: &Path| {
        let path = path.to_owned();
        move |error| OpenError::Io { doing, path, error }
    };
    for file in [path, &log_of(path), &index_of(path)] {
        may_use(file)?;
    }
    clear_the_way(path, report)?;
    let Ok(facts) = fs::metadata(path) else {
        if fs::symlink_metadata(log_of(path)).is_ok() {
            report.faults.push(ONLY_LOG.to_owned());
            report.uncounted = true;
            return Ok(Found::Unusable);
        }
        return Ok(Found::Nothing);
    };
    if facts.is_file() && facts.mode() & 0o077 != 0 {
        report.notes.push(format!("was open to others, with mode {:03o}", facts.mode() & 0o777));
        fs::set_permissions(path, fs::Permissions::from_mode(PRIVATE))
            .map_err(io("close to others", path))?;
    }
    if let Some(what) = unusable(path, &facts) {
        report.faults.push(what);
        report.uncounted = true;
        return Ok(Found::Unusable);
    }
    let log = log_of(path);
    Ok(Found::File(log_file::read(&log).map_err(io("read", &log))?))
}

/// Why nothing can be read of a file by SQLite, if so.
pub(super) fn unusable(path: &Path, facts: &fs::Metadata) -> Option<String> {
    if !facts.is_file() {
        return Some("it is not a file".to_owned());
    }
    if facts.len() == 0 {
        return Some("the file is empty".to_owned());
    }
    let mut magic = [0; MAGIC.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    match read {
        Ok(()) if magic == *MAGIC => None,
        Ok(()) => Some("its beginning is not that of a store".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Some("the file is cut off".to_owned())
        }
        Err(error) => Some(format!("it cannot be read: {error}")),
    }
}

/// Refuses what the permissions of a file refuse: no damage, and nothing we could mend.
pub(super) fn may_use(path: &Path) -> Result<(), OpenError> {
    let Ok(facts) = fs::metadata(path) else { return Ok(()) };
    if !facts.is_file() {
        return Ok(());
    }
    match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(OpenError::Permission {
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

/// Moves away what stands where SQLite wants files of its own.
fn clear_the_way(path: &Path, report: &mut OpenReport) -> Result<(), OpenError> {
    let journal = beside(path, "-journal");
    for (file, is_welcome) in [(log_of(path), true), (index_of(path), true), (journal, false)] {
        let Ok(facts) = fs::symlink_metadata(&file) else { continue };
        if facts.is_file() && is_welcome {
            continue;
        }
        let aside = beside(&file, ".damaged");
        fs::rename(&file, &aside).map_err(|error| OpenError::Io {
            doing: "put aside",
            path: file.clone(),
            error,
        })?;
        report.faults.push(format!("something stood in the way: `{}`", file.display()));
        report.put_aside.push(aside);
    }
    Ok(())
}
