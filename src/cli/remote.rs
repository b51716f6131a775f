//! How `sub` and `pub` reach a broker: the arguments they share, and what its refusals mean.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use rumqttc::{ConnectReturnCode, ConnectionError, MqttOptions, TlsConfiguration, Transport};

use super::exit;
use crate::limits::PACKET_BYTES_MAX;
use crate::net::tls;

const PORT_PLAIN: u16 = 1883;
const PORT_TLS: u16 = 8883;
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// Which broker, over what, and as whom.
#[derive(Args, Debug)]
pub(super) struct Remote {
    /// Name or address of the broker
    #[arg(long, default_value = "localhost")]
    host: String,
    /// Its port [default: 8883 with `--ca`, 1883 without]
    #[arg(long)]
    port: Option<u16>,
    /// Speak TLS, and believe only certificates that this authority (PEM) signed
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Show this certificate (PEM)
    #[arg(long, value_name = "FILE", requires_all = ["ca", "key"])]
    cert: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Log in as this user; the password comes from `--password-file`, from the environment
    /// (`MAISON_PASSWORD`) or from the terminal, never from an argument
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// First line of this file is the password
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
    /// Client identifier [default: a name with this process' number]
    #[arg(long, value_name = "NAME")]
    id: Option<String>,
}

/// Quality of service, as written on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[expect(clippy::enum_variant_names, reason = "the names are the standard's")]
pub enum Quality {
    /// At most once
    #[value(name = "0")]
    AtMostOnce,
    /// At least once
    #[value(name = "1")]
    AtLeastOnce,
    /// Exactly once
    #[value(name = "2")]
    ExactlyOnce,
}

impl From<Quality> for rumqttc::QoS {
    fn from(quality: Quality) -> Self {
        match quality {
            Quality::AtMostOnce => Self::AtMostOnce,
            Quality::AtLeastOnce => Self::AtLeastOnce,
            Quality::ExactlyOnce => Self::ExactlyOnce,
        }
    }
}

impl Remote {
    /// What `rumqttc` needs to know to connect. `verb` goes into the client identifier.
    pub(super) fn options(&self, verb: &str) -> Result<MqttOptions> {
        let port = self.port.unwrap_or(if self.ca.is_some() { PORT_TLS } else { PORT_PLAIN });
        let id = self.id.clone().unwrap_or_else(|| format!("maison-{verb}-{}", std::process::id()));
        let mut options = MqttOptions::new(id, &self.host, port);
        let largest = usize::try_from(PACKET_BYTES_MAX).unwrap_or(usize::MAX);
        options.set_max_packet_size(largest, largest);
        options.set_keep_alive(KEEP_ALIVE);
        if let Some(ca) = &self.ca {
            let configuration = TlsConfiguration::Rustls(Arc::new(self.tls(ca)?));
            options.set_transport(Transport::tls_with_config(configuration));
        }
        if let Some(user) = &self.user {
            options.set_credentials(user, self.password(user)?);
        }
        Ok(options)
    }

    /// Whether the broker keeps a session for this name: only a name that was chosen comes back.
    pub(super) fn is_named(&self) -> bool {
        self.id.is_some()
    }

    fn tls(&self, ca: &Path) -> Result<rustls::ClientConfig> {
        let pem = fs::read(ca).with_context(|| {
            format!("cannot read the certificate authority: `{}`", ca.display())
        })?;
        let config = match (&self.cert, &self.key) {
            (Some(certificate), Some(key)) => {
                tls::client_config_as(&pem, &tls::Identity::from_files(certificate, key)?)?
            }
            _ => tls::client_config(&pem).with_context(|| format!("in `{}`", ca.display()))?,
        };
        Ok(config)
    }

    fn password(&self, user: &str) -> Result<String> {
        if let Some(path) = &self.password_file {
            let text = fs::read_to_string(path)
                .with_context(|| format!("cannot read the password file: `{}`", path.display()))?;
            return Ok(text.lines().next().unwrap_or_default().to_owned());
        }
        if let Ok(password) = std::env::var("MAISON_PASSWORD") {
            return Ok(password);
        }
        rpassword::prompt_password(format!("password of {user}: "))
            .context("no password: no terminal to ask on\n  hint: use `--password-file`")
    }
}

/// An error of the connection as a person can use it, with the exit code that fits.
pub(super) fn explain(error: &ConnectionError) -> (String, u8) {
    let (what, hint, code) = match error {
        ConnectionError::ConnectionRefused(
            code @ (ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized),
        ) => (
            format!("the broker refuses the login: `{code:?}`"),
            "`--user`, or `--cert` and `--key`; `maison subscriber list` shows who may",
            exit::PERMISSION,
        ),
        ConnectionError::ConnectionRefused(code) => (
            format!("the broker refuses the connection: `{code:?}`"),
            "the gateway's log says why",
            exit::UNAVAILABLE,
        ),
        ConnectionError::Tls(tls) => (
            format!("no TLS with this broker: {tls}"),
            "`--ca` wants the gateway's `ca.pem`, and the host name must be in its certificate",
            exit::UNAVAILABLE,
        ),
        ConnectionError::MqttState(_) => (
            format!("no MQTT with this broker: {error}"),
            "a port that speaks TLS wants `--ca FILE`",
            exit::UNAVAILABLE,
        ),
        other => (
            format!("no connection: {other}"),
            "`--host` and `--port` say where the broker is; is it running?",
            exit::UNAVAILABLE,
        ),
    };
    (format!("{what}\n  hint: {hint}"), code)
}

/// Refuses a client identifier the broker could not keep a session for.
pub(super) fn require_name(remote: &Remote, option: &str) -> Result<()> {
    if remote.is_named() {
        return Ok(());
    }
    bail!("`{option}` needs a name the broker can know again\n  hint: add `--id NAME`")
}
