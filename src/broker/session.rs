//! Sessions: what is kept of a client from one connection to the next (section 4.1).

use std::collections::{BTreeMap, HashMap, HashSet};

use super::delivery::Outgoing;
use super::retained::Cursor;
use super::timers::Timer;
use super::{Broker, Event, Output};
use crate::access::{ConnectionId, Principal};
use crate::mqtt::{PacketId, QoS, TopicFilter};
use crate::time::Tick;

/// Place of a session in [`Sessions`]; reused once the session is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SessionIndex(usize);

/// Whose session it is: nobody takes another user's by its client identifier.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct SessionKey {
    pub(super) user: String,
    pub(super) client: Client,
}

/// A client identifier, or one given to a client that has none, which no other can name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Client {
    Named(String),
    Assigned(ConnectionId),
}

/// How long a session is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// As long as its connection.
    Connection,
    /// For the session expiry after its connection.
    Persistent,
}

/// The state of one client.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) key: SessionKey,
    pub(super) principal: Principal,
    pub(super) lifetime: Lifetime,
    pub(super) connection: Option<ConnectionId>,
    /// When it is no longer kept, if its client is away.
    pub(super) expires: Option<Tick>,
    pub(super) subscriptions: BTreeMap<TopicFilter, QoS>,
    pub(super) outgoing: Outgoing,
    /// QoS 2 messages received and routed, whose PUBREL has not come.
    pub(super) received: HashSet<PacketId>,
    /// Retained messages still to be sent for new subscriptions, in order.
    pub(super) cursors: Vec<Cursor>,
}

/// All sessions, by place and by whose they are.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    places: Vec<Option<Session>>,
    free: Vec<SessionIndex>,
    by_key: HashMap<SessionKey, SessionIndex>,
}

impl Sessions {
    pub(super) fn find(&self, key: &SessionKey) -> Option<SessionIndex> {
        self.by_key.get(key).copied()
    }

    pub(super) fn session(&self, index: SessionIndex) -> Option<&Session> {
        self.places.get(index.0)?.as_ref()
    }

    pub(super) fn session_mut(&mut self, index: SessionIndex) -> Option<&mut Session> {
        self.places.get_mut(index.0)?.as_mut()
    }

    pub(super) fn connection(&self, index: SessionIndex) -> Option<ConnectionId> {
        self.session(index)?.connection
    }

    /// The client identifier, for people.
    pub(super) fn name(&self, index: SessionIndex) -> String {
        match self.session(index).map(|session| &session.key.client) {
            Some(Client::Named(name)) => name.clone(),
            Some(Client::Assigned(id)) => format!("(assigned {})", id.0),
            None => String::new(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (SessionIndex, &Session)> {
        let places = self.places.iter().enumerate();
        places.filter_map(|(place, session)| Some((SessionIndex(place), session.as_ref()?)))
    }

    /// Gives a connection its session, and whether there was one already.
    pub(super) fn attach(
        &mut self,
        key: SessionKey,
        lifetime: Lifetime,
        connection: ConnectionId,
        principal: Principal,
    ) -> (SessionIndex, bool) {
        let known = self.find(&key);
        let index = known.unwrap_or_else(|| self.create(key, &principal));
        if let Some(session) = self.session_mut(index) {
            session.lifetime = lifetime;
            session.connection = Some(connection);
            session.principal = principal;
        }
        (index, known.is_some())
    }

    fn create(&mut self, key: SessionKey, principal: &Principal) -> SessionIndex {
        let session = Session {
            key: key.clone(),
            principal: principal.clone(),
            lifetime: Lifetime::Connection,
            connection: None,
            expires: None,
            subscriptions: BTreeMap::new(),
            outgoing: Outgoing::default(),
            received: HashSet::new(),
            cursors: Vec::new(),
        };
        let index = self.free.pop().unwrap_or(SessionIndex(self.places.len()));
        match self.places.get_mut(index.0) {
            Some(place) => *place = Some(session),
            None => self.places.push(Some(session)),
        }
        self.by_key.insert(key, index);
        index
    }

    fn remove(&mut self, index: SessionIndex) -> Option<Session> {
        let session = self.places.get_mut(index.0)?.take()?;
        self.by_key.remove(&session.key);
        self.free.push(index);
        Some(session)
    }
}

impl Broker {
    /// Its connection is gone: a session of the connection goes with it, another waits.
    pub(super) fn detach(&mut self, now: Tick, index: SessionIndex) -> Principal {
        let Some(session) = self.sessions.session_mut(index) else { return Principal::Anonymous };
        let principal = session.principal.clone();
        session.connection = None;
        session.outgoing.forget_unguaranteed();
        match session.lifetime {
            Lifetime::Connection => self.remove_session(index),
            Lifetime::Persistent => {
                let expires = now.after(self.settings.session_expiry);
                session.expires = Some(expires);
                self.timers.arm(expires, Timer::Session(index));
            }
        }
        principal
    }

    /// The session of that key is not continued.
    pub(super) fn discard(&mut self, key: &SessionKey) {
        if let Some(index) = self.sessions.find(key) {
            self.remove_session(index);
        }
    }

    /// Its client is back: the session is kept as long as the connection is there.
    pub(super) fn keep(&mut self, index: SessionIndex) {
        let session = self.sessions.session_mut(index);
        if let Some(expires) = session.and_then(|session| session.expires.take()) {
            self.timers.disarm(expires, Timer::Session(index));
        }
    }

    pub(super) fn remove_session(&mut self, index: SessionIndex) {
        self.keep(index);
        self.tell_dropped(index);
        if let Some(session) = self.sessions.remove(index) {
            for filter in session.subscriptions.keys() {
                self.subscriptions.remove(filter, index);
            }
        }
    }

    /// Tells what a full queue has dropped since it was last told.
    pub(super) fn tell_dropped(&mut self, index: SessionIndex) {
        let Some(session) = self.sessions.session_mut(index) else { return };
        let messages = session.outgoing.take_untold();
        if messages > 0 {
            let client_id = self.sessions.name(index);
            self.outputs.push_back(Output::Event(Event::QueueDropped { client_id, messages }));
        }
    }
}
