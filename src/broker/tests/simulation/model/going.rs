//! The end of connections and sessions, wills, and what time brings.

use super::{Life, Model, Phase, Sight};
use crate::access::ConnectionId;
use crate::mqtt::{Disconnect, QoS, ReasonCode, Will};
use crate::time::Tick;

/// What time brings, in the order in which it is done at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    Silent(ConnectionId),
    End(Life),
    Will(Life),
}

impl Model {
    pub(super) fn closed(&mut self, id: ConnectionId) {
        if let Some(life) = self.life(id) {
            self.detach(life, true);
        }
        self.connections.remove(&id);
    }

    pub(super) fn disconnect(&mut self, id: ConnectionId, life: Life, disconnect: &Disconnect) {
        if let Some(seconds) = disconnect.properties.session_expiry_seconds {
            let cap = self.settings.session_expiry;
            let wanted = std::time::Duration::from_secs(seconds.into());
            let session = self.session(life);
            if session.expiry.is_zero() && seconds > 0 {
                self.close(id, Some(ReasonCode::ProtocolError));
                return self.detach(life, true);
            }
            session.expiry = wanted.min(cap);
        }
        self.close(id, None);
        self.detach(life, disconnect.reason != ReasonCode::Success);
    }

    /// What arrived is no packet.
    pub(super) fn malformed(&mut self, id: ConnectionId, reason: ReasonCode) {
        if let Some(life) = self.life(id) {
            self.seen.note(Sight::Malformed);
            self.ejected(id, life, reason);
        }
    }

    /// The end: everyone is told, and no will is spoken.
    pub(super) fn shut_down(&mut self) {
        let ids: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for id in ids {
            let life = self.life(id);
            if !matches!(self.connections[&id].phase, Phase::Closing) {
                self.close(id, life.map(|_| ReasonCode::ServerShuttingDown));
            }
            if let Some(life) = life {
                self.detach(life, false);
            }
        }
    }

    /// What is due first, and when.
    pub(super) fn due(&self) -> Option<(Tick, Due)> {
        let silent = self.connections.iter().filter_map(|(&id, connection)| {
            Some((connection.heard.after(connection.silence?), Due::Silent(id)))
        });
        let silent = silent.filter(|(_, due)| {
            let Due::Silent(id) = due else { return false };
            !matches!(self.connections[id].phase, Phase::Closing)
        });
        let sessions = self.sessions.iter();
        let ends = sessions.filter_map(|(&life, session)| Some((session.ends_at?, Due::End(life))));
        let sessions = self.sessions.iter();
        let wills =
            sessions.filter_map(|(&life, session)| Some((session.will_at?, Due::Will(life))));
        silent.chain(ends).chain(wills).min()
    }

    pub(super) fn wake(&mut self) {
        let now = self.now;
        self.retained.retain(|_, kept| kept.expires > now);
        while let Some((_, due)) = self.due().filter(|(at, _)| *at <= now) {
            match due {
                Due::Silent(id) => self.silent(id),
                Due::End(life) => {
                    self.seen.note(Sight::Ended);
                    self.end(life);
                }
                Due::Will(life) => {
                    self.seen.note(Sight::LateWill);
                    self.speak_will(life);
                }
            }
        }
    }

    fn silent(&mut self, id: ConnectionId) {
        let life = self.life(id);
        self.close(id, life.map(|_| ReasonCode::KeepAliveTimeout));
        if let Some(life) = life {
            self.seen.note(Sight::Silent);
            self.detach(life, true);
        }
    }

    /// A session has no connection any more.
    pub(super) fn detach(&mut self, life: Life, speaks: bool) {
        let (now, id) = (self.now, self.sessions[&life].connection);
        let packet_bytes_max =
            id.and_then(|id| self.connections.get(&id)).map_or(u32::MAX, |it| it.packet_bytes_max);
        let session = self.sessions.get_mut(&life).expect("it is there");
        session.connection = None;
        session.searches.retain(|search| search.qos > QoS::AtMostOnce);
        let before = session.waiting.len();
        session.waiting.retain(|copy| copy.qos > QoS::AtMostOnce);
        let dropped = before - session.waiting.len();
        // What was not sent, or not sent again, may have been found too large.
        let again = session.flights.iter_mut().filter(|flight| flight.again);
        for copy in session.waiting.iter_mut().chain(again.map(|flight| &mut flight.copy)) {
            copy.was_too_large |= copy.bytes() > packet_bytes_max;
        }
        if !speaks {
            session.will = None;
        }
        self.events.push(format!("- {}", session.name));
        let (expiry, delay) =
            (session.expiry, session.will.as_ref().map(|will| will.properties.delay));
        if expiry.is_zero() {
            self.detached(dropped);
            return self.end(life);
        }
        session.ends_at = Some(now.after(expiry));
        session.will_at = delay.filter(|delay| !delay.is_zero()).map(|delay| now.after(delay));
        self.detached(dropped);
        if delay.is_some_and(|delay| delay.is_zero()) {
            self.speak_will(life);
        }
        if self.exact {
            self.keep_bounds(life);
        }
        self.hand_over(life);
    }

    fn detached(&mut self, dropped: usize) {
        let dropped = u64::try_from(dropped).unwrap();
        // Some of them may have expired or been too large before, if that is possible at all.
        if self.exact { self.ledger.dropped += dropped } else { self.ledger.mixed += dropped }
    }

    /// A session is over.
    pub(super) fn end(&mut self, life: Life) {
        // Its own will may have been too much for its queue.
        if self.exact && self.sessions[&life].ends_at.is_some() {
            self.keep_bounds(life);
        }
        let session = self.sessions.remove(&life).expect("it is there");
        assert_eq!(session.connection, None, "a session in use does not end");
        if !self.exact {
            let given_up = session.flights.iter().filter(|flight| flight.copy.was_too_large);
            let vague = session.waiting.len() + given_up.count();
            self.ledger.vague += u64::try_from(vague).unwrap();
        }
        self.bequeath(life, &session);
        if let Some(will) = session.will {
            self.publish_will(None, will);
        }
    }

    fn speak_will(&mut self, life: Life) {
        let session = self.session(life);
        session.will_at = None;
        if let Some(will) = session.will.take() {
            self.publish_will(Some(life), will);
        }
    }

    /// A session that lives on may not want its own messages ([MQTT-3.8.3-3]).
    fn publish_will(&mut self, publisher: Option<Life>, will: Will) {
        self.seen.note(Sight::Will);
        let Will { message, qos, retain, .. } = will;
        if retain && self.retain(&message, qos, Tick::MAX, false).is_err() {
            self.ledger.denied += 1;
        }
        let before = self.seen.times(Sight::NotEchoed);
        self.route(&message, qos, retain, publisher);
        let not_echoed = self.seen.times(Sight::NotEchoed) - before;
        self.seen.notes(Sight::WillNotEchoed, not_echoed);
    }
}
