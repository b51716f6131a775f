//! Who typed `sudo`: what root writes into a folder of theirs is to be theirs, so that they can
//! carry it away.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fchown, fstat, openat, statat};
use rustix::process::{Gid, Uid, geteuid};

/// A person, and a folder of theirs.
#[derive(Debug)]
pub(super) struct Invoker {
    user: Uid,
    group: Gid,
    folder: OwnedFd,
}

impl Invoker {
    /// Who asked by `sudo` for something at `path`; `None` where nobody did, and where the folder
    /// is not theirs.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let number = |name| env::var(name).ok()?.parse::<u32>().ok();
        let (user, group) = (number("SUDO_UID")?, number("SUDO_GID")?);
        if user == 0 || !geteuid().is_root() {
            return None;
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            Some(_) | None => Path::new("."),
        };
        let folder = openat(CWD, folder, OFlags::DIRECTORY | LOOKING, Mode::empty()).ok()?;
        let is_theirs = fstat(&folder).is_ok_and(|facts| facts.st_uid == user);
        let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
        is_theirs.then_some(Self { user, group, folder })
    }

    /// Gives them what was made at `path`, a file or a folder with files.
    pub(super) fn own(&self, path: &Path) -> io::Result<()> {
        path.file_name().map_or(Ok(()), |name| self.give(self.folder.as_fd(), name))
    }

    /// No link is followed, and nothing is given that was somebody else's: whoever owns the folder
    /// may have put something in the place of what was made.
    fn give(&self, folder: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
        let facts = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = FileType::from_raw_mode(facts.st_mode);
        let is_ours = facts.st_uid == geteuid().as_raw();
        if !is_ours || !(kind.is_dir() || kind.is_file() && facts.st_nlink == 1) {
            return Ok(());
        }
        let made = openat(folder, name, OFlags::NOFOLLOW | LOOKING, Mode::empty())?;
        if !is_same(&fstat(&made)?, &facts) {
            return Ok(());
        }
        if kind.is_dir() {
            for entry in Dir::read_from(&made)? {
                let entry = entry?;
                let name = entry.file_name().to_bytes();
                if !matches!(name, b"." | b"..") {
                    self.give(made.as_fd(), OsStr::from_bytes(name))?;
                }
            }
        }
        Ok(fchown(&made, Some(self.user), Some(self.group))?)
    }
}

/// To look at what is there, and to wait for nobody.
const LOOKING: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

fn is_same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}
