//! A well-behaved client: its session state is what section 4.1 asks of it, on whatever link.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::super::house::{Dice, success};
use crate::access::ConnectionId;
use crate::mqtt::{
    Acknowledgement, ConnectAcknowledgement, Delivery, Message, Packet, PacketId, Publish, QoS,
    ReasonCode, Version,
};
use crate::time::Tick;

/// Subscriptions with identifiers from here on are shared.
pub(super) const SHARED_IDS: u32 = 100;
/// How the messages of those begin who come under a new name each time.
pub(super) const NAMELESS: &str = "n";

/// See the module.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) user: Option<&'static str>,
    /// Empty until one is assigned, if it has none.
    pub(super) name: String,
    pub(super) version: Version,
    pub(super) stage: Stage,
    /// Own publications that were not acknowledged, in order.
    under_way: VecDeque<Publish>,
    /// Own publications that are the broker's, in the order of the PUBRECs.
    released: VecDeque<PacketId>,
    /// QoS 2 messages that the broker has not released.
    received: BTreeSet<PacketId>,
    last_id: u16,
    /// SUBSCRIBEs and UNSUBSCRIBEs that were not answered.
    asked: BTreeSet<PacketId>,
    /// Publications that the broker takes at a time.
    pub(super) receive_maximum: usize,
    /// Which life of its session this is, as an onlooker knows: one that missed a CONNACK cannot
    /// tell a new session from its old one.
    pub(super) life: Option<u64>,
    pub(super) heard: Heard,
    pub(super) keep_alive: Duration,
    pub(super) said_at: Tick,
    /// It has fallen silent until then.
    pub(super) silent_until: Tick,
    /// It does not come back before.
    pub(super) away_until: Tick,
    /// Its session outlives its connection, and it may say how long.
    pub(super) can_prolong: bool,
    /// It has forgotten its session; the broker may not have.
    pub(super) must_start_clean: bool,
    /// CONNECTs that were refused.
    pub(super) refusals: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Away,
    Asking(ConnectionId),
    In(ConnectionId),
}

impl Stage {
    pub(super) fn link(self) -> Option<ConnectionId> {
        match self {
            Self::Away => None,
            Self::Asking(link) | Self::In(link) => Some(link),
        }
    }
}

/// What reached the application.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// How often each message came at QoS 2, in each life of the session.
    pub(super) once: BTreeMap<(u64, String), u64>,
    /// The last number by life, publisher and its quality, topic and quality.
    last: BTreeMap<(u64, [String; 3], QoS), u64>,
    /// All that came, by life, so that what was published or sent again is known.
    often: BTreeSet<(u64, String)>,
    /// What came as retained last, by topic.
    pub(super) stored: BTreeMap<String, Bytes>,
}

impl Heard {
    /// A message, which may be refused: if that word is lost it comes again, after others.
    fn take(&mut self, life: u64, publish: &Publish, is_refused: bool) {
        if is_refused {
            self.often.insert((life, key(publish)));
        } else {
            self.hear(life, publish);
        }
    }

    /// A message that is not known to be a repetition.
    fn hear(&mut self, life: u64, publish: &Publish) {
        let text = key(publish);
        let qos = publish.delivery.qos();
        if qos == QoS::ExactlyOnce {
            *self.once.entry((life, text.clone())).or_default() += 1;
        }
        let is_first = self.often.insert((life, text));
        if publish.retain {
            let Message { topic, payload, .. } = &publish.message;
            self.stored.insert(topic.as_str().to_owned(), payload.clone());
        }
        if is_first && !publish.retain {
            self.keep_order(life, publish);
        }
    }

    /// Numbers of a publisher rise. One without a name does not take over its older connection, on
    /// which something may still be under way; wills are written before they are published; what is
    /// published at QoS 1 again may be new to one who subscribed in between; and what a group gets
    /// has no order across its members.
    fn keep_order(&mut self, life: u64, publish: &Publish) {
        let topic = publish.message.topic.as_str().to_owned();
        let text = String::from_utf8_lossy(&publish.message.payload);
        let mut parts = text.split(':');
        let (Some(publisher), Some(number), Some(quality)) =
            (parts.next(), parts.next(), parts.next())
        else {
            return;
        };
        let is_shared = publish.subscription_ids.iter().any(|id| *id >= SHARED_IDS);
        if publisher == "will"
            || publisher.starts_with(NAMELESS)
            || quality == "1"
            || topic.starts_with("s/")
            || is_shared
        {
            return;
        }
        let number: u64 = number.parse().expect("payloads are numbered");
        let of = [publisher.to_owned(), quality.to_owned(), topic];
        let place = (life, of, publish.delivery.qos());
        let last = self.last.insert(place, number);
        assert!(last < Some(number), "order: {number} after {last:?} of {publisher}");
    }
}

/// What makes a message this message.
pub(super) fn key(publish: &Publish) -> String {
    let payload = &publish.message.payload;
    let start = payload.get(..payload.len().min(40)).unwrap();
    format!("{} {}", publish.message.topic.as_str(), String::from_utf8_lossy(start))
}

