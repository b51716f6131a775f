//! A hand that warms one probe of the simulated house at a time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::sampling::SensorId;
use crate::time::Tick;

/// Nobody is touched at first.
#[derive(Debug, Default)]
pub struct Hand(Mutex<Option<(SensorId, Tick)>>);

/// What a hand adds in the end, in thousandths of a degree: some 32 °C of a skin in a room.
const WARMER: u128 = 9_000;
/// Half of what is missing is there after this long: a steel probe of 6 mm.
const HALF: Duration = Duration::from_secs(8);

impl Hand {
    /// Lets go of what it held, and takes hold of this at `now`.
    pub fn hold(&self, probe: Option<SensorId>, now: Tick) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = probe.map(|it| (it, now));
    }

    /// By how much this probe is warmer, in thousandths of a degree.
    pub fn warmth(&self, probe: SensorId, now: Tick) -> i32 {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((held, since)) if held == probe => {
                let passed = now.since(since).as_millis();
                let warmth = WARMER * passed / (passed + HALF.as_millis());
                i32::try_from(warmth).unwrap_or(0)
            }
            _ => 0,
        }
    }
}
