//! SUBSCRIBE and UNSUBSCRIBE.

use std::sync::Arc;

use super::Broker;
use super::retained::Search;
use super::session::{Session, SessionIndex};
use super::subscriptions::{Subscription, Subscriptions};
use crate::access::ConnectionId;
use crate::limits;
use crate::mqtt::{
    Packet, QoS, ReasonCode, Subscribe, SubscribeAcknowledgement, SubscribeFilter, Unsubscribe,
    UnsubscribeAcknowledgement,
};
use crate::time::Tick;

impl Broker {
    /// Answers one reason per filter, in order ([MQTT-3.8.4-4], [MQTT-3.8.4-5]); the retained
    /// messages follow.
    pub(super) fn subscribe(
        &mut self,
        now: Tick,
        id: ConnectionId,
        index: SessionIndex,
        subscribe: &Subscribe,
    ) {
        let filters = subscribe.filters.iter();
        let reasons = filters.map(|wanted| self.subscribe_one(now, id, index, wanted)).collect();
        let packet_id = subscribe.packet_id;
        let answer = SubscribeAcknowledgement { packet_id, reasons, properties: None };
        self.send(id, Packet::SubAck(answer));
        self.pull(now, index);
    }

    /// Removes exactly the named filters and answers in any case ([MQTT-3.10.4-1],
    /// [MQTT-3.10.4-5]). Messages that wait are still delivered.
    pub(super) fn unsubscribe(
        &mut self,
        id: ConnectionId,
        index: SessionIndex,
        unsubscribe: &Unsubscribe,
    ) {
        let filters = unsubscribe.filters.iter();
        let reasons = filters.map(|filter| self.unsubscribe_one(index, filter.as_str())).collect();
        let packet_id = unsubscribe.packet_id;
        let answer = UnsubscribeAcknowledgement { packet_id, reasons, properties: None };
        self.send(id, Packet::UnsubAck(answer));
    }

    /// A subscription with an identical filter is replaced, and the retained messages are sent
    /// again ([MQTT-3.8.4-3]).
    fn subscribe_one(
        &mut self,
        now: Tick,
        id: ConnectionId,
        index: SessionIndex,
        wanted: &SubscribeFilter,
    ) -> ReasonCode {
        let session = &mut self.sessions[index];
        let text = wanted.filter.as_str();
        let allowed = self.settings.rights.subscribe(&session.key.principal, &wanted.filter);
        if let Err(denied) = allowed {
            let client_id = session.key.client_id.to_string();
            self.deny(now, id, client_id, text, denied);
            return ReasonCode::NotAuthorized;
        }
        let Some(filter) = place(session, text) else { return ReasonCode::QuotaExceeded };
        let subscription = Subscription { qos: wanted.qos };
        session.subscriptions.insert(Arc::clone(&filter), subscription);
        self.subscriptions.insert(text, index, subscription);
        session.queue.search(Search::new(filter, self.retained.stamp()), wanted.qos);
        granted(wanted.qos)
    }

    fn unsubscribe_one(&mut self, index: SessionIndex, text: &str) -> ReasonCode {
        let session = &mut self.sessions[index];
        let Some((filter, _)) = session.subscriptions.remove_entry(text) else {
            return ReasonCode::NoSubscriptionExisted;
        };
        session.subscription_bytes -= Subscriptions::weight(text);
        session.queue.end_search(&filter);
        self.subscriptions.remove(text, index);
        ReasonCode::Success
    }
}

/// The filter as the session holds it, now or from now on; `None` if it may not hold more.
fn place(session: &mut Session, text: &str) -> Option<Arc<str>> {
    if let Some((filter, _)) = session.subscriptions.get_key_value(text) {
        session.queue.end_search(filter);
        return Some(Arc::clone(filter));
    }
    let bytes = session.subscription_bytes.saturating_add(Subscriptions::weight(text));
    let is_full = session.subscriptions.len() >= limits::SUBSCRIPTIONS_PER_SESSION_MAX;
    if is_full || bytes > limits::SUBSCRIPTION_BYTES_PER_SESSION_MAX {
        return None;
    }
    session.subscription_bytes = bytes;
    Some(Arc::from(text))
}

const fn granted(qos: QoS) -> ReasonCode {
    match qos {
        QoS::AtMostOnce => ReasonCode::Success,
        QoS::AtLeastOnce => ReasonCode::GrantedQoS1,
        QoS::ExactlyOnce => ReasonCode::GrantedQoS2,
    }
}
