//! A broker that is measured: a process of its own, with an empty folder and a free port.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::setup::{self, Place, Setup, Transport};
use crate::stream::Dial;

const START_MAX: Duration = Duration::from_secs(60);

/// Which broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Maison,
    Mosquitto,
    Rumqttd,
}

/// A broker at work; killed when dropped.
pub struct Broker {
    pub address: SocketAddr,
    transport: Transport,
    child: Child,
    command: Command,
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
    /// Starts one and waits until it answers, and has done what it does at its start.
    pub fn start(kind: Kind, setup: &Setup, maison: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let address = free_address()?;
        let command = setup.command(kind, &Place { address, folder: folder.path(), maison })?;
        let broker = Self::launch(command, address, setup.transport, folder)?;
        sleep(Duration::from_millis(300));
        Ok(broker)
    }

    /// Runs that command and waits until it listens.
    pub fn launch(
        mut command: Command,
        address: SocketAddr,
        transport: Transport,
        folder: TempDir,
    ) -> Result<Self> {
        let log = File::create(folder.path().join("log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let name = command.get_program().to_owned();
        let child = command.spawn().with_context(|| format!("cannot start {name:?}"))?;
        let mut broker = Self { address, transport, child, command, folder };
        broker.wait()?;
        Ok(broker)
    }

    /// Kills it and starts it again on what it has kept.
    pub fn restart(&mut self) -> Result<()> {
        let _ = self.child.kill();
        self.child.wait()?;
        self.child = self.command.spawn()?;
        self.wait()
    }

    fn wait(&mut self) -> Result<()> {
        let begun = Instant::now();
        while !listens(self.address) {
            if self.child.try_wait()?.is_some() || begun.elapsed() > START_MAX {
                let log = fs::read_to_string(self.folder.path().join("log"))?;
                bail!("{:?} does not listen:\n{log}", self.command.get_program());
            }
            sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// How clients reach it.
    pub fn dial(&self) -> Result<Dial> {
        match self.transport {
            Transport::Tcp => Ok(Dial::Tcp),
            Transport::Tls => Dial::tls(&setup::authority(self.folder.path())),
            Transport::WebSocket => Ok(Dial::WebSocket),
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Processor time that all its threads have taken, in seconds; the kernel counts nanoseconds.
    pub fn processor_time(&self) -> Result<f64> {
        let mut nanoseconds = 0.0;
        for task in fs::read_dir(format!("/proc/{}/task", self.id()))? {
            let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            let spent = text.split_whitespace().next().unwrap_or("0");
            nanoseconds += spent.parse::<f64>()?;
        }
        Ok(nanoseconds / 1e9)
    }

    /// How often its threads went to sleep by themselves.
    pub fn sleeps(&self) -> Result<f64> {
        let mut sleeps = 0.0;
        for task in fs::read_dir(format!("/proc/{}/task", self.id()))? {
            sleeps += field(&task?.path().join("status"), "voluntary_ctxt_switches:")?;
        }
        Ok(sleeps)
    }

    /// Bytes that it has had written to disks.
    pub fn written(&self) -> Result<f64> {
        field(Path::new(&format!("/proc/{}/io", self.id())), "write_bytes:")
    }

    /// Memory that is its own, in KiB.
    pub fn memory(&self) -> Result<f64> {
        field(Path::new(&format!("/proc/{}/status", self.id())), "VmRSS:")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Of this machine, with a port that nobody has.
pub fn free_address() -> Result<SocketAddr> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

/// Whether somebody does; a connection that the kernel makes from a port to itself is nobody.
fn listens(address: SocketAddr) -> bool {
    let connected = TcpStream::connect(address);
    connected.and_then(|it| it.local_addr()).is_ok_and(|local| local != address)
}

/// A number behind a name in a file of the kernel's.
fn field(file: &Path, name: &str) -> Result<f64> {
    let text = fs::read_to_string(file)?;
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    let number = value.and_then(|value| value.split_whitespace().next());
    Ok(number.with_context(|| format!("no {name} in {}", file.display()))?.parse()?)
}

/// Works as rumqttd, for ever.
pub fn serve_rumqttd(config: &Path) -> Result<()> {
    let config: rumqttd::Config = serde_json::from_slice(&fs::read(config)?)?;
    rumqttd::Broker::new(config).start()?;
    bail!("rumqttd has ended")
}
