//! A publisher that keeps its side: what it was not answered it says again, in order. It announces
//! itself when it comes, and has a will for when it goes.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use maison::mqtt::{
    Connect, Delivery, Disconnect, DisconnectProperties, Message, Packet, PacketId, Publish, QoS,
    ReasonCode, TopicName, Version, Will, WillProperties,
};
use maison::sim::chance::Chance;

use super::door::Door;
use super::over_a_link;
use crate::wire::{PATIENCE, Session, Wire, connect, publish, success};

/// Messages it has under way.
const WINDOW: usize = 15;
/// Topics over which its messages go in turn.
pub(super) const TOPICS: u64 = 2;
/// How its last message ends.
pub(super) const END: &str = " end";

/// What others may look at while it works.
#[derive(Debug)]
pub(super) struct Card {
    pub(super) name: &'static str,
    pub(super) version: Version,
    pub(super) qos: QoS,
    /// Of the messages that it wants retained: the last one it said, …
    pub(super) said: AtomicU64,
    /// … and the last that was acknowledged.
    pub(super) acknowledged: AtomicU64,
}

/// What it did, and the connection that it still has.
pub(super) struct Published {
    pub(super) wire: Wire,
    /// Number of its last message.
    pub(super) last: u64,
    /// Its connections, in order.
    pub(super) visits: Vec<Visit>,
}

/// One of its connections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visit {
    /// From 1 on.
    pub(super) number: u64,
    /// At which turn of the door it was told that its announcement is kept, and with it its will.
    pub(super) announced: Option<u32>,
    pub(super) end: End,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Not yet.
    Open,
    /// Without a word from it.
    Lost,
    /// With a DISCONNECT, at that turn of the door.
    Left(u32),
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Plain,
    Retained(u64),
    /// Of the visit of this number.
    Announcement(u64),
}

#[derive(Debug)]
struct Outgoing {
    what: What,
    id: PacketId,
    publish: Publish,
    is_released: bool,
}

enum Leaving {
    /// It has done all.
    Done,
    Quit,
    Cut,
}

/// See the module.
pub(super) struct Publisher<'a> {
    door: &'a Door,
    card: &'a Card,
    chance: Chance,
    outgoing: VecDeque<Outgoing>,
    last: u64,
    visits: Vec<Visit>,
    is_ended: bool,
}

/// What is retained after a message of this number; nothing after each seventh.
pub(super) fn retained(number: u64) -> Option<String> {
    (!number.is_multiple_of(7)).then(|| number.to_string())
}

impl<'a> Publisher<'a> {
    pub(super) fn new(door: &'a Door, card: &'a Card, chance: Chance) -> Self {
        let (outgoing, visits) = (VecDeque::new(), Vec::new());
        Self { door, card, chance, outgoing, last: 0, visits, is_ended: false }
    }

    /// Until nobody is killed any more, and all is acknowledged.
    pub(super) fn publish_all(mut self) -> Published {
        let _watch = self.door.watch();
        loop {
            let mut wire = self.enter();
            let outcome = self.visit(&mut wire);
            let end = match outcome {
                Ok(Leaving::Done) => {
                    return Published { wire, last: self.last, visits: self.visits };
                }
                Ok(Leaving::Quit) => {
                    let turn = self.door.turns();
                    over_a_link(leave(&mut wire));
                    End::Left(turn)
                }
                Ok(Leaving::Cut) => End::Lost,
                Err(error) => {
                    over_a_link(Err(error));
                    End::Lost
                }
            };
            self.visits.last_mut().expect("it has entered").end = end;
        }
    }

    fn enter(&mut self) -> Wire {
        // Of one that was let in and not told so, the will may be spoken too.
        let mut number = self.visits.last().map_or(0, |visit| visit.number);
        let (wire, session) = self.door.enter_as(|| {
            number += 1;
            self.words(number)
        });
        let is_known = self.visits.iter().any(|visit| visit.announced.is_some());
        assert!(session || !is_known, "the session of {} is forgotten", self.card.name);
        self.visits.push(Visit { number, announced: None, end: End::Open });
        wire
    }

    fn words(&self, visit: u64) -> Connect {
        let topic = TopicName::new(format!("s/{}", self.card.name)).unwrap();
        let payload = Bytes::from(format!("gone {visit}"));
        let message = Message { topic, payload, properties: None };
        let properties = WillProperties::default();
        let will = Will { message, qos: QoS::ExactlyOnce, retain: true, properties };
        let words = connect(self.card.version, self.card.name, Session::Stays);
        Connect { will: Some(will), ..words }
    }

