//! When which sensor is read: intervals, phases, retries.
//!
//! Sensors with one interval share their phase, so that the bus can convert for all of them at
//! once; different intervals and different buses (seeds) are spread. A cycle of one sensor:
//!
//! ```text
//!            slot           good, in doubt, or no retry left
//!   Idle ───────────▶ Reading ────────────────────────────▶ Idle
//!                     │     ▲
//!                fault│     │back-off over, or next slot
//!                     ▼     │
//!                     Waiting
//! ```

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::limits;
use crate::time::Tick;

use super::SensorId;

/// The sensors of one bus, grouped by interval.
#[derive(Debug)]
pub(super) struct Schedule {
    seed: u64,
    start: Tick,
    groups: BTreeMap<Duration, Group>,
}

/// Sensors with one interval: read at the start, at `anchor`, and each interval after that.
#[derive(Debug)]
struct Group {
    anchor: Tick,
    next: Tick,
    members: BTreeMap<SensorId, Member>,
}

/// A sensor in its group.
#[derive(Debug)]
struct Member {
    retries: u8,
    cycle: Cycle,
    failed_cycles: u32,
}

/// See the diagram above. `tries` counts the failed ones of this cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cycle {
    Idle,
    Reading { tries: u8, begun: Tick },
    Waiting { tries: u8, begun: Tick, until: Tick },
}

/// Why a try is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// The group's turn has come.
    Slot,
    /// The back-off of those that failed is over.
    Retry,
}

/// What a failed try means for its cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The sensor will be tried again within the interval.
    Retry,
    /// That was the last try: the cycle has failed.
    Over,
}

impl Schedule {
    /// Without sensors; those added are first read at `start`.
    pub(super) fn new(seed: u64, start: Tick) -> Self {
        Self { seed, start, groups: BTreeMap::new() }
    }

    /// Adds a sensor to those with its interval; all of them are read at once.
    pub(super) fn add(&mut self, sensor: SensorId, interval: Duration, retries: u8) {
        let (seed, start) = (self.seed, self.start);
        let group = self.groups.entry(interval).or_insert_with(|| Group {
            anchor: start.after(phase(seed, interval)),
            next: start,
            members: BTreeMap::new(),
        });
        group.next = start;
        group.members.insert(sensor, Member { retries, cycle: Cycle::Idle, failed_cycles: 0 });
    }

    /// Reads a sensor no more.
    pub(super) fn remove(&mut self, sensor: SensorId) {
        self.groups.retain(|_, group| {
            group.members.remove(&sensor);
            !group.members.is_empty()
        });
    }

    /// The sensors to be read now, in the order of their names; they count as being read from here
    /// on. Slots that were missed are skipped.
    pub(super) fn due(&mut self, now: Tick) -> Vec<SensorId> {
        let mut due = Vec::new();
        for (interval, group) in &mut self.groups {
            if group.takes_slot(now, *interval) {
                due.extend(group.begin(now, Due::Slot));
            }
        }
        if self.retry_at().is_some_and(|at| at <= now) {
            due.extend(self.groups.values_mut().flat_map(|group| group.begin(now, Due::Retry)));
        }
        due.sort_unstable();
        due
    }

    /// When [`Schedule::due`] will next have something to say.
    pub(super) fn deadline(&self) -> Option<Tick> {
        let slot = self.groups.values().map(|group| group.next).min();
        slot.into_iter().chain(self.retry_at()).min()
    }

    /// Whether an answer of this sensor is awaited.
    pub(super) fn is_reading(&self, sensor: SensorId) -> bool {
        let member = self.groups.values().find_map(|group| group.members.get(&sensor));
        member.is_some_and(|member| matches!(member.cycle, Cycle::Reading { .. }))
    }

    /// A try gave a good reading: the cycle is over.
    pub(super) fn succeeded(&mut self, sensor: SensorId) {
        if let Some((_, member)) = self.member(sensor) {
            member.cycle = Cycle::Idle;
            member.failed_cycles = 0;
        }
    }

    /// A try failed: there is another one, or the cycle is over.
    pub(super) fn failed(&mut self, now: Tick, sensor: SensorId) -> Verdict {
        match self.member(sensor) {
            Some((interval, member)) => member.failed(now, interval),
            None => Verdict::Over,
        }
    }

