//! The simulated house: its wires down to bits, its chips down to registers, its weather.
//!
//! Pure: time moves when a driver waits, chance comes from a seed.

pub mod chance;
pub mod clock;
pub mod i2c;
pub mod onewire;
pub mod sht3x;
pub mod tmp117;
pub mod weather;
