//! The gateway of a house: its thermometers read, its messages brokered, in one process.
//!
//! All decisions live in the pure modules, which take time and events as arguments and return what
//! is to be done; the shells touch the world. `ARCHITECTURE.md` is the map, `tests/it/tidy.rs` the
//! guard of its walls.

pub mod limits;
pub mod printable;
pub mod time;
pub mod units;

#[deny(clippy::disallowed_methods)]
pub mod access;
#[deny(clippy::disallowed_methods)]
pub mod broker;
#[deny(clippy::disallowed_methods)]
pub mod config;
#[deny(clippy::disallowed_methods)]
pub mod mqtt;
#[deny(clippy::disallowed_methods)]
pub mod sampling;
#[deny(clippy::disallowed_methods)]
pub mod sensors;
#[deny(clippy::disallowed_methods)]
pub mod sim;
#[deny(clippy::disallowed_methods)]
pub mod telemetry;

pub mod bus;
pub mod cli;
pub mod daemon;
pub mod net;
pub mod store;
