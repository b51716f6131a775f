//! A service that writes down what it is told.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;
use crate::access::Policy;
use crate::mqtt::{ConnectAcknowledgement, ConnectAcknowledgementProperties, ReasonCode};

#[derive(Debug, PartialEq)]
pub(super) enum Seen {
    Opened { listener: String, certificate: Option<String> },
    Refused { user: String, refusal: Refusal },
    Received(Vec<Packet>),
    Malformed(DecodeError),
    Written(usize),
    Closed,
}

/// Sees [`Seen`]s and keeps every outbox.
pub(super) struct Recorder {
    seen: mpsc::UnboundedSender<(ConnectionId, Seen)>,
    outboxes: Mutex<Vec<Arc<Outbox>>>,
    /// Packets that it takes at a time.
    pub(super) bite: AtomicUsize,
}

pub(super) struct Record {
    pub(super) service: Arc<Recorder>,
    seen: mpsc::UnboundedReceiver<(ConnectionId, Seen)>,
}

impl Record {
    pub(super) fn new() -> Self {
        let (sender, seen) = mpsc::unbounded_channel();
        let service = Recorder {
            seen: sender,
            outboxes: Mutex::default(),
            bite: AtomicUsize::new(usize::MAX),
        };
        Self { service: Arc::new(service), seen }
    }

    /// What is seen next, however long it takes (which is no time where the clock is paused).
    pub(super) async fn next(&mut self) -> Seen {
        let next = timeout(Duration::from_secs(20), self.seen.recv()).await;
        next.expect("nothing more was seen").unwrap().1
    }

    /// What is seen next, without a bound of its own.
    pub(super) async fn next_for_long(&mut self) -> Seen {
        self.seen.recv().await.unwrap().1
    }

    /// What is seen within that time.
    pub(super) async fn next_within(&mut self, time: Duration) -> Option<Seen> {
        timeout(time, self.seen.recv()).await.ok()?.map(|(_, seen)| seen)
    }

    /// What is seen next, reports of writing aside.
    pub(super) async fn next_but_written(&mut self) -> Seen {
        loop {
            match self.next().await {
                Seen::Written(_) => {}
                other => return other,
            }
        }
    }

    /// For a paused clock: whether nothing happens for a while.
    pub(super) async fn is_quiet(&mut self) -> bool {
        timeout(Duration::from_secs(5), self.seen.recv()).await.is_err()
    }

    /// Whether all is seen.
    pub(super) fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    pub(super) fn outbox(&self, connection: usize) -> Arc<Outbox> {
        Arc::clone(&self.service.outboxes.lock().unwrap()[connection])
    }
}

impl Recorder {
    fn see(&self, connection: ConnectionId, seen: Seen) {
        // A test that has seen enough has dropped the other end.
        let _ = self.seen.send((connection, seen));
    }
}

impl Service for Recorder {
    fn opened(&self, peer: Peer, outbox: Arc<Outbox>) -> ConnectionId {
        let mut outboxes = self.outboxes.lock().unwrap();
        let id = ConnectionId(u64::try_from(outboxes.len()).unwrap());
        outboxes.push(outbox);
        let Peer { listener, certificate, .. } = peer;
        let certificate = certificate.map(|it| it.name);
        self.see(id, Seen::Opened { listener: listener.to_string(), certificate });
        id
    }

    fn refused(&self, _: &Peer, user: &str, refusal: Refusal) {
        let none = ConnectionId(u64::MAX);
        self.see(none, Seen::Refused { user: user.to_owned(), refusal });
    }

    fn received(&self, connection: ConnectionId, packets: &mut Vec<Packet>) {
        let count = self.bite.load(Ordering::Relaxed).min(packets.len());
        self.see(connection, Seen::Received(packets.drain(..count).collect()));
    }

    fn malformed(&self, connection: ConnectionId, error: DecodeError) {
        self.see(connection, Seen::Malformed(error));
    }

    fn written(&self, connection: ConnectionId, bytes: usize) {
        self.see(connection, Seen::Written(bytes));
    }

    fn closed(&self, connection: ConnectionId) {
        self.see(connection, Seen::Closed);
    }
}

pub(super) fn peer() -> Peer {
    Peer {
        address: SocketAddr::from(([192, 0, 2, 1], 50_000)),
        listener: "plain".into(),
        policy: Policy::Anonymous,
        certificate: None,
    }
}

pub(super) fn welcome() -> Packet {
    Packet::ConnAck(Box::new(ConnectAcknowledgement {
        session_present: false,
        reason: ReasonCode::Success,
        properties: ConnectAcknowledgementProperties::default(),
    }))
}

pub(super) fn refusal() -> Packet {
    let Packet::ConnAck(answer) = welcome() else { unreachable!() };
    Packet::ConnAck(Box::new(ConnectAcknowledgement {
        reason: ReasonCode::NotAuthorized,
        ..*answer
    }))
}

#[test]
fn an_outbox_gives_packets_in_order_and_then_that_it_is_closed() {
    let outbox = Outbox::default();
    let mut packets = Vec::new();
    assert_eq!(outbox.take(&mut packets), Flow::Open(Reading::On));
    outbox.push(Packet::PingResp);
    outbox.push(Packet::PingReq);
    outbox.set_reading(Reading::Paused);
    assert_eq!(outbox.take(&mut packets), Flow::Open(Reading::Paused));
    outbox.close();
    assert_eq!(std::mem::take(&mut packets), [Packet::PingResp, Packet::PingReq]);
    assert_eq!(outbox.take(&mut packets), Flow::Closing);
}

#[test]
fn one_who_waits_is_woken_once_and_told_what_came_before() {
    let (woken, outbox) = (Arc::new(Woken::default()), Outbox::default());
    let waker = Arc::clone(&woken).into();
    let context = Context::from_waker(&waker);
    outbox.push(Packet::PingResp);
    assert!(outbox.poll_changed(&context).is_ready(), "what was put in before one waits");
    outbox.take(&mut Vec::new());
    assert!(outbox.poll_changed(&context).is_pending());
    assert_eq!(woken.0.load(Ordering::Relaxed), 0);
    outbox.push(Packet::PingResp);
    outbox.close();
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert!(outbox.poll_changed(&context).is_ready());
}

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl std::task::Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
