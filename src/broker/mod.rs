//! The broker as a pure state machine: sessions, subscriptions, delivery, retained messages, wills.
//!
//! ```text
//!   Input ──▶ handle(now, …) ──▶ poll() ──▶ Output, until None
//!                 ▲
//!   deadline() ───┘ the shell calls `handle(now, Input::Wake)` when it has passed
//! ```
//!
//! `handle` cannot fail: a bad peer is an output, our own fault an assertion. The broker does not
//! know that sensors exist: a reading is a publication by [`Principal::Gateway`].
//!
//! Sections and clauses are those of MQTT 5.0 unless another version is named;
//! `tests/conformance.md` lists them all with their tests.

mod acknowledge;
mod announce;
mod clients;
mod connect;
mod connection;
mod delivery;
mod disconnect;
mod held;
mod invariants;
mod keep;
mod objection;
mod outputs;
mod persistence;
mod publish;
mod queue;
mod reconfigured;
pub mod record;
mod retained;
mod rights;
mod session;
mod settings;
mod shared;
mod statistics;
mod stored;
mod subscribe;
mod subscriptions;
#[cfg(test)]
mod tests;
mod timers;
mod tree;
mod welcome;
mod will;
mod window;

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::FixedState;

use crate::access::{
    ConnectionId, Denied, Login, Peer, Principal, Refusal, Revoked, Rights, Verdict,
};
use crate::mqtt::{DecodeError, Message, Packet, QoS};
use crate::time::Tick;

use announce::Losses;
use connection::{Connection, Denials, Phase};
use disconnect::Departure;
use objection::Objection;
use outputs::Outputs;
use persistence::Persistence;
use queue::Gauge;
use record::{Batch, Page, PageRequest, SessionId, Trouble};
use retained::Retained;
use session::{SessionIndex, Sessions};
use subscriptions::{Match, Subscriptions};
use timers::{Timer, Timers};

pub use clients::{Client, Presence};
pub use persistence::{Delays, Keeping};
pub use settings::{Allowance, Bounds, Settings};
pub use statistics::{Statistics, Traffic};

