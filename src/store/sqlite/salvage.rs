//! What can be saved of a damaged file, row by row, into a fresh one.
//!
//! Only rows that are what was written (by their checksum) and that belong to something that was
//! saved too are taken over; references to large payloads are counted anew.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use super::key::{Slot, split};
use super::message::{PayloadId, integer};
use super::payloads::keys;
use super::room::Room;
use super::row::{Columns, ReadError, Table, put};
use super::schema;
use super::trouble::{SqlResult, is_damage};
use super::walk::{Sight, walk};
use crate::limits::STORE_SALVAGE_BYTES;
use crate::store::Contents;

/// What a salvage achieved.
#[derive(Debug, Default)]
pub(super) struct Salvaged {
    pub(super) saved: Contents,
    pub(super) lost: Contents,
    pub(super) uncounted: bool,
    pub(super) faults: Vec<String>,
}

/// Opens a file without changing it.
pub(super) fn open_to_read(path: &Path) -> SqlResult<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;")?;
    Ok(connection)
}

/// Copies what can be read of `from` into `to`, which is fresh.
pub(super) fn copy(from: &Connection, to: &Connection, room: &mut Room) -> SqlResult<Salvaged> {
    let mut copying = Copying::new(from, to, room);
    to.execute_batch("BEGIN IMMEDIATE")?;
    let copied = copying.all().and_then(|()| copying.make_room());
    match copied {
        Ok(()) => {}
        // What was copied so far stays; the rest is in the file that was put aside.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
            copying.is_full = true;
            copying.result.uncounted = true;
            copying.result.faults.push("the disk is too full to save all of it".to_owned());
        }
        Err(error) => return Err(error),
    }
    if !to.is_autocommit() {
        to.execute_batch(if copying.is_full { "ROLLBACK" } else { "COMMIT" })?;
    }
    Ok(copying.result)
}

struct Copying<'all> {
    from: &'all Connection,
    to: &'all Connection,
    result: Salvaged,
    sessions: HashSet<i64>,
    slots: HashSet<Slot>,
    /// Bytes of each payload that were saved, and whether they are all.
    parts: BTreeMap<PayloadId, u64>,
    payloads: BTreeSet<PayloadId>,
    references: BTreeMap<PayloadId, i64>,
    room: &'all mut Room,
    /// Bytes of the rows since the last commit.
    uncommitted: u64,
    is_full: bool,
}

impl<'all> Copying<'all> {
    fn new(from: &'all Connection, to: &'all Connection, room: &'all mut Room) -> Self {
        Self {
            from,
            to,
            result: Salvaged::default(),
            sessions: HashSet::new(),
            slots: HashSet::new(),
            parts: BTreeMap::new(),
            payloads: BTreeSet::new(),
            references: BTreeMap::new(),
            room,
            uncommitted: 0,
            is_full: false,
        }
    }

    /// What others belong to comes first.
    fn all(&mut self) -> SqlResult<()> {
        const ORDER: [Table; 11] = [
            Table::Store,
            Table::Lives,
            Table::Sessions,
            Table::Ended,
            Table::Subscriptions,
            Table::Received,
            Table::Released,
            Table::PayloadParts,
            Table::Payloads,
            Table::Queued,
            Table::Retained,
        ];
        for table in ORDER {
            self.table(table)?;
        }
        self.count_references()
    }

    fn table(&mut self, table: Table) -> SqlResult<()> {
        let (from, mut bad, mut good) = (self.from, 0_u64, 0_u64);
        let mut seen = HashSet::new();
        let sight = walk(from, table, &mut |row| {
            let is_new = match row.get_ref(0)? {
                ValueRef::Text(text) => seen.insert(text.to_owned()),
                _ => true,
            };
            if !is_new {
                return Ok(());
            }
            let taken = Columns::checked(table, row).and_then(|columns| {
                self.belongs(table, &columns)?;
                Ok(columns)
            });
            match taken {
                Ok(columns) => {
                    self.take(table, columns.values())?;
                    good = good.saturating_add(1);
                }
                Err(ReadError::Row(_)) => bad = bad.saturating_add(1),
                Err(ReadError::Sql(error)) => return Err(error),
            }
            Ok(())
        });
        let sight = match sight {
            // A table that is not there at all.
            Err(error) if is_damage(&error) => Sight::Holes,
            other => other?,
        };
        *count_of(&mut self.result.saved, table) =
            count_of(&mut self.result.saved, table).saturating_add(good);
        *count_of(&mut self.result.lost, table) =
            count_of(&mut self.result.lost, table).saturating_add(bad);
        self.result.uncounted |= sight == Sight::Holes;
        Ok(())
    }

