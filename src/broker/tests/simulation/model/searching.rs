//! Retained messages on their way to new subscriptions, each search in its place among what waits.

use super::{Copy, Kept, Life, Model, Search, words};
use crate::time::Tick;

use super::delivering::is_same;

impl Model {
    /// A retained message that a subscription asked for and was not sent: by the first search that
    /// may bring it.
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
            Some((topic.clone(), search.copy(kept)))
        };
        let mut searches = session.searches.iter().enumerate();
        let (place, (topic, copy)) =
            searches.find_map(|(place, search)| Some((place, finds(search)?)))?;
        let search = &mut self.session(life).searches[place];
        search.sent.insert(topic);
        let since = search.since;
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

impl Search {
    /// The stamp of what was there when it was asked, if it was not sent.
    fn owes(&self) -> impl Iterator<Item = &(String, u64)> {
        self.due.iter().filter(|(topic, _)| !self.sent.contains(topic))
    }

    fn may_bring(&self, topic: &str, kept: &Kept) -> bool {
        let is_open = kept.stamp <= self.stamp && !self.sent.contains(topic);
        is_open && words::matches(&self.filter, topic)
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
