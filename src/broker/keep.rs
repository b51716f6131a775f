//! The broker and its store: batches, pages, trouble, and what an earlier life left.

use std::sync::Arc;
use std::time::Duration;

use super::disconnect::Departure;
use super::objection::Objection;
use super::persistence::{Novelty, Outcome, Pace};
use super::record::{
    Change, Page, Place, Restored, RestoredSession, RetainedRecord, SessionId, Trouble,
};
use super::retained::Origin;
use super::session::{Session, SessionIndex, SessionKey};
use super::subscriptions::Subscriptions;
use super::timers::Timer;
use super::{Broker, Event, Life, Output};
use crate::access::ConnectionId;
use crate::limits::PAGE_MESSAGES_MAX;
use crate::mqtt::TopicFilter;
use crate::time::Tick;

impl Broker {
    /// Takes over what an earlier life left, before anybody connects. Whoever was connected then
    /// went without a word.
    pub fn restore(&mut self, now: Tick, restored: Restored) {
        self.persistence.name_from(restored.next_session);
        for session in restored.sessions {
            self.restore_session(now, session);
        }
        for RetainedRecord { message, qos, expires } in restored.retained {
            // What does not fit any more is not retained any more.
            let topic = message.topic.clone();
            if self.retained.store(Origin::Client, message, qos, expires).is_err() {
                let change = Change::RetainedEnd(topic);
                self.persistence.note(now, change, Novelty::Known, Pace::Later);
            }
        }
        self.retained.restored();
    }

    /// Whether all that was to be kept is durable.
    pub fn is_flushed(&self) -> bool {
        self.persistence.is_flushed()
    }

    /// Notes what a session is from now on.
    pub(super) fn keep_session(&mut self, now: Tick, index: SessionIndex) {
        let session = &mut self.sessions[index];
        if let Some(record) = session.record() {
            let novelty = if session.is_noted { Novelty::Known } else { Novelty::New };
            session.is_noted = true;
            self.persistence.note(now, Change::Session(record.into()), novelty, Pace::Soon);
        }
    }

    /// Gives the store a batch, if one is due.
    pub(super) fn commit(&mut self, now: Tick) {
        if let Some(batch) = self.persistence.commit(now, self.life == Life::Stopping) {
            self.outputs.traffic.batches += 1;
            self.outputs.traffic.changes += super::outputs::counted(batch.changes.len());
            self.outputs.push(Output::Commit(batch));
        }
    }

    /// A batch is durable, or not.
    pub(super) fn committed(&mut self, now: Tick, number: u64, outcome: Result<(), Trouble>) {
        let had_trouble = self.persistence.trouble();
        let durable = match self.persistence.committed(now, number, outcome) {
            Outcome::Unknown => return,
            Outcome::Failed => {
                if let Some(trouble) = self.persistence.trouble()
                    && had_trouble != Some(trouble)
                {
                    self.outputs.event(Event::StoreFailed { trouble });
                }
                return self.resume_readers();
            }
            Outcome::Durable(durable) => durable,
            Outcome::Recovered(durable) => {
                self.outputs.event(Event::StoreRecovered);
                self.call_back_unkept(now);
                durable
            }
        };
        for (session, place) in durable {
            self.durable_to(session, place);
        }
        self.resume_readers();
        self.commit(now);
    }

    /// Messages of a session are there, or not.
    pub(super) fn paged(&mut self, now: Tick, page: Page) {
        let Some(index) = self.sessions.find_kept(page.session) else { return };
        if page.messages.is_err() {
            let session = &mut self.sessions[index];
            session.queue.give_up_page();
            let soon = now.after(crate::limits::COMMIT_RETRY.0);
            if session.connection.is_some() {
                self.timers.arm(&mut session.resume_at, Timer::Resume(index), soon);
            }
            return;
        }
        let lost = self.sessions[index].queue.page_in(page);
        self.count_drops(now, index, lost);
        self.pull(now, index);
    }

    /// The machine had been off for longer than was known: what waited for its end since then is
    /// nearer to it.
    pub(super) fn slept(&mut self, now: Tick, time: Duration) {
        for (id, known) in std::mem::take(&mut self.restored) {
            let Some(index) = self.sessions.find_kept(id) else { continue };
            let session = &mut self.sessions[index];
            if session.expires_at == Some(known) && session.connection.is_none() {
                let at = known.before(time);
                self.timers.arm(&mut session.expires_at, Timer::SessionExpiry(index), at);
                self.keep_session(now, index);
            }
        }
        self.retained.age(time);
    }

