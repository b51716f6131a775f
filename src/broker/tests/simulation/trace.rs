//! What happened last, for the one who looks for a fault. A seed that fails is run again with it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

const LINE_CHARS_MAX: usize = 600;

/// See the module. Clones are of one trace.
#[derive(Clone, Default)]
pub(super) struct Trace(Option<Rc<RefCell<VecDeque<String>>>>, usize);

impl Trace {
    /// One that remembers so many lines.
    pub(super) fn remembering(lines: u64) -> Self {
        Self(Some(Rc::default()), lines.try_into().unwrap())
    }

    pub(super) fn note(&self, line: impl FnOnce() -> String) {
        let Some(lines) = &self.0 else { return };
        let mut lines = lines.borrow_mut();
        if lines.len() == self.1 {
            lines.pop_front();
        }
        lines.push_back(line().chars().take(LINE_CHARS_MAX).collect());
    }

    pub(super) fn text(&self) -> String {
        let lines = self.0.as_ref().map(|lines| lines.borrow().clone()).unwrap_or_default();
        lines.into_iter().map(|line| line + "\n").collect()
    }
}
