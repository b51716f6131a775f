//! A TCA9548A: eight branches of a bus, each open or closed (datasheet SCPS207, section 8.6).

/// The multiplexer.
#[derive(Debug, Default)]
pub(super) struct Multiplexer {
    /// A bit for each open channel.
    control: u8,
    /// What was written; it counts from the next stop on.
    written: u8,
}

impl Multiplexer {
    /// Of several bytes the last one counts.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.written = bytes.last().copied().unwrap_or(self.written);
    }

    /// It shows which channels are open, as often as it is asked.
    pub(super) fn read(&self, buffer: &mut [u8]) {
        buffer.fill(self.control);
    }

    /// The transaction ends.
    pub(super) const fn stop(&mut self) {
        self.control = self.written;
    }

    /// Whether a channel is open.
    pub(super) fn is_open(&self, channel: u8) -> bool {
        self.control.checked_shr(channel.into()).is_some_and(|bits| bits & 1 == 1)
    }
}
