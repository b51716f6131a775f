//! The users as the broker knows them: what is changed on the command line holds at once, for those
//! who are in as well.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{info, warn};

use super::hub::Hub;
use super::state::UsersFile;
use super::watching::Changes;
use crate::access::{Revoked, Rights, Users};

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
            let revoked = revoked(&users, &known, &now);
            tell(&revoked, &known, &now);
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

/// What differs, for who asks: a line each.
pub(super) fn differences(file: &UsersFile, before: &Users, now: &Users) -> Vec<String> {
    let Revoked { users, passwords, certificates } = revoked(file, before, now);
    let mut lines = Vec::new();
    let mut say = |what: &str, names: Vec<String>| {
        lines.extend(names.iter().map(|name| format!("{what}: {name}")));
    };
    let added = now.names().filter(|name| !before.contains(name));
    say("user added", added.map(ToString::to_string).collect());
    if all_are_gone(before, now) {
        let all = people(before).to_string();
        say("all users removed, nobody who has to log in is let in", vec![all]);
    }
    say("user removed", users);
    say("rights changed", before.rescoped(now));
    say("password changed", passwords);
    say("certificate revoked", certificates);
    lines
}

fn revoked(file: &UsersFile, before: &Users, now: &Users) -> Revoked {
    let mut revoked = before.revoked(now);
    revoked.passwords.retain(|name| !file.is_renewed(name, before, now));
    revoked
}

/// Rather a mistake than meant; whoever comes for a moment leaves for good.
fn all_are_gone(before: &Users, now: &Users) -> bool {
    people(before) > 0 && people(now) == 0
}

fn people(users: &Users) -> usize {
    users.names().filter(|name| !name.is_throwaway()).count()
}

fn tell(revoked: &Revoked, before: &Users, now: &Users) {
    if all_are_gone(before, now) {
        let users = people(before);
        warn!(users, "file of users is empty or gone: all users removed");
    }
    let rescoped = before.rescoped(now);
    if !rescoped.is_empty() {
        info!(users = rescoped.join(","), "rights changed");
    }
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
