//! Every row of a damaged table that can still be read: where SQLite stops, the next readable row
//! is looked for beyond.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use super::row::Table;
use super::trouble::{SqlResult, is_damage};
use crate::limits::STORE_HOLES_MAX;

/// Whether a walk saw all there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    Whole,
    Holes,
}

/// How the rows of a table can be asked for from somewhere on.
enum Order {
    /// By an integer, the first column; there may be several rows with the same.
    Number(&'static str),
    /// By a text, the first column.
    Text(&'static str),
}

const fn order(table: Table) -> Order {
    match table {
        Table::Lives => Order::Number("life"),
        Table::Sessions | Table::Payloads => Order::Number("id"),
        Table::Subscriptions | Table::Received | Table::Released => Order::Number("session"),
        Table::Queued | Table::PayloadParts => Order::Number("key"),
        Table::Ended => Order::Number("slot"),
        Table::Store => Order::Text("name"),
        Table::Retained => Order::Text("topic"),
    }
}

/// Hands each readable row of `SELECT *` to `take`, in order as far as that can be; some may come
/// twice. Fails where `take` does.
pub(super) fn walk(
    connection: &Connection,
    table: Table,
    take: &mut dyn FnMut(&Row<'_>) -> SqlResult<()>,
) -> SqlResult<Sight> {
    match order(table) {
        Order::Number(column) => Numbers { connection, table, column }.walk(take),
        Order::Text(column) => texts(connection, table, column, take),
    }
}

struct Numbers<'all> {
    connection: &'all Connection,
    table: Table,
    column: &'static str,
}

impl Numbers<'_> {
    fn walk(&self, take: &mut dyn FnMut(&Row<'_>) -> SqlResult<()>) -> SqlResult<Sight> {
        let mut from = i64::MIN;
        for _ in 0..STORE_HOLES_MAX {
            let mut last = from;
            let sql = format!(
                "SELECT * FROM {table} WHERE {column} >= ? ORDER BY {column}",
                table = self.table.name(),
                column = self.column
            );
            let ended = run(self.connection, &sql, ValueRef::Integer(from), &mut |row| {
                last = row.get(0)?;
                take(row)
            })?;
            if ended == Ended::AtTheEnd {
                return Ok(if from == i64::MIN { Sight::Whole } else { Sight::Holes });
            }
            match self.beyond(last) {
                Some(next) => from = next,
                None => break,
            }
        }
        Ok(Sight::Holes)
    }

    /// The first number after `after` from which on a row can be read.
    fn beyond(&self, after: i64) -> Option<i64> {
        let mut wrong = after;
        let mut step = 1_i64;
        let mut right = loop {
            let next = after.checked_add(step)?;
            if self.can_read(next) {
                break next;
            }
            wrong = next;
            step = step.checked_mul(2)?;
        };
        while let Some(middle) = between(wrong, right) {
            if self.can_read(middle) {
                right = middle;
            } else {
                wrong = middle;
            }
        }
        Some(right)
    }

    /// Whether the first row from there on can be read, or there is none.
    fn can_read(&self, from: i64) -> bool {
        let sql = format!(
            "SELECT * FROM {table} WHERE {column} >= ? ORDER BY {column} LIMIT 1",
            table = self.table.name(),
            column = self.column
        );
        let read = run(self.connection, &sql, ValueRef::Integer(from), &mut |_| Ok(()));
        matches!(read, Ok(Ended::AtTheEnd))
    }
}

fn between(low: i64, high: i64) -> Option<i64> {
    let half = high.checked_sub(low)? / 2;
    (half > 0).then(|| low.saturating_add(half))
}

/// From the front up to the first hole, from the levels of topics beyond it, and from the end.
fn texts(
    connection: &Connection,
    table: Table,
    column: &str,
    take: &mut dyn FnMut(&Row<'_>) -> SqlResult<()>,
) -> SqlResult<Sight> {
    let table = table.name();
    let mut from = Some(String::new());
    let mut sight = Sight::Whole;
    let mut holes = 0;
    while let Some(start) = from.take() {
        let mut last = start.clone();
        let sql = format!("SELECT * FROM {table} WHERE {column} >= ? ORDER BY {column}");
        let ended = run(connection, &sql, ValueRef::Text(start.as_bytes()), &mut |row| {
            if let ValueRef::Text(text) = row.get_ref(0)? {
                last = String::from_utf8_lossy(text).into_owned();
            }
            take(row)
        })?;
        if ended == Ended::AtTheEnd || holes >= STORE_HOLES_MAX {
            return Ok(sight);
        }
        sight = Sight::Holes;
        holes = holes.saturating_add(1);
        let sql = format!("{sql} LIMIT 1");
        from = beyond(&last).find(|start| {
            let start = ValueRef::Text(start.as_bytes());
            matches!(run(connection, &sql, start, &mut |_| Ok(())), Ok(Ended::AtTheEnd))
        });
    }
    let sql = format!("SELECT * FROM {table} WHERE {column} >= ? ORDER BY {column} DESC");
    run(connection, &sql, ValueRef::Text(b""), take)?;
    Ok(sight)
}

/// Texts that come after `text` and all that begins like it, level by level.
fn beyond(text: &str) -> impl Iterator<Item = String> {
    let ends: Vec<usize> = text.match_indices('/').map(|(at, _)| at).collect();
    let parents = ends.into_iter().rev().filter_map(|end| text.get(..end));
    // What follows the slash in order.
    let parents: Vec<String> = parents.map(|parent| format!("{parent}0")).collect();
    std::iter::once(format!("{text}\u{1}"))
        .chain(std::iter::once(format!("{text}0")))
        .chain(parents)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    AtTheEnd,
    AtDamage,
}

/// Runs through a query up to its end or up to damage; fails where `take` does.
fn run(
    connection: &Connection,
    sql: &str,
    from: ValueRef<'_>,
    take: &mut dyn FnMut(&Row<'_>) -> SqlResult<()>,
) -> SqlResult<Ended> {
    let ended = |error: rusqlite::Error| {
        if is_damage(&error) { Ok(Ended::AtDamage) } else { Err(error) }
    };
    let mut statement = match connection.prepare_cached(sql) {
        Ok(statement) => statement,
        Err(error) => return ended(error),
    };
    statement.raw_bind_parameter(1, rusqlite::types::ToSqlOutput::Borrowed(from))?;
    let mut rows = statement.raw_query();
    loop {
        match rows.next() {
            Ok(Some(row)) => take(row)?,
            Ok(None) => return Ok(Ended::AtTheEnd),
            Err(error) => return ended(error),
        }
    }
}
