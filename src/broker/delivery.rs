//! Messages on their way to one client: a bounded queue, then a window of unacknowledged ones.
//!
//! ```text
//!   offer ─▶ queue ─next─▶ AwaitingAck ─PUBACK──────────────────────▶ done
//!              │               └─PUBREC─▶ AwaitingComp ─PUBCOMP─▶ done
//!              └─full: the oldest goes, and is counted
//! ```

use std::collections::VecDeque;

use super::{Broker, SessionIndex, Settings};
use crate::limits::{INFLIGHT_TO_CLIENT_MAX, UNWRITTEN_BYTES_MAX};
use crate::mqtt::{Acknowledgement, Delivery, Message, Packet, PacketId, Publish, QoS};
use crate::time::Tick;

/// A message for one client.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub(super) message: Message,
    pub(super) qos: QoS,
    /// It comes from the retained store.
    pub(super) retain: bool,
    /// From then on it is not delivered any more.
    pub(super) expires: Option<Tick>,
}

/// All that is on its way to one client.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// Sent and not acknowledged, in the order of sending [MQTT-4.6.0-1].
    window: VecDeque<InFlight>,
    queue: VecDeque<Offer>,
    queued_bytes: usize,
    last_packet_id: u16,
    dropped_untold: u64,
}

#[derive(Debug)]
struct InFlight {
    packet_id: PacketId,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// PUBACK (QoS 1) or PUBREC (QoS 2) is awaited.
    AwaitingAck(Box<Offer>),
    /// PUBREL was sent; the message itself is forgotten [MQTT-4.3.3-1].
    AwaitingComp,
}

/// What a client says of a message that it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// PUBACK.
    Acknowledged,
    /// PUBREC.
    Received,
    /// PUBCOMP.
    Completed,
}

impl Offer {
    /// What it counts towards a queue's bytes: topic, payload, and its entry.
    fn bytes(&self) -> usize {
        let Message { topic, payload, .. } = &self.message;
        topic.as_str().len().saturating_add(payload.len()).saturating_add(size_of::<Self>())
    }

    fn is_over(&self, now: Tick) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

impl Outgoing {
    /// Puts a message at the end of the queue; the oldest go while there are too many. Returns how
    /// many went.
    pub(super) fn offer(&mut self, offer: Offer, settings: &Settings) -> u64 {
        self.queued_bytes = self.queued_bytes.saturating_add(offer.bytes());
        self.queue.push_back(offer);
        let messages_max = settings.queue_messages.unwrap_or(usize::MAX);
        let bytes_max = settings.queue_bytes.unwrap_or(usize::MAX);
        let mut dropped = 0;
        while self.queue.len() > messages_max || self.queued_bytes > bytes_max {
            if self.take_first().is_none() {
                break;
            }
            dropped += 1;
        }
        self.dropped_untold += dropped;
        dropped
    }

    /// The next message to send, moved into the window if it is to be acknowledged; `None` when the
    /// queue is empty or the window full. Also says how many had expired before it.
    fn next(&mut self, now: Tick) -> (Option<Publish>, u64) {
        let mut expired = 0;
        while let Some(first) = self.queue.front() {
            if first.is_over(now) {
                self.take_first();
                expired += 1;
            } else if first.qos > QoS::AtMostOnce && !self.has_room() {
                break;
            } else {
                return (self.take_first().map(|offer| self.dispatch(offer)), expired);
            }
        }
        (None, expired)
    }

    /// A message that goes out now, with its place in the window if it is to be acknowledged.
    fn dispatch(&mut self, offer: Offer) -> Publish {
        let delivery = match offer.qos {
            QoS::AtMostOnce => Delivery::AtMostOnce,
            QoS::AtLeastOnce => Delivery::AtLeastOnce(self.next_packet_id()),
            QoS::ExactlyOnce => Delivery::ExactlyOnce(self.next_packet_id()),
        };
        let publish = offer.publish(delivery, Resend::No);
        if let Delivery::AtLeastOnce(packet_id) | Delivery::ExactlyOnce(packet_id) = delivery {
            let stage = Stage::AwaitingAck(Box::new(offer));
            self.window.push_back(InFlight { packet_id, stage });
        }
        publish
    }

    fn take_first(&mut self) -> Option<Offer> {
        let offer = self.queue.pop_front()?;
        self.queued_bytes = self.queued_bytes.saturating_sub(offer.bytes());
        Some(offer)
    }

    /// Whether one more message to be acknowledged may go out.
    fn has_room(&self) -> bool {
        self.window.len() < INFLIGHT_TO_CLIENT_MAX
    }

    /// An identifier that is not in the window [MQTT-2.3.1-2].
    fn next_packet_id(&mut self) -> PacketId {
        loop {
            self.last_packet_id = self.last_packet_id.wrapping_add(1);
            if let Some(candidate) = PacketId::new(self.last_packet_id)
                && self.position(candidate).is_none()
            {
                return candidate;
            }
        }
    }

    fn position(&self, packet_id: PacketId) -> Option<usize> {
        self.window.iter().position(|in_flight| in_flight.packet_id == packet_id)
    }

    /// Takes an answer to a message in the window, if it is the one that is awaited.
    fn take(&mut self, packet_id: PacketId, answer: Answer) {
        let Some(position) = self.position(packet_id) else { return };
        let Some(in_flight) = self.window.get_mut(position) else { return };
        match (&in_flight.stage, answer) {
            (Stage::AwaitingAck(offer), Answer::Acknowledged) if offer.qos == QoS::AtLeastOnce => {
                self.window.remove(position);
            }
            // From now on only the PUBREL may be sent again.
            (Stage::AwaitingAck(offer), Answer::Received) if offer.qos == QoS::ExactlyOnce => {
                in_flight.stage = Stage::AwaitingComp;
            }
            (Stage::AwaitingComp, Answer::Completed) => {
                self.window.remove(position);
            }
            (Stage::AwaitingAck(_) | Stage::AwaitingComp, _) => {}
        }
    }

