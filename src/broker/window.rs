//! Messages on their way to one client, QoS 1 and 2, and their packet identifiers.
//!
//! ```text
//!   QoS 1   send ──▶ unacknowledged ──PUBACK──▶ done
//!   QoS 2   send ──▶ unacknowledged ──PUBREC──▶ released ──PUBCOMP──▶ done
//! ```

use std::collections::VecDeque;
use std::sync::Arc;

use super::queue::Entry;
use super::record::{Place, Sent};
use crate::mqtt::{Delivery, PacketId, Publish, QoS};
use crate::time::Tick;

/// The state of section 4.3 as a sender. Small, so that a search is a walk; but each message that
/// goes the straight way is found without one.
#[derive(Debug)]
pub(super) struct Window {
    /// In the order they were sent.
    unacknowledged: VecDeque<Unacknowledged>,
    /// Those of them that this connection has not seen.
    due: usize,
    /// In the order their PUBRECs arrived, which is that of the PUBRELs ([MQTT-4.6.0-4]).
    released: VecDeque<PacketId>,
    last_id: PacketId,
    /// Identifiers after the last that are known to be free.
    free_ids: u16,
    /// Deliveries that may be under way at a time: our bound, or the client's Receive Maximum.
    size: usize,
}

#[derive(Debug)]
struct Unacknowledged {
    delivery: Delivery,
    entry: Entry,
    transmission: Transmission,
}

/// Whether this connection has seen a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transmission {
    Done,
    Due,
}

/// What a PUBREC asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// A PUBREL: the client has the message now that the store has there.
    Release(Option<Place>),
    /// Another one.
    ReleaseAgain,
    /// Likewise, though nothing is known of that identifier: the peer can then finish.
    ReleaseUnknown,
    /// Nothing: that identifier is of a QoS 1 message.
    Ignore,
}

impl Window {
    /// An empty one.
    pub(super) fn new(size: usize) -> Self {
        let (unacknowledged, released) = (VecDeque::new(), VecDeque::new());
        Self { unacknowledged, due: 0, released, last_id: PacketId::MAX, free_ids: 0, size }
    }

    /// Sets how many deliveries may be under way ([MQTT-3.3.4-9]); those that are stay.
    pub(super) fn resize(&mut self, size: usize) {
        self.size = size;
    }

    /// Whether one more may be sent.
    pub(super) fn has_room(&self) -> bool {
        self.len() < self.size
    }

    /// Deliveries under way.
    pub(super) fn len(&self) -> usize {
        self.unacknowledged.len() + self.released.len()
    }

    /// Makes the PUBLISH of a message, which is remembered unless its quality is 0.
    pub(super) fn send(&mut self, now: Tick, entry: Entry) -> Publish {
        let delivery = match entry.message.qos {
            QoS::AtMostOnce => return entry.message.to_publish(now, Delivery::AtMostOnce),
            QoS::AtLeastOnce => Delivery::AtLeastOnce(self.free_id()),
            QoS::ExactlyOnce => Delivery::ExactlyOnce(self.free_id()),
        };
        let publish = entry.message.to_publish(now, delivery);
        let transmission = Transmission::Done;
        self.unacknowledged.push_back(Unacknowledged { delivery, entry, transmission });
        publish
    }

    /// What was under way in an earlier life: messages with their identifiers, and identifiers to
    /// be released.
    pub(super) fn restore(&mut self, sent: Vec<Sent>, released: Vec<PacketId>) {
        let again = sent.into_iter().filter_map(|Sent { place, packet_id, message }| {
            let delivery = match message.qos {
                QoS::AtMostOnce => return None,
                QoS::AtLeastOnce => Delivery::AtLeastOnce(packet_id),
                QoS::ExactlyOnce => Delivery::ExactlyOnce(packet_id),
            };
            let entry = Entry { message: Arc::new(message), place: Some(place) };
            Some(Unacknowledged { delivery, entry, transmission: Transmission::Due })
        });
        self.unacknowledged = again.collect();
        self.due = self.unacknowledged.len();
        self.released = released.into();
        self.free_ids = 0;
    }

    /// All that was sent is to be sent again, on a new connection ([MQTT-4.4.0-1]): the
    /// identifiers to be released now, and the messages by [`Window::resend`].
    pub(super) fn restart(&mut self) -> impl Iterator<Item = PacketId> {
        for sent in &mut self.unacknowledged {
            sent.transmission = Transmission::Due;
        }
        self.due = self.unacknowledged.len();
        self.released.iter().copied()
    }

    /// Whether something is to be sent again, now or when there is room.
    pub(super) fn has_resends(&self) -> bool {
        self.due > 0
    }

