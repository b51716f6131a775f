//! From a transport to a client that is in.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::answers::Takes;
use super::{Connection, Life, Model, Phase, Said, Session, Sight, words};
use crate::access::{ConnectionId, Principal, Verdict};
use crate::limits;
use crate::mqtt::{Connect, Message, Packet, ReasonCode, Version};

impl Model {
    pub(super) fn opened(&mut self, id: ConnectionId) {
        let connection = Connection {
            phase: Phase::Opened,
            v5: false,
            heard: self.now,
            silence: Some(limits::CONNECT_TIMEOUT),
            packet_bytes_max: u32::MAX,
            wants_words: false,
        };
        self.connections.insert(id, connection);
    }

    pub(super) fn asks(&mut self, id: ConnectionId, packet: &Packet) {
        let Packet::Connect(connect) = packet else { panic!("clients begin with CONNECT") };
        let connection = self.connections.get_mut(&id).expect("it is there");
        connection.v5 = connect.version == Version::V5;
        connection.packet_bytes_max = connect.properties.maximum_packet_size.unwrap_or(u32::MAX);
        connection.wants_words = connect.properties.request_problem_information;
        connection.silence = None;
        connection.phase = Phase::Asking(connect.clone());
        self.expect(id, Said::Login);
    }

    pub(super) fn verdict(&mut self, id: ConnectionId, verdict: &Verdict) {
        let Some(connection) = self.connections.get(&id) else { return };
        let Phase::Asking(connect) = &connection.phase else { return };
        let connect = connect.clone();
        if let Ok(principal) = verdict {
            self.accepted(id, &connect, principal);
        } else {
            self.events.push(format!("? {}", connect.client_id));
            self.refused(id, ReasonCode::BadUserNameOrPassword);
        }
    }

    fn refused(&mut self, id: ConnectionId, reason: ReasonCode) {
        self.expect(id, Said::refusal(reason));
        self.close(id, None);
    }

    fn accepted(&mut self, id: ConnectionId, connect: &Connect, principal: &Principal) {
        if let Some(will) = &connect.will
            && let Err(reason) = self.permit(&will.message)
        {
            self.ledger.denied += 1;
            return self.refused(id, reason);
        }
        let mut name = connect.client_id.to_string();
        if name.is_empty() {
            self.assigned += 1;
            name = format!("assigned-{}", self.assigned);
        }
        let known = self.find(principal, &name);
        let older = known.and_then(|life| self.sessions[&life].connection);
        if older.is_some_and(|other| other > id) {
            return self.close(id, None);
        }
        if known.is_none() && !self.make_room(principal) {
            return self.refused(id, ReasonCode::QuotaExceeded);
        }
        if let Some(older) = older {
            self.seen.note(Sight::TakenOver);
            self.close(older, Some(ReasonCode::SessionTakenOver));
            self.detach(known.unwrap(), true);
        }
        let kept = known.filter(|life| self.sessions.contains_key(life));
        let present = kept.is_some() && !connect.clean_start;
        let life = match kept {
            Some(life) if present => life,
            Some(life) => {
                self.end(life);
                self.begin(principal, &name)
            }
            None => self.begin(principal, &name),
        };
        self.seen.notes(Sight::Restored, present.into());
        self.attach(id, life, connect);
        self.welcome(id, connect, present, name);
        self.resume(id, life);
    }

    fn find(&self, principal: &Principal, name: &str) -> Option<Life> {
        let is_it = |session: &Session| session.principal == *principal && session.name == name;
        self.sessions.iter().find(|(_, session)| is_it(session)).map(|(&life, _)| life)
    }

    /// Whether there may be one more session, which may cost another.
    fn make_room(&mut self, principal: &Principal) -> bool {
        let bounds = &self.settings.bounds;
        let mine = |session: &&Session| session.principal == *principal;
        let of_user = self.sessions.values().filter(mine).count();
        let is_full_for_user = of_user >= bounds.sessions_per_user;
        if !is_full_for_user && self.sessions.len() < bounds.sessions {
            return true;
        }
        let may_go = |session: &&Session| !is_full_for_user || mine(session);
        let absent = self.sessions.iter().filter(|(_, session)| may_go(session));
        let first = absent
            .filter_map(|(&life, session)| Some((session.ends_at?, life)))
            .min()
            .map(|(_, life)| life);
        let Some(life) = first else { return false };
        let session = &self.sessions[&life];
        self.events.push(format!("x {}/{}", session.principal.name(), session.name));
        self.seen.note(Sight::Discarded);
        self.end(life);
        true
    }

