//! The thread that owns a store: a batch or a page at a time, and what can wait when nobody waits.
//!
//! A batch goes before the pages that wait, for acknowledgements depend on it; between two batches
//! one page is read at least. So a page always says what was so before or after a batch, and after
//! each batch that was handed in before it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use super::{Failure, Figures, Store};
use crate::broker::record::{Batch, Page, PageRequest, Trouble};
use crate::limits::{STORE_LIFE_INTERVAL, STORE_PAGES_WAITING_MAX};
use crate::time::{Tick, Timestamp};

/// Who hears what the thread has done; called on that thread, in the order of what was done.
pub trait Answers: Send {
    /// A batch is durable, or nothing of it is there.
    fn committed(&self, number: u64, outcome: Result<(), Trouble>);

    /// The answer to a wish.
    fn paged(&self, page: Page);

    /// The machine had been off for so much longer than the ticks say that were restored and paged
    /// so far; those that are paged from now on are right.
    fn slept(&self, time: Duration);
}

/// The clocks of the machine.
pub trait Clock: Send {
    /// Monotonic, as the ticks in batches.
    fn now(&self) -> Tick;
    /// The wall clock.
    fn wall(&self) -> Timestamp;
}

/// How fast commits are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// The last one took so long.
    pub last: Duration,
    /// The slowest one.
    pub max: Duration,
    /// All together.
    pub total: Duration,
    /// The store's own figures after the last thing it did.
    pub figures: Figures,
}

/// A running store thread. Dropping it ends the thread too, without waiting.
#[derive(Debug)]
pub struct StoreThread {
    desk: Arc<Desk>,
    ended: Receiver<Infallible>,
    thread: JoinHandle<()>,
}

/// What both sides see.
#[derive(Default)]
struct Desk {
    tray: Mutex<Tray>,
    arrived: Condvar,
    pace: Mutex<Pace>,
}

#[derive(Default)]
struct Tray {
    /// The broker has one under way at a time.
    batch: Option<Batch>,
    pages: VecDeque<PageRequest>,
    closed: bool,
}

enum Order {
    Commit(Batch),
    Page(PageRequest),
}

/// What the thread finds when it looks for work.
enum Next {
    Order(Order),
    Nothing,
    End,
}

/// Starts the thread of a store; fails where the system refuses one.
pub fn spawn(
    store: Box<dyn Store>,
    clock: Box<dyn Clock>,
    answers: Box<dyn Answers>,
) -> io::Result<StoreThread> {
    let desk = Arc::new(Desk::default());
    desk.note(Duration::ZERO, store.figures());
    let (ends, ended) = mpsc::channel::<Infallible>();
    let mut worker = Worker {
        store,
        clock,
        answers,
        desk: Arc::clone(&desk),
        page_is_due: false,
        failing: None,
    };
    let thread = Builder::new().name("store".to_owned()).spawn(move || {
        let _told_by_its_drop = ends;
        worker.run();
    })?;
    Ok(StoreThread { desk, ended, thread })
}

impl StoreThread {
    /// Hands in a batch, to be answered by [`Answers::committed`]. Gives it back if one is still
    /// waiting.
    pub fn commit(&self, batch: Batch) -> Result<(), Batch> {
        self.desk.put_batch(batch)
    }

    /// Hands in a wish, to be answered by [`Answers::paged`]. Gives it back if too many wait.
    pub fn page(&self, request: PageRequest) -> Result<(), PageRequest> {
        self.desk.put_page(request)
    }

