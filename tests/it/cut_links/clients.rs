//! A publisher and a subscriber of QoS 2 that do what section 4.3.3 says, over a link that ends now
//! and then.

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, ErrorKind};

use maison::mqtt::{Delivery, Packet, PacketId, Publish};

use crate::wire::{Session, Wire, publish, success};

pub(super) const TOPIC: &str = "t";

/// Messages a publisher has under way.
const UNDER_WAY_MAX: usize = 15;

/// Publishes numbers from 1 on.
pub(super) struct Publisher {
    last: u32,
    said: u32,
    /// Not received by the broker, as far as is known; in order.
    under_way: VecDeque<(PacketId, u32)>,
    /// Received, and not complete; in order.
    released: VecDeque<PacketId>,
}

/// Hears numbers up to the last.
pub(super) struct Subscriber {
    last: u32,
    heard: Vec<u32>,
    unreleased: BTreeSet<PacketId>,
}

impl Publisher {
    pub(super) const ID: &str = "publisher";

    pub(super) fn new(last: u32) -> Self {
        Self { last, said: 0, under_way: VecDeque::new(), released: VecDeque::new() }
    }

    /// Until all is complete, over as many connections as it takes.
    pub(super) fn publish_all(mut self, port: u16) {
        while self.said < self.last || self.count() > 0 {
            let Ok((mut wire, session)) = Wire::try_connect(port, Self::ID, Session::Stays) else {
                continue;
            };
            assert!(session || self.said == 0, "the broker has forgotten the session");
            over_a_link(self.resume(&mut wire).and_then(|()| self.go_on(&mut wire)));
        }
    }

    /// [MQTT-4.4.0-1]
    fn resume(&self, wire: &mut Wire) -> io::Result<()> {
        for id in &self.released {
            wire.send(&Packet::PubRel(success(*id)))?;
        }
        for (id, number) in &self.under_way {
            let again = Publish { dup: true, ..message(*id, *number) };
            wire.send(&Packet::Publish(again))?;
        }
        Ok(())
    }

    fn go_on(&mut self, wire: &mut Wire) -> io::Result<()> {
        loop {
            while self.said < self.last && self.count() < UNDER_WAY_MAX {
                self.said += 1;
                let id = self.free_id();
                self.under_way.push_back((id, self.said));
                wire.send(&Packet::Publish(message(id, self.said)))?;
            }
            if self.count() == 0 {
                return Ok(());
            }
            match wire.receive()? {
                Packet::PubRec(answer) => {
                    let id = answer.packet_id;
                    self.under_way.retain(|(other, _)| *other != id);
                    if !self.released.contains(&id) {
                        self.released.push_back(id);
                    }
                    wire.send(&Packet::PubRel(answer))?;
                }
                Packet::PubComp(answer) => self.released.retain(|id| *id != answer.packet_id),
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    fn count(&self) -> usize {
        self.under_way.len() + self.released.len()
    }

    /// An identifier comes again soon: a broker that remembers too long would drop a message.
    fn free_id(&self) -> PacketId {
        let used = |id: PacketId| {
            self.released.contains(&id) || self.under_way.iter().any(|(other, _)| *other == id)
        };
        (1..=u16::MAX).map(|id| PacketId::new(id).unwrap()).find(|id| !used(*id)).unwrap()
    }
}

impl Subscriber {
    pub(super) const ID: &str = "subscriber";

    pub(super) fn new(last: u32) -> Self {
        Self { last, heard: Vec::new(), unreleased: BTreeSet::new() }
    }

    /// What it heard, in order, when the last message is complete.
    pub(super) fn hear_all(mut self, port: u16) -> Vec<u32> {
        while !self.is_done() {
            let Ok((mut wire, session)) = Wire::try_connect(port, Self::ID, Session::Stays) else {
                continue;
            };
            assert!(session, "the broker has forgotten the session");
            over_a_link(self.go_on(&mut wire));
        }
        self.heard
    }

    /// Method B of section 4.3.3: a message is passed on when it arrives, and its identifier is
    /// remembered until it is released.
    fn go_on(&mut self, wire: &mut Wire) -> io::Result<()> {
        while !self.is_done() {
            let answer = match wire.receive()? {
                Packet::Publish(message) => {
                    let Delivery::ExactlyOnce(id) = message.delivery else { panic!("{message:?}") };
                    if self.unreleased.insert(id) {
                        self.heard.push(number(&message));
                    } else {
                        assert!(message.dup, "sent again without DUP: {message:?}");
                    }
                    Packet::PubRec(success(id))
                }
                Packet::PubRel(release) => {
                    self.unreleased.remove(&release.packet_id);
                    Packet::PubComp(release)
                }
                other => panic!("unexpected {other:?}"),
            };
            wire.send(&answer)?;
        }
        wire.send(&Packet::PingReq)?;
        while wire.receive()? != Packet::PingResp {}
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.heard.last() == Some(&self.last) && self.unreleased.is_empty()
    }
}

/// An end of the link is what this is about; silence is not.
#[track_caller]
fn over_a_link(outcome: io::Result<()>) {
    let silence = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
    if let Err(error) = outcome {
        assert!(!silence.contains(&error.kind()), "nothing comes any more");
    }
}

fn message(id: PacketId, number: u32) -> Publish {
    publish(TOPIC, Delivery::ExactlyOnce(id), number.to_string())
}

fn number(publish: &Publish) -> u32 {
    std::str::from_utf8(&publish.message.payload).unwrap().parse().unwrap()
}
