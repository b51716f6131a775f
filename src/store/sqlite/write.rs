//! A batch as rows, within a transaction.

use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Transaction};

use super::key::Slots;
use super::message::{self, Payload, PayloadId, integer};
use super::payloads::{self, Payloads};
use super::row::{ReadError, Table, fill, insertion, put};
use super::trouble::SqlResult;
use crate::broker::record::{
    Batch, Change, Place, Queued, RetainedRecord, SessionId, SessionRecord,
};
use crate::limits::STORE_PURGE_ROWS;
use crate::mqtt::PacketId;
use crate::store::Failure;
use crate::store::lives::LifeId;

/// Why a batch cannot be written.
#[derive(Debug)]
pub(super) enum WriteError {
    Row(ReadError),
    Other(Failure),
}

impl From<rusqlite::Error> for WriteError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Row(error.into())
    }
}

impl From<ReadError> for WriteError {
    fn from(error: ReadError) -> Self {
        Self::Row(error)
    }
}

impl From<Failure> for WriteError {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

/// What a transaction works with.
pub(super) struct Writer<'all> {
    pub(super) transaction: &'all Transaction<'all>,
    pub(super) slots: &'all mut Slots,
    pub(super) payloads: &'all mut Payloads,
    /// Higher than any session's number.
    pub(super) next_session: &'all mut u64,
    pub(super) life: LifeId,
    insert_queued: Option<CachedStatement<'all>>,
    delete_queued: Option<CachedStatement<'all>>,
}

impl<'all> Writer<'all> {
    pub(super) fn new(
        transaction: &'all Transaction<'all>,
        slots: &'all mut Slots,
        payloads: &'all mut Payloads,
        next_session: &'all mut u64,
        life: LifeId,
    ) -> Self {
        let (insert_queued, delete_queued) = (None, None);
        Self { transaction, slots, payloads, next_session, life, insert_queued, delete_queued }
    }

    /// Writes all of a batch. Sessions come first and their ends last: what is told of one may
    /// stand anywhere.
    pub(super) fn batch(&mut self, batch: &Batch) -> Result<(), WriteError> {
        for change in &batch.changes {
            if let Change::Session(record) = change {
                self.session(record)?;
            }
        }
        for change in &batch.changes {
            match owner(change).filter(|session| self.slots.find(*session).is_none()) {
                None => self.change(change)?,
                Some(session) => {
                    tracing::error!(session = session.0, "change of a session that is not there");
                }
            }
        }
        for change in &batch.changes {
            if let Change::SessionEnd(session) = change {
                self.session_end(*session)?;
            }
        }
        Ok(self.payloads.finish(self.transaction)?)
    }

    fn change(&mut self, change: &Change) -> Result<(), WriteError> {
        match change {
            Change::Session(_) | Change::SessionEnd(_) => Ok(()),
            Change::Subscription { session, filter, subscription } => {
                let put = |row: &[ValueRef]| put(self.transaction, Table::Subscriptions, row);
                Ok(message::subscription(*session, filter, *subscription, put)?)
            }
            Change::SubscriptionEnd { session, filter } => {
                let sql = "DELETE FROM subscriptions WHERE session = ? AND filter = ?";
                Ok(self.execute(sql, (session.0, &**filter))?)
            }
            Change::Received { session, packet_id } => {
                let row = [integer(session.0), integer(packet_id.get().into())];
                Ok(put(self.transaction, Table::Received, &row)?)
            }
            Change::ReceivedEnd { session, packet_id } => {
                let sql = "DELETE FROM received WHERE session = ? AND packet_id = ?";
                Ok(self.execute(sql, (session.0, packet_id.get()))?)
            }
            Change::Queued { session, place, packet_id, message } => {
                self.queued(*session, *place, *packet_id, message)
            }
            Change::QueuedEnd { session, place } => self.queued_end(*session, *place),
            Change::Released { session, packet_id, order } => {
                let packet_id = integer(packet_id.get().into());
                let row = [integer(session.0), packet_id, integer(*order)];
                Ok(put(self.transaction, Table::Released, &row)?)
            }
            Change::ReleasedEnd { session, packet_id } => {
                let sql = "DELETE FROM released WHERE session = ? AND packet_id = ?";
                Ok(self.execute(sql, (session.0, packet_id.get()))?)
            }
            Change::Retained(record) => self.retained(record),
            Change::RetainedEnd(topic) => self.retained_end(topic.as_str()),
        }
    }

    fn execute(&self, sql: &str, parameters: impl rusqlite::Params) -> SqlResult<()> {
        self.transaction.prepare_cached(sql)?.execute(parameters).map(|_| ())
    }

    fn session(&mut self, record: &SessionRecord) -> Result<(), WriteError> {
        let slot = self.slots.find_or_take(record.id)?;
        let put_session = |row: &[ValueRef]| put(self.transaction, Table::Sessions, row);
        message::session(slot, self.life, record, put_session)?;
        if record.id.0 >= *self.next_session {
            *self.next_session = record.id.0.saturating_add(1);
            fact(self.transaction, Fact::NextSession, *self.next_session)?;
        }
        Ok(())
    }

    /// Removes a session. The messages beyond [`STORE_PURGE_ROWS`] follow later, in [`purge`].
    fn session_end(&mut self, session: SessionId) -> Result<(), WriteError> {
        let Some(slot) = self.slots.end(session) else { return Ok(()) };
        self.execute("DELETE FROM sessions WHERE id = ?", [session.0])?;
        self.execute("DELETE FROM subscriptions WHERE session = ?", [session.0])?;
        self.execute("DELETE FROM received WHERE session = ?", [session.0])?;
        self.execute("DELETE FROM released WHERE session = ?", [session.0])?;
        put(self.transaction, Table::Ended, &[ValueRef::Integer(slot.column())])?;
        self.purge()?;
        Ok(())
    }

