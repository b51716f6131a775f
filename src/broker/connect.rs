//! From a new transport to a client that is in: CONNECT, the verdict on its login, its session.

use std::sync::Arc;
use std::time::Duration;

use super::connection::{Connection, Phase, Terms};
use super::disconnect::Departure;
use super::objection::Objection;
use super::session::{Session, SessionIndex, SessionKey};
use super::timers::Timer;
use super::welcome::{self, Restored};
use super::{Broker, Event, Life};
use crate::access::{ConnectionId, Denied, Login, Password, Peer, Principal, Refusal, Verdict};
use crate::limits;
use crate::mqtt::{Connect, Packet, ReasonCode, Version};
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
        let previous = self.connections.insert(id, Box::new(connection));
        debug_assert!(previous.is_none(), "a connection's name is never used again");
    }

    /// The first packet is a CONNECT ([MQTT-3.1.0-1]).
    pub(super) fn first_packet(&mut self, now: Tick, id: ConnectionId, packet: Packet) {
        let Packet::Connect(connect) = packet else {
            let why = "the first packet is no CONNECT [MQTT-3.1.0-1]";
            return self.close(now, id, Departure::Fault(Objection::violation(why)));
        };
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.terms = Terms::of(&connect);
        }
        match acceptable(&connect) {
            Ok(()) => self.authenticate(id, connect),
            Err(objection) => self.refuse(now, id, &connect.client_id, objection),
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
                let certificate = connection.peer.certificate.as_ref();
                let user = connect.credentials.user.as_deref().map(text);
                let event = Event::Refused {
                    peer: connection.peer.address,
                    listener: Arc::clone(&connection.peer.listener),
                    user: user
                        .or_else(|| certificate.map(|it| it.name.clone()))
                        .unwrap_or_default(),
                    client_id: connect.client_id.to_string(),
                    reason: refusal,
                };
                self.outputs.event(event);
                self.refuse_untold(now, id, refused(refusal));
            }
        }
    }

    /// Answers a CONNECT with the reason why not, and tells people.
    pub(super) fn refuse(
        &mut self,
        now: Tick,
        id: ConnectionId,
        client_id: &str,
        objection: Objection,
    ) {
        if let Some(connection) = self.connections.get(&id)
            && let Some(times) = self.rejections.count(now)
        {
            self.outputs.event(Event::Rejected {
                peer: connection.peer.address,
                listener: Arc::clone(&connection.peer.listener),
                client_id: client_id.to_owned(),
                reason: objection.why.clone(),
                times,
            });
        }
        self.refuse_untold(now, id, objection);
    }

    /// With the reason why not ([MQTT-3.2.2-6], [MQTT-3.2.2-7]).
    fn refuse_untold(&mut self, now: Tick, id: ConnectionId, objection: Objection) {
        self.send(id, welcome::refusal(&objection));
        self.close(now, id, Departure::Refused(objection));
    }

    fn authenticate(&mut self, id: ConnectionId, mut connect: Box<Connect>) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        self.timers.cancel(&mut connection.alarm, Timer::Connection(id));
        let policy = connection.peer.policy;
        let password = connect.credentials.password.take().map(|it| Password::new(&it));
        let login = Login {
            address: connection.peer.address.ip(),
            policy,
            client_id: connect.client_id.to_string(),
            user: connect.credentials.user.as_deref().map(str::to_owned),
            password: password.filter(|_| policy.takes_password()),
            certificate: connection.peer.certificate.clone(),
        };
        connection.by_password = login.password.is_some();
        connection.phase = Phase::Authenticating(connect);
        self.outputs.authenticate(id, login);
    }

    fn accept(&mut self, now: Tick, id: ConnectionId, connect: Connect, principal: Principal) {
        if let Some(will) = &connect.will {
            let topic = &will.message.topic;
            let allowed = self.settings.rights.of(&principal, &connect.client_id);
            if let Err(objection) = self.permit(&allowed, &will.message) {
                let denied = Denied(objection.why.clone());
                self.deny(now, id, connect.client_id.to_string(), topic.as_str(), denied);
                return self.refuse_untold(now, id, objection);
            }
        }
        let key = self.session_key(principal, &connect);
        let welcome = self.welcome(&connect, &key.client_id, Restored::No);
        if !Terms::of(&connect).take(&welcome) {
            let why = "the client takes no packet of the size of our CONNACK [MQTT-3.1.2-24]";
            let objection = Objection::new(ReasonCode::PacketTooLarge, why);
            return self.refuse(now, id, &connect.client_id, objection);
        }
        match self.sessions.find(&key) {
            // Logins are not answered in the order of their connections: the newer one stays.
            Some(index) if self.sessions[index].connection.is_some_and(|newer| newer > id) => {
                return self.close(now, id, Departure::TakenOver);
            }
            None if !self.make_room_for(now, &key) => {
                let why = "too many sessions: our limit";
                let objection = Objection::new(ReasonCode::QuotaExceeded, why);
                return self.refuse(now, id, &connect.client_id, objection);
            }
            Some(_) | None => {}
        }
        let client_id = Arc::clone(&key.client_id);
        let (session, restored) = self.open_session(now, key, &connect);
        let welcome = self.welcome(&connect, &client_id, restored);
        self.attach(now, id, session, connect);
        self.send(id, welcome);
        self.replay(now, id, session);
    }

    /// With the name by which the client calls itself, or one that nobody has ([MQTT-3.1.3-6]).
    fn session_key(&mut self, principal: Principal, connect: &Connect) -> SessionKey {
        let mut key = SessionKey { principal, client_id: Arc::from(&*connect.client_id) };
        while key.client_id.is_empty() || (connect.client_id.is_empty() && self.is_taken(&key)) {
            self.assigned += 1;
            let name = format!("{}-{}", self.settings.assigned_prefix, self.assigned);
            key.client_id = Arc::from(name);
        }
        key
    }

    fn is_taken(&self, key: &SessionKey) -> bool {
        self.sessions.find(key).is_some()
    }

    /// Ends an older connection of the same client ([MQTT-3.1.4-3]), then finds or makes its
    /// session ([MQTT-3.1.2-4] to [MQTT-3.1.2-6]).
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
            Some(index) => self.discard_session(now, index),
            None => {}
        }
        let allowed = self.settings.rights.of(&key.principal, &key.client_id);
        (self.sessions.insert(Session::new(key, allowed, &self.queued)), Restored::No)
    }

    fn attach(&mut self, now: Tick, id: ConnectionId, index: SessionIndex, connect: Connect) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.phase = Phase::Connected(index);
        connection.last_heard = now;
        connection.silence_max = silence_max(welcome::keep_alive(&connect, &self.settings.bounds));
        if let Some(max) = connection.silence_max {
            self.timers.arm(&mut connection.alarm, Timer::Connection(id), now.after(max));
        }
        let session = &mut self.sessions[index];
        self.timers.cancel(&mut session.expires_at, Timer::SessionExpiry(index));
        self.timers.cancel(&mut session.will_at, Timer::Will(index)); // [MQTT-3.1.3-9]
        session.connection = Some(id);
        session.expiry = welcome::session_expiry(&connect, self.settings.session_expiry);
        let window = self.settings.bounds.inflight_to_client;
        session.window.resize(window.min(connection.terms.receive_maximum));
        session.will = connect.will.map(super::will::keep);
        let is_kept = !session.expiry.is_zero() || session.will.is_some();
        self.outputs.event(Event::Connected {
            peer: connection.peer.address,
            client_id: session.key.client_id.to_string(),
            principal: session.key.principal.clone(),
        });
        if session.id.is_none()
            && is_kept
            && let Some(name) = self.persistence.name()
        {
            self.sessions.name(index, name);
        }
        self.keep_session(now, index);
    }
}

