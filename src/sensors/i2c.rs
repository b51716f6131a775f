//! What every chip on I²C has in common.

use embedded_hal::i2c::{Error, ErrorKind, I2c};

use crate::sensors::{Fault, Measurement};

/// A chip at its address, on a bus `I` that belongs to somebody else, with waits by `D`.
pub trait I2cChip<I, D>: Send {
    /// Converts and reads. Proves the chip's identity first, at the first reading and after each
    /// fault: another one may have been plugged in.
    fn read(&mut self, i2c: &mut I, delay: &mut D) -> Result<Measurement, Fault>;
}

/// A bus error as a fault. `ArbitrationLoss` is what buses report when somebody holds the clock or
/// the data line: another master, or a chip that stretches too long.
pub fn fault(error: &impl Error) -> Fault {
    match error.kind() {
        ErrorKind::NoAcknowledge(_) => Fault::Absent,
        ErrorKind::ArbitrationLoss => Fault::Timeout,
        _ => Fault::Bus,
    }
}

/// Bytes from a register on, with a repeated start: after a stop another master could move the
/// pointer.
pub(super) fn read<const N: usize, I: I2c>(
    i2c: &mut I,
    address: u8,
    register: u8,
) -> Result<[u8; N], Fault> {
    let mut bytes = [0; N];
    i2c.write_read(address, &[register], &mut bytes).map_err(|error| fault(&error))?;
    Ok(bytes)
}

/// The same, from a chip that sends no checksum: what it says counts when it says it twice. Only
/// for registers that stand still.
pub(super) fn read_twice<const N: usize, I: I2c>(
    i2c: &mut I,
    address: u8,
    register: u8,
) -> Result<[u8; N], Fault> {
    let first = read(i2c, address, register)?;
    let second = read(i2c, address, register)?;
    if first == second { not_stuck(first) } else { Err(Fault::Garbled) }
}

/// Refuses what a line says that nobody drives, or that somebody holds.
fn not_stuck<const N: usize>(bytes: [u8; N]) -> Result<[u8; N], Fault> {
    if bytes.iter().all(|byte| *byte == 0x00) {
        return Err(Fault::StuckLow);
    }
    if bytes.iter().all(|byte| *byte == 0xff) {
        return Err(Fault::StuckHigh);
    }
    Ok(bytes)
}

/// A register and what goes into it; with some chips, several of them.
pub(super) fn write<I: I2c>(i2c: &mut I, address: u8, bytes: &[u8]) -> Result<(), Fault> {
    i2c.write(address, bytes).map_err(|error| fault(&error))
}
