//! The clocks of this machine.

use std::time::{Duration, Instant, SystemTime};

use crate::bus::Clock;
use crate::time::{Tick, Timestamp};

/// Earlier than this, no clock of a machine that runs this program is right (2026-01-01).
const PLAUSIBLE_FROM_UNIX_MS: u64 = 1_767_225_600_000;

/// Monotonic time since the start of the process, and the wall clock.
#[derive(Debug)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock whose [`Tick::ZERO`] is now.
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Tick {
        Tick::ZERO.after(self.origin.elapsed())
    }

    fn wall(&self) -> Timestamp {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let unix_ms = since_1970.unwrap_or(Duration::ZERO).as_millis();
        let unix_ms = u64::try_from(unix_ms).unwrap_or(u64::MAX);
        Timestamp::new(unix_ms, unix_ms >= PLAUSIBLE_FROM_UNIX_MS)
    }
}
