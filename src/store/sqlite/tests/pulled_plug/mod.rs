//! The real engine, and a plug that is pulled at any moment.
//!
//! A store works in a process under `strace`, which writes down all that its files receive. From
//! that any disk can be made on which the plug could have been pulled: what was synced is there,
//! and of the rest some, in any order, torn between sectors. The real store opens each of them.
//! What a seed does follows from it:
//!
//! ```text
//!   MAISON_SEED=7      cargo test --lib pulled_plug            one
//!   MAISON_SEEDS=10000 cargo test --release --lib pulled_plug  so many, 250 to a recording
//! ```
//!
//! Where tracing is not permitted these tests fail and say so; `MAISON_TRACE=skip` leaves them out,
//! and says that too.

mod disk;
mod recording;

use std::fs;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use self::disk::Disk;
use self::recording::{Call, Recording, Syncing};
use super::round_trip::compare;
use super::*;
use crate::broker::record::SessionId;
use crate::sim::chance::Chance;
use crate::store::tests::model::Model;
use crate::store::tests::records::{batch, batches, plain, session_of, waits};

/// Plugs pulled in an ordinary run.
const SEEDS: u64 = 250;
/// Seeds that share a recording.
const SEEDS_OF_A_RECORDING: u64 = 250;
/// Batches of a recording.
const BATCHES: usize = 40;

/// What the store of a recording is told, one after the other.
fn told(seed: u64) -> Vec<Batch> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut told: Vec<Batch> = Vec::new();
    while told.len() < BATCHES {
        told.extend(batches().new_tree(&mut runner).unwrap().current());
    }
    (1..).zip(told).map(|(number, batch)| Batch { number, ..batch }).collect()
}

/// A recording, and what must be in a store after each of its batches.
struct Story {
    recording: Recording,
    models: Vec<Model>,
}

impl Story {
    fn new(seed: u64, syncing: Syncing) -> Self {
        let mut models = vec![Model::default()];
        for batch in told(seed) {
            let mut model = models[models.len() - 1].clone();
            model.commit(&batch);
            models.push(model);
        }
        Self { recording: Recording::new(seed, syncing), models }
    }

    /// Pulls the plug somewhere; what the seed needs to be told of it.
    fn pull(&self, seed: u64) -> Pulled<'_> {
        let mut chance = Chance::new(seed);
        let calls = &self.recording.calls;
        let length = u64::try_from(calls.len()).unwrap();
        let at = usize::try_from(chance.below(length + 1)).unwrap();
        let mut disk = Disk::default();
        let mut acknowledged = 0;
        for call in &calls[..at] {
            match call {
                Call::Acknowledge(number) => acknowledged = usize::try_from(*number).unwrap(),
                call => disk.hear(call),
            }
        }
        let room = in_memory();
        let kept = disk.leave(room.folder.path(), &mut chance);
        Pulled { story: self, room, acknowledged, what: format!("call {at}, {kept}") }
    }
}

/// A store as the pulled plug left it.
struct Pulled<'all> {
    story: &'all Story,
    room: Room,
    acknowledged: usize,
    what: String,
}

impl Pulled<'_> {
    /// What was acknowledged is there, and what was under way is there as a whole or not at all.
    fn check(&self) -> Result<(), String> {
        let Self { story, room, acknowledged, what } = self;
        let path = room.path();
        let opened = SqliteStore::open(&path, Durability::Crash, NOW, WALL);
        let (mut store, report) = opened.map_err(|error| format!("{what}: {error}"))?;
        if !report.is_clean() {
            return Err(format!("{what}: {report}"));
        }
        let candidates = story.models.iter().skip(*acknowledged).take(2);
        let outcomes: Vec<_> = candidates.map(|model| compare(&mut store, model)).collect();
        if outcomes.iter().any(Result::is_ok) {
            return Self::goes_on(store, &path).map_err(|error| format!("{what}: {error}"));
        }
        Err(format!("{what}, {acknowledged} acknowledged: {:?}", outcomes.first()))
    }

    /// It takes more, and has that in its next life.
    fn goes_on(mut store: SqliteStore, path: &Path) -> Result<(), String> {
        let next = store.next_session;
        let more = batch([session_of(next, "eve", "new"), waits(next, 0, plain("a", "b"))]);
        store.commit(&more, NOW, WALL).map_err(|failure| failure.to_string())?;
        drop(store);
        let sessions = reopened(path).restore(NOW, WALL).unwrap().sessions;
        let waiting = sessions.iter().find(|session| session.record.id == SessionId(next));
        match waiting.map(|session| session.waiting.len()) {
            Some(1) => Ok(()),
            other => Err(format!("what followed is not there: {other:?}")),
        }
    }

    /// How many batches it has lost, of those that were handed in.
    fn age(&self) -> Option<usize> {
        let mut store = reopened(&self.room.path());
        let models = &self.story.models;
        let last = models.len().min(self.acknowledged + 2);
        models[..last].iter().rev().position(|model| compare(&mut store, model).is_ok())
    }
}

