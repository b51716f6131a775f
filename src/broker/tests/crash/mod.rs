//! Clients that keep their side of the bargain, over links that are cut, with a gateway whose plug
//! is pulled at any step and whose disk is slow, fails, or had written when it seemed that it had
//! not. Everything follows from a seed:
//!
//! ```text
//!   MAISON_SEED=7      cargo test --lib crash            one, with what happened
//!   MAISON_SEEDS=10000 cargo test --release --lib crash  so many
//! ```
//!
//! When all faults have stopped: every message that was acknowledged has reached every client that
//! had a subscription for it, at QoS 2 once, in the order of its publisher and topic; what is
//! retained is what was retained last; no session is forgotten; nothing is under way.

mod client;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use world::{Seen, World};

/// Seeds of an ordinary run.
const SEEDS: u64 = 400;

#[test]
fn what_was_acknowledged_survives_a_pulled_plug_at_any_step() {
    let number = |name: &str| -> Option<u64> {
        Some(std::env::var_os(name)?.to_str()?.parse().expect("a number"))
    };
    let seeds = match number("MAISON_SEED") {
        Some(seed) => seed..=seed,
        None => 1..=number("MAISON_SEEDS").unwrap_or(SEEDS),
    };
    let mut seen = Seen::default();
    for seed in seeds.clone() {
        let played = catch_unwind(AssertUnwindSafe(|| World::new(seed).play()));
        assert!(played.is_ok(), "MAISON_SEED={seed} fails as above");
        seen.add(&played.unwrap_or_default());
    }
    assert!(seeds.end() < &SEEDS || seen.is_all(), "something was never seen: {seen:?}");
}
