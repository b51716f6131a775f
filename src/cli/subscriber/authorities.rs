//! Which authorities count, for the certificates that they have signed.

use crate::access::{Issued, Users};
use crate::cli::ca;
use crate::config::Settings;

/// Those of the gateway that count now.
pub(super) struct Authorities {
    /// By [`AuthorityFacts::id`](crate::net::AuthorityFacts::id); until when, in seconds since
    /// 1970, where that is sooner than by itself. Empty where it is not known.
    known: Vec<(String, Option<u64>)>,
}

/// How a certificate stands with its authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nobody noted which it is, or what counts cannot be seen.
    Unknown,
    /// It counts.
    Counts,
    /// It is being replaced, and ends then, in seconds since 1970.
    Ends(u64),
    /// It counts no more, and so do its certificates.
    Ended,
}

impl Authorities {
    /// As the state folder has them. They are looked at only where some user has a certificate and
    /// there is an authority: to open one that is not there is to make it.
    pub(super) fn of(settings: &Settings, users: &Users) -> Self {
        let is_noted = |one: &Issued| one.authority.is_some();
        let is_asked = users.iter().any(|(_, user)| user.certificates.iter().any(is_noted));
        if !is_asked || !settings.gateway.state_dir.join("ca.pem").exists() {
            return Self { known: Vec::new() };
        }
        let known = Self::read(settings).unwrap_or_else(|error| {
            crate::cli::complain(format_args!(
                "which certificates count by their authority is not told: {error:#}"
            ));
            Vec::new()
        });
        Self { known }
    }

    fn read(settings: &Settings) -> anyhow::Result<Vec<(String, Option<u64>)>> {
        let authority = ca::open(settings)?;
        let mut known = vec![(authority.facts()?.id(), None)];
        if let Some((old, until)) = authority.replaced()? {
            known.push((old.id(), Some(until)));
        }
        Ok(known)
    }

    pub(super) fn standing(&self, one: &Issued) -> Standing {
        let Some(wanted) = &one.authority else { return Standing::Unknown };
        if self.known.is_empty() {
            return Standing::Unknown;
        }
        match self.known.iter().find(|(id, _)| id == wanted) {
            Some((_, None)) => Standing::Counts,
            Some((_, Some(until))) => Standing::Ends(*until),
            None => Standing::Ended,
        }
    }
}
