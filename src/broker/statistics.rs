//! Plain counters, for `$SYS`, health and tests.

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
    /// Those of them that are shared.
    pub shared_subscriptions: usize,
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
    /// Publications and subscriptions that the rights denied.
    pub denied: u64,
}
