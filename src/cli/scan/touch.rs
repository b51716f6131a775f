//! Which probe somebody warms with a hand, among probes that are noisy, drift, and are warmed by
//! the sun or the heating together.
//!
//! A probe counts as warmed when it is well above the coldest it was in the last minute, has been
//! for three readings in a row, each no colder than the one before but for noise, and has risen
//! much more than any other.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::sampling::SensorId;
use crate::time::Tick;

/// Thousandths of a degree.
type Thousandths = i32;

/// How far a probe must have risen: many steps of any chip's noise, and what a hand adds within
/// some seconds.
const RISE: Thousandths = 1_500;
/// By how much more than any other: the sun warms several at a time.
const AHEAD: Thousandths = 1_000;
/// Readings in a row: a spike is one reading.
const READINGS: usize = 3;
/// What a reading may be below the one before it.
const NOISE: Thousandths = 250;
/// How long the coldest is remembered: a heated room rises by some tenths of a degree meanwhile.
const MEMORY: Duration = Duration::from_secs(60);

/// The probes that are not named yet.
#[derive(Debug, Default)]
pub(super) struct Touch {
    probes: BTreeMap<SensorId, VecDeque<(Tick, Thousandths)>>,
}

impl Touch {
    /// Takes a reading.
    pub(super) fn take(&mut self, sensor: SensorId, now: Tick, temperature: Thousandths) {
        let readings = self.probes.entry(sensor).or_default();
        readings.push_back((now, temperature));
        while readings.front().is_some_and(|(at, _)| now.since(*at) > MEMORY) {
            readings.pop_front();
        }
    }

    /// A probe that is named is no candidate any more.
    pub(super) fn forget(&mut self, sensor: SensorId) {
        self.probes.remove(&sensor);
    }

    /// What was warmed before counts no more; after a question the hand is elsewhere.
    pub(super) fn begin_anew(&mut self) {
        self.probes.values_mut().for_each(VecDeque::clear);
    }

    /// The probe that is warmed, and by how much, if there is one.
    pub(super) fn warmed(&self) -> Option<(SensorId, Thousandths)> {
        let mut rises: Vec<_> =
            self.probes.iter().map(|(id, readings)| (rise(readings), *id)).collect();
        rises.sort_unstable();
        let (most, sensor) = rises.pop()?;
        let second = rises.pop().map_or(0, |(rise, _)| rise);
        let is_it = most >= RISE && most - second >= AHEAD && is_steady(self.probes.get(&sensor)?);
        is_it.then_some((sensor, most))
    }
}

/// How far above the coldest of its memory a probe has been for some readings: the least of them.
fn rise(readings: &VecDeque<(Tick, Thousandths)>) -> Thousandths {
    let coldest = readings.iter().map(|(_, temperature)| *temperature).min();
    let last = readings.iter().rev().take(READINGS).map(|(_, temperature)| *temperature).min();
    match (last, coldest) {
        (Some(last), Some(coldest)) if readings.len() > READINGS => last.saturating_sub(coldest),
        _ => 0,
    }
}

fn is_steady(readings: &VecDeque<(Tick, Thousandths)>) -> bool {
    let last: Vec<_> = readings.iter().rev().take(READINGS).map(|(_, it)| *it).collect();
    last.windows(2).all(|pair| matches!(pair, [later, earlier] if *later >= earlier - NOISE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::chance::Chance;

    /// Feeds probes with what `temperature` says of each at each second; the first that counts as
    /// warmed, and when.
    fn watch(
        seconds: u64,
        mut temperature: impl FnMut(usize, i32) -> Thousandths,
    ) -> Option<(usize, u64)> {
        let mut touch = Touch::default();
        for second in 0..seconds {
            for sensor in 0..4 {
                let now = Tick::from_micros(second * 1_000_000);
                let at = i32::try_from(second).unwrap();
                touch.take(SensorId(sensor), now, temperature(sensor, at));
            }
            if let Some((sensor, _)) = touch.warmed() {
                return Some((sensor.0, second));
            }
        }
        None
    }

    /// A hand from the twentieth second on.
    fn hand(second: i32) -> Thousandths {
        let passed = (second - 20).max(0);
        9_000 * passed / (passed + 8)
    }

    fn noise(chance: &mut Chance, most: u64) -> Thousandths {
        i32::try_from(chance.below(2 * most + 1)).unwrap() - i32::try_from(most).unwrap()
    }

    #[test]
    fn a_hand_is_felt_within_seconds_through_the_noise() {
        for seed in 0..200 {
            let mut chance = Chance::new(seed);
            let found = watch(60, |sensor, second| {
                let warmth = if sensor == 2 { hand(second) } else { 0 };
                20_000 + warmth + noise(&mut chance, 125)
            });
            assert!(matches!(found, Some((2, 22..=30))), "{seed}: {found:?}");
        }
    }

    #[test]
    fn noise_and_lone_spikes_are_no_hand() {
        for seed in 0..200 {
            let mut chance = Chance::new(seed);
            let found = watch(600, |_, second| {
                let spike = if second % 2 == 0 && chance.below(20) == 0 { 5_000 } else { 0 };
                let slow = second * 2;
                20_000 + slow + spike + noise(&mut chance, 500)
            });
            assert_eq!(found, None, "{seed}");
        }
    }

    #[test]
    fn what_warms_all_together_is_no_hand() {
        let sun = |sensor: usize, second: i32| {
            let strength = if sensor == 1 { 50 } else { 40 };
            20_000 + (second - 10).max(0) * strength
        };
        assert_eq!(watch(60, sun), None);
    }

    #[test]
    fn one_that_is_named_is_let_go_and_the_next_one_felt() {
        let mut touch = Touch::default();
        let mut second = 0_u32;
        let mut run = |touch: &mut Touch, warm: usize| {
            for _ in 0..40 {
                second += 1;
                for sensor in 0..2 {
                    let warmth = if sensor == warm {
                        hand(i32::try_from(second % 40 + 15).unwrap())
                    } else {
                        0
                    };
                    touch.take(
                        SensorId(sensor),
                        Tick::ZERO.after(Duration::from_secs(second.into())),
                        20_000 + warmth,
                    );
                }
                if let Some((sensor, _)) = touch.warmed() {
                    return Some(sensor.0);
                }
            }
            None
        };
        assert_eq!(run(&mut touch, 0), Some(0));
        touch.forget(SensorId(0));
        touch.begin_anew();
        assert_eq!(run(&mut touch, 1), Some(1));
    }
}