impl Client {
    pub(super) fn new(user: Option<&'static str>, name: String, version: Version) -> Self {
        Self {
            user,
            name,
            version,
            stage: Stage::Away,
            under_way: VecDeque::new(),
            released: VecDeque::new(),
            received: BTreeSet::new(),
            last_id: 0,
            asked: BTreeSet::new(),
            receive_maximum: usize::from(u16::MAX),
            life: None,
            heard: Heard::default(),
            keep_alive: Duration::ZERO,
            said_at: Tick::ZERO,
            silent_until: Tick::ZERO,
            away_until: Tick::ZERO,
            can_prolong: false,
            must_start_clean: false,
            refusals: 0,
        }
    }

    /// Own publications that it holds.
    pub(super) fn holds(&self) -> usize {
        self.under_way.len() + self.released.len()
    }

    /// An identifier that it does not use.
    pub(super) fn free_id(&mut self) -> PacketId {
        loop {
            self.last_id = if self.last_id >= 30 { 1 } else { self.last_id + 1 };
            let id = PacketId::new(self.last_id).unwrap();
            let of_publish =
                self.under_way.iter().any(|publish| publish.delivery.packet_id() == Some(id));
            if !of_publish && !self.released.contains(&id) && !self.asked.contains(&id) {
                return id;
            }
        }
    }

    /// Remembers what it publishes.
    pub(super) fn publish(&mut self, publish: &Publish) {
        if publish.delivery != Delivery::AtMostOnce {
            self.under_way.push_back(publish.clone());
        }
    }

    pub(super) fn ask(&mut self, id: PacketId) {
        self.asked.insert(id);
    }

    /// Its session is no more.
    pub(super) fn forget(&mut self) {
        self.under_way.clear();
        self.released.clear();
        self.received.clear();
    }

    /// It lost its link.
    pub(super) fn leave(&mut self) {
        self.stage = Stage::Away;
        self.asked.clear();
    }

    /// It is let in; returns what it says again.
    pub(super) fn welcome(&mut self, answer: &ConnectAcknowledgement, life: u64) -> Vec<Packet> {
        // 3.1 has no word for it.
        let is_told = answer.session_present || self.version == Version::V3_1;
        if !is_told || self.life != Some(life) {
            self.forget();
        }
        self.life = Some(life);
        self.must_start_clean = false;
        let properties = &answer.properties;
        if let Some(seconds) = properties.server_keep_alive_seconds {
            self.keep_alive = Duration::from_secs(seconds.into());
        }
        self.receive_maximum = properties.receive_maximum.map_or(u16::MAX, u16::from).into();
        if let Some(name) = &properties.assigned_client_id {
            self.name = name.to_string();
        }
        let releases = self.released.iter().map(|&id| Packet::PubRel(success(id)));
        let again = |publish: &Publish| Packet::Publish(Publish { dup: true, ..publish.clone() });
        releases.chain(self.under_way.iter().map(again)).collect()
    }

    /// What it says to a packet.
    pub(super) fn hear(&mut self, packet: Packet, dice: &mut Dice) -> Option<Packet> {
        match packet {
            Packet::Publish(publish) => self.take(&publish, dice),
            Packet::PubAck(answer) => {
                self.acknowledged(Delivery::AtLeastOnce(answer.packet_id));
                None
            }
            Packet::PubRec(answer) => {
                self.acknowledged(Delivery::ExactlyOnce(answer.packet_id));
                if answer.reason.is_failure() {
                    return None;
                }
                if !self.released.contains(&answer.packet_id) {
                    self.released.push_back(answer.packet_id);
                }
                Some(Packet::PubRel(success(answer.packet_id)))
            }
            Packet::PubRel(answer) => {
                self.received.remove(&answer.packet_id);
                Some(Packet::PubComp(success(answer.packet_id)))
            }
            Packet::PubComp(answer) => {
                self.released.retain(|&id| id != answer.packet_id);
                None
            }
            Packet::SubAck(answer) => self.answered(answer.packet_id),
            Packet::UnsubAck(answer) => self.answered(answer.packet_id),
            Packet::PingResp | Packet::Disconnect(_) => None,
            other => panic!("no packet for a client that is in: {other:?}"),
        }
    }

    fn answered(&mut self, id: PacketId) -> Option<Packet> {
        assert!(self.asked.remove(&id), "an answer is of a question");
        None
    }

    fn acknowledged(&mut self, delivery: Delivery) {
        self.under_way.retain(|publish| publish.delivery != delivery);
    }

    fn take(&mut self, publish: &Publish, dice: &mut Dice) -> Option<Packet> {
        let life = self.life.expect("it is in");
        let may_refuse = self.version == Version::V5 && dice.below(50) == 0;
        let answer = |packet_id, refuses| {
            let reason = if refuses { ReasonCode::QuotaExceeded } else { ReasonCode::Success };
            Acknowledgement { packet_id, reason, properties: None }
        };
        match publish.delivery {
            Delivery::AtMostOnce => {
                self.heard.hear(life, publish);
                None
            }
            Delivery::AtLeastOnce(id) => {
                self.heard.take(life, publish, may_refuse);
                Some(Packet::PubAck(answer(id, may_refuse)))
            }
            Delivery::ExactlyOnce(id) if self.received.contains(&id) => {
                assert!(publish.dup, "QoS 2 twice: {publish:?}");
                Some(Packet::PubRec(success(id)))
            }
            Delivery::ExactlyOnce(id) => {
                if !may_refuse {
                    self.received.insert(id);
                }
                self.heard.take(life, publish, may_refuse);
                Some(Packet::PubRec(answer(id, may_refuse)))
            }
        }
    }
}