/// A folder whose disk costs no time, where there is one.
fn in_memory() -> Room {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    Room { folder: folder.unwrap() }
}

/// As the test harness names this module.
fn recorded_module() -> &'static str {
    module_path!().split_once("::").map_or("", |(_, module)| module)
}

fn reopened(path: &Path) -> SqliteStore {
    SqliteStore::open(path, Durability::Crash, NOW, WALL).unwrap().0
}

#[test]
fn what_the_real_store_acknowledged_survives_a_pulled_plug() {
    if !recording::may_trace() {
        return;
    }
    let number = |name: &str| -> Option<u64> {
        Some(std::env::var_os(name)?.to_str()?.parse().expect("a number"))
    };
    let (first, last) = match number("MAISON_SEED") {
        Some(seed) => (seed, seed),
        None => (1, number("MAISON_SEEDS").unwrap_or(SEEDS)),
    };
    let mut seen = disk::Seen::default();
    let mut story = None;
    for seed in first..=last {
        let of = (seed - 1) / SEEDS_OF_A_RECORDING;
        if story.as_ref().is_none_or(|(known, _)| *known != of) {
            story = Some((of, Story::new(of, Syncing::AsItIs)));
        }
        let (_, story) = story.as_ref().unwrap();
        let pulled = story.pull(seed);
        seen.add(&pulled.what);
        if let Err(what) = pulled.check() {
            panic!("MAISON_SEED={seed}: {what}");
        }
    }
    assert!(last - first < SEEDS - 1 || seen.is_all(), "something was never seen: {seen:?}");
}

/// Half of a frame's header was lost, and what lay there before looked like the end of a batch.
#[test]
fn garbage_in_the_batch_that_was_under_way_is_no_damage() {
    const SEED: u64 = 2901;
    if recording::may_trace() {
        let story = Story::new((SEED - 1) / SEEDS_OF_A_RECORDING, Syncing::AsItIs);
        story.pull(SEED).check().unwrap();
    }
}

/// The checkers see a store that does not sync, or the proof above would be none.
#[test]
fn a_store_that_does_not_sync_is_found_out() {
    if !recording::may_trace() {
        return;
    }
    let story = Story::new(0, Syncing::Never);
    let is_found_out = (1..=SEEDS).any(|seed| story.pull(seed).check().is_err());
    assert!(is_found_out, "none of {SEEDS} pulled plugs cost anything");
}

/// With `durability = "crash"` a pulled plug costs the last batches, as a whole, and nothing else.
#[test]
fn a_pulled_plug_costs_a_store_for_crashes_its_last_batches_only() {
    if !recording::may_trace() {
        return;
    }
    let story = Story::new(0, Syncing::BeforeMoving);
    let mut costs = 0;
    for seed in 1..=SEEDS / 2 {
        let pulled = story.pull(seed);
        let Some(age) = pulled.age() else { panic!("MAISON_SEED={seed}: {}", pulled.what) };
        costs += usize::from(age > 1);
    }
    assert!(costs > 0, "it never cost anything: the log was synced");
}

/// The process that is recorded; it does nothing by itself.
#[test]
#[ignore = "the other tests run it under strace"]
fn workload() {
    let Some(order) = recording::order() else { return };
    let acknowledgements = fs::File::create(order.folder.join(recording::ACKNOWLEDGED)).unwrap();
    let durability = match order.syncing {
        Syncing::BeforeMoving => Durability::Crash,
        Syncing::AsItIs | Syncing::Never => Durability::PowerCut,
    };
    let (mut store, report) =
        SqliteStore::open(&order.folder.join(FILE), durability, NOW, WALL).unwrap();
    assert!(report.is_clean());
    if order.syncing == Syncing::Never {
        store.connection.execute_batch("PRAGMA synchronous = OFF").unwrap();
    }
    let mut chance = Chance::new(order.seed);
    for batch in told(order.seed) {
        store.commit(&batch, NOW, WALL).unwrap();
        recording::acknowledge(&acknowledgements, batch.number);
        if chance.below(3) > 0 {
            store.settle().unwrap();
        }
    }
}
