//! mosquitto's configuration: its listeners, and where its users and rules are.

use std::fmt::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{LeftOut, lines};

/// What is understood of it.
#[derive(Debug, Default)]
pub(super) struct Mosquitto {
    pub(super) password_file: Option<PathBuf>,
    pub(super) acl_file: Option<PathBuf>,
    allow_anonymous: bool,
    listeners: Vec<Listener>,
    bridge: Option<String>,
}

#[derive(Debug, Default)]
struct Listener {
    port: String,
    address: Option<String>,
    websocket: bool,
    certificate: Option<String>,
    key: Option<String>,
    authority: Option<String>,
    asks_certificate: bool,
    names_by_certificate: bool,
    allow_anonymous: Option<bool>,
}

/// Whether a file may name a folder of others: those of the folder may not, so that it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Includes {
    Others,
    Nothing,
}

/// Options that change nothing here.
const NEEDLESS: &[&str] = &[
    "autosave_interval",
    "autosave_on_changes",
    "connection_messages",
    "persistence",
    "persistence_file",
    "persistence_location",
    "pid_file",
    "set_tcp_nodelay",
    "sys_interval",
    "user",
];

const ENDS_LISTENERS: &str = "per_listener_settings";

impl Mosquitto {
    /// Reads its folder, or its configuration file and what that includes.
    pub(super) fn read(place: &Path, left_out: &mut LeftOut) -> Result<Self> {
        let mut all = Self::default();
        let cannot = || format!("cannot look at `{}`", place.display());
        if std::fs::metadata(place).with_context(cannot)?.is_file() {
            all.file(place, Includes::Others, left_out)?;
            return Ok(all);
        }
        let conf = place.join("mosquitto.conf");
        if conf.exists() {
            all.file(&conf, Includes::Others, left_out)?;
        }
        let found = |names: &[&str]| names.iter().map(|it| place.join(it)).find(|it| it.exists());
        let passwords = || found(&["password_file", "passwd", "passwords", "pwfile"]);
        all.password_file = all.password_file.take().or_else(passwords);
        all.acl_file = all.acl_file.take().or_else(|| found(&["acl_file", "acl", "aclfile"]));
        if all.password_file.is_none() && all.listeners.is_empty() {
            bail!(
                "nothing of mosquitto in `{}`\n  hint: name its folder or its `mosquitto.conf`",
                place.display()
            );
        }
        Ok(all)
    }

    fn file(&mut self, file: &Path, includes: Includes, left_out: &mut LeftOut) -> Result<()> {
        for line in lines(file)? {
            let (word, value) =
                line.text.split_once(char::is_whitespace).unwrap_or((&line.text, ""));
            let value = value.trim().to_owned();
            if word == "include_dir" && includes == Includes::Others {
                for part in parts(Path::new(&value))? {
                    self.file(&part, Includes::Nothing, left_out)?;
                }
            } else if let Err(why) = self.option(word, value) {
                left_out.say(&line, why);
            }
        }
        Ok(())
    }

    fn option(&mut self, word: &str, value: String) -> Result<(), String> {
        if word == "connection" {
            self.bridge = Some(value.clone());
            return Err(format!("bridge `{value}`: there are no bridges to other brokers yet"));
        }
        if let Some(bridge) = self.bridge.as_ref().filter(|_| !begins_listener(word)) {
            return Err(format!("of the bridge `{bridge}`"));
        }
        match word {
            "password_file" => {
                self.password_file = Some(once(self.password_file.as_deref(), value)?);
            }
            "acl_file" => self.acl_file = Some(once(self.acl_file.as_deref(), value)?),
            "listener" | "port" => {
                self.bridge = None;
                let (port, address) = value.split_once(char::is_whitespace).unwrap_or((&value, ""));
                let address = Some(address.trim().to_owned()).filter(|it| !it.is_empty());
                if port.parse::<u16>().is_err() || port == "0" {
                    return Err("no port of TCP".to_owned());
                }
                let port = port.to_owned();
                self.listeners.push(Listener { port, address, ..Listener::default() });
            }
            "allow_anonymous" => {
                let allowed = Some(truth(&value)?);
                match self.listeners.last_mut() {
                    Some(listener) => listener.allow_anonymous = allowed,
                    None => self.allow_anonymous = allowed == Some(true),
                }
            }
            ENDS_LISTENERS if truth(&value)? => {
                return Err("users and rules are the same on all listeners".to_owned());
            }
            ENDS_LISTENERS => {}
            _ if NEEDLESS.contains(&word) || word.starts_with("log_") => {
                return Err("nothing to take over: it is done in another way".to_owned());
            }
            _ => match self.listeners.last_mut() {
                Some(listener) => listener.option(word, value)?,
                None => return Err("not understood".to_owned()),
            },
        }
        Ok(())
    }

