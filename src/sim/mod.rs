//! x

pub mod scratchpad;
pub mod sysfs;
