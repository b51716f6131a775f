//! TLS for the listeners that want it: from the state folder, or from an administrator's files; and
//! the certificate that is renewed while they listen.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::time::timeout;
use tracing::{info, warn};

use super::StartError;
use super::hub::Hub;
use super::state::StateDir;
use crate::bus::Clock;
use crate::config::{self, Listener, Settings};
use crate::net::tls::{Identity, Source, TlsError};
use crate::net::{Authority, Door, Names, Tls};
use crate::time::Tick;

/// How often it is looked at, whatever is known to have changed.
const LOOK_EVERY: Duration = Duration::from_secs(3600);

/// Names and addresses of this host that changed are not looked at again before: the network may
/// come after the gateway, and one that comes and goes is not to wear the card.
const NAMES_REST: Duration = Duration::from_secs(30);

/// How often the clock is looked at: it may be set late, and nobody tells of it.
const CLOCK_EVERY: Duration = Duration::from_secs(5);

/// From here on a clock was set, and does not only go a little wrong.
const JUMP: Duration = Duration::from_secs(60);

/// The certificates of this gateway, and the listeners that show them. Clones know the same.
#[derive(Clone)]
pub(crate) struct Certificates {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    shown: Arc<Mutex<Shown>>,
    expiry: Expiry,
    retiring: Retiring,
}

/// By the names of the listeners.
type Shown = BTreeMap<Arc<str>, (Door, Arc<Tls>)>;

