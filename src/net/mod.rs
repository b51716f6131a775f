//! Listeners, TLS, WebSocket and connections: bytes in, packets to the brain; packets from the
//! brain, bytes out. This shell does not know the broker: it talks to a [`Service`].

mod admission;
mod authority;
mod bind;
mod complaint;
mod connection;
mod credentials;
pub mod http;
mod input;
mod listener;
mod meter;
mod names;
pub mod tls;
mod unfinished;
pub mod websocket;
mod whole_file;
mod writer;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::access::{ConnectionId, Peer, Refusal};
use crate::mqtt::{DecodeError, Packet};

pub(crate) use admission::household;
pub use admission::{Admission, Bounds, TurnedAway};
pub use authority::{
    Authority, AuthorityFacts, CertificateFacts, ClientIdentity, PKCS12_CHANCE_BYTES, root_of,
};
pub use bind::BindError;
pub(crate) use credentials::credential;
pub use listener::{Bound, Door, Listener, Stop, Taken, Transport};
pub use meter::{Meter, Metered};
pub use names::Names;
pub use tls::Tls;
pub(crate) use whole_file::{open_regular, read_whole};

/// What to do about an answer of the operating system, as a line behind it, where that is known.
pub(crate) fn hint_of(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "\n  hint: make room: `df -h` shows which file system is full"
        }
        _ => "",
    }
}

/// Where certificates and keys are kept: private files by name.
pub trait Files {
    /// The content of a file, or `None` if there is none of that name.
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>>;

    /// Replaces a file as a whole; only its owner can read it.
    fn write(&self, name: &str, content: &[u8]) -> io::Result<()>;

    /// Removes a file; one that is not there already is.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Where a file of that name is, for people.
    fn place(&self, name: &str) -> PathBuf;
}

/// The brain as a connection sees it. Calls are short and never block on anything but the brain's
/// own lock.
pub trait Service: Send + Sync + 'static {
    /// A transport is open (for TLS: after its handshake). What is for it will be put into
    /// `outbox`.
    fn opened(&self, peer: Peer, outbox: Arc<Outbox>) -> ConnectionId;

    /// A peer was turned down in its handshake, for its certificate or for want of one: it is not
    /// opened. Its certificate, if one was shown, names this `user`; whether it is, nobody knows.
    fn refused(&self, peer: &Peer, user: &str, refusal: Refusal);

    /// Packets that arrived, in order. What would take too long is left, and comes again when
    /// others had their turn. After a CONNECT nothing is decoded until the outbox was filled or
    /// closed.
    fn received(&self, connection: ConnectionId, packets: &mut Vec<Packet>);

    /// What arrived is no packet, or an unfinished one had to make room.
    fn malformed(&self, connection: ConnectionId, error: DecodeError);

    /// Packets of this total [`Packet::weight`] have been given to the operating system.
    fn written(&self, connection: ConnectionId, bytes: usize);

    /// The transport is gone; the last call for this connection.
    fn closed(&self, connection: ConnectionId);
}

/// Packets on their way to one connection. The broker bounds what is in it (it counts what it sent
/// and what [`Service::written`] gave back), so pushing never waits.
#[derive(Debug, Default)]
pub struct Outbox(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    packets: Vec<Packet>,
    is_closed: bool,
    reading: Reading,
    /// Whether something happened that the connection has not seen.
    is_changed: bool,
    /// The connection, while it waits.
    waker: Option<Waker>,
}

/// Whether the connection is to read what its peer says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    /// Yes.
    #[default]
    On,
    /// Not for the moment: the bytes stay in the kernel, and TCP makes the peer wait.
    Paused,
}

/// Whether more will follow what [`Outbox::take`] gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Yes, and meanwhile the peer is to be read, or not.
    Open(Reading),
    /// No: write what there is, then close.
    Closing,
}

impl Outbox {
    /// Puts a packet at the end.
    pub fn push(&self, packet: Packet) {
        self.change(|queue| queue.packets.push(packet));
    }

    /// After what is in it, the connection is to be closed.
    pub fn close(&self) {
        self.change(|queue| queue.is_closed = true);
    }

    /// Lets the connection read on, or not.
    pub fn set_reading(&self, reading: Reading) {
        self.change(|queue| queue.reading = reading);
    }

    /// Moves all packets into `packets`, which is empty.
    pub fn take(&self, packets: &mut Vec<Packet>) -> Flow {
        debug_assert!(packets.is_empty(), "what was taken before is written");
        let mut queue = self.lock();
        queue.is_changed = false;
        std::mem::swap(&mut queue.packets, packets);
        if queue.is_closed { Flow::Closing } else { Flow::Open(queue.reading) }
    }

    /// Whether anything has happened since [`Outbox::take`].
    pub fn is_changed(&self) -> bool {
        self.lock().is_changed
    }

    /// Ready if anything has happened since [`Outbox::take`]; only one waits at a time.
    pub fn poll_changed(&self, context: &Context<'_>) -> Poll<()> {
        let mut queue = self.lock();
        if queue.is_changed {
            return Poll::Ready(());
        }
        queue.waker = Some(context.waker().clone());
        Poll::Pending
    }

    fn change(&self, change: impl FnOnce(&mut Queue)) {
        let mut queue = self.lock();
        change(&mut queue);
        queue.is_changed = true;
        let waiting = queue.waker.take();
        drop(queue);
        if let Some(waker) = waiting {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
