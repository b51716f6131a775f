//! What happened last, for the one who looks for a fault. A seed that fails is run again with it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// Lines that are kept.
const LINES_MAX: usize = 60;
const LINE_CHARS_MAX: usize = 600;

/// See the module. Clones are of one trace.
#[derive(Clone, Default)]
pub(super) struct Trace(Option<Rc<RefCell<VecDeque<String>>>>);

impl Trace {
    /// One that remembers.
    pub(super) fn remembering() -> Self {
        Self(Some(Rc::default()))
    }

    pub(super) fn note(&self, line: impl FnOnce() -> String) {
        let Some(lines) = &self.0 else { return };
        let mut lines = lines.borrow_mut();
        if lines.len() == LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(line().chars().take(LINE_CHARS_MAX).collect());
    }

    pub(super) fn text(&self) -> String {
        let lines = self.0.as_ref().map(|lines| lines.borrow().clone()).unwrap_or_default();
        lines.into_iter().map(|line| line + "\n").collect()
    }
}
