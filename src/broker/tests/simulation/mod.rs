//! Twenty well-behaved clients of both versions on links that fail in all ways, against a naive
//! model of what they should be told. Everything follows from a seed:
//!
//! ```text
//!   MAISON_SEED=7      cargo test --lib simulation            one, with what happened last,
//!                                                             in MAISON_LINES
//!   MAISON_SEEDS=10000 cargo test --release --lib simulation  so many, on all cores
//! ```

mod client;
mod faults;
mod link;
mod model;
mod plan;
mod rest;
mod trace;
mod workload;
mod world;

use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use model::Seen;
use trace::Trace;
use world::World;

/// Seeds of an ordinary run.
const SEEDS: u64 = 40;
/// Lines of what happened last in a seed that fails.
const LINES: u64 = 60;
/// Failures of one thread after which it plays no more.
const FAILURES_MAX: usize = 10;

#[test]
fn twenty_clients_are_told_what_a_naive_model_says() {
    let seeds = match number("MAISON_SEED") {
        Some(seed) => seed..=seed,
        None => 1..=number("MAISON_SEEDS").unwrap_or(SEEDS),
    };
    let (seen, failed) = play_all(&seeds);
    if let Some(&first) = failed.iter().min() {
        let trace = Trace::remembering(number("MAISON_LINES").unwrap_or(LINES));
        let _ = catch_unwind(AssertUnwindSafe(|| play(first, trace.clone())));
        panic!("{}of {seeds:?} {failed:?} fail; MAISON_SEED={first} as above", trace.text());
    }
    let missing = seen.missing();
    let is_long = seeds.clone().count() >= SEEDS.try_into().unwrap();
    assert!(missing.is_empty() || !is_long, "never seen: {missing:?} of {seen:?}");
}

fn play_all(seeds: &RangeInclusive<u64>) -> (Seen, Vec<u64>) {
    let next = AtomicU64::new(*seeds.start());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..cores).map(|_| scope.spawn(|| work(&next, *seeds.end()))).collect();
        let done = threads.into_iter().map(|thread| thread.join().expect("it catches all"));
        done.fold((Seen::default(), Vec::new()), |(seen, mut failed), (more, also)| {
            failed.extend(also);
            (seen.and(more), failed)
        })
    })
}

/// Takes seed after seed; those that fail are put down.
fn work(next: &AtomicU64, last: u64) -> (Seen, Vec<u64>) {
    let (mut seen, mut failed) = (Seen::default(), Vec::new());
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number > last || failed.len() >= FAILURES_MAX {
            return (seen, failed);
        }
        match catch_unwind(|| play(number, Trace::default())) {
            Ok(more) => seen = seen.and(more),
            Err(_) => failed.push(number),
        }
    }
}

fn play(seed: u64, trace: Trace) -> Seen {
    let mut world = World::new(seed, trace);
    for _ in 0..world.plan.steps {
        world.step();
    }
    world.rest();
    world.model.seen
}

fn number(name: &str) -> Option<u64> {
    let value = std::env::var_os(name)?;
    Some(value.to_str().and_then(|text| text.parse().ok()).expect("a number"))
}
