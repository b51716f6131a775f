//! A store that other makers' clients have filled, in two lives of the gateway.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::gateway::Gateway;

/// Messages of each topic in each life.
const MESSAGES: usize = 300;
/// Of them and of one picture, for the client that is away.
pub(super) const OF_FIRST_LIFE: usize = 2 * MESSAGES + 1;
pub(super) const ALL: usize = OF_FIRST_LIFE + 2 * MESSAGES;
/// Retained messages of each life.
const RETAINED: usize = 25;
pub(super) const RETAINED_OF_FIRST_LIFE: usize = RETAINED;
pub(super) const RETAINED_ALL: usize = 2 * RETAINED;
const PICTURE_BYTES: usize = 200_000;

pub(super) const BROKER: &str = "queue = { messages = 0, bytes = 0 }\nsys_interval = \"1h\"";

/// State folders as they lay there when nobody worked on them.
pub(super) struct Filled {
    /// The gateway was killed in its first life; the file has what was said first.
    pub(super) first: TempDir,
    /// After both lives it was stopped, …
    pub(super) in_peace: TempDir,
    /// … or killed in its second.
    pub(super) killed: TempDir,
}

impl Filled {
    pub(super) fn new() -> Self {
        let folder = Gateway::prepare_keeping("power-cut", BROKER, "");
        let mut gateway = Gateway::start(folder);
        for (name, filter) in [("watcher", "maison/_gateway/event"), ("away", "notes/#")] {
            let port = gateway.plain_port().to_string();
            let mut command = Command::new("mosquitto_sub");
            command.args(["-h", "127.0.0.1", "-p", &port, "-i", name, "-c", "-q", "2"]);
            assert!(command.args(["-t", filter, "-E"]).status().unwrap().success());
        }
        fill(&gateway, 0);
        let picture = gateway.folder.path().join("picture");
        fs::write(&picture, picture_bytes()).unwrap();
        publish(&gateway, &["-q", "1", "-t", "notes/picture", "-f", picture.to_str().unwrap()], "");
        let first = copy(&gateway.folder.path().join("state"));
        assert!(gateway.end_by(Signal::TERM).success());

        let mut gateway = Gateway::start(gateway.kill());
        fill(&gateway, 1);
        let killed = copy(&gateway.folder.path().join("state"));
        assert!(gateway.end_by(Signal::TERM).success());
        let in_peace = copy(&gateway.folder.path().join("state"));
        Self { first, in_peace, killed }
    }
}

/// Whether a client was ever told so, and in which order among those of its topic.
pub(super) fn place_of(topic: &str, payload: &[u8]) -> Option<usize> {
    if topic == "notes/picture" {
        return (payload == picture_bytes()).then_some(0);
    }
    let number: usize = str::from_utf8(payload).ok()?.strip_prefix("number ")?.parse().ok()?;
    (["notes/a", "notes/b"].contains(&topic) && number < 2 * MESSAGES).then_some(number)
}

/// What is retained below `r/`.
pub(super) fn is_retained(topic: &str, payload: &[u8]) -> bool {
    let number = topic.strip_prefix("r/").and_then(|text| text.parse().ok());
    number.is_some_and(|number: usize| {
        number < RETAINED_ALL && payload == format!("value {number}").as_bytes()
    })
}

fn picture_bytes() -> Vec<u8> {
    (0..PICTURE_BYTES).map(|at| u8::try_from(at * at % 251).unwrap()).collect()
}

fn fill(gateway: &Gateway, life: usize) {
    let lines: Vec<_> =
        (life * MESSAGES..(life + 1) * MESSAGES).map(|it| format!("number {it}")).collect();
    for (topic, qos) in [("notes/a", "1"), ("notes/b", "2")] {
        publish(gateway, &["-q", qos, "-t", topic, "-l"], &(lines.join("\n") + "\n"));
    }
    for number in life * RETAINED..(life + 1) * RETAINED {
        let (topic, text) = (format!("r/{number}"), format!("value {number}"));
        publish(gateway, &["-q", "1", "-r", "-t", &topic, "-m", &text], "");
    }
}

/// Returns when all is acknowledged.
fn publish(gateway: &Gateway, arguments: &[&str], input: &str) {
    let mut command = Command::new("mosquitto_pub");
    command.args(["-h", "127.0.0.1", "-p", &gateway.plain_port().to_string()]).args(arguments);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// What a kill would leave of a folder, or a stop has left.
pub(super) fn copy(state: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    let copied = Command::new("cp").arg("-a").arg(state).arg(copy.path()).status();
    assert!(copied.unwrap().success());
    copy
}

/// The files of a store in the folder of a gateway.
#[derive(Clone, Debug)]
pub(super) struct Store(pub(super) PathBuf);

impl Store {
    pub(super) fn of(folder: &TempDir) -> Self {
        Self(folder.path().join("state"))
    }

    pub(super) fn file(&self) -> PathBuf {
        self.0.join("broker.db")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.0.join("broker.db-wal")
    }

    /// Everything that lies there under the name of a damaged store.
    pub(super) fn aside(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        let mut aside: Vec<_> =
            entries.filter(|path| path.to_str().unwrap().contains("broker.db.damaged-2")).collect();
        aside.sort();
        aside
    }
}

/// Changes the bytes of a file.
pub(super) fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut content = fs::read(path).unwrap();
    change(&mut content);
    fs::write(path, content).unwrap();
}
