//! The broker as its clients see it, in virtual time: one behaviour each. Clauses are those of
//! 3.1.1; in `v5`, those of 5.0. `tests/conformance.md` lists both.

mod connecting;
mod conversation;
mod counting;
mod crash;
mod cut_links;
mod delivering;
mod disk;
mod house;
mod keeping;
mod keeping_alive;
mod publishing;
mod queueing;
mod retaining;
mod sessions;
mod simulation;
mod slow_readers;
mod stopping;
mod subscribing;
mod trees;
mod v5;
mod wills;

use super::Retention;
use house::{House, clean, id, lasting, message, will};
