//! What the brain is told, what it says, and what an operator can set.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::access::{ConnectionId, Denied, Login, Peer, Principal, Refusal, Rights, Verdict};
use crate::mqtt::{DecodeError, Message, Packet, QoS};

/// What the brain is told.
#[derive(Debug)]
pub enum Input {
    /// A transport is open; its CONNECT is awaited.
    Opened {
        /// Its name from now on.
        connection: ConnectionId,
        /// Who is at the other end, as far as the transport knows.
        peer: Peer,
    },
    /// A whole packet arrived. After CONNECT the shell reads no further until it was answered.
    Packet {
        /// From whom.
        connection: ConnectionId,
        /// What.
        packet: Packet,
    },
    /// What arrived is no packet; the transport is of no more use.
    Malformed {
        /// From whom.
        connection: ConnectionId,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// The transport has gone without a DISCONNECT, or after [`Output::Close`].
    Closed {
        /// Which.
        connection: ConnectionId,
    },
    /// Bytes of earlier [`Output::Send`]s have been given to the operating system, as counted by
    /// [`Packet::weight`].
    Written {
        /// On which connection.
        connection: ConnectionId,
        /// How many.
        bytes: usize,
    },
    /// The answer to [`Output::Authenticate`].
    Verdict {
        /// For which connection.
        connection: ConnectionId,
        /// Let in as whom, or refused.
        verdict: Verdict,
    },
    /// The gateway publishes.
    Publish {
        /// Topic and payload.
        message: Message,
        /// Most a subscriber can get.
        qos: QoS,
        /// Whether it is retained, and how long.
        retention: Retention,
    },
    /// Nothing but the passing of time.
    Wake,
    /// The process ends: everyone is told, nobody new is let in.
    Shutdown,
}

/// Whether a message of the gateway is retained, and how long. Apart from its expiry, which would
/// also take it from the queues of those who are away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// It passes.
    None,
    /// Until another takes its place.
    Replaced,
    /// Likewise, or until this time is over.
    For(Duration),
}

/// What the world is to do.
#[derive(Debug)]
pub enum Output {
    /// Write a packet. The shell reports its [`Packet::weight`] by [`Input::Written`] when it has.
    Send {
        /// To whom.
        connection: ConnectionId,
        /// What.
        packet: Packet,
    },
    /// Write what was sent before, then close; [`Input::Closed`] follows.
    Close {
        /// Which.
        connection: ConnectionId,
    },
    /// Check a login, off the event loop.
    Authenticate {
        /// Whose.
        connection: ConnectionId,
        /// What is to be checked.
        login: Login,
    },
    /// Something an operator may want to know.
    Event(Event),
}

/// Something an operator may want to know; the shell logs and counts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A client is in.
    Connected {
        /// Where it came from.
        peer: SocketAddr,
        /// Its client identifier.
        client_id: String,
        /// On whose behalf.
        principal: Principal,
    },
    /// A client is gone, in peace or not.
    Disconnected {
        /// Where it came from.
        peer: SocketAddr,
        /// Its client identifier.
        client_id: String,
        /// In which way: a constant phrase.
        reason: &'static str,
    },
    /// A login was refused: one fixed log line.
    Refused {
        /// Where it came from.
        peer: SocketAddr,
        /// By which listener.
        listener: Arc<str>,
        /// User name it gave.
        user: String,
        /// Client identifier it gave.
        client_id: String,
        /// Why.
        reason: Refusal,
    },
    /// A message was taken and dropped: its sender may not publish there.
    Denied {
        /// Where it came from.
        peer: SocketAddr,
        /// Client identifier of the sender.
        client_id: String,
        /// Where it was to go.
        topic: String,
        /// The deciding rule.
        reason: Denied,
    },
    /// Messages of a full queue were dropped, the oldest first.
    QueueDropped {
        /// Whose queue.
        client_id: String,
        /// How many since the last such event.
        messages: u64,
    },
}

/// What an operator can set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a 3.1.1 session outlives its connection, and the cap for 5.0.
    pub session_expiry: Duration,
    /// Messages queued for one session; `None`: no bound.
    pub queue_messages: Option<usize>,
    /// Bytes queued for one session; `None`: no bound.
    pub queue_bytes: Option<usize>,
    /// Who may do what.
    pub rights: Rights,
}
