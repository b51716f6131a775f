//! Shared subscriptions: which member of a group gets a message, and what becomes of the messages
//! of one that leaves (MQTT 5.0 section 4.8.2).

use std::sync::Arc;

use super::Broker;
use super::delivery::Recipient;
use super::persistence::Thing;
use super::publish::Publication;
use super::queue::Entry;
use super::record::{Queued, SessionId, Share};
use super::session::{Session, SessionIndex};
use super::subscriptions::{GroupIndex, Member};
use crate::mqtt::QoS;
use crate::time::Tick;

/// Who of a group gets a message: the first that there is; among equals it goes round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Readiness {
    /// Takes it at once.
    Free,
    /// Is there, and has others to take before.
    Busy,
    /// Will be there, perhaps.
    Away,
}

impl Broker {
    /// Gives each group with a matching subscription one copy. Returns whether there was one.
    pub(super) fn route_shared(&mut self, now: Tick, publication: &mut Publication) -> bool {
        let groups = self.subscriptions.groups_matching(publication.topic().as_str());
        for &group in &groups {
            self.give(now, group, publication);
        }
        !groups.is_empty()
    }

    /// A client has gone and may come back: what it had not been sent, or has not acknowledged at
    /// QoS 1, goes to members that are there.
    pub(super) fn hand_over(&mut self, now: Tick, index: SessionIndex) {
        let subscriptions = &self.subscriptions;
        let sessions = &self.sessions;
        let others = |filter: &Arc<str>| {
            let group = subscriptions.group_of(filter).and_then(|it| subscriptions.group(it));
            let there = |one: &Member| sessions[one.session].connection.is_some();
            group.is_some_and(|group| group.members.iter().any(there))
        };
        let filters: Vec<Arc<str>> = self.sessions[index].shared_filters().cloned().collect();
        let passed_on: Vec<_> = filters.into_iter().filter(others).collect();
        if passed_on.is_empty() {
            return;
        }
        let session = &mut self.sessions[index];
        let messages = take(session, |filter| passed_on.contains(filter));
        let id = session.id;
        self.share_out(now, id, messages);
    }

    /// A session no longer has a shared subscription: what waits for it there goes to the others,
    /// if there are any.
    pub(super) fn leave_group(&mut self, now: Tick, index: SessionIndex, filter: &str) {
        if self.subscriptions.group_of(filter).is_none() {
            return;
        }
        let session = &mut self.sessions[index];
        let messages = session.queue.take_shared(|group| &**group == filter);
        let id = session.id;
        self.share_out(now, id, messages);
    }

    /// What a session that is over leaves to the groups it was in.
    pub(super) fn bequeath(&mut self, now: Tick, session: &mut Session) {
        let messages = take(session, |_| true);
        self.share_out(now, session.id, messages);
    }

    /// Whoever waits until a message is kept waits until it is kept for its new owner.
    fn share_out(&mut self, now: Tick, from: Option<SessionId>, entries: Vec<Entry>) {
        for Entry { message, place } in entries {
            if let (Some(from), Some(place)) = (from, place) {
                self.persistence.open_as(&Thing::queued(from, place));
            }
            self.share_out_one(now, &message);
            self.persistence.close();
            self.persistence.end_queued(now, from, place);
        }
    }

    fn share_out_one(&mut self, now: Tick, message: &Queued) {
        let Some(share) = &message.share else { return };
        let group = self.subscriptions.group_of(&share.group);
        let Some(group) = group.filter(|_| !message.is_expired(now)) else { return };
        let mut publication = Publication::again(message, share);
        self.give(now, group, &mut publication);
    }

    fn give(&mut self, now: Tick, group: GroupIndex, publication: &mut Publication) {
        let (sessions, connections) = (&self.sessions, &self.connections);
        let published = publication.qos;
        let rank = |member: &Member| {
            let session = &sessions[member.session];
            if !session.allowed.read(publication.topic()) {
                return None;
            }
            let qos = member.subscription.qos.min(published);
            match session.connection.and_then(|id| connections.get(&id)) {
                None if qos == QoS::AtMostOnce => None,
                None => Some(Readiness::Away),
                Some(connection) => {
                    let is_free = session.is_clear(qos) && connection.unwritten.has_room();
                    Some(if is_free { Readiness::Free } else { Readiness::Busy })
                }
            }
        };
        let Some(Member { session, subscription }) = self.subscriptions.choose(group, rank) else {
            return;
        };
        let filter = self.subscriptions.group(group).map(|group| Arc::clone(&group.filter));
        let share = filter.map(|group| Share { group, qos: published, retain: publication.retain });
        let to = Recipient {
            session,
            qos: subscription.qos.min(published),
            retain: publication.retain && subscription.retain_as_published,
            subscription_ids: subscription.id.into_iter().map(Into::into).collect(),
            share,
        };
        self.deliver(now, to, publication);
    }
}

/// First what was sent before, then what waits.
fn take(session: &mut Session, passes_on: impl Fn(&Arc<str>) -> bool) -> Vec<Entry> {
    let mut entries = session.window.take_shared(&passes_on);
    entries.extend(session.queue.take_shared(&passes_on));
    entries
}
