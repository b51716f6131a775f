//! Sessions: what the broker keeps for a client, with or without a connection.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::ops::{Index, IndexMut};
use std::sync::Arc;
use std::time::Duration;

use foldhash::quality::RandomState;

use super::queue::{Gauge, Queue};
use super::record::{Place, SessionId, SessionRecord, Subscription};
use super::timers::Timer;
use super::window::Window;
use super::{Broker, Event};
use crate::access::{Allowed, ConnectionId, Principal};
use crate::mqtt::{PacketId, QoS, Will};
use crate::time::Tick;

/// Whose session it is: nobody can take over or resume another user's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct SessionKey {
    pub(super) principal: Principal,
    /// Its name among those of its user, chosen or assigned.
    pub(super) client_id: Arc<str>,
}

/// The state of section 3.1.2.4, and how it is reached.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) key: SessionKey,
    /// What its client may.
    pub(super) allowed: Allowed,
    /// Its name in the store, if it is to survive the process.
    pub(super) id: Option<SessionId>,
    /// Whether the store can have heard of it.
    pub(super) is_noted: bool,
    /// The last place that a message of its has had in the store.
    last_place: u64,
    /// Up to where the store has its messages.
    pub(super) durable: Place,
    pub(super) connection: Option<ConnectionId>,
    /// How long it outlives its connection; zero: not at all.
    pub(super) expiry: Duration,
    /// By filter, equal to what the subscription tree holds for it.
    pub(super) subscriptions: HashMap<Arc<str>, Subscription>,
    /// What those take in memory.
    pub(super) subscription_bytes: usize,
    /// QoS 2 messages that were received and not yet released.
    pub(super) received: HashSet<PacketId, RandomState>,
    pub(super) window: Window,
    pub(super) queue: Queue,
    /// Spoken when the connection breaks, after its delay, or when the session ends.
    pub(super) will: Option<Will>,
    /// Messages its queue lost since that was last told.
    pub(super) dropped: u64,
    pub(super) expires_at: Option<Tick>,
    pub(super) report_at: Option<Tick>,
    pub(super) resume_at: Option<Tick>,
    pub(super) will_at: Option<Tick>,
}

impl Session {
    /// A session without state; `queued` counts what waits for all sessions.
    pub(super) fn new(key: SessionKey, allowed: Allowed, queued: &Gauge) -> Self {
        Self {
            key,
            allowed,
            id: None,
            is_noted: false,
            last_place: 0,
            durable: Place::default(),
            connection: None,
            expiry: Duration::ZERO,
            subscriptions: HashMap::new(),
            subscription_bytes: 0,
            received: HashSet::default(),
            window: Window::new(0),
            queue: Queue::counted_by(queued),
            will: None,
            dropped: 0,
            expires_at: None,
            report_at: None,
            resume_at: None,
            will_at: None,
        }
    }

    /// Under which name its messages are kept; `None`: they end with its connection.
    pub(super) fn store_id(&self) -> Option<SessionId> {
        self.id.filter(|_| !self.expiry.is_zero())
    }

    /// A place for one more message.
    pub(super) fn next_place(&mut self) -> Place {
        self.last_place += 1;
        Place(self.last_place)
    }

    /// Places up to this one are taken.
    pub(super) fn place_after(&mut self, place: Place) {
        self.last_place = self.last_place.max(place.0);
    }

    /// What is kept of it beside what it holds.
    pub(super) fn record(&self) -> Option<SessionRecord> {
        Some(SessionRecord {
            id: self.id?,
            principal: self.key.principal.clone(),
            client_id: Arc::clone(&self.key.client_id),
            expiry: self.expiry,
            expires: self.expires_at,
            will: self.will.clone(),
            will_at: self.will_at,
        })
    }

    /// Filters of the groups it is in.
    pub(super) fn shared_filters(&self) -> impl Iterator<Item = &Arc<str>> {
        self.subscriptions.keys().filter(|filter| filter.starts_with("$share/"))
    }

    /// Whether something is to be sent to its client, now or when there is room.
    pub(super) fn has_waiting(&self) -> bool {
        !self.queue.is_empty() || self.window.has_resends()
    }

    /// Whether a message of that quality can be sent without overtaking another.
    pub(super) fn is_clear(&self, qos: QoS) -> bool {
        let may_send = qos == QoS::AtMostOnce || self.window.has_room();
        may_send && !self.has_waiting()
    }
}

/// A place in [`Sessions`]; valid until that session is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SessionIndex(usize);

/// All sessions, found by key when a client connects and by index ever after.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// Boxed, as half of them may be empty.
    places: Vec<Option<Box<Session>>>,
    free: Vec<SessionIndex>,
    by_key: HashMap<SessionKey, SessionIndex>,
    by_id: HashMap<SessionId, SessionIndex>,
    /// How many each has; none of those who have none.
    by_principal: HashMap<Principal, usize>,
}

impl Sessions {
    pub(super) fn find(&self, key: &SessionKey) -> Option<SessionIndex> {
        self.by_key.get(key).copied()
    }

    /// The session that the store knows by this name.
    pub(super) fn find_kept(&self, id: SessionId) -> Option<SessionIndex> {
        self.by_id.get(&id).copied()
    }

    /// The store knows a session by this name from now on.
    pub(super) fn name(&mut self, index: SessionIndex, id: SessionId) {
        self[index].id = Some(id);
        self.by_id.insert(id, index);
    }

