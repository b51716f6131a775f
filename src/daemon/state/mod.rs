//! The state folder: private files, written whole or not at all, for one gateway at a time.

mod error;
mod users;

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::process::geteuid;

use crate::limits::STATE_FILE_BYTES_MAX;
use crate::net::{Files, credential, read_whole};

use error::closing_hint;

pub use error::StateError;
pub use users::{
    UsersFile, add_user, change_password, draw, edit as edit_users, hash as hash_password,
    random_password, read_users, remove_user, set_password, try_edit as try_edit_users,
};

const LOCK_FILE: &str = "lock";
const PRIVATE_FOLDER: u32 = 0o700;
const PRIVATE_FILE: u32 = 0o600;

/// A folder that only its owner can look into.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    /// Who files are made for: root may write into the gateway's folder, and it must stay readable
    /// for the gateway.
    owner: u32,
    group: u32,
    /// Held as long as this lives, so that no second gateway works on the same folder.
    lock_held: Option<File>,
}

impl StateDir {
    /// Opens the folder for a gateway, alone; makes it if it is absent, but not its parent.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let mut folder = Self::enter(path)?;
        let own = geteuid().as_raw();
        if folder.owner != own {
            return Err(StateError::ForeignOwner { path: path.into(), owner: folder.owner, own });
        }
        folder.lock_held = Some(folder.lock()?);
        Ok(folder)
    }

    /// Opens the folder beside a gateway that may be running: what is written is still whole. Root
    /// may visit any folder, and leaves files of the folder's owner.
    pub fn visit(path: &Path) -> Result<Self, StateError> {
        let folder = Self::enter(path)?;
        let own = geteuid().as_raw();
        if folder.owner != own && own != 0 {
            return Err(StateError::ForeignOwner { path: path.into(), owner: folder.owner, own });
        }
        Ok(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The content of a file, or `None` if there is no such file. A key may be a credential of the
    /// service manager instead, which comes first; one that others could read is refused.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StateError> {
        let path = self.path.join(name);
        if is_key(name) {
            let given = credential(name).map_err(|error| StateError::Io {
                doing: "read the credential for",
                path: path.clone(),
                error,
            })?;
            if let Some(mut given) = given {
                return Ok(Some(std::mem::take(&mut *given)));
            }
            check_private(&path)?;
        }
        match read_whole(&path, STATE_FILE_BYTES_MAX) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StateError::Io { doing: "read", path, error }),
        }
    }

    /// Writes a file that only its owner can read. Until it is whole and on the disk, the old
    /// content stays.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), StateError> {
        let path = self.path.join(name);
        let draft = self.path.join(format!(".{name}.{}", std::process::id()));
        self.write_draft(&draft, content)
            .and_then(|()| fs::rename(&draft, &path))
            .and_then(|()| File::open(&self.path)?.sync_all())
            .map_err(|error| {
                // The first error is the one to tell.
                let _ = fs::remove_file(&draft);
                StateError::Io { doing: "write", path, error }
            })
    }

    fn write_draft(&self, draft: &Path, content: &[u8]) -> io::Result<()> {
        let mut file = private().create(true).truncate(true).write(true).open(draft)?;
        file.set_permissions(Permissions::from_mode(PRIVATE_FILE))?;
        if self.owner != geteuid().as_raw() {
            fchown(&file, Some(self.owner), Some(self.group))?;
        }
        file.write_all(content)?;
        file.sync_all()
    }

    /// Makes or checks the folder.
    fn enter(path: &Path) -> Result<Self, StateError> {
        match DirBuilder::new().mode(PRIVATE_FOLDER).create(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StateError::NoParent { path: path.into() });
            }
            Err(error) => return Err(StateError::Io { doing: "make", path: path.into(), error }),
        }
        let facts = fs::metadata(path).map_err(|error| StateError::Io {
            doing: "open",
            path: path.into(),
            error,
        })?;
        if !facts.is_dir() {
            return Err(StateError::NoFolder { path: path.into() });
        }
        if facts.mode() & 0o077 != 0 {
            return Err(StateError::TooOpen { path: path.into(), mode: facts.mode() & 0o7777 });
        }
        Ok(Self { path: path.into(), owner: facts.uid(), group: facts.gid(), lock_held: None })
    }

    /// Takes the lock of the one gateway and leaves its process number in it.
    fn lock(&self) -> Result<File, StateError> {
        let path = self.path.join(LOCK_FILE);
        let failed = |error| StateError::Io { doing: "lock", path: path.clone(), error };
        let mut file = self.open_lock(LOCK_FILE)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut holder = String::new();
            file.read_to_string(&mut holder).map_err(failed)?;
            return Err(StateError::Locked {
                path: self.path.clone(),
                holder: holder.trim().into(),
            });
        }
        // The lock is what counts; on a full disk it has no number in it.
        let _ = file.set_len(0).and_then(|()| file.rewind());
        let _ = writeln!(file, "{}", std::process::id());
        Ok(file)
    }

    fn open_lock(&self, name: &str) -> Result<File, StateError> {
        let path = self.path.join(name);
        let open = || {
            let file = private().create(true).truncate(false).read(true).write(true).open(&path)?;
            if self.owner != geteuid().as_raw() {
                fchown(&file, Some(self.owner), Some(self.group))?;
            }
            Ok(file)
        };
        open().map_err(|error| StateError::Io { doing: "open", path: path.clone(), error })
    }
}

impl Files for StateDir {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        Self::read(self, name).map_err(bare)
    }

    fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        Self::write(self, name, content).map_err(bare)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => File::open(&self.path)?.sync_all(),
        }
    }

    fn place(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// What the system says; who asked names the file.
fn bare(error: StateError) -> io::Error {
    match error {
        StateError::Io { error, .. } => error,
        StateError::FileTooOpen { path, mode } => {
            let what = format!("others can read secrets: mode {mode:03o}{}", closing_hint(&path));
            io::Error::new(io::ErrorKind::PermissionDenied, what)
        }
        other if other.is_permission() => io::Error::new(io::ErrorKind::PermissionDenied, other),
        other => io::Error::other(other),
    }
}

/// Private keys are called so.
fn is_key(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "key")
}

/// Refuses a file of secrets that others than its owner can read, as a folder of ours that was
/// copied by hand may have: whoever could has them already.
fn check_private(path: &Path) -> Result<(), StateError> {
    match fs::metadata(path) {
        Ok(facts) if facts.mode() & 0o077 != 0 => {
            Err(StateError::FileTooOpen { path: path.into(), mode: facts.mode() & 0o7777 })
        }
        // What is not there is not open, and what cannot be looked at cannot be read.
        Ok(_) | Err(_) => Ok(()),
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(PRIVATE_FILE);
    options
}

#[cfg(test)]
mod tests;
