//! mosquitto's configuration: its listeners, and where its users and rules are.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{LeftOut, Line, lines};

/// What is understood of it.
#[derive(Debug, Default)]
pub(super) struct Mosquitto {
    pub(super) password_file: Option<PathBuf>,
    pub(super) acl_file: Option<PathBuf>,
    allow_anonymous: bool,
    /// Whether each listener has its own `allow_anonymous`; else the last of all counts.
    is_per_listener: bool,
    /// What waits for one client; 0 in both: no bound.
    queue_messages: Option<u64>,
    queue_bytes: Option<u64>,
    listeners: Vec<Listener>,
    section: Section,
}

/// What an option is about.
#[derive(Debug, Default)]
enum Section {
    /// All of it, until there is a listener; then the last listener.
    #[default]
    Taken,
    /// A listener that is not taken over.
    Lost,
    Bridge(String),
}

#[derive(Debug, Default)]
struct Listener {
    port: String,
    address: Option<IpAddr>,
    websocket: bool,
    certificate: Option<String>,
    key: Option<String>,
    authority: Option<String>,
    revocations: Option<String>,
    asks_certificate: bool,
    names_by_certificate: bool,
    allow_anonymous: Option<bool>,
}

/// Whether a file may name a folder of others: those of the folder may not, so that it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Includes {
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
        self.lines(lines(file)?, includes, left_out)
    }

    /// What lines of a file say.
    pub(super) fn lines(
        &mut self,
        lines: Vec<Line>,
        includes: Includes,
        left_out: &mut LeftOut,
    ) -> Result<()> {
        for line in lines {
            let (word, value) =
                line.text.split_once(char::is_whitespace).unwrap_or((&line.text, ""));
            let value = value.trim().to_owned();
            if word == "include_dir" && includes == Includes::Others {
                for part in parts(Path::new(&value))? {
                    self.file(&part, Includes::Nothing, left_out)?;
                }
            } else if let Err(why) = self.option(word, value) {
                left_out.say(&told(&line, word), why);
            }
        }
        Ok(())
    }

    fn option(&mut self, word: &str, value: String) -> Result<(), String> {
        if word == "connection" {
            self.section = Section::Bridge(value.clone());
            return Err(format!("bridge `{value}`: there are no bridges to other brokers yet"));
        }
        match &self.section {
            _ if ["listener", "port"].contains(&word) => {}
            Section::Taken => {}
            Section::Lost => return Err("of a listener that is not taken over".to_owned()),
            Section::Bridge(bridge) => return Err(format!("of the bridge `{bridge}`")),
        }
        match word {
            "password_file" => {
                self.password_file = Some(once(self.password_file.as_deref(), value)?);
            }
            "acl_file" => self.acl_file = Some(once(self.acl_file.as_deref(), value)?),
            "max_queued_messages" => self.queue_messages = Some(number(&value)?),
            "max_queued_bytes" => self.queue_bytes = Some(number(&value)?),
            "listener" | "port" => {
                // What follows is not to change the one before.
                self.section = Section::Lost;
                let (port, address) = value.split_once(char::is_whitespace).unwrap_or((&value, ""));
                let address = Some(address.trim()).filter(|it| !it.is_empty());
                let address = address.map(parse_address).transpose()?;
                if port.parse::<u16>().is_err() || port == "0" {
                    return Err("no port of TCP".to_owned());
                }
                let port = port.to_owned();
                self.listeners.push(Listener { port, address, ..Listener::default() });
                self.section = Section::Taken;
            }
            "allow_anonymous" => {
                let allowed = truth(&value)?;
                match self.listeners.last_mut().filter(|_| self.is_per_listener) {
                    Some(listener) => listener.allow_anonymous = Some(allowed),
                    None => self.allow_anonymous = allowed,
                }
            }
            "per_listener_settings" => {
                self.is_per_listener = truth(&value)?;
                if self.is_per_listener {
                    return Err("users and rules are the same on all listeners".to_owned());
                }
            }
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

    /// As TOML: `queue` of `[broker]`, and `[[listener]]` tables.
    pub(super) fn listeners(&self) -> String {
        let mut text = String::new();
        let messages = self.queue_messages.map(|number| format!("messages = {number}"));
        let bytes = self.queue_bytes.map(|number| format!("bytes = \"{number} B\""));
        let queue: Vec<_> = messages.into_iter().chain(bytes).collect();
        if !queue.is_empty() {
            text = format!("[broker]\nqueue = {{ {} }}\n\n", queue.join(", "));
        }
        for listener in &self.listeners {
            // Writing to a String cannot fail.
            let _ = listener.write(self.allow_anonymous, &mut text);
        }
        text
    }
}

impl Listener {
    fn option(&mut self, word: &str, value: String) -> Result<(), String> {
        match word {
            "protocol" if value == "websockets" => self.websocket = true,
            "protocol" if value == "mqtt" => {}
            "bind_address" => self.address = Some(parse_address(&value)?),
            "certfile" => self.certificate = Some(value),
            "keyfile" => self.key = Some(value),
            "cafile" => self.authority = Some(value),
            "crlfile" => self.revocations = Some(value),
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
        let bind = match self.address.unwrap_or(Ipv6Addr::UNSPECIFIED.into()) {
            IpAddr::V6(address) => format!("[{address}]:{}", self.port),
            IpAddr::V4(address) => format!("{address}:{}", self.port),
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
                if let Some(revocations) = &self.revocations {
                    write!(text, ", client_crl = {}", quoted(revocations))?;
                }
            }
            writeln!(text, " }}")?;
        }
        let (auth, is_encrypted) = (self.auth(allow_anonymous), self.certificate.is_some());
        writeln!(text, "auth = {}", quoted(auth))?;
        let is_wide = self.address.is_none_or(|address| !address.to_canonical().is_loopback());
        let risk = match auth {
            "anonymous" => Some("everyone on the network is let in"),
            "password" if !is_encrypted => Some("passwords cross the network in clear"),
            _ => None,
        };
        if let Some(risk) = risk.filter(|_| is_wide) {
            writeln!(
                text,
                "# {risk}: `maison check` refuses it; change it, or say that it is meant:"
            )?;
            writeln!(text, "#open = true")?;
        }
        writeln!(text)
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

/// Without the value, where that may be a secret.
fn told(line: &Line, word: &str) -> Line {
    let lower = word.to_ascii_lowercase();
    let is_secret = ["pass", "psk", "secret", "token"].iter().any(|part| lower.contains(part));
    if is_secret { Line { text: format!("{word} …"), ..line.clone() } } else { line.clone() }
}

fn number(value: &str) -> Result<u64, String> {
    value.parse().map_err(|_| "no number".to_owned())
}

fn parse_address(text: &str) -> Result<IpAddr, String> {
    if text == "localhost" {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    text.parse().map_err(|_| format!("an address is asked for, not a name or a path: `{text}`"))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::import::taken_over;

    #[track_caller]
    fn check(conf: &str, expected: &[(&str, &str)], left_out: &[&str]) {
        let (toml, _, said) = taken_over(conf, "", None);
        let value = |line: &str| line.split_once(" = ").unwrap().1.trim_matches('"').to_owned();
        let values = |key: &str| -> Vec<String> {
            toml.lines().filter(|line| line.starts_with(key)).map(value).collect()
        };
        let found: Vec<_> = values("bind").into_iter().zip(values("auth")).collect();
        let found: Vec<_> = found.iter().map(|(bind, auth)| (&**bind, &**auth)).collect();
        assert_eq!(found, expected, "{toml}");
        assert_eq!(said.len(), left_out.len(), "{said:?}");
        for (said, expected) in said.iter().zip(left_out) {
            assert!(said.contains(expected), "{said} instead of {expected}");
        }
    }

    /// What follows a listener that is not taken over must not open the one before it.
    #[test]
    fn options_of_a_listener_that_is_left_out_go_with_it() {
        check(
            "per_listener_settings true\nlistener 8883 127.0.0.1\nlistener 0 /run/x.sock\n\
             allow_anonymous true\nlistener 1883 pi.local\nallow_anonymous true",
            &[("127.0.0.1:8883", "password")],
            &[
                "1: users and rules are the same",
                "3: an address is asked for, not a name or a path: `/run/x.sock`",
                "4: of a listener that is not taken over",
                "5: an address is asked for, not a name or a path: `pi.local`",
                "6: of a listener that is not taken over",
            ],
        );
    }

    /// mosquitto.conf(5): unless `per_listener_settings` says so, the last of all counts for all.
    #[test]
    fn who_comes_without_a_login_is_said_for_all_listeners_or_for_each() {
        let two = "listener 1 ::1\nallow_anonymous true\nlistener 2 localhost\n";
        let open = ("[::1]:1", "anonymous");
        check(
            &format!("{two}allow_anonymous false"),
            &[("[::1]:1", "password"), ("127.0.0.1:2", "password")],
            &[],
        );
        check(two, &[open, ("127.0.0.1:2", "anonymous")], &[]);
        check(
            &format!("per_listener_settings true\n{two}"),
            &[open, ("127.0.0.1:2", "password")],
            &["same on all listeners"],
        );
    }

    #[test]
    fn certificates_are_asked_for_as_before() {
        let tls = "listener 8883 ::\ncertfile c.pem\nkeyfile k.pem\ncafile ca.pem\n";
        check(tls, &[("[::]:8883", "password")], &[]);
        let asked = format!("{tls}require_certificate true\n");
        check(&asked, &[("[::]:8883", "certificate-and-password")], &[]);
        let named = format!("{asked}use_identity_as_username true\nallow_anonymous true\n");
        check(&named, &[("[::]:8883", "certificate")], &[]);
        let revoked = format!("{asked}crlfile /etc/ca.crl\n");
        check(&revoked, &[("[::]:8883", "certificate-and-password")], &[]);
        let (toml, ..) = taken_over(&revoked, "", None);
        assert!(
            toml.contains(", client_ca = \"ca.pem\", client_crl = \"/etc/ca.crl\" }"),
            "{toml}"
        );
        let (toml, ..) = taken_over(&named, "", None);
        let files = "tls = { certificate = \"c.pem\", key = \"k.pem\", client_ca = \"ca.pem\" }";
        assert!(toml.contains(files), "{toml}");
        check(
            "listener 1883 ::\nrequire_certificate maybe\npassword_file a\npassword_file b",
            &[("[::]:1883", "password")],
            &["neither `true` nor `false`", "`a` was named before"],
        );
    }

    /// The queue of mosquitto is ours, and what is open is said to be.
    #[test]
    fn what_is_printed_can_be_checked_once_the_choice_is_made() {
        let conf = "max_queued_messages 500\nmax_queued_bytes 65536\nlistener 1883\n\
                    connection cloud\nremote_password hunter2secret\nbridge_psk 00112233\n";
        let mut left_out = LeftOut::default();
        let mut read = Mosquitto::default();
        let lines = crate::cli::import::lines_of(Path::new("a"), conf);
        read.lines(lines, Includes::Nothing, &mut left_out).unwrap();
        let said: Vec<_> = left_out.0.iter().map(|(line, _)| &*line.text).collect();
        assert_eq!(said, ["connection cloud", "remote_password …", "bridge_psk …"]);
        let toml = read.listeners();
        let parse = |text: String| {
            crate::config::parse(&[crate::config::Source { path: "a.toml".into(), text }])
        };
        assert!(toml.contains("# passwords cross the network in clear: "), "{toml}");
        assert!(parse(toml.clone()).is_err(), "{toml}");
        let settings = parse(toml.replace("#open", "open")).unwrap();
        let queue = (settings.broker.queue_messages, settings.broker.queue_bytes);
        assert_eq!(format!("{queue:?}"), "(Some(500), Some(65536))");
    }

    /// In the order of their names, and no further.
    #[test]
    fn files_of_a_folder_that_is_included_are_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let included = folder.path().join("conf.d");
        std::fs::create_dir(&included).unwrap();
        let include = format!("include_dir {}\n", included.display());
        file("mosquitto.conf", &format!("listener 1 ::1\n{include}"));
        file("conf.d/b.conf", &format!("listener 3 ::1\n{include}"));
        file("conf.d/a.conf", "listener 2 ::1\n");
        file("conf.d/c.txt", "listener 4 ::1\n");
        let mut left_out = LeftOut::default();
        let read = Mosquitto::read(folder.path(), &mut left_out).unwrap();
        let ports: Vec<_> = read.listeners.iter().map(|listener| &*listener.port).collect();
        assert_eq!(ports, ["1", "2", "3"]);
        let said: Vec<_> = left_out.0.iter().map(|(line, why)| (line.number, &**why)).collect();
        assert_eq!(said, [(2, "not understood")]);
    }

    /// Nobody may what a rule that cannot be read may have forbidden.
    #[test]
    fn a_denial_that_cannot_be_read_concerns_everything() {
        let login = "alice:$argon2id$v=19$m=12288,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$\
                     CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let reads = |denied: &str| {
            let rules = format!("user alice\ntopic deny {denied}\ntopic read b/#\n");
            let (_, users, _) = taken_over("", login, Some(&rules));
            users.to_text().contains("b/#")
        };
        assert!(reads("a/#"));
        assert!(!reads("a#"));
    }

    const HASH: &str = "$argon2id$v=19$m=12288,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$\
                        CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

    #[test]
    fn who_would_speak_for_the_gateway_is_told_that_it_does_not() {
        let rules = "user alice\ntopic write #\ntopic write maison/_gateway/event\n\
                     topic readwrite $SYS/#\n";
        let (_, users, said) = taken_over("", &format!("alice:{HASH}"), Some(rules));
        assert_eq!(
            said,
            [
                "2: only the gateway publishes to `maison/_gateway/#`; the rest is taken over",
                "3: only the gateway publishes to `maison/_gateway/#`",
                "4: only the gateway publishes to `$SYS/#`; the rest is taken over",
            ]
        );
        let text = users.to_text();
        assert!(text.contains(r##""read":["$SYS/#"],"publish":["#"]"##), "{text}");
    }

    #[test]
    fn of_a_user_who_is_named_twice_the_line_that_does_not_count_is_named() {
        let passwords = format!("alice:{HASH}\nbob:{HASH}\nalice:{HASH}\n");
        let (_, _, said) = taken_over("", &passwords, None);
        assert_eq!(said, ["1: the user is named again on line 3, which counts"]);
    }
}
