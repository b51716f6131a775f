//! What a change of the rights ends: sessions of users that are no more, connections by a password
//! or a certificate that counts no more, subscriptions that are allowed no more.

use std::sync::Arc;

use super::Broker;
use super::connection::Phase;
use super::disconnect::Departure;
use super::objection::Objection;
use super::session::{Session, SessionIndex};
use crate::access::{Allowed, ConnectionId, Denied, Issuer, Principal, Revoked, Rights};
use crate::mqtt::{ReasonCode, TopicFilter};
use crate::time::Tick;

impl Broker {
    /// From now on these hold. Messages that wait are looked at when they are sent, and wills when
    /// they are spoken.
    pub(super) fn rights_changed(&mut self, now: Tick, rights: Rights, revoked: &Revoked) {
        self.settings.rights = rights;
        let is_gone = |session: &Session| {
            let user = session.key.principal.name();
            revoked.users.iter().any(|gone| gone == user)
        };
        for session in self.sessions.iter_mut().filter(|session| is_gone(session)) {
            session.will = None;
        }
        for id in self.connections_of(revoked) {
            let why = "this user, password or certificate counts no more";
            let objection = Objection::new(ReasonCode::NotAuthorized, why);
            self.close(now, id, Departure::Fault(objection));
        }
        let sessions: Vec<SessionIndex> = self.sessions.iter().map(|(index, _)| index).collect();
        for index in sessions {
            let session = &self.sessions[index];
            if is_gone(session) {
                self.discard_session(now, index);
            } else {
                let key = &session.key;
                let allowed = self.settings.rights.of(&key.principal, &key.client_id);
                self.allow(now, index, &allowed);
            }
        }
    }

    /// Connections that came by what was taken away, in a fixed order.
    fn connections_of(&self, revoked: &Revoked) -> Vec<ConnectionId> {
        let mut found: Vec<_> = self
            .connections
            .values()
            .filter(|connection| {
                let certificate = connection.peer.certificate.as_ref();
                let by_certificate = certificate.is_some_and(|it| {
                    it.issuer == Issuer::Own && revoked.certificates.contains(&it.serial)
                });
                let Phase::Connected(session) = connection.phase else { return by_certificate };
                let Principal::User(user) = &self.sessions[session].key.principal else {
                    return false;
                };
                let is_in = |users: &[String]| users.iter().any(|one| **one == **user);
                let by_password = connection.by_password && is_in(&revoked.passwords);
                by_certificate || by_password || is_in(&revoked.users)
            })
            .map(|connection| connection.id)
            .collect();
        found.sort_unstable();
        found
    }

    /// What a session has subscribed to and may not any more, it has no more.
    fn allow(&mut self, now: Tick, index: SessionIndex, allowed: &Allowed) {
        self.sessions[index].allowed = allowed.clone();
        let mut denied: Vec<(Arc<str>, Denied)> = Vec::new();
        for text in self.sessions[index].subscriptions.keys() {
            let Ok(filter) = TopicFilter::new(&**text) else { continue };
            if let Err(objection) = self.may_subscribe(allowed, &filter) {
                denied.push((Arc::clone(text), Denied(objection.why)));
            }
        }
        denied.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        for (filter, why) in denied {
            self.unsubscribe_one(now, index, &filter);
            self.leave_group(now, index, &filter);
            let session = &self.sessions[index];
            if let Some(id) = session.connection {
                let client_id = session.key.client_id.to_string();
                self.deny(now, id, client_id, &filter, why);
            }
        }
    }
}
