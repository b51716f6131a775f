//! Publications: what clients and the gateway say, under the rules, to whom it concerns.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::connection::Terms;
use super::delivery::Recipient;
use super::disconnect::Departure;
use super::objection::Objection;
use super::outputs::counted;
use super::persistence::{HoldId, Novelty, Pace, Thing};
use super::queue::aged;
use super::record::{Change, Queued, RetainedRecord, Share, Trouble};
use super::retained::Origin;
use super::session::SessionIndex;
use super::subscriptions::Match;
use super::{Broker, Retention};
use crate::access::{Allowed, ConnectionId, Denied};
use crate::limits;
use crate::mqtt::{
    Acknowledgement, Delivery, Message, Packet, PacketId, Publish, QoS, ReasonCode, TopicName,
};
use crate::time::Tick;

/// A message on its way to its subscribers.
#[derive(Debug)]
pub(super) struct Publication {
    message: Message,
    storage: Storage,
    /// As it was last kept for a client: mostly the next one gets the same.
    copy: Option<Arc<Queued>>,
    pub(super) qos: QoS,
    /// Whether it was published to be retained.
    pub(super) retain: bool,
    /// Whose it is, if a client's: not sent to those who do not want their own.
    publisher: Option<SessionIndex>,
    /// From when on nobody gets it any more.
    pub(super) expires: Option<Tick>,
    /// Why somebody did not get it.
    pub(super) unkept: Option<Trouble>,
}

/// Whether the message may be held for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Storage {
    Borrowed,
    Kept,
}

impl Publication {
    /// A message that is published now.
    pub(super) fn new(now: Tick, message: Message, qos: QoS, retain: bool) -> Self {
        let properties = message.properties.as_deref();
        let lifetime = properties.and_then(|properties| properties.message_expiry);
        let expires = lifetime.map(|lifetime| now.after(lifetime));
        let (storage, copy, publisher, unkept) = (Storage::Borrowed, None, None, None);
        Self { message, storage, copy, qos, retain, publisher, expires, unkept }
    }

    /// A message that was for another member of a group, as it was published.
    pub(super) fn again(message: &Queued, share: &Share) -> Self {
        let (message, expires) = (message.message.clone(), message.expires);
        let &Share { qos, retain, .. } = share;
        let (storage, copy, publisher, unkept) = (Storage::Kept, None, None, None);
        Self { message, storage, copy, qos, retain, publisher, expires, unkept }
    }

    /// The same of that client, if it has a session.
    pub(super) fn by(self, publisher: Option<SessionIndex>) -> Self {
        Self { publisher, ..self }
    }

    pub(super) fn topic(&self) -> &TopicName {
        &self.message.topic
    }

    /// The packet of a copy that is sent and forgotten.
    pub(super) fn to_publish(&self, now: Tick, to: Recipient) -> Publish {
        let message = aged(self.message.clone(), now, self.expires);
        let (dup, delivery) = (false, Delivery::AtMostOnce);
        let Recipient { retain, subscription_ids, .. } = to;
        Publish { dup, delivery, retain, message, subscription_ids }
    }

    /// The message as a client gets it, to be stored; those who get it alike share it.
    pub(super) fn copy(&mut self, to: Recipient) -> Arc<Queued> {
        let Recipient { qos, retain, subscription_ids, share, .. } = to;
        // One by one: as a whole, two empty ones are compared where no memory is, which some
        // processors take hundreds of cycles to forgive.
        if let Some(last) = &self.copy
            && (last.qos, last.retain) == (qos, retain)
            && last.subscription_ids.iter().eq(&subscription_ids)
            && last.share == share
        {
            return Arc::clone(last);
        }
        let message = match (&self.copy, self.storage) {
            (Some(other), _) => other.message.clone(),
            (None, Storage::Kept) => self.message.clone(),
            (None, Storage::Borrowed) => keep(&self.message),
        };
        let expires = self.expires;
        let copy = Queued { message, qos, retain, subscription_ids, share, expires };
        Arc::clone(self.copy.insert(Arc::new(copy)))
    }

    /// The message, to be stored by others than its clients, who share it then.
    fn kept(&mut self) -> Message {
        if self.storage == Storage::Borrowed {
            self.message = keep(&self.message);
            self.storage = Storage::Kept;
        }
        self.message.clone()
    }
}

