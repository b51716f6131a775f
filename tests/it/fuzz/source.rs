//! Choices taken from bytes: few bytes each, so that a change of one byte changes one choice.

/// What is left of an input. Past its end there are zeros.
pub(super) struct Source<'bytes>(&'bytes [u8]);

impl<'bytes> Source<'bytes> {
    pub(super) fn new(bytes: &'bytes [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    pub(super) fn number(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// One in four, and none at the end of the input.
    pub(super) fn seldom(&mut self) -> bool {
        self.byte() % 4 == 3
    }

    pub(super) fn choose<T: Clone>(&mut self, from: &[T]) -> T {
        from[usize::from(self.byte()) % from.len()].clone()
    }

    /// At most 255 bytes, after a byte that says how many.
    pub(super) fn bytes(&mut self) -> &'bytes [u8] {
        let length = usize::from(self.byte()).min(self.0.len());
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        bytes
    }

    /// All up to that byte, which is taken too.
    pub(super) fn until(&mut self, end: u8) -> &'bytes [u8] {
        let mut parts = self.0.splitn(2, |&byte| byte == end);
        let part = parts.next().unwrap_or_default();
        self.0 = parts.next().unwrap_or_default();
        part
    }

    pub(super) fn rest(self) -> &'bytes [u8] {
        self.0
    }
}