    /// Adds a session whose key is not there.
    pub(super) fn insert(&mut self, session: Session) -> SessionIndex {
        let index = self.free.pop().unwrap_or(SessionIndex(self.places.len()));
        if let Some(id) = session.id {
            self.by_id.insert(id, index);
        }
        let previous = self.by_key.insert(session.key.clone(), index);
        assert_eq!(previous, None, "a session is not replaced");
        *self.by_principal.entry(session.key.principal.clone()).or_default() += 1;
        let session = Some(Box::new(session));
        match self.places.get_mut(index.0) {
            Some(place) => *place = session,
            None => self.places.push(session),
        }
        index
    }

    /// Takes out a session that is there.
    pub(super) fn remove(&mut self, index: SessionIndex) -> Session {
        let place = self.places.get_mut(index.0).and_then(Option::take);
        let session = place.expect("an index is of a session that is there");
        self.by_key.remove(&session.key);
        if let Some(id) = session.id {
            self.by_id.remove(&id);
        }
        if let Entry::Occupied(mut mine) = self.by_principal.entry(session.key.principal.clone()) {
            *mine.get_mut() -= 1;
            if *mine.get() == 0 {
                mine.remove();
            }
        }
        self.free.push(index);
        *session
    }

    /// Asserts that those of each are counted.
    pub(super) fn check_counts(&self) {
        let mut counts = HashMap::<Principal, usize>::new();
        for (_, session) in self.iter() {
            *counts.entry(session.key.principal.clone()).or_default() += 1;
        }
        assert_eq!(self.by_principal, counts, "everybody's sessions are counted");
    }

    /// How many sessions somebody has.
    pub(super) fn count_of(&self, principal: &Principal) -> usize {
        self.by_principal.get(principal).copied().unwrap_or(0)
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.places.iter_mut().flatten().map(|session| &mut **session)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (SessionIndex, &Session)> {
        let places = self.places.iter().enumerate();
        places.filter_map(|(index, place)| Some((SessionIndex(index), place.as_deref()?)))
    }
}

impl Index<SessionIndex> for Sessions {
    type Output = Session;

    fn index(&self, index: SessionIndex) -> &Session {
        let place = self.places.get(index.0).and_then(Option::as_deref);
        place.expect("an index is of a session that is there")
    }
}

impl IndexMut<SessionIndex> for Sessions {
    fn index_mut(&mut self, index: SessionIndex) -> &mut Session {
        let place = self.places.get_mut(index.0).and_then(Option::as_deref_mut);
        place.expect("an index is of a session that is there")
    }
}

impl Broker {
    /// Forgets a session that has no connection, and all that refers to it. Its will, if it was not
    /// spoken, is now ([MQTT-3.1.2-8]); what a group's other members can have is theirs.
    pub(super) fn discard_session(&mut self, now: Tick, index: SessionIndex) {
        self.report_drops(index);
        let mut session = self.sessions.remove(index);
        debug_assert_eq!(session.connection, None, "a session in use is not discarded");
        for filter in session.subscriptions.keys() {
            self.subscriptions.remove(filter, index);
        }
        self.timers.cancel(&mut session.expires_at, Timer::SessionExpiry(index));
        self.timers.cancel(&mut session.resume_at, Timer::Resume(index));
        self.timers.cancel(&mut session.will_at, Timer::Will(index));
        self.bequeath(now, &mut session);
        if let Some(will) = session.will.take() {
            self.publish_will(now, None, &session.allowed, will);
        }
        if let Some(id) = session.id {
            self.persistence.forget(now, id);
        }
    }

    /// Whether one more session can be had. Where there are too many, of one user or in all, that
    /// of the client that has been away longest goes: one that comes each time under another name
    /// must not lock everybody out, and costs its own user first.
    pub(super) fn make_room_for(&mut self, now: Tick, key: &SessionKey) -> bool {
        let mine = |session: &Session| session.key.principal == key.principal;
        let goes =
            if self.sessions.count_of(&key.principal) >= self.settings.bounds.sessions_per_user {
                self.longest_absent(mine)
            } else if self.sessions.len() >= self.settings.bounds.sessions {
                self.longest_absent(|_| true)
            } else {
                return true;
            };
        let Some(index) = goes else { return false };
        let client_id = self.sessions[index].key.client_id.to_string();
        let user = self.sessions[index].key.principal.name().to_owned();
        self.outputs.event(Event::SessionDiscarded { client_id, user });
        self.discard_session(now, index);
        true
    }

    fn longest_absent(&self, wanted: impl Fn(&Session) -> bool) -> Option<SessionIndex> {
        let sessions = self.sessions.iter().filter(|(_, session)| wanted(session));
        let absent = sessions.filter(|(_, session)| session.connection.is_none());
        absent.min_by_key(|(_, session)| session.expires_at).map(|(index, _)| index)
    }

    /// The client did not come back in time (section 4.1 leaves it to us).
    pub(super) fn session_expired(&mut self, now: Tick, index: SessionIndex) {
        self.sessions[index].expires_at = None;
        self.outputs.traffic.sessions_expired += 1;
        self.discard_session(now, index);
    }

    /// Tells how many messages a queue has lost, if any.
    pub(super) fn report_drops(&mut self, index: SessionIndex) {
        let session = &mut self.sessions[index];
        self.timers.cancel(&mut session.report_at, Timer::DropReport(index));
        let messages = std::mem::take(&mut session.dropped);
        if messages > 0 {
            let client_id = session.key.client_id.to_string();
            self.outputs.event(Event::QueueDropped { client_id, messages });
        }
    }
}
