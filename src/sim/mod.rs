//! The simulated house: its wires down to bits, its chips down to registers, the kernel's files,
//! its weather.
//!
//! Pure: time moves when a driver waits, chance comes from a seed.

pub mod ads1115;
pub mod aht20;
pub mod air;
pub mod bme280;
pub mod bme680;
pub mod bmp180;
pub mod chance;
pub mod circuit;
pub mod clock;
pub mod dht;
pub mod htu21d;
pub mod i2c;
pub mod kernel;
pub mod lm75;
pub mod max31855;
pub mod max31865;
pub mod max6675;
pub mod mcp3008;
pub mod mcp9808;
pub mod mishap;
pub mod model;
pub mod onewire;
pub mod scratchpad;
pub mod script;
mod sensirion;
pub mod sht3x;
pub mod sht4x;
pub mod shtc3;
mod socket;
pub mod spi;
pub mod stranger;
pub mod sysfs;
pub mod tmp102;
pub mod tmp117;
mod transcript;
pub mod weather;
mod words;
