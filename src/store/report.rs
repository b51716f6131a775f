//! What the opening of a store found, for the log and the event.

use std::fmt;
use std::path::PathBuf;

/// What was wrong with a store, and what became of it. Nothing, for one that was whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// What was wrong, in words: one clause each.
    pub faults: Vec<String>,
    /// Where the damaged files lie now.
    pub put_aside: Vec<PathBuf>,
    /// What is in the store now.
    pub saved: Contents,
    /// What is known to be lost.
    pub lost: Contents,
    /// Whether more may be lost than can be counted.
    pub uncounted: bool,
    /// What is as it may be after a pulled plug, and worth a line of the log.
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
    /// Everything else: packet identifiers, lives of the process, parts of large payloads.
    pub others: u64,
}

impl Contents {
    /// Whether it is nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl OpenReport {
    /// Whether nothing was wrong.
    pub fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }
}

/// `3 sessions, 1 subscription, 12 messages`: what there is.
impl fmt::Display for Contents {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sessions, subscriptions, messages, retained, others } = *self;
        let counts = [
            (sessions, "session"),
            (subscriptions, "subscription"),
            (messages, "message"),
            (retained, "retained message"),
            (others, "other record"),
        ];
        let there = counts.into_iter().filter(|(count, _)| *count > 0);
        let words: Vec<String> = there
            .map(|(count, noun)| format!("{count} {noun}{}", if count == 1 { "" } else { "s" }))
            .collect();
        formatter.write_str(if words.is_empty() { "nothing" } else { "" })?;
        formatter.write_str(&words.join(", "))
    }
}

/// One line, to be logged and published.
impl fmt::Display for OpenReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return formatter.write_str("store is whole");
        }
        let lost = match (self.lost.is_empty(), self.uncounted) {
            (_, false) => self.lost.to_string(),
            (true, true) => "more than can be counted".to_owned(),
            (false, true) => format!("{}, and more than can be counted", self.lost),
        };
        write!(formatter, "{}; there is: {}; lost: {lost}", self.faults.join("; "), self.saved)?;
        if !self.put_aside.is_empty() {
            let paths: Vec<_> =
                self.put_aside.iter().map(|path| format!("`{}`", path.display())).collect();
            write!(formatter, "; put aside as {}", paths.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_one_line() {
        let mut report = OpenReport::default();
        assert_eq!(report.to_string(), "store is whole");
        report.faults = vec!["its log is gone".into(), "a page is damaged".into()];
        report.saved = Contents { sessions: 1, messages: 12, ..Contents::default() };
        assert_eq!(
            report.to_string(),
            "its log is gone; a page is damaged; there is: 1 session, 12 messages; lost: nothing"
        );
        report.uncounted = true;
        report.put_aside = vec!["/x/broker.db.damaged".into()];
        assert!(
            report
                .to_string()
                .ends_with("lost: more than can be counted; put aside as `/x/broker.db.damaged`")
        );
        report.lost.retained = 2;
        assert!(
            report.to_string().contains("lost: 2 retained messages, and more than can be counted")
        );
    }
}
