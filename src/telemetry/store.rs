//! What is counted of the store, for `$SYS/broker/maison/store/…` and for the health topic.

use std::time::Duration;

/// What was counted, at one instant. Absent where all is in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Store {
    /// `ok`, or why nothing can be kept at the moment: a word.
    pub state: &'static str,
    /// Bytes written to the disk since the start.
    pub bytes_written: u64,
    /// Times the disk was told to keep them.
    pub syncs: u64,
    /// Batches of changes that became durable.
    pub commits: u64,
    /// Those that failed; each was tried again.
    pub failures: u64,
    /// Longest that one took.
    pub commit_max: Duration,
    /// What all of them took.
    pub commit_total: Duration,
    /// Changes of sessions, queues and retained messages.
    pub changes_noted: u64,
    /// Those that were over, or followed by newer ones, before they were written.
    pub changes_spared: u64,
    /// Those that wait to be written.
    pub changes_waiting: u64,
    /// Acknowledgements that wait for them.
    pub answers_waiting: u64,
    /// Messages of clients that were refused, because they could not be kept.
    pub refused: u64,
    /// Messages that wait for clients in the store alone.
    pub queued: u64,
    /// Messages found damaged, and left out.
    pub damaged: u64,
    /// Size of its file, …
    pub file_bytes: u64,
    /// … what nothing uses of it, …
    pub free_bytes: u64,
    /// … and of the log beside it.
    pub log_bytes: u64,
}

/// A number of [`Store`].
pub(super) type Number = fn(&Store) -> u64;

/// Below `$SYS/broker/maison/store`.
pub(super) const NUMBERS: &[(&str, Number)] = &[
    ("bytes/written", |store| store.bytes_written),
    ("bytes/file", |store| store.file_bytes),
    ("bytes/free", |store| store.free_bytes),
    ("bytes/log", |store| store.log_bytes),
    ("syncs/count", |store| store.syncs),
    ("commits/count", |store| store.commits),
    ("commits/failed", |store| store.failures),
    ("commits/mean_us", |store| mean(store.commit_total, store.commits, store.failures)),
    ("commits/max_us", |store| micros(store.commit_max)),
    ("changes/noted", |store| store.changes_noted),
    ("changes/spared", |store| store.changes_spared),
    ("changes/waiting", |store| store.changes_waiting),
    ("answers/waiting", |store| store.answers_waiting),
    ("messages/refused", |store| store.refused),
    ("messages/queued", |store| store.queued),
    ("messages/damaged", |store| store.damaged),
];

impl Store {
    /// For the health topic: what tells whether the card lives, and how much it is used.
    pub(super) fn json(&self) -> String {
        let Self { state, bytes_written, syncs, commits, failures, changes_noted, .. } = self;
        let Self { changes_spared, refused, queued, .. } = self;
        format!(
            "{{\"state\":\"{state}\",\"bytes_written\":{bytes_written},\"syncs\":{syncs},\
             \"commits\":{commits},\"failures\":{failures},\"changes_noted\":{changes_noted},\
             \"changes_spared\":{changes_spared},\"refused\":{refused},\"queued\":{queued}}}"
        )
    }
}

fn mean(total: Duration, commits: u64, failures: u64) -> u64 {
    micros(total).checked_div(commits.saturating_add(failures)).unwrap_or(0)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
