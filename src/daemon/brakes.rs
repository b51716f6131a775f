//! Whose password is checked next, and who has to wait: whoever guesses slows himself and nobody
//! else. Takes time as an argument and touches nothing.
//!
//! ```text
//!   was right before ──▶ no hash                       (one look per hash: see `Brakes::may_look`)
//!   known client     ──▶ first in, first out
//!   address of known clients ──▶ in turns
//!   stranger         ──▶ newest first
//!   suspect          ──▶ in turns, after a wait, on one thread of two, few of an address
//! ```
//!
//! An address is a suspect from its first wrong password until it has given none for a while. A
//! client that came from there by its password is known there, until a wrong one is given in its
//! name; what others give in its user's name makes it wait only if it calls itself otherwise today.
//! Strangers are served newest first: who guesses from many addresses at once has been there for
//! longer than who comes by.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use crate::access::{ConnectionId, Login, Refusal, Verdict};
use crate::limits::{
    LOGIN_ADDRESSES_MAX, LOGIN_CLIENTS_KNOWN, LOGIN_CLIENTS_OF_USER_KNOWN, LOGIN_DELAY_MAX,
    LOGIN_DELAY_MIN, LOGIN_FAILURES_KEPT, LOGINS_OF_SUSPECT_MAX, PASSWORD_CHECKS_MAX,
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
    /// Logins of clients that are known where they come from.
    trusted: VecDeque<Waiting>,
    refused: Vec<ConnectionId>,
    suspects_checked: usize,
    turns: u64,
    asked: u64,
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
    client_id: String,
    lane: Lane,
}

/// By which right a login has its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    Trusted,
    Stranger,
    Suspect,
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
    /// Number of its last login.
    asked: u64,
    /// Logins of known clients that wait or are checked.
    trusted: usize,
    /// Clients that came by their password.
    known: VecDeque<Known>,
}

#[derive(Debug)]
struct Known {
    user: String,
    client_id: String,
    /// A wrong password was given in the user's name, by another client; until the address has a
    /// clean slate, whoever comes back meanwhile.
    is_guessed: bool,
}

impl Brakes {
    /// Whether a login may be let in without a hash if its password is one that was right before.
    /// Only while nothing else of its address is under way: who is not let in at that look has a
    /// hash made of what he said, so that looking gains no guess.
    pub(super) fn may_look(&self, login: &Login) -> bool {
        let Some(address) = self.addresses.get(&household(login.address)) else { return true };
        if address.knows(login) {
            return address.trusted == 0;
        }
        !address.is_suspect() && address.is_idle()
    }

    /// A login was let in without a hash.
    pub(super) fn looked(&mut self, now: Tick, login: Login) {
        let Login { address, user, client_id, .. } = login;
        if let Some(user) = user {
            self.address(now, household(address)).know(user, client_id);
        }
    }

    /// Takes a login in, to be checked in its turn or to be refused.
    pub(super) fn ask(&mut self, now: Tick, connection: ConnectionId, login: Login) {
        let address = household(login.address);
        let known = self.addresses.get_mut(&address).filter(|it| it.knows(&login));
        let waiting = Waiting { connection, login };
        if let Some(address) = known {
            address.trusted += 1;
            self.trusted.push_back(waiting);
        } else {
            self.queue(now, waiting);
        }
    }

