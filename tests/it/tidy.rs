//! The walls and the sizes of `ARCHITECTURE.md`, held against the sources themselves.

use std::fs;
use std::path::{Path, PathBuf};

/// Which of our modules each module may name. `lib.rs`, `main.rs`, `daemon` and `cli` join the
/// rest.
const WALLS: &[(&str, &[&str])] = &[
    ("limits", &[]),
    ("printable", &[]),
    ("time", &[]),
    ("units", &[]),
    ("mqtt", &["limits"]),
    ("access", &["limits", "mqtt", "printable"]),
    ("broker", &["access", "limits", "mqtt", "time"]),
    ("sensors", &["units"]),
    ("sampling", &["limits", "sensors", "time", "units"]),
    ("sim", &["limits", "time", "units"]),
    ("telemetry", &["mqtt", "sampling", "sensors", "time", "units"]),
    (
        "config",
        &["access", "limits", "mqtt", "printable", "sampling", "sensors", "sim", "time", "units"],
    ),
    ("bus", &["limits", "sampling", "sensors", "sim", "time", "units"]),
    ("net", &["access", "limits", "mqtt", "time"]),
    ("store", &["access", "broker", "limits", "mqtt", "time"]),
];

/// Modules that take time and events as arguments and touch nothing.
const PURE: &[&str] = &[
    "limits",
    "printable",
    "time",
    "units",
    "mqtt",
    "access",
    "broker",
    "sensors",
    "sampling",
    "sim",
    "telemetry",
    "config",
];

/// What no pure module names.
const WORLD: &[&str] = &[
    "tokio",
    "std::fs",
    "std::thread",
    "std::net::Tcp",
    "std::net::Udp",
    "std::sync::Mutex",
    "std::sync::RwLock",
    "std::sync::mpsc",
    "Instant::now",
    "SystemTime::now",
    "std::env",
    "std::io::Read",
    "std::io::Write",
    "std::io::std",
    "std::process",
    "tracing",
    "rustix",
];

/// Libraries that only one room may know.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("rppal", &["bus/gpio.rs"]),
    ("linux_embedded_hal", &["bus/linux.rs"]),
    ("one_wire_bus", &["bus/pin.rs", "sim/onewire/tests.rs"]),
    ("shtcx", &["sensors/shtc3.rs"]),
    ("argon2", &["access/password.rs"]),
    ("rcgen", &["net/"]),
    ("ring", &["access/password", "net/authority/"]),
    ("yasna", &["net/authority/pkcs12.rs"]),
    ("aes", &["net/authority/pkcs12.rs"]),
    ("cbc", &["net/authority/pkcs12.rs"]),
    ("rusqlite", &["store/"]),
    ("crc32fast", &["store/"]),
    ("rustls::", &["net/", "cli/doctor/loopback.rs", "cli/remote.rs"]),
    ("tungstenite", &["net/websocket"]),
    ("httparse", &["net/http.rs"]),
    ("tracing_subscriber", &["daemon/logging/"]),
    ("rumqttc", &["cli/"]),
    ("inotify", &["daemon/watching.rs"]),
    ("sd_notify", &["daemon/service.rs"]),
    ("listenfd", &["daemon/activation.rs"]),
    ("mdns_sd", &["daemon/mdns.rs"]),
    ("toml::", &["config/"]),
    ("crossterm", &["cli/"]),
    ("qrcode", &["cli/subscriber/"]),
    ("indicatif", &["cli/doctor.rs", "cli/status/", "cli/store/"]),
    ("base64", &["access/password/", "cli/store/"]),
    ("clap", &["cli/", "main.rs"]),
    ("clap_complete", &["cli/completions.rs"]),
    ("clap_mangen", &["cli/manual.rs"]),
    ("anyhow", &["cli/", "main.rs"]),
];

const FILE_LINES_MAX: usize = 500;
const LINE_CHARS_MAX: usize = 100;

pub(crate) struct Source {
    /// Below `src/` or `tests/`, with `/`.
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Source {
    /// The top module this file belongs to.
    fn module(&self) -> &str {
        let first = self.name.split('/').next().unwrap();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// Code lines before the file's own unit tests, numbered from 1, without comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        let before_tests = lines.take_while(|(_, line)| !line.starts_with("#[cfg(test)]"));
        before_tests
            .map(|(index, line)| (index + 1, line.split("//").next().unwrap()))
            .filter(|(_, line)| !line.trim().is_empty())
    }

    fn is_test(&self) -> bool {
        self.name.split('/').any(|part| part == "tests" || part == "tests.rs")
    }
}

pub(crate) fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files = Vec::new();
    walk(&root, &mut files);
    files.sort();
    let read = |path: PathBuf| Source {
        name: path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned(),
        text: fs::read_to_string(path).unwrap(),
    };
    files.into_iter().map(read).collect()
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            walk(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Our modules that a line of code names as `crate::module`.
fn named_modules(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        &rest[..end.unwrap_or(rest.len())]
    })
}

#[track_caller]
fn assert_none(what: &str, offences: &[String]) {
    assert!(offences.is_empty(), "{what}:\n  {}", offences.join("\n  "));
}

