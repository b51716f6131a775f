//! Rows with their checksum: written and read by the same description of what it covers.

use std::fmt;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Row, Statement};

use super::trouble::SqlResult;

/// The tables of the schema whose rows have a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    Store,
    Lives,
    Sessions,
    Subscriptions,
    Received,
    Released,
    Queued,
    Ended,
    Retained,
    Payloads,
    PayloadParts,
}

impl Table {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Lives => "lives",
            Self::Sessions => "sessions",
            Self::Subscriptions => "subscriptions",
            Self::Received => "received",
            Self::Released => "released",
            Self::Queued => "queued",
            Self::Ended => "ended",
            Self::Retained => "retained",
            Self::Payloads => "payloads",
            Self::PayloadParts => "payload_parts",
        }
    }

    /// Adds a row, in place of the one with the same key.
    const fn insert(self) -> &'static str {
        match self {
            Self::Store => "REPLACE INTO store VALUES (?, ?, ?)",
            Self::Lives => "REPLACE INTO lives VALUES (?, ?, ?, ?, ?, ?)",
            Self::Sessions => {
                "REPLACE INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            }
            Self::Subscriptions => "REPLACE INTO subscriptions VALUES (?, ?, ?, ?, ?, ?, ?)",
            Self::Received => "REPLACE INTO received VALUES (?, ?, ?)",
            Self::Released => "REPLACE INTO released VALUES (?, ?, ?, ?)",
            Self::Queued => {
                "REPLACE INTO queued VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            }
            Self::Ended => "REPLACE INTO ended VALUES (?, ?)",
            Self::Retained => "REPLACE INTO retained VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            Self::Payloads => "REPLACE INTO payloads VALUES (?, ?, ?, ?)",
            Self::PayloadParts => "REPLACE INTO payload_parts VALUES (?, ?, ?)",
        }
    }

    /// Tells rows of different tables apart that have the same columns.
    const fn tag(self) -> u8 {
        match self {
            Self::Store => 1,
            Self::Lives => 2,
            Self::Sessions => 3,
            Self::Subscriptions => 4,
            Self::Received => 5,
            Self::Released => 6,
            Self::Queued => 7,
            Self::Ended => 8,
            Self::Retained => 9,
            Self::Payloads => 10,
            Self::PayloadParts => 11,
        }
    }
}

/// Writes a row: all its columns but the checksum, which is the last.
pub(super) fn put(connection: &Connection, table: Table, fields: &[ValueRef]) -> SqlResult<()> {
    let mut statement = connection.prepare_cached(table.insert())?;
    fill(&mut statement, table, fields)
}

/// As [`put`], with the statement of [`insertion`].
pub(super) fn fill(statement: &mut Statement, table: Table, fields: &[ValueRef]) -> SqlResult<()> {
    let mut sum = Summing::of(table);
    let mut index = 1_usize;
    for field in fields {
        sum.field(*field);
        statement.raw_bind_parameter(index, ToSqlOutput::Borrowed(*field))?;
        index = index.saturating_add(1);
    }
    statement.raw_bind_parameter(index, sum.finish())?;
    statement.raw_execute().map(|_| ())
}

/// The statement that adds a row to `table`, for whoever adds many.
pub(super) const fn insertion(table: Table) -> &'static str {
    table.insert()
}

/// Why a row cannot be used.
#[derive(Debug)]
pub(super) enum ReadError {
    /// SQLite says no.
    Sql(rusqlite::Error),
    /// The row is not what was written: a constant phrase.
    Row(&'static str),
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sql(error) => error.fmt(formatter),
            Self::Row(what) => formatter.write_str(what),
        }
    }
}

/// Columns of the widest table, but for its checksum.
const COLUMNS_MAX: usize = 15;

/// A row that is what was written, as far as its checksum tells. Its columns were asked for once:
/// that costs as much as the walk to the row.
pub(super) struct Columns<'row> {
    values: [ValueRef<'row>; COLUMNS_MAX],
    count: usize,
}

impl<'row> Columns<'row> {
    /// Checks a row of `SELECT *`.
    pub(super) fn checked(table: Table, row: &'row Row<'row>) -> Result<Self, ReadError> {
        let count = row.as_ref().column_count().checked_sub(1);
        let count = count.ok_or(ReadError::Row("no columns"))?;
        let mut values = [ValueRef::Null; COLUMNS_MAX];
        let fields = values.get_mut(..count).ok_or(ReadError::Row("too many columns"))?;
        let mut sum = Summing::of(table);
        for (index, field) in fields.iter_mut().enumerate() {
            *field = row.get_ref(index)?;
            sum.field(*field);
        }
        match row.get_ref(count)? {
            ValueRef::Integer(written) if written == i64::from(sum.finish()) => {
                Ok(Self { values, count })
            }
            _ => Err(ReadError::Row("its checksum is wrong")),
        }
    }