    /// Whether what the row speaks of was saved; notes what it is.
    fn belongs(&mut self, table: Table, columns: &Columns<'_>) -> Result<(), ReadError> {
        const ORPHAN: ReadError = ReadError::Row("what it belongs to is not there");
        let is_there = match table {
            Table::Store | Table::Lives => true,
            Table::Sessions => {
                self.sessions.insert(columns.required(0)?);
                let slot = Slot::from_column(columns.required(1)?);
                self.slots.insert(slot.ok_or(ORPHAN)?)
            }
            Table::Ended => {
                let slot = Slot::from_column(columns.required(0)?);
                self.slots.insert(slot.ok_or(ORPHAN)?)
            }
            Table::Subscriptions | Table::Received | Table::Released => {
                self.sessions.contains(&columns.required(0)?)
            }
            Table::PayloadParts => {
                let id = PayloadId(columns.required::<u64>(0)? >> super::payloads::PART_BITS);
                let bytes = columns.bytes(1)?.map_or(0, <[u8]>::len);
                let length = u64::try_from(bytes).unwrap_or(u64::MAX);
                let all = self.parts.entry(id).or_default();
                *all = all.saturating_add(length);
                true
            }
            Table::Payloads => {
                let id = PayloadId(columns.required(0)?);
                let is_whole = self.parts.get(&id) == Some(&columns.required(2)?);
                is_whole && self.payloads.insert(id)
            }
            Table::Queued => {
                let (slot, _) = split(columns.required(0)?).ok_or(ORPHAN)?;
                self.slots.contains(&slot) && self.refer(columns.number(3)?)
            }
            Table::Retained => self.refer(columns.number(2)?),
        };
        if is_there { Ok(()) } else { Err(ORPHAN) }
    }

    /// Counts a reference to a large payload; whether that was saved.
    fn refer(&mut self, large: Option<u64>) -> bool {
        let Some(id) = large.map(PayloadId) else { return true };
        if !self.payloads.contains(&id) {
            return false;
        }
        let count = self.references.entry(id).or_default();
        *count = count.saturating_add(1);
        true
    }

    fn take(&mut self, table: Table, fields: &[ValueRef<'_>]) -> SqlResult<()> {
        put(self.to, table, fields)?;
        let length = |field: &ValueRef<'_>| match field {
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len(),
            ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => size_of::<i64>(),
        };
        let bytes = fields.iter().map(length).fold(0, usize::saturating_add);
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.uncommitted = self.uncommitted.saturating_add(bytes);
        if self.uncommitted >= STORE_SALVAGE_BYTES {
            self.make_room()?;
            self.to.execute_batch("COMMIT; BEGIN IMMEDIATE")?;
            self.uncommitted = 0;
        }
        Ok(())
    }

    /// Before a commit: what is in the log must find room in the file, for that goes alone.
    fn make_room(&mut self) -> SqlResult<()> {
        let pragma = |sql| -> SqlResult<u64> { self.to.query_row(sql, [], |row| row.get(0)) };
        let pages = pragma("PRAGMA page_count")?;
        let bytes = pages.saturating_mul(schema::PAGE_BYTES.into());
        self.room
            .reserve(bytes)
            .map_err(|_| rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_FULL), None))
    }

    /// Large payloads have as many references as were saved; those without any go.
    fn count_references(&mut self) -> SqlResult<()> {
        let ids: BTreeSet<PayloadId> =
            self.parts.keys().copied().chain(self.payloads.iter().copied()).collect();
        for id in ids {
            let references = self.references.get(&id).copied().unwrap_or(0);
            let length = self.parts.get(&id).copied().unwrap_or(0);
            if references > 0 {
                let row = [integer(id.0), ValueRef::Integer(references), integer(length)];
                put(self.to, Table::Payloads, &row)?;
            } else {
                let (first, last) = keys(id);
                self.to.execute("DELETE FROM payloads WHERE id = ?", [id.0])?;
                let sql = "DELETE FROM payload_parts WHERE key BETWEEN ? AND ?";
                self.to.execute(sql, [first, last])?;
            }
        }
        Ok(())
    }
}

/// Where a table is counted.
pub(super) fn count_of(contents: &mut Contents, table: Table) -> &mut u64 {
    match table {
        Table::Sessions => &mut contents.sessions,
        Table::Subscriptions => &mut contents.subscriptions,
        Table::Queued => &mut contents.messages,
        Table::Retained => &mut contents.retained,
        Table::Store
        | Table::Lives
        | Table::Received
        | Table::Released
        | Table::Ended
        | Table::Payloads
        | Table::PayloadParts => &mut contents.others,
    }
}

/// The one value that a question is answered with, as text; `None` where there is none.
pub(super) fn ask(connection: &Connection, sql: &str) -> SqlResult<Option<String>> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(match row.get_ref(0)? {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        // SQLite quotes what it finds, whatever that is.
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            Some(String::from_utf8_lossy(bytes).into_owned())
        }
    })
}
