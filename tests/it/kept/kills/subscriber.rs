//! Subscribers whose sessions last: they are there, or come now and then, and note what they hear.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::thread;
use std::time::{Duration, Instant};

use maison::mqtt::{Delivery, Packet, PacketId, QoS, TopicFilter, Unsubscribe, Version};
use maison::sim::chance::Chance;

use super::door::Door;
use super::over_a_link;
use super::publisher::{END, leave};
use crate::wire::{PATIENCE, Session, Wire, connect, subscribe, success};

/// See the module.
pub(super) struct Subscriber<'a> {
    door: &'a Door,
    pub(super) name: &'static str,
    version: Version,
    pub(super) qos: QoS,
    pub(super) heard: Vec<Heard>,
    /// Topics whose last message was heard.
    ended: BTreeSet<String>,
    /// Those of QoS 2 whose PUBREL is awaited.
    unreleased: BTreeSet<PacketId>,
}

/// A message it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) topic: String,
    pub(super) text: String,
    pub(super) qos: QoS,
}

impl<'a> Subscriber<'a> {
    /// With a session that has these subscriptions, and no connection.
    pub(super) fn enrol(
        door: &'a Door,
        (name, version, qos): (&'static str, Version, QoS),
        filters: &[&str],
    ) -> Self {
        let (mut wire, session) = door.enter(&connect(version, name, Session::Stays));
        assert!(!session, "nobody was here before");
        for filter in filters {
            wire.subscribe(filter, qos);
        }
        leave(&mut wire).unwrap();
        let (heard, ended, unreleased) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        Self { door, name, version, qos, heard, ended, unreleased }
    }

    /// There all the time, until the last message of so many publishers.
    pub(super) fn stay(mut self, publishers: usize) -> Self {
        let _watch = self.door.watch();
        while !self.is_done(publishers) {
            let mut wire = self.enter();
            over_a_link(self.listen(&mut wire, publishers, PATIENCE));
        }
        self
    }

    /// There now and then; at the end until the last message.
    pub(super) fn come_and_go(mut self, publishers: usize, mut chance: Chance) -> Self {
        let _watch = self.door.watch();
        while !self.door.is_over() {
            thread::sleep(Duration::from_millis(chance.below(700)));
            let mut wire = self.enter();
            let time = Duration::from_millis(1 + chance.below(300));
            let until = Instant::now() + time;
            while Instant::now() < until {
                match self.listen(&mut wire, publishers, time) {
                    Ok(()) => {}
                    Err(error) if is_silence(&error) => {}
                    Err(error) => {
                        over_a_link(Err(error));
                        break;
                    }
                }
            }
            if chance.below(2) == 0 {
                over_a_link(leave(&mut wire));
            }
        }
        self.stay(publishers)
    }

    pub(super) fn enter(&self) -> Wire {
        let (wire, session) = self.door.enter(&connect(self.version, self.name, Session::Stays));
        assert!(session, "the session of {} is forgotten", self.name);
        wire
    }

    /// Hears what there is: one packet, or all to the last where `patience` is as long.
    fn listen(&mut self, wire: &mut Wire, publishers: usize, patience: Duration) -> io::Result<()> {
        wire.stream.set_read_timeout(Some(patience))?;
        loop {
            self.hear(wire)?;
            if patience < PATIENCE {
                return Ok(());
            }
            if self.is_done(publishers) {
                wire.send(&Packet::PingReq)?;
                while wire.receive()? != Packet::PingResp {}
                return Ok(());
            }
        }
    }

    /// Takes one packet and answers it; a message of QoS 2 is passed on when it arrives (method B
    /// of section 4.3.3).
    pub(super) fn hear(&mut self, wire: &mut Wire) -> io::Result<()> {
        let answer = match wire.receive()? {
            Packet::Publish(message) => {
                let heard = Heard {
                    topic: message.message.topic.as_str().to_owned(),
                    text: String::from_utf8(message.message.payload.to_vec()).unwrap(),
                    qos: message.delivery.qos(),
                };
                match message.delivery {
                    Delivery::AtMostOnce => panic!("{} hears {heard:?}", self.name),
                    Delivery::AtLeastOnce(id) => {
                        self.note(heard);
                        Packet::PubAck(success(id))
                    }
                    Delivery::ExactlyOnce(id) => {
                        if self.unreleased.insert(id) {
                            self.note(heard);
                        } else {
                            assert!(message.dup, "{} hears it without DUP: {heard:?}", self.name);
                        }
                        Packet::PubRec(success(id))
                    }
                }
            }
            Packet::PubRel(release) => {
                self.unreleased.remove(&release.packet_id);
                Packet::PubComp(success(release.packet_id))
            }
            other => panic!("{} hears {other:?}", self.name),
        };
        wire.send(&answer)
    }

    fn note(&mut self, heard: Heard) {
        if heard.text.ends_with(END) {
            let publisher = heard.topic.split('/').nth(1).unwrap_or_default();
            self.ended.insert(publisher.to_owned());
        }
        self.heard.push(heard);
    }

    /// Whether a message of QoS 2 is not complete.
    pub(super) fn is_owed_a_release(&self) -> bool {
        !self.unreleased.is_empty()
    }

    fn is_done(&self, publishers: usize) -> bool {
        self.ended.len() == publishers && !self.is_owed_a_release()
    }
}

pub(super) fn is_silence(error: &io::Error) -> bool {
    [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind())
}

/// A client that subscribes and unsubscribes all the time.
pub(super) struct Collector<'a> {
    door: &'a Door,
    chance: Chance,
    /// By number of the topic, whether it is wanted.
    pub(super) wanted: BTreeMap<u64, bool>,
}

