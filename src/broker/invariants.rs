//! What must hold after each input, and what must be left when nothing is under way: for tests and
//! simulations.

use std::collections::HashSet;

use super::Broker;
use super::connection::{Connection, Phase};
use super::session::{Session, SessionIndex};
use super::subscriptions::Subscriptions;
use super::timers::Timer;
use crate::limits;
use crate::mqtt::QoS;
use crate::time::Tick;

impl Broker {
    /// Asserts that all parts agree with each other and keep their bounds. Takes time.
    pub fn check_invariants(&self) {
        let mut timers = 0;
        for connection in self.connections.values() {
            timers += self.check_connection(connection);
        }
        self.sessions.check_counts();
        let (mut subscriptions, mut subscription_bytes) = (0, 0);
        for (index, session) in self.sessions.iter() {
            timers += self.check_session(index, session);
            subscriptions += session.subscriptions.len();
            subscription_bytes += session.subscription_bytes;
        }
        assert_eq!(self.timers.len(), timers, "each timer has an owner");
        assert!(self.sessions.len() <= self.settings.bounds.sessions, "sessions are bounded");
        let queued: usize = self.sessions.iter().map(|(_, session)| session.queue.size().1).sum();
        assert_eq!(self.queued.bytes(), queued, "the queued bytes are counted");
        let may_wait = self.settings.bounds.queued_bytes.unwrap_or(usize::MAX);
        assert!(queued <= may_wait, "the queues together are bounded");
        let connected = super::outputs::counted(self.statistics().clients_connected);
        assert_eq!(self.outputs.connected, connected, "who is in was told");
        assert_eq!(self.subscriptions.len(), subscriptions, "tree and sessions agree");
        let (changes, waiting) = self.persistence.counts();
        let told = changes.written + changes.spared + super::outputs::counted(waiting);
        assert_eq!(changes.noted, told, "no change is forgotten");
        assert_eq!(self.subscriptions.bytes(), subscription_bytes, "their bytes are counted");
        assert!(subscription_bytes <= self.settings.bounds.subscription_bytes, "and bounded");
        self.subscriptions.check_invariants();
        self.retained.check_invariants();
    }

    /// Asserts that nothing is under way: all was sent, delivered and acknowledged, and nothing is
    /// left but sessions, subscriptions, retained messages and the timers that end them.
    pub fn assert_idle(&self) {
        assert!(self.outputs.is_empty(), "outputs are polled");
        assert_eq!(self.persistence.holds(), 0, "no answer waits");
        for connection in self.connections.values() {
            assert!(matches!(connection.phase, Phase::Connected(_)), "{connection:?}");
            assert_eq!(connection.unwritten.bytes(), 0, "all is written: {connection:?}");
        }
        for (_, session) in self.sessions.iter() {
            let client = &session.key.client_id;
            assert!(session.queue.is_empty(), "`{client}` has an empty queue");
            assert_eq!(session.window.len(), 0, "`{client}` has acknowledged all");
            assert!(session.received.is_empty(), "`{client}` has released all");
            assert_eq!(session.dropped, 0, "the losses of `{client}` are told");
        }
    }

    /// Asserts that another broker, which was made of what this one's store has, knows the same
    /// sessions and retained messages.
    #[cfg(test)]
    pub(super) fn assert_keeps_as(&self, other: &Self) {
        let kept = |broker: &Self| {
            let sessions = broker.sessions.iter().map(|(_, session)| session);
            let kept = sessions.filter(|session| session.store_id().is_some());
            let mut kept: Vec<_> = kept.map(shape).collect();
            kept.sort();
            kept
        };
        if self.persistence.is_on() {
            assert_eq!(kept(self), kept(other), "what is kept is what there is");
            assert_eq!(self.retained.of_clients(), other.retained.of_clients());
        }
    }

    /// Returns how many timers it has.
    fn check_connection(&self, connection: &Connection) -> usize {
        match connection.phase {
            Phase::Opened => assert!(connection.alarm.is_some(), "a CONNECT has a deadline"),
            Phase::Authenticating(_) | Phase::Closing => assert_eq!(connection.alarm, None),
            Phase::Connected(index) => {
                assert_eq!(self.sessions[index].connection, Some(connection.id));
                assert_eq!(connection.alarm.is_some(), connection.silence_max.is_some());
                assert!(!connection.unwritten.is_flooded(), "answers are bounded");
            }
        }
        self.check_timer(connection.alarm, Timer::Connection(connection.id))
    }

