//! Listeners, TLS and connections: bytes in, packets to the brain; packets from the brain, bytes
//! out. This shell does not know the broker: it talks to a [`Service`].

mod admission;
pub mod authority;
mod connection;
mod listener;
mod outbox;
pub mod tls;

use std::sync::Arc;

use crate::access::{ConnectionId, Peer};
use crate::mqtt::{DecodeError, Packet};

pub use admission::Admission;
pub use connection::serve;
pub use listener::{BindError, Bound, Door};
pub use outbox::{Flow, Outbox};

/// The brain as a connection sees it. Calls are short and never block on anything but the brain's
/// own lock.
pub trait Service: Send + Sync + 'static {
    /// A transport is open (for TLS: after its handshake). Packets for it will be put into `outbox`.
    fn opened(&self, peer: Peer, outbox: Arc<Outbox>) -> ConnectionId;

    /// Packets that arrived in one read, in order; left empty. A CONNECT is alone in its batch, and
    /// nothing is decoded after it until the outbox was filled or closed.
    fn received(&self, connection: ConnectionId, packets: &mut Vec<Packet>);

    /// What arrived is no packet.
    fn malformed(&self, connection: ConnectionId, error: DecodeError);

    /// Packets of this total [`Packet::weight`] have been given to the operating system.
    fn written(&self, connection: ConnectionId, bytes: usize);

    /// The transport is gone; the last call for this connection.
    fn closed(&self, connection: ConnectionId);
}