    /// What a returning client is sent first, in order [MQTT-4.4.0-1].
    fn unfinished(&self) -> Vec<Packet> {
        let packets = self.window.iter().map(|in_flight| match &in_flight.stage {
            Stage::AwaitingAck(offer) => {
                let delivery = match offer.qos {
                    QoS::ExactlyOnce => Delivery::ExactlyOnce(in_flight.packet_id),
                    QoS::AtLeastOnce | QoS::AtMostOnce => {
                        Delivery::AtLeastOnce(in_flight.packet_id)
                    }
                };
                Packet::Publish(offer.publish(delivery, Resend::Yes))
            }
            Stage::AwaitingComp => Packet::PubRel(Acknowledgement::success(in_flight.packet_id)),
        });
        packets.collect()
    }

    /// QoS 0 messages are for those who are there.
    pub(super) fn forget_unguaranteed(&mut self) {
        self.queue.retain(|offer| offer.qos > QoS::AtMostOnce);
        self.queued_bytes = self.queue.iter().map(Offer::bytes).sum();
    }

    pub(super) fn take_untold(&mut self) -> u64 {
        std::mem::take(&mut self.dropped_untold)
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.window.len()
    }

    /// What [`super::Broker::check_invariants`] asks of it.
    pub(super) fn check(&self, settings: &Settings) {
        let bytes: usize = self.queue.iter().map(Offer::bytes).sum();
        assert_eq!(bytes, self.queued_bytes, "queued bytes are counted");
        assert!(self.window.len() <= INFLIGHT_TO_CLIENT_MAX, "window within its bound");
        assert!(self.queue.len() <= settings.queue_messages.unwrap_or(usize::MAX), "queue bound");
        assert!(bytes <= settings.queue_bytes.unwrap_or(usize::MAX), "queue bytes bound");
        for (position, in_flight) in self.window.iter().enumerate() {
            assert_eq!(self.position(in_flight.packet_id), Some(position), "identifiers differ");
        }
    }
}

/// Whether the client may have seen it before [MQTT-3.3.1-1].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Resend {
    No,
    Yes,
}

impl Offer {
    fn publish(&self, delivery: Delivery, resend: Resend) -> Publish {
        Publish {
            dup: resend == Resend::Yes,
            delivery,
            retain: self.retain,
            message: self.message.clone(),
            subscription_ids: Vec::new(),
        }
    }
}

impl Broker {
    /// Gives one session a message, now or later.
    pub(super) fn deliver(&mut self, now: Tick, index: SessionIndex, offer: Offer) {
        let Some(session) = self.sessions.session_mut(index) else { return };
        if session.connection.is_none() && offer.qos == QoS::AtMostOnce {
            return;
        }
        let dropped = session.outgoing.offer(offer, &self.settings);
        self.pump(now, index);
        self.statistics.messages_dropped += dropped;
        if dropped > 0 && session_tells_now(self, index, dropped) {
            self.tell_dropped(index);
        }
    }

    /// Sends what the connection can take: first the queue, then retained messages of new
    /// subscriptions.
    pub(super) fn pump(&mut self, now: Tick, index: SessionIndex) {
        loop {
            let Some(session) = self.sessions.session_mut(index) else { return };
            let Some(id) = session.connection else { return };
            let Some(connection) = self.connections.get(&id) else { return };
            if connection.unwritten >= UNWRITTEN_BYTES_MAX {
                return;
            }
            let (mut next, expired) = session.outgoing.next(now);
            self.statistics.messages_expired += expired;
            if next.is_none() && session.outgoing.queue.is_empty() && session.outgoing.has_room() {
                let offer = self.retained.next(now, &mut session.cursors);
                next = offer.map(|offer| session.outgoing.dispatch(offer));
            }
            let Some(publish) = next else { return };
            self.statistics.messages_sent += 1;
            self.send(id, Packet::Publish(publish));
        }
    }

    /// The client is back: what it has not acknowledged, then what has waited.
    pub(super) fn resume(&mut self, now: Tick, index: SessionIndex) {
        let Some(session) = self.sessions.session(index) else { return };
        let (connection, unfinished) = (session.connection, session.outgoing.unfinished());
        if let Some(id) = connection {
            for packet in unfinished {
                self.send(id, packet);
            }
        }
        self.pump(now, index);
    }

    /// A PUBREC is answered by PUBREL even where the message is unknown: so that the client can
    /// finish.
    pub(super) fn answered(
        &mut self,
        now: Tick,
        index: SessionIndex,
        packet_id: PacketId,
        answer: Answer,
    ) {
        let Some(session) = self.sessions.session_mut(index) else { return };
        session.outgoing.take(packet_id, answer);
        let connection = session.connection.filter(|_| answer == Answer::Received);
        if let Some(id) = connection {
            self.send(id, Packet::PubRel(Acknowledgement::success(packet_id)));
        }
        self.pump(now, index);
    }
}

/// The first loss is told at once, later ones by the thousand, the rest when the client comes or
/// goes: a flood of losses is no flood of events.
fn session_tells_now(broker: &Broker, index: SessionIndex, dropped: u64) -> bool {
    const TOLD_EVERY: u64 = 1000;
    let untold = broker.sessions.session(index).map(|session| session.outgoing.dropped_untold);
    let total = broker.statistics.messages_dropped;
    total == dropped || untold.is_some_and(|untold| untold >= TOLD_EVERY)
}
