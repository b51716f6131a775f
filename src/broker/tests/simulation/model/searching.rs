//! Retained messages on their way to new subscriptions, each search in its place among what waits.

use super::{Copy, Kept, Life, Model, Search, Session, words};
use crate::mqtt::QoS;
use crate::time::Tick;

use super::delivering::is_same;

impl Model {
    /// A retained message that a subscription asked for and was not sent: by the first search that
    /// may bring it. Where that only may, and another must, either of them may have.
    pub(super) fn stored_copy(
        &mut self,
        life: Life,
        is_it: impl Fn(&Copy) -> bool,
    ) -> Option<Copy> {
        let session = &self.sessions[&life];
        let finds = |search: &Search| {
            let (topic, kept) = self.retained.iter().find(|(topic, kept)| {
                let may_come = search.may_bring(topic, kept) && is_it(&search.copy(kept));
                may_come && self.may_read(&session.principal, topic)
            })?;
            Some((topic.clone(), kept.stamp, search.copy(kept)))
        };
        let searches = session.searches.iter().enumerate();
        let mut found = searches.filter_map(|(place, search)| Some((place, finds(search)?)));
        let (place, (topic, stamp, copy)) = found.next()?;
        let others: Vec<usize> = found.map(|(other, _)| other).collect();
        let session = self.session(life);
        let is_due = |due: &(String, u64)| due.0 == topic && due.1 == stamp;
        if !session.searches[place].owes().any(is_due) {
            for other in others {
                session.searches[other].due.retain(|due| !is_due(due));
            }
        }
        session.searches[place].sent.insert(topic);
        let since = session.searches[place].since;
        self.end_searches(life, place);
        self.pass_over_waiting(life, since);
        Some(copy)
    }

    /// A message that looks like a stored one was due anyway: if that was lost, this is not it.
    pub(super) fn may_be_stored(&mut self, life: Life, copy: &Copy) {
        let topic = copy.message.topic.as_str();
        let Some(kept) = self.retained.get(topic).filter(|_| copy.retain && self.bounded) else {
            return;
        };
        let session = self.sessions.get_mut(&life).expect("it is there");
        let may_be = session.searches.iter().any(|search| search.may_bring(topic, kept));
        self.ledger.vague += u64::from(may_be && is_same(&kept.message, &copy.message));
        for search in &mut session.searches {
            search.due.retain(|(due, _)| due != topic);
        }
    }

    /// What was published later comes after what was found ([MQTT-4.6.0-6]): these are over.
    pub(super) fn end_searches_before(&mut self, life: Life, published: Tick) {
        let searches = &self.sessions[&life].searches;
        let over = searches.iter().rposition(|search| search.since < published);
        self.end_searches(life, over.map_or(0, |place| place + 1));
    }

    /// Searches come one after another: so many are over.
    fn end_searches(&mut self, life: Life, count: usize) {
        let over: Vec<Search> = self.session(life).searches.drain(..count).collect();
        for search in &over {
            self.owes_nothing(search);
        }
    }

    /// What waited when a search was asked for comes before what it finds, or never.
    fn pass_over_waiting(&mut self, life: Life, asked: Tick) {
        let waiting = &mut self.session(life).waiting;
        let end = waiting.iter().position(|copy| copy.since >= asked).unwrap_or(waiting.len());
        let passed: Vec<Copy> = waiting.drain(..end).collect();
        for copy in passed {
            self.lose(life, &copy);
        }
    }

    pub(super) fn owes_nothing(&self, search: &Search) {
        if self.sizes {
            return;
        }
        for (topic, stamp) in search.owes() {
            let kept = self.retained.get(topic).filter(|kept| kept.stamp == *stamp);
            let is_owed = kept.is_some_and(|kept| kept.expires > self.now);
            assert!(!is_owed, "{topic} is retained and was asked for by {search:?}");
        }
    }

    /// So many searches begin or begin again; which of their finds are too large is not known.
    pub(super) fn stored_may_be_too_large(&mut self, searches: usize) {
        if self.sizes {
            self.ledger.vague += u64::try_from(searches * self.retained.len()).unwrap();
        }
    }
}

impl Session {
    /// Its client is back: what came at QoS 0 did not wait, so it is looked for after what did.
    pub(super) fn search_late(&mut self, now: Tick, stamp: u64) {
        let all = std::mem::take(&mut self.searches);
        let (mut late, first): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one.is_late);
        for search in &mut late {
            (search.stamps, search.since) = (*search.stamps.start()..=stamp, now);
        }
        for search in &first {
            if late.iter().all(|one| one.filter != search.filter) {
                late.push(search.late(now, stamp));
            }
        }
        self.searches = first;
        self.searches.append(&mut late);
    }
}

impl Search {
    /// The stamp of what was there when it was asked, if it was not sent.
    fn owes(&self) -> impl Iterator<Item = &(String, u64)> {
        self.due.iter().filter(|(topic, _)| !self.sent.contains(topic))
    }

    fn late(&self, since: Tick, stamp: u64) -> Self {
        let (filter, sent, due) = (self.filter.clone(), self.sent.clone(), Vec::new());
        let stamps = self.stamps.end() + 1..=stamp;
        Self { filter, qos: self.qos, id: self.id, due, sent, stamps, since, is_late: true }
    }

    fn may_bring(&self, topic: &str, kept: &Kept) -> bool {
        let is_open = self.stamps.contains(&kept.stamp) && !self.sent.contains(topic);
        let is_missed = !self.is_late || kept.qos == QoS::AtMostOnce;
        is_open && is_missed && words::matches(&self.filter, topic)
    }

    fn copy(&self, kept: &Kept) -> Copy {
        Copy {
            message: kept.message.clone(),
            qos: kept.qos.min(self.qos),
            retain: true,
            ids: self.id.into_iter().collect(),
            expires: Some(kept.expires).filter(|at| *at < Tick::MAX),
            since: Tick::ZERO,
            share: None,
            was_too_large: false,
        }
    }
}
