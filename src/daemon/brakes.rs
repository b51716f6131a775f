//! Whose password is checked next, and who has to wait: whoever guesses slows himself and nobody
//! else. Takes time as an argument and touches nothing.
//!
//! An address is a suspect from its first wrong password until it has given none for a while. Then
//! it waits after each, twice as long as the last time, has few logins waiting, and one thread is
//! never for suspects. Who has come from an address by its password before is not asked to wait
//! there, until a wrong password is given in its name. All others take turns, address by address.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use crate::access::{ConnectionId, Login, Refusal, Verdict};
use crate::limits::{
    LOGIN_ADDRESSES_MAX, LOGIN_DELAY_MAX, LOGIN_DELAY_MIN, LOGIN_FAILURES_KEPT, LOGIN_NAMES_KNOWN,
    LOGINS_OF_SUSPECT_MAX, PASSWORD_CHECKS_MAX,
};
use crate::net::household;
use crate::time::Tick;

/// Threads that suspects may take: one is left for the others.
const SUSPECTS_CHECKED_MAX: usize = PASSWORD_CHECKS_MAX - 1;

const _: () = assert!(SUSPECTS_CHECKED_MAX >= 1, "suspects must come to an end, too");

/// The logins that wait for a thread.
#[derive(Default)]
pub(super) struct Brakes {
    addresses: HashMap<IpAddr, Address>,
    /// Logins of those who came by their password before.
    trusted: VecDeque<Waiting>,
    refused: Vec<ConnectionId>,
    suspects_checked: usize,
    turns: u64,
}

struct Waiting {
    connection: ConnectionId,
    login: Login,
}

/// A login whose turn it is; [`Brakes::answered`] takes its [`Turn`] back.
pub(super) struct Check {
    pub(super) connection: ConnectionId,
    pub(super) login: Login,
    pub(super) turn: Turn,
}

/// What is to be known of a login when its answer is there.
pub(super) struct Turn {
    address: IpAddr,
    user: Option<String>,
    is_suspect: bool,
}

/// What is known of an address.
#[derive(Default)]
struct Address {
    waiting: VecDeque<Waiting>,
    checked: usize,
    failures: u32,
    failed: Tick,
    not_before: Tick,
    seen: Tick,
    /// Number of its last turn.
    turn: u64,
    /// Users that came by their password.
    known: VecDeque<String>,
}

impl Brakes {
    /// Takes a login in, to be checked in its turn or to be refused.
    pub(super) fn ask(&mut self, now: Tick, connection: ConnectionId, login: Login) {
        let waiting = Waiting { connection, login };
        if self.is_trusted(&waiting) {
            self.trusted.push_back(waiting);
        } else {
            self.queue(now, waiting);
        }
    }

    /// The login that a free thread is to check.
    pub(super) fn next(&mut self, now: Tick) -> Option<Check> {
        while let Some(waiting) = self.trusted.pop_front() {
            if self.is_trusted(&waiting) {
                return Some(self.begin(now, waiting, false));
            }
            self.queue(now, waiting);
        }
        let has_room = self.suspects_checked < SUSPECTS_CHECKED_MAX;
        let may = |address: &&mut Address| {
            let is_its_turn = !address.is_suspect()
                || has_room && address.checked == 0 && address.not_before <= now;
            is_its_turn && !address.waiting.is_empty()
        };
        let all = self.addresses.values_mut().filter(may);
        let first = all.min_by_key(|address| (address.is_suspect(), address.turn))?;
        let (waiting, is_suspect) = (first.waiting.pop_front()?, first.is_suspect());
        Some(self.begin(now, waiting, is_suspect))
    }

    /// Who is not let in because too many of its address wait already.
    pub(super) fn refused(&mut self) -> Vec<ConnectionId> {
        std::mem::take(&mut self.refused)
    }

