//! Registers of sixteen bits behind a pointer, as most thermometers on I²C have them.

/// `N` registers, and which of them is read next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words<const N: usize> {
    /// The last one that was named; it outlives a stop.
    pub(super) pointer: u8,
    registers: [u16; N],
}

impl<const N: usize> Words<N> {
    /// As they are at power-up, with the pointer at the first.
    pub(super) const fn new(registers: [u16; N]) -> Self {
        Self { pointer: 0, registers }
    }

    /// What is in one; those that are not there are zero.
    pub(super) fn get(&self, register: u8) -> u16 {
        self.registers.get(usize::from(register)).copied().unwrap_or(0)
    }

    /// Puts something into one that is there.
    pub(super) fn set(&mut self, register: u8, value: u16) {
        if let Some(slot) = self.registers.get_mut(usize::from(register)) {
            *slot = value;
        }
    }

    /// What a read gets: high byte first, and again from the start when it goes on.
    pub(super) fn show(&self, buffer: &mut [u8]) {
        let bytes = self.get(self.pointer).to_be_bytes().into_iter().cycle();
        buffer.iter_mut().zip(bytes).for_each(|(byte, shown)| *byte = shown);
    }
}