    /// Whether [`Window::resend`] has something: a client that came back with a smaller Receive
    /// Maximum gets no more at a time again.
    pub(super) fn can_resend(&self) -> bool {
        self.has_resends() && self.len() - self.due < self.size
    }

    /// The next message to send again, in the first order ([MQTT-4.6.0-1]), with DUP
    /// ([MQTT-3.3.1-1]), and where the store has it.
    pub(super) fn resend(&mut self, now: Tick) -> Option<(Publish, Option<Place>)> {
        if !self.can_resend() {
            return None;
        }
        let sent = self.unacknowledged.iter_mut().find(|sent| sent.is_due())?;
        sent.transmission = Transmission::Done;
        self.due -= 1;
        let publish = sent.entry.message.to_publish(now, sent.delivery);
        Some((Publish { dup: true, ..publish }, sent.entry.place))
    }

    /// A PUBACK: ends a QoS 1 delivery, that of the message returned; anything else it says is
    /// ignored.
    pub(super) fn acknowledged(&mut self, id: PacketId) -> Option<Entry> {
        self.take(Delivery::AtLeastOnce(id))
    }

    /// A PUBREC: the message is the client's, its identifier is to be released.
    pub(super) fn received(&mut self, id: PacketId) -> Received {
        if let Some(entry) = self.take(Delivery::ExactlyOnce(id)) {
            self.released.push_back(id);
            return Received::Release(entry.place);
        }
        let of_other = |sent: &Unacknowledged| sent.delivery == Delivery::AtLeastOnce(id);
        let is_other = self.unacknowledged.iter().any(of_other);
        let is_released = self.released.contains(&id);
        match (is_other, is_released) {
            (true, _) => Received::Ignore,
            (false, true) => Received::ReleaseAgain,
            (false, false) => Received::ReleaseUnknown,
        }
    }

    /// The client refuses a message, or takes no packet of its size: its delivery is over.
    pub(super) fn refused(&mut self, delivery: Delivery) -> Option<Entry> {
        self.take(delivery)
    }

    /// Takes out the QoS 1 messages that a shared subscription brought and another member can have.
    /// Those of QoS 2 stay: they are for this client or nobody ([MQTT-4.8.2-4], [MQTT-4.8.2-5]).
    pub(super) fn take_shared(&mut self, passes_on: impl Fn(&Arc<str>) -> bool) -> Vec<Entry> {
        let (taken, kept) =
            std::mem::take(&mut self.unacknowledged).into_iter().partition(|sent| {
                let share = sent.entry.message.share.as_ref();
                let of_group = share.is_some_and(|share| passes_on(&share.group));
                of_group && matches!(sent.delivery, Delivery::AtLeastOnce(_))
            });
        self.unacknowledged = kept;
        self.due = self.unacknowledged.iter().filter(|sent| sent.is_due()).count();
        let taken: VecDeque<Unacknowledged> = taken;
        taken.into_iter().map(|sent| sent.entry).collect()
    }

    /// A PUBCOMP: ends a QoS 2 delivery that was released; whether there was one.
    pub(super) fn completed(&mut self, id: PacketId) -> bool {
        let index = self.released.iter().position(|&released| released == id);
        index.and_then(|index| self.released.remove(index)).is_some()
    }

    /// What must survive of it, for comparison.
    #[cfg(test)]
    pub(super) fn shape(&self) -> impl std::fmt::Debug {
        let sent = |sent: &Unacknowledged| (sent.delivery, sent.entry.place);
        (self.unacknowledged.iter().map(sent).collect::<Vec<_>>(), self.released.clone())
    }

    /// Whether its count of what is to be sent again is right.
    pub(super) fn counts(&self) -> bool {
        self.due == self.unacknowledged.iter().filter(|sent| sent.is_due()).count()
    }

    /// Identifiers in use, in no order.
    pub(super) fn ids(&self) -> impl Iterator<Item = PacketId> {
        let unacknowledged = self.unacknowledged.iter().filter_map(|sent| match sent.delivery {
            Delivery::AtLeastOnce(id) | Delivery::ExactlyOnce(id) => Some(id),
            Delivery::AtMostOnce => None,
        });
        unacknowledged.chain(self.released.iter().copied())
    }

    fn take(&mut self, delivery: Delivery) -> Option<Entry> {
        let index = self.unacknowledged.iter().position(|sent| sent.delivery == delivery)?;
        let sent = self.unacknowledged.remove(index)?;
        self.due -= usize::from(sent.is_due());
        Some(sent.entry)
    }

    /// The next identifier after the last that is not in use ([MQTT-2.2.1-4]); there is one,
    /// because the window is smaller than their number.
    fn free_id(&mut self) -> PacketId {
        while self.free_ids == 0 {
            self.free_ids =
                self.ids().map(|id| ids_between(self.last_id, id)).min().unwrap_or(u16::MAX);
            if self.free_ids == 0 {
                self.last_id = next_id(self.last_id);
            }
        }
        self.free_ids -= 1;
        self.last_id = next_id(self.last_id);
        self.last_id
    }
}

