//! What goes wrong once, at one transfer of many.

use std::time::Duration;

use crate::time::Tick;

/// Something that happens once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// This bit arrives inverted, counted from the first of the transfer's bytes.
    BitFlip(usize),
    /// Every chip restarts so long before it.
    PowerFailure(Duration),
}

/// Counts the transfers of a bus, and knows at which of them something happens.
#[derive(Debug, Default)]
pub(super) struct Mishaps {
    /// Bytes of each transfer so far.
    transfers: Vec<usize>,
    planned: Option<(usize, Mishap)>,
}

impl Mishaps {
    /// Counts from here on; what happens, if anything, and at which transfer.
    pub(super) fn plan(&mut self, mishap: Option<(usize, Mishap)>) {
        self.transfers.clear();
        self.planned = mishap;
    }

    /// How many bytes each transfer since then had.
    pub(super) fn transfers(&self) -> &[usize] {
        &self.transfers
    }

    /// What happens at this transfer, of so many bytes.
    pub(super) fn next(&mut self, bytes: usize) -> Option<Mishap> {
        let number = self.transfers.len();
        self.transfers.push(bytes);
        self.planned.filter(|(at, _)| *at == number).map(|(_, mishap)| mishap)
    }
}

/// When the supply failed that failed so long `ago`.
pub(super) fn failure(now: Tick, ago: Duration) -> Tick {
    let ago = u64::try_from(ago.as_micros()).unwrap_or(u64::MAX);
    Tick::from_micros(now.as_micros().saturating_sub(ago))
}

/// Inverts this bit; beyond the end there is none.
pub fn invert(bytes: &mut [u8], bit: usize) {
    if let Some(byte) = bytes.get_mut(bit / 8) {
        *byte ^= 1 << (bit % 8);
    }
}
