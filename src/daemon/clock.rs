//! The clocks of this machine.

use std::time::{Duration, Instant, SystemTime};

use crate::bus::Clock;
use crate::time::{CLOCK_SET_FROM_UNIX_S, Tick, Timestamp};

/// Monotonic time since the start of the process, and the wall clock.
#[derive(Debug)]
pub(crate) struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock whose [`Tick::ZERO`] is now.
    pub(crate) fn start() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Tick {
        Tick::ZERO.after(self.origin.elapsed())
    }

    fn wall(&self) -> Timestamp {
        wall()
    }
}

/// The wall clock.
pub(crate) fn wall() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let unix_ms = since_1970.unwrap_or(Duration::ZERO).as_millis();
    let unix_ms = u64::try_from(unix_ms).unwrap_or(u64::MAX);
    Timestamp::new(unix_ms, unix_ms / 1000 >= CLOCK_SET_FROM_UNIX_S.into())
}
