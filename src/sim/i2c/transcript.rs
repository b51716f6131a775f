//! What was said on a bus, in lines that people read:
//!
//! ```text
//! 0x44 ← 30 a2
//!      1.5 ms
//! 0x44 ← f3 2d → 80 10 e1
//! ```

use std::fmt::Write;
use std::time::Duration;

use embedded_hal::i2c::Operation;

use crate::time::Tick;

use super::SimError;

/// All that was said from some time on.
#[derive(Debug)]
pub(super) struct Transcript {
    lines: Vec<String>,
    last: Tick,
}

impl Transcript {
    /// Nothing was said yet.
    pub(super) const fn new(now: Tick) -> Self {
        Self { lines: Vec::new(), last: now }
    }

    /// What was said, transactions and silences.
    pub(super) fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Notes a transaction. `←` goes to the chip, `→` comes from it; two of them in one line have a
    /// repeated start between them.
    pub(super) fn note(
        &mut self,
        begun: Tick,
        ended: Tick,
        address: u8,
        operations: &[Operation<'_>],
        result: Result<(), SimError>,
    ) {
        let silence = begun.since(self.last);
        if !silence.is_zero() {
            self.lines.push(format!("     {}", shown(silence)));
        }
        let mut line = format!("{address:#04x}");
        for operation in operations {
            let (arrow, bytes) = match operation {
                Operation::Write(bytes) => ('←', *bytes),
                Operation::Read(buffer) => ('→', &**buffer),
            };
            write!(line, " {arrow}").expect("a `String` takes all");
            for byte in bytes {
                write!(line, " {byte:02x}").expect("a `String` takes all");
            }
        }
        match result {
            Ok(()) => {}
            Err(SimError::NotAcknowledged) => line.push_str(" not acknowledged"),
            Err(SimError::ClockHeld) => line.push_str(" clock held"),
        }
        let held = ended.since(begun);
        if !held.is_zero() {
            write!(line, "  ({})", shown(held)).expect("a `String` takes all");
        }
        self.lines.push(line);
        self.last = ended;
    }
}

/// `1.5 ms`.
fn shown(time: Duration) -> String {
    let micros = time.as_micros();
    let digits = format!("{}.{:03}", micros / 1000, micros % 1000);
    format!("{} ms", digits.trim_end_matches('0').trim_end_matches('.'))
}