/// A message as it is stored: the one place where it can part from the buffer it arrived in.
pub(super) fn keep(message: &Message) -> Message {
    message.compact()
}

impl Broker {
    /// A client publishes. A QoS 2 message is routed when it arrives and its identifier remembered
    /// until it is released, so that a resend is not routed again ([MQTT-4.3.3-10]).
    pub(super) fn publish(
        &mut self,
        now: Tick,
        id: ConnectionId,
        index: SessionIndex,
        publish: Publish,
    ) {
        let traffic = &mut self.outputs.traffic;
        traffic.messages_received += 1;
        traffic.payload_bytes_received += counted(publish.message.payload.len());
        match publish.delivery {
            Delivery::AtMostOnce => self.publish_unanswered(now, id, index, publish),
            Delivery::AtLeastOnce(packet_id) => {
                if let Some((answer, hold)) = self.publish_kept(now, id, index, packet_id, publish)
                {
                    self.send_kept(id, Packet::PubAck(answer), hold);
                }
            }
            Delivery::ExactlyOnce(packet_id) => {
                self.publish_once(now, id, index, packet_id, publish);
            }
        }
    }

    /// At QoS 0 a payload that is not what it says cannot be refused but by DISCONNECT
    /// (3.3.2.3.2); all else is dropped, and people are told.
    fn publish_unanswered(
        &mut self,
        now: Tick,
        id: ConnectionId,
        index: SessionIndex,
        publish: Publish,
    ) {
        match self.accept_publication(now, id, index, publish) {
            Err(objection) if objection.reason == ReasonCode::PayloadFormatInvalid => {
                self.close(now, id, Departure::Fault(objection));
            }
            Ok(_) | Err(_) => {}
        }
    }

    /// A resend is acknowledged again ([MQTT-4.3.3-10]); one too many ends the connection
    /// ([MQTT-3.3.4-7] says that a client does not send it). A refused one is done with
    /// ([MQTT-4.3.3-9]), where the client can be told that it is refused.
    fn publish_once(
        &mut self,
        now: Tick,
        id: ConnectionId,
        index: SessionIndex,
        packet_id: PacketId,
        publish: Publish,
    ) {
        let session = &self.sessions[index];
        let received = &session.received;
        if received.contains(&packet_id) {
            let thing = session.id.map(|session| Thing::received(session, packet_id));
            let hold = thing.and_then(|thing| self.persistence.hold(id, &thing));
            let answer = Packet::PubRec(Acknowledgement::success(packet_id));
            return self.send_kept(id, answer, hold);
        }
        let is_v5 = self.is_v5(id);
        let maximum = if is_v5 {
            self.settings.bounds.receive_maximum.get().into()
        } else {
            limits::INFLIGHT_FROM_CLIENT_MAX
        };
        if received.len() >= maximum {
            let why = "more QoS 2 messages under way than our Receive Maximum [MQTT-3.3.4-7]";
            let objection = Objection::new(ReasonCode::ReceiveMaximumExceeded, why);
            return self.close(now, id, Departure::Fault(objection));
        }
        if let Some((answer, hold)) = self.publish_kept(now, id, index, packet_id, publish) {
            self.send_kept(id, Packet::PubRec(answer), hold);
        }
    }

    /// Routes a message that is to be acknowledged: with what, and what has to be durable before.
    /// Nothing, where it cannot be kept and the client cannot be told: it says the same again when
    /// it comes back, and all that followed, in the same order.
    fn publish_kept(
        &mut self,
        now: Tick,
        id: ConnectionId,
        index: SessionIndex,
        packet_id: PacketId,
        publish: Publish,
    ) -> Option<(Acknowledgement, Option<HoldId>)> {
        let connection = self.connections.get(&id).filter(|connection| !connection.unkept)?;
        let terms = connection.terms;
        let is_exactly_once = matches!(publish.delivery, Delivery::ExactlyOnce(_));
        self.persistence.open(id);
        let outcome = self.accept_publication(now, id, index, publish);
        let is_unkept = outcome.as_ref().is_err_and(|objection| objection.is_of_the_store);
        let answer = answer(&terms, packet_id, outcome);
        if is_exactly_once && !is_unkept && !answer.reason.is_failure() {
            self.receive(now, index, packet_id);
        }
        let hold = self.persistence.close();
        if is_unkept && !terms.is_v5() {
            self.connections.get_mut(&id)?.unkept = true;
            return None;
        }
        self.pause_if_crowded(id);
        Some((answer, hold))
    }

