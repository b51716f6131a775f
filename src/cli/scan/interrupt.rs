//! Ctrl-C while rooms are asked for: until the file is written, nothing is, and that is said.

use std::io;
use std::process;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::cli::exit;
use crate::daemon::signals::Signals;

/// The promise that a process that is asked to end says what it has done.
#[derive(Debug)]
pub(super) struct Promise(Arc<Mutex<Written>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    Nothing,
    All,
}

impl Promise {
    /// From now on.
    pub(super) fn give() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut signals = {
            let _inside = runtime.enter();
            Signals::listen()?
        };
        let written = Arc::new(Mutex::new(Written::Nothing));
        let seen = Arc::clone(&written);
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let asked = runtime.block_on(signals.next());
            // Who writes now is waited for, and ends by itself.
            if *lock(&seen) == Written::Nothing {
                eprintln!("\ninterrupted: nothing is written");
                process::exit(exit::asked(asked).into());
            }
        })?;
        Ok(Self(written))
    }

    /// Writes; whoever interrupts that is too late.
    pub(super) fn write<T, E>(&self, write: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let mut written = lock(&self.0);
        let done = write();
        if done.is_ok() {
            *written = Written::All;
        }
        done
    }
}

fn lock(written: &Mutex<Written>) -> MutexGuard<'_, Written> {
    written.lock().unwrap_or_else(PoisonError::into_inner)
}