#[test]
fn modules_name_only_whom_their_wall_lets_through() {
    let mut offences = Vec::new();
    for source in sources("src").iter().filter(|source| !source.is_test()) {
        let Some((_, allowed)) = WALLS.iter().find(|(module, _)| *module == source.module()) else {
            continue;
        };
        for (number, line) in source.code() {
            for named in named_modules(line) {
                if named != source.module() && !allowed.contains(&named) {
                    offences.push(format!("src/{}:{number}: names `{named}`", source.name));
                }
            }
        }
    }
    assert_none("imports through a wall", &offences);
}

/// The state machine is none of the store's business, only what it leaves to be kept.
#[test]
fn store_knows_nothing_of_the_broker_but_its_records() {
    let mut offences = Vec::new();
    for source in sources("src").iter().filter(|source| source.module() == "store") {
        for (number, line) in source.code() {
            let named = line.matches("crate::broker").count();
            if named != line.matches("crate::broker::record").count() {
                offences.push(format!("src/{}:{number}: names more of `broker`", source.name));
            }
        }
    }
    assert_none("the store looks into the broker", &offences);
}

#[test]
fn every_module_has_its_wall() {
    let joining = ["lib", "main", "daemon", "cli"];
    for source in sources("src") {
        let module = source.module();
        let known = joining.contains(&module) || WALLS.iter().any(|(name, _)| *name == module);
        assert!(known, "src/{}: no wall is written for `{module}`", source.name);
    }
}

#[test]
fn pure_modules_touch_nothing() {
    let mut offences = Vec::new();
    for source in sources("src") {
        if !PURE.contains(&source.module()) || source.is_test() {
            continue;
        }
        for (number, line) in source.code() {
            for word in WORLD.iter().filter(|word| line.contains(*word)) {
                offences.push(format!("src/{}:{number}: names `{word}`", source.name));
            }
        }
    }
    assert_none("a pure module reaches for the world", &offences);
}

#[test]
fn libraries_stay_in_their_rooms() {
    let mut offences = Vec::new();
    for source in sources("src") {
        for (number, line) in source.code() {
            for (library, rooms) in LIBRARIES {
                let at_home = rooms.iter().any(|room| source.name.starts_with(room));
                if names_library(line, library) && !at_home {
                    offences.push(format!("src/{}:{number}: names `{library}`", source.name));
                }
            }
        }
    }
    assert_none("a library outside its room", &offences);
}

/// Whether the line names the library as a path of its own, not as the tail of another word.
fn names_library(line: &str, library: &str) -> bool {
    let path = if library.ends_with("::") { library.to_owned() } else { format!("{library}::") };
    line.match_indices(&path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before
            .is_none_or(|letter| !letter.is_ascii_alphanumeric() && letter != '_' && letter != ':')
    })
}

#[test]
fn files_are_small_and_lines_are_short() {
    let mut offences = Vec::new();
    for folder in ["src", "tests"] {
        for source in sources(folder) {
            let lines = source.text.lines().count();
            if lines > FILE_LINES_MAX {
                offences.push(format!("{folder}/{}: {lines} lines", source.name));
            }
            for (index, line) in source.text.lines().enumerate() {
                if line.chars().count() > LINE_CHARS_MAX {
                    offences.push(format!("{folder}/{}:{}: long line", source.name, index + 1));
                }
            }
        }
    }
    assert_none("too large", &offences);
}

#[test]
fn nothing_is_left_open() {
    // Spelled apart, so that this file does not find itself.
    let words = [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("FIX", "ME")];
    let mut offences = Vec::new();
    for folder in ["src", "tests"] {
        for source in sources(folder) {
            for word in words.iter().filter(|word| source.text.contains(*word)) {
                offences.push(format!("{folder}/{}: `{word}`", source.name));
            }
        }
    }
    assert_none("left open", &offences);
}

/// The last column of the table of promises names them.
#[test]
fn tests_that_the_security_page_names_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let all: String =
        ["src", "tests"].into_iter().flat_map(sources).map(|file| file.text).collect();
    let promises = text.split("*held by*").nth(1).unwrap().split("\n\n").next().unwrap();
    let rows = promises.lines().filter_map(|row| row.trim_end_matches(" |").rsplit(" | ").next());
    let named: Vec<&str> = rows.flat_map(|row| row.split('`').skip(1).step_by(2)).collect();
    assert!(named.len() >= 40, "the promises are gone from SECURITY.md: {named:?}");
    for name in named {
        assert!(
            all.contains(&format!("fn {name}(")),
            "SECURITY.md names `{name}`, which is no test"
        );
    }
}

/// Each invariant of `ARCHITECTURE.md` ends with ``*held by* `name`, `name` ``.
#[test]
fn tests_that_the_architecture_names_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let all: String =
        ["src", "tests"].into_iter().flat_map(sources).map(|file| file.text).collect();
    let claims: Vec<&str> = text.split("*held by*").skip(1).collect();
    assert!(claims.len() >= 8, "the invariants are gone from ARCHITECTURE.md");
    for claim in claims {
        let claim = claim.split("\n\n").next().unwrap().split("\n- ").next().unwrap();
        let names: Vec<&str> = claim.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "an invariant names no test: {claim}");
        for name in names {
            let exists = all.contains(&format!("fn {name}(")) || root.join(name).exists();
            assert!(exists, "ARCHITECTURE.md names `{name}`, which does not exist");
        }
    }
}
