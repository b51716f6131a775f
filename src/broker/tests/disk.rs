//! A store in memory: what it has is what the last batch left. The model that a real one is held
//! against, and what the scenarios run on.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::record::{
    Batch, Change, Page, PageRequest, Place, Queued, Restored, RestoredSession, RetainedRecord,
    Run, Sent, SessionId, SessionRecord, Subscription,
};
use crate::mqtt::{PacketId, TopicName};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    sessions: BTreeMap<SessionId, Kept>,
    retained: BTreeMap<TopicName, RetainedRecord>,
    next_session: u64,
    /// Changes it was told.
    pub(super) changes: usize,
}

#[derive(Clone, Debug, Default)]
struct Kept {
    record: Option<SessionRecord>,
    subscriptions: BTreeMap<Arc<str>, Subscription>,
    received: Vec<PacketId>,
    /// With their order.
    released: BTreeMap<PacketId, u64>,
    queued: BTreeMap<Place, (Option<PacketId>, Arc<Queued>)>,
}

impl Disk {
    /// Takes a batch in.
    pub(super) fn commit(&mut self, batch: &Batch) {
        self.changes += batch.changes.len();
        for change in &batch.changes {
            self.apply(change.clone());
        }
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Session(record) => {
                self.next_session = self.next_session.max(record.id.0 + 1);
                let kept = self.kept(record.id);
                kept.record = Some(*record);
            }
            Change::SessionEnd(session) => drop(self.sessions.remove(&session)),
            Change::Subscription { session, filter, subscription } => {
                self.kept(session).subscriptions.insert(filter, subscription);
            }
            Change::SubscriptionEnd { session, filter } => {
                self.kept(session).subscriptions.remove(&filter);
            }
            Change::Received { session, packet_id } => self.kept(session).received.push(packet_id),
            Change::ReceivedEnd { session, packet_id } => {
                self.kept(session).received.retain(|other| *other != packet_id);
            }
            Change::Queued { session, place, packet_id, message } => {
                self.kept(session).queued.insert(place, (packet_id, message));
            }
            Change::QueuedEnd { session, place } => drop(self.kept(session).queued.remove(&place)),
            Change::Released { session, packet_id, order } => {
                self.kept(session).released.insert(packet_id, order);
            }
            Change::ReleasedEnd { session, packet_id } => {
                self.kept(session).released.remove(&packet_id);
            }
            Change::Retained(record) => {
                self.retained.insert(record.message.topic.clone(), *record);
            }
            Change::RetainedEnd(topic) => drop(self.retained.remove(&topic)),
        }
    }

    fn kept(&mut self, session: SessionId) -> &mut Kept {
        self.sessions.entry(session).or_default()
    }

    /// What is there of what is wanted.
    pub(super) fn page(&self, wish: &PageRequest) -> Page {
        let mut bytes = 0;
        let waiting = self.sessions.get(&wish.session).into_iter().flat_map(|kept| &kept.queued);
        let waiting = waiting.filter(|(place, (packet_id, _))| {
            (wish.from..=wish.to).contains(*place) && packet_id.is_none()
        });
        let messages = waiting.map(|(place, (_, message))| (*place, Queued::clone(message)));
        let messages = messages.take(wish.messages_max).take_while(|(_, message)| {
            let is_in = bytes < wish.bytes_max;
            bytes += message.weight();
            is_in
        });
        Page { session: wish.session, from: wish.from, messages: Ok(messages.collect()) }
    }

    /// All of it, for another life.
    pub(super) fn restore(&self) -> Restored {
        let sessions = self.sessions.iter().map(|(id, kept)| {
            let (mut sent, mut waiting) = (Vec::new(), Vec::new());
            for (&place, (packet_id, message)) in &kept.queued {
                let message = Queued::clone(message);
                match *packet_id {
                    Some(packet_id) => sent.push(Sent { place, packet_id, message }),
                    None => waiting.push((place, message)),
                }
            }
            RestoredSession {
                record: kept.record.clone().unwrap_or_else(|| panic!("{id:?} has no record")),
                subscriptions: kept.subscriptions.clone().into_iter().collect(),
                received: kept.received.clone(),
                released: kept.released(),
                sent,
                waiting: runs(&waiting),
            }
        });
        Restored {
            sessions: sessions.collect(),
            retained: self.retained.values().cloned().collect(),
            next_session: SessionId(self.next_session),
        }
    }
}

impl Kept {
    fn released(&self) -> Vec<PacketId> {
        let mut released: Vec<_> = self.released.iter().collect();
        released.sort_by_key(|(_, order)| **order);
        released.into_iter().map(|(packet_id, _)| *packet_id).collect()
    }
}

fn runs(messages: &[(Place, Queued)]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (place, message) in messages {
        let bytes = u64::try_from(message.weight()).unwrap();
        match runs.last_mut() {
            Some(run) if run.first.0 + run.messages == place.0 => {
                run.messages += 1;
                run.bytes += bytes;
            }
            _ => runs.push(Run { first: *place, messages: 1, bytes }),
        }
    }
    runs
}
