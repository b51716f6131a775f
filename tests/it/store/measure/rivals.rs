//! What the store could have been.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use bytes::Bytes;
use redb::{Database, ReadableTable, TableDefinition};

use super::{MILLION, killed, report, room, written};

/// By session and place, as the store's own.
const QUEUED: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("queued");
const PLACE_BITS: u32 = 43;
/// As much as the store may have.
const CACHE_BYTES: usize = 2 * 1024 * 1024;
/// Topic, and what else a row has.
const REST_BYTES: usize = 24 + 16;

/// As little as can be done for durability: the bytes, and a sync.
pub(super) fn append(folder: &Path, size: u64, commits: u64) {
    let mut file = File::create(folder.join("log")).unwrap();
    let record = [7; REST_BYTES + 64];
    let (before, began) = (written(), Instant::now());
    for _ in 0..commits {
        let bytes: Vec<u8> = (0..size).flat_map(|_| record).collect();
        file.write_all(&bytes).unwrap();
        file.sync_data().unwrap();
    }
    report(&format!("file, {size} a commit"), size * commits, commits, began.elapsed(), before);
}

fn open(folder: &Path) -> Database {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder.create(folder.join("queued.redb")).unwrap()
}

/// The same messages for the same sessions in redb.
pub(super) fn fill(
    folder: &Path,
    size: u64,
    commits: u64,
    sessions: u64,
    payload: &Bytes,
) -> Database {
    let database = open(folder);
    let row = [&[7; REST_BYTES][..], payload].concat();
    let (before, began) = (written(), Instant::now());
    for first in (0..commits * size).step_by(usize::try_from(size).unwrap()) {
        let transaction = database.begin_write().unwrap();
        {
            let mut table = transaction.open_table(QUEUED).unwrap();
            for number in first..first + size {
                let key = (number % sessions) << PLACE_BITS | number;
                table.insert(key, &row[..]).unwrap();
            }
        }
        transaction.commit().unwrap();
    }
    let what = format!("redb, {size} a commit, {sessions} sessions, {} B", payload.len());
    report(&what, size * commits, commits, began.elapsed(), before);
    database
}

/// What a kill leaves of a million messages.
pub(super) fn a_million(payload: &Bytes) -> tempfile::TempDir {
    let folder = room();
    let database = fill(folder.path(), 1000, MILLION / 1000, 1, payload);
    let left = killed(folder.path());
    drop(database);
    left
}

/// Opens it and counts what waits, as the broker must know that.
pub(super) fn start(folder: &Path) -> (u64, Database) {
    let database = open(folder);
    let table = database.begin_read().unwrap().open_table(QUEUED).unwrap();
    let mut rows = 0;
    for row in table.iter().unwrap() {
        rows += u64::from(!row.unwrap().1.value().is_empty());
    }
    drop(table);
    (rows, database)
}