    /// Lets go of what the store has, for a client that is away or far behind.
    pub(super) fn page_out(&mut self, index: SessionIndex) {
        let session = &mut self.sessions[index];
        let kept = if session.connection.is_some() { PAGE_MESSAGES_MAX } else { 0 };
        session.queue.page_out(session.durable, kept);
    }

    /// Reads no further from a client that publishes faster than the store keeps.
    pub(super) fn pause_if_crowded(&mut self, id: ConnectionId) {
        if !self.persistence.is_crowded() {
            return;
        }
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if !connection.is_paused {
            connection.is_paused = true;
            self.outputs.push(Output::Pause { connection: id });
        }
    }

    /// Removes the retained messages that have expired.
    pub(super) fn expire_retained(&mut self, now: Tick) {
        for topic in self.retained.expire(now) {
            let change = Change::RetainedEnd(topic);
            self.persistence.note(now, change, Novelty::Known, Pace::Later);
        }
    }

    fn durable_to(&mut self, id: SessionId, place: Place) {
        let Some(index) = self.sessions.find_kept(id) else { return };
        let session = &mut self.sessions[index];
        session.durable = session.durable.max(place);
        self.page_out(index);
    }

    fn resume_readers(&mut self) {
        if self.persistence.is_crowded() {
            return;
        }
        for connection in self.connections.values_mut().filter(|it| it.is_paused) {
            connection.is_paused = false;
            self.outputs.push(Output::Resume { connection: connection.id });
        }
    }

    /// Clients that cannot be told that something was not kept say it again on a new connection.
    fn call_back_unkept(&mut self, now: Tick) {
        let connections = self.connections.values().filter(|connection| connection.unkept);
        let mut unkept: Vec<_> = connections.map(|connection| connection.id).collect();
        unkept.sort_unstable();
        for id in unkept {
            let why = "messages could not be kept for a while: they are to be sent again";
            let objection = Objection::new(crate::mqtt::ReasonCode::QuotaExceeded, why);
            self.close(now, id, Departure::Fault(objection));
        }
    }

    fn restore_session(&mut self, now: Tick, restored: RestoredSession) {
        let RestoredSession { record, subscriptions, received, released, sent, waiting } = restored;
        let key = SessionKey { principal: record.principal, client_id: record.client_id };
        let allowed = self.settings.rights.of(&key.principal, &key.client_id);
        let mut session = Session::new(key, allowed, &self.queued);
        session.id = Some(record.id);
        session.is_noted = true;
        session.expiry = record.expiry;
        session.will = record.will;
        session.received = received.into_iter().collect();
        let last = waiting.last().map(|run| Place(run.first.0.saturating_add(run.messages)));
        let last_sent = sent.last().map(|sent| sent.place);
        session.durable = last.max(last_sent).unwrap_or_default();
        session.place_after(session.durable);
        // What is released from now on is to come after these, in the store too.
        for packet_id in &released {
            let order = session.next_place().0;
            let (session, packet_id) = (record.id, *packet_id);
            let change = Change::Released { session, packet_id, order };
            self.persistence.note(now, change, Novelty::Known, Pace::Later);
        }
        session.window.restore(sent, released);
        session.queue.restore(waiting);
        let (id, expires, will_at) = (record.id, record.expires, record.will_at);
        let will_delay = session.will.as_ref().map(|will| will.properties.delay);
        let expiry = session.expiry;
        let index = self.sessions.insert(session);
        for (filter, subscription) in subscriptions {
            let Ok(wanted) = TopicFilter::new(&*filter) else { continue };
            let session = &mut self.sessions[index];
            session.subscription_bytes += Subscriptions::weight(&filter);
            session.subscriptions.insert(Arc::clone(&filter), subscription);
            self.subscriptions.insert(&wanted, index, subscription);
        }
        let ends = expires.unwrap_or(now.after(expiry));
        let session = &mut self.sessions[index];
        self.timers.arm(&mut session.expires_at, Timer::SessionExpiry(index), ends);
        if let Some(delay) = will_delay {
            let at = will_at.unwrap_or(now.after(delay));
            self.timers.arm(&mut session.will_at, Timer::Will(index), at);
        }
        if expires.is_some() {
            self.restored.push((id, ends));
        }
    }
}