/// What can be said of a CONNECT before its login is checked.
fn acceptable(connect: &Connect) -> Result<(), Objection> {
    let may_be_empty = match connect.version {
        Version::V3_1 => false,
        Version::V3_1_1 => connect.clean_start, // [MQTT-3.1.3-8] of 3.1.1
        Version::V5 => true,
    };
    if connect.client_id.is_empty() && !may_be_empty {
        let why = "a client without a name has no session to come back to [MQTT-3.1.3-8 of 3.1.1]";
        return Err(Objection::new(ReasonCode::ClientIdentifierNotValid, why));
    }
    if connect.client_id.len() > limits::CLIENT_ID_BYTES_MAX {
        let why = "client identifier too long: our limit";
        return Err(Objection::new(ReasonCode::ClientIdentifierNotValid, why));
    }
    if connect.properties.authentication_method.is_some() {
        let why =
            "no enhanced authentication here: use a user name and a password, or a certificate";
        return Err(Objection::new(ReasonCode::BadAuthenticationMethod, why)); // [MQTT-4.12.0-1]
    }
    Ok(())
}

/// One and a half times the keep alive ([MQTT-3.1.2-22]).
fn silence_max(keep_alive: Duration) -> Option<Duration> {
    (!keep_alive.is_zero()).then(|| keep_alive.saturating_add(keep_alive / 2))
}

/// As little as a stranger needs to know.
const fn refused(refusal: Refusal) -> Objection {
    match refusal {
        Refusal::NoPassword | Refusal::BadPassword => {
            Objection::new(ReasonCode::BadUserNameOrPassword, "bad user name or password")
        }
        Refusal::NoCredentials => Objection::new(
            ReasonCode::NotAuthorized,
            "a login or a client certificate is asked for",
        ),
        Refusal::NoCertificate
        | Refusal::UnknownCertificate
        | Refusal::RevokedCertificate
        | Refusal::CertificateMismatch
        | Refusal::ExpiredCertificate
        | Refusal::EarlyCertificate
        | Refusal::UnknownAuthority
        | Refusal::OtherPurpose
        | Refusal::NoRevocationList
        | Refusal::ExpiredRevocationList
        | Refusal::BadCertificate => Objection::new(
            ReasonCode::NotAuthorized,
            "a client certificate of this user is asked for",
        ),
        Refusal::Busy => Objection::new(ReasonCode::ServerBusy, "too many logins at a time"),
    }
}
