//! Logins are checked off the event loop: a password hash takes most of a core for a while.

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};

use super::hub::Hub;
use super::state::UsersFile;
use crate::access::{ConnectionId, Login, Refusal};
use crate::limits::PASSWORD_CHECKS_MAX;

/// Answers each login in a task of its own, of which only [`PASSWORD_CHECKS_MAX`] compute at a
/// time; the others wait their turn in order.
pub(super) async fn answer(
    hub: Arc<Hub>,
    users: Arc<UsersFile>,
    mut wanted: mpsc::UnboundedReceiver<(ConnectionId, Login)>,
) {
    let turns = Arc::new(Semaphore::new(PASSWORD_CHECKS_MAX));
    while let Some((connection, login)) = wanted.recv().await {
        let (hub, users, turns) = (Arc::clone(&hub), Arc::clone(&users), Arc::clone(&turns));
        tokio::spawn(async move {
            let Ok(_turn) = turns.acquire().await else { return };
            let check = move || users.current().check(&login);
            let verdict = tokio::task::spawn_blocking(check).await;
            hub.verdict(connection, verdict.unwrap_or(Err(Refusal::Busy)));
        });
    }
}
