//! What can go wrong with a store, and what to do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::broker::record::Trouble;

/// Why a store did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the broker is told.
    pub trouble: Trouble,
    /// What the operator is told.
    pub detail: String,
}

impl Failure {
    /// A failure of that kind.
    pub fn new(trouble: Trouble, detail: impl Into<String>) -> Self {
        Self { trouble, detail: detail.into() }
    }

    /// Anything but a full or a read-only disk.
    pub fn failed(detail: impl Into<String>) -> Self {
        Self::new(Trouble::Failed, detail)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.trouble {
            Trouble::Full => "disk full",
            Trouble::ReadOnly => "disk read-only",
            Trouble::Failed => "store failed",
        };
        write!(formatter, "{kind}: {}", self.detail)
    }
}

impl std::error::Error for Failure {}

/// Why a store could not be opened. Damage is no reason. Its text ends with a hint where there is
/// one thing to do.
#[derive(Debug)]
pub enum OpenError {
    /// Its owner or mode does not let this process use it.
    Permission {
        /// Which file.
        path: PathBuf,
        /// Number of the user it belongs to.
        owner: u32,
        /// Its permissions.
        mode: u32,
        /// Number of the user of this process.
        own: u32,
    },
    /// A later version of the program wrote it.
    Newer {
        /// Which file.
        path: PathBuf,
        /// Version of its schema.
        found: i64,
        /// The highest that this program knows.
        known: i64,
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
    /// The engine says no.
    Failed {
        /// Which file.
        path: PathBuf,
        /// What it said.
        failure: Failure,
    },
}

impl OpenError {
    /// Whether permissions are what is wrong.
    pub fn is_permission(&self) -> bool {
        match self {
            Self::Permission { .. } => true,
            Self::Io { error, .. } => error.kind() == io::ErrorKind::PermissionDenied,
            Self::Newer { .. } | Self::Failed { .. } => false,
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permission { path, owner, mode, own } => write!(
                formatter,
                "store cannot be read and written: `{path}` is of user {owner} with mode \
                 {mode:03o}, this is user {own}\n  hint: `chown {own} '{path}' && chmod 600 \
                 '{path}'`",
                path = path.display()
            ),
            Self::Newer { path, found, known } => write!(
                formatter,
                "store was written by a later version: `{}` has schema {found}, this program \
                 knows {known}\n  hint: use that version, or move the file away",
                path.display()
            ),
            Self::Io { doing, path, error } => {
                write!(formatter, "cannot {doing} `{}`: {error}", path.display())
            }
            Self::Failed { path, failure } => {
                write!(formatter, "cannot use `{}`: {failure}", path.display())
            }
        }
    }
}

impl std::error::Error for OpenError {}
