//! How a sensor is, or a quantity of a room, and since when.

use std::mem;

use crate::sampling::{Reason, SensorId, State};
use crate::time::Timestamp;

/// How a value is, of sensors that disagree.
pub(super) const DOUBTFUL: State = State::Suspect(Reason::Disagreement);

/// What a status message tells; another time of the last good reading alone is no news.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Standing {
    /// Whose it is; `None`: of all sensors of the room together.
    pub(super) of: Option<SensorId>,
    /// How it is, …
    pub(super) state: State,
    /// … since when.
    pub(super) since: Timestamp,
}

impl Standing {
    /// What follows at `at` is this. Another reason for a state does not move its time; a sensor
    /// that takes the place of another brings its own.
    pub(super) fn then(self, next: Self, at: Timestamp) -> Self {
        let is_same = mem::discriminant(&self.state) == mem::discriminant(&next.state);
        let is_doubt = [self.state, next.state].contains(&DOUBTFUL);
        let since = if is_same && (self.of == next.of || is_doubt) {
            self.since
        } else if is_doubt || next.of.is_none() {
            at
        } else {
            next.since
        };
        Self { since, ..next }
    }
}
