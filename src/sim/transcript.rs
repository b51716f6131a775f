//! What was said on a bus, in lines that people read:
//!
//! ```text
//! 0x44 ← 30 a2
//!      1.5 ms
//! 0x44 ← f3 2d → 80 10 e1
//! ```

use std::fmt::Write;
use std::time::Duration;

use crate::time::Tick;

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

    /// Notes a transaction and the silence before it.
    pub(super) fn note(&mut self, begun: Tick, ended: Tick, mut line: String) {
        let silence = begun.since(self.last);
        if !silence.is_zero() {
            self.lines.push(format!("     {}", shown(silence)));
        }
        let held = ended.since(begun);
        if !held.is_zero() {
            write!(line, "  ({})", shown(held)).expect("a `String` takes all");
        }
        self.lines.push(line);
        self.last = ended;
    }
}

/// Appends ` ← 30 a2`: `←` goes to the chip, `→` comes from it.
pub(super) fn append(line: &mut String, arrow: char, bytes: &[u8]) {
    write!(line, " {arrow}").expect("a `String` takes all");
    for byte in bytes {
        write!(line, " {byte:02x}").expect("a `String` takes all");
    }
}

/// `1.5 ms`.
fn shown(time: Duration) -> String {
    let micros = time.as_micros();
    let digits = format!("{}.{:03}", micros / 1000, micros % 1000);
    format!("{} ms", digits.trim_end_matches('0').trim_end_matches('.'))
}
