//! Disks that are full or read-only: a batch is refused as a whole, and the store goes on.

use std::fs;
use std::process::Command;

use bytes::Bytes;

use super::*;
use crate::broker::record::{Change, Place, SessionId, Trouble};
use crate::store::tests::records::{batch, plain, session_of, waits};

fn kilobytes(session: u64, places: std::ops::Range<u64>) -> Batch {
    batch(places.map(|place| waits(session, place, plain("salon", vec![7; 1000]))))
}

fn end(session: u64, places: std::ops::Range<u64>) -> Batch {
    let session = SessionId(session);
    batch(places.map(|place| Change::QueuedEnd { session, place: Place(place) }))
}

/// Messages of a session, by their places.
#[track_caller]
fn places(store: &mut SqliteStore, session: u64) -> Vec<u64> {
    let request = PageRequest {
        session: SessionId(session),
        from: Place(0),
        to: Place(u64::MAX),
        messages_max: usize::MAX,
        bytes_max: usize::MAX,
    };
    let page = store.page(&request, NOW, WALL).unwrap();
    page.into_iter().map(|(place, _)| place.0).collect()
}

/// Commits batches of 50 messages until that fails; how many are there, and how it failed.
fn fill(store: &mut SqliteStore, most: u64) -> (u64, Failure) {
    for first in (0..most).step_by(50) {
        let commit = store.commit(&kilobytes(1, first..first + 50), NOW, WALL);
        match commit.and_then(|()| store.settle()) {
            Ok(()) => {}
            Err(failure) => return (first, failure),
        }
    }
    panic!("the disk has room for {most} messages");
}

/// What must be so on any full disk: nothing is lost, a batch is refused as a whole, and when
/// messages are done with there is room again.
fn check_full(store: &mut SqliteStore, most: u64) {
    store.commit(&batch([session_of(1, "anna", "phone")]), NOW, WALL).unwrap();
    let (first, failure) = fill(store, most);
    assert_eq!(failure.trouble, Trouble::Full, "{failure}");
    let there = places(store, 1);
    // The last batch may have been refused, or only what can wait after it.
    assert!(
        there == (0..first).collect::<Vec<_>>() || there == (0..first + 50).collect::<Vec<_>>()
    );
    let large = Bytes::from(vec![7; 20_000_000]);
    let too_large =
        batch([waits(1, 1 << 30, plain("a", "b")), waits(1, 1 << 31, plain("a", large))]);
    assert_eq!(store.commit(&too_large, NOW, WALL).unwrap_err().trouble, Trouble::Full);
    assert_eq!(places(store, 1), there);
    // Each end makes room for the next, once the log was moved.
    let half = first / 2;
    for first in (0..half).step_by(10) {
        let last = half.min(first + 10);
        let mut tries = 0;
        while let Err(failure) = store.commit(&end(1, first..last), NOW, WALL) {
            tries += 1;
            assert!(tries < 10, "{failure}");
            store.settle().unwrap();
        }
    }
    assert_eq!(places(store, 1)[0], half);
    store.settle().unwrap();
    store.commit(&kilobytes(1, 1 << 20..(1 << 20) + 5), NOW, WALL).unwrap();
    assert_eq!(places(store, 1).last(), Some(&((1 << 20) + 4)));
}

#[test]
fn a_full_store_refuses_batches_whole_and_goes_on_when_there_is_room() {
    let room = Room::new();
    let mut store = room.open();
    store.connection.pragma_update(None, "max_page_count", 2000).unwrap();
    check_full(&mut store, 10_000);
    let there = places(&mut store, 1);
    drop(store);
    assert_eq!(places(&mut room.open(), 1), there);
}

/// A small file system in memory; none for those who may not mount one.
struct Mount {
    folder: tempfile::TempDir,
}

impl Mount {
    fn new(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Self { folder };
        mount
            .run("mount", &["-t", "tmpfs", "-o", &format!("size={size},mode=700"), "tmpfs"])
            .then_some(mount)
    }

    fn run(&self, program: &str, arguments: &[&str]) -> bool {
        let command = Command::new(program).args(arguments).arg(self.folder.path()).output();
        command.is_ok_and(|output| output.status.success())
    }

