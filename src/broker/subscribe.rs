//! SUBSCRIBE and UNSUBSCRIBE (sections 3.8 and 3.10).

use super::retained::Cursor;
use super::{Broker, SessionIndex};
use crate::access::ConnectionId;
use crate::limits::SUBSCRIPTIONS_PER_SESSION_MAX;
use crate::mqtt::{
    Packet, QoS, ReasonCode, Subscribe, SubscribeAcknowledgement, SubscribeFilter, Unsubscribe,
    UnsubscribeAcknowledgement,
};
use crate::time::Tick;

impl Broker {
    /// Grants each filter or says why not, answers, then sends retained messages: again for a
    /// subscription that was there before [MQTT-3.8.4-3].
    pub(super) fn subscribe(
        &mut self,
        now: Tick,
        id: ConnectionId,
        index: SessionIndex,
        subscribe: &Subscribe,
    ) {
        let filters = subscribe.filters.iter();
        let reasons = filters.map(|filter| self.grant(index, filter)).collect();
        let (packet_id, properties) = (subscribe.packet_id, None);
        let answer = SubscribeAcknowledgement { packet_id, reasons, properties };
        self.send(id, Packet::SubAck(answer));
        self.pump(now, index);
    }

    fn grant(&mut self, index: SessionIndex, wanted: &SubscribeFilter) -> ReasonCode {
        let Some(session) = self.sessions.session_mut(index) else {
            return ReasonCode::UnspecifiedError;
        };
        if self.settings.rights.subscribe(&session.principal, &wanted.filter).is_err() {
            return ReasonCode::NotAuthorized;
        }
        let is_new = !session.subscriptions.contains_key(&wanted.filter);
        if is_new && session.subscriptions.len() >= SUBSCRIPTIONS_PER_SESSION_MAX {
            return ReasonCode::QuotaExceeded;
        }
        let filter = wanted.filter.compact();
        self.subscriptions.insert(&filter, index, wanted.qos);
        session.cursors.retain(|cursor| cursor.filter() != &filter);
        session.cursors.push(Cursor::new(filter.clone(), wanted.qos));
        session.subscriptions.insert(filter, wanted.qos);
        match wanted.qos {
            QoS::AtMostOnce => ReasonCode::Success,
            QoS::AtLeastOnce => ReasonCode::GrantedQoS1,
            QoS::ExactlyOnce => ReasonCode::GrantedQoS2,
        }
    }

    /// Messages already on their way still arrive [MQTT-3.10.4-3].
    pub(super) fn unsubscribe(
        &mut self,
        id: ConnectionId,
        index: SessionIndex,
        unsubscribe: &Unsubscribe,
    ) {
        let Some(session) = self.sessions.session_mut(index) else { return };
        let mut reasons = Vec::with_capacity(unsubscribe.filters.len());
        for filter in &unsubscribe.filters {
            session.cursors.retain(|cursor| cursor.filter() != filter);
            let existed = session.subscriptions.remove(filter).is_some();
            if existed {
                self.subscriptions.remove(filter, index);
            }
            reasons.push(if existed {
                ReasonCode::Success
            } else {
                ReasonCode::NoSubscriptionExisted
            });
        }
        let (packet_id, properties) = (unsubscribe.packet_id, None);
        let answer = UnsubscribeAcknowledgement { packet_id, reasons, properties };
        self.send(id, Packet::UnsubAck(answer));
    }
}
