//! The functions of `tests/it/fuzz`, which the ordinary tests run over the kept corpus, for the
//! targets of libFuzzer.

#[path = "../../tests/it/fuzz/mod.rs"]
mod targets;

pub use targets::{
    certificates, conversation, decode, mosquitto, round_trip, topic_filter, users, websocket,
};