    /// All of them but the checksum.
    pub(super) fn values(&self) -> &[ValueRef<'row>] {
        self.values.get(..self.count).unwrap_or_default()
    }

    /// Any column.
    pub(super) fn value(&self, index: usize) -> Result<ValueRef<'row>, ReadError> {
        self.values().get(index).copied().ok_or(ReadError::Row("a column is missing"))
    }

    /// A number that may be absent.
    pub(super) fn number<T: TryFrom<i64>>(&self, index: usize) -> Result<Option<T>, ReadError> {
        const WRONG: ReadError = ReadError::Row("a number is out of its range");
        match self.value(index)? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(number) => T::try_from(number).map(Some).map_err(|_| WRONG),
            _ => Err(ReadError::Row("a column is not a number")),
        }
    }

    /// A number that is always there.
    pub(super) fn required<T: TryFrom<i64>>(&self, index: usize) -> Result<T, ReadError> {
        self.number(index)?.ok_or(ReadError::Row("a column is absent"))
    }

    /// 0 or 1.
    pub(super) fn flag(&self, index: usize) -> Result<bool, ReadError> {
        Ok(self.required::<u8>(index)? == 1)
    }

    /// A text that may be absent.
    pub(super) fn text(&self, index: usize) -> Result<Option<&'row str>, ReadError> {
        match self.value(index)? {
            ValueRef::Null => Ok(None),
            ValueRef::Text(text) => {
                std::str::from_utf8(text).map(Some).map_err(|_| ReadError::Row("no UTF-8"))
            }
            _ => Err(ReadError::Row("a column is not a text")),
        }
    }

    /// A text that is always there.
    pub(super) fn required_text(&self, index: usize) -> Result<&'row str, ReadError> {
        self.text(index)?.ok_or(ReadError::Row("a text is absent"))
    }

    /// Bytes that may be absent.
    pub(super) fn bytes(&self, index: usize) -> Result<Option<&'row [u8]>, ReadError> {
        match self.value(index)? {
            ValueRef::Null => Ok(None),
            ValueRef::Blob(bytes) => Ok(Some(bytes)),
            _ => Err(ReadError::Row("a column is not bytes")),
        }
    }
}

/// Sums up the columns of a row. Small pieces are collected, for the sum of a long one is fast and
/// those of many short ones are not.
struct Summing {
    hasher: crc32fast::Hasher,
    collected: [u8; COLLECTED_MAX],
    used: usize,
}

const COLLECTED_MAX: usize = 256;

impl Summing {
    fn of(table: Table) -> Self {
        let hasher = crc32fast::Hasher::new();
        let mut sum = Self { hasher, collected: [0; COLLECTED_MAX], used: 0 };
        sum.bytes(&[table.tag()]);
        sum
    }

    fn field(&mut self, field: ValueRef<'_>) {
        match field {
            ValueRef::Null => self.bytes(&[0]),
            ValueRef::Integer(number) => self.number(1, number.to_le_bytes()),
            ValueRef::Real(number) => self.number(2, number.to_bits().to_le_bytes()),
            ValueRef::Text(text) => self.counted(3, text),
            ValueRef::Blob(blob) => self.counted(4, blob),
        }
    }

    fn number(&mut self, kind: u8, bytes: [u8; 8]) {
        let mut field = [kind; 9];
        let [_, number @ ..] = &mut field;
        *number = bytes;
        self.bytes(&field);
    }

    fn counted(&mut self, kind: u8, bytes: &[u8]) {
        let [a, b, c, d] = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
        self.bytes(&[kind, a, b, c, d]);
        self.bytes(bytes);
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        if bytes.len() > COLLECTED_MAX.saturating_sub(self.used) {
            self.flush();
        }
        let end = self.used.saturating_add(bytes.len());
        match self.collected.get_mut(self.used..end) {
            Some(free) => {
                free.copy_from_slice(bytes);
                self.used = end;
            }
            None => self.hasher.update(bytes),
        }
    }

    fn flush(&mut self) {
        self.hasher.update(self.collected.get(..self.used).unwrap_or_default());
        self.used = 0;
    }

    fn finish(mut self) -> u32 {
        self.flush();
        self.hasher.finalize()
    }
}
