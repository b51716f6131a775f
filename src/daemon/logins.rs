//! Logins are checked off the event loop, by threads of their own: a password hash takes most of a
//! core for a while, and megabytes that only the thread which freed them uses again. Whose turn it
//! is, [`Brakes`] knows; who was right before needs no hash.

use std::fmt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tracing::debug;

use super::StartError;
use super::brakes::{Brakes, Check, Turn};

use super::hub::{Hub, Logins};
use super::state::{UsersFile, draw};
use crate::access::{
    CACHE_KEY_BYTES, ConnectionId, HashMemory, Login, PasswordCache, Refusal, Users, Verdict,
};
use crate::limits::PASSWORD_CHECKS_MAX;

/// How long a thread keeps its memory for the next check.
const MEMORY_KEPT: Duration = Duration::from_secs(1);

/// Checks logins; its threads end with it.
pub(super) struct Checks {
    hub: Arc<Hub>,
    users: Arc<UsersFile>,
    cache: Arc<Mutex<PasswordCache>>,
    brakes: Brakes,
    threads: Vec<Sender<Check>>,
    /// Numbers of those that have nothing to do.
    free: Vec<usize>,
    done: UnboundedReceiver<Done>,
}

/// A thread that is free again, and what came of its check.
struct Done {
    thread: usize,
    turn: Turn,
    verdict: Verdict,
}

impl Checks {
    /// Starts [`PASSWORD_CHECKS_MAX`] threads.
    pub(super) fn start(hub: &Arc<Hub>, users: &Arc<UsersFile>) -> Result<Self, StartError> {
        let (hub, users) = (Arc::clone(hub), Arc::clone(users));
        let cache = PasswordCache::new(&draw::<CACHE_KEY_BYTES>()?);
        let cache = Arc::new(Mutex::new(cache));
        let (told, done) = unbounded_channel();
        let mut threads = Vec::new();
        for number in 0..PASSWORD_CHECKS_MAX {
            let (sender, wanted) = channel();
            threads.push(sender);
            let worker = Worker {
                number,
                hub: Arc::clone(&hub),
                users: Arc::clone(&users),
                cache: Arc::clone(&cache),
                told: told.clone(),
            };
            let thread = Builder::new().name(format!("login-{number}"));
            thread.spawn(move || worker.serve(&wanted)).map_err(StartError::Thread)?;
        }
        let free = (0..threads.len()).collect();
        Ok(Self { hub, users, cache, brakes: Brakes::default(), threads, free, done })
    }

    /// Answers each login: at once where there is no password to hash, else the threads do.
    pub(super) async fn answer(mut self, mut wanted: Logins) {
        loop {
            self.hand_out();
            for connection in self.brakes.refused() {
                self.hub.verdict(connection, Err(Refusal::Busy));
            }
            let now = self.hub.now();
            let deadline = self.brakes.deadline().filter(|deadline| *deadline > now);
            let wait = deadline.map_or(Duration::MAX, |deadline| deadline.since(now));
            tokio::select! {
                login = wanted.recv() => {
                    let Some((connection, login)) = login else { return };
                    self.take(connection, login);
                }
                done = self.done.recv() => {
                    let Some(Done { thread, turn, verdict }) = done else { return };
                    self.free.push(thread);
                    self.brakes.answered(self.hub.now(), turn, &verdict);
                }
                () = tokio::time::sleep(wait), if deadline.is_some() => {}
            }
        }
    }

    fn take(&mut self, connection: ConnectionId, login: Login) {
        let now = self.hub.now();
        if login.password.is_none() {
            let (verdict, _) = verdict(&self.users, &login, &mut HashMemory::default());
            return self.hub.verdict(connection, verdict);
        }
        if self.brakes.may_look(&login) {
            let was_right = self.users.current().check_cached(&login, &lock(&self.cache));
            if let Some(principal) = was_right {
                debug!(login = %Name(&login), "password as before");
                self.hub.verdict(connection, Ok(principal));
                return self.brakes.looked(now, login);
            }
        }
        debug!(login = %Name(&login), "password to be checked");
        self.brakes.ask(now, connection, login);
    }

    fn hand_out(&mut self) {
        while let Some(thread) = self.free.pop() {
            let Some(check) = self.brakes.next(self.hub.now()) else {
                self.free.push(thread);
                return;
            };
            debug!(login = %Name(&check.login), "password is being checked");
            // A thread ends only with its channel, which is here.
            if let Some(thread) = self.threads.get(thread) {
                let _ = thread.send(check);
            }
        }
    }
}

/// What a thread works with.
struct Worker {
    number: usize,
    hub: Arc<Hub>,
    users: Arc<UsersFile>,
    cache: Arc<Mutex<PasswordCache>>,
    told: UnboundedSender<Done>,
}

impl Worker {
    /// Until nobody hands out checks any more.
    fn serve(self, wanted: &Receiver<Check>) {
        let mut memory = HashMemory::default();
        while let Some(check) = next(wanted, &mut memory) {
            let Check { connection, login, turn } = check;
            let (verdict, users) = verdict(&self.users, &login, &mut memory);
            if verdict.is_ok() {
                users.remember(&login, &mut lock(&self.cache));
            }
            self.hub.verdict(connection, verdict.clone());
            if verdict.is_ok() {
                self.users.renew(&login);
            }
            // At the end there is nobody to tell.
            let _ = self.told.send(Done { thread: self.number, turn, verdict });
        }
    }
}

/// The next login; `None` at the end. While there is none, the memory is given back.
fn next(wanted: &Receiver<Check>, memory: &mut HashMemory) -> Option<Check> {
    match wanted.recv_timeout(MEMORY_KEPT) {
        Err(RecvTimeoutError::Timeout) => {
            *memory = HashMemory::default();
            wanted.recv().ok()
        }
        other => other.ok(),
    }
}

/// By the users as they are when the answer is there, who come with it: what was revoked meanwhile
/// lets nobody in.
fn verdict(users: &UsersFile, login: &Login, memory: &mut HashMemory) -> (Verdict, Arc<Users>) {
    let mut known = users.current();
    loop {
        let verdict = known.check(login, memory);
        let now = users.current();
        if Arc::ptr_eq(&known, &now) {
            return (verdict, known);
        }
        known = now;
    }
}

fn lock(cache: &Mutex<PasswordCache>) -> MutexGuard<'_, PasswordCache> {
    cache.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who wants to be let in, for the log.
struct Name<'a>(&'a Login);

impl fmt::Display for Name<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Login { address, user, client_id, .. } = self.0;
        write!(formatter, "{address} {user:?} {client_id:?}")
    }
}
