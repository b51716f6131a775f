//! All that is in a store, as the changes that would make it anew.

use std::io;

use super::super::check::describe;
use super::super::key::Slots;
use super::super::payloads::Payloads;
use super::super::read;
use super::super::salvage::ask;
use super::{Reader, count};
use crate::broker::record::{
    Change, PageRequest, Place, Queued, Restored, RestoredSession, Sent, SessionId,
};
use crate::limits::{PAGE_BYTES_MAX, STORE_EXPORT_MESSAGES_MAX};
use crate::mqtt::PacketId;
use crate::store::lives::Lives;
use crate::store::{Exported, VisitError};

impl Reader {
    /// Hands over everything: sessions, each followed by what belongs to it, then the retained
    /// messages. Of a session's messages those in flight come first.
    ///
    /// Beside a gateway messages are read a page at a time, so that it need not wait for whoever
    /// takes them, and each is as it was when it was read.
    pub fn export(
        &self,
        take: &mut dyn FnMut(Change) -> io::Result<()>,
    ) -> Result<Exported, VisitError> {
        let version = self.version()?;
        let whole = self.at_one_moment(|connection| self.load(connection))?;
        let (lives, payloads, loaded) = whole;
        let Restored { mut sessions, retained, next_session: _ } = loaded.restored;
        sessions.sort_by_key(|session| session.record.id);
        let waiting: u64 = sessions.iter().flat_map(|it| &it.waiting).map(|run| run.messages).sum();
        let damaged = describe(&loaded.bad);
        let exported = Exported { damaged, ..Exported::default() };
        let mut export = Export {
            reader: self,
            lives,
            payloads,
            slots: loaded.slots,
            exported,
            all: waiting.saturating_add(count(retained.len())),
            done: 0,
            take,
        };
        for session in sessions {
            export.session(session)?;
        }
        for record in retained {
            export.hand_over(Change::Retained(record.into()))?;
        }
        let mut exported = export.exported;
        exported.is_of_one_moment = self.version()? == version;
        Ok(exported)
    }

    /// Another one whenever somebody has written.
    fn version(&self) -> Result<Option<String>, VisitError> {
        ask(&self.connection, "PRAGMA data_version").map_err(|error| self.error(&error))
    }
}

struct Export<'all> {
    reader: &'all Reader,
    lives: Lives,
    payloads: Payloads,
    slots: Slots,
    exported: Exported,
    all: u64,
    done: u64,
    take: &'all mut dyn FnMut(Change) -> io::Result<()>,
}

impl Export<'_> {
    fn hand_over(&mut self, change: Change) -> Result<(), VisitError> {
        let contents = &mut self.exported.contents;
        let (counted, is_long) = match &change {
            Change::Session(_) => (&mut contents.sessions, false),
            Change::Subscription { .. } => (&mut contents.subscriptions, false),
            Change::Queued { .. } => (&mut contents.messages, true),
            Change::Retained(_) => (&mut contents.retained, true),
            _ => (&mut contents.others, false),
        };
        *counted = counted.saturating_add(1);
        if is_long {
            self.done = self.done.saturating_add(1);
            self.reader.progress.set(self.done, self.all);
        }
        if self.reader.progress.is_stopped() {
            return Err(VisitError::Stopped);
        }
        (self.take)(change).map_err(VisitError::Output)
    }

    fn session(&mut self, session: RestoredSession) -> Result<(), VisitError> {
        let RestoredSession { record, subscriptions, received, released, sent, waiting } = session;
        let session = record.id;
        self.hand_over(Change::Session(record.into()))?;
        for (filter, subscription) in subscriptions {
            self.hand_over(Change::Subscription { session, filter, subscription })?;
        }
        for packet_id in received {
            self.hand_over(Change::Received { session, packet_id })?;
        }
        for (order, packet_id) in (0..).zip(released) {
            self.hand_over(Change::Released { session, packet_id, order })?;
        }
        for Sent { place, packet_id, message } in sent {
            self.message(session, place, Some(packet_id), message)?;
        }
        let (Some(first), Some(last)) = (waiting.first(), waiting.last()) else { return Ok(()) };
        let last = Place(last.first.0.saturating_add(last.messages).saturating_sub(1));
        let expected = waiting.iter().map(|run| run.messages).sum();
        self.waiting(session, first.first, last, expected)
    }

    fn message(
        &mut self,
        session: SessionId,
        place: Place,
        packet_id: Option<PacketId>,
        message: Queued,
    ) -> Result<(), VisitError> {
        self.hand_over(Change::Queued { session, place, packet_id, message: message.into() })
    }

    /// The messages that wait, from one place to another.
    fn waiting(
        &mut self,
        session: SessionId,
        from: Place,
        to: Place,
        expected: u64,
    ) -> Result<(), VisitError> {
        let (messages_max, bytes_max) = (STORE_EXPORT_MESSAGES_MAX, PAGE_BYTES_MAX);
        let mut request = PageRequest { session, from, to, messages_max, bytes_max };
        let before = self.done;
        loop {
            let messages = self.page(&request)?;
            self.payloads.settle();
            let Some(&(last, _)) = messages.last() else { break };
            for (place, message) in messages {
                self.message(session, place, None, message)?;
            }
            request.from = Place(last.0.saturating_add(1));
        }
        let came = self.done.saturating_sub(before);
        let missing = expected.saturating_sub(came);
        self.exported.passed_over = self.exported.passed_over.saturating_add(missing);
        Ok(())
    }

    /// Nothing once the session is over: its slot may stand for another one.
    fn page(&mut self, request: &PageRequest) -> Result<Vec<(Place, Queued)>, VisitError> {
        let Some(slot) = self.slots.find(request.session) else { return Ok(Vec::new()) };
        let (reader, lives, payloads) = (self.reader, &self.lives, &mut self.payloads);
        reader.at_one_moment(|connection| {
            let sql = "SELECT 1 FROM sessions WHERE id = ? AND slot = ?";
            let read = connection
                .prepare_cached(sql)
                .and_then(|mut statement| statement.exists((request.session.0, slot.column())))
                .and_then(|is_there| {
                    if !is_there {
                        return Ok((Vec::new(), 0));
                    }
                    read::page(connection, slot, request, lives, payloads)
                });
            read.map(|(messages, _)| messages).map_err(|error| reader.error(&error))
        })
    }
}
