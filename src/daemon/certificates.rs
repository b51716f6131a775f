//! TLS for the listeners that want it: from the state folder, or from an administrator's files.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::StartError;
use super::state::StateDir;
use crate::bus::Clock;
use crate::config::{self, Settings};
use crate::net::tls::Source;
use crate::net::{Authority, Names, Tls};

/// One for each listener, in order; `None` where it is plain.
pub fn of_listeners(
    settings: &Settings,
    state: &StateDir,
    clock: &dyn Clock,
) -> Result<Vec<Option<Arc<Tls>>>, StartError> {
    if settings.listeners.iter().all(|listener| listener.tls.is_none()) {
        return Ok(settings.listeners.iter().map(|_| None).collect());
    }
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(clock.wall().unix_ms());
    let names = Names::of_this_host();
    let authority = Authority::open(state, &names, now)?;
    let own = authority.server(state, &names, now)?;
    let tls = settings.listeners.iter().map(|listener| {
        let Some(tls) = &listener.tls else { return Ok(None) };
        let tls = Tls::new(source(tls), listener.auth, &authority, &own)?;
        Ok(Some(Arc::new(tls)))
    });
    tls.collect()
}

fn source(tls: &config::Tls) -> Source {
    match tls.clone() {
        config::Tls::Own => Source::Own,
        config::Tls::Files { certificate, key, client_ca } => {
            Source::Files { certificate, key, client_ca }
        }
    }
}
