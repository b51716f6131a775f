//! The engine, on real files.

mod damage;
mod pulled_plug;
mod round_trip;
mod trouble;
mod visiting;

use std::path::{Path, PathBuf};

use super::*;

const NOW: Tick = Tick::from_micros(1_000_000);
const WALL: Timestamp = Timestamp::new(1_795_000_000_000, true);

/// A folder with a store in it.
struct Room {
    folder: tempfile::TempDir,
}

impl Room {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(FILE)
    }

    #[track_caller]
    fn open(&self) -> SqliteStore {
        open(&self.path())
    }
}

#[track_caller]
fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, Durability::Crash, NOW, WALL).unwrap().0
}
