//! Tests through the public interface.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails panics, and so may what it is made of"
)]

mod config;
