//! Retained messages: one per topic, in the order of their levels, so that a search for a filter
//! with wildcards jumps over what cannot match.
//!
//! A key is a topic with its separators replaced by NUL, which no topic contains ([MQTT-4.7.3-2])
//! and which sorts before all else: a topic comes before those below it, and those before the next
//! topic of its level. Where a search stands is then a key, and it goes on from there whatever was
//! added or removed in between.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::ops::Bound::{Included, Unbounded};
use std::sync::Arc;
use std::time::Duration;

use super::objection::Objection;
use super::record::Queued;
use crate::mqtt::{Message, QoS, ReasonCode, TopicName};
use crate::time::Tick;

const SEPARATOR: char = '\0';
/// The character after [`SEPARATOR`]: a topic followed by it sorts after all below that topic.
const AFTER_SEPARATOR: char = '\u{1}';
/// Sorts after all topics that begin with `$`.
const AFTER_DOLLAR: &str = "%";

/// All retained messages.
#[derive(Debug)]
pub(super) struct Retained {
    by_topic: BTreeMap<Box<str>, Kept>,
    /// Keys of those that expire, by when and stamp.
    expiries: BTreeMap<(Tick, u64), Box<str>>,
    bytes: usize,
    /// Most that clients may fill.
    bytes_max: usize,
    /// Of the message retained last.
    stamp: u64,
    /// Those up to this stamp were retained in an earlier life.
    restored: u64,
}

/// A retained message.
#[derive(Debug)]
pub(super) struct Kept {
    message: Message,
    qos: QoS,
    expires: Option<Tick>,
    stamp: u64,
    origin: Origin,
}

impl Kept {
    /// For a new subscription of that quality, marked as retained (3.3.1.3).
    pub(super) fn to_queued(&self, qos: QoS, id: Option<NonZeroU32>) -> Queued {
        Queued {
            message: self.message.clone(),
            qos: qos.min(self.qos),
            retain: true,
            subscription_ids: id.map(NonZeroU32::get).into_iter().collect(),
            share: None,
            expires: self.expires,
        }
    }

    fn weight(&self) -> usize {
        /// What the maps take around a message.
        const OVERHEAD: usize = 128;
        let key = self.message.topic.as_str().len();
        key.saturating_add(self.message.weight()).saturating_add(size_of::<Self>() + OVERHEAD)
    }
}

/// Whose messages are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Always: their number is configured.
    Gateway,
    /// Within the bound.
    Client,
}

/// A filter and how far its matches were found. It is for what was there when the subscription was
/// made: what is retained later reaches the subscription as it is published.
#[derive(Debug)]
pub(super) struct Search {
    filter: Arc<str>,
    from: String,
    /// The last stamp that is wanted.
    until: u64,
}

impl Search {
    /// A search for what is retained up to now, as [`Retained::stamp`] says.
    pub(super) fn new(filter: Arc<str>, stamp: u64) -> Self {
        Self { filter, from: String::new(), until: stamp }
    }

    /// What is searched for.
    pub(super) fn filter(&self) -> &Arc<str> {
        &self.filter
    }
}

/// What [`Retained::step`] came to.
#[derive(Debug)]
pub(super) enum Step<'a> {
    /// The next match.
    Found(&'a Kept),
    /// The seeks are used up.
    Pause,
    /// There are no more matches.
    End,
}

impl Retained {
    /// From now on clients may fill so much; what is there stays.
    pub(super) fn bound(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max;
    }

