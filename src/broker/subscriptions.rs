//! The subscriptions of all sessions, alone or as members of a group that shares one.
//!
//! A shared subscription (MQTT 5.0 section 4.8.2), `$share/{group}/{filter}`, stands in a tree of
//! its own with the group as the one subscriber; who of its members gets a message is decided when
//! there is one. 3.1.1 knows no groups, but its clients ask for them all the same.

use std::collections::HashMap;
use std::sync::Arc;

use super::record::Subscription;
use super::session::SessionIndex;
use super::tree::{self, Tree};
use crate::mqtt::TopicFilter;

/// A subscription that matched.
pub(super) type Match = tree::Match<SessionIndex, Subscription>;

/// A place in [`Subscriptions::groups`]; valid until its last member has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GroupIndex(usize);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    own: Tree<SessionIndex, Subscription>,
    shared: Tree<GroupIndex, ()>,
    groups: Vec<Option<Group>>,
    free: Vec<GroupIndex>,
    by_filter: HashMap<Arc<str>, GroupIndex>,
    /// Subscriptions of members.
    shared_count: usize,
    /// What all can take in memory.
    bytes: usize,
}

/// Sessions that share one subscription. Has a member at least.
#[derive(Debug)]
pub(super) struct Group {
    /// As its members wrote it: `$share/{group}/{filter}`.
    pub(super) filter: Arc<str>,
    pub(super) members: Vec<Member>,
    /// Whose turn it is.
    turn: usize,
}

/// A session in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) session: SessionIndex,
    pub(super) subscription: Subscription,
}

impl Subscriptions {
    /// Subscriptions of all kinds.
    pub(super) fn len(&self) -> usize {
        self.own.len() + self.shared_count
    }

    /// Those that are shared.
    pub(super) fn shared_len(&self) -> usize {
        self.shared_count
    }

    /// Bytes that all can take, as [`Subscriptions::weight`] counts them.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes that a filter can take in here and in its session.
    pub(super) fn weight(filter: &str) -> usize {
        tree::weight(filter)
    }

    /// Adds a subscription or replaces that of the same session and filter ([MQTT-3.8.4-3]).
    pub(super) fn insert(
        &mut self,
        filter: &TopicFilter,
        session: SessionIndex,
        subscription: Subscription,
    ) {
        let is_new = match filter.shared() {
            None => self.own.insert(filter.as_str(), session, subscription),
            Some((_, topics)) => {
                self.join(filter.as_str(), topics, Member { session, subscription })
            }
        };
        if is_new {
            self.bytes += Self::weight(filter.as_str());
        }
    }

    /// Whether it was no member before.
    fn join(&mut self, filter: &str, topics: &str, member: Member) -> bool {
        let group = self.group_for(filter, topics);
        let Some(group) = self.group_mut(group) else { return false };
        let mut members = group.members.iter_mut();
        if let Some(known) = members.find(|known| known.session == member.session) {
            *known = member;
            return false;
        }
        group.members.push(member);
        self.shared_count += 1;
        true
    }

    /// Removes a subscription if it is there.
    pub(super) fn remove(&mut self, filter: &str, session: SessionIndex) {
        let removed = match self.by_filter.get(filter) {
            Some(&index) => self.leave(index, filter, session),
            None => self.own.remove(filter, session),
        };
        if removed {
            self.bytes -= Self::weight(filter);
        }
    }

    /// Whether it was a member.
    fn leave(&mut self, index: GroupIndex, filter: &str, session: SessionIndex) -> bool {
        let Some(group) = self.group_mut(index) else { return false };
        let before = group.members.len();
        group.members.retain(|member| member.session != session);
        let (gone, is_over) = (before - group.members.len(), group.members.is_empty());
        self.shared_count -= gone;
        if is_over {
            self.forget(index, filter);
        }
        gone > 0
    }

