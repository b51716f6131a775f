//! The store as an SQLite file with a write-ahead log.

mod aside;
mod check;
mod fresh;
mod graft;
mod key;
mod log_file;
mod look;
mod message;
mod opening;
mod payloads;
mod read;
mod reader;
mod room;
mod round;
mod row;
mod salvage;
mod schema;
#[cfg(test)]
mod tests;
mod trouble;
mod walk;
mod write;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::hooks::Wal;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, TransactionBehavior};

use self::aside::log_of;
use self::key::Slots;
use self::opening::{Moment, Opened};
use self::payloads::Payloads;
use self::read::Loaded;
use self::room::Room;
use self::row::{ReadError, Table, put};
use self::trouble::{SqlResult, failure};
use self::write::{Fact, WriteError, Writer, fact};
use super::lives::{LifeId, Lives};
use super::{Durability, Failure, Figures, OpenError, OpenReport, Store};
use crate::broker::record::{Batch, PageRequest, Place, Queued, Restored};
use crate::limits::{STORE_LOG_BYTES, STORE_LOG_BYTES_MAX};
use crate::time::{Tick, Timestamp};

pub use reader::{Reader, check, compact};

/// Its name in the state folder.
pub const FILE: &str = "broker.db";

/// Statements kept ready: all there are.
const STATEMENTS_MAX: usize = 64;

/// Bytes of the log before each page in it.
const FRAME_HEADER_BYTES: u64 = 24;

/// See the module.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
    path: PathBuf,
    durability: Durability,
    lives: Lives,
    slots: Slots,
    payloads: Payloads,
    next_session: u64,
    /// Read at the opening, until it is asked for.
    restored: Option<Restored>,
    /// Lives of which nothing speaks any more.
    forgotten: Vec<LifeId>,
    state: State,
    figures: Figures,
    page_bytes: u64,
    /// In which the log is, as the file says.
    round: Option<u32>,
    /// Pages in the log, as the last commit told.
    logged: Arc<AtomicU64>,
    /// Stands after the connection: it is closed after that.
    room: Room,
}

/// Whether what is in memory is what is in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is; nothing was written yet.
    Opened,
    /// It is, and the file says that it is in use.
    Marked,
    /// A batch failed: what is in memory is read again first.
    Stale,
}

impl SqliteStore {
    /// Opens the file at `path`, or makes it. What is damaged is put aside, and told.
    pub fn open(
        path: &Path,
        durability: Durability,
        now: Tick,
        wall: Timestamp,
    ) -> Result<(Self, OpenReport), OpenError> {
        let opened = opening::open(path, durability, Moment { now, wall })?;
        Self::of(opened, path, durability).map_err(|error| OpenError::Failed {
            path: path.to_owned(),
            failure: failure(&error, path),
        })
    }

    fn of(opened: Opened, path: &Path, durability: Durability) -> SqlResult<(Self, OpenReport)> {
        let Opened { mut connection, mut lives, payloads, loaded, report } = opened;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        let Loaded { restored, slots, oldest_life, bad: _ } = loaded;
        let forgotten = lives.forget_before(oldest_life.unwrap_or(lives.current()));
        let page_bytes = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let logged = Arc::new(AtomicU64::new(0));
        count_log(&mut connection, &logged)?;
        let store = Self {
            connection,
            path: path.to_owned(),
            durability,
            lives,
            slots,
            payloads,
            next_session: restored.next_session.0,
            restored: Some(restored),
            forgotten,
            state: State::Opened,
            figures: Figures::default(),
            page_bytes,
            round: None,
            logged,
            room: Room::of(path),
        };
        Ok((store, report))
    }

    fn failure(&self, error: &rusqlite::Error) -> Failure {
        failure(error, &self.path)
    }

    fn write_failure(&self, error: WriteError) -> Failure {
        match error {
            WriteError::Row(ReadError::Sql(error)) => self.failure(&error),
            WriteError::Row(ReadError::Row(what)) => Failure::failed(what),
            WriteError::Other(failure) => failure,
        }
    }

    /// Makes what is in memory what is in the file.
    fn freshen(&mut self) -> SqlResult<()> {
        if self.state != State::Stale {
            return Ok(());
        }
        self.payloads = Payloads::load(&self.connection)?;
        let loaded = read::sessions(&self.connection, &self.lives, &mut self.payloads)?;
        self.slots = loaded.slots;
        self.next_session = loaded.restored.next_session.0;
        self.state = State::Opened;
        Ok(())
    }

