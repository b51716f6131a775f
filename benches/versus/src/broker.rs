//! A broker that is measured: a process of its own, with an empty folder and a free port.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

const START_MAX: Duration = Duration::from_secs(20);

/// Which broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Maison,
    Mosquitto,
    Rumqttd,
}

/// How clients reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    Tls,
}

/// A broker at work; killed when dropped.
pub struct Broker {
    pub kind: Kind,
    pub address: SocketAddr,
    child: Child,
    folder: TempDir,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Maison, Self::Mosquitto, Self::Rumqttd];

    pub fn name(self) -> &'static str {
        match self {
            Self::Maison => "maison",
            Self::Mosquitto => "mosquitto",
            Self::Rumqttd => "rumqttd",
        }
    }
}

impl Broker {
    /// Starts one and waits until it answers.
    pub fn start(kind: Kind, transport: Transport, maison: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let keys = match transport {
            Transport::Tcp => None,
            Transport::Tls => Some(Keys::make(folder.path())?),
        };
        let mut command = match kind {
            Kind::Maison => maison_at(address, keys.as_ref(), folder.path(), maison)?,
            Kind::Mosquitto => mosquitto_at(address, keys.as_ref(), folder.path())?,
            Kind::Rumqttd => rumqttd_at(address, keys.as_ref(), folder.path())?,
        };
        let log = File::create(folder.path().join("log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("cannot start {}", kind.name()))?;
        let mut broker = Self { kind, address, child, folder };
        broker.wait()?;
        Ok(broker)
    }

    fn wait(&mut self) -> Result<()> {
        let begun = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            if self.child.try_wait()?.is_some() || begun.elapsed() > START_MAX {
                let log = fs::read_to_string(self.folder.path().join("log"))?;
                bail!("{} does not listen:\n{log}", self.kind.name());
            }
            sleep(Duration::from_millis(10));
        }
        // What it does at its start is not to be counted.
        sleep(Duration::from_millis(300));
        Ok(())
    }

    /// Certificate of the authority that clients trust.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join(Keys::CERTIFICATE)
    }

    /// Processor time that all its threads have taken, in seconds; the kernel counts nanoseconds.
    pub fn processor_time(&self) -> Result<f64> {
        let mut nanoseconds = 0.0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            let spent = text.split_whitespace().next().unwrap_or("0");
            nanoseconds += spent.parse::<f64>()?;
        }
        Ok(nanoseconds / 1e9)
    }

    /// Memory that is its own, in KiB.
    pub fn memory(&self) -> Result<f64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = text.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
        let kib = line.split_whitespace().nth(1).context("no VmRSS")?;
        Ok(kib.parse()?)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A self-signed certificate for `localhost`.
struct Keys {
    certificate: PathBuf,
    key: PathBuf,
}

impl Keys {
    const CERTIFICATE: &str = "server.pem";

    fn make(folder: &Path) -> Result<Self> {
        let keys =
            Self { certificate: folder.join(Self::CERTIFICATE), key: folder.join("server.key") };
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(["-nodes", "-days", "30", "-subj", "/CN=localhost"])
            .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-keyout")
            .arg(&keys.key)
            .arg("-out")
            .arg(&keys.certificate)
            .output()
            .context("cannot run openssl")?;
        if !made.status.success() {
            bail!("openssl: {}", String::from_utf8_lossy(&made.stderr));
        }
        Ok(keys)
    }
}

/// Everything on, and what acknowledges is kept across a power cut, as by default. Bounds that a
/// workload would meet are lifted for all brokers alike.
fn maison_at(
    address: SocketAddr,
    keys: Option<&Keys>,
    folder: &Path,
    binary: &Path,
) -> Result<Command> {
    let tls = keys.map_or(String::new(), |Keys { certificate, key }| {
        let (certificate, key) = (certificate.display(), key.display());
        format!("tls = {{ certificate = \"{certificate}\", key = \"{key}\" }}\n")
    });
    let text = format!(
        "[gateway]\nstate_dir = \"{state}\"\n\
         [broker]\nmax_packet_size = \"16 MiB\"\nqueue = {{ messages = 0, bytes = \"1 GiB\" }}\n\
         [broker.limits]\nconnections = 6000\nconnections_per_address = 6000\n\
         sessions_per_user = 6000\nunfinished = \"64 MiB\"\nqueued = \"2 GiB\"\n\
         [[listener]]\nbind = \"{address}\"\nauth = \"anonymous\"\n{tls}",
        state = folder.join("state").display(),
    );
    let file = folder.join("maison.toml");
    fs::write(&file, text)?;
    let mut command = Command::new(binary);
    command.args(["run", "--config"]).arg(file).env("MAISON_LOG", "warn");
    Ok(command)
}

fn mosquitto_at(address: SocketAddr, keys: Option<&Keys>, folder: &Path) -> Result<Command> {
    let tls = keys.map_or(String::new(), |Keys { certificate, key }| {
        format!("certfile {}\nkeyfile {}\n", certificate.display(), key.display())
    });
    let text = format!(
        "listener {} {}\n{tls}allow_anonymous true\nmax_queued_messages 0\nuser root\n",
        address.port(),
        address.ip()
    );
    let file = folder.join("mosquitto.conf");
    fs::write(&file, text)?;
    let mut command = Command::new("mosquitto");
    command.arg("-c").arg(file).env("PATH", "/usr/sbin:/usr/bin:/bin");
    Ok(command)
}

fn rumqttd_at(address: SocketAddr, keys: Option<&Keys>, folder: &Path) -> Result<Command> {
    let tls = keys.map(
        |Keys { certificate, key }| serde_json::json!({ "certpath": certificate, "keypath": key }),
    );
    let config = serde_json::json!({
        "id": 0,
        "router": {
            "id": 0, "max_connections": 10_010, "max_outgoing_packet_count": 200,
            "max_segment_size": 104_857_600, "max_segment_count": 10,
        },
        "v4": { "1": {
            "name": "v4", "listen": address, "tls": tls, "next_connection_delay_ms": 0,
            "connections": {
                "connection_timeout_ms": 60_000, "max_payload_size": 16_777_216,
                "max_inflight_count": 100, "dynamic_filters": true,
            },
        } },
    });
    let file = folder.join("rumqttd.json");
    fs::write(&file, config.to_string())?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("rumqttd").arg(file);
    Ok(command)
}

/// Works as rumqttd, for ever.
pub fn serve_rumqttd(config: &Path) -> Result<()> {
    let config: rumqttd::Config = serde_json::from_slice(&fs::read(config)?)?;
    rumqttd::Broker::new(config).start()?;
    bail!("rumqttd has ended")
}
