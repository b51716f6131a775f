//! The real binary, started as a user would: a configuration, a state folder, a tree of sensor
//! files.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub(crate) const PASSWORD: &str = "correct horse";
/// Longest a test waits for what must come: generous, for a noisy machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn binary() -> Command {
    Command::new(env!("CARGO_BIN_EXE_maison"))
}

/// The same as a user who may nothing, where such a one can be had; `folder` is open to it then.
pub(crate) fn nobodys_binary(folder: &Path) -> Command {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    // Whoever has built it may have it in a folder of his own.
    let copy = folder.join("maison");
    fs::copy(env!("CARGO_BIN_EXE_maison"), &copy).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&copy);
    command
}

/// A folder with a configuration in it, and the gateway that runs on it.
pub(crate) struct Gateway {
    pub folder: TempDir,
    child: Child,
    log: Lines,
}

impl Gateway {
    /// A folder whose configuration has a plain listener for this machine, a TLS listener with
    /// password, and these rooms; nothing runs yet.
    pub(crate) fn prepare(rooms: &str) -> TempDir {
        Self::prepare_with("", rooms)
    }

    /// The same, with these keys of `[broker]`.
    pub(crate) fn prepare_with(broker: &str, rooms: &str) -> TempDir {
        Self::prepare_keeping("memory", broker, rooms)
    }

    /// The same, with that `durability`.
    pub(crate) fn prepare_keeping(durability: &str, broker: &str, rooms: &str) -> TempDir {
        let listeners =
            [listener(0, "auth = \"anonymous\""), listener(0, "tls = true\nauth = \"password\"")];
        Self::prepare_all(durability, broker, &(listeners.concat() + rooms))
    }

    /// A folder whose configuration has these listeners and rooms, and the recorded house.
    pub(crate) fn prepare_listening(listeners: &[String], rooms: &str) -> TempDir {
        let folder = Self::prepare_all("memory", "", &(listeners.concat() + rooms));
        recorded_tree(&folder.path().join("sys"));
        folder
    }

    /// The same with a store: what is not said is the default.
    pub(crate) fn prepare_with_store(listeners: &[String], rooms: &str) -> TempDir {
        let folder = Self::prepare_listening(listeners, rooms);
        let config = folder.path().join("maison.toml");
        let text = fs::read_to_string(&config).unwrap();
        fs::write(&config, text.replace("durability = \"memory\"\n", "")).unwrap();
        folder
    }

