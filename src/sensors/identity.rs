//! Whether a chip is what the configuration says, on whatever bus.

use crate::sensors::Fault;

/// Whether the chip has shown that it is what the configuration says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Identity {
    /// Not since the last fault.
    #[default]
    Unproven,
    /// Yes.
    Proven,
}

impl Identity {
    /// What is known of the chip after this reading.
    pub(super) const fn after<T>(reading: &Result<T, Fault>) -> Self {
        match reading {
            Ok(_) => Self::Proven,
            Err(_) => Self::Unproven,
        }
    }
}
