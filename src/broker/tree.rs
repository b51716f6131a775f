//! Topic filters as a tree of levels: a topic finds its subscribers by walking down its own levels,
//! whatever the number of filters. Who subscribes, a session or a group, the tree need not know.
//!
//! ```text
//!   a/b/c/d, a/b/x, a/b/x/#      a ─ run b ┬─ c ─ run d: here
//!                                          └─ x: here, below
//! ```
//!
//! There are nodes only where filters end or part; the levels between two of them are a run, which
//! is compared as a whole. So a filter takes no more than two nodes, however many levels it has.

use std::collections::HashMap;

use foldhash::quality::RandomState;

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

/// A place where filters end or part. Subscribers are sorted.
#[derive(Debug)]
struct Node<S, T> {
    /// The levels between the one by which its parent finds it and itself.
    run: Levels<Box<str>>,
    children: HashMap<Box<str>, Node<S, T>, RandomState>,
    /// The child `+`.
    any: Option<Box<Node<S, T>>>,
    /// Filters that end at this level.
    here: Vec<Match<S, T>>,
    /// Filters that end in `#` after this level.
    below: Vec<Match<S, T>>,
}

/// One level or more with `/` between them; `None`: none.
type Levels<Text> = Option<Text>;

/// How a filter ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Here,
    /// In `#`.
    Below,
}

impl<S, T> Default for Tree<S, T> {
    fn default() -> Self {
        Self { topics: Node::default(), system: Node::default(), count: 0 }
    }
}

impl<S, T> Default for Node<S, T> {
    fn default() -> Self {
        let (here, below) = (Vec::new(), Vec::new());
        Self { run: None, children: HashMap::default(), any: None, here, below }
    }
}

impl<S: Copy + Ord, T: Copy> Tree<S, T> {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Adds a subscription or replaces that of the same subscriber and filter ([MQTT-3.8.4-3]);
    /// whether it is new.
    pub(super) fn insert(&mut self, filter: &str, subscriber: S, terms: T) -> bool {
        let (levels, end) = taken_apart(filter);
        let place = self.root_mut(filter).node_at(levels).place_mut(end);
        let found = Match { subscriber, terms };
        let index = place.partition_point(|one| one.subscriber < subscriber);
        if let Some(one) = place.get_mut(index).filter(|one| one.subscriber == subscriber) {
            *one = found;
            return false;
        }
        if place.is_empty() {
            place.reserve_exact(1); // most filters are of one client only
        }
        place.insert(index, found);
        self.count += 1;
        true
    }

    /// Removes a subscription; whether it was there.
    pub(super) fn remove(&mut self, filter: &str, subscriber: S) -> bool {
        let (levels, end) = taken_apart(filter);
        let removed = self.root_mut(filter).remove(levels, end, subscriber);
        self.count -= usize::from(removed);
        removed
    }

    /// Puts all subscriptions that match into `matches`, those of one subscriber side by side.
    pub(super) fn matches(&self, topic: &str, matches: &mut Vec<Match<S, T>>) {
        self.root(topic).collect(Some(topic), matches);
        matches.sort_unstable_by_key(|one| one.subscriber);
    }

    /// What a subscriber has under exactly this filter.
    pub(super) fn find(&self, filter: &str, subscriber: S) -> Option<T> {
        let (levels, end) = taken_apart(filter);
        let place = self.root(filter).find(levels)?.place(end);
        place.iter().find(|one| one.subscriber == subscriber).map(|one| one.terms)
    }

    /// Asserts that its count is right and that it has no node without need.
    pub(super) fn check_invariants(&self) {
        let count = self.topics.check_invariants() + self.system.check_invariants();
        assert_eq!(self.count, count, "the subscriptions are counted");
    }

    /// Nodes, the roots included.
    #[cfg(test)]
    pub(super) fn nodes(&self) -> usize {
        self.topics.nodes() + self.system.nodes()
    }

    fn root(&self, text: &str) -> &Node<S, T> {
        if text.starts_with('$') { &self.system } else { &self.topics }
    }

    fn root_mut(&mut self, text: &str) -> &mut Node<S, T> {
        if text.starts_with('$') { &mut self.system } else { &mut self.topics }
    }
}

impl<S: Copy + Ord, T: Copy> Node<S, T> {
    fn place(&self, end: End) -> &Vec<Match<S, T>> {
        match end {
            End::Here => &self.here,
            End::Below => &self.below,
        }
    }

