//! What must hold when nothing is under way any more.

use super::super::super::super::Statistics;
use super::{Life, Model};

impl Model {
    /// Everyone who is in has got what it should, and every loss is accounted for.
    pub(in super::super) fn check_rest(&mut self, statistics: &Statistics) {
        let lives: Vec<Life> = self.sessions.keys().copied().collect();
        for life in lives {
            self.check_session_at_rest(life);
        }
        self.count_lost_shares();
        self.ledger.check(&statistics.traffic, self.exact);
        let connected = self.sessions.values().filter(|one| one.connection.is_some()).count();
        let subscriptions = self.sessions.values().flat_map(|one| &one.subscriptions);
        assert_eq!(statistics.connections, self.connections.len());
        assert_eq!(statistics.clients_connected, connected);
        assert_eq!(statistics.sessions, self.sessions.len());
        assert_eq!(statistics.subscriptions, subscriptions.count());
        assert_eq!(statistics.retained, self.retained.len());
    }

    fn check_session_at_rest(&mut self, life: Life) {
        self.pass_over_resends(life, None);
        let waiting = std::mem::take(&mut self.session(life).waiting);
        for copy in waiting {
            self.lose(life, &copy);
        }
        let session = &self.sessions[&life];
        assert!(session.flights.is_empty(), "completed: {:?}", session.flights);
        assert!(session.released.is_empty(), "completed: {:?}", session.released);
        assert!(session.received.is_empty(), "released: {:?}", session.received);
        assert!(session.connection.is_some(), "everyone is in");
        for search in &session.searches {
            self.owes_nothing(search);
        }
    }

    /// What a client with a new subscription to everything should be sent.
    pub(in super::super) fn retained_topics(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.retained.iter().map(|(topic, kept)| (topic.as_str(), &*kept.message.payload))
    }

    /// Lives of sessions that are not over.
    pub(in super::super) fn lives(&self) -> impl Iterator<Item = Life> {
        self.sessions.keys().copied()
    }
}