    fn remount(&self, how: &str) {
        assert!(self.run("mount", &["-o", &format!("remount,{how}")]));
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(FILE)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        self.run("umount", &[]);
    }
}

#[test]
fn a_full_disk_is_survived() {
    let Some(mount) = Mount::new("12m") else { return };
    let mut store = open(&mount.path());
    check_full(&mut store, 20_000);
    let there = places(&mut store, 1);
    drop(store);
    assert_eq!(places(&mut open(&mount.path()), 1), there);
}

/// Somebody else fills the disk, and then makes room.
#[test]
fn room_that_somebody_else_makes_is_used() {
    let Some(mount) = Mount::new("12m") else { return };
    let mut store = open(&mount.path());
    store.commit(&batch([session_of(1, "anna", "phone")]), NOW, WALL).unwrap();
    let filler = mount.folder.path().join("filler");
    // As much as there is room for.
    let _ = fs::write(&filler, vec![7; 20_000_000]);
    let failure = store.commit(&kilobytes(1, 0..1000), NOW, WALL).unwrap_err();
    assert_eq!(failure.trouble, Trouble::Full, "{failure}");
    // What can wait may fail too.
    let _ = store.settle();
    assert!(places(&mut store, 1).is_empty());
    fs::remove_file(filler).unwrap();
    store.commit(&kilobytes(1, 0..1000), NOW, WALL).unwrap();
    assert_eq!(places(&mut store, 1).len(), 1000);
    assert_eq!(store.figures().failures, 1);
}

/// A start on a full disk finds what is there, and says why nothing more can be kept.
#[test]
fn a_store_opens_on_a_full_disk() {
    let Some(mount) = Mount::new("12m") else { return };
    let mut store = open(&mount.path());
    store.commit(&batch([session_of(1, "anna", "phone")]), NOW, WALL).unwrap();
    store.commit(&kilobytes(1, 0..100), NOW, WALL).unwrap();
    drop(store);
    let _ = fs::write(mount.folder.path().join("filler"), vec![7; 20_000_000]);
    let (mut store, report) =
        SqliteStore::open(&mount.path(), Durability::Crash, NOW, WALL).unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(places(&mut store, 1).len(), 100);
    let failure = store.commit(&kilobytes(1, 100..200), NOW, WALL).unwrap_err();
    assert_eq!(failure.trouble, Trouble::Full, "{failure}");
}

/// What is damaged on a full disk is put aside all the same.
#[test]
fn a_damaged_store_on_a_full_disk_is_told() {
    let Some(mount) = Mount::new("12m") else { return };
    let mut store = open(&mount.path());
    store.commit(&batch([session_of(1, "anna", "phone")]), NOW, WALL).unwrap();
    for first in (0..2500).step_by(500) {
        store.commit(&kilobytes(1, first..first + 500), NOW, WALL).unwrap();
        store.settle().unwrap();
    }
    drop(store);
    let mut content = fs::read(mount.path()).unwrap();
    let last = content.len() - 300;
    content[last] ^= 1;
    fs::write(mount.path(), content).unwrap();
    fs::write(mount.folder.path().join("filler"), vec![7; 4_000_000]).unwrap();
    let (mut store, report) =
        SqliteStore::open(&mount.path(), Durability::Crash, NOW, WALL).unwrap();
    assert!(report.to_string().contains("too full to save all of it"), "{report}");
    assert!(report.uncounted && report.saved.messages >= 500, "{report}");
    assert_eq!(u64::try_from(places(&mut store, 1).len()), Ok(report.saved.messages));
}

#[test]
fn a_disk_that_turns_read_only_is_told_and_written_again_when_it_is_not() {
    let Some(mount) = Mount::new("12m") else { return };
    let mut store = open(&mount.path());
    store.commit(&batch([session_of(1, "anna", "phone")]), NOW, WALL).unwrap();
    store.commit(&kilobytes(1, 0..10), NOW, WALL).unwrap();
    drop(store);
    mount.remount("ro");
    let error = SqliteStore::open(&mount.path(), Durability::Crash, NOW, WALL).unwrap_err();
    let OpenError::Failed { failure, .. } = error else { panic!("{error}") };
    assert_eq!(failure.trouble, Trouble::ReadOnly, "{failure}");
    mount.remount("rw");
    assert_eq!(places(&mut open(&mount.path()), 1).len(), 10);
}
