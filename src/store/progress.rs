//! How far long work is, for whoever shows it, and whether it is still wanted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A clone is of the same work.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    done: AtomicU64,
    all: AtomicU64,
    is_unwanted: AtomicBool,
}

impl Progress {
    /// What is done, and of how much; 0 of 0 where that cannot be told.
    pub fn so_far(&self) -> (u64, u64) {
        (self.0.done.load(Ordering::Relaxed), self.0.all.load(Ordering::Relaxed))
    }

    /// Ends the work as soon as it can end cleanly.
    pub fn stop(&self) {
        self.0.is_unwanted.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.0.is_unwanted.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, done: u64, all: u64) {
        self.0.all.store(all, Ordering::Relaxed);
        self.0.done.store(done, Ordering::Relaxed);
    }
}
