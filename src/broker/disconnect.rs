//! The end of a connection, whoever ends it, and what remains of the client.

use std::borrow::Cow;
use std::time::Duration;

use super::connection::Phase;
use super::objection::Objection;
use super::session::SessionIndex;
use super::timers::Timer;
use super::{Broker, Event, Life};
use crate::access::{ConnectionId, Denied, Peer};
use crate::mqtt::{DecodeError, Disconnect, DisconnectProperties, Packet, ReasonCode};
use crate::time::Tick;

/// How a connection ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Departure {
    /// By a DISCONNECT.
    Disconnect,
    /// By a DISCONNECT that asks for the will, or tells of trouble (3.14.2.1).
    DisconnectWithWill,
    /// The transport has gone.
    Lost,
    /// The peer was silent for too long.
    Silent,
    /// The peer did what nobody may ([MQTT-4.13.1-1]).
    Fault(Objection),
    /// Its CONNECT was refused, which CONNACK has said.
    Refused(Objection),
    /// The peer asks and does not read the answers.
    Flooded,
    /// The same client came by another connection.
    TakenOver,
    /// The process ends.
    Shutdown,
}

impl Departure {
    /// In which way, for people.
    fn reason(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Disconnect => "disconnected",
            Self::DisconnectWithWill => "disconnected with its will",
            Self::Lost => "connection lost",
            Self::Silent => "keep alive exceeded",
            Self::Fault(objection) | Self::Refused(objection) => return objection.why,
            Self::Flooded => "answers not read",
            Self::TakenOver => "taken over by a newer connection",
            Self::Shutdown => "gateway stopping",
        })
    }

    /// What a 5.0 client is told last; nothing where it knows, or cannot hear (3.14.2.1).
    const fn farewell(&self) -> Option<ReasonCode> {
        match self {
            Self::Disconnect | Self::DisconnectWithWill | Self::Lost | Self::Refused(_) => None,
            Self::Silent => Some(ReasonCode::KeepAliveTimeout),
            Self::Fault(objection) => Some(objection.reason),
            Self::Flooded => Some(ReasonCode::QuotaExceeded),
            Self::TakenOver => Some(ReasonCode::SessionTakenOver),
            Self::Shutdown => Some(ReasonCode::ServerShuttingDown),
        }
    }

    /// Whether the client went without a word, so that its will speaks for it ([MQTT-3.1.2-8]).
    const fn publishes_will(&self) -> bool {
        match self {
            Self::Disconnect | Self::Shutdown => false,
            Self::DisconnectWithWill
            | Self::Lost
            | Self::Silent
            | Self::Fault(_)
            | Self::Refused(_)
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
        if let Some(reason) = departure.farewell()
            && session.is_some()
            && connection.terms.is_v5()
        {
            self.outputs.send(connection, farewell(reason, &departure.clone().reason()));
        }
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

    /// What arrived is no packet. In the place of a CONNECT it is answered by a CONNACK, which is
    /// written if the peer's version has one for that reason.
    pub(super) fn malformed(&mut self, now: Tick, id: ConnectionId, error: &DecodeError) {
        let Some(connection) = self.connections.get(&id) else { return };
        let objection = Objection::new(error.reason, error.detail);
        match connection.phase {
            Phase::Opened => self.refuse(now, id, "", objection),
            Phase::Authenticating(_) | Phase::Connected(_) | Phase::Closing => {
                // It is a second CONNECT, and no DISCONNECT has that reason ([MQTT-3.14.2-1]).
                let is_connect = error.reason == ReasonCode::UnsupportedProtocolVersion;
                let second = Objection::violation(error.detail);
                let objection = if is_connect { second } else { objection };
                self.close(now, id, Departure::Fault(objection));
            }
        }
    }

    /// A DISCONNECT. A 5.0 client can say anew how long its session is to live, unless it was to
    /// end with the connection (3.14.2.2.2).
    pub(super) fn disconnected(
        &mut self,
        now: Tick,
        id: ConnectionId,
        index: SessionIndex,
        disconnect: &Disconnect,
    ) {
        let cap = self.settings.session_expiry;
        if let Some(seconds) = disconnect.properties.session_expiry_seconds {
            let session = &mut self.sessions[index];
            if seconds > 0 && session.expiry.is_zero() && !cap.is_zero() {
                let why = "a session that ends with its connection is not prolonged \
                           (MQTT 5.0 section 3.14.2.2.2)";
                return self.close(now, id, Departure::Fault(Objection::violation(why)));
            }
            session.expiry = Duration::from_secs(seconds.into()).min(cap);
        }
        let departure = match disconnect.reason {
            ReasonCode::Success => Departure::Disconnect,
            _ => Departure::DisconnectWithWill,
        };
        self.close(now, id, departure);
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

    /// Parts a session from its connection; its end if it is not to outlive it ([MQTT-4.1.0-2]).
    fn detach(&mut self, now: Tick, index: SessionIndex, peer: &Peer, departure: Departure) {
        let session = &mut self.sessions[index];
        session.connection = None;
        self.timers.cancel(&mut session.resume_at, Timer::Resume(index));
        let dropped = super::outputs::counted(session.queue.drop_at_most_once());
        self.outputs.traffic.messages_dropped += dropped;
        if !departure.publishes_will() {
            session.will = None;
        }
        let client_id = session.key.client_id.to_string();
        let (principal, reason) = (session.key.principal.clone(), departure.reason());
        let peer = peer.address;
        self.outputs.event(Event::Disconnected { peer, client_id, principal, reason });
        if session.expiry.is_zero() {
            return self.discard_session(now, index);
        }
        let bounds = self.queue_bounds(&self.sessions[index]);
        let dropped = self.sessions[index].queue.keep(bounds);
        self.count_drops(now, index, dropped);
        let session = &mut self.sessions[index];
        let at = now.after(session.expiry);
        self.timers.arm(&mut session.expires_at, Timer::SessionExpiry(index), at);
        match &session.will {
            Some(will) if will.properties.delay.is_zero() => self.will_due(now, index),
            Some(will) => {
                let at = now.after(will.properties.delay);
                self.timers.arm(&mut session.will_at, Timer::Will(index), at);
            }
            None => {}
        }
        self.hand_over(now, index);
        self.keep_session(now, index);
        self.page_out(index);
    }
}

/// The last packet to a 5.0 client.
fn farewell(reason: ReasonCode, why: &str) -> Packet {
    let reason_string = Some(why.into());
    let properties = DisconnectProperties { reason_string, ..DisconnectProperties::default() };
    Packet::Disconnect(Box::new(Disconnect { reason, properties }))
}