    /// Remembers that a QoS 2 message came.
    fn receive(&mut self, now: Tick, index: SessionIndex, packet_id: PacketId) {
        let session = &mut self.sessions[index];
        session.received.insert(packet_id);
        if let Some(session) = session.store_id() {
            let change = Change::Received { session, packet_id };
            self.persistence.note(now, change, Novelty::New, Pace::Now);
        }
    }

    /// A client has discarded a QoS 2 message; its identifier may name another now. Also answered
    /// when nothing is known of it, so that the client can finish.
    pub(super) fn released(
        &mut self,
        now: Tick,
        id: ConnectionId,
        index: SessionIndex,
        packet_id: PacketId,
    ) {
        /// Places kept when all is released, so that a burst's memory is given back.
        const PLACES_KEPT: usize = 64;
        let session = &mut self.sessions[index];
        let received = &mut session.received;
        let is_known = received.remove(&packet_id);
        if received.is_empty() {
            received.shrink_to(PLACES_KEPT);
        }
        // Until that is durable, the client may not use the identifier for another message.
        self.persistence.open(id);
        if let Some(session) = session.id {
            let change = Change::ReceivedEnd { session, packet_id };
            if is_known {
                self.persistence.note(now, change, Novelty::Known, Pace::Now);
            } else {
                self.persistence.join(|| change.thing());
            }
        }
        let hold = self.persistence.close();
        let reason = if !is_known && self.is_v5(id) {
            ReasonCode::PacketIdentifierNotFound
        } else {
            ReasonCode::Success
        };
        let answer = Acknowledgement { packet_id, reason, properties: None };
        self.send_kept(id, Packet::PubComp(answer), hold);
    }

    /// The gateway publishes.
    pub(super) fn own_publish(
        &mut self,
        now: Tick,
        message: Message,
        qos: QoS,
        retention: Retention,
    ) {
        self.outputs.traffic.messages_own += 1;
        self.persistence.idle_pace = Pace::Later; // It is read again, or told again.
        let retain = retention != Retention::None;
        let mut publication = Publication::new(now, message, qos, retain);
        let stored = match retention {
            Retention::None => Ok(()),
            Retention::Replaced => self.retain(now, Origin::Gateway, &mut publication, Tick::MAX),
            Retention::For(time) => {
                self.retain(now, Origin::Gateway, &mut publication, now.after(time))
            }
        };
        debug_assert_eq!(stored, Ok(()), "there is always room for what the gateway retains");
        self.route(now, &mut publication);
        self.persistence.idle_pace = Pace::Soon;
    }

    /// Sets, at most until that instant, or clears the retained message of a topic
    /// ([MQTT-3.3.1-5] to [MQTT-3.3.1-7]).
    ///
    /// Those of the gateway are not kept: it knows them anew when it starts.
    pub(super) fn retain(
        &mut self,
        now: Tick,
        origin: Origin,
        publication: &mut Publication,
        until: Tick,
    ) -> Result<(), Objection> {
        if let Some(trouble) = self.persistence.refusal() {
            return Err(Objection::unkept(trouble));
        }
        if publication.message.payload.is_empty() {
            let topic = publication.message.topic.clone();
            let was = self.retained.clear(&topic);
            self.forget_retained(now, topic, was);
            return Ok(());
        }
        let earlier = publication.expires.map_or(until, |expires| expires.min(until));
        let expires = Some(earlier).filter(|expires| *expires < Tick::MAX);
        let (qos, message) = (publication.qos, publication.kept());
        let (was, outcome) = self.retained.replace(origin, message.clone(), qos, expires);
        if origin == Origin::Client && outcome.is_ok() {
            let record = RetainedRecord { message, qos, expires };
            let change = Change::Retained(record.into());
            self.persistence.note(now, change, Novelty::Known, Pace::Now);
        } else {
            self.forget_retained(now, message.topic, was);
        }
        outcome
    }

    fn forget_retained(&mut self, now: Tick, topic: TopicName, was: Option<Origin>) {
        let change = Change::RetainedEnd(topic);
        if was == Some(Origin::Client) {
            self.persistence.note(now, change, Novelty::Known, Pace::Now);
        } else {
            self.persistence.join(|| change.thing());
        }
    }

