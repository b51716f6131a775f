//! What every chip on SPI has in common.

use embedded_hal::spi::{Mode, SpiDevice};

use crate::sensors::{Fault, Measurement};

/// A chip at its select line `S`, with waits by `D`.
pub trait SpiChip<S, D>: Send {
    /// Converts and reads.
    fn read(&mut self, spi: &mut S, delay: &mut D) -> Result<Measurement, Fault>;
}

/// How a chip wants to be talked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Polarity and phase of the clock.
    pub mode: Mode,
    /// Fastest clock that is right on some decimetres of wire, well below what the chip can.
    pub hertz: u32,
}

/// Sends `N` bytes and gets as many.
pub(super) fn exchange<const N: usize, S: SpiDevice>(
    spi: &mut S,
    sent: [u8; N],
) -> Result<[u8; N], Fault> {
    let mut bytes = sent;
    // A bus without acknowledges: what fails is the host's own.
    spi.transfer_in_place(&mut bytes).map_err(|_| Fault::Bus)?;
    Ok(bytes)
}

/// The same, from a chip without a checksum: what it says counts when it says it twice in a row. It
/// may finish a conversion in between, so it has a few tries.
pub(super) fn exchange_alike<const N: usize, S: SpiDevice>(
    spi: &mut S,
    sent: [u8; N],
) -> Result<[u8; N], Fault> {
    const TRIES_MAX: usize = 4;
    let mut last = exchange(spi, sent)?;
    for _ in 0..TRIES_MAX {
        let next = exchange(spi, sent)?;
        if next == last {
            return Ok(next);
        }
        last = next;
    }
    Err(Fault::Garbled)
}

/// Refuses what a line says that nobody drives, or that somebody holds.
pub(super) fn not_stuck<const N: usize>(bytes: [u8; N]) -> Result<[u8; N], Fault> {
    if bytes == [0x00; N] {
        return Err(Fault::StuckLow);
    }
    if bytes == [0xff; N] {
        return Err(Fault::StuckHigh);
    }
    Ok(bytes)
}
