//! SUBSCRIBE and UNSUBSCRIBE.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::Broker;
use super::disconnect::Departure;
use super::objection::Objection;
use super::persistence::{Novelty, Pace, Thing};
use super::record::{Change, Subscription};
use super::retained::Search;
use super::session::{Session, SessionIndex};
use super::subscriptions::Subscriptions;
use crate::access::{Allowed, ConnectionId, Denied};
use crate::limits;
use crate::mqtt::{
    Packet, QoS, ReasonCode, RetainHandling, Subscribe, SubscribeAcknowledgement, SubscribeFilter,
    TopicFilter, Unsubscribe, UnsubscribeAcknowledgement,
};
use crate::time::Tick;

impl Broker {
    /// Answers one reason per filter, in order ([MQTT-3.8.4-6]), and says why the first that was
    /// refused was; the retained messages follow.
    pub(super) fn subscribe(
        &mut self,
        now: Tick,
        id: ConnectionId,
        index: SessionIndex,
        subscribe: &Subscribe,
    ) {
        let subscription_id = subscribe.subscription_id.and_then(NonZeroU32::new);
        let filters = subscribe.filters.iter();
        self.persistence.open(id);
        let outcomes: Vec<_> = filters
            .map(|wanted| {
                let outcome = self.subscribe_one(now, index, wanted, subscription_id);
                if let Err(objection) = &outcome
                    && !objection.is_of_the_store
                {
                    let client_id = self.sessions[index].key.client_id.to_string();
                    self.deny(
                        now,
                        id,
                        client_id,
                        wanted.filter.as_str(),
                        Denied(objection.why.clone()),
                    );
                }
                outcome
            })
            .collect();
        let hold = self.persistence.close();
        let refused = outcomes.iter().find_map(|outcome| outcome.as_ref().err());
        let terms = self.connections.get(&id).map(|connection| connection.terms);
        let mut answer = SubscribeAcknowledgement {
            packet_id: subscribe.packet_id,
            reasons: outcomes.iter().map(reason).collect(),
            properties: None,
        };
        if self.has_room_for(now, id, &Packet::SubAck(answer.clone())) {
            let words = terms.zip(refused).and_then(|(terms, it)| terms.explanation(&it.why));
            answer.properties = words;
            self.send_kept(id, Packet::SubAck(answer), hold);
            if hold.is_none() {
                self.pull(now, index);
            }
        }
    }

    /// Removes exactly the named filters and answers in any case ([MQTT-3.10.4-1],
    /// [MQTT-3.10.4-4]). Messages that wait are still delivered, but for those that the other
    /// members of a group can have.
    pub(super) fn unsubscribe(
        &mut self,
        now: Tick,
        id: ConnectionId,
        index: SessionIndex,
        unsubscribe: &Unsubscribe,
    ) {
        let filters = || unsubscribe.filters.iter().map(TopicFilter::as_str);
        self.persistence.open(id);
        let reasons: Vec<_> =
            filters().map(|filter| self.unsubscribe_one(now, index, filter)).collect();
        let left: Vec<&str> = std::iter::zip(filters(), &reasons)
            .filter_map(|(filter, reason)| (*reason == ReasonCode::Success).then_some(filter))
            .collect();
        let hold = self.persistence.close();
        let packet_id = unsubscribe.packet_id;
        let answer = UnsubscribeAcknowledgement { packet_id, reasons, properties: None };
        let answer = Packet::UnsubAck(answer);
        for filter in left {
            self.leave_group(now, index, filter);
        }
        if self.has_room_for(now, id, &answer) {
            self.send_kept(id, answer, hold);
            self.pull(now, index);
        }
    }

    /// Whether a client takes so large an answer. One that does not could only wait for it, so its
    /// connection ends ([MQTT-3.1.2-24], [MQTT-3.8.4-1]).
    fn has_room_for(&mut self, now: Tick, id: ConnectionId, answer: &Packet) -> bool {
        let connection = self.connections.get(&id);
        let has_room = connection.is_none_or(|connection| connection.terms.take(answer));
        if !has_room {
            let why = "asked for more filters than the client takes an answer for [MQTT-3.1.2-24]";
            let objection = Objection::new(ReasonCode::PacketTooLarge, why);
            self.close(now, id, Departure::Fault(objection));
        }
        has_room
    }