    /// Gives each session with a matching subscription one copy, at the highest quality that one
    /// of them allows ([MQTT-3.3.4-2]), and one to each group. Returns whether anybody wanted it.
    pub(super) fn route(&mut self, now: Tick, publication: &mut Publication) -> bool {
        let mut matches = std::mem::take(&mut self.matches);
        self.subscriptions.matches(publication.message.topic.as_str(), &mut matches);
        let mut is_wanted = false;
        for of_session in matches.chunk_by(|a, b| a.subscriber == b.subscriber) {
            let Some(to) = recipient(of_session, publication) else { continue };
            is_wanted = true;
            self.deliver(now, to, publication);
        }
        matches.clear();
        self.matches = matches;
        self.route_shared(now, publication) || is_wanted
    }

    /// Routes what the client may publish; returns whether anybody wanted it. A 3.1.1 client cannot
    /// be told that it may not: it is acknowledged and goes nowhere ([MQTT-3.3.5-2] of 3.1.1), and
    /// people are told.
    fn accept_publication(
        &mut self,
        now: Tick,
        id: ConnectionId,
        index: SessionIndex,
        publish: Publish,
    ) -> Result<bool, Objection> {
        let Publish { delivery, retain, message, .. } = publish;
        let mut outcome = self.permit(&self.sessions[index].allowed, &message);
        let mut publication = Publication::new(now, message, delivery.qos(), retain);
        publication.publisher = Some(index);
        let mut is_wanted = false;
        if outcome.is_ok() {
            if retain {
                outcome = self.retain(now, Origin::Client, &mut publication, Tick::MAX);
            }
            if outcome.is_ok() || !self.is_v5(id) {
                is_wanted = self.route(now, &mut publication);
                outcome = publication.unkept.map_or(outcome, |it| Err(Objection::unkept(it)));
            }
        }
        match &outcome {
            Err(objection) if objection.is_of_the_store => {
                self.outputs.traffic.messages_unkept += 1;
            }
            Err(objection) => {
                let client_id = self.sessions[index].key.client_id.to_string();
                let topic = publication.topic().as_str();
                self.deny(now, id, client_id, topic, Denied(objection.why.clone()));
            }
            Ok(()) => {}
        }
        outcome.map(|()| is_wanted)
    }

    /// Whether somebody may publish that.
    pub(super) fn permit(&self, allowed: &Allowed, message: &Message) -> Result<(), Objection> {
        if message.topic.is_deeper_than(self.settings.bounds.topic_levels) {
            let why = "topic name has too many levels: our limit";
            return Err(Objection::new(ReasonCode::TopicNameInvalid, why));
        }
        allowed.publish(&message.topic)?;
        let says_utf8 = message.properties.as_ref().is_some_and(|it| it.payload_is_utf8);
        if says_utf8 && std::str::from_utf8(&message.payload).is_err() {
            let why =
                "the payload is not the UTF-8 text it says it is (MQTT 5.0 section 3.3.2.3.2)";
            return Err(Objection::new(ReasonCode::PayloadFormatInvalid, why));
        }
        Ok(())
    }
}

/// What a client is told of its message.
fn answer(terms: &Terms, packet_id: PacketId, outcome: Result<bool, Objection>) -> Acknowledgement {
    if !terms.is_v5() {
        return Acknowledgement::success(packet_id);
    }
    let (reason, properties) = match outcome {
        Ok(true) => (ReasonCode::Success, None),
        Ok(false) => (ReasonCode::NoMatchingSubscribers, None),
        Err(objection) => (objection.reason, terms.explanation(&objection.why)),
    };
    Acknowledgement { packet_id, reason, properties }
}

/// What the matching subscriptions of one session come to; nothing where all of them leave out what
/// the session published itself ([MQTT-3.8.3-3]).
fn recipient(matches: &[Match], publication: &Publication) -> Option<Recipient> {
    let session = matches.first()?.subscriber;
    let is_own = publication.publisher == Some(session);
    let (mut qos, mut retain, mut subscription_ids) = (None, false, Vec::new());
    for Match { terms, .. } in matches.iter().filter(|one| !(is_own && one.terms.no_local)) {
        qos = qos.max(Some(terms.qos));
        retain |= publication.retain && terms.retain_as_published;
        subscription_ids.extend(terms.id.map(NonZeroU32::get));
    }
    let qos = qos?.min(publication.qos);
    Some(Recipient { session, qos, retain, subscription_ids, share: None })
}
