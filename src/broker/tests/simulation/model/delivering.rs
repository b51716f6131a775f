//! Messages to clients: each must be one that is due, in its turn and as it should be.

use super::{Copy, Flight, Kept, Life, Model, Phase, Said, Search, Sight, not_found, words};
use crate::access::{ConnectionId, Principal};
use crate::mqtt::{
    Acknowledgement, Delivery, Message, MessageProperties, Packet, PacketId, Publish, QoS,
    ReasonCode, Version, encoded_len,
};
use crate::time::Tick;

use super::super::client::key;

impl Copy {
    /// Length of its packet in 5.0.
    pub(super) fn bytes(&self) -> u32 {
        let id = PacketId::MIN;
        let delivery = match self.qos {
            QoS::AtMostOnce => Delivery::AtMostOnce,
            QoS::AtLeastOnce => Delivery::AtLeastOnce(id),
            QoS::ExactlyOnce => Delivery::ExactlyOnce(id),
        };
        let (retain, message) = (self.retain, self.message.clone());
        let subscription_ids = self.ids.clone();
        let publish = Publish { dup: false, delivery, retain, message, subscription_ids };
        encoded_len(&Packet::Publish(publish), Version::V5).expect("it can be written")
    }

    /// Whether a packet is this copy, sent at that time.
    fn is(&self, publish: &Publish, now: Tick) -> bool {
        let mut ids = publish.subscription_ids.clone();
        ids.sort_unstable();
        self.qos == publish.delivery.qos()
            && self.retain == publish.retain
            && self.ids == ids
            && is_same(&self.message, &publish.message)
            && self.tells_age(&publish.message, now)
    }

    /// What is left to live is told, if a lifetime was: that less the whole seconds it has waited
    /// ([MQTT-3.3.2-6]).
    fn tells_age(&self, sent: &Message, now: Tick) -> bool {
        let lifetime = |message: &Message| message.properties.as_ref()?.message_expiry;
        let left = self.expires.map(|at| at.since(now).as_nanos().div_ceil(1_000_000_000));
        let told = lifetime(sent).map(|told| told.as_nanos() / 1_000_000_000);
        told == lifetime(&self.message).and(left)
    }
}

/// Whether two messages are the same but for the time they have left.
fn is_same(one: &Message, other: &Message) -> bool {
    let ageless = |message: &Message| {
        let properties = message.properties.as_deref().cloned().unwrap_or_default();
        MessageProperties { message_expiry: None, ..properties }
    };
    one.topic == other.topic && one.payload == other.payload && ageless(one) == ageless(other)
}

impl Model {
    /// The broker sends a message.
    pub(super) fn sent(&mut self, id: ConnectionId, publish: &Publish) {
        self.fits(id, &Packet::Publish(publish.clone()));
        let Phase::In(life) = self.connections[&id].phase else {
            panic!("a message to {id:?}, which is not in");
        };
        let first = self.expected.get(&id).and_then(|said| said.front());
        let is_welcome = !matches!(first, Some(Said::ConnAck { .. }));
        assert!(is_welcome, "CONNACK comes first on {id:?}");
        if publish.dup {
            return self.sent_again(life, publish);
        }
        if publish.delivery != Delivery::AtMostOnce {
            self.pass_over_resends(life, None);
        }
        let copy = self.due_copy(life, publish);
        if let Some(share) = copy.share {
            self.share_sent(life, share, copy.qos);
        }
        self.seen.note(Sight::Sent);
        let session = self.session(life);
        if let Some(packet_id) = publish.delivery.packet_id() {
            assert!(!session.uses(packet_id), "{packet_id} is in use: {publish:?}");
            session.flights.push(Flight { copy, delivery: publish.delivery, again: false });
            session.check_window();
        }
    }

