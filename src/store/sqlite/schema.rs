//! What is in the file, and how an older one becomes it.

use rusqlite::Connection;

use super::trouble::SqlResult;
use crate::limits::{STORE_CACHE_KIB, STORE_LOG_BYTES_MAX};
use crate::store::Durability;

/// "mais", so that `file` and we ourselves know whose file it is.
pub(super) const APPLICATION_ID: i64 = 0x6D61_6973;

/// Half a block of the usual file system: a batch of one message for each of a few sessions changes
/// a page for each of them, and costs half of what pages of 4 KiB cost.
pub(super) const PAGE_BYTES: u32 = 2048;

/// `migrations[version]` makes the next version of a schema. A file has the version of all it has
/// been through.
const MIGRATIONS: &[&str] = &[include_str!("schema_1.sql")];

/// What the file is told at each opening, before anything else: the page size counts for a new
/// one only.
pub(super) fn configure(connection: &Connection, durability: Durability) -> SqlResult<()> {
    let synchronous = match durability {
        Durability::PowerCut => "FULL",
        Durability::Crash => "NORMAL",
    };
    connection.execute_batch(&format!(
        "PRAGMA page_size = {PAGE_BYTES};
         PRAGMA cache_size = -{STORE_CACHE_KIB};
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = {synchronous};
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = {STORE_LOG_BYTES_MAX};
         PRAGMA temp_store = MEMORY;
         PRAGMA trusted_schema = OFF;
         PRAGMA foreign_keys = OFF;"
    ))
}

/// The version of the schema this program writes.
pub(super) fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// The version of the schema in the file; 0: none.
pub(super) fn version(connection: &Connection) -> SqlResult<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Makes the schema of a new file, or brings an older one up to date, as a whole.
pub(super) fn migrate(connection: &mut Connection) -> SqlResult<()> {
    migrate_by(connection, MIGRATIONS)
}

fn migrate_by(connection: &mut Connection, migrations: &[&str]) -> SqlResult<()> {
    let done = usize::try_from(version(connection)?).unwrap_or(0);
    if done >= migrations.len() {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    for migration in migrations.iter().skip(done) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    let version = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    transaction.pragma_update(None, "user_version", version)?;
    transaction.commit()
}

/// Whether the file says that it is ours.
pub(super) fn is_ours(connection: &Connection) -> SqlResult<bool> {
    let id = connection.pragma_query_value(None, "application_id", |row| row.get::<_, i64>(0))?;
    Ok(id == APPLICATION_ID)
}

/// Whether a later version of the program wrote the file.
pub(super) fn is_later(connection: &Connection) -> SqlResult<bool> {
    Ok(is_ours(connection)? && version(connection)? > known())
}

/// Whether the file says of its tables what a fresh one says, down to where they begin.
pub(super) fn is_intact(connection: &Connection) -> SqlResult<bool> {
    let mut fresh = Connection::open_in_memory()?;
    fresh.pragma_update(None, "page_size", PAGE_BYTES)?;
    migrate(&mut fresh)?;
    Ok(description(connection)? == description(&fresh)?)
}

/// Name, first page and text of a table.
type Description = (String, Option<i64>, Option<String>);

fn description(connection: &Connection) -> SqlResult<Vec<Description>> {
    let sql = "SELECT name, rootpage, sql FROM sqlite_schema ORDER BY rowid";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    rows.collect()
}

/// The pages that say where the tables are.
pub(super) fn pages(connection: &Connection) -> SqlResult<Vec<u64>> {
    let sql = "SELECT pageno FROM dbstat WHERE name IN ('sqlite_schema', 'sqlite_master')";
    let mut statement = connection.prepare(sql)?;
    let pages = statement.query_map([], |row| row.get(0))?;
    pages.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_file_goes_through_the_migrations_it_has_not_seen_as_a_whole() {
        const STEPS: [&str; 3] = [
            "CREATE TABLE one (a INTEGER); INSERT INTO one VALUES (1);",
            "ALTER TABLE one ADD COLUMN b INTEGER; UPDATE one SET b = a + 1;",
            "UPDATE one SET b = b * 10; SELECT * FROM nowhere;",
        ];
        let mut connection = Connection::open_in_memory().unwrap();
        migrate_by(&mut connection, &STEPS[..1]).unwrap();
        assert_eq!((version(&connection).unwrap(), is_ours(&connection).unwrap()), (1, true));
        migrate_by(&mut connection, &STEPS[..2]).unwrap();
        let b = |connection: &Connection| -> i64 {
            connection.query_row("SELECT b FROM one", [], |row| row.get(0)).unwrap()
        };
        assert_eq!((version(&connection).unwrap(), b(&connection)), (2, 2));
        migrate_by(&mut connection, &STEPS).unwrap_err();
        assert_eq!((version(&connection).unwrap(), b(&connection)), (2, 2));
    }
}
