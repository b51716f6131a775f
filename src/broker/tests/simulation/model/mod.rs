//! What the broker should do, as naive as possible: a list of sessions with lists of subscriptions
//! and of what they should get. It is told each input before the broker is, and then holds each
//! output against what it expects; it knows nothing of queues, trees, timers or cursors.
//!
//! Which copy a full queue gives up it knows in plain houses only; elsewhere it finds out when a
//! later copy comes first, and keeps a ledger.

mod answers;
mod coming;
mod delivering;
mod going;
mod ledger;
mod resting;
mod routing;
mod searching;
mod seen;
mod sharing;
mod words;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::super::super::{Event, Input, Output, Retention, Settings};
use super::plan::{PRIVATE, Plan};
use crate::access::{ConnectionId, Principal};
use crate::mqtt::{
    Connect, Delivery, Message, Packet, PacketId, QoS, ReasonCode, SubscribeFilter, Will,
};
use crate::time::Tick;

pub(super) use answers::Said;
use ledger::Ledger;
pub(super) use seen::{Seen, Sight};
use sharing::Share;

/// A life of a session: a new one has another number.
pub(super) type Life = u64;

/// See the module.
#[derive(Debug)]
pub(super) struct Model {
    now: Tick,
    settings: Settings,
    exact: bool,
    bounded: bool,
    /// Clients take packets of limited size only.
    sizes: bool,
    /// First level of the topics that are not for guests.
    private: Option<&'static str>,
    losses: Losses,
    connections: BTreeMap<ConnectionId, Connection>,
    sessions: BTreeMap<Life, Session>,
    lives: Life,
    retained: BTreeMap<String, Kept>,
    /// Publications to be retained so far.
    stamp: u64,
    shares: Vec<Share>,
    assigned: u64,
    /// What is still to be said on each connection, but for messages.
    expected: BTreeMap<ConnectionId, VecDeque<Said>>,
    /// Who is to be told of as connected or gone.
    events: Vec<String>,
    ledger: Ledger,
    /// QoS 2 messages that clients have taken, by life.
    pub(super) taken: BTreeMap<(Life, String), u64>,
    /// What was checked, so that a run that checks nothing is noticed.
    pub(super) seen: Seen,
}

/// What becomes of the word of what a queue gives up now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Losses {
    Told,
    Counted,
}

#[derive(Debug)]
struct Connection {
    phase: Phase,
    v5: bool,
    /// Of the last packet.
    heard: Tick,
    /// How long it may be silent.
    silence: Option<Duration>,
    packet_bytes_max: u32,
    /// It is told in words why something is refused.
    wants_words: bool,
}

#[derive(Debug)]
enum Phase {
    Opened,
    Asking(Box<Connect>),
    In(Life),
    Closing,
}

#[derive(Debug)]
struct Session {
    principal: Principal,
    name: String,
    connection: Option<ConnectionId>,
    expiry: Duration,
    ends_at: Option<Tick>,
    will: Option<Will>,
    will_at: Option<Tick>,
    subscriptions: Vec<Subscription>,
    /// QoS 2 publications of the client that it has not released.
    received: BTreeSet<PacketId>,
    /// What it should get and was not sent, in order; what a group shares is elsewhere.
    waiting: VecDeque<Copy>,
    /// Sent, and not yet the client's, in order.
    flights: Vec<Flight>,
    /// Taken over by the client, not yet completed, in the order of the PUBRECs.
    released: Vec<PacketId>,
    /// How many flights it may have.
    window: usize,
    searches: Vec<Search>,
}

#[derive(Clone, Debug)]
struct Subscription {
    wanted: SubscribeFilter,
    id: Option<u32>,
}

/// What one session should get.
#[derive(Clone, Debug)]
struct Copy {
    message: Message,
    qos: QoS,
    retain: bool,
    /// Sorted.
    ids: Vec<u32>,
    expires: Option<Tick>,
    /// Since when it is due.
    since: Tick,
    /// Which of the shares it is.
    share: Option<usize>,
    /// It was too large for a client that has gone since.
    was_too_large: bool,
}

