//! What lies in the folder, as bytes and permissions, before SQLite sees it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::process::geteuid;

use super::aside::{self, index_of, log_of};
use super::fresh::PRIVATE;
use super::log_file::{self, Log};
use super::opening::Moment;
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
pub(super) fn look(
    path: &Path,
    moment: Moment,
    report: &mut OpenReport,
) -> Result<Found, OpenError> {
    let io = |doing, path: &Path| {
        let path = path.to_owned();
        move |error| OpenError::Io { doing, path, error }
    };
    clear_the_way(path, moment, report)?;
    let Ok(facts) = fs::metadata(path) else {
        if fs::symlink_metadata(log_of(path)).is_ok() {
            report.faults.push(ONLY_LOG.to_owned());
            report.uncounted = true;
            return Ok(Found::Unusable);
        }
        return Ok(Found::Nothing);
    };
    for file in [path, &log_of(path)] {
        if let Some(what) = take_rights(file, report)? {
            report.faults.push(what);
            report.uncounted = true;
            return Ok(Found::Unusable);
        }
    }
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

/// Takes the rights to a file of ours; what is wrong with one of another user that may not be used.
fn take_rights(path: &Path, report: &mut OpenReport) -> Result<Option<String>, OpenError> {
    let Ok(facts) = fs::metadata(path) else { return Ok(None) };
    match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
        // What else is wrong shows when it is read.
        _ => return Ok(None),
    }
    let (own, owner, mode) = (geteuid().as_raw(), facts.uid(), facts.mode() & 0o777);
    if owner != own {
        return Ok(Some(format!(
            "`{}` is of user {owner} with mode {mode:03o}, and this is user {own}",
            path.display()
        )));
    }
    report.notes.push(format!("`{}` had mode {mode:03o}", path.display()));
    fs::set_permissions(path, fs::Permissions::from_mode(PRIVATE)).map_err(|error| {
        OpenError::Io { doing: "take the rights to", path: path.to_owned(), error }
    })?;
    Ok(None)
}

/// Moves away what stands where SQLite wants files of its own.
fn clear_the_way(path: &Path, moment: Moment, report: &mut OpenReport) -> Result<(), OpenError> {
    for (ending, is_welcome) in [(aside::LOG, true), (aside::INDEX, true), (aside::JOURNAL, false)]
    {
        let file = aside::beside(path, ending);
        let Ok(facts) = fs::symlink_metadata(&file) else { continue };
        if facts.is_file() && is_welcome {
            continue;
        }
        report.put_aside.push(aside::put_beside(path, ending, moment.wall)?);
        report.faults.push(format!("something stood in the way: `{}`", file.display()));
    }
    // It is made anew; one of another user would only be a hindrance.
    let _ = fs::remove_file(index_of(path));
    Ok(())
}