    /// The login that a free thread is to check.
    pub(super) fn next(&mut self, now: Tick) -> Option<Check> {
        while let Some(waiting) = self.trusted.pop_front() {
            let address = household(waiting.login.address);
            if let Some(address) = self.addresses.get_mut(&address) {
                if address.knows(&waiting.login) {
                    return Some(self.begin(now, waiting, Lane::Trusted));
                }
                address.trusted = address.trusted.saturating_sub(1);
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
        let first = all.min_by_key(|address| address.place())?;
        let lane = if first.is_suspect() { Lane::Suspect } else { Lane::Stranger };
        let waiting = first.waiting.pop_front()?;
        Some(self.begin(now, waiting, lane))
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
        let Turn { address, user, client_id, lane } = turn;
        self.suspects_checked -= usize::from(lane == Lane::Suspect);
        let Some(address) = self.addresses.get_mut(&address) else { return };
        address.checked = address.checked.saturating_sub(1);
        if lane == Lane::Trusted {
            address.trusted = address.trusted.saturating_sub(1);
        }
        address.seen = now;
        match (verdict, user) {
            (Err(Refusal::BadPassword), user) => {
                address.doubt(user.as_deref(), &client_id);
                let beyond = address.fail(now);
                self.refused.extend(beyond.map(|waiting| waiting.connection));
            }
            (Ok(_), Some(user)) => address.know(user, client_id),
            (Ok(_), None) | (Err(_), _) => {}
        }
    }

    fn queue(&mut self, now: Tick, waiting: Waiting) {
        self.asked += 1;
        let asked = self.asked;
        let address = self.address(now, household(waiting.login.address));
        if address.is_suspect() && address.waiting.len() >= LOGINS_OF_SUSPECT_MAX {
            self.refused.push(waiting.connection);
        } else {
            address.asked = asked;
            address.waiting.push_back(waiting);
        }
    }

    fn begin(&mut self, now: Tick, waiting: Waiting, lane: Lane) -> Check {
        let Waiting { connection, login } = waiting;
        let household = household(login.address);
        self.turns += 1;
        self.suspects_checked += usize::from(lane == Lane::Suspect);
        let turns = self.turns;
        let address = self.address(now, household);
        address.checked += 1;
        address.turn = turns;
        let (user, client_id) = (login.user.clone(), login.client_id.clone());
        let turn = Turn { address: household, user, client_id, lane };
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
            address.known.iter_mut().for_each(|known| known.is_guessed = false);
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
        self.waiting.is_empty() && self.checked == 0 && self.trusted == 0
    }

    fn knows(&self, login: &Login) -> bool {
        let Login { user: Some(user), client_id, .. } = login else { return false };
        let mut known = self.known.iter().filter(|known| known.user == *user);
        known.any(|known| !known.is_guessed || known.client_id == *client_id)
    }

    /// The least comes first.
    fn place(&self) -> impl Ord + use<> {
        (self.is_suspect(), self.known.is_empty(), self.turn, Reverse(self.asked))
    }

    /// A wrong password was given in a user's name.
    fn doubt(&mut self, user: Option<&str>, client_id: &str) {
        let is_his = |known: &Known| Some(known.user.as_str()) == user;
        self.known.retain(|known| !(is_his(known) && known.client_id == client_id));
        for known in self.known.iter_mut().filter(|known| is_his(known)) {
            known.is_guessed = true;
        }
    }

    /// Who waits beyond what a suspect may.
    fn fail(&mut self, now: Tick) -> impl Iterator<Item = Waiting> {
        self.failed = now;
        self.not_before = now.after(delay(self.failures));
        self.failures = self.failures.saturating_add(1);
        let kept = self.waiting.len().min(LOGINS_OF_SUSPECT_MAX);
        self.waiting.split_off(kept).into_iter()
    }

    fn know(&mut self, user: String, client_id: String) {
        let earlier = |known: &Known| known.user == user && known.client_id == client_id;
        let earlier = self.known.iter().position(earlier);
        let is_guessed =
            earlier.and_then(|at| self.known.remove(at)).is_some_and(|known| known.is_guessed);
        let of_user = || self.known.iter().filter(|known| known.user == user);
        if of_user().count() >= LOGIN_CLIENTS_OF_USER_KNOWN {
            let first = self.known.iter().position(|known| known.user == user);
            first.map(|first| self.known.remove(first));
        }
        if self.known.len() >= LOGIN_CLIENTS_KNOWN {
            self.known.pop_front();
        }
        self.known.push_back(Known { user, client_id, is_guessed });
    }
}

/// After so many failures before the last.
fn delay(failures: u32) -> Duration {
    LOGIN_DELAY_MIN.saturating_mul(1 << failures.min(16)).min(LOGIN_DELAY_MAX)
}

#[cfg(test)]
mod tests;
