//! The disk of the house, and the plug that is pulled.

use std::time::Duration;

use super::super::super::record::{Batch, Trouble};
use super::super::super::{Broker, Delays, Input, Keeping};
use super::House;

/// All is kept as soon as it is said, so that each scenario is one of the store too.
pub(super) const AT_ONCE: Keeping =
    Keeping::All(Delays { short: Duration::ZERO, soon: Duration::ZERO, late: Duration::ZERO });

/// What the disk does with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum DiskMode {
    Works,
    /// Nothing, until [`House::write_batch`].
    Waits,
    Fails(Trouble),
}

impl House {
    pub(super) fn keep(&mut self, batch: Batch) -> Option<Input> {
        let number = batch.number;
        match self.disk_mode {
            DiskMode::Works => {
                self.disk.commit(&batch);
                Some(Input::Committed { number, outcome: Ok(()) })
            }
            DiskMode::Waits => {
                self.batches.push_back(batch);
                None
            }
            DiskMode::Fails(trouble) => Some(Input::Committed { number, outcome: Err(trouble) }),
        }
    }

    /// A slow disk has done its work.
    #[track_caller]
    pub(in super::super) fn write_batch(&mut self) {
        let batch = self.batches.pop_front().expect("a batch is under way");
        self.disk.commit(&batch);
        self.tell(Input::Committed { number: batch.number, outcome: Ok(()) });
    }

    /// Whether a slow disk has something to do.
    pub(in super::super) fn has_batch(&self) -> bool {
        !self.batches.is_empty()
    }

    /// The plug is pulled and put in again: all wires are cut, and what the disk has is all.
    pub(in super::super) fn crash(&mut self) {
        self.broker = Broker::new(self.settings.clone());
        self.wires.clear();
        self.batches.clear();
        self.paused.clear();
        self.logins.clear();
        self.broker.restore(self.now, self.disk.restore());
        self.tell(Input::Wake);
    }
}
