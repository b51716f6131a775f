//! The journal's own protocol (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL>): a datagram an event,
//! with the fields of the event as fields of the journal, so that `journalctl ROOM=salon` finds
//! them.

use std::fmt::Debug;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use super::line::priority;

const SOCKET: &str = "/run/systemd/journal/socket";

/// Longest name of a field.
const NAME_BYTES_MAX: usize = 64;

/// Where events are told.
#[derive(Debug)]
pub(super) struct Journal(UnixDatagram);

impl Journal {
    /// That of this host, if there is one.
    pub(super) fn open() -> Option<Self> {
        Self::at(Path::new(SOCKET)).ok()
    }

    pub(super) fn at(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        Ok(Self(socket))
    }

    /// Tells a line, and what is known of the event behind it. An error is no loss: the line can
    /// be written as any other.
    pub(super) fn tell(
        &self,
        level: Level,
        line: &str,
        event: Option<&Event<'_>>,
    ) -> io::Result<()> {
        let mut entry = Entry::default();
        entry.add("MESSAGE", line);
        entry.add("PRIORITY", &priority(level).to_string());
        entry.add("SYSLOG_IDENTIFIER", env!("CARGO_PKG_NAME"));
        if let Some(event) = event {
            entry.add("TARGET", event.metadata().target());
            event.record(&mut entry);
        }
        self.0.send(&entry.0).map(drop)
    }
}

/// A datagram.
#[derive(Default)]
struct Entry(Vec<u8>);

impl Entry {
    /// A value of several lines is told with its length, so that no peer's words become a field.
    fn add(&mut self, name: &str, value: &str) {
        self.0.extend(name.bytes());
        if value.contains('\n') {
            self.0.push(b'\n');
            let length = u64::try_from(value.len()).unwrap_or(u64::MAX);
            self.0.extend(length.to_le_bytes());
        } else {
            self.0.push(b'=');
        }
        self.0.extend(value.bytes());
        self.0.push(b'\n');
    }
}

impl Visit for Entry {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() != "message" {
            self.add(&name(field.name()), value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// Capital letters, digits and underscores, a letter first.
fn name(field: &str) -> String {
    let letter = |letter: char| match letter.to_ascii_uppercase() {
        letter if letter.is_ascii_alphanumeric() => letter,
        _ => '_',
    };
    let name: String = field.chars().map(letter).take(NAME_BYTES_MAX).collect();
    name.trim_start_matches(|letter: char| !letter.is_ascii_alphabetic()).to_owned()
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::{Registry, fmt};

    use super::super::line::{Line, Stamp};
    use super::*;
    use crate::config::LogFormat;

    /// What the journal is told of what `speak` says, a datagram each.
    fn told(speak: impl FnOnce()) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let socket = UnixDatagram::bind(&path).unwrap();
        let stamp = Stamp::Journal(Journal::at(&path).unwrap());
        let line = Line::new(LogFormat::Text, stamp, false);
        let layer = fmt::layer().with_writer(io::sink).event_format(line);
        tracing::subscriber::with_default(Registry::default().with(layer), speak);
        socket.set_nonblocking(true).unwrap();
        let mut buffer = vec![0; 100_000];
        let mut all = Vec::new();
        while let Ok(length) = socket.recv(&mut buffer) {
            all.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
        all
    }

    #[test]
    fn an_event_is_told_with_its_fields() {
        let told = told(|| tracing::warn!(room = "salon", sensor = %"28-01", tries = 3, "failed"));
        let [entry] = told.as_slice() else { panic!("{told:?}") };
        let lines: Vec<_> = entry.lines().collect();
        assert!(lines[0].starts_with("MESSAGE=WARN failed room=\"salon\""), "{lines:?}");
        for line in ["PRIORITY=4", "SYSLOG_IDENTIFIER=maison", "ROOM=salon", "SENSOR=28-01"] {
            assert!(lines.contains(&line), "no `{line}` in {lines:?}");
        }
        assert!(lines.contains(&"TRIES=3") && entry.contains("\nTARGET=maison::"), "{lines:?}");
    }

    #[test]
    fn a_peers_words_are_no_field_of_ours() {
        let told = told(|| tracing::info!(client = "a\nPRIORITY=0", "here"));
        let forged = "CLIENT\n\u{c}\0\0\0\0\0\0\0a\nPRIORITY=0\n";
        assert!(told[0].ends_with(forged), "{told:?}");
    }

    /// Four times a minute are three lines, in the journal as elsewhere.
    #[test]
    fn what_is_said_again_and_again_is_told_three_times() {
        let told = told(|| (0..9).for_each(|_| tracing::warn!(bus = "w1", "stuck")));
        assert_eq!(told.len(), 3, "{told:?}");
    }

    #[test]
    fn names_are_those_that_the_journal_takes() {
        assert_eq!(name("room"), "ROOM");
        assert_eq!(name("log.target"), "LOG_TARGET");
        assert_eq!(name("_9private"), "PRIVATE");
        assert_eq!(name(&"x".repeat(99)).len(), NAME_BYTES_MAX);
    }
}
