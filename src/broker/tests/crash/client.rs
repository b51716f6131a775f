//! A client as the standard wants it: what it has not been answered it says again, in order, and a
//! QoS 2 message it knows by its identifier is no other one.

use std::collections::{BTreeSet, VecDeque};

use super::super::house::{Dice, id, publish, success, wanted};
use super::super::lasting;
use crate::access::ConnectionId;
use crate::mqtt::{Delivery, Packet, PacketId, Publish, QoS, Subscribe};

/// Messages one client has under way at a time.
const WINDOW: usize = 6;

/// See the module.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) name: String,
    pub(super) link: Option<Link>,
    /// What it has said and not been answered, in order.
    outgoing: VecDeque<Outgoing>,
    /// QoS 2 messages that it has taken and that were not released.
    incoming: BTreeSet<PacketId>,
    last_id: u16,
    last_number: u64,
    filter: &'static str,
    qos: QoS,
    /// Publications of all clients that began before its subscription was granted need not come.
    pub(super) subscribed: bool,
    pub(super) heard: Vec<Heard>,
    pub(super) acknowledged: Vec<Said>,
}

/// Both directions of a connection.
#[derive(Debug, Default)]
pub(super) struct Link {
    pub(super) id: Option<ConnectionId>,
    pub(super) up: VecDeque<Packet>,
    pub(super) down: VecDeque<Packet>,
    pub(super) is_in: bool,
}

/// A publication.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Said {
    pub(super) publisher: String,
    pub(super) topic: String,
    pub(super) qos: QoS,
    pub(super) number: u64,
    /// Clients that had a subscription when it was said first.
    pub(super) wanted_by: Vec<String>,
}

/// A delivery.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) publisher: String,
    pub(super) topic: String,
    /// As it was published, and as it was delivered.
    pub(super) qos: [u8; 2],
    pub(super) number: u64,
}

#[derive(Debug)]
struct Outgoing {
    said: Said,
    publish: Publish,
    released: bool,
}

impl Client {
    pub(super) fn new(index: usize) -> Self {
        let (filter, qos) = [
            ("#", QoS::ExactlyOnce),
            ("t/+", QoS::AtLeastOnce),
            ("t/0", QoS::ExactlyOnce),
            ("r/#", QoS::AtLeastOnce),
        ][index % 4];
        Self {
            name: format!("c{index}"),
            link: None,
            outgoing: VecDeque::new(),
            incoming: BTreeSet::new(),
            last_id: 0,
            last_number: 0,
            filter,
            qos,
            subscribed: false,
            heard: Vec::new(),
            acknowledged: Vec::new(),
        }
    }

