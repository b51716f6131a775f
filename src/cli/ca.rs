//! `maison ca`: the gateway's own certificate authority, for people and for other programs.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde_json::json;

use super::output::Standard;
use crate::config::{Listener, Settings, Tls};
use crate::daemon::control::{self, Answer, Request, Trouble};
use crate::daemon::state::StateDir;
use crate::net::{Authority, Names};
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
    /// A new authority; the old one counts for a while longer, so that old clients go on
    Rotate {
        /// How long; `0s`: not at all, for a key that others know
        #[arg(long, value_name = "TIME", default_value = "90d")]
        #[arg(value_parser = with_unit)]
        overlap: Duration,
        /// The old one counts no more, from now on
        #[arg(long, conflicts_with = "overlap")]
        finish: bool,
    },
}

/// Answers on standard output. A gateway that has not started yet has its authority from now on.
pub fn run(arguments: &Arguments) -> ExitCode {
    super::with_settings(arguments.config.as_deref(), |settings| {
        let authority = open(settings)?;
        match arguments.action {
            Action::Show { json: false } => show(settings, &authority)?,
            Action::Show { json: true } => println!("{}", object(settings, &authority)?),
            Action::Export => Standard.write_all(authority.pem())?,
            Action::Rotate { overlap, finish: false } => rotate(settings, &authority, overlap)?,
            Action::Rotate { finish: true, .. } => finish(settings, authority)?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// A time like `90d`; a bare number would be anything.
fn with_unit(text: &str) -> Result<Duration> {
    if text.trim().bytes().all(|letter| letter.is_ascii_digit()) {
        bail!("a number without a unit; `90d`, `12h`, or `0s` for not at all");
    }
    Ok(humantime::parse_duration(text)?)
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

fn rotate(settings: &Settings, authority: &Authority, overlap: Duration) -> Result<()> {
    let folder = StateDir::visit(&settings.gateway.state_dir)?;
    let new = authority.rotate(&folder, &Names::of_this_host(), now(), overlap)?;
    show(settings, &new)?;
    if let Some((_, until)) = new.replaced()? {
        println!(
            "\nUntil {} clients of both are let in, and both trust this host. Who has no new \
             certificate by then\nis out: `maison subscriber renew NAME`; who comes by a password \
             needs the new ca.pem only: `maison subscriber bundle NAME`.",
            date(until)
        );
    } else {
        println!("\nThe old one counts no more: each subscriber needs a new bundle.");
    }
    tell(settings)
}

fn finish(settings: &Settings, mut authority: Authority) -> Result<()> {
    authority.finish_rotation(&StateDir::visit(&settings.gateway.state_dir)?)?;
    println!("the old authority counts no more");
    tell(settings)
}

/// A gateway at work does as the files say, at once.
fn tell(settings: &Settings) -> Result<()> {
    match control::ask(&settings.gateway.state_dir, Request::Certificates {}) {
        Ok(Answer::Refused { lines }) => bail!(lines.join("; ")),
        Ok(Answer::Applied { .. }) | Err(Trouble::NotRunning) => {}
        Ok(other) => super::complain(format_args!(
            "the gateway gave an answer that was not asked for: {other:?}"
        )),
        Err(error) => super::complain(format_args!(
            "the gateway does not answer, and learns of it within the hour: {error}"
        )),
    }
    Ok(())
}

fn show(settings: &Settings, authority: &Authority) -> Result<()> {
    let facts = authority.facts()?;
    println!("subject:     {}", facts.subject);
    println!("valid:       {} to {}", date(facts.from_unix_s), date(facts.until_unix_s));
    println!("SHA-256:     {}", facts.fingerprint);
    println!("shown by:    {}", places(settings, shows_it));
    println!("lets in by:  {}", places(settings, trusts_it));
    if let Some((old, until)) = authority.replaced()? {
        println!("replaces:    {}, which counts until {}", old.subject, date(until));
        println!("  SHA-256:   {}", old.fingerprint);
    }
    Ok(())
}

fn object(settings: &Settings, authority: &Authority) -> Result<serde_json::Value> {
    let facts = authority.facts()?;
    let all = |is_meant: fn(&Listener) -> bool| -> Vec<String> {
        let meant = settings.listeners.iter().filter(|listener| is_meant(listener));
        meant.map(|listener| listener.bind.to_string()).collect()
    };
    let replaced = authority.replaced()?.map(|(old, until)| {
        json!({ "subject": old.subject, "sha256": old.fingerprint, "until": date(until) })
    });
    Ok(json!({
        "subject": facts.subject,
        "not_before": date(facts.from_unix_s),
        "not_after": date(facts.until_unix_s),
        "sha256": facts.fingerprint,
        "shown_by": all(shows_it),
        "lets_in_by": all(trusts_it),
        "replaces": replaced,
    }))
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
pub(super) fn trusts_it(listener: &Listener) -> bool {
    use crate::access::Policy::{Anonymous, Password};
    let is_ours = match &listener.tls {
        Some(Tls::Own) => true,
        Some(Tls::Files { client_ca, .. }) => client_ca.is_empty(),
        None => false,
    };
    is_ours && !matches!(listener.auth, Anonymous | Password)
}

/// The day, in UTC.
pub(super) fn date(unix_s: u64) -> String {
    let text = Timestamp::new(unix_s.saturating_mul(1000), true).to_string();
    text.chars().take("2026-11-22".len()).collect()
}