    /// What was not acknowledged goes again before all else ([MQTT-4.4.0-1]).
    fn visit(&mut self, wire: &mut Wire) -> io::Result<Leaving> {
        for it in &self.outgoing {
            let again = Publish { dup: true, ..it.publish.clone() };
            wire.send(&if it.is_released {
                Packet::PubRel(success(it.id))
            } else {
                Packet::Publish(again)
            })?;
        }
        let visit = self.visits.last().map_or(0, |visit| visit.number);
        let mut news = Some(self.announcement(visit));
        loop {
            while self.outgoing.len() < WINDOW
                && let Some((what, message)) = news.take().or_else(|| self.next())
            {
                self.say(wire, what, message)?;
                if self.chance.below(4) == 0 {
                    thread::sleep(Duration::from_micros(self.chance.below(4000)));
                }
            }
            if self.outgoing.is_empty() {
                return Ok(Leaving::Done);
            }
            self.hear(wire.receive()?, wire)?;
            match self.chance.below(3000) {
                0 => return Ok(Leaving::Quit),
                1 | 2 => return Ok(Leaving::Cut),
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Option<(What, Publish)> {
        if self.is_ended {
            return None;
        }
        if !self.door.is_over() && self.chance.below(5) == 0 {
            let number = self.card.said.fetch_add(1, Ordering::SeqCst) + 1;
            let text = retained(number).unwrap_or_default();
            let topic = format!("r/{}", self.card.name);
            let message = Publish { retain: true, ..publish(&topic, Delivery::AtMostOnce, text) };
            return Some((What::Retained(number), message));
        }
        self.last += 1;
        self.is_ended = self.door.is_over();
        let text =
            if self.is_ended { format!("{}{END}", self.last) } else { self.last.to_string() };
        let topic = format!("t/{}/{}", self.card.name, self.last % TOPICS);
        Some((What::Plain, publish(&topic, Delivery::AtMostOnce, text)))
    }

    fn announcement(&self, visit: u64) -> (What, Publish) {
        let topic = format!("s/{}", self.card.name);
        let message = publish(&topic, Delivery::AtMostOnce, format!("here {visit}"));
        (What::Announcement(visit), Publish { retain: true, ..message })
    }

    fn say(&mut self, wire: &mut Wire, what: What, message: Publish) -> io::Result<()> {
        let id = self.free_id();
        let delivery = match self.card.qos {
            QoS::AtMostOnce | QoS::AtLeastOnce => Delivery::AtLeastOnce(id),
            QoS::ExactlyOnce => Delivery::ExactlyOnce(id),
        };
        let publish = Publish { delivery, ..message };
        let outgoing = Outgoing { what, id, publish: publish.clone(), is_released: false };
        self.outgoing.push_back(outgoing);
        wire.send(&Packet::Publish(publish))
    }

    fn hear(&mut self, packet: Packet, wire: &mut Wire) -> io::Result<()> {
        match packet {
            Packet::PubRec(answer) => {
                assert!(!answer.reason.is_failure(), "{answer:?}");
                let mut outgoing = self.outgoing.iter_mut();
                let it = outgoing.find(|it| it.id == answer.packet_id && !it.is_released);
                if let Some(it) = it {
                    it.is_released = true;
                    let what = it.what;
                    self.acknowledged(what);
                }
                wire.send(&Packet::PubRel(success(answer.packet_id)))
            }
            Packet::PubAck(answer) | Packet::PubComp(answer) => {
                // [MQTT-4.3.3-3]: of a message whose PUBREC was heard in an earlier connection.
                let place = self.outgoing.iter().position(|it| it.id == answer.packet_id);
                let it = place.and_then(|place| self.outgoing.remove(place));
                if let Some(it) = it {
                    assert!(!answer.reason.is_failure() || it.is_released, "{answer:?}");
                    self.acknowledged(it.what);
                }
                Ok(())
            }
            other => panic!("{} hears {other:?}", self.card.name),
        }
    }

    fn acknowledged(&mut self, what: What) {
        match what {
            What::Plain => {}
            What::Retained(number) => {
                self.card.acknowledged.fetch_max(number, Ordering::SeqCst);
            }
            What::Announcement(number) => {
                let of_visit = self.visits.iter_mut().find(|visit| visit.number == number);
                let visit = of_visit.expect("it was announced in a visit");
                if visit.end == End::Open {
                    visit.announced = Some(self.door.turns());
                }
            }
        }
    }

    /// An identifier comes again soon: one that is remembered too long would cost a message.
    fn free_id(&self) -> PacketId {
        let is_free = |id: &PacketId| self.outgoing.iter().all(|it| it.id != *id);
        (1..=u16::MAX).filter_map(PacketId::new).find(is_free).expect("few are under way")
    }
}

/// Says good-bye, and waits until that was heard.
pub(super) fn leave(wire: &mut Wire) -> io::Result<()> {
    wire.stream.set_read_timeout(Some(PATIENCE))?;
    let properties = DisconnectProperties::default();
    let good_bye = Disconnect { reason: ReasonCode::Success, properties };
    wire.send(&Packet::Disconnect(Box::new(good_bye)))?;
    loop {
        match wire.receive() {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