impl<'a> Collector<'a> {
    pub(super) const NAME: &'static str = "collector";
    pub(super) const TOPICS: u64 = 12;

    pub(super) fn new(door: &'a Door, chance: Chance) -> Self {
        Self { door, chance, wanted: (0..Self::TOPICS).map(|number| (number, false)).collect() }
    }

    pub(super) fn topic(number: u64) -> String {
        format!("u/{number}")
    }

    pub(super) fn enter(&self) -> (Wire, bool) {
        self.door.enter(&connect(Version::V5, Self::NAME, Session::Stays))
    }

    /// Until nobody is killed any more, and the last change was granted.
    pub(super) fn collect(mut self) -> Self {
        let _watch = self.door.watch();
        let (mut is_known, mut next) = (false, self.chance.below(Self::TOPICS));
        loop {
            let (mut wire, session) = self.enter();
            assert!(session || !is_known, "the session of the collector is forgotten");
            while self.change(&mut wire, next) {
                is_known = true;
                if self.door.is_over() {
                    return self;
                }
                next = self.chance.below(Self::TOPICS);
                thread::sleep(Duration::from_millis(self.chance.below(20)));
            }
        }
    }

    /// Wants a topic that it did not want, or the reverse; whether it was granted.
    fn change(&mut self, wire: &mut Wire, number: u64) -> bool {
        let topic = Self::topic(number);
        let wanted = self.wanted.get_mut(&number).expect("one of them");
        let packet = if *wanted {
            let filters = vec![TopicFilter::new(topic).unwrap()];
            let (packet_id, user_properties) = (PacketId::MIN, Vec::new());
            Packet::Unsubscribe(Unsubscribe { packet_id, filters, user_properties })
        } else {
            subscribe(&topic, QoS::AtLeastOnce)
        };
        match wire.send(&packet).and_then(|()| wire.receive()) {
            Ok(Packet::SubAck(_) | Packet::UnsubAck(_)) => {
                *wanted = !*wanted;
                true
            }
            Ok(other) => panic!("the collector hears {other:?}"),
            Err(error) => {
                over_a_link(Err(error));
                false
            }
        }
    }
}
