//! Shared subscriptions: each message to one member of each group at a time.

use super::{Copy, Flight, Life, Model, Session, Sight, Subscription, words};
use crate::mqtt::{Delivery, Message, QoS};
use crate::time::Tick;

/// A message for a group.
#[derive(Debug)]
pub(super) struct Share {
    /// `$share/{group}/{filter}`.
    filter: String,
    message: Message,
    qos: QoS,
    retain: bool,
    expires: Option<Tick>,
    since: Tick,
    state: State,
    /// The last member left while it had not been sent, and may get it still.
    heir: Option<(Life, Subscription)>,
    /// Nobody needs to get it: at QoS 0, or because all who could have had it have gone.
    is_excused: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A member will get it.
    Free,
    /// A member was sent it, at QoS 1 or 2.
    Sent(Life),
    /// A member has it.
    Done,
    /// Nobody may get it any more.
    Gone,
}

impl Share {
    pub(super) fn new(
        filter: String,
        message: &Message,
        qos: QoS,
        retain: bool,
        expires: Option<Tick>,
        since: Tick,
    ) -> Self {
        let (message, state, heir) = (message.clone(), State::Free, None);
        let is_excused = qos == QoS::AtMostOnce;
        Self { filter, message, qos, retain, expires, since, state, heir, is_excused }
    }

    /// The copy that a member gets.
    fn copy(&self, index: usize, subscription: &Subscription) -> Copy {
        Copy {
            message: self.message.clone(),
            qos: self.qos.min(subscription.wanted.qos),
            retain: self.retain && subscription.wanted.retain_as_published,
            ids: subscription.id.into_iter().collect(),
            expires: self.expires,
            since: self.since,
            share: Some(index),
            was_too_large: false,
        }
    }

    fn is_open(&self, filter: &str) -> bool {
        self.state == State::Free && self.filter == filter
    }
}

