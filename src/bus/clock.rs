//! A clock that moves when it is told to, for tests and for simulated days.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::time::{Tick, Timestamp};

use super::Clock;

/// Starts at [`Tick::ZERO`]; its wall clock is that of 2026-11-22T13:00:00Z and synchronised.
#[derive(Debug, Default)]
pub struct ManualClock {
    microseconds: AtomicU64,
    step: Duration,
}

impl ManualClock {
    const START_UNIX_MS: u64 = 1_795_352_400_000;

    /// A clock that also moves by `step` whenever it is read: who waits for it never waits long.
    pub fn stepping(step: Duration) -> Self {
        Self { microseconds: AtomicU64::default(), step }
    }

    /// Moves on.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
        self.microseconds.fetch_add(by, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Tick {
        self.advance(self.step);
        Tick::from_micros(self.microseconds.load(Ordering::Relaxed))
    }

    fn wall(&self) -> Timestamp {
        let passed_ms = self.microseconds.load(Ordering::Relaxed) / 1000;
        Timestamp::new(Self::START_UNIX_MS.saturating_add(passed_ms), true)
    }
}
