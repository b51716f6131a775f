//! The end of a connection, whoever ends it, and what remains of the client.

use super::connection::Phase;
use super::session::SessionIndex;
use super::timers::Timer;
use super::{Broker, Event, Life};
use crate::access::{ConnectionId, Denied, Peer};
use crate::mqtt::{DecodeError, ReasonCode};
use crate::time::Tick;

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Departure {
    /// By a DISCONNECT.
    Disconnect,
    /// The transport has gone.
    Lost,
    /// The peer was silent for too long.
    Silent,
    /// The peer broke the protocol ([MQTT-4.8.0-1]).
    Violation,
    /// The peer sent no packet.
    Malformed(&'static str),
    /// The peer asks and does not read the answers.
    Flooded,
    /// The same client came by another connection.
    TakenOver,
    /// The process ends.
    Shutdown,
}

impl Departure {
    /// In which way, for people.
    const fn reason(self) -> &'static str {
        match self {
            Self::Disconnect => "disconnected",
            Self::Lost => "connection lost",
            Self::Silent => "keep alive exceeded",
            Self::Violation => "protocol violation",
            Self::Malformed(detail) => detail,
            Self::Flooded => "answers not read",
            Self::TakenOver => "taken over by a newer connection",
            Self::Shutdown => "gateway stopping",
        }
    }

    /// Whether the client went without a word, so that its will speaks for it ([MQTT-3.1.2-8]).
    const fn publishes_will(self) -> bool {
        match self {
            Self::Disconnect | Self::Shutdown => false,
            Self::Lost
            | Self::Silent
            | Self::Violation
            | Self::Malformed(_)
            | Self::Flooded
            | Self::TakenOver => true,
        }
    }
}

impl Broker {
    /// Ends a connection from our side; nothing if that was done before.
    pub(super) fn close(&mut self, now: Tick, id: ConnectionId, departure: Departure) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let session = match connection.phase {
            Phase::Closing => return,
            Phase::Opened | Phase::Authenticating(_) => None,
            Phase::Connected(session) => Some(session),
        };
        self.timers.cancel(&mut connection.alarm, Timer::Connection(id));
        self.outputs.close(connection);
        let peer = connection.peer.clone();
        if let Some(session) = session {
            self.detach(now, session, &peer, departure);
        }
    }

    /// The transport has gone, from their side or from ours.
    pub(super) fn closed(&mut self, now: Tick, id: ConnectionId) {
        let Some(mut connection) = self.connections.remove(&id) else { return };
        self.timers.cancel(&mut connection.alarm, Timer::Connection(id));
        if let Phase::Connected(session) = connection.phase {
            self.detach(now, session, &connection.peer, Departure::Lost);
        }
    }

    /// What arrived is no packet. Only a CONNECT of an unknown version is answered.
    pub(super) fn malformed(&mut self, now: Tick, id: ConnectionId, error: &DecodeError) {
        let phase = self.connections.get(&id).map(|connection| &connection.phase);
        let is_version = error.reason == ReasonCode::UnsupportedProtocolVersion;
        if is_version && matches!(phase, Some(Phase::Opened)) {
            return self.refuse(now, id, error.reason);
        }
        self.close(now, id, Departure::Malformed(error.detail));
    }

    /// A connection's timer went off. Packets only note when they came, so this may be too early.
    pub(super) fn connection_due(&mut self, now: Tick, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.alarm = None;
        let silence_ends = connection.silence_max.map(|max| connection.last_heard.after(max));
        match silence_ends {
            Some(at) if at > now => {
                self.timers.arm(&mut connection.alarm, Timer::Connection(id), at);
            }
            Some(_) | None => self.close(now, id, Departure::Silent),
        }
    }

    /// Ends a connection whose answers pile up.
    pub(super) fn close_if_flooded(&mut self, now: Tick, id: ConnectionId) {
        let connection = self.connections.get(&id);
        if connection.is_some_and(|connection| connection.unwritten.is_flooded()) {
            self.close(now, id, Departure::Flooded);
        }
    }

    /// Ends all connections, in a fixed order.
    pub(super) fn shut_down(&mut self, now: Tick) {
        self.life = Life::Stopping;
        let mut connections: Vec<_> = self.connections.keys().copied().collect();
        connections.sort_unstable();
        for id in connections {
            self.close(now, id, Departure::Shutdown);
        }
    }

    /// Tells that a client did what it may not do, in intervals.
    pub(super) fn deny(
        &mut self,
        now: Tick,
        id: ConnectionId,
        client_id: String,
        topic: &str,
        denied: Denied,
    ) {
        self.outputs.traffic.denied += 1;
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Some(times) = connection.denials.count(now) else { return };
        let (peer, topic, reason) = (connection.peer.address, topic.to_owned(), denied);
        self.outputs.event(Event::Denied { peer, client_id, topic, reason, times });
    }

    /// Parts a session from its connection; its end if it is not to outlive it ([MQTT-3.1.2-6]).
    fn detach(&mut self, now: Tick, index: SessionIndex, peer: &Peer, departure: Departure) {
        let session = &mut self.sessions[index];
        session.connection = None;
        self.timers.cancel(&mut session.resume_at, Timer::Resume(index));
        let dropped = super::outputs::counted(session.queue.drop_at_most_once());
        self.outputs.traffic.messages_dropped += dropped;
        let will = session.will.take().filter(|_| departure.publishes_will());
        let (client_id, principal) =
            (session.key.client_id.to_string(), session.key.principal.clone());
        let reason = departure.reason();
        self.outputs.event(Event::Disconnected { peer: peer.address, client_id, reason });
        if session.expiry.is_zero() {
            self.discard_session(index);
        } else {
            let at = now.after(session.expiry);
            self.timers.arm(&mut session.expires_at, Timer::SessionExpiry(index), at);
        }
        if let Some(will) = will {
            self.publish_will(now, &principal, will);
        }
    }
}
