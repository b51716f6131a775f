//! All that is in the file at the start, in one walk that looks at every row; and pages of
//! messages.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rusqlite::Connection;

use super::key::{Slot, Slots, split};
use super::message::{self, PayloadId, QueuedRow};
use super::payloads::{self, PART_BITS, Payloads};
use super::row::{Columns, ReadError, Table};
use super::trouble::SqlResult;
use super::write::Fact;
use crate::broker::record::{
    PageRequest, Place, Queued, Restored, RestoredSession, Run, Sent, SessionId,
};
use crate::mqtt::PacketId;
use crate::store::lives::{Life, LifeId, Lives};

/// A row that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadRow {
    pub(super) table: Table,
    pub(super) what: &'static str,
}

/// What [`load`] found.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) restored: Restored,
    pub(super) slots: Slots,
    /// The earliest life that anything speaks of.
    pub(super) oldest_life: Option<LifeId>,
    /// Rows that are not what was written.
    pub(super) bad: Vec<BadRow>,
}

/// Reads everything. Messages that wait are only counted.
pub(super) fn load(
    connection: &Connection,
    lives: &Lives,
    payloads: &mut Payloads,
) -> SqlResult<Loaded> {
    let mut loader = Loader::new(connection, lives, payloads);
    loader.sessions()?;
    loader.subscriptions()?;
    loader.packet_ids()?;
    loader.queued()?;
    loader.retained()?;
    Ok(loader.loaded)
}

/// Reads the sessions only.
pub(super) fn sessions(
    connection: &Connection,
    lives: &Lives,
    payloads: &mut Payloads,
) -> SqlResult<Loaded> {
    let mut loader = Loader::new(connection, lives, payloads);
    loader.sessions()?;
    Ok(loader.loaded)
}

struct Loader<'all> {
    connection: &'all Connection,
    lives: &'all Lives,
    payloads: &'all mut Payloads,
    loaded: Loaded,
    /// Where each session stands among the restored.
    by_id: HashMap<SessionId, usize>,
    by_slot: HashMap<Slot, usize>,
}

impl<'all> Loader<'all> {
    fn new(connection: &'all Connection, lives: &'all Lives, payloads: &'all mut Payloads) -> Self {
        let (loaded, by_id, by_slot) = (Loaded::default(), HashMap::new(), HashMap::new());
        Self { connection, lives, payloads, loaded, by_id, by_slot }
    }

    /// Walks a table; what cannot be used is noted.
    fn walk(
        &mut self,
        table: Table,
        sql: &str,
        mut take: impl FnMut(&mut Self, &Columns<'_>) -> Result<(), ReadError>,
    ) -> SqlResult<()> {
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let taken = Columns::checked(table, row).and_then(|columns| take(self, &columns));
            match taken {
                Ok(()) => {}
                Err(ReadError::Row(what)) => self.loaded.bad.push(BadRow { table, what }),
                Err(ReadError::Sql(error)) => return Err(error),
            }
        }
        Ok(())
    }

    fn facts(&mut self) -> SqlResult<()> {
        self.walk(Table::Store, "SELECT * FROM store", |loader, columns| {
            if columns.required_text(0)? == Fact::NextSession.name() {
                loader.loaded.restored.next_session = SessionId(columns.required(1)?);
            }
            Ok(())
        })
    }

    fn sessions(&mut self) -> SqlResult<()> {
        self.facts()?;
        let mut slots = Vec::new();
        let mut ended = BTreeSet::new();
        self.walk(Table::Sessions, "SELECT * FROM sessions", |loader, columns| {
            let row = message::read_session(columns, |life, at| loader.lives.translate(life, at))?;
            let (id, slot) = (row.record.id, row.slot);
            loader.speaks_of(Some(row.life));
            let sessions = &mut loader.loaded.restored.sessions;
            if loader.by_slot.insert(slot, sessions.len()).is_some() {
                return Err(ReadError::Row("two sessions have one slot"));
            }
            loader.by_id.insert(id, sessions.len());
            sessions.push(RestoredSession {
                record: row.record,
                subscriptions: Vec::new(),
                received: Vec::new(),
                released: Vec::new(),
                sent: Vec::new(),
                waiting: Vec::new(),
            });
            slots.push((id, slot));
            Ok(())
        })?;
        self.walk(Table::Ended, "SELECT * FROM ended", |_, columns| {
            let slot = Slot::from_column(columns.required(0)?);
            ended.insert(slot.ok_or(ReadError::Row("no such slot"))?);
            Ok(())
        })?;
        let next = slots.iter().map(|(id, _)| id.0.saturating_add(1)).max().unwrap_or_default();
        let restored = &mut self.loaded.restored;
        restored.next_session = restored.next_session.max(SessionId(next));
        self.loaded.slots = Slots::of(slots, ended);
        Ok(())
    }