/// What the brain is told.
#[derive(Debug)]
pub enum Input {
    /// A transport is open; its CONNECT is awaited.
    Opened {
        /// Its name from now on.
        connection: ConnectionId,
        /// Who is at the other end, as far as the transport knows.
        peer: Box<Peer>,
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
    /// The gateway tells what happened in the broker: QoS 1, not retained. What this costs a full
    /// queue is counted and not told again.
    Announce {
        /// Topic and payload.
        message: Message,
    },
    /// The answer to [`Output::Commit`].
    Committed {
        /// The number of the batch.
        number: u64,
        /// Durable as a whole, or not at all.
        outcome: Result<(), Trouble>,
    },
    /// The answer to [`Output::Page`].
    Paged(Page),
    /// The wall clock was set: the machine had been off for so much longer than was known when an
    /// earlier life was restored.
    Slept(Duration),
    /// What people may has changed.
    Rights {
        /// The rules from now on.
        rights: Rights,
        /// What counts no more.
        revoked: Revoked,
    },
    /// An operator has set this; it holds for what comes from now on.
    Reconfigured(Box<Allowance>),
    /// The certificates of these connections count no more: they end, their sessions stay.
    CertificatesEnded {
        /// Which.
        connections: Vec<ConnectionId>,
    },
    /// A listener lets nobody in any more, or not by the same terms: who came by it goes.
    ListenerClosed {
        /// Its name.
        listener: Arc<str>,
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
        login: Box<Login>,
    },
    /// Keep this; [`Input::Committed`] follows, and no other batch before it.
    Commit(Batch),
    /// Fetch messages; [`Input::Paged`] follows.
    Page(PageRequest),
    /// Read no more of what this peer says, for the moment.
    Pause {
        /// Whose.
        connection: ConnectionId,
    },
    /// Read on.
    Resume {
        /// Whose.
        connection: ConnectionId,
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
        /// On whose behalf it was there.
        principal: Principal,
        /// In which way.
        reason: Cow<'static, str>,
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
    /// A CONNECT was refused for what it asks, not for its login. Told at most once per
    /// [`limits::EVENT_INTERVAL`](crate::limits::EVENT_INTERVAL).
    Rejected {
        /// Where it came from.
        peer: SocketAddr,
        /// By which listener.
        listener: Arc<str>,
        /// Client identifier it gave, if that much was understood.
        client_id: String,
        /// Why.
        reason: Cow<'static, str>,
        /// How many, of any client, since the last such event.
        times: u64,
    },
    /// A client may not publish or subscribe there. Told at most once per
    /// [`limits::EVENT_INTERVAL`](crate::limits::EVENT_INTERVAL) and connection.
    Denied {
        /// Where it came from.
        peer: SocketAddr,
        /// Its client identifier.
        client_id: String,
        /// Topic name or filter.
        topic: String,
        /// The rule that decided.
        reason: Denied,
        /// How many times, of any topic, since the last such event.
        times: u64,
    },
    /// There were too many sessions: one whose client is away was given up, with all that waited.
    SessionDiscarded {
        /// Its client.
        client_id: String,
        /// Whose client.
        user: String,
    },
    /// The store cannot keep anything; what clients want kept is refused, all else goes on.
    StoreFailed {
        /// Why.
        trouble: Trouble,
    },
    /// It can again.
    StoreRecovered,
    /// Messages of a full queue were dropped, the oldest first.
    QueueDropped {
        /// Whose queue.
        client_id: String,
        /// How many since the last such event.
        messages: u64,
    },
}

/// The broker. One owner, `&mut`.
#[derive(Debug)]
pub struct Broker {
    settings: Settings,
    /// Nobody chooses their names, so a quick hash is enough. Boxed, as half of a table is empty.
    connections: HashMap<ConnectionId, Box<Connection>, FixedState>,
    sessions: Sessions,
    subscriptions: Subscriptions,
    retained: Retained,
    timers: Timers,
    outputs: Outputs,
    /// Bytes that wait for all sessions.
    queued: Gauge,
    /// Scratch of [`Subscriptions::matches`], kept so that routing does not allocate.
    matches: Vec<Match>,
    /// Client identifiers assigned so far.
    assigned: u64,
    life: Life,
    losses: Losses,
    persistence: Persistence,
    /// Absent sessions of an earlier life, and when they ended by what was known then.
    restored: Vec<(SessionId, Tick)>,
    /// CONNECTs that were refused.
    rejections: Denials,
}

/// Whether connections are let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Serving,
    Stopping,
}

impl Broker {
    /// A broker without sessions.
    pub fn new(settings: Settings) -> Self {
        Self {
            retained: Retained::new(settings.bounds.retained_bytes),
            persistence: Persistence::new(settings.keeping),
            settings,
            connections: HashMap::default(),
            sessions: Sessions::default(),
            subscriptions: Subscriptions::default(),
            timers: Timers::default(),
            outputs: Outputs::default(),
            queued: Gauge::default(),
            matches: Vec::new(),
            assigned: 0,
            life: Life::Serving,
            losses: Losses::Told,
            restored: Vec::new(),
            rejections: Denials::default(),
        }
    }

    /// Takes one event; drain [`Broker::poll`] after it.
    pub fn handle(&mut self, now: Tick, input: Input) {
        debug_assert!(self.outputs.is_empty(), "outputs are drained after each input");
        match input {
            Input::Opened { connection, peer } => self.opened(now, connection, *peer),
            Input::Packet { connection, packet } => self.packet(now, connection, packet),
            Input::Malformed { connection, error } => self.malformed(now, connection, &error),
            Input::Closed { connection } => self.closed(now, connection),
            Input::Written { connection, bytes } => self.written(now, connection, bytes),
            Input::Verdict { connection, verdict } => self.verdict(now, connection, verdict),
            Input::Publish { message, qos, retention } => {
                self.own_publish(now, message, qos, retention);
            }
            Input::Announce { message } => self.announce(now, message),
            Input::Committed { number, outcome } => self.committed(now, number, outcome),
            Input::Paged(page) => self.paged(now, page),
            Input::Slept(time) => self.slept(now, time),
            Input::Rights { rights, revoked } => self.rights_changed(now, rights, &revoked),
            Input::Reconfigured(allowance) => self.reconfigured(now, *allowance),
            Input::ListenerClosed { listener } => self.listener_closed(now, &listener),
            Input::CertificatesEnded { connections } => self.certificates_ended(now, connections),
            Input::Wake => self.wake(now),
            Input::Shutdown => self.shut_down(now),
        }
        self.send_ready(now);
    }

