//! One connection, from its opening to its end, and the will it leaves.
//!
//! ```text
//!  Opened ─▶ AwaitingConnect ─CONNECT─▶ Authenticating ─accepted─▶ Serving
//!                   │ time, garbage           │ refused               │ farewell, silence, fault
//!                   └────────────────────────▶┴──────▶ Closing ◀──────┘   ─Closed─▶ forgotten
//! ```

use std::time::Duration;

use super::session::SessionIndex;
use super::timers::Timer;
use super::{Broker, Event, Output};
use crate::access::{ConnectionId, Peer, Principal};
use crate::limits::CONNECT_TIMEOUT;
use crate::mqtt::{Connect, Will};
use crate::time::Tick;

/// What the broker knows of one connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) peer: Peer,
    pub(super) phase: Phase,
    pub(super) opened: Tick,
    /// When its timer fires.
    armed: Option<Tick>,
    pub(super) last_heard: Tick,
    /// Zero: the client wants none.
    pub(super) keep_alive: Duration,
    pub(super) will: Option<Will>,
    pub(super) principal: Principal,
    /// Weight of the packets sent and not yet written.
    pub(super) unwritten: usize,
}

/// Where a connection is in its life.
#[derive(Debug)]
pub(super) enum Phase {
    AwaitingConnect,
    Authenticating(Box<Connect>),
    Serving { session: SessionIndex },
    Closing,
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The client said DISCONNECT.
    Farewell,
    /// The transport broke.
    Lost,
    /// Nothing was heard for one and a half keep alives.
    Silence,
    /// No CONNECT in time.
    NoConnect,
    /// A packet that may not come now.
    Violation,
    /// Bytes that are no packet.
    Malformed(&'static str),
    /// Another connection has the same client identifier.
    TakenOver,
    /// It was not let in.
    Refused,
    /// The process ends.
    Shutdown,
}

impl Ending {
    const fn phrase(self) -> &'static str {
        match self {
            Self::Farewell => "disconnected",
            Self::Lost => "connection lost",
            Self::Silence => "keep alive exceeded",
            Self::NoConnect => "no CONNECT in time",
            Self::Violation => "protocol violated",
            Self::Malformed(detail) => detail,
            Self::TakenOver => "taken over",
            Self::Refused => "refused",
            Self::Shutdown => "gateway stops",
        }
    }

    /// Whether the will is published: always but after a farewell [MQTT-3.14.4-3], and at a stop,
    /// when nobody is left to hear it.
    const fn releases_will(self) -> bool {
        !matches!(self, Self::Farewell | Self::Shutdown)
    }
}

impl Connection {
    /// When it must have been heard of; `None`: never.
    fn deadline(&self) -> Option<Tick> {
        match self.phase {
            Phase::AwaitingConnect => Some(self.opened.after(CONNECT_TIMEOUT)),
            Phase::Serving { .. } if !self.keep_alive.is_zero() => {
                let grace = self.keep_alive.saturating_add(self.keep_alive / 2);
                Some(self.last_heard.after(grace)) // [MQTT-3.1.2-24]
            }
            Phase::Serving { .. } | Phase::Authenticating(_) | Phase::Closing => None,
        }
    }
}

impl Broker {
    pub(super) fn opened(&mut self, now: Tick, id: ConnectionId, peer: Peer) {
        let connection = Connection {
            peer,
            phase: Phase::AwaitingConnect,
            opened: now,
            armed: None,
            last_heard: now,
            keep_alive: Duration::ZERO,
            will: None,
            principal: Principal::Anonymous,
            unwritten: 0,
        };
        let earlier = self.connections.insert(id, connection);
        debug_assert!(earlier.is_none(), "connection identifiers are not reused");
        if self.is_shutting_down {
            return self.end(now, id, Ending::Shutdown);
        }
        self.arm_connection(id);
    }

    /// The transport is gone; nothing of the connection is left after this.
    pub(super) fn closed(&mut self, now: Tick, id: ConnectionId) {
        self.end(now, id, Ending::Lost);
        self.disarm_connection(id);
        self.connections.remove(&id);
    }

    /// Ends a connection that is not ending yet: its will is published, its session is alone.
    pub(super) fn end(&mut self, now: Tick, id: ConnectionId, ending: Ending) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let phase = std::mem::replace(&mut connection.phase, Phase::Closing);
        let (peer, will) = (connection.peer.address, connection.will.take());
        if matches!(phase, Phase::Closing) {
            return;
        }
        self.outputs.push_back(Output::Close { connection: id });
        let Phase::Serving { session } = phase else { return };
        let client_id = self.sessions.name(session);
        let reason = ending.phrase();
        self.outputs.push_back(Output::Event(Event::Disconnected { peer, client_id, reason }));
        let principal = self.detach(now, session);
        if let Some(will) = will.filter(|_| ending.releases_will()) {
            self.publish_will(now, &principal, &will);
        }
    }

    /// The right to publish it is asked again: it may have been taken away since CONNECT.
    fn publish_will(&mut self, now: Tick, principal: &Principal, will: &Will) {
        if self.settings.rights.publish(principal, &will.message.topic).is_ok() {
            self.route(now, &will.message, will.qos, will.retain.into());
        }
    }

    pub(super) fn arm_connection(&mut self, id: ConnectionId) {
        self.disarm_connection(id);
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.armed = connection.deadline();
        if let Some(deadline) = connection.armed {
            self.timers.arm(deadline, Timer::Connection(id));
        }
    }

    fn disarm_connection(&mut self, id: ConnectionId) {
        let armed = self.connections.get_mut(&id).and_then(|connection| connection.armed.take());
        if let Some(armed) = armed {
            self.timers.disarm(armed, Timer::Connection(id));
        }
    }

    pub(super) fn connection_timer(&mut self, now: Tick, id: ConnectionId) {
        let Some(connection) = self.connections.get(&id) else { return };
        match (connection.deadline(), &connection.phase) {
            (Some(deadline), _) if deadline > now => self.arm_connection(id),
            (Some(_), Phase::AwaitingConnect) => self.end(now, id, Ending::NoConnect),
            (Some(_), _) => self.end(now, id, Ending::Silence),
            (None, _) => {}
        }
    }
}
