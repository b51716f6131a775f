//! A store that cannot be wrong: maps. The real one is held against it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::broker::record::{
    Batch, Change, PageRequest, Place, Queued, Restored, RestoredSession, RetainedRecord, Run,
    Sent, SessionId, SessionRecord, Subscription,
};
use crate::mqtt::PacketId;

#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    sessions: BTreeMap<SessionId, ModelSession>,
    retained: BTreeMap<String, RetainedRecord>,
    next_session: SessionId,
}

#[derive(Clone, Debug)]
struct ModelSession {
    record: SessionRecord,
    subscriptions: BTreeMap<Arc<str>, Subscription>,
    received: BTreeSet<PacketId>,
    released: BTreeMap<PacketId, u64>,
    queued: BTreeMap<Place, (Option<PacketId>, Queued)>,
}

impl Model {
    pub(crate) fn commit(&mut self, batch: &Batch) {
        for change in &batch.changes {
            if let Change::Session(record) = change {
                self.session(record);
            }
        }
        for change in &batch.changes {
            self.change(change);
        }
        for change in &batch.changes {
            if let Change::SessionEnd(id) = change {
                self.sessions.remove(id);
            }
        }
    }

    fn session(&mut self, record: &SessionRecord) {
        self.next_session = self.next_session.max(SessionId(record.id.0 + 1));
        let new = ModelSession {
            record: record.clone(),
            subscriptions: BTreeMap::new(),
            received: BTreeSet::new(),
            released: BTreeMap::new(),
            queued: BTreeMap::new(),
        };
        self.sessions.entry(record.id).or_insert(new).record = record.clone();
    }

    fn change(&mut self, change: &Change) {
        match change {
            Change::Session(_) | Change::SessionEnd(_) => {}
            Change::Subscription { session, filter, subscription } => {
                self.at(*session, |it| {
                    it.subscriptions.insert(filter.clone(), *subscription);
                });
            }
            Change::SubscriptionEnd { session, filter } => {
                self.at(*session, |it| {
                    it.subscriptions.remove(filter);
                });
            }
            Change::Received { session, packet_id } => {
                self.at(*session, |it| {
                    it.received.insert(*packet_id);
                });
            }
            Change::ReceivedEnd { session, packet_id } => {
                self.at(*session, |it| {
                    it.received.remove(packet_id);
                });
            }
            Change::Queued { session, place, packet_id, message } => {
                self.at(*session, |it| {
                    it.queued.insert(*place, (*packet_id, Queued::clone(message)));
                });
            }
            Change::QueuedEnd { session, place } => {
                self.at(*session, |it| {
                    it.queued.remove(place);
                });
            }
            Change::Released { session, packet_id, order } => {
                self.at(*session, |it| {
                    it.released.insert(*packet_id, *order);
                });
            }
            Change::ReleasedEnd { session, packet_id } => {
                self.at(*session, |it| {
                    it.released.remove(packet_id);
                });
            }
            Change::Retained(record) => {
                self.retained.insert(record.message.topic.to_string(), (**record).clone());
            }
            Change::RetainedEnd(topic) => drop(self.retained.remove(topic.as_str())),
        }
    }

    fn at(&mut self, id: SessionId, change: impl FnOnce(&mut ModelSession)) {
        self.sessions.get_mut(&id).map(change);
    }

    pub(crate) fn restored(&self) -> Restored {
        Restored {
            sessions: self.sessions.values().map(ModelSession::restored).collect(),
            retained: self.retained.values().cloned().collect(),
            next_session: self.next_session,
        }
    }

    pub(crate) fn page(&self, request: &PageRequest) -> Vec<(Place, Queued)> {
        let Some(session) = self.sessions.get(&request.session) else { return Vec::new() };
        let mut bytes = 0;
        let wanted = session.queued.range(request.from..);
        wanted
            .take_while(|(place, _)| **place <= request.to)
            .filter(|(_, (packet_id, _))| packet_id.is_none())
            .take(request.messages_max.max(1))
            .take_while(|(_, (_, queued))| {
                let goes_on = bytes == 0 || bytes < request.bytes_max;
                bytes += queued.weight();
                goes_on
            })
            .map(|(place, (_, queued))| (*place, queued.clone()))
            .collect()
    }

    pub(crate) fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.sessions.keys().copied()
    }
}

impl ModelSession {
    fn restored(&self) -> RestoredSession {
        let mut released: Vec<_> = self.released.iter().map(|(id, order)| (*order, *id)).collect();
        released.sort_unstable();
        let (mut sent, mut runs) = (Vec::new(), Vec::<Run>::new());
        for (&place, (packet_id, message)) in &self.queued {
            if let Some(packet_id) = *packet_id {
                sent.push(Sent { place, packet_id, message: message.clone() });
                continue;
            }
            let bytes = u64::try_from(message.weight()).unwrap();
            match runs.last_mut().filter(|run| run.first.0 + run.messages == place.0) {
                Some(run) => (run.messages, run.bytes) = (run.messages + 1, run.bytes + bytes),
                None => runs.push(Run { first: place, messages: 1, bytes }),
            }
        }
        let subscriptions = self.subscriptions.iter();
        RestoredSession {
            record: self.record.clone(),
            subscriptions: subscriptions.map(|(filter, it)| (filter.clone(), *it)).collect(),
            received: self.received.iter().copied().collect(),
            released: released.into_iter().map(|(_, id)| id).collect(),
            sent,
            waiting: runs,
        }
    }
}

/// In an order that can be compared, where none is promised.
pub(crate) fn sorted(mut restored: Restored) -> String {
    restored.sessions.sort_by_key(|session| session.record.id);
    restored.retained.sort_by_key(|record| record.message.topic.to_string());
    for session in &mut restored.sessions {
        session.subscriptions.sort_by(|one, other| one.0.cmp(&other.0));
        session.received.sort_unstable();
    }
    format!("{restored:#?}")
}
