//! The unit in systemd's own eyes, and what the real binary tells a service manager.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::gateway::{Client, Gateway, Lines, SALON, recorded_tree, script, tool};

fn unit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/maison.service")
}

fn analyze(arguments: &[&str]) -> String {
    let output = Command::new("systemd-analyze").args(arguments).output().unwrap_or_else(|error| {
        panic!("systemd-analyze: {error}; `tests/run` installs what the tests need")
    });
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn exposure_of_the_unit_is_at_most_1_7() {
    let said = analyze(&["security", "--offline=true", "--no-pager", unit().to_str().unwrap()]);
    let last = said.lines().rev().find(|line| line.contains("exposure level")).unwrap();
    let level = last.split("maison.service: ").nth(1).unwrap().split(' ').next().unwrap();
    assert!(level.parse::<f64>().unwrap() <= 1.7, "{last}");
}

/// With this build in the place of the program, since systemd looks whether it is there.
#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["maison.service", "maison.socket"] {
        let text = fs::read_to_string(unit().with_file_name(name)).unwrap();
        let text = text.replace("/usr/bin/maison", env!("CARGO_BIN_EXE_maison"));
        fs::write(folder.path().join(name), text).unwrap();
    }
    for name in ["maison.service", "maison.socket"] {
        let path = folder.path().join(name);
        let said = analyze(&["verify", "--man=no", path.to_str().unwrap()]);
        let ours: Vec<_> = said.lines().filter(|line| line.contains("maison")).collect();
        assert!(ours.is_empty(), "{said}");
    }
}

/// A wrong file is not tried again and again, and a stop is over before it is forced.
#[test]
fn the_unit_says_what_the_program_promises() {
    let text = fs::read_to_string(unit()).unwrap();
    for line in
        ["Type=notify", "RestartPreventExitStatus=77 78", "WatchdogSec=30s", "Restart=on-failure"]
    {
        assert!(text.lines().any(|found| found == line), "no `{line}`");
    }
    // systemd tries again what this refuses, whatever its status.
    assert!(!text.lines().any(|line| line.starts_with("ExecStartPre=")), "{text}");
}

/// What a service manager hears.
struct Manager {
    socket: UnixDatagram,
    told: Vec<String>,
}

