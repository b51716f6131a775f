//! Where the gateway is reached, from one life to the next.

use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use maison::mqtt::Connect;

use crate::wire::{PATIENCE, Wire};

/// From one look for the gateway to the next.
const LOOK_AGAIN: Duration = Duration::from_millis(3);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Door {
    /// Zero while nobody is there.
    port: AtomicU16,
    /// How often it was opened and shut.
    turns: AtomicU32,
    over: AtomicBool,
    broken: AtomicBool,
}

impl Door {
    pub(super) fn open(&self, port: u16) {
        self.turns.fetch_add(1, Ordering::SeqCst);
        self.port.store(port, Ordering::SeqCst);
    }

    /// The gateway is about to be killed.
    pub(super) fn shut(&self) {
        self.port.store(0, Ordering::SeqCst);
        self.turns.fetch_add(1, Ordering::SeqCst);
    }

    /// Another number whenever a gateway is about to be killed, or has started.
    pub(super) fn turns(&self) -> u32 {
        self.turns.load(Ordering::SeqCst)
    }

    /// Nobody is killed any more: clients are to finish what they have begun.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Whether somebody has failed, so that nobody needs to go on.
    #[track_caller]
    pub(super) fn check(&self) {
        assert!(!self.broken.load(Ordering::SeqCst), "another has failed");
    }

    /// Connects, as often as it takes; whether the gateway had a session.
    pub(super) fn enter(&self, words: &Connect) -> (Wire, bool) {
        self.enter_as(|| words.clone())
    }

    /// The same, with other words each time.
    pub(super) fn enter_as(&self, mut words: impl FnMut() -> Connect) -> (Wire, bool) {
        let started = Instant::now();
        loop {
            self.check();
            let port = self.port.load(Ordering::SeqCst);
            // Behind another port than now there may be another gateway.
            if port != 0
                && let Ok(entered) = Wire::try_open(port, words())
                && self.port.load(Ordering::SeqCst) == port
            {
                return entered;
            }
            assert!(started.elapsed() < PATIENCE, "nobody is let in");
            thread::sleep(LOOK_AGAIN);
        }
    }

    /// To be held by everybody who may fail.
    pub(super) fn watch(&self) -> Watch<'_> {
        Watch(self)
    }
}

/// Lets nobody wait for one who has failed.
pub(super) struct Watch<'a>(&'a Door);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.broken.store(true, Ordering::SeqCst);
        }
    }
}