    pub(super) fn is_in(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.is_in)
    }

    pub(super) fn is_done(&self) -> bool {
        self.outgoing.is_empty() && self.subscribed && self.incoming.is_empty()
    }

    pub(super) fn wants(&self, said: &Said) -> bool {
        let filter = crate::mqtt::TopicFilter::new(self.filter).unwrap();
        self.subscribed && filter.matches(&crate::mqtt::TopicName::new(said.topic.clone()).unwrap())
    }

    pub(super) fn most(&self) -> QoS {
        self.qos
    }

    /// On its way to the broker.
    pub(super) fn dial(&mut self, id: ConnectionId) {
        let connect = Packet::Connect(Box::new(lasting(&self.name)));
        let up = VecDeque::from([connect]);
        self.link = Some(Link { id: Some(id), up, ..Link::default() });
    }

    /// What it says next, if its window has room; `wanted_by` is filled in by the world.
    pub(super) fn say(&mut self, dice: &mut Dice) -> Option<Said> {
        if !self.is_in() || self.outgoing.len() >= WINDOW {
            return None;
        }
        self.last_number += 1;
        // At QoS 1 an older message may come again after a newer one, and be the one retained.
        let (topic, retain, qos) = match dice.below(4) {
            0 => (format!("r/{}", self.name), true, QoS::ExactlyOnce),
            quality => {
                let qos = if quality == 1 { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
                (format!("t/{}", dice.below(2)), false, qos)
            }
        };
        let (publisher, number) = (self.name.clone(), self.last_number);
        let said = Said { publisher, topic, qos, number, wanted_by: Vec::new() };
        loop {
            self.last_id = self.last_id % 12 + 1;
            let taken = |it: &Outgoing| it.publish.delivery.packet_id() == Some(id(self.last_id));
            if !self.outgoing.iter().any(taken) {
                break;
            }
        }
        let delivery = match qos {
            QoS::ExactlyOnce => Delivery::ExactlyOnce(id(self.last_id)),
            _ => Delivery::AtLeastOnce(id(self.last_id)),
        };
        let text = format!("{}:{}:{number}", said.publisher, qos.bits());
        let publish = Publish { delivery, retain, ..publish(&said.topic, &text, qos) };
        self.up(Packet::Publish(publish.clone()));
        self.outgoing.push_back(Outgoing { said: said.clone(), publish, released: false });
        Some(said)
    }

    /// Who wants what was said last.
    pub(super) fn wanted_by(&mut self, clients: Vec<String>) {
        self.outgoing.back_mut().expect("it was said").said.wanted_by = clients;
    }

    /// A packet arrives.
    pub(super) fn hear(&mut self, packet: Packet) {
        match packet {
            Packet::ConnAck(answer) => self.welcome(answer.session_present),
            Packet::SubAck(answer) if answer.reasons[0].is_failure() => self.subscribe(),
            Packet::SubAck(_) => self.subscribed = true,
            Packet::PubAck(answer) | Packet::PubComp(answer) => self.finished(answer.packet_id),
            Packet::PubRec(answer) => {
                let of =
                    |it: &&mut Outgoing| it.publish.delivery.packet_id() == Some(answer.packet_id);
                if let Some(outgoing) = self.outgoing.iter_mut().find(of) {
                    outgoing.released = true;
                }
                self.up(Packet::PubRel(success(answer.packet_id)));
            }
            Packet::PubRel(answer) => {
                self.incoming.remove(&answer.packet_id);
                self.up(Packet::PubComp(success(answer.packet_id)));
            }
            Packet::Publish(publish) => self.take(&publish),
            other => panic!("{} hears {other:?}", self.name),
        }
    }

    fn welcome(&mut self, session_present: bool) {
        assert!(session_present || !self.subscribed, "the session of {} is lost", self.name);
        self.link.as_mut().expect("it was welcomed there").is_in = true;
        let again: Vec<_> = self
            .outgoing
            .iter()
            .map(|it| match (it.released, it.publish.delivery.packet_id()) {
                (true, Some(id)) => Packet::PubRel(success(id)),
                _ => Packet::Publish(Publish { dup: true, ..it.publish.clone() }),
            })
            .collect();
        for packet in again {
            self.up(packet);
        }
        if !self.subscribed {
            self.subscribe();
        }
    }

    fn subscribe(&mut self) {
        let filters = vec![wanted(self.filter, self.qos)];
        let (subscription_id, user_properties) = (None, Vec::new());
        let packet_id = id(100);
        let subscribe = Subscribe { packet_id, filters, subscription_id, user_properties };
        self.up(Packet::Subscribe(subscribe));
    }

    fn finished(&mut self, packet_id: PacketId) {
        let of = |it: &Outgoing| it.publish.delivery.packet_id() == Some(packet_id);
        if let Some(index) = self.outgoing.iter().position(of) {
            let outgoing = self.outgoing.remove(index).expect("it is there");
            self.acknowledged.push(outgoing.said);
        }
    }

    fn take(&mut self, publish: &Publish) {
        let text = String::from_utf8_lossy(&publish.message.payload).into_owned();
        let mut parts = text.split(':');
        let mut part = || parts.next().expect("payloads are numbered").to_owned();
        let (publisher, quality, number) = (part(), part(), part());
        let heard = Heard {
            publisher,
            topic: publish.message.topic.as_str().to_owned(),
            qos: [quality.parse().unwrap(), publish.delivery.qos().bits()],
            number: number.parse().expect("payloads are numbered"),
        };
        match publish.delivery {
            Delivery::AtMostOnce => {}
            Delivery::AtLeastOnce(id) => {
                self.heard.extend((!publish.retain).then_some(heard));
                self.up(Packet::PubAck(success(id)));
            }
            Delivery::ExactlyOnce(id) => {
                if self.incoming.insert(id) {
                    self.heard.extend((!publish.retain).then_some(heard));
                }
                self.up(Packet::PubRec(success(id)));
            }
        }
    }

    fn up(&mut self, packet: Packet) {
        if let Some(link) = &mut self.link {
            link.up.push_back(packet);
        }
    }
}
