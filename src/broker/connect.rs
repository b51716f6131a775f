//! CONNECT: who is there, may he come in, and which session is his (section 3.1.4).

use super::connection::{Ending, Phase};
use super::session::{Client, Lifetime, SessionKey};
use super::{Broker, Event, Output};
use crate::access::{ConnectionId, Login, Principal, Refusal, Verdict};
use crate::limits::CLIENT_ID_BYTES_MAX;
use crate::mqtt::{
    Connect, ConnectAcknowledgement, ConnectAcknowledgementProperties, Packet, ReasonCode, Version,
};
use crate::time::Tick;

impl Broker {
    /// [MQTT-3.1.0-1]: the first packet is a CONNECT.
    pub(super) fn first_packet(&mut self, now: Tick, id: ConnectionId, packet: Packet) {
        let Packet::Connect(connect) = packet else {
            return self.end(now, id, Ending::Violation);
        };
        if connect.version == Version::V5 {
            return self.refuse(now, id, ReasonCode::UnsupportedProtocolVersion);
        }
        let is_nameless = connect.client_id.is_empty() && !connect.clean_start; // [MQTT-3.1.3-8]
        if is_nameless || connect.client_id.len() > CLIENT_ID_BYTES_MAX {
            return self.refuse(now, id, ReasonCode::ClientIdentifierNotValid);
        }
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let login = Login {
            policy: connection.peer.policy,
            user: connect.credentials.user.as_ref().map(ToString::to_string),
            password: connect.credentials.password.clone(),
            certificate: connection.peer.certificate.clone(),
        };
        connection.phase = Phase::Authenticating(connect);
        self.outputs.push_back(Output::Authenticate { connection: id, login });
    }

    pub(super) fn verdict(&mut self, now: Tick, id: ConnectionId, verdict: Verdict) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Phase::Authenticating(connect) = &mut connection.phase else { return };
        let connect = connect.clone();
        match verdict {
            Ok(principal) => self.accept(now, id, *connect, principal),
            Err(refusal) => self.turn_away(now, id, &connect, refusal),
        }
    }

    fn turn_away(&mut self, now: Tick, id: ConnectionId, connect: &Connect, reason: Refusal) {
        if let Some(connection) = self.connections.get(&id) {
            self.outputs.push_back(Output::Event(Event::Refused {
                peer: connection.peer.address,
                listener: connection.peer.listener.clone(),
                user: connect.credentials.user.as_deref().unwrap_or_default().to_owned(),
                client_id: connect.client_id.to_string(),
                reason,
            }));
        }
        self.refuse(
            now,
            id,
            match reason {
                Refusal::Busy => ReasonCode::ServerBusy,
                Refusal::NoCredentials | Refusal::NoCertificate => ReasonCode::NotAuthorized,
                Refusal::NoPassword
                | Refusal::BadPassword
                | Refusal::UnknownCertificate
                | Refusal::CertificateMismatch => ReasonCode::BadUserNameOrPassword,
            },
        );
    }

    fn accept(&mut self, now: Tick, id: ConnectionId, connect: Connect, principal: Principal) {
        let rights = &self.settings.rights;
        if let Some(will) = &connect.will
            && rights.publish(&principal, &will.message.topic).is_err()
        {
            return self.refuse(now, id, ReasonCode::NotAuthorized);
        }
        let client = match &*connect.client_id {
            "" => Client::Assigned(id),
            name => Client::Named(name.to_owned()),
        };
        let key = SessionKey { user: principal.name().to_owned(), client };
        self.take_over(now, &key);
        let lifetime =
            if connect.clean_start { Lifetime::Connection } else { Lifetime::Persistent };
        if lifetime == Lifetime::Connection {
            self.discard(&key); // [MQTT-3.1.2-6]
        }
        let (session, is_present) = self.sessions.attach(key, lifetime, id, principal.clone());
        self.keep(session);
        self.tell_dropped(session);
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.phase = Phase::Serving { session };
        connection.keep_alive = connect.keep_alive;
        connection.principal = principal.clone();
        connection.will = connect.will.map(|mut will| {
            will.message = will.message.compact();
            will
        });
        let peer = connection.peer.address;
        self.statistics.clients_accepted += 1;
        let client_id = self.sessions.name(session);
        self.outputs.push_back(Output::Event(Event::Connected { peer, client_id, principal }));
        self.answer(id, is_present, ReasonCode::Success);
        self.arm_connection(id);
        self.resume(now, session);
    }

    /// [MQTT-3.1.4-2]: the older connection with this client identifier goes.
    fn take_over(&mut self, now: Tick, key: &SessionKey) {
        let older = self.sessions.find(key).and_then(|session| self.sessions.connection(session));
        if let Some(older) = older {
            self.end(now, older, Ending::TakenOver);
        }
    }

    /// CONNACK with a reason, then the end [MQTT-3.2.2-5].
    pub(super) fn refuse(&mut self, now: Tick, id: ConnectionId, reason: ReasonCode) {
        self.answer(id, false, reason);
        self.end(now, id, Ending::Refused);
    }

    fn answer(&mut self, id: ConnectionId, session_present: bool, reason: ReasonCode) {
        let properties = ConnectAcknowledgementProperties::default();
        let answer = ConnectAcknowledgement { session_present, reason, properties };
        self.send(id, Packet::ConnAck(Box::new(answer)));
    }
}
