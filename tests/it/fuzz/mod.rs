//! What may be done with any bytes at all. `tests/fuzz` looks for new ones, with the harness in
//! `fuzz/`; the ordinary tests run those that are kept in `fuzz/corpus/`, a folder per target.
#![allow(unreachable_pub, reason = "the harness is a crate of its own and takes this file in")]

mod certificates;
mod conversation;
mod decode;
#[cfg(test)]
mod kept;
mod link;
mod mosquitto;
mod round_trip;
mod source;
mod topic_filter;
mod users;
mod websocket;

pub use certificates::certificates;
pub use conversation::conversation;
#[cfg(test)]
pub(crate) use conversation::speech::speech;
pub use decode::decode;
pub use mosquitto::mosquitto;
pub use round_trip::round_trip;
pub use topic_filter::topic_filter;
pub use users::users;
pub use websocket::websocket;
