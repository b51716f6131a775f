//! The file of users: changed by the command line, followed by the gateway.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};
use tracing::{info, warn};

use super::{StateDir, StateError, check_private};
use crate::access::{Login, PasswordHash, SALT_BYTES, UserName, Users};
use crate::limits::USERS_FILE_BYTES_MAX;
use crate::net::read_whole;

const FILE: &str = "users";
const LOCK_FILE: &str = "users.lock";

/// Letters of a drawn password: 32, none of them easily taken for another.
const PASSWORD_LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// 100 bits.
const PASSWORD_LETTERS_DRAWN: usize = 20;

/// The users as the file has them now: looked at with one `stat` each time, read again only when
/// it was replaced.
#[derive(Debug)]
pub struct UsersFile {
    path: PathBuf,
    known: Mutex<Known>,
    /// Hashes that were made anew for the same password, each with what it was before.
    renewed: Mutex<Vec<(PasswordHash, PasswordHash)>>,
}

#[derive(Debug)]
struct Known {
    stamp: Option<Stamp>,
    users: Arc<Users>,
}

/// What changes when a file is replaced, or becomes another's to read; `None` for an absent one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    modified: (i64, i64),
    /// Of its permissions and its owner as well.
    changed: (i64, i64),
    mode: u32,
    bytes: u64,
}

impl UsersFile {
    /// Follows the file of users of a state folder; an absent one has no users.
    pub fn open(folder: &StateDir) -> Result<Self, StateError> {
        let path = folder.path().join(FILE);
        let stamp = stamp(&path)?;
        let users = Arc::new(load(&path)?);
        let known = Mutex::new(Known { stamp, users });
        Ok(Self { path, known, renewed: Mutex::default() })
    }

    /// Where the file is.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// Makes the hash of this login's password anew, after it was found right, if it is not of
    /// today's function and cost.
    pub fn renew(&self, login: &Login) {
        let (Some(user), Some(password)) = (&login.user, &login.password) else { return };
        let Ok(name) = UserName::parse(user) else { return };
        let users = self.current();
        let old = users.get(&name).and_then(|user| user.password.clone());
        let Some(old) = old.filter(PasswordHash::is_outdated) else { return };
        match self.replace(&name, &old, password) {
            Ok(()) => info!(user = name.as_str(), "password hash made anew"),
            Err(error) => warn!(user = name.as_str(), %error, "password hash not made anew"),
        }
    }

    /// Unless it was changed meanwhile.
    fn replace(
        &self,
        name: &UserName,
        old: &PasswordHash,
        password: &[u8],
    ) -> Result<(), StateError> {
        let new = hash(password)?;
        edit(self.folder(), |users| {
            if users.get(name).and_then(|user| user.password.as_ref()) == Some(old) {
                users.entry(name.clone()).password = Some(new.clone());
                let mut renewed = self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
                renewed.push((old.clone(), new));
            }
            Ok(())
        })
    }

    /// Whether a user has another hash, and the same password as before.
    pub fn is_renewed(&self, name: &str, before: &Users, now: &Users) -> bool {
        let Ok(name) = UserName::parse(name) else { return false };
        let hash = |users: &Users| users.get(&name).and_then(|user| user.password.clone());
        let (Some(before), Some(now)) = (hash(before), hash(now)) else { return false };
        let renewed = self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        renewed.contains(&(before, now))
    }

    /// The users now. While the file is broken, those it had before.
    pub fn current(&self) -> Arc<Users> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = match stamp(&self.path) {
            Ok(stamp) => stamp,
            Err(error) => {
                warn!(%error, "users not looked at");
                return Arc::clone(&known.users);
            }
        };
        if stamp != known.stamp {
            // Stored even if the file is broken: said once, not at each login.
            known.stamp = stamp;
            match load(&self.path) {
                Ok(users) => {
                    info!(users = users.names().count(), "users read again");
                    known.users = Arc::new(users);
                }
                Err(error) => warn!(%error, "users not read again, the earlier ones stay"),
            }
        }
        Arc::clone(&known.users)
    }
}

/// The users of a state folder; an absent file has none.
pub fn read_users(folder: &Path) -> Result<Users, StateError> {
    load(&StateDir::visit(folder)?.path().join(FILE))
}

/// Adds a user of a new name.
pub fn add_user(folder: &Path, name: UserName, password: &[u8]) -> Result<(), StateError> {
    let hash = hash(password)?;
    edit(folder, |users| {
        if users.contains(&name) {
            return Err(StateError::UserExists(name));
        }
        users.entry(name).password = Some(hash);
        Ok(())
    })
}

