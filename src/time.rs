//! Two kinds of time: [`Tick`] for intervals, which only moves forward, and [`Timestamp`] for
//! people, which jumps when a Pi without a clock battery first hears from NTP.

use std::fmt;
use std::time::{Duration, SystemTime};

/// A monotonic instant: microseconds since an origin that the shell chose. Handed in, never read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(u64);

impl Tick {
    /// The origin.
    pub const ZERO: Self = Self(0);
    /// Later than any other.
    pub const MAX: Self = Self(u64::MAX);

    /// The instant `microseconds` after the origin.
    pub const fn from_micros(microseconds: u64) -> Self {
        Self(microseconds)
    }

    /// Microseconds since the origin.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// This instant moved by `duration`, stopping at [`Tick::MAX`].
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(microseconds(duration)))
    }

    /// This instant moved back by `duration`, stopping at [`Tick::ZERO`].
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(microseconds(duration)))
    }

    /// Time from `earlier` to this instant; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// At most as many as a tick can have.
fn microseconds(duration: Duration) -> u64 {
    let whole = duration.as_secs().saturating_mul(1_000_000);
    whole.saturating_add(duration.subsec_micros().into())
}

/// Wall-clock time in milliseconds since 1970, and whether the clock had been set when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timestamp {
    unix_ms: u64,
    synchronised: bool,
}

impl Timestamp {
    /// A time read from the wall clock; `synchronised` says whether that had been set.
    pub const fn new(unix_ms: u64, synchronised: bool) -> Self {
        Self { unix_ms, synchronised }
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn unix_ms(self) -> u64 {
        self.unix_ms
    }

    /// Whether the clock had been set by someone who knows.
    pub const fn is_synchronised(self) -> bool {
        self.synchronised
    }
}

/// 2026-01-01, in seconds since 1970: a clock that shows less has not been set. A Pi has no battery
/// for it, and this program did not exist before.
pub const CLOCK_SET_FROM_UNIX_S: u32 = 1_767_225_600;

/// The last instant that RFC 3339 can write with four digits for the year.
const YEAR_9999_UNIX_MS: u64 = 253_402_300_799_000;

/// RFC 3339 in UTC, to the second: `2026-11-22T13:00:05Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = self.unix_ms.min(YEAR_9999_UNIX_MS);
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(written);
        humantime::format_rfc3339_seconds(time).fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_saturate_at_both_ends() {
        assert_eq!(Tick::MAX.after(Duration::from_secs(1)), Tick::MAX);
        assert_eq!(Tick::ZERO.since(Tick::from_micros(5)), Duration::ZERO);
    }

    #[test]
    fn timestamps_print_as_rfc_3339() {
        assert_eq!(Timestamp::new(1_795_352_405_999, true).to_string(), "2026-11-22T13:00:05Z");
        assert_eq!(Timestamp::new(u64::MAX, true).to_string(), "9999-12-31T23:59:59Z");
    }
}
