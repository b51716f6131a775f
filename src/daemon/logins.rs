//! Logins are checked off the event loop, by threads of their own: a password hash takes most of a
//! core for a while, and megabytes that only the thread which freed them uses again.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;

use tokio::sync::mpsc::UnboundedReceiver;

use super::hub::Hub;
use super::state::UsersFile;
use crate::access::{ConnectionId, Login};
use crate::limits::PASSWORD_CHECKS_MAX;

type Wanted = (ConnectionId, Login);

/// Checks logins; its threads end with it.
pub(super) struct Checks {
    hub: Arc<Hub>,
    users: Arc<UsersFile>,
    to_threads: Sender<Wanted>,
}

impl Checks {
    /// Starts [`PASSWORD_CHECKS_MAX`] threads.
    pub(super) fn start(hub: &Arc<Hub>, users: UsersFile) -> io::Result<Self> {
        let (hub, users) = (Arc::clone(hub), Arc::new(users));
        let (to_threads, handed_over) = channel();
        let handed_over = Arc::new(Mutex::new(handed_over));
        for number in 0..PASSWORD_CHECKS_MAX {
            let (hub, users) = (Arc::clone(&hub), Arc::clone(&users));
            let handed_over = Arc::clone(&handed_over);
            Builder::new().name(format!("login-{number}")).spawn(move || {
                while let Some((connection, login)) = next(&handed_over) {
                    hub.verdict(connection, users.current().check(&login));
                }
            })?;
        }
        Ok(Self { hub, users, to_threads })
    }

    /// Answers each login: at once where there is no password to hash, else in order.
    pub(super) async fn answer(self, mut wanted: UnboundedReceiver<Wanted>) {
        while let Some((connection, login)) = wanted.recv().await {
            if login.password.is_none() {
                self.hub.verdict(connection, self.users.current().check(&login));
            } else if self.to_threads.send((connection, login)).is_err() {
                return;
            }
        }
    }
}

/// The next login for one of the threads; `None` at the end.
fn next(handed_over: &Mutex<Receiver<Wanted>>) -> Option<Wanted> {
    handed_over.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}
