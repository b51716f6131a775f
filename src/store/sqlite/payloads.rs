//! Large payloads: each stands once in the store, in parts, however many messages have it.
//!
//! Which messages have the same payload is told by the memory it lies in: the broker shares it
//! among them. What is still in somebody's hands is remembered, so that a payload is shared across
//! batches and pages too.

use std::collections::{BTreeMap, HashMap};

use bytes::{Bytes, BytesMut};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _};

use super::message::{Payload, PayloadId, integer};
use super::row::{Columns, ReadError, Table, fill, insertion, put};
use super::trouble::SqlResult;
use crate::limits::{STORE_PAYLOAD_INLINE_BYTES_MAX, STORE_PAYLOAD_PART_BYTES};

const PART_BITS: u32 = 13;

const _: () = assert!(STORE_PAYLOAD_PART_BYTES << PART_BITS >= 256 * 1024 * 1024);

/// The large payloads of a store.
#[derive(Debug, Default)]
pub(super) struct Payloads {
    /// How many are there, for whoever would look for one in vain.
    count: u64,
    next: u64,
    /// By where they lie in memory; a clone keeps them there.
    held: HashMap<(usize, usize), (PayloadId, Bytes)>,
    by_id: HashMap<PayloadId, (usize, usize)>,
    /// What the batch under way changes.
    pending: BTreeMap<PayloadId, Pending>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Pending {
    references: i64,
    /// Its length, if it is new.
    added: Option<usize>,
}

impl Payloads {
    /// As the tables have them.
    pub(super) fn load(connection: &Connection) -> SqlResult<Self> {
        const SQL: &str = "SELECT count(*), coalesce(max(id), 0) FROM payloads";
        let (count, last): (u64, u64) =
            connection.query_row(SQL, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Self { count, next: last.saturating_add(1), ..Self::default() })
    }

    /// Whether none is there, so that no row can speak of one.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0 && self.pending.is_empty()
    }

    /// Where a row is to have its payload; a large one is written now if it is not there.
    pub(super) fn place<'bytes>(
        &mut self,
        connection: &Connection,
        bytes: &'bytes Bytes,
    ) -> SqlResult<Payload<'bytes>> {
        if bytes.len() <= STORE_PAYLOAD_INLINE_BYTES_MAX {
            return Ok(Payload::Inline(bytes));
        }
        let at = (bytes.as_ptr().addr(), bytes.len());
        if let Some((id, _)) = self.held.get(&at) {
            return Ok(Payload::Large(*id));
        }
        let id = PayloadId(self.next);
        write_parts(connection, id, bytes)?;
        self.next = self.next.saturating_add(1);
        self.pending.entry(id).or_default().added = Some(bytes.len());
        self.hold(id, bytes);
        Ok(Payload::Large(id))
    }

    /// A row has `new` in place of `old`.
    pub(super) fn exchange(&mut self, old: Option<PayloadId>, new: Option<PayloadId>) {
        if old == new {
            return;
        }
        let mut count = |id: Option<PayloadId>, by: i64| {
            if let Some(id) = id {
                let pending = self.pending.entry(id).or_default();
                pending.references = pending.references.saturating_add(by);
            }
        };
        count(new, 1);
        count(old, -1);
    }

    /// Writes the counts that the batch has changed, and removes what no row speaks of any more.
    pub(super) fn finish(&mut self, connection: &Connection) -> Result<(), ReadError> {
        for (id, pending) in std::mem::take(&mut self.pending) {
            let (references, length) = match pending.added {
                Some(length) => (0, length),
                None if pending.references == 0 => continue,
                // Of one that is not there nothing is left to be counted.
                None => match find(connection, id)? {
                    Some(found) => found,
                    None => continue,
                },
            };
            let references = references.saturating_add(pending.references);
            if references > 0 {
                let length = u64::try_from(length).unwrap_or(u64::MAX);
                let row = [integer(id.0), ValueRef::Integer(references), integer(length)];
                put(connection, Table::Payloads, &row)?;
                self.count = self.count.saturating_add(pending.added.is_some().into());
            } else {
                remove(connection, id)?;
                self.count = self.count.saturating_sub(pending.added.is_none().into());
                self.let_go(id);
            }
        }
        Ok(())
    }

    /// The bytes of a payload, shared with whoever has them already.
    pub(super) fn read(
        &mut self,
        connection: &Connection,
        id: PayloadId,
    ) -> Result<Bytes, ReadError> {
        let held = self.by_id.get(&id).and_then(|at| self.held.get(at));
        if let Some((_, bytes)) = held {
            return Ok(bytes.clone());
        }
        let bytes = read_parts(connection, id)?;
        self.hold(id, &bytes);
        Ok(bytes)
    }

    /// Lets go of what nobody else has.
    pub(super) fn settle(&mut self) {
        self.held.retain(|_, (id, bytes)| {
            let is_shared = !bytes.is_unique();
            if !is_shared {
                self.by_id.remove(id);
            }
            is_shared
        });
    }

    fn hold(&mut self, id: PayloadId, bytes: &Bytes) {
        let at = (bytes.as_ptr().addr(), bytes.len());
        self.held.insert(at, (id, bytes.clone()));
        self.by_id.insert(id, at);
    }

    fn let_go(&mut self, id: PayloadId) {
        if let Some(at) = self.by_id.remove(&id) {
            self.held.remove(&at);
        }
    }
}

