//! The filter tree: which sessions a message is for. Its cost per message is that of the filters
//! that match its levels, not of all there are.

use std::collections::HashMap;

use super::session::SessionIndex;
use crate::mqtt::{QoS, TopicFilter, TopicName};

/// All subscriptions of all sessions.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    root: Node,
}

/// One level of some filters; `+` is a child like any other.
#[derive(Debug, Default)]
struct Node {
    children: HashMap<Box<str>, Node>,
    /// Filters that end here.
    here: Vec<(SessionIndex, QoS)>,
    /// Filters that go on with `#`.
    below: Vec<(SessionIndex, QoS)>,
}

impl Subscriptions {
    /// Adds a subscription, or replaces its quality [MQTT-3.8.4-3].
    pub(super) fn insert(&mut self, filter: &TopicFilter, session: SessionIndex, qos: QoS) {
        let mut node = &mut self.root;
        for level in filter.levels() {
            if level == "#" {
                return set(&mut node.below, session, qos);
            }
            node = node.children.entry(level.into()).or_default();
        }
        set(&mut node.here, session, qos);
    }

    /// Takes a subscription away, and the levels that nobody needs any more.
    pub(super) fn remove(&mut self, filter: &TopicFilter, session: SessionIndex) {
        self.root.remove(filter.levels(), session);
    }

    /// Replaces `found` by each session that a message to `topic` is for, once, in a fixed order,
    /// with the highest quality of its matching subscriptions.
    pub(super) fn matches(&self, topic: &TopicName, found: &mut Vec<(SessionIndex, QoS)>) {
        found.clear();
        let wildcards = !topic.as_str().starts_with('$'); // [MQTT-4.7.2-1]
        self.root.collect(topic.levels(), wildcards, found);
        found.sort_unstable_by(|one, other| one.0.cmp(&other.0).then(other.1.cmp(&one.1)));
        found.dedup_by_key(|(session, _)| *session);
    }

    /// Number of subscriptions.
    pub(super) fn len(&self) -> usize {
        self.root.len()
    }
}

impl Node {
    fn collect<'topic>(
        &self,
        mut levels: impl Iterator<Item = &'topic str> + Clone,
        wildcards: bool,
        found: &mut Vec<(SessionIndex, QoS)>,
    ) {
        if wildcards {
            found.extend_from_slice(&self.below);
        }
        let Some(level) = levels.next() else {
            found.extend_from_slice(&self.here);
            return;
        };
        if let Some(child) = self.children.get(level) {
            child.collect(levels.clone(), true, found);
        }
        if let Some(any) = self.children.get("+").filter(|_| wildcards) {
            any.collect(levels, true, found);
        }
    }

    fn remove<'filter>(
        &mut self,
        mut levels: impl Iterator<Item = &'filter str>,
        session: SessionIndex,
    ) {
        match levels.next() {
            None => self.here.retain(|(other, _)| *other != session),
            Some("#") => self.below.retain(|(other, _)| *other != session),
            Some(level) => {
                let Some(child) = self.children.get_mut(level) else { return };
                child.remove(levels, session);
                if child.is_empty() {
                    self.children.remove(level);
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.children.is_empty() && self.here.is_empty() && self.below.is_empty()
    }

    fn len(&self) -> usize {
        let children: usize = self.children.values().map(Self::len).sum();
        children + self.here.len() + self.below.len()
    }
}

fn set(subscribers: &mut Vec<(SessionIndex, QoS)>, session: SessionIndex, qos: QoS) {
    match subscribers.iter_mut().find(|(other, _)| *other == session) {
        Some(subscriber) => subscriber.1 = qos,
        None => subscribers.push((session, qos)),
    }
}
