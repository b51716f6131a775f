//! Time in the simulated house: it moves when somebody waits, and only then. A conversion of
//! 750 ms costs a test a few microseconds.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use embedded_hal::delay::DelayNs;
use embedded_hal_02::blocking::delay::{DelayMs, DelayUs};

use crate::sim::chance::{Chance, Odds};
use crate::time::Tick;

/// The time of one simulated house; clones tell the same time.
#[derive(Clone, Debug, Default)]
pub struct VirtualClock(Arc<AtomicU64>);

impl VirtualClock {
    /// A clock that stands at [`Tick::ZERO`].
    pub fn new() -> Self {
        Self::default()
    }

    /// What it shows.
    pub fn now(&self) -> Tick {
        Tick::from_micros(self.0.load(Ordering::Relaxed))
    }

    /// Moves it on; fractions of a microsecond are dropped.
    pub fn advance(&self, duration: Duration) {
        let later = self.now().after(duration);
        self.0.store(later.as_micros(), Ordering::Relaxed);
    }
}

/// How an operating system that is not real-time disturbs waits: now and then a wait is followed by
/// a pause in which another process runs.
#[derive(Clone, Debug)]
pub struct Jitter {
    /// How often, per wait.
    pub odds: Odds,
    /// How long, in microseconds.
    pub pause_us: RangeInclusive<u64>,
}

impl Jitter {
    /// Every wait is exact.
    pub const NONE: Self = Self { odds: Odds::NEVER, pause_us: 0..=0 };

    /// The pause after one wait; mostly there is none.
    pub(super) fn pause(&self, chance: &mut Chance) -> Duration {
        if !chance.happens(self.odds) {
            return Duration::ZERO;
        }
        let (shortest, longest) = (*self.pause_us.start(), *self.pause_us.end());
        let choices = longest.saturating_sub(shortest).saturating_add(1);
        Duration::from_micros(shortest.saturating_add(chance.below(choices)))
    }
}

/// A wait in virtual time, for drivers of embedded-hal 0.2 and 1.0.
#[derive(Clone, Debug)]
pub struct VirtualDelay {
    clock: VirtualClock,
    jitter: Jitter,
    chance: Chance,
}

impl VirtualDelay {
    /// Waits on `clock`, exactly.
    pub fn new(clock: VirtualClock) -> Self {
        Self::with_jitter(clock, Jitter::NONE, 0)
    }

    /// Waits on `clock`, disturbed by `jitter`; `seed` determines when.
    pub fn with_jitter(clock: VirtualClock, jitter: Jitter, seed: u64) -> Self {
        Self { clock, jitter, chance: Chance::new(seed) }
    }

    fn wait(&mut self, duration: Duration) {
        let pause = self.jitter.pause(&mut self.chance);
        self.clock.advance(duration + pause);
    }
}

impl DelayUs<u16> for VirtualDelay {
    fn delay_us(&mut self, us: u16) {
        self.wait(Duration::from_micros(us.into()));
    }
}

impl DelayMs<u16> for VirtualDelay {
    fn delay_ms(&mut self, ms: u16) {
        self.wait(Duration::from_millis(ms.into()));
    }
}

impl DelayNs for VirtualDelay {
    /// Rounded up to the microsecond: a driver may rely on a wait being long enough.
    fn delay_ns(&mut self, ns: u32) {
        self.wait(Duration::from_micros(ns.div_ceil(1000).into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_tell_the_same_time_and_waits_move_it() {
        let clock = VirtualClock::new();
        let mut delay = VirtualDelay::new(clock.clone());
        DelayUs::delay_us(&mut delay, 480_u16);
        DelayMs::delay_ms(&mut delay, 2_u16);
        delay.delay_ns(1);
        assert_eq!(clock.now(), Tick::from_micros(2481));
    }

    #[test]
    fn jitter_lengthens_some_waits_within_its_range() {
        let clock = VirtualClock::new();
        let jitter = Jitter { odds: Odds::one_in(2), pause_us: 20..=50 };
        let mut delay = VirtualDelay::with_jitter(clock.clone(), jitter, 3);
        let mut disturbed = 0;
        for _ in 0..1000 {
            let before = clock.now();
            DelayUs::delay_us(&mut delay, 10_u16);
            let waited = clock.now().since(before).as_micros();
            assert!(waited == 10 || (30..=60).contains(&waited), "{waited}");
            disturbed += u32::from(waited > 10);
        }
        assert!((400..600).contains(&disturbed), "{disturbed}");
    }
}
