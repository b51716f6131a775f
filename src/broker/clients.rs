//! Who is there, and for whom something waits: for an operator who asks.

use std::cmp::Reverse;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::Broker;
use super::session::Session;
use crate::access::Principal;
use crate::time::Tick;

/// A client with a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its client identifier.
    pub client_id: Arc<str>,
    /// On whose behalf.
    pub principal: Principal,
    /// Its connection; `None`: it is away.
    pub presence: Option<Presence>,
    /// Topic filters that it subscribed to.
    pub subscriptions: usize,
    /// Messages that wait for it.
    pub queued: usize,
}

/// A client's connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// Where it comes from.
    pub address: SocketAddr,
    /// By which listener.
    pub listener: Arc<str>,
    /// Since its last packet.
    pub silent_for: Duration,
}

impl Broker {
    /// At most so many clients: who is there before who is away, then those for whom most waits.
    /// Goes through all sessions.
    pub fn clients(&self, now: Tick, at_most: usize) -> Vec<Client> {
        let mut sessions: Vec<&Session> =
            self.sessions.iter().map(|(_, session)| session).collect();
        sessions.sort_by_cached_key(|session| {
            let (queued, _) = session.queue.size();
            (session.connection.is_none(), Reverse(queued), Arc::clone(&session.key.client_id))
        });
        sessions.into_iter().take(at_most).map(|session| self.client(now, session)).collect()
    }

    fn client(&self, now: Tick, session: &Session) -> Client {
        let connection = session.connection.and_then(|id| self.connections.get(&id));
        Client {
            client_id: Arc::clone(&session.key.client_id),
            principal: session.key.principal.clone(),
            presence: connection.map(|connection| Presence {
                address: connection.peer.address,
                listener: Arc::clone(&connection.peer.listener),
                silent_for: now.since(connection.last_heard),
            }),
            subscriptions: session.subscriptions.len(),
            queued: session.queue.size().0,
        }
    }

    /// How many clients came by each listener.
    pub fn clients_of(&self, listener: &str) -> usize {
        let here = self.sessions.iter().filter_map(|(_, session)| session.connection);
        let connections = here.filter_map(|id| self.connections.get(&id));
        connections.filter(|connection| *connection.peer.listener == *listener).count()
    }
}
