//! A broker that is measured: the real binary, or Debian's mosquitto.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::gateway::Gateway;

const BROKER: &str = "queue = { messages = 0, bytes = 0 }\n";
const LIMITS: &str =
    "[broker.limits]\nconnections = 6000\nconnections_per_address = 6000\nsessions_per_user = 6000";
/// Bounds of its own that a workload meets are lifted, as those of the gateway.
const MOSQUITTO: &str = "allow_anonymous true\nmax_queued_messages 0\n";

pub(super) struct Rival {
    pub port: u16,
    process: Process,
}

enum Process {
    Gateway(Gateway),
    Mosquitto(Child, #[expect(dead_code, reason = "kept as long as it runs")] TempDir),
}

impl Rival {
    pub(super) fn gateway() -> Self {
        let folder = Gateway::prepare_keeping("memory", BROKER, LIMITS);
        let gateway = Gateway::spawn_with(folder, |command| {
            command.env("MAISON_LOG", "info");
        });
        gateway.wait_for_log("ready");
        Self { port: gateway.plain_port(), process: Process::Gateway(gateway) }
    }

    pub(super) fn mosquitto() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let file = folder.path().join("mosquitto.conf");
        let text = format!("listener {port} 127.0.0.1\n{MOSQUITTO}user root\n");
        fs::write(&file, text).unwrap();
        let mut command = Command::new("mosquitto");
        let child = command.arg("-c").arg(&file).stderr(Stdio::null()).spawn();
        let child = child.expect("`tests/figures` installs mosquitto");
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            thread::sleep(Duration::from_millis(10));
        }
        Self { port, process: Process::Mosquitto(child, folder) }
    }

    fn id(&self) -> u32 {
        match &self.process {
            Process::Gateway(gateway) => gateway.id(),
            Process::Mosquitto(child, _) => child.id(),
        }
    }

    /// MiB of it that are in the machine's memory.
    pub(super) fn memory(&self) -> f64 {
        let id = self.id();
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib / 1024.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Self::Mosquitto(child, _) = self {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