    /// When [`Brakes::next`] may have something to give, if only time has to pass.
    pub(super) fn deadline(&self) -> Option<Tick> {
        let waiting = self.addresses.values().filter(|address| !address.waiting.is_empty());
        let delayed = waiting.filter(|address| address.is_suspect() && address.checked == 0);
        delayed.map(|address| address.not_before).min()
    }

    /// Learns what came of a check.
    pub(super) fn answered(&mut self, now: Tick, turn: Turn, verdict: &Verdict) {
        let Turn { address, user, is_suspect } = turn;
        self.suspects_checked -= usize::from(is_suspect);
        let Some(address) = self.addresses.get_mut(&address) else { return };
        address.checked = address.checked.saturating_sub(1);
        address.seen = now;
        match (verdict, user) {
            (Err(Refusal::BadPassword), user) => {
                let beyond = address.fail(now, user.as_deref());
                self.refused.extend(beyond.map(|waiting| waiting.connection));
            }
            (Ok(_), Some(user)) => address.know(user),
            (Ok(_), None) | (Err(_), _) => {}
        }
    }

    fn is_trusted(&self, waiting: &Waiting) -> bool {
        let Login { address, user, .. } = &waiting.login;
        let (Some(address), Some(user)) = (self.addresses.get(&household(*address)), user) else {
            return false;
        };
        address.known.contains(user)
    }

    fn queue(&mut self, now: Tick, waiting: Waiting) {
        let address = self.address(now, household(waiting.login.address));
        if address.is_suspect() && address.waiting.len() >= LOGINS_OF_SUSPECT_MAX {
            self.refused.push(waiting.connection);
        } else {
            address.waiting.push_back(waiting);
        }
    }

    fn begin(&mut self, now: Tick, waiting: Waiting, is_suspect: bool) -> Check {
        let Waiting { connection, login } = waiting;
        let household = household(login.address);
        self.turns += 1;
        self.suspects_checked += usize::from(is_suspect);
        let turns = self.turns;
        let address = self.address(now, household);
        address.checked += 1;
        address.turn = turns;
        let turn = Turn { address: household, user: login.user.clone(), is_suspect };
        Check { connection, login, turn }
    }

    /// What is known of an address, without failures of long ago. Where there are too many, the one
    /// that nobody came from for the longest time makes room, those that somebody came from last.
    fn address(&mut self, now: Tick, address: IpAddr) -> &mut Address {
        let is_new = !self.addresses.contains_key(&address);
        if is_new && self.addresses.len() >= LOGIN_ADDRESSES_MAX {
            let idle = self.addresses.iter().filter(|(_, address)| address.is_idle());
            let oldest = idle.min_by_key(|(_, address)| (!address.known.is_empty(), address.seen));
            if let Some(oldest) = oldest.map(|(address, _)| *address) {
                self.addresses.remove(&oldest);
            }
        }
        let address = self.addresses.entry(address).or_default();
        if now.since(address.failed) > LOGIN_FAILURES_KEPT {
            address.failures = 0;
        }
        address.seen = now;
        address
    }
}

impl Address {
    fn is_suspect(&self) -> bool {
        self.failures > 0
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.checked == 0
    }

    /// Who waits beyond what a suspect may.
    fn fail(&mut self, now: Tick, user: Option<&str>) -> impl Iterator<Item = Waiting> {
        self.known.retain(|known| Some(known.as_str()) != user);
        self.failed = now;
        self.not_before = now.after(delay(self.failures));
        self.failures = self.failures.saturating_add(1);
        let kept = self.waiting.len().min(LOGINS_OF_SUSPECT_MAX);
        self.waiting.split_off(kept).into_iter()
    }

    fn know(&mut self, user: String) {
        self.known.retain(|known| *known != user);
        if self.known.len() >= LOGIN_NAMES_KNOWN {
            self.known.pop_front();
        }
        self.known.push_back(user);
    }
}

/// After so many failures before the last.
fn delay(failures: u32) -> Duration {
    LOGIN_DELAY_MIN.saturating_mul(1 << failures.min(16)).min(LOGIN_DELAY_MAX)
}

#[cfg(test)]
mod tests;
