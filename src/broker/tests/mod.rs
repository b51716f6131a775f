//! The broker as its clients see it, in virtual time: one behaviour each.

mod connecting;
mod conversation;
mod cut_links;
mod delivering;
mod house;
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