    fn subscriptions(&mut self) -> SqlResult<()> {
        self.walk(Table::Subscriptions, "SELECT * FROM subscriptions", |loader, columns| {
            let (session, filter, subscription) = message::read_subscription(columns)?;
            loader.session(session)?.subscriptions.push((filter, subscription));
            Ok(())
        })
    }

    fn packet_ids(&mut self) -> SqlResult<()> {
        fn packet_id(columns: &Columns<'_>) -> Result<PacketId, ReadError> {
            PacketId::new(columns.required(1)?).ok_or(ReadError::Row("a packet identifier is 0"))
        }
        self.walk(Table::Received, "SELECT * FROM received", |loader, columns| {
            let session = loader.session(SessionId(columns.required(0)?))?;
            session.received.push(packet_id(columns)?);
            Ok(())
        })?;
        let sql = "SELECT * FROM released ORDER BY session, place";
        self.walk(Table::Released, sql, |loader, columns| {
            let session = loader.session(SessionId(columns.required(0)?))?;
            session.released.push(packet_id(columns)?);
            Ok(())
        })
    }

    fn queued(&mut self) -> SqlResult<()> {
        self.walk(Table::Queued, "SELECT * FROM queued ORDER BY key", |loader, columns| {
            let key = split(columns.required(0)?);
            let (slot, place) = key.ok_or(ReadError::Row("a key is negative"))?;
            if loader.loaded.slots.is_ended(slot) {
                return Ok(());
            }
            let index = *loader.by_slot.get(&slot).ok_or(ReadError::Row(NO_SESSION))?;
            loader.speaks_of(columns.number(8)?.map(LifeId));
            if columns.number::<u16>(6)?.is_some() {
                let sent = loader.sent(columns)?;
                loader.at(index)?.sent.extend(sent);
            } else {
                let bytes = loader.weight(columns)?;
                extend(&mut loader.at(index)?.waiting, place, bytes);
            }
            Ok(())
        })
    }

    fn sent(&mut self, columns: &Columns<'_>) -> Result<Option<Sent>, ReadError> {
        let translate = |life, at| self.lives.translate(life, at);
        let QueuedRow { place, packet_id, mut message, large } =
            message::read_queued(columns, translate)?;
        if let Some(id) = large {
            message.message.payload = self.payloads.read(self.connection, id)?;
        }
        Ok(packet_id.map(|packet_id| Sent { place, packet_id, message }))
    }

    /// [`Queued::weight`] of a row, without copying it where that can be helped.
    fn weight(&self, columns: &Columns<'_>) -> Result<u64, ReadError> {
        let weight = if columns.bytes(9)?.is_some() {
            message::read_queued(columns, |_, at| at)?.message.weight()
        } else {
            let payload = columns.bytes(2)?.map_or(0, <[u8]>::len);
            size_of::<Queued>() + columns.required_text(1)?.len() + payload
        };
        let large = match columns.number(3)?.map(PayloadId) {
            None => 0,
            Some(id) => {
                let found = payloads::find(self.connection, id)?;
                found.ok_or(ReadError::Row("its payload is gone"))?.1
            }
        };
        Ok(u64::try_from(weight.saturating_add(large)).unwrap_or(u64::MAX))
    }

    fn retained(&mut self) -> SqlResult<()> {
        self.walk(Table::Retained, "SELECT * FROM retained", |loader, columns| {
            let row = message::read_retained(columns, |life, at| loader.lives.translate(life, at))?;
            let mut record = row.record;
            if let Some(id) = row.large {
                record.message.payload = loader.payloads.read(loader.connection, id)?;
            }
            loader.speaks_of(row.life);
            loader.loaded.restored.retained.push(record);
            Ok(())
        })
    }

    fn speaks_of(&mut self, life: Option<LifeId>) {
        if let Some(life) = life {
            let oldest = self.loaded.oldest_life.get_or_insert(life);
            *oldest = life.min(*oldest);
        }
    }

    fn session(&mut self, id: SessionId) -> Result<&mut RestoredSession, ReadError> {
        let index = *self.by_id.get(&id).ok_or(ReadError::Row(NO_SESSION))?;
        self.at(index)
    }

