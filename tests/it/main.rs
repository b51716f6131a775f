//! Tests of the house as a whole: its walls, its parts together, and the real binary.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that cannot go on panics"
)]

mod administrators;
mod answers;
mod authorities;
mod believed;
mod bundles;
mod chips;
mod cli;
mod clients;
mod config;
mod conformance;
mod crowd;
mod cut_links;
mod day;
mod doctor;
mod figures;
mod fuzz;
mod gateway;
mod handshakes;
mod i2c;
mod invitations;
mod kept;
mod large;
mod logins;
mod mdns;
mod metrics;
mod noise;
mod onewire_scratchpad;
mod onewire_tree;
mod operating;
mod output;
mod pages;
mod pasted;
mod people;
mod reasons;
mod recording;
mod release;
mod reload;
mod rights;
mod scan;
mod scripted;
mod secrets;
mod simulated;
mod special_files;
mod status;
mod store;
mod subscribers;
mod system;
mod systemd;
mod terminal;
mod tidy;
mod watching;
mod websocket;
mod wire;
