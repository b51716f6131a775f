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
            report.faults.push("the file is gone, only its log is there".to_owned());
            report.uncounted = true;
            return Ok(Found::Unusable);
        }
        return Ok(Found::Nothing);
    };
    let unusable = |report: &mut OpenReport, what: &str| {
        report.faults.push(what.to_owned());
        report.uncounted = true;
        Ok(Found::Unusable)
    };
    if !facts.is_file() {
        return unusable(report, "it is not a file");
    }
    if facts.mode() & 0o077 != 0 {
        report.notes.push(format!("was open to others, with mode {:03o}", facts.mode() & 0o777));
        fs::set_permissions(path, fs::Permissions::from_mode(PRIVATE))
            .map_err(io("close to others", path))?;
    }
    if facts.len() == 0 {
        return unusable(report, "the file is empty");
    }
    let mut magic = [0; MAGIC.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    match read {
        Ok(()) if magic == *MAGIC => {}
        Ok(()) => return unusable(report, "its beginning is not that of a store"),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return unusable(report, "the file is cut off");
        }
        Err(error) => return unusable(report, &format!("it cannot be read: {error}")),
    }
    let log = log_of(path);
    Ok(Found::File(log_file::read(&log).map_err(io("read", &log))?))
}

/// Refuses what the permissions of a file refuse: no damage, and nothing we could mend.
fn may_use(path: &Path) -> Result<(), OpenError> {
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