    /// A subscription with an identical filter is replaced, and the retained messages are sent
    /// again if that is wanted ([MQTT-3.8.4-3], [MQTT-3.3.1-9] to [MQTT-3.3.1-11]), but not to a
    /// group (4.8.2).
    fn subscribe_one(
        &mut self,
        now: Tick,
        index: SessionIndex,
        wanted: &SubscribeFilter,
        id: Option<NonZeroU32>,
    ) -> Result<QoS, Objection> {
        self.may_subscribe(&self.sessions[index].allowed, &wanted.filter)?;
        let session = &mut self.sessions[index];
        let store_id = session.store_id();
        if let Some(trouble) = store_id.and_then(|_| self.persistence.refusal()) {
            return Err(Objection::unkept(trouble));
        }
        let text = wanted.filter.as_str();
        let is_new = !session.subscriptions.contains_key(text);
        let bytes = self.subscriptions.bytes().saturating_add(Subscriptions::weight(text));
        if is_new && bytes > self.settings.bounds.subscription_bytes {
            let why = "all clients together have too many topic filters: our limit";
            return Err(Objection::new(ReasonCode::QuotaExceeded, why));
        }
        let filter = place(session, text, self.settings.bounds.subscriptions_per_session)?;
        let subscription = Subscription {
            qos: wanted.qos,
            id,
            no_local: wanted.no_local,
            retain_as_published: wanted.retain_as_published,
        };
        let replaced = session.subscriptions.insert(Arc::clone(&filter), subscription);
        self.subscriptions.insert(&wanted.filter, index, subscription);
        if let Some(session) = store_id {
            let filter = Arc::clone(&filter);
            let change = Change::Subscription { session, filter, subscription };
            if replaced == Some(subscription) {
                // Many clients say it each time they come.
                self.persistence.join(|| change.thing());
            } else {
                let novelty = if is_new { Novelty::New } else { Novelty::Known };
                self.persistence.note(now, change, novelty, Pace::Now);
            }
        }
        let wants_retained = match wanted.retain_handling {
            RetainHandling::Send => true,
            RetainHandling::SendIfNew => is_new,
            RetainHandling::Never => false,
        };
        if wants_retained && wanted.filter.shared().is_none() {
            session.queue.end_search(&filter);
            session.queue.search(Search::new(filter, self.retained.stamp()), wanted.qos, id);
        }
        Ok(wanted.qos)
    }

    /// Whether somebody may subscribe to that; to a group, if to what it shares.
    pub(super) fn may_subscribe(
        &self,
        allowed: &Allowed,
        filter: &TopicFilter,
    ) -> Result<(), Objection> {
        if filter.levels().count() > self.settings.bounds.topic_levels {
            let why = "topic filter has too many levels: our limit";
            return Err(Objection::new(ReasonCode::TopicFilterInvalid, why));
        }
        let Some((_, topics)) = filter.shared() else {
            if filter.claims_shared() {
                let why = "not a shared subscription: `$share/{group}/{filter}` [MQTT-4.8.2-1]";
                return Err(Objection::new(ReasonCode::TopicFilterInvalid, why));
            }
            return Ok(allowed.subscribe(filter)?);
        };
        let topics = TopicFilter::new(topics.to_owned()).map_err(|_| {
            let why = "no topic filter in the shared subscription [MQTT-4.8.2-2]";
            Objection::new(ReasonCode::TopicFilterInvalid, why)
        })?;
        Ok(allowed.subscribe(&topics)?)
    }

    pub(super) fn unsubscribe_one(
        &mut self,
        now: Tick,
        index: SessionIndex,
        text: &str,
    ) -> ReasonCode {
        let session = &mut self.sessions[index];
        let Some((filter, _)) = session.subscriptions.remove_entry(text) else {
            if let Some(session) = session.id {
                self.persistence.join(|| Thing::subscription(session, Arc::from(text)));
            }
            return ReasonCode::NoSubscriptionExisted;
        };
        session.subscription_bytes -= Subscriptions::weight(text);
        session.queue.end_search(&filter);
        self.subscriptions.remove(text, index);
        if let Some(session) = session.id {
            let change = Change::SubscriptionEnd { session, filter };
            self.persistence.note(now, change, Novelty::Known, Pace::Now);
        }
        ReasonCode::Success
    }
}

/// The filter as the session holds it, now or from now on, if it may hold so many.
fn place(session: &mut Session, text: &str, most: usize) -> Result<Arc<str>, Objection> {
    if let Some((filter, _)) = session.subscriptions.get_key_value(text) {
        return Ok(Arc::clone(filter));
    }
    let bytes = session.subscription_bytes.saturating_add(Subscriptions::weight(text));
    let is_full = session.subscriptions.len() >= most;
    if is_full || bytes > limits::SUBSCRIPTION_BYTES_PER_SESSION_MAX {
        let why = "the client has too many topic filters: our limit";
        return Err(Objection::new(ReasonCode::QuotaExceeded, why));
    }
    session.subscription_bytes = bytes;
    Ok(Arc::from(text))
}

/// As SUBACK says it.
fn reason(outcome: &Result<QoS, Objection>) -> ReasonCode {
    match outcome {
        Ok(qos) => granted(*qos),
        Err(objection) => objection.reason,
    }
}

const fn granted(qos: QoS) -> ReasonCode {
    match qos {
        QoS::AtMostOnce => ReasonCode::Success,
        QoS::AtLeastOnce => ReasonCode::GrantedQoS1,
        QoS::ExactlyOnce => ReasonCode::GrantedQoS2,
    }
}
