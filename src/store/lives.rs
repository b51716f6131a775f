//! How much of the time is over: ticks of earlier lives of the process in those of this one.
//!
//! ```text
//!   life 1 ├──────────┤           life 2 ├───────────────┤
//!          began      seen               began           seen
//!              off, for as long as the wall clock says, if it was set in both
//! ```
//!
//! A tick is written with the life it is of. Between two lives whose wall clock was set the time
//! goes on exactly as that says; where it was not set in one of them, no time is counted as off,
//! so that nothing ends for a wrong clock.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use crate::limits::{STORE_CLOCK_JUMP_MIN, STORE_LIFE_INTERVAL};
use crate::time::{Tick, Timestamp};

/// Numbers the lives of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LifeId(pub(super) u64);

/// What is known of a life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Life {
    /// When it opened the store.
    pub(super) began: Tick,
    /// When it was last known to live.
    pub(super) seen: Tick,
    /// Wall clock less tick, in microseconds, as last known.
    pub(super) offset: i64,
    /// Whether the wall clock had been set then.
    pub(super) synchronised: bool,
}

impl Life {
    fn at(now: Tick, wall: Timestamp) -> Self {
        Self { began: now, seen: now, offset: 0, synchronised: false }.heard(now, wall)
    }

    fn heard(self, now: Tick, wall: Timestamp) -> Self {
        let micros = i128::from(wall.unix_ms()) * 1000 - i128::from(now.as_micros());
        let offset = i64::try_from(micros).unwrap_or(i64::MAX);
        Self { seen: now, offset, synchronised: wall.is_synchronised(), ..self }
    }

    /// A tick of this life on the wall, in microseconds since 1970.
    fn wall(self, tick: Tick) -> i128 {
        i128::from(tick.as_micros()) + i128::from(self.offset)
    }

    /// When it was last known to live, in milliseconds since 1970, if its clock was set.
    pub(super) fn seen_at(self) -> Option<u64> {
        let millis = u64::try_from(self.wall(self.seen) / 1000).ok();
        millis.filter(|_| self.synchronised)
    }

    fn lived(self) -> i128 {
        micros(self.seen) - micros(self.began)
    }
}

fn micros(tick: Tick) -> i128 {
    i128::from(tick.as_micros())
}

/// All lives that something in the store still speaks of, and this one.
#[derive(Clone, Debug)]
pub(super) struct Lives {
    earlier: BTreeMap<LifeId, Life>,
    current: LifeId,
    /// This life as it is known now.
    life: Life,
    /// This life as the ticks were told that are with the broker; see [`Lives::slept`].
    told: Life,
    /// Whether the time off was told.
    settled: bool,
    written: Option<Life>,
}

impl Lives {
    /// This life begins, after those.
    pub(super) fn begin(earlier: BTreeMap<LifeId, Life>, now: Tick, wall: Timestamp) -> Self {
        let last = earlier.last_key_value().map_or(0, |(life, _)| life.0);
        let life = Life::at(now, wall);
        let current = LifeId(last.saturating_add(1));
        Self { earlier, current, life, told: life, settled: false, written: None }
    }

    /// The name of this life.
    pub(super) fn current(&self) -> LifeId {
        self.current
    }

    /// Learns the time; what is to be written down of this life, if that is due.
    pub(super) fn heard(&mut self, now: Tick, wall: Timestamp) -> Option<Life> {
        self.life = self.life.heard(now, wall);
        let due = self.written.is_none_or(|written| {
            written.synchronised != self.life.synchronised
                || self.life.seen.since(written.seen) >= STORE_LIFE_INTERVAL
        });
        due.then_some(self.life)
    }

    /// What [`Lives::heard`] gave is written.
    pub(super) fn wrote(&mut self, life: Life) {
        self.written = Some(life);
    }

    /// A tick of that life in this one. What is over may be at the origin.
    pub(super) fn translate(&self, life: LifeId, tick: Tick) -> Tick {
        if tick == Tick::MAX || life >= self.current {
            return tick;
        }
        let mut at = micros(tick);
        let (mut id, mut from) = (life, self.earlier.get(&life).copied().unwrap_or_default());
        while id < self.current {
            let (next, to) = self.next(id, from);
            at = at - micros(from.seen) + micros(to.began) - self.off(id, from, next, to);
            (id, from) = (next, to);
        }
        Tick::from_micros(u64::try_from(at.max(0)).unwrap_or(u64::MAX))
    }

    /// The life to compare with: the latest whose clock was set, if that one's was; else the one
    /// that followed.
    fn next(&self, id: LifeId, life: Life) -> (LifeId, Life) {
        let later = (Bound::Excluded(id), Bound::Unbounded);
        if life.synchronised {
            if self.told.synchronised {
                return (self.current, self.told);
            }
            let mut set = self.earlier.range(later).rev().filter(|(_, life)| life.synchronised);
            if let Some((id, life)) = set.next() {
                return (*id, *life);
            }
        }
        let following = self.earlier.range(later).next();
        following.map_or((self.current, self.told), |(id, life)| (*id, *life))
    }

    /// Microseconds from the end of a life to the beginning of a later one: as the wall clock says
    /// if it was set in both, but no less than the lives between them lived.
    fn off(&self, id: LifeId, life: Life, next: LifeId, to: Life) -> i128 {
        let between = self.earlier.range((Bound::Excluded(id), Bound::Excluded(next)));
        let lived: i128 = between.map(|(_, life)| life.lived()).sum();
        if life.synchronised && to.synchronised {
            return (to.wall(to.began) - life.wall(life.seen)).max(lived);
        }
        lived
    }

    /// By how much more the machine had been off than the ticks say that were told so far: known
    /// when the wall clock is set, or set right, after the beginning. Told once; from then on ticks
    /// are translated by what is known now.
    pub(super) fn slept(&mut self, now: Tick, wall: Timestamp) -> Option<Duration> {
        self.life = self.life.heard(now, wall);
        let (id, last) = self.earlier.last_key_value()?;
        if self.settled || !last.synchronised || !self.life.synchronised {
            return None;
        }
        let counted = self.off(*id, *last, self.current, self.told);
        let known = self.off(*id, *last, self.current, self.life);
        let more = u64::try_from(known - counted).map(Duration::from_micros).ok()?;
        if more < STORE_CLOCK_JUMP_MIN {
            return None;
        }
        self.settled = true;
        self.told = self.life;
        Some(more)
    }

    /// Forgets the lives before that one, of which nothing speaks any more, but for the last.
    pub(super) fn forget_before(&mut self, life: LifeId) -> Vec<LifeId> {
        let last = self.earlier.last_key_value().map(|(id, _)| *id);
        let kept = last.map_or(life, |last| life.min(last));
        let stays = self.earlier.split_off(&kept);
        let forgotten = std::mem::replace(&mut self.earlier, stays);
        forgotten.into_keys().collect()
    }
}

#[cfg(test)]
mod tests;
