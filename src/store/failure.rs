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

    /// What somebody can do about it; the store is tried again by itself.
    pub const fn hint(&self) -> &'static str {
        match self.trouble {
            Trouble::Full => "make room on the disk of the state folder",
            Trouble::ReadOnly => {
                "`dmesg` says why; check the file system with `fsck`, then mount it writable"
            }
            Trouble::Failed => "`dmesg` says more; a card that fails once will fail again",
        }
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

/// Why a store could not be opened. Neither damage, nor a foreign owner, nor a later version is a
/// reason.
#[derive(Debug)]
pub enum OpenError {
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
            Self::Io { error, .. } => error.kind() == io::ErrorKind::PermissionDenied,
            Self::Failed { .. } => false,
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
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
