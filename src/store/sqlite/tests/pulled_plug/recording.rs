//! What the files of a store receive, as `strace` writes it down.
#![allow(clippy::print_stderr, reason = "a proof that is left out is told")]

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where the recorded process says what the store has acknowledged.
pub(super) const ACKNOWLEDGED: &str = "acknowledged";

const FOLDER_VARIABLE: &str = "MAISON_PLUG_FOLDER";
const SEED_VARIABLE: &str = "MAISON_PLUG_SEED";
const SYNCING_VARIABLE: &str = "MAISON_PLUG_SYNCING";

/// Calls that change a file or a folder, or make a change last.
const CALLS: &str = "trace=open,openat,creat,write,writev,pwrite64,pwritev,pwritev2,ftruncate,\
                     truncate,fsync,fdatasync,sync_file_range,unlink,unlinkat,rename,renameat,\
                     renameat2,link,linkat,copy_file_range,sendfile";

/// When the recorded store syncs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syncing {
    /// As with `durability = "power-cut"`.
    AsItIs,
    /// As with `durability = "crash"`: before the log is moved into the file.
    BeforeMoving,
    /// A fault that is planted.
    Never,
}

/// One call, as far as the disk is concerned. Files by their names in the folder of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Create(String),
    Write {
        file: String,
        at: usize,
        bytes: Vec<u8>,
    },
    Truncate {
        file: String,
        length: usize,
    },
    Sync(String),
    SyncFolder,
    Rename {
        from: String,
        to: String,
    },
    Unlink(String),
    /// The store has said that this batch is durable.
    Acknowledge(u64),
}

/// All calls of a life of a store, in their order.
pub(super) struct Recording {
    pub(super) calls: Vec<Call>,
}

/// What the recorded process is to do.
pub(super) struct Order {
    pub(super) folder: PathBuf,
    pub(super) seed: u64,
    pub(super) syncing: Syncing,
}

/// In the recorded process: what it was asked.
pub(super) fn order() -> Option<Order> {
    let folder = PathBuf::from(std::env::var_os(FOLDER_VARIABLE)?);
    let seed = std::env::var(SEED_VARIABLE).unwrap().parse().unwrap();
    let all = [Syncing::AsItIs, Syncing::BeforeMoving, Syncing::Never];
    let wanted = std::env::var(SYNCING_VARIABLE).unwrap();
    let syncing = all.into_iter().find(|it| format!("{it:?}") == wanted).unwrap();
    Some(Order { folder, seed, syncing })
}

/// In the recorded process: says that a batch was acknowledged.
pub(super) fn acknowledge(mut to: &File, number: u64) {
    to.write_all(format!("{number}\n").as_bytes()).unwrap();
}

/// Whether the kernel lets us; fails where it does not and nobody has said to go on without.
pub(super) fn may_trace() -> bool {
    if std::env::var("MAISON_TRACE").is_ok_and(|value| value == "skip") {
        eprintln!("MAISON_TRACE=skip: NOT SHOWN that the real store survives a pulled plug");
        return false;
    }
    let tried = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).output();
    match tried {
        Ok(output) if output.status.success() => true,
        other => panic!(
            "strace cannot trace here: {other:?}\n`tests/run` installs it; a container needs \
             `--cap-add SYS_PTRACE`; `MAISON_TRACE=skip` goes on without this proof"
        ),
    }
}

impl Recording {
    pub(super) fn new(seed: u64, syncing: Syncing) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let trace = tempfile::NamedTempFile::new().unwrap();
        let path = folder.path().canonicalize().unwrap();
        let mut strace = Command::new("strace");
        strace.args([
            "-f",
            "-qq",
            "-y",
            "-xx",
            "-s",
            "100000000",
            "-e",
            "signal=none",
            "-e",
            CALLS,
        ]);
        strace.arg("-o").arg(trace.path()).arg(std::env::current_exe().unwrap());
        let test = format!("{}::workload", super::recorded_module());
        strace.args(["--exact", &test, "--ignored"]);
        strace.env(FOLDER_VARIABLE, &path).env(SEED_VARIABLE, seed.to_string());
        strace.env(SYNCING_VARIABLE, format!("{syncing:?}"));
        let ended = strace.stdout(Stdio::null()).status().unwrap();
        assert!(ended.success(), "the recorded process failed");
        let written = fs::read_to_string(trace.path()).unwrap();
        let calls: Vec<Call> = written.lines().filter_map(|line| parse(line, &path)).collect();
        let acknowledged = calls.iter().filter(|call| matches!(call, Call::Acknowledge(_))).count();
        assert!(acknowledged >= super::BATCHES, "recorded {acknowledged} acknowledgements");
        Self { calls }
    }
}