    /// Returns how many timers it has.
    fn check_session(&self, index: SessionIndex, session: &Session) -> usize {
        assert_eq!(self.sessions.find(&session.key), Some(index), "a session is found by its key");
        match session.connection {
            Some(id) => {
                let connection = self.connections.get(&id).expect("a session's connection exists");
                assert!(matches!(connection.phase, Phase::Connected(other) if other == index));
                assert_eq!(session.expires_at, None, "a session in use does not expire");
                assert_eq!(session.will_at, None, "a present client's will is not due");
                check_waiting(session, connection);
            }
            None => check_absent(session),
        }
        self.check_subscriptions(index, session);
        self.check_queue(session);
        check_window(session);
        assert_eq!(session.dropped > 0, session.report_at.is_some(), "losses will be told");
        self.check_timer(session.expires_at, Timer::SessionExpiry(index))
            + self.check_timer(session.report_at, Timer::DropReport(index))
            + self.check_timer(session.resume_at, Timer::Resume(index))
            + self.check_timer(session.will_at, Timer::Will(index))
    }

    fn check_subscriptions(&self, index: SessionIndex, session: &Session) {
        let most = self.settings.bounds.subscriptions_per_session;
        assert!(session.subscriptions.len() <= most);
        let mut bytes = 0;
        for (filter, &subscription) in &session.subscriptions {
            assert_eq!(self.subscriptions.find(filter, index), Some(subscription), "{filter}");
            bytes += Subscriptions::weight(filter);
        }
        assert_eq!(session.subscription_bytes, bytes, "the filters' bytes are counted");
        let mut searched = HashSet::new();
        for search in session.queue.searches() {
            let filter = search.filter();
            assert!(session.subscriptions.contains_key(filter), "a search is of a subscription");
            assert!(searched.insert(filter), "a subscription has one search");
        }
        assert!(session.queue.has_order(), "searches begin in their order");
    }

    fn check_queue(&self, session: &Session) {
        let (messages, bytes) = session.queue.size();
        let is_bounded = self.queue_bounds(session).hold(messages, bytes);
        assert!(is_bounded || messages == 1, "a queue keeps its bounds");
        let counted: usize = session.queue.iter().map(super::record::Queued::weight).sum();
        let stored = session.queue.stored().size().1;
        assert_eq!(bytes, counted + stored, "a queue's bytes are counted");
    }

    fn check_timer(&self, slot: Option<Tick>, timer: Timer) -> usize {
        let Some(at) = slot else { return 0 };
        assert!(self.timers.contains(at, timer), "{timer:?} is armed as its owner says");
        1
    }
}

/// What must survive of a session, for comparison.
#[cfg(test)]
fn shape(session: &Session) -> String {
    let mut subscriptions: Vec<_> = session.subscriptions.iter().collect();
    subscriptions.sort_by_key(|(filter, _)| (*filter).clone());
    let mut received: Vec<_> = session.received.iter().collect();
    received.sort();
    let Session { key, id, expiry, will, .. } = session;
    format!(
        "{key:?} {id:?} {expiry:?} {will:?} {subscriptions:?} {received:?} {:?} {:?}",
        session.window.shape(),
        session.queue.size()
    )
}

/// Nobody waits without a reason.
fn check_waiting(session: &Session, connection: &Connection) {
    let has_room = session.window.has_room() && !session.window.has_resends();
    let can_go = session.window.can_resend() || (!session.queue.is_empty() && has_room);
    let is_woken = session.resume_at.is_some();
    let is_held = !connection.held.is_empty() || session.queue.is_paging();
    let waits = can_go && connection.unwritten.has_room() && !is_woken && !is_held;
    assert!(!waits, "what can be sent is sent: {session:?}");
}

fn check_absent(session: &Session) {
    assert!(session.expires_at.is_some(), "an absent client's session expires");
    assert!(!session.expiry.is_zero(), "a clean session ends with its connection");
    assert_eq!(session.resume_at, None, "nothing is sent to an absent client");
    assert_eq!(session.will.is_some(), session.will_at.is_some(), "a will has its time");
    let mut queued = session.queue.iter();
    assert!(queued.all(|message| message.qos > QoS::AtMostOnce), "QoS 0 is for the present");
}

fn check_window(session: &Session) {
    assert!(session.window.len() <= limits::INFLIGHT_TO_CLIENT_MAX, "the window is bounded");
    assert!(session.received.len() <= limits::INFLIGHT_FROM_CLIENT_MAX);
    let ids: HashSet<_> = session.window.ids().collect();
    assert_eq!(ids.len(), session.window.len(), "identifiers in use are different");
    assert!(session.window.counts(), "a window knows what it is to send again");
}
