//! What the opening of a store found, for the log and the event.

use std::fmt;
use std::path::PathBuf;

/// What was wrong with a store, and what became of it. Nothing, for one that was whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// What was wrong, in words: one sentence each.
    pub faults: Vec<String>,
    /// Where the damaged files lie now.
    pub put_aside: Vec<PathBuf>,
    /// What was saved from them.
    pub saved: Contents,
    /// What is known to be lost; `None`: nobody can tell.
    pub lost: Option<Contents>,
    /// What is as it should be after a crash, and worth a line of the log.
    pub notes: Vec<String>,
}

/// What is in a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Sessions.
    pub sessions: u64,
    /// Their subscriptions.
    pub subscriptions: u64,
    /// Messages for clients.
    pub messages: u64,
    /// Retained messages.
    pub retained: u64,
    /// Everything else: identifiers, lives, facts.
    pub others: u64,
}

impl OpenReport {
    /// Whether nothing was wrong.
    pub fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }
}

impl fmt::Display for Contents {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sessions, subscriptions, messages, retained, others } = self;
        write!(
            formatter,
            "{sessions} sessions, {subscriptions} subscriptions, {messages} messages, {retained} \
             retained messages, {others} other rows"
        )
    }
}

/// One line, to be logged and published.
impl fmt::Display for OpenReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return formatter.write_str("the store is whole");
        }
        write!(formatter, "the store was damaged: {}", self.faults.join("; "))?;
        write!(formatter, "; saved: {}", self.saved)?;
        match self.lost {
            Some(lost) => write!(formatter, "; lost: {lost}")?,
            None => formatter.write_str("; how much is lost is not known")?,
        }
        if !self.put_aside.is_empty() {
            let paths: Vec<_> =
                self.put_aside.iter().map(|path| format!("`{}`", path.display())).collect();
            write!(formatter, "; put aside as {}", paths.join(", "))?;
        }
        Ok(())
    }
}