    /// How it goes.
    pub fn pace(&self) -> Pace {
        *self.desk.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends it after what was handed in. One that is blocked by its disk for longer than `patience`
    /// is left behind; whether it was.
    pub fn stop(self, patience: Duration) -> bool {
        self.desk.close();
        match self.ended.recv_timeout(patience) {
            Ok(never) => match never {},
            Err(RecvTimeoutError::Timeout) => {
                tracing::warn!("store is still writing and left behind");
                false
            }
            Err(RecvTimeoutError::Disconnected) => {
                let joined = self.thread.join();
                if joined.is_err() {
                    tracing::error!("store thread had panicked");
                }
                joined.is_ok()
            }
        }
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Tray> {
        self.tray.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put_batch(&self, batch: Batch) -> Result<(), Batch> {
        let mut tray = self.lock();
        if tray.batch.is_some() || tray.closed {
            return Err(batch);
        }
        tray.batch = Some(batch);
        self.arrived.notify_one();
        Ok(())
    }

    fn put_page(&self, request: PageRequest) -> Result<(), PageRequest> {
        let mut tray = self.lock();
        if tray.pages.len() >= STORE_PAGES_WAITING_MAX || tray.closed {
            return Err(request);
        }
        tray.pages.push_back(request);
        self.arrived.notify_one();
        Ok(())
    }

    fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_one();
    }

    /// Whether nobody waits.
    fn is_idle(&self) -> bool {
        let tray = self.lock();
        tray.batch.is_none() && tray.pages.is_empty()
    }

    /// The next thing to do; waits for one, but not for ever. A page that is due goes first.
    fn next(&self, page_is_due: bool) -> Next {
        let mut tray = self.lock();
        let mut waited = false;
        loop {
            if page_is_due && let Some(request) = tray.pages.pop_front() {
                return Next::Order(Order::Page(request));
            }
            if let Some(batch) = tray.batch.take() {
                return Next::Order(Order::Commit(batch));
            }
            if let Some(request) = tray.pages.pop_front() {
                return Next::Order(Order::Page(request));
            }
            if tray.closed {
                return Next::End;
            }
            if waited {
                return Next::Nothing;
            }
            let (woken, timeout) = self
                .arrived
                .wait_timeout(tray, STORE_LIFE_INTERVAL)
                .unwrap_or_else(PoisonError::into_inner);
            (tray, waited) = (woken, timeout.timed_out());
        }
    }

    fn note(&self, took: Duration, figures: Figures) {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        if figures.commits + figures.failures != pace.figures.commits + pace.figures.failures {
            pace.last = took;
            pace.max = pace.max.max(took);
            pace.total = pace.total.saturating_add(took);
        }
        pace.figures = figures;
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Desk").finish_non_exhaustive()
    }
}

/// The thread's side.
struct Worker {
    store: Box<dyn Store>,
    clock: Box<dyn Clock>,
    answers: Box<dyn Answers>,
    desk: Arc<Desk>,
    page_is_due: bool,
    /// The failure that was logged last, until a commit succeeds.
    failing: Option<Failure>,
}

impl Worker {
    fn run(&mut self) {
        loop {
            match self.desk.next(self.page_is_due) {
                Next::Order(order) => self.carry_out(order),
                Next::Nothing => {}
                Next::End => return,
            }
            self.look_at_the_clock();
            if self.desk.is_idle() {
                self.settle();
            }
        }
    }

    fn carry_out(&mut self, order: Order) {
        self.page_is_due = matches!(order, Order::Commit(_));
        match order {
            Order::Commit(batch) => self.commit(&batch),
            Order::Page(request) => self.page(request),
        }
    }

    fn commit(&mut self, batch: &Batch) {
        let (now, wall) = (self.clock.now(), self.clock.wall());
        let began = Instant::now();
        let outcome = guarded(|| self.store.commit(batch, now, wall));
        let took = began.elapsed();
        self.desk.note(took, self.store.figures());
        if outcome.is_ok() && self.failing.take().is_some() {
            tracing::info!("store works again");
        }
        let outcome = outcome.map_err(|failure| self.told(failure));
        self.answers.committed(batch.number, outcome);
    }

    fn page(&mut self, request: PageRequest) {
        let (now, wall) = (self.clock.now(), self.clock.wall());
        let outcome = guarded(|| self.store.page(&request, now, wall));
        let messages = outcome.map_err(|failure| self.told(failure));
        self.answers.paged(Page { session: request.session, from: request.from, messages });
    }

    fn settle(&mut self) {
        if let Err(failure) = guarded(|| self.store.settle()) {
            // It is tried again; who needs the room it makes hears of it.
            self.told(failure);
        }
        self.desk.note(Duration::ZERO, self.store.figures());
    }

    fn look_at_the_clock(&mut self) {
        let (now, wall) = (self.clock.now(), self.clock.wall());
        if let Some(time) = self.store.slept(now, wall) {
            tracing::info!(seconds = time.as_secs(), "the machine had been off");
            self.answers.slept(time);
        }
    }

    /// Logs a failure, once while it lasts.
    fn told(&mut self, failure: Failure) -> Trouble {
        let trouble = failure.trouble;
        if self.failing.as_ref() != Some(&failure) {
            tracing::error!(%failure, hint = failure.hint(), "store does not work");
            self.failing = Some(failure);
        }
        trouble
    }
}

/// A store that panics has failed, and is asked again.
fn guarded<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Failure::failed("the store panicked: a fault of this program")))
}

#[cfg(test)]
mod tests;
