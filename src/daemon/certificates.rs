//! The certificates of the state folder: made at the first start, renewed when it is time, never
//! overwritten where that would lock people out.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use tracing::info;

use super::StartError;
use super::state::StateDir;
use crate::access::Policy;
use crate::config::Tls;
use crate::net::authority::{self, Certified, ServerNames};
use crate::net::tls::{self, ServerIdentity, TlsError};
use crate::time::Timestamp;

const AUTHORITY: [&str; 2] = ["ca.pem", "ca.key"];
const SERVER: [&str; 2] = ["server.pem", "server.key"];

/// The gateway's own authority and server certificate.
pub struct OwnCertificates {
    authority: Certified,
    server: Certified,
}

impl OwnCertificates {
    /// Reads them; makes what is absent, and a server certificate that no longer serves.
    pub fn open(state: &StateDir, now: Timestamp) -> Result<Self, StartError> {
        let names = ServerNames::of_this_machine();
        let authority = match read(state, AUTHORITY)? {
            Some(authority) => authority,
            None => {
                let host = names.names.first().map_or("this house", String::as_str);
                let made = authority::create_authority(host, now).map_err(StartError::Tls)?;
                write(state, AUTHORITY, &made)?;
                info!("certificate authority made");
                made
            }
        };
        let server = Self::server(state, &authority, &names, now)?;
        Ok(Self { authority, server })
    }

    fn server(
        state: &StateDir,
        authority: &Certified,
        names: &ServerNames,
        now: Timestamp,
    ) -> Result<Certified, StartError> {
        let reason = match read(state, SERVER)? {
            None => "there was none",
            Some(kept) => match authority::reason_to_renew(&kept.certificate, names, now) {
                None => return Ok(kept),
                Some(reason) => reason,
            },
        };
        let made = authority::issue_server(authority, names, now).map_err(StartError::Tls)?;
        write(state, SERVER, &made)?;
        info!(reason, "server certificate made");
        Ok(made)
    }

    /// TLS for a listener.
    pub fn config(&self, tls: &Tls, policy: Policy) -> Result<Arc<ServerConfig>, StartError> {
        let own = self.authority.certificate.as_bytes();
        let configured = match tls {
            Tls::Own => tls::server_config(
                ServerIdentity {
                    chain: self.server.certificate.as_bytes(),
                    key: self.server.key.as_bytes(),
                    client_authorities: own,
                },
                policy,
            ),
            Tls::Files { certificate, key, client_ca } => {
                let (chain, key) = (file(certificate)?, file(key)?);
                let theirs = client_ca.as_deref().map(file).transpose()?;
                let client_authorities = theirs.as_deref().unwrap_or(own);
                let identity = ServerIdentity { chain: &chain, key: &key, client_authorities };
                tls::server_config(identity, policy)
            }
        };
        configured.map_err(StartError::Tls)
    }
}

/// Both files or neither: one alone is a folder that somebody has changed by hand.
fn read(state: &StateDir, [public, secret]: [&str; 2]) -> Result<Option<Certified>, StartError> {
    let (certificate, key) = (state.read(public)?, state.read(secret)?);
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    match (certificate, key) {
        (Some(certificate), Some(key)) => {
            Ok(Some(Certified { certificate: text(certificate), key: text(key) }))
        }
        (None, None) => Ok(None),
        (Some(_), None) => Err(half(state, public, secret)),
        (None, Some(_)) => Err(half(state, secret, public)),
    }
}

fn half(state: &StateDir, there: &str, missing: &str) -> StartError {
    let folder = state.path().display();
    StartError::Tls(TlsError::new(
        "certificates",
        format_args!(
            "`{folder}/{missing}` is missing, but `{there}` is there\n  hint: bring it back from a \
             backup, or move `{there}` away to have both made anew (clients then need the new `ca.pem`)"
        ),
    ))
}

fn write(state: &StateDir, names: [&str; 2], made: &Certified) -> Result<(), StartError> {
    let [public, secret] = names;
    state.write(secret, made.key.as_bytes())?;
    state.write(public, made.certificate.as_bytes())?;
    Ok(())
}

fn file(path: &Path) -> Result<Vec<u8>, StartError> {
    std::fs::read(path).map_err(|error| {
        let why = format_args!("`{}`: {error}", path.display()).to_string();
        StartError::Tls(TlsError::new("cannot read for TLS", why))
    })
}