    /// What is to be done next, in order.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.next()
    }

    /// When to call [`Broker::handle`] with [`Input::Wake`] at the latest.
    pub fn deadline(&mut self) -> Option<Tick> {
        let commit = self.persistence.due(self.life == Life::Stopping);
        let deadlines = [self.timers.deadline(), self.retained.deadline(), commit];
        deadlines.into_iter().flatten().min()
    }

    /// Whether every client that is there has acknowledged all that is for it.
    pub fn all_delivered(&self) -> bool {
        self.sessions
            .iter()
            .filter(|(_, session)| session.connection.is_some())
            .all(|(_, session)| session.queue.is_empty() && session.window.len() == 0)
    }

    fn packet(&mut self, now: Tick, id: ConnectionId, packet: Packet) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.last_heard = now;
        self.outputs.traffic.packets_received += 1;
        self.outputs.traffic.connects += u64::from(matches!(packet, Packet::Connect(_)));
        match connection.phase {
            Phase::Opened => self.first_packet(now, id, packet),
            Phase::Authenticating(_) => {
                let why = "a packet before the answer to CONNECT";
                self.close(now, id, Departure::Fault(Objection::violation(why)));
            }
            Phase::Connected(session) => self.next_packet(now, id, session, packet),
            Phase::Closing => {}
        }
    }

    fn next_packet(&mut self, now: Tick, id: ConnectionId, session: SessionIndex, packet: Packet) {
        match packet {
            Packet::Publish(publish) => self.publish(now, id, session, publish),
            Packet::PubAck(answer) => self.acknowledged(now, session, &answer),
            Packet::PubRec(answer) => self.received(now, id, session, &answer),
            Packet::PubRel(answer) => self.released(now, id, session, answer.packet_id),
            Packet::PubComp(answer) => self.completed(now, session, &answer),
            Packet::Subscribe(subscribe) => self.subscribe(now, id, session, &subscribe),
            Packet::Unsubscribe(unsubscribe) => self.unsubscribe(now, id, session, &unsubscribe),
            Packet::PingReq => self.send(id, Packet::PingResp),
            Packet::Disconnect(disconnect) => self.disconnected(now, id, session, &disconnect),
            Packet::Connect(_) => {
                let why = "a second CONNECT [MQTT-3.1.0-2]";
                self.close(now, id, Departure::Fault(Objection::violation(why)));
            }
            Packet::Auth(_) => {
                let why = "AUTH without an authentication method in CONNECT [MQTT-4.12.0-7]";
                self.close(now, id, Departure::Fault(Objection::violation(why)));
            }
            Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {
                let why = "a packet that only servers send";
                self.close(now, id, Departure::Fault(Objection::violation(why)));
            }
        }
        if std::mem::take(&mut self.outputs.has_flooded) {
            self.close_if_flooded(now, id);
        }
    }

    /// One search goes on at a time, so that the others and the shell have their turn in between.
    fn wake(&mut self, now: Tick) {
        self.expire_retained(now);
        while let Some(timer) = self.timers.next_due(now) {
            match timer {
                Timer::Connection(id) => self.connection_due(now, id),
                Timer::SessionExpiry(session) => self.session_expired(now, session),
                Timer::DropReport(session) => self.report_drops(session),
                Timer::Will(session) => self.will_due(now, session),
                Timer::Resume(session) => {
                    self.resume(now, session);
                    break;
                }
            }
        }
        self.commit(now);
    }

    /// Whether the peer can be told reasons and properties.
    fn is_v5(&self, id: ConnectionId) -> bool {
        self.connections.get(&id).is_some_and(|connection| connection.terms.is_v5())
    }

    /// Sends to a connection that is known to be there; nothing once it is closing.
    fn send(&mut self, id: ConnectionId, packet: Packet) {
        if let Some(connection) = self.connections.get_mut(&id) {
            self.outputs.send(connection, packet);
        }
    }
}
