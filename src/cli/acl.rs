//! `maison acl`: what a user may, and which rule says so.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde_json::json;

use super::exit;
use super::user::unknown;
use crate::access::{Access, Principal, UserName};
use crate::config::Settings;
use crate::daemon::rights;
use crate::daemon::state;
use crate::mqtt::{TopicError, TopicName};

/// Say what a user may, and which rule decides
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
    /// Whether a user may read a topic; ends with 0 if it may, with 1 if not
    Explain(Explain),
}

#[derive(Args, Debug)]
struct Explain {
    /// Who
    #[arg(value_parser = UserName::parse)]
    name: UserName,
    /// A topic, without wildcards
    #[arg(value_parser = topic)]
    topic: TopicName,
    /// Client identifier, for rules with `%c`
    #[arg(long, value_name = "ID", default_value = "")]
    client: String,
    /// Whether it may publish there, instead
    #[arg(long)]
    write: bool,
    /// As a JSON object
    #[arg(long)]
    json: bool,
}

fn topic(text: &str) -> Result<TopicName, TopicError> {
    TopicName::new(text.to_owned())
}

/// Answers on standard output. Status 0 or 1, and that of an error where there is no answer.
pub fn run(arguments: &Arguments) -> ExitCode {
    let Action::Explain(explain) = &arguments.action;
    super::with_settings(arguments.config.as_deref(), |settings| explain.run(settings))
}

impl Explain {
    fn run(&self, settings: &Settings) -> Result<ExitCode> {
        let Self { name, topic, client, write, json } = self;
        let users = state::read_users(&settings.gateway.state_dir)?;
        if !users.contains(name) {
            let folder = &settings.gateway.state_dir;
            bail!(unknown(name, folder, "maison user list"));
        }
        let access = if *write { Access::Write } else { Access::Read };
        let principal = Principal::User(name.as_str().into());
        let rights = rights(settings).for_users(users.into());
        let explained = rights.of(&principal, client).explain(access, topic);
        let allowed = explained.is_ok();
        let rule = explained.unwrap_or_else(|denied| denied.to_string());
        if *json {
            let access = if *write { "write" } else { "read" };
            let (name, topic) = (name.as_str(), topic.as_str());
            let answer = json!({
                "user": name, "client": client, "topic": topic, "access": access,
                "allowed": allowed, "rule": rule,
            });
            println!("{answer}");
        } else {
            println!("{}: {rule}", if allowed { "allowed" } else { "denied" });
        }
        Ok(if allowed { ExitCode::SUCCESS } else { exit::code(exit::FAILED) })
    }
}
