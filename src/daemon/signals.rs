//! The signals that end the process, listened to before anything is started that would miss them.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What the process is asked from outside.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// SIGINT, as by Ctrl-C: end.
    Interrupt,
    /// SIGTERM: end.
    Terminate,
    /// SIGHUP: the terminal is gone, or a service manager means "reload".
    HangUp,
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

    /// Waits for the next one.
    pub async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Terminate,
            _ = self.interrupt.recv() => Asked::Interrupt,
            _ = self.hangup.recv() => Asked::HangUp,
        }
    }
}