/// Until when an authority counts that is being replaced. Clones know the same.
#[derive(Clone, Debug, Default)]
struct Retiring {
    until: Arc<Mutex<Option<SystemTime>>>,
    /// It is another.
    changed: Arc<Notify>,
}

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
        let (clock, shown) = (Arc::clone(clock), Arc::default());
        Self { folder, clock, shown, expiry: Expiry::default(), retiring: Retiring::default() }
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
        for doubt in source.doubts_of_host() {
            warn!(listener = %listener.bind, "{doubt}");
        }
        let tls = Arc::new(Tls::new(source, listener.auth, &authority, &own)?);
        if listener.tls == Some(config::Tls::Own) {
            self.expiry.lock().own = own.expires_unix_s();
        }
        self.expiry.authority(&authority);
        // That it is over is noted where those who came by it are looked at.
        if let until @ Some(_) = authority.retires() {
            self.retiring.change(until);
        }
        Ok(Some(tls))
    }

    /// These are shown from now on.
    pub(super) fn show(&self, shown: impl Iterator<Item = (Door, Arc<Tls>)>) {
        let shown = shown.map(|(door, tls)| (door.name(), (door, tls))).collect();
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = shown;
    }

    /// Renews the certificate when it is time, and ends an authority that was replaced when that
    /// is; for ever. Connections that exist stay as they are, but for those whose own certificates
    /// count no more.
    pub(super) async fn keep_fresh(self, hub: Arc<Hub>) {
        let mut looked = self.look();
        loop {
            let left = self.retiring.until().map(|until| until.duration_since(self.now()));
            // One that should be over and is not, because it could not be looked at, waits as well.
            let wait = left.and_then(Result::ok).unwrap_or(CLOCK_EVERY).min(CLOCK_EVERY);
            let _ = timeout(wait, self.retiring.changed.notified()).await;
            if self.is_due(&looked, Names::of_this_host) {
                looked = self.look();
                if let Err(error) = self.refresh(&hub) {
                    warn!(%error, "certificates not renewed");
                }
            }
        }
    }

    fn look(&self) -> Look {
        Look { at: self.clock.now(), wall: self.now(), names: Names::of_this_host() }
    }

    /// Whether it is time to look again: it was long ago, an authority has ended, the clock was
    /// set, or the host has other names or addresses.
    fn is_due(&self, looked: &Look, names: impl FnOnce() -> Names) -> bool {
        let (passed, now) = (self.clock.now().since(looked.at), self.now());
        let expected = looked.wall + passed;
        let jump = now.duration_since(expected).unwrap_or_else(|early| early.duration());
        let has_ended = self.retiring.until().is_some_and(|until| now >= until);
        let is_due = passed >= LOOK_EVERY || jump > JUMP || has_ended;
        is_due || passed >= NAMES_REST && names() != looked.names
    }

    /// Looks at all certificates again. Where there is an error, all stays.
    pub(super) fn refresh(&self, hub: &Hub) -> Result<(), StartError> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if shown.is_empty() {
            self.retiring.change(None);
            return Ok(());
        }
        let state = StateDir::visit(&self.folder)?;
        let (authority, own) = self.open(&state)?;
        let mut failed = None;
        for (door, tls) in shown.values() {
            match tls.reload(&authority, &own) {
                Ok(true) => {}
                // Who is in is looked at one by one.
                Ok(false) => door.begin_anew(),
                // What is wrong with one lets nobody in by the others.
                Err(error) => failed = Some(error),
            }
        }
        self.retiring.change(authority.retires());
        if self.expiry.unix_s().is_some() {
            self.expiry.lock().own = own.expires_unix_s();
        }
        self.expiry.authority(&authority);
        self.look_at_clients(hub);
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Who came by a certificate that would not be let in now goes.
    pub(super) fn look_at_clients(&self, hub: &Hub) {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now = self.now();
        hub.look_at_certificates(|listener, certificate| {
            shown.get(listener).is_none_or(|(_, tls)| tls.accepts(&certificate.chain, now))
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

/// When certificates were looked at, and by what.
struct Look {
    at: Tick,
    wall: SystemTime,
    names: Names,
}

impl Retiring {
    fn until(&self) -> Option<SystemTime> {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, until: Option<SystemTime>) {
        let mut known = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_some() && until.is_none() {
            info!("the certificate authority that was replaced counts no more");
        }
        if *known != until {
            *known = until;
            self.changed.notify_one();
        }
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
            let doubts = source.doubts(listener.auth).into_iter();
            found.warnings.extend(doubts.map(|doubt| format!("listener `{bind}`: {doubt}")));
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::time::Timestamp;

    /// 2026-11-22T13:00:00Z.
    const START_UNIX_S: u64 = 1_795_352_400;

    /// Two clocks in seconds, of which the wall's is set.
    #[derive(Debug, Default)]
    struct Set {
        passed: AtomicU64,
        ahead: AtomicU64,
    }

    impl Clock for Set {
        fn now(&self) -> Tick {
            Tick::ZERO.after(Duration::from_secs(self.passed.load(Ordering::Relaxed)))
        }

        fn wall(&self) -> Timestamp {
            let passed = self.passed.load(Ordering::Relaxed) + self.ahead.load(Ordering::Relaxed);
            Timestamp::new((START_UNIX_S + passed) * 1000, true)
        }
    }

    #[track_caller]
    fn check_due(passed: u64, ahead: u64, retires_after: Option<u64>, expected: bool) {
        let set = Arc::new(Set::default());
        let clock: Arc<dyn Clock> = set.clone();
        let certificates = Certificates::new(&Settings::default(), &clock);
        let looked = certificates.look();
        certificates
            .retiring
            .change(retires_after.map(|after| certificates.now() + Duration::from_secs(after)));
        set.passed.store(passed, Ordering::Relaxed);
        set.ahead.store(ahead, Ordering::Relaxed);
        let names = || looked.names.clone();
        let is_due = certificates.is_due(&looked, names);
        assert_eq!(is_due, expected, "{passed} {ahead} {retires_after:?}");
    }

    /// As where the router comes after the gateway.
    #[test]
    fn certificates_are_looked_at_when_the_host_has_another_address() {
        let set = Arc::new(Set::default());
        let clock: Arc<dyn Clock> = set.clone();
        let certificates = Certificates::new(&Settings::default(), &clock);
        let looked = certificates.look();
        let others = || Names::new("pi", [[192, 0, 2, 7].into()]);
        for (passed, expected) in [(29, false), (30, true)] {
            set.passed.store(passed, Ordering::Relaxed);
            assert_eq!(certificates.is_due(&looked, others), expected, "{passed}");
            assert!(!certificates.is_due(&looked, || looked.names.clone()));
        }
    }

    #[test]
    fn certificates_are_looked_at_each_hour_at_an_end_and_when_the_clock_was_set() {
        check_due(3599, 0, None, false);
        check_due(3600, 0, None, true);
        check_due(7, 0, Some(8), false);
        check_due(8, 0, Some(8), true);
        check_due(5, 3, Some(8), true);
        check_due(5, 30, None, false);
        check_due(5, 90, None, true);
    }
}
