//! A disk that fails when it is told to: a wrapper around any store, for tests of whoever uses one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Failure, Figures, Store};
use crate::broker::record::{Batch, PageRequest, Place, Queued, Restored, Trouble};
use crate::time::{Tick, Timestamp};

/// What is wrong with the disk. A clone is of the same disk.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Wrong>>);

#[derive(Clone, Copy, Debug, Default)]
struct Wrong {
    writing: Option<Trouble>,
    reading: Option<Trouble>,
    after: u64,
    sync: Duration,
}

impl Faults {
    /// Commits fail so, once `after` more of them succeeded.
    pub fn fail_writing(&self, trouble: Trouble, after: u64) {
        let mut wrong = self.lock();
        (wrong.writing, wrong.after) = (Some(trouble), after);
    }

    /// Pages cannot be read.
    pub fn fail_reading(&self, trouble: Trouble) {
        self.lock().reading = Some(trouble);
    }

    /// Each commit takes so much longer.
    pub fn slow_down(&self, sync: Duration) {
        self.lock().sync = sync;
    }

    /// All is well again.
    pub fn heal(&self) {
        *self.lock() = Wrong::default();
    }

    fn lock(&self) -> MutexGuard<'_, Wrong> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> Result<(), Failure> {
        let sync = self.lock().sync;
        std::thread::sleep(sync);
        let mut wrong = self.lock();
        match (wrong.writing, wrong.after.checked_sub(1)) {
            (Some(trouble), None) => Err(Failure::new(trouble, "a fault was injected")),
            (_, left) => {
                wrong.after = left.unwrap_or(0);
                Ok(())
            }
        }
    }

    fn read(&self) -> Result<(), Failure> {
        let reading = self.lock().reading;
        reading.map_or(Ok(()), |trouble| Err(Failure::new(trouble, "a fault was injected")))
    }
}

/// A store on such a disk.
#[derive(Debug)]
pub struct Faulty<S> {
    store: S,
    faults: Faults,
}

impl<S: Store> Faulty<S> {
    /// `store`, whose disk does what `faults` says.
    pub fn new(store: S, faults: Faults) -> Self {
        Self { store, faults }
    }
}

impl<S: Store> Store for Faulty<S> {
    fn commit(&mut self, batch: &Batch, now: Tick, wall: Timestamp) -> Result<(), Failure> {
        self.faults.write()?;
        self.store.commit(batch, now, wall)
    }

    fn page(
        &mut self,
        request: &PageRequest,
        now: Tick,
        wall: Timestamp,
    ) -> Result<Vec<(Place, Queued)>, Failure> {
        self.faults.read()?;
        self.store.page(request, now, wall)
    }

    fn restore(&mut self, now: Tick, wall: Timestamp) -> Result<Restored, Failure> {
        self.faults.read()?;
        self.store.restore(now, wall)
    }

    fn slept(&mut self, now: Tick, wall: Timestamp) -> Option<Duration> {
        self.store.slept(now, wall)
    }

    fn settle(&mut self) -> Result<(), Failure> {
        self.faults.write()?;
        self.store.settle()
    }

    fn figures(&self) -> Figures {
        self.store.figures()
    }
}
