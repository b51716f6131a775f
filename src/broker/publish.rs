//! Publications: what clients and the gateway say, under the rules, to whom it concerns.

use super::delivery::Recipient;
use super::outputs::counted;
use super::retained::Origin;
use super::session::SessionIndex;
use super::{Broker, Match, Retention};
use crate::access::{ConnectionId, Denied, Principal};
use crate::mqtt::{Acknowledgement, Delivery, Message, Packet, PacketId, Publish, QoS};
use crate::time::Tick;

/// A message on its way to its subscribers.
#[derive(Debug)]
pub(super) struct Publication {
    message: Message,
    storage: Storage,
    pub(super) qos: QoS,
    /// From when on nobody gets it any more.
    pub(super) expires: Option<Tick>,
}

/// Whether the message may be held for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Storage {
    Borrowed,
    Kept,
}

impl Publication {
    /// A message that is published now.
    pub(super) fn new(now: Tick, message: Message, qos: QoS) -> Self {
        let properties = message.properties.as_deref();
        let lifetime = properties.and_then(|properties| properties.message_expiry);
        let expires = lifetime.map(|lifetime| now.after(lifetime));
        Self { message, storage: Storage::Borrowed, qos, expires }
    }

    /// The message, to be sent and forgotten.
    pub(super) fn message(&self) -> Message {
        self.message.clone()
    }

    /// The message, to be stored; made fit for that once, however many store it.
    pub(super) fn kept(&mut self) -> Message {
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
    /// until it is released, so that a resend is not routed again ([MQTT-4.3.3-2], method B).
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
            Delivery::AtMostOnce => self.accept_publication(now, id, index, publish),
            Delivery::AtLeastOnce(packet_id) => {
                self.accept_publication(now, id, index, publish);
                self.send(id, Packet::PubAck(Acknowledgement::success(packet_id)));
            }
            Delivery::ExactlyOnce(packet_id) => {
                if self.sessions[index].received.insert(packet_id) {
                    self.accept_publication(now, id, index, publish);
                }
                self.send(id, Packet::PubRec(Acknowledgement::success(packet_id)));
            }
        }
    }

    /// A client has discarded a QoS 2 message; its identifier may name another now. Also answered
    /// when nothing is known of it, so that the client can finish.
    pub(super) fn released(&mut self, id: ConnectionId, index: SessionIndex, packet_id: PacketId) {
        /// Places kept when all is released, so that a burst's memory is given back.
        const PLACES_KEPT: usize = 64;
        let received = &mut self.sessions[index].received;
        received.remove(&packet_id);
        if received.is_empty() {
            received.shrink_to(PLACES_KEPT);
        }
        self.send(id, Packet::PubComp(Acknowledgement::success(packet_id)));
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
        let denied = self.settings.rights.publish(&Principal::Gateway, &message.topic);
        let mut publication = Publication::new(now, message, qos);
        let stored = match retention {
            Retention::None => Ok(()),
            Retention::Replaced => self.retain(Origin::Gateway, &mut publication, Tick::MAX),
            Retention::For(time) => self.retain(Origin::Gateway, &mut publication, now.after(time)),
        };
        debug_assert_eq!(denied.and(stored), Ok(()), "the gateway may publish anything");
        self.route(now, publication);
    }

    /// Sets, at most until that instant, or clears the retained message of a topic
    /// ([MQTT-3.3.1-5], [MQTT-3.3.1-10], [MQTT-3.3.1-11]).
    pub(super) fn retain(
        &mut self,
        origin: Origin,
        publication: &mut Publication,
        until: Tick,
    ) -> Result<(), Denied> {
        if publication.message.payload.is_empty() {
            self.retained.clear(&publication.message.topic);
            return Ok(());
        }
        let earlier = publication.expires.map_or(until, |expires| expires.min(until));
        let expires = Some(earlier).filter(|expires| *expires < Tick::MAX);
        let qos = publication.qos;
        self.retained.store(origin, publication.kept(), qos, expires)
    }

    /// Gives each session with a matching subscription one copy, at the highest quality that one
    /// of them allows ([MQTT-3.3.5-1]).
    pub(super) fn route(&mut self, now: Tick, mut publication: Publication) {
        let mut matches = std::mem::take(&mut self.matches);
        self.subscriptions.matches(publication.message.topic.as_str(), &mut matches);
        for of_session in matches.chunk_by(|a, b| a.session == b.session) {
            let Some(to) = recipient(of_session, publication.qos) else { continue };
            self.deliver(now, to, &mut publication);
        }
        matches.clear();
        self.matches = matches;
    }

    /// Routes what the client may publish. A 3.1.1 client cannot be told that it may not: it is
    /// acknowledged and goes nowhere ([MQTT-3.3.5-2]), and people are told.
    fn accept_publication(
        &mut self,
        now: Tick,
        id: ConnectionId,
        index: SessionIndex,
        publish: Publish,
    ) {
        let Publish { delivery, retain, message, .. } = publish;
        let topic = message.topic.clone();
        let principal = &self.sessions[index].key.principal;
        let mut outcome = self.settings.rights.publish(principal, &topic);
        if outcome.is_ok() {
            let mut publication = Publication::new(now, message, delivery.qos());
            if retain {
                outcome = self.retain(Origin::Client, &mut publication, Tick::MAX);
            }
            self.route(now, publication);
        }
        if let Err(denied) = outcome {
            let client_id = self.sessions[index].key.client_id.to_string();
            self.deny(now, id, client_id, topic.as_str(), denied);
        }
    }
}

/// What the matching subscriptions of one session come to.
fn recipient(matches: &[Match], published: QoS) -> Option<Recipient> {
    let session = matches.first()?.session;
    let qos = matches.iter().map(|one| one.subscription.qos).max()?;
    Some(Recipient { session, qos: qos.min(published) })
}