    /// An empty store, of which clients may fill `bytes_max`.
    pub(super) fn new(bytes_max: usize) -> Self {
        let (by_topic, expiries) = (BTreeMap::new(), BTreeMap::new());
        Self { by_topic, expiries, bytes: 0, bytes_max, stamp: 0, restored: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.by_topic.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Grows with each message retained.
    pub(super) fn stamp(&self) -> u64 {
        self.stamp
    }

    /// As [`Retained::replace`], whatever was there.
    pub(super) fn store(
        &mut self,
        origin: Origin,
        message: Message,
        qos: QoS,
        expires: Option<Tick>,
    ) -> Result<(), Objection> {
        self.replace(origin, message, qos, expires).1
    }

    /// Stores `message` in the place of the one of its topic ([MQTT-3.3.1-5]); whose that was. When
    /// there is no room that one goes nevertheless: it is no longer true.
    pub(super) fn replace(
        &mut self,
        origin: Origin,
        message: Message,
        qos: QoS,
        expires: Option<Tick>,
    ) -> (Option<Origin>, Result<(), Objection>) {
        let key = key(&message.topic);
        self.stamp += 1;
        let kept = Kept { message, qos, expires, stamp: self.stamp, origin };
        if origin == Origin::Client && !self.has_room(&key, &kept) {
            let why = "the store of retained messages is full";
            return (self.remove(&key), Err(Objection::new(ReasonCode::QuotaExceeded, why)));
        }
        self.bytes = self.bytes.saturating_add(kept.weight());
        if let Some(expires) = expires {
            self.expiries.insert((expires, kept.stamp), key.clone());
        }
        let was = self.by_topic.insert(key, kept).map(|old| self.removed(&old));
        (was, Ok(()))
    }

    /// Removes the message of a topic ([MQTT-3.3.1-6]); whose it was.
    pub(super) fn clear(&mut self, topic: &TopicName) -> Option<Origin> {
        self.remove(&key(topic))
    }

    /// What clients retained, for comparison.
    #[cfg(test)]
    pub(super) fn of_clients(&self) -> Vec<(&Message, QoS)> {
        let kept = self.by_topic.values().filter(|kept| kept.origin == Origin::Client);
        kept.map(|kept| (&kept.message, kept.qos)).collect()
    }

    /// Removes what has expired; returns the topics of what was a client's.
    pub(super) fn expire(&mut self, now: Tick) -> Vec<TopicName> {
        let mut expired = Vec::new();
        while self.deadline().is_some_and(|at| at <= now) {
            let Some((_, key)) = self.expiries.pop_first() else { break };
            let Some(kept) = self.by_topic.get(&key) else { continue };
            if kept.origin == Origin::Client {
                expired.push(kept.message.topic.clone());
            }
            self.remove(&key);
        }
        expired
    }

    /// Those of earlier lives are older by so much than was known.
    pub(super) fn age(&mut self, by: Duration) {
        let expiries = std::mem::take(&mut self.expiries);
        for ((at, stamp), key) in expiries {
            let Some(kept) = self.by_topic.get_mut(&key) else { continue };
            let at = if stamp <= self.restored { at.before(by) } else { at };
            kept.expires = Some(at);
            self.expiries.insert((at, stamp), key);
        }
    }

    /// What is there now comes from an earlier life.
    pub(super) fn restored(&mut self) {
        self.restored = self.stamp;
    }

    /// When the next one expires.
    pub(super) fn deadline(&self) -> Option<Tick> {
        self.expiries.first_key_value().map(|(&(at, _), _)| at)
    }

    /// Goes on with a search, with at most `seeks` looks into the store.
    pub(super) fn step(&self, search: &mut Search, now: Tick, seeks: &mut usize) -> Step<'_> {
        while *seeks > 0 {
            *seeks -= 1;
            let from = (Included(search.from.as_str()), Unbounded);
            let Some((key, kept)) = self.by_topic.range::<str, _>(from).next() else {
                return Step::End;
            };
            match compare(&search.filter, key) {
                Place::Match => {
                    search.from = format!("{key}{SEPARATOR}");
                    let is_alive = kept.expires.is_none_or(|expires| expires > now);
                    if is_alive && kept.stamp <= search.until {
                        return Step::Found(kept);
                    }
                }
                Place::Before(next) => search.from = next,
                Place::After => return Step::End,
            }
        }
        Step::Pause
    }

    /// Asserts that its parts agree.
    pub(super) fn check_invariants(&self) {
        let bytes: usize = self.by_topic.values().map(Kept::weight).sum();
        assert_eq!(self.bytes, bytes, "the retained bytes are counted");
        let expiring = self.by_topic.values().filter(|kept| kept.expires.is_some()).count();
        assert_eq!(self.expiries.len(), expiring, "each expiry is of a message");
        for (&(at, stamp), key) in &self.expiries {
            let kept = self.by_topic.get(key).map(|kept| (kept.expires, kept.stamp));
            assert_eq!(kept, Some((Some(at), stamp)), "an expiry is of the message that is there");
        }
    }

    fn remove(&mut self, key: &str) -> Option<Origin> {
        let kept = self.by_topic.remove(key)?;
        Some(self.removed(&kept))
    }

    /// Whose it was.
    fn removed(&mut self, kept: &Kept) -> Origin {
        self.bytes = self.bytes.saturating_sub(kept.weight());
        if let Some(expires) = kept.expires {
            self.expiries.remove(&(expires, kept.stamp));
        }
        kept.origin
    }

    /// Whether a message fits in the place of the one that is there.
    fn has_room(&self, key: &str, kept: &Kept) -> bool {
        let freed = self.by_topic.get(key).map_or(0, Kept::weight);
        self.bytes.saturating_sub(freed).saturating_add(kept.weight()) <= self.bytes_max
    }
}

fn key(topic: &TopicName) -> Box<str> {
    topic.as_str().replace('/', "\0").into_boxed_str()
}

/// Where a key stands among the matches of a filter.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    Match,
    /// No key from it up to this one matches.
    Before(String),
    /// No further key matches.
    After,
}

