//! The simulated house.

pub mod chance;
pub mod clock;
pub mod onewire;