    fn prepare_all(durability: &str, broker: &str, rest: &str) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        let text = format!(
            "[gateway]\nstate_dir = \"{path}/state\"\n[broker]\ndurability = \"{durability}\"\n\
             {broker}\n[hardware]\nsysfs = \"{path}/sys\"\n"
        );
        fs::write(folder.path().join("maison.toml"), text + rest).unwrap();
        fs::create_dir(folder.path().join("sys")).unwrap();
        folder
    }

    /// Runs the gateway of a prepared folder and waits until it is ready.
    pub(crate) fn start(folder: TempDir) -> Self {
        let gateway = Self::spawn(folder);
        gateway.log.wait("ready", |line| line.contains("ready"));
        gateway
    }

    pub(crate) fn spawn(folder: TempDir) -> Self {
        Self::spawn_with(folder, |_| {})
    }

    pub(crate) fn spawn_with(folder: TempDir, change: impl FnOnce(&mut Command)) -> Self {
        Self::spawn_by(folder, &["run", "--config"], change)
    }

    /// The same on simulated buses.
    pub(crate) fn simulate(folder: TempDir) -> Self {
        let gateway = Self::spawn_by(folder, &["simulate"], |_| {});
        gateway.log.wait("started", |line| line.contains("started"));
        gateway
    }

    fn spawn_by(folder: TempDir, words: &[&str], change: impl FnOnce(&mut Command)) -> Self {
        let config = folder.path().join("maison.toml");
        let mut command = binary();
        command
            .args(words)
            .arg(config)
            .envs([("MAISON_LOG", "debug"), ("NO_COLOR", "1")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        change(&mut command);
        let mut child = command.spawn().unwrap();
        let log = Lines::of(child.stderr.take().unwrap());
        Self { folder, child, log }
    }

    /// Starts with these rooms and the user `bob`.
    pub(crate) fn with_bob(rooms: &str, prepare: impl FnOnce(&Path)) -> Self {
        let folder = Self::prepare(rooms);
        prepare(&folder.path().join("sys"));
        let gateway = Self::start(folder);
        add_user(&gateway.config(), "bob", PASSWORD);
        gateway
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("maison.toml")
    }

    /// `maison` with these arguments and this gateway's configuration, in its folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        let mut command = binary();
        command.current_dir(self.folder.path()).args(arguments);
        command.arg("--config").arg(self.config()).output().unwrap()
    }

    /// What it prints.
    #[track_caller]
    pub(crate) fn says(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What it complains of, with its status.
    #[track_caller]
    pub(crate) fn complains(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.command(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }

    /// Changes its configuration; nothing is told.
    pub(crate) fn edit(&self, change: impl FnOnce(String) -> String) {
        let text = fs::read_to_string(self.config()).unwrap();
        fs::write(self.config(), change(text)).unwrap();
    }

    pub(crate) fn sysfs(&self) -> PathBuf {
        self.folder.path().join("sys")
    }

    pub(crate) fn authority(&self) -> String {
        self.folder.path().join("state/ca.pem").to_str().unwrap().to_owned()
    }

    pub(crate) fn port(&self, tls: bool) -> u16 {
        self.port_of(&format!("tls={tls} websocket=false"))
    }

    /// Where MQTT is spoken inside WebSocket, if the configuration says so.
    pub(crate) fn websocket_port(&self, tls: bool) -> u16 {
        self.port_of(&format!("tls={tls} websocket=true"))
    }

    fn port_of(&self, wanted: &str) -> u16 {
        let is_it = |line: &str| line.contains("listening") && line.contains(wanted);
        let line = self.log.wait("listening", is_it);
        let address = line.split("address=").nth(1).unwrap().split(' ').next().unwrap();
        address.parse::<std::net::SocketAddr>().unwrap().port()
    }

    pub(crate) fn plain_port(&self) -> u16 {
        self.port(false)
    }

    pub(crate) fn tls_port(&self) -> u16 {
        self.port(true)
    }

    pub(crate) fn wait_for_log(&self, what: &str) -> String {
        self.log.wait(what, |line| line.contains(what))
    }

    /// Waits until so many lines fit; those that do.
    #[track_caller]
    pub(crate) fn wait_for_lines(&self, count: usize, fits: impl Fn(&str) -> bool) -> Vec<String> {
        let fitting = |lines: &[String]| lines.iter().filter(|line| fits(line)).count();
        self.log.wait_until(&format!("{count} lines"), |lines| fitting(lines) >= count);
        self.log.all().into_iter().filter(|line| fits(line)).collect()
    }

    /// Waits until so many lines have this in them.
    #[track_caller]
    pub(crate) fn wait_for_logs(&self, count: usize, what: &str) -> Vec<String> {
        self.wait_for_lines(count, |line| line.contains(what))
    }

    pub(crate) fn has_logged(&self, what: &str) -> bool {
        self.log.all().iter().any(|line| line.contains(what))
    }

    /// The lines so far that have this in them.
    pub(crate) fn logged(&self, what: &str) -> Vec<String> {
        self.log.all().into_iter().filter(|line| line.contains(what)).collect()
    }

    /// What the kernel says of its memory, in KiB: `VmRSS` now, `VmHWM` the most there was.
    pub(crate) fn memory(&self, what: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(what)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).unwrap();
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    pub(crate) fn end_by(&mut self, signal: rustix::process::Signal) -> ExitStatus {
        self.signal(signal);
        self.wait()
    }

    /// SIGTERM; how it ended, and after how long.
    pub(crate) fn stop(&mut self) -> (ExitStatus, Duration) {
        self.signal(rustix::process::Signal::TERM);
        let started = Instant::now();
        (self.child.wait().unwrap(), started.elapsed())
    }

    /// SIGKILL; gives the folder back for another start.
    pub(crate) fn kill(self) -> TempDir {
        let mut this = self;
        this.child.kill().unwrap();
        this.child.wait().unwrap();
        std::mem::replace(&mut this.folder, tempfile::tempdir().unwrap())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- the gateway's log ---\n{}", self.log.all().join("\n"));
        }
    }
}

/// A source of `tests/`, compiled to be preloaded.
pub(crate) fn shared_library(source: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(source);
    let name = source.with_extension("so");
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name.file_name().unwrap());
    let draft = library.with_extension(std::process::id().to_string());
    let mut command = Command::new("cc");
    command.args(["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"]);
    let compiled = command.arg(&draft).arg(source).arg("-ldl").status();
    assert!(compiled.expect("a C compiler").success());
    fs::rename(draft, &library).unwrap();
    library
}