    fn sent_again(&mut self, life: Life, publish: &Publish) {
        self.seen.note(Sight::SentAgain);
        let now = self.now;
        self.pass_over_resends(life, Some(publish.delivery));
        let session = self.session(life);
        let next = session.flights.iter_mut().find(|flight| flight.again);
        let flight = next.unwrap_or_else(|| panic!("nothing is to be sent again: {publish:?}"));
        let is_it = flight.delivery == publish.delivery && flight.copy.is(publish, now);
        assert!(is_it, "{:?} is to be sent again, not {publish:?}", flight.delivery);
        flight.again = false;
        session.check_window();
    }

    /// What is due again before `next` was passed over, so it must be too large.
    pub(super) fn pass_over_resends(&mut self, life: Life, next: Option<Delivery>) {
        let most = self.packet_bytes_max(life);
        let session = self.session(life);
        let mut passed = Vec::new();
        while let Some(place) = session.flights.iter().position(|flight| flight.again) {
            if next == Some(session.flights[place].delivery) {
                break;
            }
            let flight = session.flights.remove(place);
            let is_too_large = flight.copy.was_too_large || flight.copy.bytes() > most;
            assert!(is_too_large, "not sent again: {flight:?}");
            passed.push(flight);
        }
        for flight in passed {
            self.ledger.too_large += 1;
            self.share_done(&flight.copy);
        }
    }

    pub(super) fn packet_bytes_max(&self, life: Life) -> u32 {
        let connection = self.sessions[&life].connection;
        connection.map_or(u32::MAX, |id| self.connections[&id].packet_bytes_max)
    }

    /// Takes the copy out of what is due.
    fn due_copy(&mut self, life: Life, publish: &Publish) -> Copy {
        let now = self.now;
        let is_it = |copy: &Copy| copy.may_be_sent(now) && copy.is(publish, now);
        let session = self.session(life);
        if let Some(place) = session.waiting.iter().position(&is_it) {
            let before: Vec<Copy> = session.waiting.drain(..place).collect();
            let copy = session.waiting.pop_front().unwrap();
            for passed in before {
                self.lose(life, &passed);
            }
            self.may_be_stored(life, &copy);
            return copy;
        }
        if publish.retain
            && let Some(copy) = self.stored_copy(life, is_it)
        {
            self.seen.note(Sight::Stored);
            return copy;
        }
        let shared = self.shared_copy(life, is_it);
        shared.unwrap_or_else(|| {
            let session = &self.sessions[&life];
            let waiting: Vec<&Copy> = session.waiting.iter().take(3).collect();
            panic!("not due: {publish:?}\nwaiting: {waiting:?}")
        })
    }

    /// A retained message that a subscription asked for and was not sent. One that it is owed comes
    /// first: which search brings what only may come is not known.
    fn stored_copy(&mut self, life: Life, is_it: impl Fn(&Copy) -> bool) -> Option<Copy> {
        let session = self.sessions.get_mut(&life)?;
        let is_guest = session.principal == Principal::Anonymous;
        let private = self.private.filter(|_| is_guest);
        for is_owed in [true, false] {
            for search in &mut session.searches {
                let mut open = self.retained.iter().filter(|(topic, kept)| {
                    let owes = search.owes().any(|due| due.0 == **topic && due.1 == kept.stamp);
                    let may_not = private.is_some_and(|level| words::is_below(topic, level));
                    owes == is_owed && search.may_bring(topic, kept) && !may_not
                });
                let Some((topic, copy)) = open.find_map(|(topic, kept)| {
                    Some((topic.clone(), search.copy(kept))).filter(|(_, copy)| is_it(copy))
                }) else {
                    continue;
                };
                search.sent.insert(topic);
                return Some(copy);
            }
        }
        None
    }

    /// A message that looks like a stored one was due anyway: if that was lost, this is not it.
    fn may_be_stored(&mut self, life: Life, copy: &Copy) {
        let topic = copy.message.topic.as_str();
        let Some(kept) = self.retained.get(topic).filter(|_| copy.retain && self.bounded) else {
            return;
        };
        let session = self.sessions.get_mut(&life).expect("it is there");
        let may_be = session.searches.iter().any(|search| search.may_bring(topic, kept));
        self.ledger.vague += u64::from(may_be && is_same(&kept.message, &copy.message));
        for search in &mut session.searches {
            search.due.retain(|(due, _)| due != topic);
        }
    }

