//! Start, stop, and the loop that joins brain and hands.

pub mod state;