/// A listener of a configuration, for this machine.
pub(crate) fn listener(port: u16, rest: &str) -> String {
    format!("[[listener]]\nbind = \"127.0.0.1:{port}\"\n{rest}\n")
}

/// A port that is free now.
pub(crate) fn free_port() -> u16 {
    // Below those that the kernel gives to whoever connects: nobody takes one by accident between
    // here and its use, and no other test is given the same.
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 10_000).unwrap();
    loop {
        let port = 20_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A room with a sensor of the recorded house that is at 21.4 °C.
pub(crate) const SALON: &str = r#"
[rooms.salon]
[[rooms.salon.sensors]]
driver = "ds18b20"
bus = "w1"
address = "28-01131e858aef"
interval = "1s"
"#;

/// Another.
pub(crate) const CAVE: &str = r#"
[rooms.cave]
[[rooms.cave.sensors]]
driver = "ds18b20"
bus = "w1"
address = "28-3c01d6075f12"
interval = "1s"
"#;

pub(crate) fn add_user(config: &Path, name: &str, password: &str) {
    let mut child = binary()
        .args(["user", "add", name, "--config", config.to_str().unwrap()])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin: ChildStdin = child.stdin.take().unwrap();
    writeln!(stdin, "{password}").unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

/// A client of another maker, printing `topic payload` a line.
pub(crate) struct Client {
    child: Child,
    pub lines: Lines,
    errors: Lines,
}

impl Client {
    pub(crate) fn start(command: &mut Command) -> Self {
        let spawned =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.unwrap_or_else(|error| {
            panic!("{command:?}: {error}; `tests/run` installs what the tests need")
        });
        let lines = Lines::of(child.stdout.take().unwrap());
        let errors = Lines::of(child.stderr.take().unwrap());
        Self { child, lines, errors }
    }

    /// Waits for exactly this line.
    #[track_caller]
    pub(crate) fn expect(&self, line: &str) {
        self.lines.wait(line, |seen| seen == line);
    }

    /// Stops it in its tracks, connection and all.
    pub(crate) fn freeze(&self) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::STOP).unwrap();
    }

    /// Waits until it ends by itself.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "the client does not end");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- the client's errors ---\n{}", self.errors.all().join("\n"));
        }
    }
}

/// Lines of a pipe, as they come.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    pub(crate) fn of(pipe: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        let seen = lines.clone();
        thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                seen.0.lock().unwrap().lines.push(line);
            }
            seen.0.lock().unwrap().ended = true;
        });
        lines
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().lines.clone()
    }

    /// All lines up to the end of the pipe.
    #[track_caller]
    pub(crate) fn whole(&self) -> Vec<String> {
        let started = Instant::now();
        while !self.0.lock().unwrap().ended {
            assert!(started.elapsed() < PATIENCE, "no end of:\n{}", self.all().join("\n"));
            thread::sleep(Duration::from_millis(10));
        }
        self.all()
    }

    /// Waits until all lines so far fit.
    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, fit: impl Fn(&[String]) -> bool) {
        let started = Instant::now();
        while !fit(&self.all()) {
            assert!(started.elapsed() < PATIENCE, "not `{what}`:\n{}", self.all().join("\n"));
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The first line that fits, now or soon.
    #[track_caller]
    pub(crate) fn wait(&self, what: &str, fits: impl Fn(&str) -> bool) -> String {
        let started = Instant::now();
        loop {
            if let Some(line) = self.all().into_iter().find(|line| fits(line)) {
                return line;
            }
            assert!(started.elapsed() < PATIENCE, "no `{what}` in:\n{}", self.all().join("\n"));
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Puts a copy of the recorded house there, links and all.
pub(crate) fn recorded_tree(sysfs: &Path) {
    let house = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trees/house");
    let copied = Command::new("cp").arg("-a").arg(house.join(".")).arg(sysfs).status();
    assert!(copied.unwrap().success());
}

/// A program among those of `tests/clients`.
pub(crate) fn script(name: &str) -> String {
    format!("{}/tests/clients/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Where `tests/run` put what it installed.
pub(crate) fn tool(variable: &str, default: &str) -> String {
    let default = || format!("{}/target/test-tools/{default}", env!("CARGO_MANIFEST_DIR"));
    std::env::var(variable).unwrap_or_else(|_| default())
}
