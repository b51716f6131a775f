//! How each broker is set up: its configuration, its certificate, its users.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::broker::Kind;

/// Where `benches/run` has laid out mosquitto, with the C library that it wants.
const MOSQUITTO: &str = "target/mosquitto/usr";
const LIBRARIES: &str = "lib/x86_64-linux-gnu";

/// Those that a broker with passwords knows.
pub const USERS: usize = 20;

/// How clients reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    Tls,
    WebSocket,
}

/// What is kept of a message before it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    PowerCut,
    Crash,
    Memory,
    /// As `PowerCut`, against a mosquitto whose SQLite plugin is at its strictest.
    Strict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    Nobody,
    Password,
}

#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub transport: Transport,
    pub durability: Durability,
    pub login: Login,
}

/// Everything on, and what acknowledges is kept across a power cut, as by default.
pub const PLAIN: Setup =
    Setup { transport: Transport::Tcp, durability: Durability::PowerCut, login: Login::Nobody };

/// Name and password of a user.
pub fn user(index: usize) -> (String, String) {
    (format!("device-{}", index % USERS), format!("a long password {}", index % USERS))
}

/// Where a broker lives.
pub struct Place<'a> {
    pub address: SocketAddr,
    pub folder: &'a Path,
    pub maison: &'a Path,
}

impl Setup {
    /// The command that runs it. Bounds that a workload would meet are lifted for all alike.
    pub fn command(&self, kind: Kind, place: &Place<'_>) -> Result<Command> {
        let keys = match self.transport {
            Transport::Tls => Some(Keys::make(place.folder)?),
            Transport::Tcp | Transport::WebSocket => None,
        };
        match kind {
            Kind::Maison => self.maison(place, keys.as_ref()),
            Kind::Mosquitto => self.mosquitto(place, keys.as_ref()),
            Kind::Rumqttd => self.rumqttd(place, keys.as_ref()),
        }
    }

    fn maison(&self, place: &Place<'_>, keys: Option<&Keys>) -> Result<Command> {
        let Place { address, folder, maison } = place;
        let durability = match self.durability {
            Durability::PowerCut | Durability::Strict => "power-cut",
            Durability::Crash => "crash",
            Durability::Memory => "memory",
        };
        let tls = keys.map_or(String::new(), |Keys { certificate, key }| {
            let (certificate, key) = (certificate.display(), key.display());
            format!("tls = {{ certificate = \"{certificate}\", key = \"{key}\" }}\n")
        });
        let auth = match self.login {
            Login::Nobody => "anonymous",
            Login::Password => "password",
        };
        let text = format!(
            "[gateway]\nstate_dir = \"{state}\"\n[broker]\ndurability = \"{durability}\"\n\
             max_packet_size = \"16 MiB\"\nqueue = {{ messages = 0, bytes = \"1 GiB\" }}\n\
             [broker.limits]\nconnections = 6000\nconnections_per_address = 6000\n\
             sessions_per_user = 6000\nunfinished = \"64 MiB\"\nqueued = \"2 GiB\"\n\
             [[listener]]\nbind = \"{address}\"\nauth = \"{auth}\"\nwebsocket = {websocket}\n{tls}",
            state = folder.join("state").display(),
            websocket = self.transport == Transport::WebSocket,
        );
        let file = folder.join("maison.toml");
        fs::write(&file, text)?;
        if self.login == Login::Password {
            for (name, password) in (0..USERS).map(user) {
                let add = ["user", "add", &name, "--config"];
                said(Command::new(maison).args(add).arg(&file), &password)?;
            }
        }
        let mut command = Command::new(maison);
        command.args(["run", "--config"]).arg(file).env("MAISON_LOG", "warn");
        Ok(command)
    }

