//! What can be wrong with the state folder, and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::access::{UserName, UserNameError, UsersError};
use crate::limits::USERS_FILE_BYTES_MAX;
use crate::net::hint_of;

/// Why the state folder, or a file in it, cannot be used. Its text ends with a hint where there is
/// one thing to do.
#[derive(Debug)]
pub enum StateError {
    /// Neither the folder nor its parent exists.
    NoParent {
        /// The folder.
        path: PathBuf,
    },
    /// There is something of that name, which is no folder.
    NoFolder {
        /// What was to be the folder.
        path: PathBuf,
    },
    /// The folder belongs to somebody else.
    ForeignOwner {
        /// The folder.
        path: PathBuf,
        /// Number of the user it belongs to.
        owner: u32,
        /// Number of the user of this process.
        own: u32,
    },
    /// Others than its owner can look into the folder.
    TooOpen {
        /// The folder.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Others than its owner can read a file of secrets.
    FileTooOpen {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Another gateway works on the folder.
    Locked {
        /// The folder.
        path: PathBuf,
        /// Its process number, as it wrote it.
        holder: String,
    },
    /// The operating system says no.
    Io {
        /// What was tried: a verb.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// The file of users is no text, or larger than any.
    UsersUnreadable {
        /// The file.
        path: PathBuf,
    },
    /// The file of users would be larger than any that is read.
    UsersTooMany {
        /// The file.
        path: PathBuf,
    },
    /// The file of users is wrong.
    Users {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        error: UsersError,
    },
    /// A user name is none.
    UserName(UserNameError),
    /// There is such a user.
    UserExists(UserName),
    /// There is no such user.
    UserUnknown(UserName),
}

impl StateError {
    /// Whether the operating system's permissions are what is wrong.
    pub fn is_permission(&self) -> bool {
        match self {
            Self::ForeignOwner { .. } | Self::TooOpen { .. } | Self::FileTooOpen { .. } => true,
            Self::Io { error, .. } => error.kind() == io::ErrorKind::PermissionDenied,
            Self::NoParent { .. }
            | Self::NoFolder { .. }
            | Self::Locked { .. }
            | Self::UsersUnreadable { .. }
            | Self::UsersTooMany { .. }
            | Self::Users { .. }
            | Self::UserName(_)
            | Self::UserExists(_)
            | Self::UserUnknown(_) => false,
        }
    }
}

impl fmt::Display for StateError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoParent { path } => write!(
                formatter,
                "no folder to make the state folder in: `{parent}`\n  hint: `mkdir -p \
                 '{parent}'`, or set `gateway.state_dir`",
                parent = path.parent().unwrap_or(Path::new("/")).display()
            ),
            Self::NoFolder { path } => write!(
                formatter,
                "state folder is not a folder: `{}`\n  hint: move it away, or set \
                 `gateway.state_dir`",
                path.display()
            ),
            Self::ForeignOwner { path, owner, own } => write!(
                formatter,
                "state folder belongs to another user: `{path}` is of user {owner}, this is user \
                 {own}\n  hint: {hint}",
                hint = ownership_hint(path, *owner, *own),
                path = path.display()
            ),
            Self::TooOpen { path, mode } => write!(
                formatter,
                "state folder is open to others: `{path}` has mode {mode:03o}, and keys and \
                 logins are in it\n  hint: `chmod 700 '{path}'`",
                path = path.display()
            ),
            Self::FileTooOpen { path, mode } => write!(
                formatter,
                "others can read secrets: `{}` has mode {mode:03o}{}",
                path.display(),
                closing_hint(path)
            ),
            Self::Locked { path, holder } => write!(
                formatter,
                "state folder is in use by another gateway: `{}`, process {}\n  hint: stop that \
                 one, or set another `gateway.state_dir`",
                path.display(),
                if holder.is_empty() { "unknown" } else { holder }
            ),
            Self::Io { doing, path, error } => {
                write!(formatter, "cannot {doing} `{}`: {error}{}", path.display(), hint_of(error))
            }
            Self::UsersUnreadable { path } => write!(
                formatter,
                "not a file of users: `{}`\n  hint: move it away; `maison user add` makes \
                 a new one",
                path.display()
            ),
            Self::UsersTooMany { path } => write!(
                formatter,
                "no more room for users: `{}` takes {USERS_FILE_BYTES_MAX} bytes\n  hint: \
                 `maison subscriber list` shows who was last here; `--rooms '*'` takes less than \
                 a list of all rooms",
                path.display()
            ),
            Self::Users { path, error } => {
                let UsersError { line, fault } = error;
                write!(formatter, "{}:{line}: {fault}", path.display())
            }
            Self::UserName(error) => error.fmt(formatter),
            Self::UserExists(name) => write!(
                formatter,
                "user exists already: `{name}`\n  hint: `maison user passwd {name}` changes the \
                 password"
            ),
            Self::UserUnknown(name) => {
                write!(formatter, "no such user: `{name}`\n  hint: `maison user list` names them")
            }
        }
    }
}

impl std::error::Error for StateError {}

/// What to do about a file of secrets that others can read.
pub(super) fn closing_hint(path: &Path) -> String {
    format!(
        "\n  hint: `chmod 600 '{}'`, and make new ones if somebody may have read them",
        path.display()
    )
}

/// Debian's numbers of accounts for people begin here.
const PEOPLE_FROM: u32 = 1000;

/// Given away is a folder only to the account of a service, which root or a person took it from:
/// in the hands of a person it would be lost to the service.
fn ownership_hint(path: &Path, owner: u32, own: u32) -> String {
    let is_service = |user| (1..PEOPLE_FROM).contains(&user);
    if is_service(own) && !is_service(owner) {
        return format!("`sudo chown -R {own} '{}'`", path.display());
    }
    let name = if owner == 0 { None } else { account(owner) };
    match (owner, name) {
        (0, _) => "`sudo maison …`".to_owned(),
        (_, Some(name)) => format!("`sudo -u {name} maison …`"),
        (_, None) => format!("`sudo -u '#{owner}' maison …`"),
    }
}

/// The name of an account of this machine.
fn account(user: u32) -> Option<String> {
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?);
        (number.parse() == Ok(user)).then(|| name.to_owned())
    })
}
