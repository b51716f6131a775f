//! Publications to those who subscribed, retained messages, and the subscriptions themselves.

use std::collections::BTreeSet;

use super::{Copy, Kept, Life, Model, Said, Search, Session, Share, Sight, Subscription, words};
use crate::access::{ConnectionId, Principal};
use crate::mqtt::{
    Delivery, Message, Publish, QoS, ReasonCode, RetainHandling, Subscribe, SubscribeFilter,
    Unsubscribe,
};
use crate::time::Tick;

use super::super::super::super::Retention;

impl Model {
    pub(super) fn publication(&mut self, id: ConnectionId, life: Life, v5: bool, it: &Publish) {
        if let Delivery::ExactlyOnce(packet_id) = it.delivery
            && self.session(life).received.contains(&packet_id)
        {
            return self.expect(id, Said::PubRec(packet_id, ReasonCode::Success));
        }
        let most = if v5 { self.settings.bounds.receive_maximum.get() } else { u16::MAX };
        let is_once = matches!(it.delivery, Delivery::ExactlyOnce(_));
        if is_once && self.session(life).received.len() >= most.into() {
            self.seen.note(Sight::TooMany);
            return self.ejected(id, life, ReasonCode::ReceiveMaximumExceeded);
        }
        let outcome = self.accept(life, v5, it);
        let reason = if v5 { outcome } else { ReasonCode::Success };
        match it.delivery {
            Delivery::AtMostOnce if reason == ReasonCode::PayloadFormatInvalid => {
                self.ejected(id, life, reason);
            }
            Delivery::AtMostOnce => {}
            Delivery::AtLeastOnce(packet_id) => self.expect(id, Said::PubAck(packet_id, reason)),
            Delivery::ExactlyOnce(packet_id) => {
                if !reason.is_failure() {
                    self.session(life).received.insert(packet_id);
                }
                self.expect(id, Said::PubRec(packet_id, reason));
            }
        }
    }

    fn accept(&mut self, life: Life, v5: bool, publish: &Publish) -> ReasonCode {
        let (message, qos) = (&publish.message, publish.delivery.qos());
        let mut outcome = self.permit(message);
        if outcome.is_ok() && publish.retain {
            outcome = self.retain(message, qos, Tick::MAX, false);
            if outcome.is_err() && !v5 {
                self.route(message, qos, true, Some(life));
            }
        }
        if let Err(reason) = outcome {
            self.ledger.denied += 1;
            return reason;
        }
        if self.route(message, qos, publish.retain, Some(life)) {
            ReasonCode::Success
        } else {
            ReasonCode::NoMatchingSubscribers
        }
    }

    pub(super) fn own_publication(&mut self, message: &Message, qos: QoS, retention: Retention) {
        let until = match retention {
            Retention::None => None,
            Retention::Replaced => Some(Tick::MAX),
            Retention::For(time) => Some(self.now.after(time)),
        };
        if let Some(until) = until {
            self.retain(message, qos, until, true).expect("the gateway has room");
        }
        self.route(message, qos, until.is_some(), None);
    }

    /// Sets or clears the message of a topic. Clients may have no room for any.
    pub(super) fn retain(
        &mut self,
        message: &Message,
        qos: QoS,
        until: Tick,
        is_own: bool,
    ) -> Result<(), ReasonCode> {
        let topic = message.topic.as_str().to_owned();
        self.retained.remove(&topic);
        if message.payload.is_empty() {
            return Ok(());
        }
        self.stamp += 1;
        if !is_own && self.settings.bounds.retained_bytes == 0 {
            return Err(ReasonCode::QuotaExceeded);
        }
        let expires = self.expires(message).map_or(until, |at| at.min(until));
        let kept = Kept { message: message.clone(), qos, expires, stamp: self.stamp };
        self.retained.insert(topic, kept);
        Ok(())
    }

    fn expires(&self, message: &Message) -> Option<Tick> {
        let lifetime = message.properties.as_ref()?.message_expiry?;
        Some(self.now.after(lifetime))
    }

