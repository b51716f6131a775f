//! The users as the broker knows them: what is changed on the command line holds at once, for those
//! who are in as well.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use inotify::{EventStream, Inotify, WatchMask};
use tracing::{info, warn};

use super::hub::Hub;
use super::state::UsersFile;
use crate::access::{Revoked, Rights};

/// How often the file is looked at where the kernel does not tell of changes.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Tells the broker of each change, for ever.
pub(super) async fn follow(users: Arc<UsersFile>, hub: Arc<Hub>, rights: Rights) {
    let mut changes = Changes::of(users.folder());
    if let Err(error) = &changes {
        warn!(%error, "changes of users are noticed after seconds");
    }
    let mut known = users.current();
    loop {
        let now = users.current();
        if !Arc::ptr_eq(&known, &now) {
            let mut revoked = known.revoked(&now);
            revoked.passwords.retain(|name| !users.is_renewed(name, &known, &now));
            tell(&revoked);
            hub.rights(rights.clone().for_users(Arc::clone(&now)), revoked);
            known = now;
        }
        let is_told = match &mut changes {
            Ok(changes) => changes.next().await.is_ok(),
            Err(_) => false,
        };
        if !is_told {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

fn tell(revoked: &Revoked) {
    let Revoked { users, passwords, certificates } = revoked;
    if !users.is_empty() {
        info!(users = users.join(","), "users removed");
    }
    if !passwords.is_empty() {
        info!(users = passwords.join(","), "passwords changed");
    }
    if !certificates.is_empty() {
        info!(certificates = certificates.join(","), "certificates revoked");
    }
}

/// What happens to the files of a folder.
struct Changes(EventStream<[u8; EVENTS_BYTES]>);

/// Room for some events with names; what does not fit comes with the next read.
const EVENTS_BYTES: usize = 4096;

impl Changes {
    fn of(folder: &Path) -> io::Result<Self> {
        let watch = Inotify::init()?;
        let written = WatchMask::MOVED_TO | WatchMask::CLOSE_WRITE | WatchMask::DELETE;
        watch.watches().add(folder, written)?;
        Ok(Self(watch.into_event_stream([0; EVENTS_BYTES])?))
    }

    /// Waits for some change.
    async fn next(&mut self) -> io::Result<()> {
        let event = self.0.next().await.ok_or(io::ErrorKind::UnexpectedEof)?;
        event.map(|_| ())
    }
}
