//! What a normal day costs the card: twenty rooms, four subscribers that are there, one that is
//! away until the evening, the real store in a real folder, in virtual time.
//!
//! ```text
//! tests/run normal_day --nocapture
//! ```
#![allow(clippy::print_stdout, reason = "a measurement is read by people")]

use std::fs;
use std::time::Duration;

use maison::mqtt::QoS;
use maison::store::{Durability, FILE, SqliteStore, Store};
use maison::time::{Tick, Timestamp};

use super::clients::{Client, Lifetime};
use super::house::House;
use super::{DAY, ROOMS};

/// A card of 16 GB that bears 1,000 writes of each cell lives centuries at that.
const BYTES_MAX: u64 = 60_000_000;
const RETURN: u64 = 20 * 3600;

/// Bytes that this process had the kernel write to a disk.
fn written() -> u64 {
    let text = fs::read_to_string("/proc/self/io").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.unwrap().parse().unwrap()
}

#[test]
fn a_normal_day_costs_the_card_little() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path().join(FILE);
    let wall = Timestamp::new(1_795_348_800_000, true);
    let (store, _) = SqliteStore::open(&path, Durability::PowerCut, Tick::ZERO, wall).unwrap();
    let mut house = House::keeping(1, ROOMS, Some(store));
    let all = "maison/#";
    let mut present = [
        Client::new("dashboard", Lifetime::Persistent, QoS::AtLeastOnce, all),
        Client::new("logger", Lifetime::Persistent, QoS::AtLeastOnce, "maison/+/temperature/json"),
        Client::new("display", Lifetime::Persistent, QoS::AtLeastOnce, "maison/+/temperature"),
        Client::new("phone", Lifetime::Connection, QoS::AtMostOnce, all),
    ];
    let mut away = Client::new("away", Lifetime::Persistent, QoS::AtLeastOnce, all);
    for client in &mut present {
        client.join(&mut house);
    }
    away.join(&mut house);
    away.leave(&mut house);
    let before = written();
    for tenth in 1..=10 * DAY {
        house.run_until(Tick::ZERO.after(Duration::from_millis(100 * tenth)));
        for client in &mut present {
            client.read_all(&mut house);
        }
        if tenth == 10 * RETURN {
            away.join(&mut house);
        }
        away.read_all(&mut house);
    }
    let said = house.broker.statistics().traffic;
    let bytes = written() - before;
    let figures = house.store.take().unwrap().figures();
    println!(
        "in a day {} readings gave {} messages of the gateway's, {} of them for the one who was \
         away; {} changes, of which {} were over before they were written; {} commits, {} syncs, \
         {:.1} MB handed to the kernel, {:.1} MB of blocks written by it",
        house.readings,
        said.messages_own,
        away.log.len(),
        said.changes_noted,
        said.changes_spared,
        figures.commits,
        figures.syncs,
        megabytes(figures.bytes_written),
        megabytes(bytes),
    );
    let wanted = "/temperature/json";
    let of_day = away.log.iter().filter(|(topic, _)| topic.ends_with(wanted)).count();
    assert_eq!(of_day, house.twins.len(), "nothing is lost");
    assert!(figures.bytes_written < BYTES_MAX && bytes < BYTES_MAX);
}

fn megabytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes / 1000).unwrap()) / 1000.0
}
