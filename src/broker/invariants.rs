//! What is true between any two events, for tests and simulations to assert.

use super::connection::Phase;
use super::{Broker, QueueSizes};
use crate::limits::SUBSCRIPTIONS_PER_SESSION_MAX;

impl Broker {
    /// Asserts that the parts agree with each other and every bound holds.
    ///
    /// # Panics
    ///
    /// If one does not: a fault of ours.
    pub fn check_invariants(&self) {
        let mut subscriptions = 0;
        for (index, session) in self.sessions.iter() {
            assert_eq!(self.sessions.find(&session.key), Some(index), "found by its key");
            assert!(session.subscriptions.len() <= SUBSCRIPTIONS_PER_SESSION_MAX);
            subscriptions += session.subscriptions.len();
            session.outgoing.check(&self.settings);
            if let Some(id) = session.connection {
                let phase = self.connections.get(&id).map(|connection| &connection.phase);
                let serves = matches!(phase, Some(Phase::Serving { session }) if *session == index);
                assert!(serves, "a session's connection serves it");
            }
        }
        assert_eq!(self.subscriptions.len(), subscriptions, "the tree has every subscription");
        for connection in self.connections.values() {
            if let Phase::Serving { session } = connection.phase {
                assert!(self.sessions.session(session).is_some(), "whom it serves exists");
            }
        }
    }

    /// What is kept at this moment, in numbers.
    pub fn sizes(&self) -> QueueSizes {
        let outgoing = || self.sessions.iter().map(|(_, session)| &session.outgoing);
        QueueSizes {
            connections: self.connections.len(),
            sessions: self.sessions.iter().count(),
            subscriptions: self.subscriptions.len(),
            retained: self.retained.len(),
            queued: outgoing().map(super::delivery::Outgoing::queued).sum(),
            in_flight: outgoing().map(super::delivery::Outgoing::in_flight).sum(),
            unreleased: self.sessions.iter().map(|(_, session)| session.received.len()).sum(),
        }
    }
}