/// Gives a known user another password.
pub fn change_password(folder: &Path, name: UserName, password: &[u8]) -> Result<(), StateError> {
    let hash = hash(password)?;
    edit(folder, |users| {
        if !users.contains(&name) {
            return Err(StateError::UserUnknown(name));
        }
        users.entry(name).password = Some(hash);
        Ok(())
    })
}

/// Gives a user a password, known or not.
pub fn set_password(folder: &Path, name: &str, password: &[u8]) -> Result<(), StateError> {
    let name = UserName::parse(name).map_err(StateError::UserName)?;
    let hash = hash(password)?;
    edit(folder, |users| {
        users.entry(name).password = Some(hash);
        Ok(())
    })
}

/// Removes a user.
pub fn remove_user(folder: &Path, name: UserName) -> Result<(), StateError> {
    edit(folder, |users| users.remove(&name).map(|_| ()).ok_or(StateError::UserUnknown(name)))
}

/// A password that nobody guesses, for a machine: 20 lower-case letters and digits.
pub fn random_password() -> Result<String, StateError> {
    let letter = |byte: &u8| PASSWORD_LETTERS.get(usize::from(byte % 32)).copied().map(char::from);
    let drawn = draw::<PASSWORD_LETTERS_DRAWN>()?;
    Ok(drawn.iter().filter_map(letter).collect())
}

/// Changes the users of a state folder; two who do so at once wait for each other.
pub fn edit(
    folder: &Path,
    change: impl FnOnce(&mut Users) -> Result<(), StateError>,
) -> Result<(), StateError> {
    try_edit(folder, change)
}

/// The same of a change that may be refused for reasons of its own.
pub fn try_edit<E: From<StateError>>(
    folder: &Path,
    change: impl FnOnce(&mut Users) -> Result<(), E>,
) -> Result<(), E> {
    let folder = StateDir::visit(folder)?;
    let lock = folder.open_lock(LOCK_FILE)?;
    flock(&lock, FlockOperation::LockExclusive).map_err(|error| StateError::Io {
        doing: "lock",
        path: folder.path().join(LOCK_FILE),
        error: error.into(),
    })?;
    let mut users = load(&folder.path().join(FILE))?;
    change(&mut users)?;
    let text = users.to_text();
    // What cannot be read again locks everybody out.
    if u64::try_from(text.len()).is_ok_and(|bytes| bytes > USERS_FILE_BYTES_MAX) {
        return Err(StateError::UsersTooMany { path: folder.path().join(FILE) }.into());
    }
    Ok(folder.write(FILE, text.as_bytes())?)
}

/// The hash of a password with a salt of its own.
pub fn hash(password: &[u8]) -> Result<PasswordHash, StateError> {
    Ok(PasswordHash::new(password, &draw::<SALT_BYTES>()?))
}

/// Bytes that nobody guesses; at most 256.
pub fn draw<const COUNT: usize>() -> Result<[u8; COUNT], StateError> {
    let mut bytes = [0; COUNT];
    // Up to 256 bytes the kernel gives all or nothing; before its pool is ready it waits.
    let given = loop {
        match getrandom(&mut bytes, GetRandomFlags::empty()) {
            Err(Errno::INTR) => {}
            other => break other,
        }
    };
    match given {
        Ok(given) if given == COUNT => Ok(bytes),
        Ok(_) => Err(random_failed(io::ErrorKind::UnexpectedEof.into())),
        Err(error) => Err(random_failed(error.into())),
    }
}

fn random_failed(error: io::Error) -> StateError {
    StateError::Io { doing: "draw from", path: "/dev/urandom".into(), error }
}

fn stamp(path: &Path) -> Result<Option<Stamp>, StateError> {
    let of = |facts: Metadata| Stamp {
        inode: facts.ino(),
        modified: (facts.mtime(), facts.mtime_nsec()),
        changed: (facts.ctime(), facts.ctime_nsec()),
        mode: facts.mode(),
        bytes: facts.len(),
    };
    match fs::metadata(path) {
        Ok(facts) => Ok(Some(of(facts))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StateError::Io { doing: "look at", path: path.into(), error }),
    }
}

fn load(path: &Path) -> Result<Users, StateError> {
    let Some(Stamp { bytes, .. }) = stamp(path)? else { return Ok(Users::default()) };
    check_private(path)?;
    if bytes > USERS_FILE_BYTES_MAX {
        return Err(StateError::UsersUnreadable { path: path.into() });
    }
    let content = read_whole(path, USERS_FILE_BYTES_MAX).map_err(|error| StateError::Io {
        doing: "read",
        path: path.into(),
        error,
    })?;
    let text = String::from_utf8(content)
        .map_err(|_| StateError::UsersUnreadable { path: path.into() })?;
    Users::parse(&text).map_err(|error| StateError::Users { path: path.into(), error })
}
