//! Plain counters, for `$SYS`, health and tests.

use super::Broker;

/// What there is now, and what went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Transports, logged in or not.
    pub connections: usize,
    /// Sessions with a connection.
    pub clients_connected: usize,
    /// Sessions, with or without a connection.
    pub sessions: usize,
    /// Subscriptions of all sessions.
    pub subscriptions: usize,
    /// Shared subscriptions of all sessions, which are counted among the former too.
    pub shared_subscriptions: usize,
    /// Messages of QoS 1 and 2 to all clients, sent and not yet acknowledged to the end.
    pub inflight: usize,
    /// Messages that wait in the queues of all sessions.
    pub queued: usize,
    /// Bytes that those take.
    pub queued_bytes: usize,
    /// Those of the messages that are not in the store alone.
    pub queued_in_memory: usize,
    /// Retained messages.
    pub retained: usize,
    /// Bytes that the retained messages take.
    pub retained_bytes: usize,
    /// What went through since the start.
    pub traffic: Traffic,
}

/// Counters that only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Most clients that were connected at a time.
    pub clients_maximum: u64,
    /// Sessions whose client did not come back in time.
    pub sessions_expired: u64,
    /// Sessions given up because there were too many.
    pub sessions_discarded: u64,
    /// CONNECT packets.
    pub connects: u64,
    /// Packets of any kind from clients.
    pub packets_received: u64,
    /// Packets of any kind to clients.
    pub packets_sent: u64,
    /// PUBLISH packets from clients, resends included.
    pub messages_received: u64,
    /// PUBLISH packets to clients, resends included.
    pub messages_sent: u64,
    /// Payload bytes of the former.
    pub payload_bytes_received: u64,
    /// Payload bytes of the latter.
    pub payload_bytes_sent: u64,
    /// Messages the gateway published.
    pub messages_own: u64,
    /// Copies that a full queue, or the end of a slow reader's connection, cost a session.
    pub messages_dropped: u64,
    /// Copies that expired in a queue.
    pub messages_expired: u64,
    /// Copies that a client did not get because it takes no packet of that size.
    pub messages_too_large: u64,
    /// Batches given to the store.
    pub batches: u64,
    /// Changes in those.
    pub changes: u64,
    /// Publications of clients that were refused because they could not be kept.
    pub messages_unkept: u64,
    /// Publications and subscriptions that the rights denied.
    pub denied: u64,
}

impl Broker {
    /// Counters since the start, and what is there now. Goes through all sessions: for the
    /// intervals of `$SYS`, not for each packet.
    pub fn statistics(&self) -> Statistics {
        let mut statistics = Statistics {
            connections: self.connections.len(),
            sessions: self.sessions.len(),
            subscriptions: self.subscriptions.len(),
            shared_subscriptions: self.subscriptions.shared_len(),
            retained: self.retained.len(),
            retained_bytes: self.retained.bytes(),
            traffic: self.outputs.traffic,
            ..Statistics::default()
        };
        for (_, session) in self.sessions.iter() {
            let (messages, bytes) = session.queue.size();
            statistics.clients_connected += usize::from(session.connection.is_some());
            statistics.inflight += session.window.len();
            statistics.queued += messages;
            statistics.queued_bytes += bytes;
            statistics.queued_in_memory += messages - session.queue.stored().size().0;
        }
        statistics
    }
}
