//! What a 1-Wire slave hears and says between edges (DS18B20 datasheet, "1-Wire bus system" and
//! "1-Wire signaling").
//!
//! ```text
//!              reset (low ≥ 480 µs), from any state
//!                │
//!                ▼        0x33           64 bits sent
//!  Asleep ◀── RomCommand ───────▶ Send ───────────────▶ Asleep
//!    ▲  unknown  │ │ │ 0x55               0xF0
//!    │           │ │ └────▶ MatchRom     SearchRom ◀── RomCommand
//!    │           │ 0xCC        │ 64 bits     │ 64 × (bit, complement, direction)
//!    │           ▼             ▼ equal       ▼ agreed
//!    └────── FunctionCommand ◀─┴─────────────┘
//!                │
//!                ├──▶ Send (scratchpad)   ├──▶ Hear (TH, TL, configuration)
//!                └──▶ Status (0 while it converts or copies, then 1)
//! ```

use std::time::Duration;

/// What happens on the line, as a chip sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    /// It goes low.
    Fall,
    /// It is let go after this time.
    Rise {
        /// How long it was low.
        low: Duration,
    },
}

/// Shortest low that is a reset.
pub(super) const RESET_LOW: Duration = Duration::from_micros(480);
/// From the end of a reset to the presence pulse: 15 to 60 µs.
pub(super) const PRESENCE_WAIT: Duration = Duration::from_micros(30);
/// The presence pulse: 60 to 240 µs.
pub(super) const PRESENCE_LOW: Duration = Duration::from_micros(120);
/// How long a slave that sends a zero holds the line, from the falling edge of the slot: at least
/// 15 µs, at most 60.
pub(super) const ZERO_LOW: Duration = Duration::from_micros(30);

/// Which bit of the search is meant (application note 187).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The slave sends its bit.
    Bit,
    /// The slave sends the complement.
    Complement,
    /// The master says which slaves stay.
    Direction,
}

/// Bits heard so far, least significant first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) value: u64,
    count: u8,
}

impl Heard {
    /// With one bit more; at most 64 are kept.
    pub(super) fn with(self, bit: bool) -> Self {
        let value = self.value | u64::from(bit).checked_shl(self.count.into()).unwrap_or(0);
        Self { value, count: self.count.saturating_add(1) }
    }

    /// The whole, once `bits` are there.
    pub(super) fn complete(self, bits: u8) -> Option<u64> {
        (self.count >= bits).then_some(self.value)
    }
}

/// Bytes on their way to the master, least significant bit first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    bytes: [u8; 9],
    bits: u8,
    sent: u8,
}

impl Frame {
    /// The first `bits` of `bytes`.
    pub(super) const fn new(bytes: [u8; 9], bits: u8) -> Self {
        Self { bytes, bits, sent: 0 }
    }

    /// The bit of this slot.
    pub(super) fn bit(&self) -> bool {
        let byte = self.bytes.get(usize::from(self.sent / 8)).copied().unwrap_or(0xff);
        byte >> (self.sent % 8) & 1 == 1
    }

    /// After this slot; `None` when all is sent.
    pub(super) fn next(self) -> Option<Self> {
        let sent = self.sent.saturating_add(1);
        (sent < self.bits).then_some(Self { sent, ..self })
    }
}

/// See the diagram above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Waits for a reset.
    Asleep,
    /// Hears the 8 bits of a ROM command.
    RomCommand(Heard),
    /// Hears 64 bits, to compare.
    MatchRom(Heard),
    /// Takes part in a search.
    SearchRom {
        /// Which bit of the ROM.
        index: u8,
        /// Whose turn.
        turn: Turn,
    },
    /// Is meant, and hears the 8 bits of a function command.
    FunctionCommand(Heard),
    /// Hears TH, TL and configuration.
    Hear(Heard),
    /// Sends a frame.
    Send(Frame),
    /// Answers read slots with zero while it works.
    Status,
}
