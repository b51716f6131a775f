//! What a visitor of a store learns, and why one learns nothing.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::{Contents, Failure, OpenError};
use crate::broker::record::SessionRecord;
use crate::time::Timestamp;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What is wrong, in words: one clause each.
    pub faults: Vec<String>,
    /// What is as it may be after a pulled plug.
    pub notes: Vec<String>,
    /// What can be read.
    pub contents: Contents,
}

/// What is in a store, and how large it is.
#[derive(Clone, Debug)]
pub struct Stats {
    /// Size of the file.
    pub file_bytes: u64,
    /// Of those, bytes that nothing uses: compaction gives them back.
    pub free_bytes: u64,
    /// Size of the log beside it.
    pub log_bytes: u64,
    /// By number.
    pub sessions: Vec<SessionStats>,
    /// Retained messages, …
    pub retained: u64,
    /// … and the bytes of their topics, payloads and properties.
    pub retained_bytes: u64,
    /// Payloads that stand once for all messages that have them, …
    pub payloads: u64,
    /// … and their bytes.
    pub payload_bytes: u64,
    /// Processes that something in the store still speaks of, the earliest first.
    pub lives: Vec<LifeStats>,
    /// Rows that are not what was written, in words.
    pub damaged: Vec<String>,
}

/// A session, and what waits for it.
#[derive(Clone, Debug)]
pub struct SessionStats {
    /// The session itself; its ticks say nothing here.
    pub record: SessionRecord,
    /// When it ends; `None` while its client is there, or where it lasts for ever.
    pub expires: Option<Timestamp>,
    /// Its subscriptions.
    pub subscriptions: u64,
    /// Messages that wait to be sent, …
    pub queued: u64,
    /// … and their bytes, as its bound counts them.
    pub queued_bytes: u64,
    /// Messages that were sent and are not acknowledged, QoS 2 ones up to their PUBREC.
    pub in_flight: u64,
    /// QoS 2 messages to the client whose PUBCOMP is awaited.
    pub released: u64,
    /// QoS 2 messages of the client's whose PUBREL is awaited.
    pub received: u64,
}

/// A process that worked on the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LifeStats {
    /// Its number.
    pub number: u64,
    /// From its opening of the store to when it was last known to live, in seconds.
    pub seconds: u64,
    /// When it was last known to live; `None` if its clock was not set.
    pub seen: Option<Timestamp>,
}

/// What an export did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// How much of each.
    pub contents: Contents,
    /// Messages of sessions that ended while it went on.
    pub passed_over: u64,
    /// Whether all is of one moment: nothing was written meanwhile.
    pub is_of_one_moment: bool,
    /// Rows that are not what was written and were left out, in words.
    pub damaged: Vec<String>,
}

/// What a compaction gave back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// Bytes of file and log before.
    pub before: u64,
    /// Bytes of the file after.
    pub after: u64,
}

/// Why a visit came to nothing. Its text ends with a hint where there is one thing to do.
#[derive(Debug)]
pub enum VisitError {
    /// There is no store.
    Absent {
        /// Where it would be.
        path: PathBuf,
    },
    /// It cannot be opened.
    Open(OpenError),
    /// Its structure is damaged.
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Somebody has it for himself.
    Busy {
        /// Which file.
        path: PathBuf,
    },
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
    /// It is of a later version of the program.
    Newer {
        /// Which file.
        path: PathBuf,
        /// Version of its schema.
        found: i64,
        /// That of this program.
        known: i64,
    },
    /// It is of an earlier version of the program.
    Older {
        /// Which file.
        path: PathBuf,
        /// Version of its schema.
        found: i64,
        /// That of this program.
        known: i64,
    },
    /// There is something where the copy was to go.
    Exists {
        /// Where.
        path: PathBuf,
    },
    /// What was read cannot be written.
    Output(io::Error),
    /// It was stopped; nothing is left of it.
    Stopped,
}

impl VisitError {
    pub(super) fn failed(path: PathBuf, failure: Failure) -> Self {
        Self::Open(OpenError::Failed { path, failure })
    }

    /// Whether permissions are what is wrong.
    pub fn is_permission(&self) -> bool {
        match self {
            Self::Permission { .. } => true,
            Self::Open(error) => error.is_permission(),
            Self::Output(error) => error.kind() == io::ErrorKind::PermissionDenied,
            Self::Absent { .. }
            | Self::Damaged { .. }
            | Self::Busy { .. }
            | Self::Newer { .. }
            | Self::Older { .. }
            | Self::Exists { .. }
            | Self::Stopped => false,
        }
    }
}

impl From<OpenError> for VisitError {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

impl fmt::Display for VisitError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent { path } => write!(
                formatter,
                "no store: `{}`\n  hint: `maison run` makes it, unless `broker.durability` is \
                 \"memory\"; `--config` and `--file` name another",
                path.display()
            ),
            Self::Open(error) => error.fmt(formatter),
            Self::Damaged { path, what } => write!(
                formatter,
                "store is damaged: `{}`: {what}\n  hint: `maison store check` says all that is \
                 wrong; the next start of the gateway puts the file aside and saves what it can",
                path.display()
            ),
            Self::Busy { path } => write!(
                formatter,
                "store is in use by somebody alone: `{}`\n  hint: try again, or when the gateway \
                 is stopped",
                path.display()
            ),
            Self::Permission { path, owner, mode, own } => write!(
                formatter,
                "store cannot be read and written: `{path}` is of user {owner} with mode \
                 {mode:03o}, this is user {own}\n  hint: {}",
                if owner == own {
                    format!("`chmod 600 '{}'`", path.display())
                } else {
                    format!("`sudo -u '#{owner}' maison …`")
                },
                path = path.display()
            ),
            Self::Newer { path, found, known } => write!(
                formatter,
                "store was written by a later version: `{}` has schema {found}, this program \
                 knows {known}\n  hint: use that version",
                path.display()
            ),
            Self::Older { path, found, known } => write!(
                formatter,
                "store was written by an earlier version: `{}` has schema {found}, this program \
                 has {known}\n  hint: the next start of the gateway brings it up to date",
                path.display()
            ),
            Self::Exists { path } => write!(
                formatter,
                "there is something already: `{}`\n  hint: name another file, or move that one \
                 away",
                path.display()
            ),
            Self::Output(error) => write!(formatter, "cannot write: {error}"),
            Self::Stopped => formatter.write_str("stopped; nothing is left of it"),
        }
    }
}

impl std::error::Error for VisitError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_of_another_is_for_him_and_ones_own_to_be_opened() {
        let said = |owner| {
            let path = PathBuf::from("/x");
            VisitError::Permission { path, owner, mode: 0o400, own: 998 }.to_string()
        };
        assert!(said(998).ends_with("\n  hint: `chmod 600 '/x'`"), "{}", said(998));
        assert!(said(0).ends_with("\n  hint: `sudo -u '#0' maison …`"), "{}", said(0));
    }
}