impl Model {
    /// Every group once.
    pub(super) fn shared_filters_of(&self, topic: &str) -> Vec<String> {
        let all = self.sessions.values().flat_map(|session| &session.subscriptions);
        let filters = all.map(|one| one.wanted.filter.as_str());
        let matching = |filter: &&str| {
            words::shared(filter).is_some_and(|topics| words::matches(topics, topic))
        };
        let mut found: Vec<String> = filters.filter(matching).map(str::to_owned).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    pub(super) fn share(&mut self, share: Share) {
        let filter = share.filter.clone();
        self.shares.push(share);
        self.excuse(&filter);
    }

    /// A member is new, or comes back to what it left.
    pub(super) fn joined(&mut self, life: Life, filter: &str) {
        for share in self.shares.iter_mut().filter(|share| share.filter == filter) {
            share.heir.take_if(|(heir, _)| *heir == life);
        }
        self.excuse(filter);
    }

    /// What a member at QoS 0 may have got need not arrive.
    fn excuse(&mut self, filter: &str) {
        if self.members(filter).any(|(_, _, one)| one.wanted.qos == QoS::AtMostOnce) {
            for share in self.shares.iter_mut().filter(|share| share.is_open(filter)) {
                share.is_excused = true;
            }
        }
    }

    /// A member unsubscribed. What it has under way it completes; the last one keeps the rest.
    pub(super) fn left(&mut self, life: Life, gone: &Subscription) {
        let filter = gone.wanted.filter.as_str();
        if self.members(filter).next().is_some() {
            return;
        }
        for share in self.shares.iter_mut().filter(|share| share.is_open(filter)) {
            if share.heir.is_none() {
                share.heir = Some((life, gone.clone()));
            }
        }
    }

    /// A member has gone for a while: what it has not acknowledged at QoS 1 goes to those who are
    /// there.
    pub(super) fn hand_over(&mut self, life: Life) {
        let session = &self.sessions[&life];
        let filters = session.subscriptions.iter().map(|one| one.wanted.filter.as_str());
        let is_there = |filter: &&str| {
            self.members(filter)
                .any(|(other, session, _)| other != life && session.connection.is_some())
        };
        let filters: Vec<String> = filters.filter(is_there).map(str::to_owned).collect();
        let mut flights = std::mem::take(&mut self.session(life).flights);
        flights
            .retain(|flight| !self.is_passed_on(flight, |share| filters.contains(&share.filter)));
        self.session(life).flights = flights;
    }

    /// A session is over: its places in groups are gone already.
    pub(super) fn bequeath(&mut self, life: Life, session: &Session) {
        for flight in &session.flights {
            let is_passed_on = self.is_passed_on(flight, |_| true);
            if let Some(share) = flight.copy.share.filter(|_| !is_passed_on) {
                self.shares[share].state = State::Gone;
                self.shares[share].is_excused = true;
            }
        }
        let living: Vec<String> = self
            .sessions
            .values()
            .flat_map(|session| &session.subscriptions)
            .map(|one| one.wanted.filter.as_str().to_owned())
            .collect();
        for share in &mut self.shares {
            if share.heir.as_ref().is_some_and(|(heir, _)| *heir == life) {
                share.heir = None;
            }
            let is_orphan = share.heir.is_none() && !living.contains(&share.filter);
            if share.state == State::Free && is_orphan {
                share.state = State::Gone;
                share.is_excused = true;
            }
        }
    }

    /// A message for a group that this session may be sent: the copy of it. One that must arrive
    /// comes first: what was published at QoS 1 again looks like the one before it.
    pub(super) fn shared_copy(&self, life: Life, is_it: impl Fn(&Copy) -> bool) -> Option<Copy> {
        let session = &self.sessions[&life];
        let free = |(_, share): &(usize, &Share)| share.state == State::Free;
        let copy = |(index, share): (usize, &Share)| {
            let subscription = match &share.heir {
                Some((heir, subscription)) => (*heir == life).then_some(subscription)?,
                None => &session.subscriptions[session.place(&share.filter)?],
            };
            Some((share.is_excused, share.copy(index, subscription))).filter(|(_, it)| is_it(it))
        };
        let found = self.shares.iter().enumerate().filter(free).filter_map(copy);
        found.min_by_key(|(is_excused, _)| *is_excused).map(|(_, copy)| copy)
    }

    /// A member is sent a message for the first time.
    pub(super) fn share_sent(&mut self, life: Life, index: usize, qos: QoS) {
        self.seen.note(Sight::Shared);
        let is_over = qos == QoS::AtMostOnce;
        self.shares[index].state = if is_over { State::Done } else { State::Sent(life) };
    }

    pub(super) fn share_done(&mut self, copy: &Copy) {
        if let Some(share) = copy.share {
            self.shares[share].state = State::Done;
        }
    }

    /// Counts what no member got.
    pub(super) fn count_lost_shares(&mut self) {
        for share in &self.shares {
            assert!(!matches!(share.state, State::Sent(_)), "it is completed: {share:?}");
            let is_lost = share.state == State::Free;
            let is_expired = share.expires.is_some_and(|at| at <= self.now);
            if is_lost && !share.is_excused && !is_expired {
                assert!(self.bounded || self.sizes, "lost: {share:?}");
                self.ledger.mixed += 1;
            } else if is_lost || share.state == State::Gone {
                self.ledger.vague += 1;
            }
        }
    }

    /// Gives a QoS 1 message back to its group.
    fn is_passed_on(&mut self, flight: &Flight, wanted: impl Fn(&Share) -> bool) -> bool {
        let Some(share) = flight.copy.share.map(|index| &mut self.shares[index]) else {
            return false;
        };
        let is_passed_on = matches!(flight.delivery, Delivery::AtLeastOnce(_)) && wanted(share);
        if is_passed_on {
            share.state = State::Free;
            self.seen.note(Sight::HandedOver);
        }
        is_passed_on
    }

    fn members<'a>(
        &'a self,
        filter: &'a str,
    ) -> impl Iterator<Item = (Life, &'a Session, &'a Subscription)> {
        self.sessions.iter().filter_map(move |(&life, session)| {
            Some((life, session, &session.subscriptions[session.place(filter)?]))
        })
    }
}
