//! What an operator can set.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use super::Keeping;
use crate::access::Rights;
use crate::limits;

/// What an operator can set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a 3.1.1 session outlives its connection, and the cap for 5.0.
    pub session_expiry: Duration,
    /// Messages queued for one session; `None`: no bound.
    pub queue_messages: Option<usize>,
    /// Bytes queued for one session; `None`: no bound.
    pub queue_bytes: Option<usize>,
    /// What one client, or all of them, may take at most.
    pub bounds: Bounds,
    /// Start of the client identifiers that are assigned; different in each life of the process,
    /// so that none is assigned twice.
    pub assigned_prefix: Arc<str>,
    /// Who may do what.
    pub rights: Rights,
    /// What is to survive the process.
    pub keeping: Keeping,
}

/// The part of [`Settings`] that can change while the broker works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// As in [`Settings`], for clients that come from then on.
    pub session_expiry: Duration,
    /// As in [`Settings`].
    pub queue_messages: Option<usize>,
    /// As in [`Settings`].
    pub queue_bytes: Option<usize>,
    /// As in [`Settings`]. What clients were told when they came must stay as it was: the receive
    /// maximum, the topic alias maximum, the size of packets.
    pub bounds: Bounds,
}

/// What one client, or all of them, may take at most; [`Default`] is what [`limits`] gives reasons
/// for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Longest a peer may take from its transport to its CONNECT.
    pub connect_timeout: Duration,
    /// Sessions at a time, absent ones included.
    pub sessions: usize,
    /// Sessions of one user at a time.
    pub sessions_per_user: usize,
    /// Topic filters of one session.
    pub subscriptions_per_session: usize,
    /// Levels of a topic name or filter.
    pub topic_levels: usize,
    /// Unacknowledged messages to one client at a time.
    pub inflight_to_client: usize,
    /// QoS 2 messages of a 5.0 client that it has not released: the Receive Maximum it is told.
    pub receive_maximum: NonZeroU16,
    /// Topic aliases of a 5.0 client: the Topic Alias Maximum it is told.
    pub topic_alias_maximum: u16,
    /// Largest packet of a client in bytes, as the listeners enforce it: the Maximum Packet Size
    /// that a 5.0 client is told.
    pub packet_bytes: u32,
    /// Longest keep alive of a 5.0 client, which is told so; `None`: as it likes, or none.
    pub keep_alive: Option<Duration>,
    /// Bytes that the topic filters of all sessions together may take.
    pub subscription_bytes: usize,
    /// Bytes of retained messages that clients may fill.
    pub retained_bytes: usize,
    /// Bytes queued for all sessions together; `None`: no bound.
    pub queued_bytes: Option<usize>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connect_timeout: limits::CONNECT_TIMEOUT,
            sessions: limits::SESSIONS_MAX,
            sessions_per_user: limits::SESSIONS_PER_USER_MAX,
            subscriptions_per_session: limits::SUBSCRIPTIONS_PER_SESSION_MAX,
            topic_levels: limits::TOPIC_LEVELS_MAX,
            inflight_to_client: limits::INFLIGHT_TO_CLIENT_DEFAULT,
            receive_maximum: limits::RECEIVE_MAXIMUM_DEFAULT,
            topic_alias_maximum: limits::TOPIC_ALIASES_FROM_PEER_DEFAULT,
            packet_bytes: limits::PACKET_BYTES_DEFAULT,
            keep_alive: None,
            subscription_bytes: limits::SUBSCRIPTION_BYTES_DEFAULT,
            retained_bytes: limits::RETAINED_BYTES_MAX,
            queued_bytes: Some(limits::QUEUED_BYTES_DEFAULT),
        }
    }
}
