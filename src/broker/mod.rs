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
//! [`Principal::Gateway`]: crate::access::Principal::Gateway

mod connect;
mod connection;
mod delivery;
mod interface;
mod invariants;
mod publish;
mod retained;
mod session;
mod subscribe;
mod subscriptions;
#[cfg(test)]
mod tests;
mod timers;

use std::collections::{HashMap, VecDeque};

use crate::access::ConnectionId;
use crate::mqtt::{Acknowledgement, Packet, ReasonCode};
use crate::time::Tick;

use connection::{Connection, Ending, Phase};
use delivery::Answer;
use retained::RetainedMessages;
use session::{SessionIndex, Sessions};
use subscriptions::Subscriptions;
use timers::{Timer, Timers};

pub use interface::{Event, Input, Output, Retention, Settings};

/// The broker. One owner, `&mut`.
#[derive(Debug)]
pub struct Broker {
    settings: Settings,
    connections: HashMap<ConnectionId, Connection>,
    sessions: Sessions,
    subscriptions: Subscriptions,
    retained: RetainedMessages,
    timers: Timers,
    outputs: VecDeque<Output>,
    statistics: Statistics,
    /// Matches of the message being routed; kept for its memory.
    matches: Vec<(SessionIndex, crate::mqtt::QoS)>,
    is_shutting_down: bool,
}

/// What happened since the start; only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// PUBLISH packets taken from clients and from the gateway.
    pub messages_received: u64,
    /// PUBLISH packets given to connections.
    pub messages_sent: u64,
    /// Messages that left a full queue unseen.
    pub messages_dropped: u64,
    /// Messages whose time was over before they could be delivered.
    pub messages_expired: u64,
    /// Connections that were let in.
    pub clients_accepted: u64,
}

/// What is kept at one moment, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueSizes {
    /// Open transports.
    pub connections: usize,
    /// Sessions, their clients there or away.
    pub sessions: usize,
    /// Filters of all sessions.
    pub subscriptions: usize,
    /// Topics with a retained message.
    pub retained: usize,
    /// Messages waiting for their client.
    pub queued: usize,
    /// Messages sent and not acknowledged.
    pub in_flight: usize,
    /// QoS 2 messages received whose PUBREL has not come.
    pub unreleased: usize,
}

impl Broker {
    /// A broker without sessions.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            connections: HashMap::new(),
            sessions: Sessions::default(),
            subscriptions: Subscriptions::default(),
            retained: RetainedMessages::default(),
            timers: Timers::default(),
            outputs: VecDeque::new(),
            statistics: Statistics::default(),
            matches: Vec::new(),
            is_shutting_down: false,
        }
    }

    /// Takes one event; drain [`Broker::poll`] after it.
    pub fn handle(&mut self, now: Tick, input: Input) {
        debug_assert!(self.outputs.is_empty(), "one mutation, then drain");
        match input {
            Input::Opened { connection, peer } => self.opened(now, connection, peer),
            Input::Packet { connection, packet } => self.packet(now, connection, packet),
            Input::Malformed { connection, error } => self.malformed(now, connection, &error),
            Input::Closed { connection } => self.closed(now, connection),
            Input::Written { connection, bytes } => self.written(now, connection, bytes),
            Input::Verdict { connection, verdict } => self.verdict(now, connection, verdict),
            Input::Publish { message, qos, retention } => {
                self.statistics.messages_received += 1;
                self.route(now, &message, qos, retention);
            }
            Input::Wake => {}
            Input::Shutdown => self.shut_down(now),
        }
        self.expire(now);
    }

    /// What is to be done next, in order.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Broker::handle`] with [`Input::Wake`] at the latest.
    pub fn deadline(&self) -> Option<Tick> {
        let deadlines = [self.timers.deadline(), self.retained.deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// What happened since the start.
    pub const fn statistics(&self) -> Statistics {
        self.statistics
    }

    fn packet(&mut self, now: Tick, id: ConnectionId, packet: Packet) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.last_heard = now;
        match &connection.phase {
            Phase::AwaitingConnect => self.first_packet(now, id, packet),
            Phase::Authenticating(_) => self.end(now, id, Ending::Violation),
            Phase::Serving { session } => {
                let session = *session;
                self.serve(now, id, session, packet);
            }
            Phase::Closing => {}
        }
    }

    fn serve(&mut self, now: Tick, id: ConnectionId, session: SessionIndex, packet: Packet) {
        match packet {
            Packet::Publish(publish) => self.received(now, id, session, &publish),
            Packet::PubAck(Acknowledgement { packet_id, .. }) => {
                self.answered(now, session, packet_id, Answer::Acknowledged);
            }
            Packet::PubRec(Acknowledgement { packet_id, .. }) => {
                self.answered(now, session, packet_id, Answer::Received);
            }
            Packet::PubComp(Acknowledgement { packet_id, .. }) => {
                self.answered(now, session, packet_id, Answer::Completed);
            }
            Packet::PubRel(answer) => self.released(id, session, answer.packet_id),
            Packet::Subscribe(subscribe) => self.subscribe(now, id, session, &subscribe),
            Packet::Unsubscribe(unsubscribe) => self.unsubscribe(id, session, &unsubscribe),
            Packet::PingReq => self.send(id, Packet::PingResp),
            Packet::Disconnect(_) => self.end(now, id, Ending::Farewell),
            // A second CONNECT [MQTT-3.1.0-2], and what only servers send.
            Packet::Connect(_)
            | Packet::ConnAck(_)
            | Packet::SubAck(_)
            | Packet::UnsubAck(_)
            | Packet::PingResp
            | Packet::Auth(_) => self.end(now, id, Ending::Violation),
        }
    }

    fn malformed(&mut self, now: Tick, id: ConnectionId, error: &crate::mqtt::DecodeError) {
        let Some(connection) = self.connections.get(&id) else { return };
        let awaited = matches!(connection.phase, Phase::AwaitingConnect);
        if awaited && error.reason == ReasonCode::UnsupportedProtocolVersion {
            return self.refuse(now, id, error.reason); // [MQTT-3.1.2-2]
        }
        self.end(now, id, Ending::Malformed(error.detail));
    }

    fn written(&mut self, now: Tick, id: ConnectionId, bytes: usize) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.unwritten = connection.unwritten.saturating_sub(bytes);
        if let Phase::Serving { session } = connection.phase {
            self.pump(now, session);
        }
    }

    fn shut_down(&mut self, now: Tick) {
        self.is_shutting_down = true;
        let mut connections: Vec<ConnectionId> = self.connections.keys().copied().collect();
        connections.sort_unstable();
        for connection in connections {
            self.end(now, connection, Ending::Shutdown);
        }
    }

    fn expire(&mut self, now: Tick) {
        while let Some(timer) = self.timers.pop(now) {
            match timer {
                Timer::Connection(id) => self.connection_timer(now, id),
                Timer::Session(session) => self.remove_session(session),
            }
        }
        self.statistics.messages_expired += self.retained.expire(now);
    }

    /// Gives `packet` to a connection, and counts it until it is written.
    fn send(&mut self, id: ConnectionId, packet: Packet) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.unwritten = connection.unwritten.saturating_add(packet.weight());
            self.outputs.push_back(Output::Send { connection: id, packet });
        }
    }
}