/// How many rows speak of it, and its length.
pub(super) fn find(
    connection: &Connection,
    id: PayloadId,
) -> Result<Option<(i64, usize)>, ReadError> {
    let mut statement = connection.prepare_cached("SELECT * FROM payloads WHERE id = ?")?;
    let mut rows = statement.query([id.0])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let columns = Columns::checked(Table::Payloads, row)?;
    Ok(Some((columns.required(1)?, columns.required(2)?)))
}

/// The keys of its parts: first and last.
fn keys(id: PayloadId) -> (u64, u64) {
    let first = id.0 << PART_BITS;
    (first, first | ((1 << PART_BITS) - 1))
}

fn write_parts(connection: &Connection, id: PayloadId, bytes: &Bytes) -> SqlResult<()> {
    let (first, _) = keys(id);
    let mut statement = connection.prepare_cached(insertion(Table::PayloadParts))?;
    for (key, part) in (first..).zip(bytes.chunks(STORE_PAYLOAD_PART_BYTES)) {
        fill(&mut statement, Table::PayloadParts, &[integer(key), ValueRef::Blob(part)])?;
    }
    Ok(())
}

fn read_parts(connection: &Connection, id: PayloadId) -> Result<Bytes, ReadError> {
    let (_, length) = find(connection, id)?.ok_or(ReadError::Row("its payload is gone"))?;
    let (first, last) = keys(id);
    let mut bytes = BytesMut::with_capacity(length);
    let sql = "SELECT * FROM payload_parts WHERE key BETWEEN ? AND ? ORDER BY key";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([first, last])?;
    while let Some(row) = rows.next()? {
        let columns = Columns::checked(Table::PayloadParts, row)?;
        bytes.extend_from_slice(columns.bytes(1)?.unwrap_or_default());
    }
    if bytes.len() == length {
        return Ok(bytes.freeze());
    }
    Err(ReadError::Row("a part of its payload is gone"))
}

fn remove(connection: &Connection, id: PayloadId) -> SqlResult<()> {
    let (first, last) = keys(id);
    connection.prepare_cached("DELETE FROM payloads WHERE id = ?")?.execute([id.0])?;
    let sql = "DELETE FROM payload_parts WHERE key BETWEEN ? AND ?";
    connection.prepare_cached(sql)?.execute([first, last]).map(|_| ())
}

/// The large payload that a row has, if any; `sql` selects its column `large`.
pub(super) fn of_row(
    connection: &Connection,
    sql: &str,
    key: impl rusqlite::Params,
) -> SqlResult<Option<PayloadId>> {
    let found: Option<Option<u64>> =
        connection.prepare_cached(sql)?.query_row(key, |row| row.get(0)).optional()?;
    Ok(found.flatten().map(PayloadId))
}