    /// As `[[listener]]` tables.
    pub(super) fn listeners(&self) -> String {
        let mut text = String::new();
        for listener in &self.listeners {
            // Writing to a String cannot fail.
            let _ = listener.write(self.allow_anonymous, &mut text);
        }
        text
    }
}

fn begins_listener(word: &str) -> bool {
    ["listener", "port"].contains(&word)
}

impl Listener {
    fn option(&mut self, word: &str, value: String) -> Result<(), String> {
        match word {
            "protocol" if value == "websockets" => self.websocket = true,
            "protocol" if value == "mqtt" => {}
            "bind_address" => self.address = Some(value),
            "certfile" => self.certificate = Some(value),
            "keyfile" => self.key = Some(value),
            "cafile" => self.authority = Some(value),
            "require_certificate" => self.asks_certificate = truth(&value)?,
            "use_identity_as_username" => self.names_by_certificate = truth(&value)?,
            "tls_version" if ["tlsv1.2", "tlsv1.3"].contains(&value.as_str()) => {
                return Err("TLS 1.2 and 1.3 are spoken on each listener".to_owned());
            }
            _ => return Err("not understood".to_owned()),
        }
        Ok(())
    }

    fn write(&self, allow_anonymous: bool, text: &mut String) -> std::fmt::Result {
        let address = self.address.as_deref().unwrap_or("::");
        let bind = match address.parse() {
            Ok(IpAddr::V6(address)) => format!("[{address}]:{}", self.port),
            _ if address == "localhost" => format!("127.0.0.1:{}", self.port),
            _ => format!("{address}:{}", self.port),
        };
        writeln!(text, "[[listener]]\nbind = {}", quoted(&bind))?;
        if self.websocket {
            writeln!(text, "websocket = true")?;
        }
        if let (Some(certificate), Some(key)) = (&self.certificate, &self.key) {
            let (certificate, key) = (quoted(certificate), quoted(key));
            write!(text, "tls = {{ certificate = {certificate}, key = {key}")?;
            if let Some(authority) = self.authority.as_ref().filter(|_| self.asks_certificate) {
                write!(text, ", client_ca = {}", quoted(authority))?;
            }
            writeln!(text, " }}")?;
        }
        writeln!(text, "auth = {}\n", quoted(self.auth(allow_anonymous)))
    }

    fn auth(&self, allow_anonymous: bool) -> &'static str {
        match (self.asks_certificate, self.names_by_certificate) {
            (true, true) => "certificate",
            (true, false) => "certificate-and-password",
            (false, _) if self.allow_anonymous.unwrap_or(allow_anonymous) => "anonymous",
            (false, _) => "password",
        }
    }
}

/// A JSON string is one of TOML, too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn once(known: Option<&Path>, value: String) -> Result<PathBuf, String> {
    match known {
        Some(known) if known != Path::new(&value) => {
            Err(format!("`{}` was named before; there is one for all", known.display()))
        }
        _ => Ok(value.into()),
    }
}

fn truth(value: &str) -> Result<bool, String> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("neither `true` nor `false`".to_owned()),
    }
}

/// The files that mosquitto reads of a folder, in its order.
fn parts(folder: &Path) -> Result<Vec<PathBuf>> {
    let cannot = || format!("cannot read `{}`", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        if path.extension().is_some_and(|extension| extension == "conf") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
