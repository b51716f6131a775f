//! The signals that end the process, listened to before anything is started that would miss them.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::warn;

/// What the process is asked from outside.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// What SIGHUP means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hangup {
    /// The terminal is gone: end.
    Ends,
    /// A service manager means "reload", which is not to be had yet: go on.
    GoesOn,
}

impl Signals {
    /// From now on none of them ends the process by itself. Needs a tokio runtime.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the first signal that means "end".
    pub async fn end(&mut self, hangup: Hangup) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => match hangup {
                    Hangup::Ends => return,
                    Hangup::GoesOn => warn!("a changed configuration needs a restart"),
                },
            }
        }
    }
}