    fn begin(&mut self, principal: &Principal, name: &str) -> Life {
        self.lives += 1;
        let session = Session {
            principal: principal.clone(),
            name: name.to_owned(),
            connection: None,
            expiry: Duration::ZERO,
            ends_at: None,
            will: None,
            will_at: None,
            subscriptions: Vec::new(),
            received: BTreeSet::new(),
            waiting: VecDeque::new(),
            flights: Vec::new(),
            released: Vec::new(),
            window: 0,
            searches: Vec::new(),
        };
        self.sessions.insert(self.lives, session);
        self.lives
    }

    fn attach(&mut self, id: ConnectionId, life: Life, connect: &Connect) {
        let keep_alive = self.keep_alive(connect);
        let connection = self.connections.get_mut(&id).expect("it is there");
        connection.phase = Phase::In(life);
        connection.heard = self.now;
        connection.silence = (!keep_alive.is_zero()).then(|| keep_alive * 3 / 2);
        let expiry = self.expiry(connect);
        let inflight = self.settings.bounds.inflight_to_client;
        let session = self.session(life);
        session.connection = Some(id);
        session.expiry = expiry;
        session.ends_at = None;
        let is_in_time = session.will_at.take().is_some();
        session.will.clone_from(&connect.will);
        session.window = inflight.min(connect.properties.receive_maximum.get().into());
        let searches = session.searches.len();
        let event = format!("+ {}/{}", session.principal.name(), session.name);
        self.events.push(event);
        self.seen.notes(Sight::NoWill, is_in_time.into());
        self.stored_may_be_too_large(searches);
    }

    fn welcome(&mut self, id: ConnectionId, connect: &Connect, present: bool, name: String) {
        let (keep_alive, expiry) = (self.keep_alive(connect), self.expiry(connect));
        let is_v5 = connect.version == Version::V5;
        let seconds = |time: Duration| u32::try_from(time.as_secs()).unwrap();
        let expiry_seconds =
            (is_v5 && connect.properties.session_expiry != Some(expiry)).then(|| seconds(expiry));
        let keep_alive_seconds = (is_v5 && keep_alive != connect.keep_alive)
            .then(|| u16::try_from(seconds(keep_alive)).unwrap());
        let name = (is_v5 && connect.client_id.is_empty()).then_some(name);
        let (reason, bounds) = (ReasonCode::Success, &self.settings.bounds);
        let takes = is_v5.then_some(Takes {
            receive_maximum: bounds.receive_maximum.get(),
            packet_bytes: bounds.packet_bytes,
            topic_aliases: bounds.topic_alias_maximum,
        });
        self.expect(
            id,
            Said::ConnAck { present, reason, expiry_seconds, keep_alive_seconds, name, takes },
        );
    }

    /// What the client has not completed comes again.
    fn resume(&mut self, id: ConnectionId, life: Life) {
        let session = self.session(life);
        for flight in &mut session.flights {
            flight.again = true;
        }
        for packet_id in session.released.clone() {
            self.expect(id, Said::PubRel(packet_id, ReasonCode::Success));
        }
    }

    fn keep_alive(&self, connect: &Connect) -> Duration {
        let wanted = connect.keep_alive;
        match self.settings.bounds.keep_alive {
            Some(max) if connect.version == Version::V5 => {
                if wanted.is_zero() {
                    max
                } else {
                    wanted.min(max)
                }
            }
            Some(_) | None => wanted,
        }
    }

    fn expiry(&self, connect: &Connect) -> Duration {
        let cap = self.settings.session_expiry;
        match (connect.version, connect.clean_start) {
            (Version::V5, _) => connect.properties.session_expiry.unwrap_or(cap).min(cap),
            (_, true) => Duration::ZERO,
            (_, false) => cap,
        }
    }

    /// Whether a client may publish that.
    pub(super) fn permit(&mut self, message: &Message) -> Result<(), ReasonCode> {
        let topic = message.topic.as_str();
        let is_text = message.properties.as_ref().is_some_and(|it| it.payload_is_utf8);
        let outcome = if topic.split('/').count() > self.settings.bounds.topic_levels {
            Err(ReasonCode::TopicNameInvalid)
        } else if !words::may_publish(topic) {
            Err(ReasonCode::NotAuthorized)
        } else if is_text && String::from_utf8(message.payload.to_vec()).is_err() {
            Err(ReasonCode::PayloadFormatInvalid)
        } else {
            Ok(())
        };
        match outcome {
            Ok(()) => {}
            Err(ReasonCode::PayloadFormatInvalid) => self.seen.note(Sight::NoText),
            Err(_) => self.seen.note(Sight::Denied),
        }
        outcome
    }

    /// Whether somebody may have messages of a topic.
    pub(super) fn may_read(&self, principal: &Principal, topic: &str) -> bool {
        let is_private = self.private.is_some_and(|level| words::is_below(topic, level));
        !is_private || *principal != Principal::Anonymous
    }
}
