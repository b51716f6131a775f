//! What is in the file, and how an older one becomes it.

use rusqlite::{Connection, Transaction};

use super::trouble::SqlResult;
use crate::limits::STORE_CACHE_KIB;
use crate::store::Durability;

/// "mais", so that `file` and we ourselves know whose file it is.
pub(super) const APPLICATION_ID: i64 = 0x6D61_6973;

/// Half a block of the usual file system: a batch of one message for each of a few sessions changes
/// a page for each of them, and costs half of what pages of 4 KiB cost.
const PAGE_BYTES: u32 = 2048;

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
    let from = version(connection)?;
    if from == known() {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    let done = usize::try_from(from).unwrap_or(0);
    for migration in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(migration)?;
    }
    label(&transaction)?;
    transaction.commit()
}

fn label(transaction: &Transaction<'_>) -> SqlResult<()> {
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", known())
}