    fn mosquitto(&self, place: &Place<'_>, keys: Option<&Keys>) -> Result<Command> {
        let Place { address, folder, .. } = place;
        let mut text = format!("listener {} {}\n", address.port(), address.ip());
        if let Some(Keys { certificate, key }) = keys {
            text += &format!("certfile {}\nkeyfile {}\n", certificate.display(), key.display());
        }
        if self.transport == Transport::WebSocket {
            text += "protocol websockets\n";
        }
        text += "max_queued_messages 0\nmax_packet_size 16777216\nuser root\n";
        text += &match self.login {
            Login::Nobody => "allow_anonymous true\n".to_owned(),
            Login::Password => {
                let users = folder.join("users");
                fs::write(&users, "")?;
                for (name, password) in (0..USERS).map(user) {
                    let mut command = of_mosquitto("bin/mosquitto_passwd")?;
                    said(command.arg("-b").arg(&users).args([name, password]), "")?;
                }
                format!("password_file {}\n", users.display())
            }
        };
        if self.durability == Durability::Strict {
            let plugin = fs::canonicalize(MOSQUITTO)?
                .join(LIBRARIES)
                .join("mosquitto/mosquitto_persist_sqlite.so");
            text += &format!(
                "plugin {plugin}\nplugin_opt_db_file {file}\nplugin_opt_sync extra\n\
                 plugin_opt_flush_period 0\n",
                plugin = plugin.display(),
                file = folder.join("mosquitto.db").display(),
            );
        }
        let file = folder.join("mosquitto.conf");
        fs::write(&file, text)?;
        let mut command = of_mosquitto("sbin/mosquitto")?;
        command.arg("-c").arg(file);
        Ok(command)
    }

    fn rumqttd(&self, place: &Place<'_>, keys: Option<&Keys>) -> Result<Command> {
        let tls = keys.map(|Keys { certificate, key }| {
            serde_json::json!({ "certpath": certificate, "keypath": key })
        });
        let auth = (self.login == Login::Password)
            .then(|| (0..USERS).map(user).collect::<std::collections::BTreeMap<_, _>>());
        let config = serde_json::json!({
            "id": 0,
            "router": {
                "id": 0, "max_connections": 10_010, "max_outgoing_packet_count": 200,
                "max_segment_size": 104_857_600, "max_segment_count": 10,
            },
            "v4": { "1": {
                "name": "v4", "listen": place.address, "tls": tls, "next_connection_delay_ms": 0,
                "connections": {
                    "connection_timeout_ms": 60_000, "max_payload_size": 16_777_216,
                    "max_inflight_count": 100, "dynamic_filters": true, "auth": auth,
                },
            } },
        });
        let file = place.folder.join("rumqttd.json");
        fs::write(&file, config.to_string())?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("rumqttd").arg(file);
        Ok(command)
    }
}

/// One of mosquitto's programs, with its own libraries.
pub fn of_mosquitto(program: &str) -> Result<Command> {
    let root = fs::canonicalize(MOSQUITTO).context("mosquitto is laid out by benches/run")?;
    let libraries = root.join(LIBRARIES);
    let mut command = Command::new(libraries.join("ld-linux-x86-64.so.2"));
    command.arg("--library-path").arg(&libraries).arg(root.join(program));
    Ok(command)
}

/// Certificate of the authority that clients trust.
pub fn authority(folder: &Path) -> PathBuf {
    folder.join(Keys::CERTIFICATE)
}

/// A self-signed certificate for `localhost`.
struct Keys {
    certificate: PathBuf,
    key: PathBuf,
}

impl Keys {
    const CERTIFICATE: &str = "server.pem";

    fn make(folder: &Path) -> Result<Self> {
        let keys = Self { certificate: authority(folder), key: folder.join("server.key") };
        let mut command = Command::new("openssl");
        command
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(["-nodes", "-days", "30", "-subj", "/CN=localhost"])
            .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-keyout")
            .arg(&keys.key)
            .arg("-out")
            .arg(&keys.certificate);
        said(&mut command, "")?;
        Ok(keys)
    }
}

/// Runs a command to its end, with that line as its input.
fn said(command: &mut Command, line: &str) -> Result<()> {
    let name = command.get_program().to_owned();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot run {name:?}"))?;
    if let Some(mut input) = child.stdin.take() {
        // Who reads nothing may be gone already.
        let _ = writeln!(input, "{line}");
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("{name:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