    /// Removes some messages of a session that is over; whether any session has some left.
    pub(super) fn purge(&mut self) -> Result<bool, WriteError> {
        let Some(slot) = self.slots.ended() else { return Ok(false) };
        let (first, last) = slot.keys();
        let sql = "SELECT key FROM queued WHERE key BETWEEN ? AND ? ORDER BY key LIMIT 1 OFFSET ?";
        let beyond = (first, last, STORE_PURGE_ROWS);
        let end: Option<i64> = {
            let mut statement = self.transaction.prepare_cached(sql)?;
            let mut rows = statement.query(beyond)?;
            rows.next()?.map(|row| row.get(0)).transpose()?
        };
        let up_to = end.map_or(last, |end| end.saturating_sub(1));
        self.release((first, up_to))?;
        self.execute("DELETE FROM queued WHERE key BETWEEN ? AND ?", (first, up_to))?;
        if end.is_some() {
            return Ok(true);
        }
        self.execute("DELETE FROM ended WHERE slot = ?", [slot.column()])?;
        self.slots.freed(slot);
        Ok(self.slots.ended().is_some())
    }

    /// What is about to be removed has no payload any more.
    fn release(&mut self, keys: (i64, i64)) -> Result<(), WriteError> {
        if self.payloads.is_empty() {
            return Ok(());
        }
        let sql = "SELECT large FROM queued WHERE key BETWEEN ? AND ? AND large IS NOT NULL";
        let mut statement = self.transaction.prepare_cached(sql)?;
        let mut rows = statement.query(keys)?;
        while let Some(row) = rows.next()? {
            self.payloads.exchange(Some(PayloadId(row.get(0)?)), None);
        }
        Ok(())
    }

    fn queued(
        &mut self,
        session: SessionId,
        place: Place,
        packet_id: Option<PacketId>,
        queued: &Queued,
    ) -> Result<(), WriteError> {
        let Some(slot) = self.slots.find(session) else { return Ok(()) };
        let key = slot.key(place)?;
        let old = self.large_of(key)?;
        let payload = self.payloads.place(self.transaction, &queued.message.payload)?;
        self.payloads.exchange(old, large(payload));
        let statement = match &mut self.insert_queued {
            Some(statement) => statement,
            unprepared @ None => {
                unprepared.insert(self.transaction.prepare_cached(insertion(Table::Queued))?)
            }
        };
        let write = |row: &[ValueRef]| fill(statement, Table::Queued, row);
        Ok(message::queued(key, self.life, packet_id, queued, payload, write)?)
    }

    fn queued_end(&mut self, session: SessionId, place: Place) -> Result<(), WriteError> {
        let Some(slot) = self.slots.find(session) else { return Ok(()) };
        let key = slot.key(place)?;
        let old = self.large_of(key)?;
        self.payloads.exchange(old, None);
        let statement = match &mut self.delete_queued {
            Some(statement) => statement,
            unprepared @ None => unprepared
                .insert(self.transaction.prepare_cached("DELETE FROM queued WHERE key = ?")?),
        };
        statement.execute([key])?;
        Ok(())
    }

    fn large_of(&self, key: i64) -> SqlResult<Option<PayloadId>> {
        if self.payloads.is_empty() {
            return Ok(None);
        }
        payloads::of_row(self.transaction, "SELECT large FROM queued WHERE key = ?", [key])
    }

    fn retained(&mut self, record: &RetainedRecord) -> Result<(), WriteError> {
        let old = self.large_retained(record.message.topic.as_str())?;
        let payload = self.payloads.place(self.transaction, &record.message.payload)?;
        self.payloads.exchange(old, large(payload));
        let put = |row: &[ValueRef]| put(self.transaction, Table::Retained, row);
        Ok(message::retained(self.life, record, payload, put)?)
    }

    fn retained_end(&mut self, topic: &str) -> Result<(), WriteError> {
        let old = self.large_retained(topic)?;
        self.payloads.exchange(old, None);
        Ok(self.execute("DELETE FROM retained WHERE topic = ?", [topic])?)
    }

    fn large_retained(&self, topic: &str) -> SqlResult<Option<PayloadId>> {
        if self.payloads.is_empty() {
            return Ok(None);
        }
        payloads::of_row(self.transaction, "SELECT large FROM retained WHERE topic = ?", [topic])
    }
}

/// The session that something new belongs to, without which nothing could find it again.
fn owner(change: &Change) -> Option<SessionId> {
    match change {
        Change::Subscription { session, .. }
        | Change::Received { session, .. }
        | Change::Queued { session, .. }
        | Change::Released { session, .. } => Some(*session),
        Change::Session(_)
        | Change::SessionEnd(_)
        | Change::SubscriptionEnd { .. }
        | Change::ReceivedEnd { .. }
        | Change::QueuedEnd { .. }
        | Change::ReleasedEnd { .. }
        | Change::Retained(_)
        | Change::RetainedEnd(_) => None,
    }
}

fn large(payload: Payload<'_>) -> Option<PayloadId> {
    match payload {
        Payload::Inline(_) => None,
        Payload::Large(id) => Some(id),
    }
}

/// Rows of the table `store`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    /// Higher than the number of any session there ever was.
    NextSession,
    /// While a gateway works on the file there is a log beside it: [`super::round::open`]. Else 0.
    Open,
}

impl Fact {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::NextSession => "next_session",
            Self::Open => "open",
        }
    }
}

/// Writes a fact.
pub(super) fn fact(connection: &rusqlite::Connection, fact: Fact, value: u64) -> SqlResult<()> {
    put(connection, Table::Store, &[ValueRef::Text(fact.name().as_bytes()), integer(value)])
}
