//! What happens to files, as the kernel tells it.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use futures_util::StreamExt;
use inotify::{EventStream, Inotify, WatchMask};

/// Room for some events with names; what does not fit comes with the next read.
const EVENTS_BYTES: usize = 4096;

/// What happens to the files of some folders.
pub(super) struct Changes(EventStream<[u8; EVENTS_BYTES]>);

impl Changes {
    /// Of these folders; one that is not there fails.
    pub(super) fn of(folders: impl IntoIterator<Item: AsRef<Path>>) -> io::Result<Self> {
        let watch = Inotify::init()?;
        let written = WatchMask::CREATE
            | WatchMask::MOVED_TO
            | WatchMask::MOVED_FROM
            | WatchMask::CLOSE_WRITE
            // Who may read it.
            | WatchMask::ATTRIB
            | WatchMask::DELETE;
        for folder in folders {
            watch.watches().add(folder, written)?;
        }
        Ok(Self(watch.into_event_stream([0; EVENTS_BYTES])?))
    }

    /// Waits for some change; the name of the file, if the kernel has not lost count.
    pub(super) async fn next(&mut self) -> io::Result<Option<OsString>> {
        let event = self.0.next().await.ok_or(io::ErrorKind::UnexpectedEof)?;
        event.map(|event| event.name)
    }
}
