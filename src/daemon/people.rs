//! The users as the broker knows them: what is changed on the command line holds at once, for those
//! who are in as well.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{info, warn};

use super::hub::Hub;
use super::state::UsersFile;
use super::watching::Changes;
use crate::access::{Revoked, Rights};

/// How often the file is looked at where the kernel does not tell of changes.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Tells the broker of each change, of the users or of the rights of the house, for ever.
pub(super) async fn follow(
    users: Arc<UsersFile>,
    hub: Arc<Hub>,
    mut rights: watch::Receiver<Rights>,
) {
    let mut changes = Changes::of([users.folder()]);
    if let Err(error) = &changes {
        warn!(%error, "changes of users are noticed after seconds");
    }
    let mut known = users.current();
    loop {
        let now = users.current();
        let is_other = rights.has_changed().unwrap_or(false);
        if is_other || !Arc::ptr_eq(&known, &now) {
            let mut revoked = known.revoked(&now);
            revoked.passwords.retain(|name| !users.is_renewed(name, &known, &now));
            tell(&revoked);
            let rights = rights.borrow_and_update().clone();
            hub.rights(rights.for_users(Arc::clone(&now)), revoked);
            known = now;
        }
        tokio::select! {
            () = async {
                let is_told = match &mut changes {
                    Ok(changes) => changes.next().await.is_ok(),
                    Err(_) => false,
                };
                if !is_told {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            } => {}
            Ok(()) = rights.changed() => rights.mark_changed(),
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