    fn at(&mut self, index: usize) -> Result<&mut RestoredSession, ReadError> {
        let session = self.loaded.restored.sessions.get_mut(index);
        session.ok_or(ReadError::Row(NO_SESSION))
    }
}

const NO_SESSION: &str = "its session is not there";

/// Adds a message to those that wait.
fn extend(waiting: &mut Vec<Run>, place: Place, bytes: u64) {
    if let Some(run) = waiting.last_mut()
        && run.first.0.saturating_add(run.messages) == place.0
    {
        run.messages = run.messages.saturating_add(1);
        run.bytes = run.bytes.saturating_add(bytes);
        return;
    }
    waiting.push(Run { first: place, messages: 1, bytes });
}

/// Checks the large payloads, until `is_over`; whether that was in time.
pub(super) fn check_payloads(
    connection: &Connection,
    is_over: impl Fn() -> bool,
    bad: &mut Vec<BadRow>,
) -> SqlResult<bool> {
    let mut lengths: BTreeMap<PayloadId, usize> = BTreeMap::new();
    let mut note = |table, what| bad.push(BadRow { table, what });
    let mut statement = connection.prepare("SELECT * FROM payload_parts ORDER BY key")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if is_over() {
            return Ok(false);
        }
        let part = Columns::checked(Table::PayloadParts, row).and_then(|columns| {
            let id = PayloadId(columns.required::<u64>(0)? >> PART_BITS);
            Ok((id, columns.bytes(1)?.map_or(0, <[u8]>::len)))
        });
        match part {
            Ok((id, bytes)) => {
                let length = lengths.entry(id).or_default();
                *length = length.saturating_add(bytes);
            }
            Err(ReadError::Row(what)) => note(Table::PayloadParts, what),
            Err(ReadError::Sql(error)) => return Err(error),
        }
    }
    for (id, length) in lengths {
        match payloads::find(connection, id) {
            Ok(Some((_, whole))) if whole == length => {}
            Ok(_) => note(Table::Payloads, "its parts are not what it says"),
            Err(ReadError::Row(what)) => note(Table::Payloads, what),
            Err(ReadError::Sql(error)) => return Err(error),
        }
    }
    Ok(true)
}

/// The messages of a request, and how many had to be left out because they are damaged.
pub(super) fn page(
    connection: &Connection,
    slot: Slot,
    request: &PageRequest,
    lives: &Lives,
    payloads: &mut Payloads,
) -> SqlResult<(Vec<(Place, Queued)>, u64)> {
    // Beyond the last place there is nothing, and not the last message once more.
    let Ok(from) = slot.key(request.from) else { return Ok((Vec::new(), 0)) };
    let sql = "SELECT * FROM queued WHERE key BETWEEN ? AND ? AND packet_id IS NULL ORDER BY key";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((from, slot.key_at(request.to)))?;
    let (mut messages, mut bytes, mut damaged) = (Vec::new(), 0_usize, 0_u64);
    while let Some(row) = rows.next()? {
        let read = Columns::checked(Table::Queued, row).and_then(|columns| {
            let QueuedRow { place, mut message, large, .. } =
                message::read_queued(&columns, |life, at| lives.translate(life, at))?;
            if let Some(id) = large {
                message.message.payload = payloads.read(connection, id)?;
            }
            Ok((place, message))
        });
        match read {
            Ok((place, message)) => {
                bytes = bytes.saturating_add(message.weight());
                messages.push((place, message));
                if messages.len() >= request.messages_max || bytes >= request.bytes_max {
                    break;
                }
            }
            Err(ReadError::Row(what)) => {
                tracing::error!(session = request.session.0, what, "damaged message left out");
                damaged = damaged.saturating_add(1);
            }
            Err(ReadError::Sql(error)) => return Err(error),
        }
    }
    Ok((messages, damaged))
}

/// The lives in the table; those that cannot be used are noted.
pub(super) fn lives(connection: &Connection) -> SqlResult<(BTreeMap<LifeId, Life>, Vec<BadRow>)> {
    let mut statement = connection.prepare("SELECT * FROM lives")?;
    let mut rows = statement.query([])?;
    let (mut lives, mut bad) = (BTreeMap::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let read =
            Columns::checked(Table::Lives, row).and_then(|columns| message::read_life(&columns));
        match read {
            Ok((id, life)) => drop(lives.insert(id, life)),
            Err(ReadError::Row(what)) => bad.push(BadRow { table: Table::Lives, what }),
            Err(ReadError::Sql(error)) => return Err(error),
        }
    }
    Ok((lives, bad))
}
