//! From a new transport to a client that is in: CONNECT, the verdict on its login, its session.

use std::sync::Arc;
use std::time::Duration;

use super::connection::{Connection, Phase};
use super::disconnect::Departure;
use super::session::{ClientId, Session, SessionIndex, SessionKey};
use super::timers::Timer;
use super::{Broker, Event, Life};
use crate::access::{ConnectionId, Login, Peer, Principal, Refusal, Verdict};
use crate::limits;
use crate::mqtt::{
    Connect, ConnectAcknowledgement, ConnectAcknowledgementProperties, Packet, ReasonCode, Version,
};
use crate::time::Tick;

impl Broker {
    /// A transport is there; it has a while to say CONNECT.
    pub(super) fn opened(&mut self, now: Tick, id: ConnectionId, peer: Peer) {
        let mut connection = Connection::new(now, id, peer);
        match self.life {
            Life::Serving => {
                let late = now.after(self.settings.bounds.connect_timeout);
                self.timers.arm(&mut connection.alarm, Timer::Connection(id), late);
            }
            Life::Stopping => self.outputs.close(&mut connection),
        }
        let previous = self.connections.insert(id, connection);
        debug_assert!(previous.is_none(), "a connection's name is never used again");
    }

    /// The first packet is a CONNECT ([MQTT-3.1.0-1]).
    pub(super) fn first_packet(&mut self, now: Tick, id: ConnectionId, packet: Packet) {
        let Packet::Connect(connect) = packet else {
            return self.close(now, id, Departure::Violation);
        };
        match acceptable(&connect) {
            Ok(()) => self.authenticate(id, connect),
            Err(reason) => self.refuse(now, id, reason),
        }
    }

    /// The login was checked.
    pub(super) fn verdict(&mut self, now: Tick, id: ConnectionId, verdict: Verdict) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Phase::Authenticating(connect) = &mut connection.phase else { return };
        match verdict {
            Ok(principal) => {
                let connect = connect.clone();
                self.accept(now, id, *connect, principal);
            }
            Err(refusal) => {
                let text = |user: &str| user.to_owned();
                let user = connect.credentials.user.as_deref().map(text);
                let event = Event::Refused {
                    peer: connection.peer.address,
                    listener: Arc::clone(&connection.peer.listener),
                    user: user.or_else(|| connection.peer.certificate.clone()).unwrap_or_default(),
                    client_id: connect.client_id.to_string(),
                    reason: refusal,
                };
                self.outputs.event(event);
                self.refuse(now, id, refused(refusal));
            }
        }
    }

    /// Answers a CONNECT with the reason why not ([MQTT-3.2.2-4], [MQTT-3.2.2-5]).
    pub(super) fn refuse(&mut self, now: Tick, id: ConnectionId, reason: ReasonCode) {
        self.send(id, acknowledgement(reason, Restored::No));
        self.close(now, id, Departure::Violation);
    }

    fn authenticate(&mut self, id: ConnectionId, mut connect: Box<Connect>) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        self.timers.cancel(&mut connection.alarm, Timer::Connection(id));
        let login = Login {
            policy: connection.peer.policy,
            user: connect.credentials.user.as_deref().map(str::to_owned),
            password: connect.credentials.password.take(),
            certificate: connection.peer.certificate.clone(),
        };
        connection.phase = Phase::Authenticating(connect);
        self.outputs.authenticate(id, login);
    }

    fn accept(&mut self, now: Tick, id: ConnectionId, connect: Connect, principal: Principal) {
        if let Some(will) = &connect.will {
            let topic = &will.message.topic;
            if let Err(denied) = self.settings.rights.publish(&principal, topic) {
                self.deny(now, id, connect.client_id.to_string(), topic.as_str(), denied);
                return self.refuse(now, id, ReasonCode::NotAuthorized);
            }
        }
        let key = SessionKey { principal, client_id: self.client_id(&connect) };
        match self.sessions.find(&key) {
            // Logins are not answered in the order of their connections: the newer one stays.
            Some(index) if self.sessions[index].connection.is_some_and(|newer| newer > id) => {
                return self.close(now, id, Departure::TakenOver);
            }
            None if !self.make_room_for(&key) => {
                return self.refuse(now, id, ReasonCode::ServerUnavailable);
            }
            Some(_) | None => {}
        }
        let (session, restored) = self.open_session(now, key, &connect);
        self.attach(now, id, session, connect);
        self.send(id, acknowledgement(ReasonCode::Success, restored));
        self.replay(now, id, session);
    }

    fn client_id(&mut self, connect: &Connect) -> ClientId {
        if connect.client_id.is_empty() {
            self.assigned += 1;
            return ClientId::Assigned(self.assigned);
        }
        ClientId::Chosen(Arc::from(&*connect.client_id))
    }

    /// Ends an older connection of the same client ([MQTT-3.1.4-2]), then finds or makes its
    /// session ([MQTT-3.1.2-4], [MQTT-3.1.2-6]).
    fn open_session(
        &mut self,
        now: Tick,
        key: SessionKey,
        connect: &Connect,
    ) -> (SessionIndex, Restored) {
        let older = self.sessions.find(&key).and_then(|index| self.sessions[index].connection);
        if let Some(older) = older {
            self.close(now, older, Departure::TakenOver);
        }
        match self.sessions.find(&key) {
            Some(index) if !connect.clean_start => return (index, Restored::Yes),
            Some(index) => self.discard_session(index),
            None => {}
        }
        (self.sessions.insert(Session::new(key)), Restored::No)
    }

    fn attach(&mut self, now: Tick, id: ConnectionId, index: SessionIndex, connect: Connect) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.phase = Phase::Connected(index);
        connection.last_heard = now;
        connection.silence_max = silence_max(&connect);
        if let Some(max) = connection.silence_max {
            self.timers.arm(&mut connection.alarm, Timer::Connection(id), now.after(max));
        }
        let session = &mut self.sessions[index];
        self.timers.cancel(&mut session.expires_at, Timer::SessionExpiry(index));
        session.connection = Some(id);
        session.expiry =
            if connect.clean_start { Duration::ZERO } else { self.settings.session_expiry };
        session.will = connect.will.map(super::will::keep);
        self.outputs.event(Event::Connected {
            peer: connection.peer.address,
            client_id: session.key.client_id.to_string(),
            principal: session.key.principal.clone(),
        });
    }
}