    /// Whether anybody wanted it.
    pub(super) fn route(
        &mut self,
        message: &Message,
        qos: QoS,
        retain: bool,
        publisher: Option<Life>,
    ) -> bool {
        let expires = self.expires(message);
        let guests_may_not = !self.may_read(&Principal::Anonymous, message.topic.as_str());
        let mut is_wanted = false;
        for (&life, session) in &mut self.sessions {
            let is_own = publisher == Some(life);
            let matching = |one: &&Subscription| {
                let filter = one.wanted.filter.as_str();
                words::shared(filter).is_none() && words::matches(filter, message.topic.as_str())
            };
            let all: Vec<&Subscription> = session.subscriptions.iter().filter(matching).collect();
            let is_echo = |one: &&&Subscription| is_own && one.wanted.no_local;
            let found: Vec<&Subscription> =
                all.iter().filter(|one| !is_echo(one)).copied().collect();
            self.seen.notes(Sight::NotEchoed, (found.is_empty() && !all.is_empty()).into());
            let Some(highest) = found.iter().map(|one| one.wanted.qos).max() else { continue };
            is_wanted = true;
            if guests_may_not && session.principal == Principal::Anonymous {
                self.seen.note(Sight::Private);
                continue;
            }
            let mut ids: Vec<u32> = found.iter().filter_map(|one| one.id).collect();
            self.seen.notes(Sight::Overlapping, (ids.len() > 1).into());
            ids.sort_unstable();
            let qos = highest.min(qos);
            let retain = retain && found.iter().any(|one| one.wanted.retain_as_published);
            if session.connection.is_none() && qos == QoS::AtMostOnce {
                continue;
            }
            let message = message.clone();
            let (since, was_too_large) = (self.now, false);
            let copy =
                Copy { message, qos, retain, ids, expires, since, share: None, was_too_large };
            session.waiting.push_back(copy);
        }
        for filter in self.shared_filters_of(message.topic.as_str()) {
            is_wanted = true;
            let share = Share::new(filter, message, qos, retain, expires, self.now);
            self.share(share);
        }
        is_wanted
    }

    pub(super) fn subscribe(&mut self, id: ConnectionId, life: Life, subscribe: &Subscribe) {
        let filters = subscribe.filters.iter();
        let reasons: Vec<ReasonCode> =
            filters.map(|one| self.subscribe_one(life, one, subscribe.subscription_id)).collect();
        let refused = reasons.iter().filter(|reason| reason.is_failure()).count();
        self.ledger.denied += u64::try_from(refused).unwrap();
        self.expect(id, Said::SubAck(subscribe.packet_id, reasons));
    }

    fn subscribe_one(
        &mut self,
        life: Life,
        wanted: &SubscribeFilter,
        id: Option<u32>,
    ) -> ReasonCode {
        let (filter, bounds) = (wanted.filter.as_str(), self.settings.bounds.clone());
        if filter.split('/').count() > bounds.topic_levels {
            return ReasonCode::TopicFilterInvalid;
        }
        if !self.may_read(&self.sessions[&life].principal, filter) {
            return ReasonCode::NotAuthorized;
        }
        let session = self.session(life);
        let old = session.place(filter);
        if old.is_none() && session.subscriptions.len() >= bounds.subscriptions_per_session {
            return ReasonCode::QuotaExceeded;
        }
        let new = Subscription { wanted: wanted.clone(), id };
        match old {
            Some(place) => session.subscriptions[place] = new,
            None => session.subscriptions.push(new),
        }
        let wants_retained = match wanted.retain_handling {
            RetainHandling::Send => true,
            RetainHandling::SendIfNew => old.is_none(),
            RetainHandling::Never => false,
        };
        if words::shared(filter).is_some() {
            self.joined(life, filter);
        } else if wants_retained {
            self.search(life, filter, wanted.qos, id);
        }
        match wanted.qos {
            QoS::AtMostOnce => ReasonCode::Success,
            QoS::AtLeastOnce => ReasonCode::GrantedQoS1,
            QoS::ExactlyOnce => ReasonCode::GrantedQoS2,
        }
    }

    fn search(&mut self, life: Life, filter: &str, qos: QoS, id: Option<u32>) {
        let principal = &self.sessions[&life].principal;
        let kept = self
            .retained
            .iter()
            .filter(|(topic, _)| words::matches(filter, topic) && self.may_read(principal, topic));
        let due = kept.map(|(topic, kept)| (topic.clone(), kept.stamp)).collect();
        let (stamp, since) = (self.stamp, self.now);
        self.stored_may_be_too_large(1);
        let session = self.session(life);
        session.searches.retain(|search| search.filter != filter);
        let (filter, sent) = (filter.to_owned(), BTreeSet::new());
        session.searches.push(Search { filter, qos, id, due, sent, stamp, since });
    }

    pub(super) fn unsubscribe(&mut self, id: ConnectionId, life: Life, unsubscribe: &Unsubscribe) {
        let mut reasons = Vec::new();
        for filter in &unsubscribe.filters {
            let filter = filter.as_str();
            let session = self.session(life);
            let Some(place) = session.place(filter) else {
                reasons.push(ReasonCode::NoSubscriptionExisted);
                continue;
            };
            let gone = session.subscriptions.remove(place);
            session.searches.retain(|search| search.filter != filter);
            if words::shared(filter).is_some() {
                self.left(life, &gone);
            }
            reasons.push(ReasonCode::Success);
        }
        self.expect(id, Said::UnsubAck(unsubscribe.packet_id, reasons));
    }
}

impl Session {
    pub(super) fn place(&self, filter: &str) -> Option<usize> {
        self.subscriptions.iter().position(|one| one.wanted.filter.as_str() == filter)
    }
}
