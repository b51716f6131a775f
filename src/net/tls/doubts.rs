//! What is odd about an administrator's certificates, and no reason not to start: clients that look
//! refuse them, others do not.

use std::path::Path;

use rustls::pki_types::UnixTime;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::trust::expired_lists;
use super::{Source, certificates_of, read};
use crate::access::Policy;
use crate::time::{CLOCK_SET_FROM_UNIX_S, Timestamp};

impl Source {
    /// One sentence each. What cannot be read is a fault.
    pub fn doubts(&self, policy: Policy) -> Vec<String> {
        let Self::Files { certificate, client_ca, client_crl, .. } = self else {
            return Vec::new();
        };
        let mut doubts = of_host(certificate);
        let asks_certificate = !matches!(policy, Policy::Anonymous | Policy::Password);
        if asks_certificate && !client_ca.is_empty() {
            doubts.extend(expired_lists(client_crl));
        }
        doubts
    }

    /// Those of its own certificate alone.
    pub fn doubts_of_host(&self) -> Vec<String> {
        match self {
            Self::Own => Vec::new(),
            Self::Files { certificate, .. } => of_host(certificate),
        }
    }
}

fn of_host(place: &Path) -> Vec<String> {
    let chain = read(place).and_then(|pem| certificates_of(&pem, place)).unwrap_or_default();
    let Some(Ok((_, own))) = chain.first().map(|first| X509Certificate::from_der(first)) else {
        return Vec::new();
    };
    let file = place.display();
    let mut doubts = Vec::new();
    let now = UnixTime::now().as_secs();
    let at = |time: i64| u64::try_from(time).unwrap_or(0);
    let said = |unix_s: u64| Timestamp::new(unix_s.saturating_mul(1000), true);
    let (from, until) =
        (at(own.validity().not_before.timestamp()), at(own.validity().not_after.timestamp()));
    if now >= u64::from(CLOCK_SET_FROM_UNIX_S) && now > until {
        doubts.push(format!("certificate has expired: `{file}`, on {}", said(until)));
    }
    if now >= u64::from(CLOCK_SET_FROM_UNIX_S) && now < from {
        doubts.push(format!("certificate is not valid yet: `{file}`, before {}", said(from)));
    }
    if own.is_ca() {
        doubts.push(format!("certificate of an authority where a host's own should be: `{file}`"));
    }
    let purposes = own.extended_key_usage().ok().flatten();
    if purposes.is_some_and(|it| !it.value.server_auth && !it.value.any) {
        doubts.push(format!("certificate that is not for servers (no `serverAuth`): `{file}`"));
    }
    doubts
}