    /// So many searches begin or begin again; which of their finds are too large is not known.
    pub(super) fn stored_may_be_too_large(&mut self, searches: usize) {
        if self.sizes {
            self.ledger.vague += u64::try_from(searches * self.retained.len()).unwrap();
        }
    }

    /// A copy was not sent and will not be.
    pub(super) fn lose(&mut self, life: Life, copy: &Copy) {
        if copy.was_too_large || copy.bytes() > self.packet_bytes_max(life) {
            self.seen.note(Sight::TooLarge);
            self.ledger.too_large += 1;
        } else if copy.is_expired(self.now) {
            self.seen.note(Sight::Expired);
            self.ledger.expired += 1;
        } else {
            assert!(self.bounded && !self.exact, "not sent, without a reason: {copy:?}");
            self.seen.note(Sight::Dropped);
            self.ledger.dropped += 1;
        }
    }

    /// The client is done with a message, whatever it says of it.
    pub(super) fn ended(&mut self, life: Life, delivery: Delivery) -> Option<Flight> {
        let session = self.session(life);
        let place = session.flights.iter().position(|flight| flight.delivery == delivery)?;
        let flight = session.flights.remove(place);
        self.share_done(&flight.copy);
        Some(flight)
    }

    /// A PUBREC.
    pub(super) fn received(
        &mut self,
        id: ConnectionId,
        life: Life,
        v5: bool,
        answer: &Acknowledgement,
    ) {
        let packet_id = answer.packet_id;
        let flight = self.ended(life, Delivery::ExactlyOnce(packet_id));
        if answer.reason.is_failure() {
            return;
        }
        let is_known = flight.is_some() || self.session(life).released.contains(&packet_id);
        if let Some(flight) = flight {
            self.session(life).released.push(packet_id);
            let (dup, subscription_ids) = (false, Vec::new());
            let Flight { copy: Copy { message, retain, .. }, delivery, .. } = flight;
            let publish = Publish { dup, delivery, retain, message, subscription_ids };
            *self.taken.entry((life, key(&publish))).or_default() += 1;
        }
        let reason = if v5 { not_found(!is_known) } else { ReasonCode::Success };
        self.expect(id, Said::PubRel(packet_id, reason));
    }
}

impl Search {
    /// The stamp of what was there when it was asked, if it was not sent.
    pub(super) fn owes(&self) -> impl Iterator<Item = &(String, u64)> {
        self.due.iter().filter(|(topic, _)| !self.sent.contains(topic))
    }

    fn may_bring(&self, topic: &str, kept: &Kept) -> bool {
        let is_open = kept.stamp <= self.until && !self.sent.contains(topic);
        is_open && words::matches(&self.filter, topic)
    }

    fn copy(&self, kept: &Kept) -> Copy {
        Copy {
            message: kept.message.clone(),
            qos: kept.qos.min(self.qos),
            retain: true,
            ids: self.id.into_iter().collect(),
            expires: Some(kept.expires).filter(|at| *at < Tick::MAX),
            since: Tick::ZERO,
            share: None,
            was_too_large: false,
        }
    }
}

impl super::Session {
    fn uses(&self, id: PacketId) -> bool {
        let of_flight = |flight: &Flight| flight.delivery.packet_id() == Some(id);
        self.flights.iter().any(of_flight) || self.released.contains(&id)
    }

    /// Receive Maximum holds for what this connection has seen.
    fn check_window(&self) {
        let under_way = self.flights.iter().filter(|flight| !flight.again).count();
        let all = under_way + self.released.len();
        assert!(all <= self.window, "{all} under way in a window of {}", self.window);
    }
}
