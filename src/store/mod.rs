//! The SD card: what the broker must not forget ([`crate::broker::record`]), durable when it is
//! said to be.
//!
//! ```text
//!   Batch ──▶ StoreThread ──▶ Store::commit, one transaction ──▶ Answers::committed
//!                 │  (between commits: Store::settle)
//!   at start: open ──▶ damage is put aside ──▶ Store::restore ──▶ Restored
//! ```
//!
//! [`Store`] is the narrow door: whoever uses a store knows its verbs and not that it is SQLite.
//! [`Reader`], [`check`] and [`compact`] are for people: they look at a store from beside.

mod failure;
pub mod faults;
mod lives;
mod progress;
mod report;
mod sqlite;
#[cfg(test)]
pub(crate) mod tests;
mod thread;
mod visit;

use std::time::Duration;

use crate::broker::record::{Batch, PageRequest, Place, Queued, Restored};
use crate::time::{Tick, Timestamp};

pub use failure::{Failure, OpenError};
pub use progress::Progress;
pub use report::{Contents, OpenReport};
pub use sqlite::{FILE, Reader, SqliteStore, check, compact};
pub use thread::{Answers, Clock, Pace, StoreThread, spawn};
pub use visit::{Compacted, Exported, Findings, LifeStats, SessionStats, Stats, VisitError};

/// When a commit is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// When it survives a pulled plug: it is synced.
    PowerCut,
    /// When it survives the end of the process: the operating system has it.
    Crash,
}

/// What keeps the broker's records. One owner, `&mut`.
///
/// `now` and `wall` are read at the call; the ticks in a batch are of the same clock as `now`.
pub trait Store: Send {
    /// Makes a batch durable as a whole. After an error nothing of it is there, all that was there
    /// before still is, and the store can be used as before as soon as the cause is gone.
    fn commit(&mut self, batch: &Batch, now: Tick, wall: Timestamp) -> Result<(), Failure>;

    /// The messages that a session waits for, in order and within the bounds of the request.
    fn page(
        &mut self,
        request: &PageRequest,
        now: Tick,
        wall: Timestamp,
    ) -> Result<Vec<(Place, Queued)>, Failure>;

    /// All that earlier lives left. Asked once, before anything else.
    fn restore(&mut self, now: Tick, wall: Timestamp) -> Result<Restored, Failure>;

    /// By how much longer the machine had been off than the ticks say that were restored and paged
    /// so far. Known once the wall clock was set, and told once.
    fn slept(&mut self, now: Tick, wall: Timestamp) -> Option<Duration>;

    /// What can wait until nobody waits for the store.
    fn settle(&mut self) -> Result<(), Failure>;

    /// What was counted since it was opened, and what is there.
    fn figures(&self) -> Figures;
}

/// Counted since the store was opened, but for the sizes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Batches that became durable.
    pub commits: u64,
    /// Changes in them.
    pub changes: u64,
    /// Bytes handed to the operating system for its disk.
    pub bytes_written: u64,
    /// Times the disk was told to keep them.
    pub syncs: u64,
    /// Moves of the log into the file.
    pub checkpoints: u64,
    /// The slowest of them.
    pub checkpoint_max: Duration,
    /// Commits that failed.
    pub failures: u64,
    /// Messages that were damaged and left out.
    pub damaged: u64,
    /// Size of the file.
    pub file_bytes: u64,
    /// Of those, bytes that nothing uses.
    pub free_bytes: u64,
    /// Size of the log.
    pub log_bytes: u64,
}
