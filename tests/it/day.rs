//! A simulated day of twenty rooms, in virtual time: chips that fail, cables that are pulled, a
//! subscriber whose link is cut, one who is away for hours; and checkers beside them. A failure
//! names its seed; `MAISON_SEED=7 tests/run simulated_day` runs that one alone.

mod card;
mod clients;
mod house;
mod together;

use std::time::Duration;

use maison::mqtt::QoS;
use maison::time::Tick;

use clients::{Client, Lifetime};
use house::House;
pub(crate) use house::rules;

const ROOMS: usize = 20;
const DAY: u64 = 24 * 3600;
const SEEDS: std::ops::Range<u64> = 0..4;

/// The logger is away between these seconds of the day.
const AWAY: std::ops::Range<u64> = 8 * 3600..16 * 3600;

#[test]
fn simulated_day_publishes_no_wrong_value_and_loses_no_message() {
    let only: Option<u64> = std::env::var("MAISON_SEED").ok().and_then(|seed| seed.parse().ok());
    for seed in only.map_or(SEEDS, |seed| seed..seed + 1) {
        let run = std::panic::catch_unwind(|| live_through(seed));
        assert!(run.is_ok(), "seed {seed}");
    }
}

fn live_through(seed: u64) {
    let mut house = House::new(seed, ROOMS);
    let mut watcher = Client::new("watcher", Lifetime::Connection, QoS::AtMostOnce, "maison/#");
    let twins = "maison/+/temperature/json";
    let mut cut = Client::new("cut", Lifetime::Persistent, QoS::ExactlyOnce, twins);
    let mut logger = Client::new("logger", Lifetime::Persistent, QoS::AtLeastOnce, twins);
    for client in [&mut watcher, &mut cut, &mut logger] {
        client.join(&mut house);
    }
    for minute in 1..=DAY / 60 {
        let second = minute * 60;
        house.run_until(Tick::ZERO.after(Duration::from_secs(second)));
        watcher.read_all(&mut house);
        if house.chance.below(5) == 0 {
            cut.lose_link_in_the_middle(&mut house);
            cut.join(&mut house);
        }
        cut.read_all(&mut house);
        if second == AWAY.start {
            logger.leave(&mut house);
        } else if second == AWAY.end {
            logger.join(&mut house);
        }
        logger.read_all(&mut house);
        house.check_rooms(&watcher);
        house.broker.check_invariants();
    }
    assert_eq!(house.alarms, ["trio", "trio", "duo", "duo"], "each begins and ends once");
    assert!(house.readings > 1000 && house.faults > 100, "the day was eventful");
    assert_eq!(cut.log, house.twins, "QoS 2 over a cut link: once each, in order");
    assert_eq!(logger.log, house.twins, "QoS 1 with an absence: all, in order");
    let mut late = Client::new("late", Lifetime::Connection, QoS::AtLeastOnce, "maison/#");
    late.join(&mut house);
    late.read_all(&mut house);
    assert_eq!(late.shown, watcher.shown, "retained is what was last said");
    for client in [&mut watcher, &mut cut, &mut logger, &mut late] {
        client.read_all(&mut house);
    }
    assert!(house.broker.all_delivered(), "nothing is left");
}