    /// Puts all subscriptions that match into `matches`, those of one session side by side.
    pub(super) fn matches(&self, topic: &str, matches: &mut Vec<Match>) {
        self.own.matches(topic, matches);
    }

    /// The groups whose subscription matches.
    pub(super) fn groups_matching(&self, topic: &str) -> Vec<GroupIndex> {
        let mut found = Vec::new();
        if self.shared_count > 0 {
            self.shared.matches(topic, &mut found);
        }
        found.into_iter().map(|group| group.subscriber).collect()
    }

    /// The group of exactly this filter.
    pub(super) fn group_of(&self, filter: &str) -> Option<GroupIndex> {
        self.by_filter.get(filter).copied()
    }

    /// A group that is there.
    pub(super) fn group(&self, index: GroupIndex) -> Option<&Group> {
        self.groups.get(index.0)?.as_ref()
    }

    /// The member that comes first by `rank` (`None`: never), those of equal rank in turn; after it
    /// is the next one's turn.
    pub(super) fn choose<R: Ord>(
        &mut self,
        index: GroupIndex,
        rank: impl Fn(&Member) -> Option<R>,
    ) -> Option<Member> {
        let group = self.group_mut(index)?;
        let count = group.members.len();
        let places = (0..count).map(|step| (group.turn + step) % count);
        let ranked = places.filter_map(|place| {
            let member = group.members.get(place)?;
            Some((rank(member)?, place, *member))
        });
        // `min_by` keeps the first of equals, which is the one whose turn it is.
        let (_, place, member) = ranked.min_by(|one, other| one.0.cmp(&other.0))?;
        group.turn = (place + 1) % count;
        Some(member)
    }

    /// What a session has under exactly this filter.
    pub(super) fn find(&self, filter: &str, session: SessionIndex) -> Option<Subscription> {
        let Some(group) = self.group_of(filter) else { return self.own.find(filter, session) };
        let mut members = self.group(group)?.members.iter();
        members.find(|member| member.session == session).map(|member| member.subscription)
    }

    /// Asserts that its counts are right and that it has no empty node or group.
    pub(super) fn check_invariants(&self) {
        self.own.check_invariants();
        self.shared.check_invariants();
        let groups: Vec<_> = self.groups.iter().flatten().collect();
        assert!(groups.iter().all(|group| !group.members.is_empty()), "no group is empty");
        let members: usize = groups.iter().map(|group| group.members.len()).sum();
        assert_eq!(self.shared_count, members, "the members are counted");
        assert_eq!(self.shared.len(), groups.len(), "a group stands in the tree once");
        assert_eq!(self.by_filter.len(), groups.len(), "a group is found by its filter");
        assert_eq!(self.free.len() + groups.len(), self.groups.len(), "free places are known");
    }

    fn group_for(&mut self, filter: &str, topics: &str) -> GroupIndex {
        if let Some(&index) = self.by_filter.get(filter) {
            return index;
        }
        let index = self.free.pop().unwrap_or(GroupIndex(self.groups.len()));
        let filter: Arc<str> = Arc::from(filter);
        self.by_filter.insert(Arc::clone(&filter), index);
        let group = Some(Group { filter, members: Vec::new(), turn: 0 });
        match self.groups.get_mut(index.0) {
            Some(place) => *place = group,
            None => self.groups.push(group),
        }
        self.shared.insert(topics, index, ());
        index
    }

    fn forget(&mut self, index: GroupIndex, filter: &str) {
        self.by_filter.remove(filter);
        if let Some(place) = self.groups.get_mut(index.0) {
            *place = None;
            self.free.push(index);
        }
        if let Some((_, topics)) = TopicFilter::new(filter).ok().as_ref().and_then(|it| it.shared())
        {
            self.shared.remove(topics, index);
        }
    }

    fn group_mut(&mut self, index: GroupIndex) -> Option<&mut Group> {
        self.groups.get_mut(index.0)?.as_mut()
    }
}
