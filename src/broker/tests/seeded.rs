//! Random conversations of many clients, every invariant asserted after each step; a failure names
//! its seed.

use std::time::Duration;

use super::world::*;
use crate::access::{ConnectionId, Principal, Refusal};
use crate::broker::Input;
use crate::mqtt::*;

const SEEDS: u64 = 60;
const STEPS: u32 = 400;

/// `SplitMix64`: small, and the same everywhere.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let count = u64::try_from(from.len()).unwrap();
        from[usize::try_from(self.below(count)).unwrap()]
    }
}

const QUALITIES: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
const TOPICS: [&str; 6] = ["a", "a/b", "a/b/c", "b", "étage/x", "maison/salon/temperature"];
const FILTERS: [&str; 7] = ["#", "+", "a/#", "a/+", "a/b", "+/b/#", "étage/+"];

fn step(world: &mut World, chance: &mut Chance, open: &mut Vec<ConnectionId>) {
    if open.is_empty() || chance.below(8) == 0 {
        let connection = world.open();
        let name = chance.pick(&["", "one", "two", "three"]);
        let mut connect = connect(name, chance.below(2) == 0);
        connect.keep_alive = Duration::from_secs(chance.below(3) * 10);
        let (message, qos) = (message("will", "w"), chance.pick(&QUALITIES));
        let properties = WillProperties::default();
        connect.will =
            (chance.below(2) == 0).then_some(Will { message, qos, retain: true, properties });
        world.send(connection, Packet::Connect(Box::new(connect)));
        if chance.below(8) > 0 {
            world.verdict(connection, Ok(Principal::Anonymous));
        }
        open.push(connection);
        open.retain(|connection| !world.is_closed(*connection));
        return;
    }
    let connection = chance.pick(open);
    let number = id(u16::try_from(1 + chance.below(30)).unwrap());
    let success = Acknowledgement::success(number);
    match chance.below(14) {
        0 => world.lose(connection),
        1 => world.verdict(connection, Ok(Principal::Anonymous)),
        2 => world.verdict(connection, Err(Refusal::BadPassword)),
        3 => world.send(connection, Packet::PubAck(success)),
        4 => world.send(connection, Packet::PubRec(success)),
        5 => world.send(connection, Packet::PubRel(success)),
        6 => world.send(connection, Packet::PubComp(success)),
        7 => world.send(connection, subscribe(number, chance)),
        8 => world.send(connection, unsubscribe(number, chance)),
        9 => world.send(connection, Packet::PingReq),
        10 => {
            let bytes = usize::try_from(chance.below(5000)).unwrap();
            world.handle(Input::Written { connection, bytes });
        }
        11 => world.pass(Duration::from_millis(chance.below(20_000))),
        _ => {
            let (qos, topic) = (chance.pick(&QUALITIES), chance.pick(&TOPICS));
            let payload = "x".repeat(usize::try_from(chance.below(3000)).unwrap());
            let retain = chance.below(3) == 0;
            let publish = Publish { retain, ..publish(qos, number.get(), topic, &payload) };
            world.publish(connection, publish);
        }
    }
    open.retain(|connection| !world.is_closed(*connection));
}

fn subscribe(packet_id: PacketId, chance: &mut Chance) -> Packet {
    let filter = SubscribeFilter {
        filter: TopicFilter::new(chance.pick(&FILTERS)).unwrap(),
        qos: chance.pick(&QUALITIES),
        no_local: false,
        retain_as_published: false,
        retain_handling: RetainHandling::Send,
    };
    let (filters, user_properties) = (vec![filter], Vec::new());
    Packet::Subscribe(Subscribe { packet_id, filters, subscription_id: None, user_properties })
}

fn unsubscribe(packet_id: PacketId, chance: &mut Chance) -> Packet {
    let filters = vec![TopicFilter::new(chance.pick(&FILTERS)).unwrap()];
    Packet::Unsubscribe(Unsubscribe { packet_id, filters, user_properties: Vec::new() })
}

#[test]
fn random_conversations_break_no_invariant_and_leave_nothing() {
    for seed in 0..SEEDS {
        let run = std::panic::catch_unwind(|| {
            let (mut world, mut chance) = (World::new(), Chance(seed));
            world.network_is_fast = seed % 2 == 0;
            let mut open = Vec::new();
            for _ in 0..STEPS {
                step(&mut world, &mut chance, &mut open);
            }
            assert!(world.broker.statistics().messages_sent > 0, "something was delivered");
            world.end();
        });
        assert!(run.is_ok(), "seed {seed}");
    }
}
