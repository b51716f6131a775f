//! What the library promises to the outside.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of this is tests, in which a panic is how to fail"
)]

mod chips;