/// Whether a CONNECT found a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Restored {
    Yes,
    No,
}

/// What can be said of a CONNECT before its login is checked. 5.0 is not spoken yet.
fn acceptable(connect: &Connect) -> Result<(), ReasonCode> {
    let may_be_empty = connect.clean_start && connect.version > Version::V3_1;
    if connect.version == Version::V5 {
        return Err(ReasonCode::UnsupportedProtocolVersion); // [MQTT-3.1.2-2]
    }
    if connect.client_id.is_empty() && !may_be_empty {
        return Err(ReasonCode::ClientIdentifierNotValid); // [MQTT-3.1.3-8]
    }
    if connect.client_id.len() > limits::CLIENT_ID_BYTES_MAX {
        return Err(ReasonCode::ClientIdentifierNotValid); // [MQTT-3.1.3-9]
    }
    Ok(())
}

/// One and a half times the keep alive ([MQTT-3.1.2-24]).
fn silence_max(connect: &Connect) -> Option<Duration> {
    let keep_alive = connect.keep_alive;
    (!keep_alive.is_zero()).then(|| keep_alive.saturating_add(keep_alive / 2))
}

/// As little as a stranger needs to know.
const fn refused(refusal: Refusal) -> ReasonCode {
    match refusal {
        Refusal::NoPassword | Refusal::BadPassword => ReasonCode::BadUserNameOrPassword,
        Refusal::NoCredentials
        | Refusal::NoCertificate
        | Refusal::UnknownCertificate
        | Refusal::CertificateMismatch => ReasonCode::NotAuthorized,
        Refusal::Busy => ReasonCode::ServerBusy,
    }
}

fn acknowledgement(reason: ReasonCode, restored: Restored) -> Packet {
    Packet::ConnAck(Box::new(ConnectAcknowledgement {
        session_present: restored == Restored::Yes,
        reason,
        properties: ConnectAcknowledgementProperties::default(),
    }))
}