impl Unacknowledged {
    fn is_due(&self) -> bool {
        self.transmission == Transmission::Due
    }
}

fn next_id(id: PacketId) -> PacketId {
    id.checked_add(1).unwrap_or(PacketId::MIN)
}

/// Identifiers after one and before another, on the way round.
fn ids_between(one: PacketId, other: PacketId) -> u16 {
    let (one, other) = (one.get(), other.get());
    // There are 65,535 of them, and zero is none.
    if other > one { other - one - 1 } else { u16::MAX - one + other - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::record::Queued;
    use crate::mqtt::{Message, TopicName};

    fn message(qos: QoS) -> Entry {
        let topic = TopicName::new("a").unwrap();
        let payload = bytes::Bytes::from_static(b"1");
        let message = Queued {
            message: Message { topic, payload, properties: None },
            qos,
            retain: false,
            subscription_ids: Vec::new(),
            share: None,
            expires: None,
        };
        Entry { message: Arc::new(message), place: None }
    }

    fn id(publish: &Publish) -> u16 {
        match publish.delivery {
            Delivery::AtLeastOnce(id) | Delivery::ExactlyOnce(id) => id.get(),
            Delivery::AtMostOnce => 0,
        }
    }

    /// [MQTT-2.2.1-4]; [MQTT-2.3.1-4] of 3.1.1.
    #[test]
    fn an_identifier_in_use_is_passed_over_when_they_start_again() {
        let mut window = Window::new(20);
        assert_eq!(
            id(&window.send(Tick::ZERO, message(QoS::AtLeastOnce))),
            1,
            "never acknowledged"
        );
        for expected in 2..=u16::MAX {
            let sent = id(&window.send(Tick::ZERO, message(QoS::AtLeastOnce)));
            assert_eq!(sent, expected);
            window.acknowledged(PacketId::new(sent).unwrap());
        }
        assert_eq!(id(&window.send(Tick::ZERO, message(QoS::AtLeastOnce))), 2);
    }

    /// [MQTT-2.2.1-4]: however many stay in use, and wherever.
    #[test]
    fn identifiers_in_use_are_passed_over_on_every_way_round() {
        let mut window = Window::new(20);
        let mut stay = Vec::new();
        for number in 0..200_000_u32 {
            let sent = id(&window.send(Tick::ZERO, message(QoS::AtLeastOnce)));
            assert!(!stay.contains(&sent), "{sent} is in use");
            if [3, 500, 501, 65_000, 65_532, 70_000, 131_000].contains(&number) {
                stay.push(sent);
            } else {
                window.acknowledged(PacketId::new(sent).unwrap());
            }
        }
        assert_eq!(window.len(), 7);
    }

    /// [MQTT-2.3.1-4] of 3.1.1: an identifier is free after PUBCOMP, not after PUBREC.
    #[test]
    fn a_released_identifier_is_still_in_use() {
        let mut window = Window::new(20);
        let first = PacketId::new(id(&window.send(Tick::ZERO, message(QoS::ExactlyOnce)))).unwrap();
        assert!(matches!(window.received(first), Received::Release(_)));
        assert_eq!(window.ids().collect::<Vec<_>>(), [first]);
        assert_eq!(window.len(), 1);
        window.completed(first);
        assert_eq!(window.len(), 0);
    }

    /// Section 4.3.3: a PUBACK says nothing of a QoS 2 message.
    #[test]
    fn an_acknowledgement_of_the_wrong_kind_ends_nothing() {
        let mut window = Window::new(20);
        let one = PacketId::new(id(&window.send(Tick::ZERO, message(QoS::AtLeastOnce)))).unwrap();
        let two = PacketId::new(id(&window.send(Tick::ZERO, message(QoS::ExactlyOnce)))).unwrap();
        window.acknowledged(two);
        window.completed(two);
        window.completed(one);
        assert_eq!(window.received(one), Received::Ignore);
        assert_eq!(window.ids().collect::<Vec<_>>(), [one, two]);
    }

    /// [MQTT-4.6.0-4]
    #[test]
    fn identifiers_are_released_again_in_the_order_of_their_pubrecs() {
        let mut window = Window::new(20);
        let ids: Vec<_> = (0..3)
            .map(|_| {
                PacketId::new(id(&window.send(Tick::ZERO, message(QoS::ExactlyOnce)))).unwrap()
            })
            .collect();
        for index in [2, 0, 1] {
            window.received(ids[index]);
        }
        assert_eq!(window.restart().collect::<Vec<_>>(), [ids[2], ids[0], ids[1]]);
    }
}