    fn place_mut(&mut self, end: End) -> &mut Vec<Match<S, T>> {
        match end {
            End::Here => &mut self.here,
            End::Below => &mut self.below,
        }
    }

    /// The node at these levels below this one, made if it is not there.
    fn node_at(&mut self, levels: Levels<&str>) -> &mut Self {
        let Some(levels) = levels else { return self };
        let (level, deeper) = first_level(levels);
        let leaf = || Self { run: deeper.map(Into::into), ..Self::default() };
        if level == "+" {
            let child = self.any.get_or_insert_with(|| Box::new(leaf()));
            return child.node_along(deeper);
        }
        // `entry` would need the level as a box even where it is there.
        if !self.children.contains_key(level) {
            self.children.insert(level.into(), leaf());
        }
        let child = self.children.get_mut(level).expect("it is there now");
        child.node_along(deeper)
    }

    /// The node at the end of these levels, which begin with the run of this one as far as they
    /// agree.
    fn node_along(&mut self, levels: Levels<&str>) -> &mut Self {
        let common = common_levels(levels, self.run.as_deref());
        if self.run.as_deref() != common {
            self.part(common.map(Into::into));
        }
        self.node_at(without(levels, common))
    }

    /// Puts a node in its place after so much of its run; what it was is the child of that.
    fn part(&mut self, run: Levels<Box<str>>) {
        let mut old = std::mem::replace(self, Self { run, ..Self::default() });
        let whole = old.run.take();
        let Some(rest) = without(whole.as_deref(), self.run.as_deref()) else { return };
        let (level, deeper) = first_level(rest);
        old.run = deeper.map(Into::into);
        if level == "+" {
            self.any = Some(Box::new(old));
        } else {
            self.children.insert(level.into(), old);
        }
    }

    fn find(&self, levels: Levels<&str>) -> Option<&Self> {
        let Some(levels) = levels else { return Some(self) };
        let (level, deeper) = first_level(levels);
        let child = self.child(level)?;
        if common_levels(child.run.as_deref(), deeper) != child.run.as_deref() {
            return None;
        }
        child.find(without(deeper, child.run.as_deref()))
    }

    fn child(&self, level: &str) -> Option<&Self> {
        if level == "+" { self.any.as_deref() } else { self.children.get(level) }
    }

    /// Returns whether it was there. Nodes that nobody needs any more go with it.
    fn remove(&mut self, levels: Levels<&str>, end: End, subscriber: S) -> bool {
        let Some(levels) = levels else { return take(self.place_mut(end), subscriber) };
        let (level, deeper) = first_level(levels);
        let child =
            if level == "+" { self.any.as_deref_mut() } else { self.children.get_mut(level) };
        let Some(child) = child else { return false };
        if common_levels(child.run.as_deref(), deeper) != child.run.as_deref() {
            return false;
        }
        let rest = without(deeper, child.run.as_deref());
        let removed = child.remove(rest, end, subscriber);
        if !child.is_empty() {
            child.join();
        } else if level == "+" {
            self.any = None;
        } else {
            self.prune(level);
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

    /// Becomes one with its child if it is there for that one only.
    fn join(&mut self) {
        if !self.here.is_empty() || !self.below.is_empty() {
            return;
        }
        let (level, child) = match (self.children.len(), &mut self.any) {
            (0, Some(_)) => {
                let Some(child) = self.any.take() else { return };
                (Box::from("+"), *child)
            }
            (1, None) => {
                let only = std::mem::take(&mut self.children).into_iter().next();
                let Some(only) = only else { return };
                only
            }
            _ => return,
        };
        let run = [self.run.as_deref(), Some(&*level), child.run.as_deref()];
        let run: Vec<&str> = run.into_iter().flatten().collect();
        *self = Self { run: Some(run.join("/").into()), ..child };
    }

    fn collect(&self, rest: Levels<&str>, matches: &mut Vec<Match<S, T>>) {
        add(&self.below, matches); // also for this level itself (4.7.1.2)
        let Some(rest) = rest else { return add(&self.here, matches) };
        let (level, deeper) = first_level(rest);
        if let Some(child) = self.children.get(level) {
            child.collect_past_run(deeper, matches);
        }
        if let Some(child) = &self.any {
            child.collect_past_run(deeper, matches);
        }
    }

    fn collect_past_run(&self, topic: Levels<&str>, matches: &mut Vec<Match<S, T>>) {
        if let Some(rest) = self.past_run(topic) {
            self.collect(rest, matches);
        }
    }

    /// What a topic has after the run, if that matches.
    fn past_run<'topic>(&self, topic: Levels<&'topic str>) -> Option<Levels<&'topic str>> {
        match (&self.run, topic) {
            (None, topic) => Some(topic),
            (Some(run), Some(topic)) => past(run, topic),
            (Some(_), None) => None,
        }
    }

