//! Topic filters as a tree of levels: a topic finds its subscribers by walking down its own levels,
//! whatever the number of filters. Who subscribes, a session or a group, the tree need not know.

use std::collections::HashMap;

/// What a subscriber has under a filter that matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Match<Subscriber, Terms> {
    pub(super) subscriber: Subscriber,
    pub(super) terms: Terms,
}

/// See the module. Topics that begin with `$` have a tree of their own, where a filter gets only by
/// naming that level ([MQTT-4.7.2-1]).
#[derive(Debug)]
pub(super) struct Tree<S, T> {
    topics: Node<S, T>,
    system: Node<S, T>,
    count: usize,
}

/// A level below those above it. Subscribers are sorted.
#[derive(Debug)]
struct Node<S, T> {
    children: HashMap<Box<str>, Node<S, T>>,
    /// The child `+`.
    any: Option<Box<Node<S, T>>>,
    /// Filters that end at this level.
    here: Vec<Match<S, T>>,
    /// Filters that end in `#` after this level.
    below: Vec<Match<S, T>>,
}

impl<S, T> Default for Tree<S, T> {
    fn default() -> Self {
        Self { topics: Node::default(), system: Node::default(), count: 0 }
    }
}

impl<S, T> Default for Node<S, T> {
    fn default() -> Self {
        Self { children: HashMap::new(), any: None, here: Vec::new(), below: Vec::new() }
    }
}

impl<S: Copy + Ord, T: Copy> Tree<S, T> {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Adds a subscription or replaces that of the same subscriber and filter ([MQTT-3.8.4-3]).
    pub(super) fn insert(&mut self, filter: &str, subscriber: S, terms: T) {
        let place = self.root(filter).place(Some(filter));
        let found = Match { subscriber, terms };
        let index = place.partition_point(|one| one.subscriber < subscriber);
        match place.get_mut(index) {
            Some(one) if one.subscriber == subscriber => *one = found,
            Some(_) | None => {
                place.insert(index, found);
                self.count += 1;
            }
        }
    }

    /// Removes a subscription if it is there.
    pub(super) fn remove(&mut self, filter: &str, subscriber: S) {
        if self.root(filter).remove(Some(filter), subscriber) {
            self.count -= 1;
        }
    }

    /// Puts all subscriptions that match into `matches`, those of one subscriber side by side.
    pub(super) fn matches(&self, topic: &str, matches: &mut Vec<Match<S, T>>) {
        let root = if topic.starts_with('$') { &self.system } else { &self.topics };
        root.collect(Some(topic), matches);
        matches.sort_unstable_by_key(|one| one.subscriber);
    }

    /// What a subscriber has under exactly this filter.
    pub(super) fn find(&self, filter: &str, subscriber: S) -> Option<T> {
        let root = if filter.starts_with('$') { &self.system } else { &self.topics };
        let place = root.find(Some(filter))?;
        place.iter().find(|one| one.subscriber == subscriber).map(|one| one.terms)
    }

    /// Asserts that its count is right and that it has no empty node.
    pub(super) fn check_invariants(&self) {
        let count = self.topics.check_invariants() + self.system.check_invariants();
        assert_eq!(self.count, count, "the subscriptions are counted");
    }

    fn root(&mut self, filter: &str) -> &mut Node<S, T> {
        if filter.starts_with('$') { &mut self.system } else { &mut self.topics }
    }
}

/// `rest` is what comes below a node; `None`: nothing.
impl<S: Copy + Ord, T: Copy> Node<S, T> {
    fn place(&mut self, rest: Option<&str>) -> &mut Vec<Match<S, T>> {
        match rest {
            None => &mut self.here,
            Some("#") => &mut self.below,
            Some(rest) => {
                let (level, deeper) = first_level(rest);
                let child = match level {
                    "+" => self.any.get_or_insert_default(),
                    _ => self.children.entry(level.into()).or_default(),
                };
                child.place(deeper)
            }
        }
    }

    fn find(&self, rest: Option<&str>) -> Option<&Vec<Match<S, T>>> {
        match rest {
            None => Some(&self.here),
            Some("#") => Some(&self.below),
            Some(rest) => {
                let (level, deeper) = first_level(rest);
                let child = match level {
                    "+" => self.any.as_deref(),
                    _ => self.children.get(level),
                };
                child?.find(deeper)
            }
        }
    }

    /// Returns whether it was there. Nodes that nobody needs any more go with it.
    fn remove(&mut self, rest: Option<&str>, subscriber: S) -> bool {
        let Some(rest) = rest else { return take(&mut self.here, subscriber) };
        if rest == "#" {
            return take(&mut self.below, subscriber);
        }
        let (level, deeper) = first_level(rest);
        let child = match level {
            "+" => self.any.as_deref_mut(),
            _ => self.children.get_mut(level),
        };
        let Some(child) = child else { return false };
        let removed = child.remove(deeper, subscriber);
        match (child.is_empty(), level) {
            (true, "+") => self.any = None,
            (true, _) => self.prune(level),
            (false, _) => {}
        }
        removed
    }

    /// Removes a child, and gives memory back when most of its siblings have gone before it.
    fn prune(&mut self, level: &str) {
        self.children.remove(level);
        if self.children.len() < self.children.capacity() / 4 {
            self.children.shrink_to_fit();
        }
    }

    fn collect(&self, rest: Option<&str>, matches: &mut Vec<Match<S, T>>) {
        matches.extend_from_slice(&self.below); // also for this level itself ([MQTT-4.7.1-2])
        let Some(rest) = rest else { return matches.extend_from_slice(&self.here) };
        let (level, deeper) = first_level(rest);
        if let Some(child) = self.children.get(level) {
            child.collect(deeper, matches);
        }
        if let Some(child) = &self.any {
            child.collect(deeper, matches);
        }
    }

    fn is_empty(&self) -> bool {
        let has_subscription = !self.here.is_empty() || !self.below.is_empty();
        !has_subscription && self.children.is_empty() && self.any.is_none()
    }

    fn check_invariants(&self) -> usize {
        for place in [&self.here, &self.below] {
            assert!(place.is_sorted_by(|a, b| a.subscriber < b.subscriber), "sorted");
        }
        let children = self.children.values().chain(self.any.as_deref());
        let below = children.map(|child| {
            assert!(!child.is_empty(), "a node has subscriptions or children");
            child.check_invariants()
        });
        self.here.len() + self.below.len() + below.sum::<usize>()
    }
}

fn take<S: Copy + Ord, T>(place: &mut Vec<Match<S, T>>, subscriber: S) -> bool {
    let found = place.binary_search_by_key(&subscriber, |one| one.subscriber);
    found.map(|index| place.remove(index)).is_ok()
}

fn first_level(rest: &str) -> (&str, Option<&str>) {
    match rest.split_once('/') {
        Some((level, deeper)) => (level, Some(deeper)),
        None => (rest, None),
    }
}

/// Bytes that a filter can take in a tree and in its session, when it shares no level.
pub(super) fn weight(filter: &str) -> usize {
    /// A node and the four places that its parent's first child makes room for.
    const LEVEL: usize = 5 * size_of::<Node<u64, [u64; 2]>>();
    let levels = filter.split('/').count();
    filter.len().saturating_mul(2).saturating_add(levels.saturating_mul(LEVEL))
}
