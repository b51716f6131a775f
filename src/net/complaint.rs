//! A complaint that is logged once in a while.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::limits::LOG_INTERVAL;

/// A complaint that is logged once in a while.
#[derive(Debug)]
pub(super) struct Complaint {
    started: Instant,
    /// When it may be logged again, in milliseconds since `started`.
    next_ms: AtomicU64,
    left_out: AtomicU64,
}

impl Complaint {
    /// Not made yet.
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), next_ms: AtomicU64::new(0), left_out: AtomicU64::new(0) }
    }

    /// Calls `write` with the count of those left out since, unless it is too soon.
    pub(super) fn log(&self, write: impl FnOnce(u64)) {
        let milliseconds =
            |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let now = milliseconds(self.started.elapsed());
        let due = self.next_ms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| {
            (now >= next).then(|| now.saturating_add(milliseconds(LOG_INTERVAL)))
        });
        if due.is_ok() {
            write(self.left_out.swap(0, Ordering::Relaxed));
        } else {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_made_once_in_a_while() {
        let complaint = Complaint::new();
        let mut written = Vec::new();
        for _ in 0..100 {
            complaint.log(|left_out| written.push(left_out));
        }
        assert_eq!(written, [0]);
        complaint.next_ms.store(0, Ordering::Relaxed);
        complaint.log(|left_out| written.push(left_out));
        assert_eq!(written, [0, 99]);
    }
}
