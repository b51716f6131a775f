//! When and from where each user was last there: in memory, and on the card at the stop and a few
//! times a day, so that asking costs it nothing.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tracing::warn;

use super::state::{StateDir, StateError, UsersFile};
use crate::access::{Principal, UserName};
use crate::broker::Event;
use crate::limits::VISITS_INTERVAL;
use crate::time::Timestamp;

const FILE: &str = "seen";

/// The last time that a user was there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// When it came or left, the later of the two, in seconds since 1970; absent if the clock was
    /// not set.
    pub at: Option<u64>,
    /// From where it came.
    pub from: IpAddr,
    /// Connections that it has now.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub connections: usize,
}

/// By the user's name.
pub type ByName = BTreeMap<String, Visit>;

/// What is known of visits. Clones know the same.
#[derive(Clone, Default)]
pub(super) struct Visits(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    by_name: ByName,
    is_unsaved: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// As the gateway of that state folder wrote it when it last did.
pub fn read(state_dir: &Path) -> Result<ByName, StateError> {
    load(&StateDir::visit(state_dir)?)
}

impl Visits {
    /// As an earlier life left them; none if that cannot be read.
    pub(super) fn open(state: &StateDir) -> Self {
        let by_name = load(state).unwrap_or_else(|error| {
            warn!(%error, "forgotten who was last here and when");
            ByName::new()
        });
        Self(Arc::new(Mutex::new(Known { by_name, is_unsaved: false })))
    }

    /// What the broker tells.
    pub(super) fn hear(&self, event: &Event, now: Timestamp) {
        let (Event::Connected { peer, principal, .. }
        | Event::Disconnected { peer, principal, .. }) = event
        else {
            return;
        };
        let Principal::User(name) = principal else { return };
        let mut known = self.lock();
        let at = now.is_synchronised().then_some(now.unix_ms() / 1000);
        let (from, mut connections) = (peer.ip(), 0);
        if let Some(before) = known.by_name.get(&**name) {
            connections = before.connections;
        }
        connections = match event {
            Event::Connected { .. } => connections.saturating_add(1),
            _ => connections.saturating_sub(1),
        };
        known.by_name.insert(name.to_string(), Visit { at, from, connections });
        known.is_unsaved = true;
    }

    /// All of them.
    pub(super) fn by_name(&self) -> ByName {
        self.lock().by_name.clone()
    }

    /// Saves them now and then, for ever.
    pub(super) async fn keep(self, users: Arc<UsersFile>) {
        loop {
            tokio::time::sleep(VISITS_INTERVAL).await;
            self.save(&users);
        }
    }

    /// Saves those of users that there are still, if anything has changed.
    pub(super) fn save(&self, users: &UsersFile) {
        let names = users.current();
        let is_user = |name: &str| UserName::parse(name).is_ok_and(|name| names.contains(&name));
        let mut saved = {
            let mut known = self.lock();
            if !std::mem::take(&mut known.is_unsaved) {
                return;
            }
            known.by_name.retain(|name, visit| visit.connections > 0 || is_user(name));
            known.by_name.clone()
        };
        // Who is here now is so only as long as this process is.
        for visit in saved.values_mut() {
            visit.connections = 0;
        }
        let written = serde_json::to_vec(&saved).map_err(std::io::Error::from);
        let written = written.map_err(|error| StateError::Io {
            doing: "write",
            path: users.folder().join(FILE),
            error,
        });
        let written = written.and_then(|text| StateDir::visit(users.folder())?.write(FILE, &text));
        if let Err(error) = written {
            warn!(%error, "not saved who was last here and when");
            self.lock().is_unsaved = true;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn load(state: &StateDir) -> Result<ByName, StateError> {
    let Some(content) = state.read(FILE)? else { return Ok(ByName::new()) };
    serde_json::from_slice(&content).map_err(|error| StateError::Io {
        doing: "read",
        path: state.path().join(FILE),
        error: error.into(),
    })
}