#[derive(Debug)]
struct Flight {
    copy: Copy,
    delivery: Delivery,
    /// It is to be sent again.
    again: bool,
}

#[derive(Debug)]
struct Kept {
    message: Message,
    qos: QoS,
    expires: Tick,
    stamp: u64,
}

/// Retained messages that a subscription asked for. They come after all that waited before, and
/// before all that is published later.
#[derive(Debug)]
struct Search {
    filter: String,
    qos: QoS,
    id: Option<u32>,
    /// What was there when it was asked, by topic and stamp.
    due: Vec<(String, u64)>,
    sent: BTreeSet<String>,
    /// Of the last one that it may bring.
    stamp: u64,
    since: Tick,
}

impl Model {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            now: Tick::ZERO,
            settings: plan.settings.clone(),
            exact: plan.exact,
            bounded: plan.is_bounded(),
            sizes: plan.packet_sizes,
            private: plan.private.then_some(PRIVATE),
            losses: Losses::Told,
            connections: BTreeMap::new(),
            sessions: BTreeMap::new(),
            lives: 0,
            retained: BTreeMap::new(),
            stamp: 0,
            shares: Vec::new(),
            assigned: 0,
            expected: BTreeMap::new(),
            events: Vec::new(),
            ledger: Ledger::default(),
            taken: BTreeMap::new(),
            seen: Seen::default(),
        }
    }

    /// What the broker is about to be told.
    pub(super) fn input(&mut self, now: Tick, input: &Input) {
        assert!(self.next_due().is_none_or(|due| due >= self.now), "the broker asks to be woken");
        self.now = now;
        match input {
            Input::Opened { connection, .. } => self.opened(*connection),
            Input::Packet { connection, packet } => self.packet(*connection, packet),
            Input::Closed { connection } => self.closed(*connection),
            Input::Verdict { connection, verdict } => self.verdict(*connection, verdict),
            Input::Publish { message, qos, retention } => {
                self.own_publication(message, *qos, *retention);
            }
            Input::Announce { message } => {
                self.seen.note(Sight::Announced);
                self.losses = Losses::Counted;
                self.own_publication(message, QoS::AtLeastOnce, Retention::None);
            }
            Input::Malformed { connection, error } => self.malformed(*connection, error.reason),
            Input::Wake => self.wake(),
            Input::Written { .. } => {}
            Input::Shutdown => self.shut_down(),
            other @ (Input::Committed { .. } | Input::Paged(_) | Input::Slept(_)) => {
                panic!("there is no store: {other:?}")
            }
            Input::Rights { .. } => panic!("the rights stay"),
            Input::Reconfigured(_)
            | Input::ListenerClosed { .. }
            | Input::CertificatesEnded { .. } => panic!("the house stays"),
        }
    }

    /// What the broker did.
    pub(super) fn output(&mut self, output: &Output) {
        match output {
            Output::Send { connection, packet: Packet::Publish(publish) } => {
                self.sent(*connection, publish);
            }
            Output::Send { connection, packet } => {
                self.said(*connection, Said::of(packet));
                self.explains(*connection, packet);
            }
            Output::Close { connection } => self.said(*connection, Said::Close),
            Output::Authenticate { connection, .. } => self.said(*connection, Said::Login),
            Output::Event(event) => self.told(event),
            other @ (Output::Commit(_)
            | Output::Page(_)
            | Output::Pause { .. }
            | Output::Resume { .. }) => panic!("there is no store: {other:?}"),
        }
    }

    /// All outputs were polled.
    pub(super) fn settled(&mut self, dropped: u64) {
        self.expected.retain(|_, said| !said.is_empty());
        assert!(self.expected.is_empty(), "not said: {:?}", self.expected);
        assert!(self.events.is_empty(), "not told: {:?}", self.events);
        if self.exact {
            let lives: Vec<Life> = self.sessions.keys().copied().collect();
            for life in lives {
                self.keep_bounds(life);
            }
            assert_eq!(dropped, self.ledger.dropped, "exactly the oldest of full queues go");
        }
        self.losses = Losses::Told;
    }

    /// When the broker must have been woken, at the latest.
    pub(super) fn next_due(&self) -> Option<Tick> {
        self.due().map(|(at, _)| at)
    }

    /// The life of the session that a connection is of.
    pub(super) fn life(&self, connection: ConnectionId) -> Option<Life> {
        match self.connections.get(&connection)?.phase {
            Phase::In(life) => Some(life),
            Phase::Opened | Phase::Asking(_) | Phase::Closing => None,
        }
    }

    fn packet(&mut self, id: ConnectionId, packet: &Packet) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.heard = self.now;
        let (life, v5) = match connection.phase {
            Phase::Opened => return self.asks(id, packet),
            Phase::Asking(_) => panic!("clients wait for the answer to CONNECT"),
            Phase::Closing => return,
            Phase::In(life) => (life, connection.v5),
        };
        match packet {
            Packet::Publish(publish) => self.publication(id, life, v5, publish),
            Packet::PubAck(answer) => {
                self.ended(life, Delivery::AtLeastOnce(answer.packet_id));
            }
            Packet::PubRec(answer) => self.received(id, life, v5, answer),
            Packet::PubRel(answer) => {
                let was_known = self.session(life).received.remove(&answer.packet_id);
                let reason = not_found(!was_known && v5);
                self.expect(id, Said::PubComp(answer.packet_id, reason));
            }
            Packet::PubComp(answer) => {
                self.session(life).released.retain(|&id| id != answer.packet_id);
            }
            Packet::Subscribe(subscribe) => self.subscribe(id, life, subscribe),
            Packet::Unsubscribe(unsubscribe) => self.unsubscribe(id, life, unsubscribe),
            Packet::PingReq => self.expect(id, Said::Pong),
            Packet::Disconnect(disconnect) => self.disconnect(id, life, disconnect),
            Packet::Connect(_) => {
                self.seen.note(Sight::Violation);
                self.ejected(id, life, ReasonCode::ProtocolError);
            }
            other => panic!("clients do not say {other:?}"),
        }
    }

    /// A client did what nobody may.
    fn ejected(&mut self, id: ConnectionId, life: Life, reason: ReasonCode) {
        self.close(id, Some(reason));
        self.detach(life, true);
    }

    /// In plain houses the oldest of an absent client's full queue goes.
    pub(super) fn keep_bounds(&mut self, life: Life) {
        let Some(max) = self.settings.queue_messages else { return };
        let session = self.sessions.get_mut(&life).expect("it is there");
        let max = if session.connection.is_some() { usize::MAX } else { max };
        let waiting = &mut session.waiting;
        while waiting.len() > max {
            waiting.pop_front();
            self.ledger.dropped += 1;
            self.ledger.by_bounds += u64::from(self.losses == Losses::Told);
            self.seen.note(Sight::Dropped);
        }
    }

    fn told(&mut self, event: &Event) {
        let text = match event {
            Event::Connected { client_id, principal, .. } => {
                format!("+ {}/{client_id}", principal.name())
            }
            Event::Disconnected { client_id, .. } => format!("- {client_id}"),
            Event::SessionDiscarded { client_id, user } => format!("x {user}/{client_id}"),
            Event::Refused { client_id, .. } => format!("? {client_id}"),
            Event::Denied { .. } | Event::Rejected { .. } => return,
            Event::StoreFailed { .. } | Event::StoreRecovered => panic!("there is no store"),
            Event::QueueDropped { messages, .. } => {
                self.ledger.told += messages;
                return;
            }
        };
        let found = self.events.iter().position(|expected| *expected == text);
        let place = found.unwrap_or_else(|| panic!("told {text}, not one of {:?}", self.events));
        self.events.remove(place);
    }

    fn session(&mut self, life: Life) -> &mut Session {
        self.sessions.get_mut(&life).expect("a connection is of a session")
    }
}

impl Copy {
    fn is_expired(&self, now: Tick) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }

    /// At the instant of its publication it may be sent in any case.
    fn may_be_sent(&self, now: Tick) -> bool {
        !self.is_expired(now) || self.since == now
    }
}

fn not_found(is_so: bool) -> ReasonCode {
    if is_so { ReasonCode::PacketIdentifierNotFound } else { ReasonCode::Success }
}