    /// Refuses a batch for which the file has no room, before it is in the log.
    fn make_room(&mut self, growth: u64) -> Result<(), WriteError> {
        if growth == 0 {
            return Ok(());
        }
        let pages = self.pragma("PRAGMA page_count")?;
        let wanted = pages.saturating_mul(self.page_bytes).saturating_add(growth);
        let reserved = self.room.reserve(wanted);
        if reserved.is_err() {
            // What was freed in the file can be used again.
            let free = self.pragma("PRAGMA freelist_count")?;
            if free.saturating_mul(self.page_bytes) >= growth {
                return Ok(());
            }
        }
        Ok(reserved?)
    }

    fn pragma(&self, sql: &str) -> SqlResult<u64> {
        self.connection.prepare_cached(sql)?.query_row([], |row| row.get(0))
    }

    /// Writes into the file itself, not only into its log, that there is a log from now on: a later
    /// start can tell if it is gone.
    fn mark(&mut self) -> SqlResult<()> {
        if self.state == State::Opened {
            self.say_round()?;
            self.checkpoint()?;
            room::reserve_log(&log_of(&self.path));
            self.state = State::Marked;
        }
        Ok(())
    }

    /// Writes down in which round the log is, before it is moved.
    fn say_round(&mut self) -> SqlResult<()> {
        // To write it down may begin another round.
        for _ in 0..3 {
            let round = log_file::round(&log_of(&self.path));
            if round.is_some() && round == self.round {
                break;
            }
            fact(&self.connection, Fact::Open, round::open(round))?;
            self.count_commit();
            self.round = round;
        }
        Ok(())
    }

    fn write(&mut self, batch: &Batch, now: Tick, wall: Timestamp) -> Result<(), WriteError> {
        self.freshen()?;
        self.make_room(room::growth(batch))?;
        self.mark()?;
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        let life = self.lives.heard(now, wall);
        if let Some(life) = life {
            let put = |row: &[ValueRef]| put(&transaction, Table::Lives, row);
            message::life(self.lives.current(), life, put)?;
        }
        for life in &self.forgotten {
            transaction.execute("DELETE FROM lives WHERE life = ?", [life.0])?;
        }
        let (slots, payloads) = (&mut self.slots, &mut self.payloads);
        let next_session = &mut self.next_session;
        let current = self.lives.current();
        Writer::new(&transaction, slots, payloads, next_session, current).batch(batch)?;
        transaction.commit()?;
        if let Some(life) = life {
            self.lives.wrote(life);
        }
        self.forgotten.clear();
        self.count_commit();
        Ok(())
    }

    fn count_commit(&mut self) {
        let pages = self.logged.load(Ordering::Relaxed);
        let frame = self.page_bytes.saturating_add(FRAME_HEADER_BYTES);
        let bytes = pages.saturating_mul(frame);
        // A log that is shorter than before began anew.
        let known = if bytes >= self.figures.log_bytes { self.figures.log_bytes } else { 0 };
        self.figures.bytes_written =
            self.figures.bytes_written.saturating_add(bytes.saturating_sub(known));
        self.figures.log_bytes = bytes;
        if self.durability == Durability::PowerCut {
            self.figures.syncs = self.figures.syncs.saturating_add(1);
        }
    }

    /// Moves the log into the file; whether all of it could be moved.
    fn checkpoint(&mut self) -> SqlResult<bool> {
        let began = Instant::now();
        let sql = "PRAGMA wal_checkpoint(PASSIVE)";
        let (busy, logged, moved): (i64, i64, i64) = self
            .connection
            .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let figures = &mut self.figures;
        figures.checkpoints = figures.checkpoints.saturating_add(1);
        figures.checkpoint_max = figures.checkpoint_max.max(began.elapsed());
        let bytes = u64::try_from(moved).unwrap_or(0).saturating_mul(self.page_bytes);
        figures.bytes_written = figures.bytes_written.saturating_add(bytes);
        figures.syncs = figures.syncs.saturating_add(2);
        let is_all = busy == 0 && logged == moved;
        if is_all {
            figures.log_bytes = 0;
        }
        Ok(is_all)
    }

