//! What every chip on I²C has in common.

use embedded_hal::i2c::{Error, ErrorKind};

use crate::sensors::{Fault, Measurement};

/// A chip at its address, on a bus `I` that belongs to somebody else, with waits by `D`.
pub trait I2cChip<I, D>: Send {
    /// Converts and reads. Proves the chip's identity first, at the first reading and after each
    /// fault: another one may have been plugged in.
    fn read(&mut self, i2c: &mut I, delay: &mut D) -> Result<Measurement, Fault>;
}

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

/// A bus error as a fault. `ArbitrationLoss` is what buses report when somebody holds the clock or
/// the data line: another master, or a chip that stretches too long.
pub(super) fn fault(error: &impl Error) -> Fault {
    match error.kind() {
        ErrorKind::NoAcknowledge(_) => Fault::Absent,
        ErrorKind::ArbitrationLoss => Fault::Timeout,
        _ => Fault::Bus,
    }
}