    fn is_empty(&self) -> bool {
        let has_subscription = !self.here.is_empty() || !self.below.is_empty();
        !has_subscription && self.children.is_empty() && self.any.is_none()
    }

    #[cfg(test)]
    fn nodes(&self) -> usize {
        1 + self.children.values().chain(self.any.as_deref()).map(Self::nodes).sum::<usize>()
    }

    fn check_invariants(&self) -> usize {
        for place in [&self.here, &self.below] {
            assert!(place.is_sorted_by(|a, b| a.subscriber < b.subscriber), "sorted");
        }
        let below = self.children.values().chain(self.any.as_deref()).map(|child| {
            let ends = !child.here.is_empty() || !child.below.is_empty();
            let parts = child.children.len() + usize::from(child.any.is_some()) > 1;
            assert!(ends || parts, "filters end or part where there is a node");
            child.check_invariants()
        });
        self.here.len() + self.below.len() + below.sum::<usize>()
    }
}

/// Most places are empty, and a copy of nothing is a call all the same.
fn add<S: Copy, T: Copy>(place: &[Match<S, T>], matches: &mut Vec<Match<S, T>>) {
    if !place.is_empty() {
        matches.extend_from_slice(place);
    }
}

fn take<S: Copy + Ord, T>(place: &mut Vec<Match<S, T>>, subscriber: S) -> bool {
    let found = place.binary_search_by_key(&subscriber, |one| one.subscriber);
    found.map(|index| place.remove(index)).is_ok()
}

/// The levels of a filter without `#`, and whether it had that.
fn taken_apart(filter: &str) -> (Levels<&str>, End) {
    match filter.strip_suffix('#') {
        None => (Some(filter), End::Here),
        Some(rest) => (rest.strip_suffix('/'), End::Below),
    }
}

fn first_level(levels: &str) -> (&str, Levels<&str>) {
    let (level, rest) = levels.split_at(end_of_level(levels));
    (level, rest.get(1..))
}

/// Where the first level ends. Levels are short: a search made for long texts costs more.
fn end_of_level(levels: &str) -> usize {
    levels.bytes().position(|byte| byte == b'/').unwrap_or(levels.len())
}

/// The levels with which both begin.
fn common_levels<'text>(one: Levels<&'text str>, other: Levels<&str>) -> Levels<&'text str> {
    let whole = one?;
    let (mut ones, mut others) = (one, other);
    let mut end = None;
    while let (Some(one), Some(other)) = (ones, others) {
        let (level, deeper) = first_level(one);
        let (other_level, other_deeper) = first_level(other);
        if level != other_level {
            break;
        }
        end = Some(deeper.map_or(whole.len(), |deeper| whole.len() - deeper.len() - 1));
        (ones, others) = (deeper, other_deeper);
    }
    whole.get(..end?)
}

/// What follows the first levels, with which the text begins.
fn without<'text>(levels: Levels<&'text str>, first: Levels<&str>) -> Levels<&'text str> {
    let Some(first) = first else { return levels };
    levels?.strip_prefix(first)?.strip_prefix('/')
}

/// What a topic has after a run of a filter, if its first levels match that.
fn past<'topic>(run: &str, topic: &'topic str) -> Option<Levels<&'topic str>> {
    let mut rest = topic;
    for (number, literal) in run.as_bytes().split(|byte| *byte == b'+').enumerate() {
        if number > 0 {
            rest = rest.get(end_of_level(rest)..)?;
        }
        if !rest.as_bytes().starts_with(literal) {
            return None;
        }
        rest = rest.get(literal.len()..)?;
    }
    if rest.is_empty() { Some(None) } else { rest.strip_prefix('/').map(Some) }
}

/// Bytes that a filter can take in a tree and in its session.
pub(super) fn weight(filter: &str) -> usize {
    /// Its place in the table of its parent, which may be half empty; where it parts from another,
    /// a table of four; and its place in the session.
    const PLACES: usize = 7 * size_of::<(Box<str>, Node<u64, [u64; 2]>)>();
    filter.len().saturating_mul(2).saturating_add(PLACES)
}