    /// Says in the file that its log is in it, unless it says so already.
    fn close(&mut self) -> SqlResult<()> {
        if self.state == State::Opened && round::value(&self.connection)? == Some(0) {
            return Ok(());
        }
        // The log is moved first: what says that there is none must be the last thing in it.
        self.say_round()?;
        if self.checkpoint()? {
            fact(&self.connection, Fact::Open, 0)?;
        }
        Ok(())
    }

    fn purge(&mut self) -> Result<(), WriteError> {
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        let (slots, payloads) = (&mut self.slots, &mut self.payloads);
        let current = self.lives.current();
        let next_session = &mut self.next_session;
        let mut writer = Writer::new(&transaction, slots, payloads, next_session, current);
        writer.purge()?;
        writer.payloads.finish(writer.transaction)?;
        drop(writer);
        transaction.commit()?;
        self.count_commit();
        Ok(())
    }

    fn settled(&mut self) -> Result<(), WriteError> {
        self.payloads.settle();
        if self.state == State::Marked && self.slots.ended().is_some() {
            self.purge()?;
        }
        // On a full disk, what is in the log keeps its room until it is moved.
        if self.state == State::Stale {
            // There may be no room to say anything before; then that is done with the next batch.
            self.checkpoint()?;
        } else if self.figures.log_bytes > STORE_LOG_BYTES {
            self.say_round()?;
            self.checkpoint()?;
        }
        Ok(())
    }
}

/// Keeps in `logged` how many pages the log has after each commit.
fn count_log(connection: &mut Connection, logged: &Arc<AtomicU64>) -> SqlResult<()> {
    let logged = Arc::clone(logged);
    connection.wal_hook(Some(move |_: &mut Wal, pages: i32| {
        logged.store(u64::try_from(pages).unwrap_or(0), Ordering::Relaxed);
        Ok(())
    }))
}

impl Store for SqliteStore {
    fn commit(&mut self, batch: &Batch, now: Tick, wall: Timestamp) -> Result<(), Failure> {
        if let Err(error) = self.write(batch, now, wall) {
            self.state = State::Stale;
            self.figures.failures = self.figures.failures.saturating_add(1);
            return Err(self.write_failure(error));
        }
        let figures = &mut self.figures;
        figures.commits = figures.commits.saturating_add(1);
        let changes = u64::try_from(batch.changes.len()).unwrap_or(u64::MAX);
        figures.changes = figures.changes.saturating_add(changes);
        if figures.log_bytes > STORE_LOG_BYTES_MAX
            && let Err(error) = self.say_round().and_then(|()| self.checkpoint())
        {
            // The batch is durable; the log grows on until this succeeds.
            tracing::warn!(%error, "log of the store not moved into its file");
        }
        Ok(())
    }

    fn page(
        &mut self,
        request: &PageRequest,
        _now: Tick,
        _wall: Timestamp,
    ) -> Result<Vec<(Place, Queued)>, Failure> {
        self.freshen().map_err(|error| self.failure(&error))?;
        let Some(slot) = self.slots.find(request.session) else { return Ok(Vec::new()) };
        let read = read::page(&self.connection, slot, request, &self.lives, &mut self.payloads);
        let (messages, damaged) = read.map_err(|error| self.failure(&error))?;
        self.figures.damaged = self.figures.damaged.saturating_add(damaged);
        Ok(messages)
    }

    fn restore(&mut self, _now: Tick, _wall: Timestamp) -> Result<Restored, Failure> {
        if let Some(restored) = self.restored.take() {
            return Ok(restored);
        }
        let loaded = read::load(&self.connection, &self.lives, &mut self.payloads);
        loaded.map(|loaded| loaded.restored).map_err(|error| self.failure(&error))
    }

    fn slept(&mut self, now: Tick, wall: Timestamp) -> Option<Duration> {
        self.lives.slept(now, wall)
    }

    fn settle(&mut self) -> Result<(), Failure> {
        if let Err(error) = self.settled() {
            self.state = State::Stale;
            return Err(self.write_failure(error));
        }
        Ok(())
    }

    fn figures(&self) -> Figures {
        let file_bytes = fs::metadata(&self.path).map_or(0, |facts| facts.len());
        let free = self.pragma("PRAGMA freelist_count");
        let free_bytes = free.map_or(0, |pages| pages.saturating_mul(self.page_bytes));
        Figures { file_bytes, free_bytes, ..self.figures }
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(%error, "store not closed in peace");
        }
    }
}