    /// A try gave a reading that the next slot must confirm: the cycle has failed, without a retry.
    pub(super) fn doubted(&mut self, sensor: SensorId) {
        if let Some((_, member)) = self.member(sensor) {
            member.over();
        }
    }

    fn member(&mut self, sensor: SensorId) -> Option<(Duration, &mut Member)> {
        self.groups.iter_mut().find_map(|(interval, group)| {
            group.members.get_mut(&sensor).map(|member| (*interval, member))
        })
    }

    /// One time for all that wait, the latest, so that a disturbed bus needs one conversion more
    /// and not one for each sensor.
    fn retry_at(&self) -> Option<Tick> {
        let members = self.groups.values().flat_map(|group| group.members.values());
        members
            .filter_map(|member| match member.cycle {
                Cycle::Waiting { until, .. } => Some(until),
                Cycle::Idle | Cycle::Reading { .. } => None,
            })
            .max()
    }
}

impl Group {
    fn takes_slot(&mut self, now: Tick, interval: Duration) -> bool {
        if self.next > now {
            return false;
        }
        self.next = slot_after(self.anchor, interval, now);
        assert!(self.next > now || now == Tick::MAX, "a slot that stands still is a busy loop");
        true
    }

    fn begin(&mut self, now: Tick, due: Due) -> impl Iterator<Item = SensorId> {
        let members = self.members.iter_mut();
        members.filter_map(move |(id, member)| {
            member.cycle = member.cycle.begun(now, due)?;
            Some(*id)
        })
    }
}

impl Cycle {
    /// This cycle with a try begun, if one is due. A retry whose time is after the next slot is
    /// that slot's reading.
    fn begun(self, now: Tick, due: Due) -> Option<Self> {
        match (self, due) {
            (Self::Idle, Due::Slot) => Some(Self::Reading { tries: 0, begun: now }),
            (Self::Waiting { tries, begun, .. }, Due::Slot | Due::Retry) => {
                Some(Self::Reading { tries, begun })
            }
            (Self::Idle, Due::Retry) | (Self::Reading { .. }, Due::Slot | Due::Retry) => None,
        }
    }
}

impl Member {
    fn failed(&mut self, now: Tick, interval: Duration) -> Verdict {
        let Cycle::Reading { tries, begun } = self.cycle else { return Verdict::Over };
        let until = now.after(back_off(tries));
        if tries < self.retries_left() && until < begun.after(interval) {
            self.cycle = Cycle::Waiting { tries: tries.saturating_add(1), begun, until };
            return Verdict::Retry;
        }
        self.over();
        Verdict::Over
    }

    const fn over(&mut self) {
        self.cycle = Cycle::Idle;
        self.failed_cycles = self.failed_cycles.saturating_add(1);
    }

    fn retries_left(&self) -> u8 {
        let hopeless = self.failed_cycles >= limits::FAILED_CYCLES_WITH_RETRIES_MAX;
        if hopeless { 0 } else { self.retries }
    }
}

/// The wait after so many failed tries: doubled with each, up to a bound.
fn back_off(tries: u8) -> Duration {
    let factor = 1_u32.checked_shl(u32::from(tries)).unwrap_or(u32::MAX);
    limits::RETRY_BACKOFF_MIN.saturating_mul(factor).min(limits::RETRY_BACKOFF_MAX)
}

/// The first of `anchor`, `anchor` + `interval`, `anchor` + 2 `interval`, … after `now`.
fn slot_after(anchor: Tick, interval: Duration, now: Tick) -> Tick {
    if now < anchor {
        return anchor;
    }
    let interval = micros(interval);
    let slots = now.since(anchor).as_micros() / u128::from(interval) + 1;
    let offset = slots.saturating_mul(u128::from(interval));
    let offset = u64::try_from(offset).unwrap_or(u64::MAX);
    Tick::from_micros(anchor.as_micros().saturating_add(offset))
}

/// Where in its interval a group is read: above zero, at most the interval.
fn phase(seed: u64, interval: Duration) -> Duration {
    let micros = micros(interval);
    Duration::from_micros(mixed(seed ^ mixed(micros)) % micros + 1)
}

/// An interval too short to count counts as the shortest there is.
fn micros(interval: Duration) -> u64 {
    u64::try_from(interval.as_micros()).unwrap_or(u64::MAX).max(1)
}

/// The finaliser of `SplitMix64` (Steele, Lea, Flood 2014): neighbours come out far apart.
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
