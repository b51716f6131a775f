//! System calls as `strace -f -tt -yy` writes them down.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::wire::PATIENCE;

/// A file that grows while the process lives.
pub(super) struct Trace(PathBuf);

/// A call of the process that has returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    name: String,
    /// From its first argument to what it returned.
    about: String,
    /// Line on which it begins, …
    pub(super) began: usize,
    /// … and that on which it ends: what began after that began after it had ended.
    pub(super) ended: usize,
    /// Time of the day when it began.
    pub(super) at: Duration,
}

impl Call {
    /// With what: `15<TCP:[127.0.0.1:1883->127.0.0.1:4711]>`.
    pub(super) fn file(&self) -> &str {
        self.about.split([',', ')']).next().unwrap_or_default()
    }

    /// Whether these bytes, as strace writes them, are in it.
    pub(super) fn has(&self, text: &str) -> bool {
        self.about.contains(text)
    }

    pub(super) fn receives(&self) -> bool {
        ["read", "recvfrom", "recvmsg", "readv"].contains(&&*self.name) && self.is_of_a_socket()
    }

    pub(super) fn sends(&self) -> bool {
        ["write", "writev", "sendto", "sendmsg"].contains(&&*self.name) && self.is_of_a_socket()
    }

    /// Whether it writes to the store: its file or its log.
    pub(super) fn writes_log(&self) -> bool {
        ["write", "writev", "pwrite64", "pwritev", "pwritev2"].contains(&&*self.name)
            && self.is_of_the_store()
    }

    /// Whether it made what was written to the store durable.
    pub(super) fn syncs_log(&self) -> bool {
        ["fdatasync", "fsync", "sync_file_range", "msync"].contains(&&*self.name)
            && self.is_of_the_store()
            && self.about.ends_with("= 0")
    }

    fn is_of_the_store(&self) -> bool {
        self.file().contains("broker.db")
    }

    fn is_of_a_socket(&self) -> bool {
        self.file().contains("<TCP")
    }
}

impl Trace {
    pub(super) fn of(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// All calls so far that have returned.
    pub(super) fn calls(&self) -> Vec<Call> {
        let bytes = fs::read(&self.0).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        parse(whole)
    }

    /// The same, as soon as something is among them.
    pub(super) fn calls_until(&self, is_there: impl Fn(&[Call]) -> bool) -> Vec<Call> {
        let started = Instant::now();
        loop {
            let calls = self.calls();
            if is_there(&calls) {
                return calls;
            }
            assert!(started.elapsed() < PATIENCE, "it was never seen among {} calls", calls.len());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn parse(text: &str) -> Vec<Call> {
    let mut unfinished: BTreeMap<&str, Call> = BTreeMap::new();
    let mut calls = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let Some((thread, time, what)) = columns(line) else { continue };
        if let Some(rest) = what.strip_prefix("<... ") {
            let (Some(mut call), Some((_, rest))) =
                (unfinished.remove(thread), rest.split_once(" resumed>"))
            else {
                continue;
            };
            call.about.push_str(rest);
            call.ended = number;
            calls.push(call);
            continue;
        }
        let Some((name, about)) = what.split_once('(') else { continue };
        let at = time_of_day(time).expect("strace was asked for the time");
        let (began, ended) = (number, number);
        let mut call = Call { name: name.to_owned(), about: about.to_owned(), began, ended, at };
        if let Some(so_far) = about.strip_suffix(" <unfinished ...>") {
            so_far.clone_into(&mut call.about);
            unfinished.insert(thread, call);
        } else {
            calls.push(call);
        }
    }
    calls.sort_by_key(|call| call.began);
    calls
}

/// Thread, time and call of a line.
fn columns(line: &str) -> Option<(&str, &str, &str)> {
    let (thread, rest) = line.split_once(' ')?;
    let (time, what) = rest.trim_start().split_once(' ')?;
    Some((thread, time, what))
}

fn time_of_day(text: &str) -> Option<Duration> {
    let mut parts = text.split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    let whole: u64 = hours.parse::<u64>().ok()? * 3600 + minutes.parse::<u64>().ok()? * 60;
    Some(Duration::from_secs(whole) + Duration::from_secs_f64(seconds.parse().ok()?))
}

#[test]
fn calls_that_are_interrupted_end_where_they_are_resumed() {
    let calls = parse(concat!(
        "12 10:00:00.000001 recvfrom(15<TCP:[a->b]>, \"x\", 1024, 0, NULL, NULL) = 1\n",
        "13 10:00:00.000002 fdatasync(9</s/broker.db-wal> <unfinished ...>\n",
        "12 10:00:00.000003 sendto(15<TCP:[a->b]>, \"@\\2\\0\\1\", 4, 0, NULL, 0) = 4\n",
        "13 10:00:00.000004 <... fdatasync resumed>) = 0\n",
        "13 10:00:00.000005 +++ exited with 0 +++\n",
    ));
    let seen: Vec<_> = calls.iter().map(|call| (&*call.name, call.began, call.ended)).collect();
    assert_eq!(seen, [("recvfrom", 0, 0), ("fdatasync", 1, 3), ("sendto", 2, 2)]);
    assert!(calls[1].syncs_log() && !calls[1].writes_log() && calls[0].file() == calls[2].file());
    assert_eq!(calls[2].at, Duration::from_secs(36_000) + Duration::from_micros(3));
}
