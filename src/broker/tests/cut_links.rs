//! Well-behaved clients on links that are cut at any moment: QoS 2 arrives exactly once, QoS 1 at
//! least once, both in order. A failure prints its seed.

use std::collections::{BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::house::{Dice, publish, success};
use super::*;
use crate::mqtt::{Delivery, Packet, PacketId, Publish, QoS};

const SEEDS: u64 = 30;
const MESSAGES: u16 = 60;
/// Messages that a publisher has under way.
const UNDER_WAY: usize = 7;

#[test]
fn cut_links_neither_lose_nor_repeat_nor_reorder() {
    for seed in 1..=SEEDS {
        let outcome = catch_unwind(AssertUnwindSafe(|| relay(seed)));
        assert!(outcome.is_ok(), "seed {seed}");
    }
}

fn relay(seed: u64) {
    let mut dice = Dice::new(seed);
    let mut house = House::with(|settings| settings.queue_messages = None);
    let mut sender = Link::new("sender");
    let mut receiver = Link::new("receiver");
    let (mut publisher, mut subscriber) = (Publisher::default(), Subscriber::default());
    receiver.connect(&mut house, &mut dice);
    for (filter, qos) in [("once", QoS::ExactlyOnce), ("often", QoS::AtLeastOnce)] {
        house.subscribe(receiver.client(), filter, qos);
    }
    // Cuts end at some time, so that everything can.
    for step in 0..200_000 {
        let may_cut = step < 20_000 && dice.below(40) == 0;
        match dice.below(5) {
            0 if may_cut => sender.cut(&mut house),
            1 if may_cut => receiver.cut(&mut house),
            0 | 1 => sender.turn(&mut house, &mut dice, &mut publisher),
            2 => receiver.turn(&mut house, &mut dice, &mut subscriber),
            3 => publisher.publish_next(&mut sender),
            _ => {}
        }
        if publisher.is_done() && sender.is_quiet(&house) && receiver.is_quiet(&house) {
            break;
        }
    }
    let all: Vec<u16> = (1..=MESSAGES).collect();
    assert_eq!(subscriber.once, all, "exactly once, in order");
    let mut heard = BTreeSet::new();
    subscriber.often.retain(|number| heard.insert(*number));
    assert_eq!(subscriber.often, all, "at least once, in order of first arrival");
    house.is_at_rest();
}

/// A client's connection; what it says takes a while to arrive and is lost by a cut.
struct Link {
    client_id: &'static str,
    client: Option<house::Client>,
    up: VecDeque<Packet>,
}

/// A client behind a link.
trait Client {
    /// What it says first on a new connection.
    fn resume(&mut self) -> Vec<Packet>;
    /// What it says to a packet.
    fn hear(&mut self, packet: Packet) -> Option<Packet>;
}

impl Link {
    fn new(client_id: &'static str) -> Self {
        Self { client_id, client: None, up: VecDeque::new() }
    }

    fn client(&self) -> house::Client {
        self.client.expect("it is connected")
    }

    fn connect(&mut self, house: &mut House, dice: &mut Dice) {
        let client = house.open();
        if dice.below(2) == 0 {
            house.stick(client);
        }
        house.send(client, Packet::Connect(Box::new(lasting(self.client_id))));
        assert!(matches!(house.read(client), Packet::ConnAck(_)));
        if house.is_stuck(client) {
            house.unstick(client);
        }
        self.client = Some(client);
    }

    fn cut(&mut self, house: &mut House) {
        let Some(client) = self.client.take() else { return };
        self.up.clear();
        house.cut(client);
    }

    /// Something arrives at one of the ends, or the client connects again.
    fn turn(&mut self, house: &mut House, dice: &mut Dice, behaviour: &mut impl Client) {
        let Some(client) = self.client else {
            self.connect(house, dice);
            self.up.extend(behaviour.resume());
            return;
        };
        if dice.below(2) == 0 {
            if let Some(packet) = self.up.pop_front() {
                house.send(client, packet);
            }
        } else if house.unread(client) > 0 {
            self.up.extend(behaviour.hear(house.read(client)));
        }
    }

    fn is_quiet(&self, house: &House) -> bool {
        self.up.is_empty() && self.client.is_some_and(|client| house.unread(client) == 0)
    }
}

/// Publishes its numbers to `once` at QoS 2 and to `often` at QoS 1.
#[derive(Default)]
struct Publisher {
    said: u16,
    under_way: VecDeque<Publish>,
    released: VecDeque<PacketId>,
}

impl Publisher {
    fn publish_next(&mut self, link: &mut Link) {
        let under_way = self.under_way.len() + self.released.len();
        if self.said == 2 * MESSAGES || under_way >= UNDER_WAY || link.client.is_none() {
            return;
        }
        self.said += 1;
        let (topic, qos) = match self.said % 2 {
            0 => ("once", QoS::ExactlyOnce),
            _ => ("often", QoS::AtLeastOnce),
        };
        let mut publish = publish(topic, &self.said.div_ceil(2).to_string(), qos);
        publish.delivery = match qos {
            QoS::ExactlyOnce => Delivery::ExactlyOnce(id(self.said)),
            _ => Delivery::AtLeastOnce(id(self.said)),
        };
        self.under_way.push_back(publish.clone());
        link.up.push_back(Packet::Publish(publish));
    }

    fn is_done(&self) -> bool {
        self.said == 2 * MESSAGES && self.under_way.is_empty() && self.released.is_empty()
    }

    fn take(&mut self, delivery: Delivery) {
        self.under_way.retain(|publish| publish.delivery != delivery);
    }
}

impl Client for Publisher {
    fn resume(&mut self) -> Vec<Packet> {
        let releases = self.released.iter().map(|&id| Packet::PubRel(success(id)));
        let again = |publish: &Publish| Packet::Publish(Publish { dup: true, ..publish.clone() });
        releases.chain(self.under_way.iter().map(again)).collect()
    }

    fn hear(&mut self, packet: Packet) -> Option<Packet> {
        match packet {
            Packet::PubAck(answer) => self.take(Delivery::AtLeastOnce(answer.packet_id)),
            Packet::PubRec(answer) => {
                self.take(Delivery::ExactlyOnce(answer.packet_id));
                if !self.released.contains(&answer.packet_id) {
                    self.released.push_back(answer.packet_id);
                }
                return Some(Packet::PubRel(answer));
            }
            Packet::PubComp(answer) => self.released.retain(|&id| id != answer.packet_id),
            other => panic!("unexpected {other:?}"),
        }
        None
    }
}

/// Remembers what it was told.
#[derive(Default)]
struct Subscriber {
    once: Vec<u16>,
    often: Vec<u16>,
    received: BTreeSet<PacketId>,
}

impl Client for Subscriber {
    fn resume(&mut self) -> Vec<Packet> {
        Vec::new()
    }

    fn hear(&mut self, packet: Packet) -> Option<Packet> {
        let publish = match packet {
            Packet::Publish(publish) => publish,
            Packet::PubRel(release) => {
                self.received.remove(&release.packet_id);
                return Some(Packet::PubComp(release));
            }
            other => panic!("unexpected {other:?}"),
        };
        let text = String::from_utf8(publish.message.payload.to_vec()).unwrap();
        let number = text.parse().unwrap();
        match publish.delivery {
            Delivery::AtMostOnce => panic!("nothing was published at QoS 0"),
            Delivery::AtLeastOnce(id) => {
                self.often.push(number);
                Some(Packet::PubAck(success(id)))
            }
            Delivery::ExactlyOnce(id) => {
                if self.received.insert(id) {
                    self.once.push(number);
                }
                Some(Packet::PubRec(success(id)))
            }
        }
    }
}
