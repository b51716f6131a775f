//! Logins are checked off the event loop, by threads of their own: a password hash takes most of a
//! core for a while, and megabytes that only the thread which freed them uses again.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Builder;

use tokio::sync::mpsc::UnboundedReceiver;

use super::hub::Hub;
use super::state::UsersFile;
use crate::access::{ConnectionId, HashMemory, Login, Verdict};
use crate::limits::PASSWORD_CHECKS_MAX;

type Wanted = (ConnectionId, Login);

/// Checks logins; its threads end with it.
pub(super) struct Checks {
    hub: Arc<Hub>,
    users: Arc<UsersFile>,
    threads: Vec<Sender<Wanted>>,
}

impl Checks {
    /// Starts [`PASSWORD_CHECKS_MAX`] threads.
    pub(super) fn start(hub: &Arc<Hub>, users: &Arc<UsersFile>) -> io::Result<Self> {
        let (hub, users) = (Arc::clone(hub), Arc::clone(users));
        let mut threads = Vec::new();
        for number in 0..PASSWORD_CHECKS_MAX {
            let (hub, users) = (Arc::clone(&hub), Arc::clone(&users));
            let (sender, wanted) = channel();
            threads.push(sender);
            Builder::new().name(format!("login-{number}")).spawn(move || {
                let mut memory = HashMemory::default();
                while let Some((connection, login)) = next(&wanted, &mut memory) {
                    hub.verdict(connection, verdict(&users, &login, &mut memory));
                }
            })?;
        }
        Ok(Self { hub, users, threads })
    }

    /// Answers each login: at once where there is no password to hash, else the threads do in turn.
    pub(super) async fn answer(mut self, mut wanted: UnboundedReceiver<Wanted>) {
        while let Some((connection, login)) = wanted.recv().await {
            if login.password.is_none() {
                let verdict = verdict(&self.users, &login, &mut HashMemory::default());
                self.hub.verdict(connection, verdict);
                continue;
            }
            self.threads.rotate_left(1);
            let Some(thread) = self.threads.first() else { return };
            if thread.send((connection, login)).is_err() {
                return;
            }
        }
    }
}

/// By the users as they are when the answer is there: what was revoked meanwhile lets nobody in.
fn verdict(users: &UsersFile, login: &Login, memory: &mut HashMemory) -> Verdict {
    let mut known = users.current();
    loop {
        let verdict = known.check(login, memory);
        let now = users.current();
        if Arc::ptr_eq(&known, &now) {
            return verdict;
        }
        known = now;
    }
}

/// The next login; `None` at the end. While there is none, the memory is given back.
fn next(wanted: &Receiver<Wanted>, memory: &mut HashMemory) -> Option<Wanted> {
    if let Ok(wanted) = wanted.try_recv() {
        return Some(wanted);
    }
    *memory = HashMemory::default();
    wanted.recv().ok()
}
