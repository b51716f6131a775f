//! What the store costs, beside what it could have been: `redb`, and an append-only file as the
//! floor. Not a test: it measures, and asks for a quiet machine.
//!
//! ```text
//! tests/figures store
//! MAISON_STORE_DIR=/mnt/card tests/figures store      on another disk
//! ```
#![allow(clippy::print_stdout, reason = "a measurement is read by people")]

mod rivals;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use maison::broker::record::{Change, PageRequest, Place, SessionId};
use maison::store::{Durability, FILE, SqliteStore, Store};

use super::{NOW, WALL, batch, session, waits};

/// Bytes that this process has handed to the kernel, and those of them that go to a disk.
fn written() -> (u64, u64) {
    let text = fs::read_to_string("/proc/self/io").unwrap();
    let of = |name: &str| -> u64 {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split(' ').nth(1).unwrap().parse().unwrap()
    };
    (of("wchar:"), of("write_bytes:"))
}

fn resident_kib() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn room() -> tempfile::TempDir {
    match std::env::var_os("MAISON_STORE_DIR") {
        Some(folder) => tempfile::tempdir_in(folder).unwrap(),
        None => tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap(),
    }
}

fn open(path: &Path) -> SqliteStore {
    let durability = match std::env::var("MAISON_STORE_DURABILITY").as_deref() {
        Ok("crash") => Durability::Crash,
        _ => Durability::PowerCut,
    };
    SqliteStore::open(path, durability, NOW, WALL).unwrap().0
}

/// Prints how fast and how much was written for so many messages in so many commits.
fn report(what: &str, messages: u64, commits: u64, took: Duration, before: (u64, u64)) {
    let (calls, blocks) = written();
    let rate = f64::from(u32::try_from(messages).unwrap()) / took.as_secs_f64();
    let each = took / u32::try_from(commits).unwrap();
    println!(
        "{what:44} {rate:9.0} messages/s, {each:9.1?} a commit, {:6} B written a message, {:6} B \
         to the disk",
        (calls - before.0) / messages,
        (blocks - before.1) / messages
    );
}

/// Messages for one or several absent sessions, and then their end.
fn fill(path: &Path, size: u64, commits: u64, sessions: u64, payload: &Bytes) -> SqliteStore {
    let mut store = open(path);
    store.commit(&batch((0..sessions).map(session)), NOW, WALL).unwrap();
    let (before, began) = (written(), Instant::now());
    let mut slowest = Duration::ZERO;
    for first in (0..commits * size).step_by(usize::try_from(size).unwrap()) {
        let message = |number| waits(number % sessions, number, payload);
        let batch = batch((first..first + size).map(message));
        let began = Instant::now();
        store.commit(&batch, NOW, WALL).unwrap();
        slowest = slowest.max(began.elapsed());
        store.settle().unwrap();
    }
    let what = format!("store, {size} a commit, {sessions} sessions, {} B", payload.len());
    report(&what, size * commits, commits, began.elapsed(), before);
    let figures = store.figures();
    println!(
        "{:44} slowest {slowest:?}, {} checkpoints, slowest {:?}, own count {} B a message, \
         file {}",
        "",
        figures.checkpoints,
        figures.checkpoint_max,
        figures.bytes_written / (size * commits),
        figures.file_bytes,
    );
    store
}

#[test]
#[ignore = "a measurement"]
fn throughput_and_bytes() {
    let payload = Bytes::from_static(&[b'x'; 64]);
    for (size, commits) in [(1, 2000), (10, 1000), (100, 1000), (1000, 500)] {
        rivals::append(room().path(), size, commits);
        for sessions in [1, 10] {
            rivals::fill(room().path(), size, commits, sessions, &payload);
            fill(&room().path().join(FILE), size, commits, sessions, &payload);
        }
    }
    for bytes in [1024, 2048, 4096, 4097, 8192] {
        fill(&room().path().join(FILE), 10, 300, 1, &Bytes::from(vec![b'x'; bytes]));
    }
}

/// What a kill would leave of the files in a folder.
fn killed(from: &Path) -> tempfile::TempDir {
    let left = room();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, left.path().join(path.file_name().unwrap())).unwrap();
    }
    fs::remove_file(left.path().join("broker.db-shm")).ok();
    left
}

const MILLION: u64 = 1_000_000;

#[test]
#[ignore = "a measurement"]
fn a_million_messages() {
    let payload = Bytes::from_static(&[b'x'; 64]);
    let rival = rivals::a_million(&payload);
    let (before, began) = (resident_kib(), Instant::now());
    let (rows, database) = rivals::start(rival.path());
    let (took, more) = (began.elapsed(), resident_kib().saturating_sub(before));
    println!("redb: started after a kill in {took:?}, {rows} rows counted, {more} KiB more");
    drop((database, rival));

    let folder = room();
    let store = fill(&folder.path().join(FILE), 1000, MILLION / 1000, 1, &payload);
    let left = killed(folder.path());
    drop(store);
    let path: PathBuf = left.path().join(FILE);
    let (before, began) = (resident_kib(), Instant::now());
    let mut store = open(&path);
    let restored = store.restore(NOW, WALL).unwrap();
    println!(
        "store: started after a kill in {:?}, {} runs, {} KiB more",
        began.elapsed(),
        restored.sessions[0].waiting.len(),
        resident_kib().saturating_sub(before)
    );
    drain(&mut store);
}

fn drain(store: &mut SqliteStore) {
    let began = Instant::now();
    let mut request = PageRequest {
        session: SessionId(0),
        from: Place(0),
        to: Place(u64::MAX),
        messages_max: 1000,
        bytes_max: 256 * 1024,
    };
    let mut messages = 0_usize;
    loop {
        let page = store.page(&request, NOW, WALL).unwrap();
        let Some((last, _)) = page.last() else { break };
        request.from = Place(last.0 + 1);
        messages += page.len();
    }
    println!("{messages} messages paged in {:?}", began.elapsed());
    let began = Instant::now();
    let end = |place| Change::QueuedEnd { session: SessionId(0), place: Place(place) };
    for first in (0..MILLION).step_by(1000) {
        store.commit(&batch((first..first + 1000).map(end)), NOW, WALL).unwrap();
        store.settle().unwrap();
    }
    println!("all ended in {:?}, {:?}", began.elapsed(), store.figures());
}

#[test]
#[ignore = "a measurement"]
fn a_large_payload() {
    let room = room();
    let path = room.path().join(FILE);
    let payload = Bytes::from(vec![b'x'; 256 * 1024 * 1024]);
    let mut store = open(&path);
    let sessions = batch((0..50).map(session));
    store.commit(&sessions, NOW, WALL).unwrap();
    let (before, began) = (resident_kib(), Instant::now());
    store.commit(&batch((0..50).map(|id| waits(id, 0, &payload))), NOW, WALL).unwrap();
    let more = resident_kib().saturating_sub(before);
    println!("256 MiB for 50 sessions in {:?}, {more} KiB more", began.elapsed());
    let began = Instant::now();
    store.settle().unwrap();
    println!("settled in {:?}, {:?}", began.elapsed(), store.figures());
    drop((store, payload));
    let (before, began) = (resident_kib(), Instant::now());
    let mut store = open(&path);
    let request = PageRequest {
        session: SessionId(7),
        from: Place(0),
        to: Place(0),
        messages_max: 1,
        bytes_max: 1,
    };
    let page = store.page(&request, NOW, WALL).unwrap();
    let more = resident_kib().saturating_sub(before);
    println!(
        "{} B paged in {:?}, {more} KiB more",
        page[0].1.message.payload.len(),
        began.elapsed()
    );
}
