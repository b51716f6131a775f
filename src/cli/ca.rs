//! `maison ca`: the gateway's own certificate authority, for people and for other programs.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::config::{Listener, Settings, Tls};
use crate::daemon::state::StateDir;
use crate::net::{Authority, AuthorityFacts, Names};
use crate::time::Timestamp;

/// Show the gateway's own certificate authority
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
    /// Configuration file [default: `/etc/maison/maison.toml`]
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Subject, validity and fingerprint, and the listeners it is for
    Show {
        /// As a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Its certificate as PEM on standard output: what clients are to trust
    Export,
}

/// Answers on standard output. A gateway that has not started yet has its authority from now on.
pub fn run(arguments: &Arguments) -> ExitCode {
    super::with_settings(arguments.config.as_deref(), |settings| {
        let authority = open(settings)?;
        match arguments.action {
            Action::Show { json: false } => show(settings, &authority.facts()?),
            Action::Show { json: true } => println!("{}", object(settings, &authority.facts()?)),
            Action::Export => io::stdout().lock().write_all(authority.pem())?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// The authority in the state folder; made if there is none yet.
pub(super) fn open(settings: &Settings) -> Result<Authority> {
    let folder = StateDir::visit(&settings.gateway.state_dir)?;
    Ok(Authority::open(&folder, &Names::of_this_host(), now())?)
}

#[expect(clippy::disallowed_methods, reason = "a command acts now")]
pub(super) fn now() -> SystemTime {
    SystemTime::now()
}

fn show(settings: &Settings, facts: &AuthorityFacts) {
    println!("subject:     {}", facts.subject);
    println!("valid:       {} to {}", date(facts.from_unix_s), date(facts.until_unix_s));
    println!("SHA-256:     {}", facts.fingerprint);
    println!("shown by:    {}", places(settings, shows_it));
    println!("lets in by:  {}", places(settings, trusts_it));
}

fn object(settings: &Settings, facts: &AuthorityFacts) -> serde_json::Value {
    let all = |is_meant: fn(&Listener) -> bool| -> Vec<String> {
        let meant = settings.listeners.iter().filter(|listener| is_meant(listener));
        meant.map(|listener| listener.bind.to_string()).collect()
    };
    json!({
        "subject": facts.subject,
        "not_before": date(facts.from_unix_s),
        "not_after": date(facts.until_unix_s),
        "sha256": facts.fingerprint,
        "shown_by": all(shows_it),
        "lets_in_by": all(trusts_it),
    })
}

fn places(settings: &Settings, is_meant: fn(&Listener) -> bool) -> String {
    let meant = settings.listeners.iter().filter(|listener| is_meant(listener));
    let places: Vec<String> = meant.map(|listener| listener.bind.to_string()).collect();
    if places.is_empty() { "no listener".to_owned() } else { places.join(", ") }
}

/// Whether its certificate is one that our authority has signed.
fn shows_it(listener: &Listener) -> bool {
    listener.tls == Some(Tls::Own)
}

/// Whether certificates of our authority let clients in.
fn trusts_it(listener: &Listener) -> bool {
    use crate::access::Policy::{Anonymous, Password};
    let is_ours = match &listener.tls {
        Some(Tls::Own) => true,
        Some(Tls::Files { client_ca, .. }) => client_ca.is_none(),
        None => false,
    };
    is_ours && !matches!(listener.auth, Anonymous | Password)
}

/// The day, in UTC.
pub(super) fn date(unix_s: u64) -> String {
    let text = Timestamp::new(unix_s.saturating_mul(1000), true).to_string();
    text.chars().take("2026-11-22".len()).collect()
}
