//! QoS 2 over links that are cut at random, in the middle of packets too: each message arrives
//! once, in order. A failure names its seed.
//!
//! ```text
//! MAISON_SEED=7 tests/run cut_links       that one alone
//! MAISON_SEEDS=10 tests/run cut_links     seeds 1 to 10
//! ```

mod clients;
mod proxy;

use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use maison::mqtt::{Packet, QoS};
use maison::sim::chance::Chance;

use crate::gateway::Gateway;
use crate::wire::{Session, Wire};
use clients::{Publisher, Subscriber};
use proxy::{Cuts, Proxy};

const MESSAGES: u32 = 10_000;
/// Of each of the two links.
const CUTS: u32 = 200;
/// A message takes some 30 bytes both ways, so that all cuts are over before the messages are.
const BYTES_BETWEEN_CUTS_MAX: u64 = 1600;
/// All messages may wait for the subscriber.
const BROKER: &str = "queue = { messages = 20000, bytes = \"16 MiB\" }";

#[test]
fn qos_2_over_cut_links_arrives_once_and_in_order() {
    for seed in seeds(2) {
        let outcome = catch_unwind(AssertUnwindSafe(|| relay(seed)));
        assert!(outcome.is_ok(), "seed {seed}");
    }
}

/// Those of the environment; otherwise the first so many.
pub(crate) fn seeds(count: u64) -> RangeInclusive<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    match (number("MAISON_SEED"), number("MAISON_SEEDS")) {
        (Some(seed), _) => seed..=seed,
        (None, Some(last)) => 1..=last,
        (None, None) => 1..=count,
    }
}

fn relay(seed: u64) {
    let gateway = Gateway::start(Gateway::prepare_with(BROKER, ""));
    let port = gateway.plain_port();
    let mut chance = Chance::new(seed);
    let mut link = || {
        let (chance, bytes_max) = (Chance::new(chance.draw()), BYTES_BETWEEN_CUTS_MAX);
        Proxy::start(port, Cuts { left: CUTS, bytes_max, chance })
    };
    let (to_publisher, to_subscriber) = (link(), link());
    let mut first = Wire::connect(port, Subscriber::ID, Session::Stays);
    first.subscribe(clients::TOPIC, QoS::ExactlyOnce);
    first.leave();

    let heard = thread::scope(|scope| {
        scope.spawn(|| Publisher::new(MESSAGES).publish_all(to_publisher.port));
        let subscriber = scope.spawn(|| Subscriber::new(MESSAGES).hear_all(to_subscriber.port));
        subscriber.join().unwrap()
    });

    assert_eq!(heard, (1..=MESSAGES).collect::<Vec<_>>(), "once, and in order");
    assert_eq!((to_publisher.cuts(), to_subscriber.cuts()), (CUTS, CUTS), "cuts");
    for id in [Publisher::ID, Subscriber::ID] {
        let (mut client, session) = Wire::try_connect(port, id, Session::Stays).unwrap();
        client.send(&Packet::PingReq).unwrap();
        assert_eq!(client.receive().unwrap(), Packet::PingResp, "nothing is left for {id}");
        assert!(session);
    }
}
