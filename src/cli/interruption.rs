//! Ctrl-C, or another word to end, while something is made that is worth nothing in halves.
//!
//! ```text
//!   Making ──last moment──▶ Ending ──over──▶ Made ──signal──▶ the process ends
//!     └──signal──▶ Interrupted ──last moment──▶ an error: what was made is taken away again
//! ```

use std::process;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Result, bail};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Added to the number of a signal where a shell tells how a process ended.
const BY_SIGNAL: i32 = 128;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Making,
    Interrupted,
    /// What is under way is over in a moment, and stays.
    Ending,
    Made,
}

/// Signals to end are noted and not obeyed, from now on until [`Interruption::over`].
pub(super) struct Interruption(Arc<Mutex<State>>);

impl Interruption {
    /// From now on.
    pub(super) fn wait() -> Result<Self> {
        let state = Arc::new(Mutex::new(State::Making));
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            let runtime = Builder::new_current_thread().enable_io().build()?;
            let signals = {
                let _entered = runtime.enter();
                signal(kind)?
            };
            let state = Arc::clone(&state);
            thread::Builder::new().spawn(move || listen(&runtime, signals, kind, &state))?;
        }
        Ok(Self(state))
    }

    /// What was made is made known next, and stays; unless a signal came before.
    pub(super) fn last_moment(&self) -> Result<()> {
        let mut state = lock(&self.0);
        if *state == State::Interrupted {
            bail!("interrupted: all is as before");
        }
        *state = State::Ending;
        Ok(())
    }

    /// From now on a signal ends the process, as ever.
    pub(super) fn over(self) {
        *lock(&self.0) = State::Made;
    }
}

fn listen(runtime: &Runtime, mut signals: Signal, kind: SignalKind, state: &Mutex<State>) {
    while runtime.block_on(signals.recv()).is_some() {
        let mut state = lock(state);
        match *state {
            State::Making => *state = State::Interrupted,
            State::Interrupted | State::Ending => {}
            State::Made => process::exit(BY_SIGNAL + kind.as_raw_value()),
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use rustix::process::{Signal as Sent, getpid, kill_process};

    use super::*;

    #[test]
    fn a_word_to_end_before_the_last_moment_undoes_all() {
        let interruption = Interruption::wait().unwrap();
        kill_process(getpid(), Sent::HUP).unwrap();
        while *lock(&interruption.0) == State::Making {
            thread::yield_now();
        }
        let error = interruption.last_moment().unwrap_err();
        assert_eq!(error.to_string(), "interrupted: all is as before");
    }
}