/// A call of the trace, if it is about the folder. Fails where it cannot be understood.
fn parse(line: &str, folder: &Path) -> Option<Call> {
    let (_, call) = line.split_once(' ')?;
    let (name, rest) = call.trim_start().split_once('(')?;
    let (arguments, result) = rest.rsplit_once(" = ").unwrap_or((rest, ""));
    let paths = names(arguments, folder);
    if paths.is_empty() || result.starts_with('-') {
        return None;
    }
    assert!(!line.contains("unfinished") && !line.contains("resumed"), "two threads: {line}");
    let [first, ..] = &paths[..] else { return None };
    // What readers share is made anew at each opening.
    if first.ends_with("-shm") {
        return None;
    }
    let file = first.clone();
    Some(match name {
        "open" | "openat" | "creat" if file == ACKNOWLEDGED || file.is_empty() => return None,
        "open" | "openat" | "creat" if arguments.contains("O_TRUNC") => {
            Call::Truncate { file, length: 0 }
        }
        "open" | "openat" | "creat" if arguments.contains("O_CREAT") => Call::Create(file),
        "open" | "openat" => return None,
        "write" if file == ACKNOWLEDGED => {
            let text = String::from_utf8(data(arguments)).unwrap();
            Call::Acknowledge(text.trim_end().parse().unwrap())
        }
        "pwrite64" => Call::Write { file, at: last_number(arguments), bytes: data(arguments) },
        "ftruncate" => Call::Truncate { file, length: last_number(arguments) },
        "fsync" | "fdatasync" if file.is_empty() => Call::SyncFolder,
        "fsync" | "fdatasync" => Call::Sync(file),
        "unlink" => Call::Unlink(file),
        "rename" => Call::Rename { from: file, to: paths[1].clone() },
        _ => panic!("not understood: {}", line.get(..300).unwrap_or(line)),
    })
}

/// The paths below `folder` among the arguments, in their order, without it; it is empty itself.
fn names(arguments: &str, folder: &Path) -> Vec<String> {
    let quoted = arguments.split(['"', '<', '>']).filter(|part| part.starts_with("\\x2f"));
    let paths = quoted.map(|part| PathBuf::from(String::from_utf8(unescape(part)).unwrap()));
    let below = paths.filter_map(|path| Some(path.strip_prefix(folder).ok()?.to_path_buf()));
    let mut names: Vec<String> = below.map(|path| path.to_str().unwrap().to_owned()).collect();
    if names.len() > 1 {
        // Of `AT_FDCWD` and the like.
        names.retain(|name| !name.is_empty());
    }
    names
}

/// The first string that is no path of a descriptor.
fn data(arguments: &str) -> Vec<u8> {
    let (_, rest) = arguments.split_once('"').unwrap();
    let (hex, rest) = rest.split_once('"').unwrap();
    assert!(!rest.starts_with("..."), "cut short");
    unescape(hex)
}

fn unescape(hex: &str) -> Vec<u8> {
    let pairs = hex.split("\\x").skip(1);
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn last_number(arguments: &str) -> usize {
    let last = arguments.rsplit(", ").next().unwrap().trim_end_matches(')');
    last.parse().unwrap()
}

#[test]
fn calls_are_understood() {
    #[track_caller]
    fn check(line: &str, expected: Option<&Call>) {
        assert_eq!(parse(line, Path::new("/s")).as_ref(), expected);
    }
    let file = || "db".to_owned();
    check(
        r#"7 pwrite64(5<\x2f\x73\x2f\x64\x62>, "\x00\xff", 2, 4096) = 2"#,
        Some(&Call::Write { file: file(), at: 4096, bytes: vec![0, 255] }),
    );
    check(r"7 fdatasync(5<\x2f\x73\x2f\x64\x62>) = 0", Some(&Call::Sync(file())));
    check(r"7 fsync(5<\x2f\x73>) = 0", Some(&Call::SyncFolder));
    check(
        r"7 ftruncate(5<\x2f\x73\x2f\x64\x62>, 512) = 0",
        Some(&Call::Truncate { file: file(), length: 512 }),
    );
    check(
        r#"7 rename("\x2f\x73\x2f\x61", "\x2f\x73\x2f\x64\x62") = 0"#,
        Some(&Call::Rename { from: "a".to_owned(), to: file() }),
    );
    check(r#"7 unlink("\x2f\x73\x2f\x64\x62") = -1 ENOENT (\x4e)"#, None);
    check(r#"7 write(1<\x2f\x74>, "\x41", 1) = 1"#, None);
}