fn compare(filter: &str, key: &str) -> Place {
    if key.starts_with('$') && filter.starts_with(['+', '#']) {
        return Place::Before(AFTER_DOLLAR.to_owned()); // [MQTT-4.7.2-1]
    }
    let mut levels = key.split(SEPARATOR);
    let mut before = ""; // the key up to the level at hand, with the separator
    let mut above = None; // the key up to the last level that a `+` stands for
    for wanted in filter.split('/') {
        if wanted == "#" {
            return Place::Match; // also for the level above (4.7.1.2)
        }
        let Some(level) = levels.next() else {
            let first = if wanted == "+" { "" } else { wanted };
            return Place::Before(format!("{key}{SEPARATOR}{first}"));
        };
        let end = before.len() + level.len();
        if wanted == "+" {
            above = key.get(..end);
        } else if level < wanted {
            return Place::Before(format!("{before}{wanted}"));
        } else if level > wanted {
            return past(above);
        }
        before = key.get(..=end).unwrap_or(key);
    }
    if levels.next().is_some() { past(above) } else { Place::Match }
}

/// Past all keys below the one that the last `+` stood for.
fn past(above: Option<&str>) -> Place {
    above.map_or(Place::After, |key| Place::Before(format!("{key}{AFTER_SEPARATOR}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(filter: &str, key: &str, expected: &Place) {
        assert_eq!(&compare(filter, &key.replace('/', "\0")), expected, "{filter} and {key}");
    }

    fn before(key: &str) -> Place {
        Place::Before(key.replace('/', "\0"))
    }

    #[test]
    fn a_search_jumps_over_what_cannot_match() {
        check("a/b", "a/b", &Place::Match);
        check("a/#", "a", &Place::Match);
        check("a/#", "a/b/c", &Place::Match);
        check("a/+/c", "a/b/c", &Place::Match);
        check("a/b", "a", &before("a/b"));
        check("a/+/c", "a", &before("a/"));
        check("a/+/c", "a/b", &before("a/b/c"));
        check("a/+/c", "a/b/a/x", &before("a/b/c"));
        check("a/+/c", "a/b/d", &before("a/b\u{1}"));
        check("a/+/c", "a/b/c/d", &before("a/b\u{1}"));
        check("+/b/c", "a/c", &before("a\u{1}"));
        check("a/b", "a/b/c", &Place::After);
        check("a/+", "b", &Place::After);
        check("+/x", "$SYS/x", &before("%"));
        check("$SYS/+", "$SYS/x", &Place::Match);
    }
}
