//! TLS for the listeners that want it: from the state folder, or from an administrator's files; and
//! the certificate that is renewed while they listen.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tracing::warn;

use super::StartError;
use super::hub::Hub;
use super::state::StateDir;
use crate::bus::Clock;
use crate::config::{self, Listener, Settings};
use crate::net::tls::{Identity, Source, TlsError};
use crate::net::{Authority, Names, Tls};

/// How often it is looked at: the clock may be set late, an address may change.
const LOOK_EVERY: Duration = Duration::from_secs(3600);

/// The certificates of this gateway, and the listeners that show them. Clones know the same.
#[derive(Clone)]
pub(crate) struct Certificates {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    shown: Arc<Mutex<Shown>>,
    expiry: Expiry,
}

/// By the names of the listeners.
pub(super) type Shown = BTreeMap<Arc<str>, Arc<Tls>>;

/// When what our own authority gives ends, where a listener needs it. Clones know the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expiry(Arc<Mutex<Ends>>);

/// In seconds since 1970.
#[derive(Clone, Debug, Default)]
struct Ends {
    /// Of the certificate of this host, if a listener shows it.
    own: Option<u64>,
    authority: Option<u64>,
    /// By which people and programs know the authority.
    fingerprint: Option<String>,
}

impl Expiry {
    /// Of the certificate that it made for this host, in seconds since 1970.
    pub(crate) fn unix_s(&self) -> Option<u64> {
        self.lock().own
    }

    /// Of its own certificate.
    pub(crate) fn authority_unix_s(&self) -> Option<u64> {
        self.lock().authority
    }

    /// SHA-256 of its certificate, in lower-case hexadecimal digits.
    pub(crate) fn fingerprint(&self) -> Option<String> {
        self.lock().fingerprint.clone()
    }

    fn authority(&self, authority: &Authority) {
        let facts = authority.facts().ok();
        let mut ends = self.lock();
        ends.authority = facts.as_ref().map(|facts| facts.until_unix_s);
        ends.fingerprint = facts.map(|facts| facts.fingerprint.replace(':', "").to_lowercase());
    }

    fn lock(&self) -> MutexGuard<'_, Ends> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Certificates {
    /// Of the gateway with that state folder.
    pub(crate) fn new(settings: &Settings, clock: &Arc<dyn Clock>) -> Self {
        let folder = settings.gateway.state_dir.clone();
        Self { folder, clock: Arc::clone(clock), shown: Arc::default(), expiry: Expiry::default() }
    }

    /// When the certificate ends, from now on.
    pub(crate) fn expiry(&self) -> Expiry {
        self.expiry.clone()
    }

    /// TLS for a listener, by its files as they are now; `None` where it is plain.
    pub(crate) fn of_listener(
        &self,
        listener: &Listener,
        state: &StateDir,
    ) -> Result<Option<Arc<Tls>>, TlsError> {
        let Some(tls) = &listener.tls else { return Ok(None) };
        let (authority, own) = self.open(state)?;
        let source = source(tls);
        if let Some(key) = source.exposed_key() {
            warn!(listener = %listener.bind, file = %key.display(), "{EXPOSED}");
        }
        let tls = Arc::new(Tls::new(source, listener.auth, &authority, &own)?);
        if listener.tls == Some(config::Tls::Own) {
            self.expiry.lock().own = own.expires_unix_s();
        }
        self.expiry.authority(&authority);
        Ok(Some(tls))
    }

    /// These are shown from now on.
    pub(super) fn show(&self, shown: Shown) {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = shown;
    }

    /// Renews the certificate when it is time, for ever. Connections that exist stay as they are,
    /// but for those whose own certificates count no more.
    pub(super) async fn keep_fresh(self, hub: Arc<Hub>) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if let Err(error) = self.refresh(&hub) {
                warn!(%error, "certificates not renewed");
            }
        }
    }

    /// Looks at all certificates again. On an error all stays.
    pub(super) fn refresh(&self, hub: &Hub) -> Result<(), StartError> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if shown.is_empty() {
            return Ok(());
        }
        let state = StateDir::visit(&self.folder)?;
        let (authority, own) = self.open(&state)?;
        for tls in shown.values() {
            tls.reload(&authority, &own)?;
        }
        if self.expiry.unix_s().is_some() {
            self.expiry.lock().own = own.expires_unix_s();
        }
        self.expiry.authority(&authority);
        self.look_at_clients(hub);
        Ok(())
    }

    /// Who came by a certificate that would not be let in now goes.
    pub(super) fn look_at_clients(&self, hub: &Hub) {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now = self.now();
        hub.look_at_certificates(|listener, certificate| {
            shown.get(listener).is_none_or(|tls| tls.accepts(&certificate.chain, now))
        });
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.clock.wall().unix_ms())
    }

    fn open(&self, state: &StateDir) -> Result<(Authority, Identity), TlsError> {
        let (names, now) = (Names::of_this_host(), self.now());
        let authority = Authority::open(state, &names, now)?;
        let own = authority.server(state, &names, now)?;
        Ok((authority, own))
    }
}

/// What is wrong with an administrator's key that everybody on this host can read: it is used
/// nevertheless, as whoever made it may have had to.
const EXPOSED: &str = "private key that everybody on this host can read";

/// What the listeners of `settings` would say of their files.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Why the gateway would not start; with hints.
    pub(crate) faults: Vec<String>,
    /// What it would start with, or what could not be looked at.
    pub(crate) warnings: Vec<String>,
}

impl Findings {
    /// Reads them as the listeners do.
    pub(crate) fn of(settings: &Settings) -> Self {
        let mut found = Self::default();
        for listener in &settings.listeners {
            let Some(source) = listener.tls.as_ref().map(source) else { continue };
            let bind = listener.bind;
            for fault in source.faults(listener.auth) {
                if fault.is_permission() {
                    found.warnings.push(format!("listener `{bind}`: not checked: {fault}"));
                } else {
                    found.faults.push(format!("listener `{bind}`: {fault}"));
                }
            }
            if let Some(key) = source.exposed_key() {
                let key = key.display();
                found.warnings.push(format!("listener `{bind}`: {EXPOSED}: `{key}`"));
            }
        }
        found
    }
}

fn source(tls: &config::Tls) -> Source {
    match tls.clone() {
        config::Tls::Own => Source::Own,
        config::Tls::Files { certificate, key, client_ca, client_crl } => {
            Source::Files { certificate, key, client_ca, client_crl }
        }
    }
}
