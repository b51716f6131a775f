//! A place for one chip.

use std::time::Duration;

use crate::sim::clock::VirtualClock;
use crate::time::Tick;

/// What is there, and what was taken out to be put back.
#[derive(Debug)]
pub(super) struct Socket<C> {
    pub(super) chip: Option<C>,
    unplugged: Option<C>,
}

impl<C> Socket<C> {
    /// With a chip in it.
    pub(super) const fn new(chip: C) -> Self {
        Self { chip: Some(chip), unplugged: None }
    }

    /// Takes the chip out, to be put back.
    pub(super) fn unplug(&mut self) {
        self.unplugged = self.chip.take().or(self.unplugged.take());
    }

    /// Puts it back: it powers up, and has a second until it is asked.
    pub(super) fn plug(&mut self, clock: &VirtualClock, power_up: impl FnOnce(&mut C, Tick)) {
        if let Some(mut chip) = self.unplugged.take() {
            power_up(&mut chip, clock.now());
            clock.advance(Duration::from_secs(1));
            self.chip = Some(chip);
        }
    }
}