impl Manager {
    fn listen(folder: &Path) -> Self {
        let socket = UnixDatagram::bind(folder.join("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        Self { socket, told: Vec::new() }
    }

    /// Takes what comes for so long.
    fn listen_for(&mut self, time: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < time {
            let mut buffer = [0; 4096];
            if let Ok(read) = self.socket.recv(&mut buffer) {
                self.told.push(String::from_utf8_lossy(&buffer[..read]).into_owned());
            }
        }
    }

    /// The first word that fits, among those that were not asked for yet.
    #[track_caller]
    fn wait_for(&mut self, what: &str) -> String {
        let begun = Instant::now();
        loop {
            if let Some(at) = self.told.iter().position(|told| told.contains(what)) {
                return self.told.drain(..=at).next_back().unwrap();
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "no {what}: {:?}", self.told);
            self.listen_for(Duration::from_millis(100));
        }
    }
}

fn managed(watchdog: &str) -> (Gateway, Manager) {
    let folder = Gateway::prepare(SALON);
    recorded_tree(&folder.path().join("sys"));
    let manager = Manager::listen(folder.path());
    let socket = folder.path().join("notify");
    let gateway = Gateway::spawn_with(folder, |command| {
        command.env("NOTIFY_SOCKET", socket).env("WATCHDOG_USEC", watchdog);
    });
    (gateway, manager)
}

/// Since the machine started, in microseconds.
fn uptime() -> i64 {
    let text = fs::read_to_string("/proc/uptime").unwrap();
    let seconds = text.split(' ').next().unwrap().replace('.', "");
    seconds.parse::<i64>().unwrap() * 10_000
}

/// `sd_notify(3)`: RELOADING comes with the time it began, in one message, and READY ends it, also
/// where the file was refused.
#[test]
fn a_reload_is_told_with_its_time_and_its_end() {
    let (gateway, mut manager) = managed("30000000");
    manager.wait_for("READY=1");
    for text in ["# changed\n", "[nonsense]\n"] {
        let before = uptime();
        let content = fs::read_to_string(gateway.config()).unwrap();
        fs::write(gateway.config(), content + text).unwrap();
        gateway.signal(Signal::HUP);
        let told = manager.wait_for("RELOADING=1");
        let time = told.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
        let time: i64 = time.unwrap_or_else(|| panic!("no time in {told:?}")).parse().unwrap();
        // The kernel tells its own to a hundredth of a second.
        assert!((time - before + 10_000) >= 0 && time - before < 60_000_000, "{told:?}");
        manager.wait_for("READY=1");
    }
}

/// The process as a whole, as when the brain never returns: nothing is said until it goes on.
#[test]
fn a_process_that_does_not_go_on_starves_the_watchdog() {
    let (gateway, mut manager) = managed("300000");
    manager.wait_for("WATCHDOG=1");
    gateway.signal(Signal::STOP);
    manager.listen_for(Duration::from_millis(300));
    manager.told.clear();
    manager.listen_for(Duration::from_secs(2));
    assert_eq!(manager.told, Vec::<String>::new());
    gateway.signal(Signal::CONT);
    manager.wait_for("WATCHDOG=1");
}

/// One thread is held by its collar, as by a driver that does not come back, while all others go
/// on. It takes as long as a slow bus may: a minute.
#[test]
fn a_bus_that_is_stuck_starves_the_watchdog_while_all_else_goes_on() {
    let (gateway, mut manager) = managed("3000000");
    manager.wait_for("READY=1");
    let mut command = Command::new(tool("MAISON_TEST_PYTHON", "python/bin/python"));
    command.args([script("hold_thread.py"), gateway.id().to_string(), "w1-0".to_owned()]);
    let mut holder = Client::start(&mut command);
    holder.lines.wait("held", |line| line == "held" || line == "forbidden");
    if holder.lines.all().contains(&"forbidden".to_owned()) {
        eprintln!("this machine lets nobody hold a thread");
        return;
    }
    let begun = Instant::now();
    while !gateway.has_logged("sampling loop does not go round") {
        assert!(begun.elapsed() < Duration::from_secs(120), "it was not noticed");
        manager.listen_for(Duration::from_secs(1));
    }
    manager.told.clear();
    manager.listen_for(Duration::from_secs(5));
    assert!(!manager.told.iter().any(|told| told.contains("WATCHDOG")), "{:?}", manager.told);
    let port = gateway.plain_port().to_string();
    let publish = ["pub", "note", "x", "--qos", "1", "--port", &port];
    assert!(crate::gateway::binary().args(publish).status().unwrap().success());
    let config = gateway.config();
    let config = config.to_str().unwrap();
    let status = crate::gateway::binary().args(["status", "--config", config]).output().unwrap();
    let said = String::from_utf8(status.stdout).unwrap();
    assert!(said.contains("the thread of a bus is stuck: w1-0"), "{said}");
    drop(gateway);
    holder.end();
}

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// systemd's own tool holds the ports and starts the gateway with the first who comes; after a
/// reload without the listener and one with it, the socket still serves.
#[test]
fn sockets_of_systemd_serve_the_listeners_that_have_their_addresses() {
    let folder = Gateway::prepare(SALON);
    recorded_tree(&folder.path().join("sys"));
    let config = folder.path().join("maison.toml");
    let free = || {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        socket.local_addr().unwrap()
    };
    let (plain, unused) = (free(), free());
    let text = fs::read_to_string(&config).unwrap();
    let text = text.replacen("127.0.0.1:0", &plain.to_string(), 1);
    let text = text.replacen("[gateway]\n", "[gateway]\nwatch_files = false\n", 1);
    fs::write(&config, &text).unwrap();
    let mut command = Command::new("systemd-socket-activate");
    command.arg("-l").arg(plain.to_string()).arg("-l").arg(unused.to_string());
    command.args(["-E", "MAISON_LOG=debug", "-E", "NO_COLOR=1", env!("CARGO_BIN_EXE_maison")]);
    command.args(["run", "--config", config.to_str().unwrap()]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let log = Lines::of(child.stderr.take().unwrap());
    let _child = Process(child);
    log.wait("Listening", |line| line.contains(&format!("Listening on {unused}")));
    let port = plain.port().to_string();
    let subscribe = || {
        let mut command = Command::new("mosquitto_sub");
        command.args(["-t", "maison/salon/temperature", "-h", "127.0.0.1", "-p", &port]);
        Client::start(&mut command)
    };
    subscribe().expect("21.4");
    log.wait("used", |line| line.contains("socket of systemd is used"));
    log.wait("unused", |line| {
        line.contains("no listener in the configuration") && line.contains(&unused.to_string())
    });
    let reload = |text: &str, expected: &str| {
        fs::write(&config, text).unwrap();
        let mut command = crate::gateway::binary();
        let output = command.args(["reload", "--config", config.to_str().unwrap()]).output();
        let output = output.unwrap();
        let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(told.contains(expected), "{told}");
    };
    let without = text.replacen(&format!("bind = \"{plain}\""), "bind = \"127.0.0.1:0\"", 1);
    reload(&without, &format!("listener removed: {plain}"));
    reload(&text, &format!("listener added: {plain}"));
    subscribe().expect("21.4");
}
