//! What befalls links and clients, and what clients do that none may.

use std::time::Duration;

use super::super::house::clean;
use super::client::Stage;
use super::world::{CLIENTS, World, publisher};
use crate::mqtt::{Connect, Delivery, Packet, PacketId, Publish, QoS, Version};

/// What is no packet of a client: of no type, with a flag that has another value, of servers only,
/// of a length without an end.
const NOISE: &[&[u8]] =
    &[b"\x00\x00", b"\x60\x02\x00\x01", b"\xd0\x00", b"\xc0\xff\xff\xff\xff\x01"];

/// From here on are the packet identifiers of publications that nobody remembers.
const FORGOTTEN_IDS: u16 = 1000;

impl World {
    pub(super) fn fault(&mut self) {
        let client = self.place(CLIENTS);
        let kind = self.dice.below(8);
        let stage = self.clients[client].stage;
        match (stage.link(), kind) {
            (Some(link), 0) => {
                self.end_link(link);
                self.stay_away(client);
            }
            (Some(_), 1 | 2) => {
                let said = self.place(4);
                self.let_go(client, said);
                self.stay_away(client);
            }
            (Some(link), 3) => self.links.get_mut(&link).unwrap().stuck = true,
            (Some(_), 4) => {
                let time = Duration::from_millis(self.dice.below(30_000));
                self.clients[client].silent_until = self.now.after(time);
            }
            (Some(_), 5) if matches!(stage, Stage::In(_)) => self.misbehave(client),
            (_, 6 | 7) => self.links.values_mut().for_each(|link| link.stuck = false),
            _ => {}
        }
    }

    /// The client does what ends its connection.
    fn misbehave(&mut self, client: usize) {
        let link = self.clients[client].stage.link().expect("it is in");
        match self.dice.below(4) {
            0 => {
                let noise = self.dice.choose(NOISE);
                self.links.get_mut(&link).expect("it is there").babble(noise);
            }
            1 => {
                let version = self.clients[client].version;
                let connect = Box::new(Connect { version, ..clean("again") });
                self.say(client, Packet::Connect(connect));
            }
            _ if self.clients[client].version == Version::V5 => self.publish_too_many(client),
            _ => {}
        }
    }

    /// More QoS 2 messages at a time than the broker said it takes. The client remembers none of
    /// them, so that its session can only be given up.
    fn publish_too_many(&mut self, client: usize) {
        let most = self.plan.settings.bounds.receive_maximum.get();
        for number in FORGOTTEN_IDS..=FORGOTTEN_IDS + most {
            let (topic, qos) = (self.topic(), QoS::ExactlyOnce);
            let message = self.message(&publisher(client), topic, qos, 0);
            let delivery = Delivery::ExactlyOnce(PacketId::new(number).unwrap());
            let (dup, retain, subscription_ids) = (false, false, Vec::new());
            let publish = Publish { dup, delivery, retain, message, subscription_ids };
            self.say(client, Packet::Publish(publish));
        }
        self.clients[client].must_start_clean = true;
    }
}
