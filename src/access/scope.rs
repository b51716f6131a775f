//! What a subscriber may: rooms first, topic filters for the rest.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::mqtt::{TopicError, TopicFilter, TopicName};

/// Stands for every room.
pub const ALL_ROOMS: &str = "*";

/// What a subscriber may. Nothing that is not named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scope {
    /// Slugs of the rooms it reads; [`ALL_ROOMS`]: of all.
    pub rooms: Vec<String>,
    /// Whether it publishes to its rooms, too: a device with a probe of its own.
    #[serde(skip_serializing_if = "is_false")]
    pub write: bool,
    /// Whether it reads what the gateway tells of itself: `$SYS`, `_gateway/event` and the rest.
    #[serde(skip_serializing_if = "is_false")]
    pub admin: bool,
    /// Further topic filters that it reads.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub read: Vec<Pattern>,
    /// Further topic filters that it publishes to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub publish: Vec<Pattern>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// A topic filter in which a level `%u` stands for the user's name and a level `%c` for its client
/// identifier. They never act as wildcards: a name that has `+`, `#` or `/` in it fits nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(String);

/// Why a text is no [`Pattern`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatternError {
    /// It is no topic filter.
    Filter(TopicError),
    /// `%u` or `%c` is a part of a level only.
    Part(String),
}

/// One thing that a client may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// All rooms below the root, which are all its levels but those that begin with `_`.
    Rooms(TopicFilter),
    Filter(TopicFilter),
}

impl Pattern {
    /// Checks a pattern.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let is_part = |level: &&str| {
            (level.contains("%u") || level.contains("%c")) && !["%u", "%c"].contains(level)
        };
        if let Some(level) = text.split('/').find(is_part) {
            return Err(PatternError::Part(level.to_owned()));
        }
        TopicFilter::new(text.to_owned()).map_err(PatternError::Filter)?;
        Ok(Self(text.to_owned()))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The filter for one client, if its names may stand in one.
    pub fn of(&self, user: &str, client_id: &str) -> Option<TopicFilter> {
        let level = |level| match level {
            "%u" => literal(user),
            "%c" => literal(client_id),
            other => Some(other),
        };
        let levels: Option<Vec<&str>> = self.0.split('/').map(level).collect();
        TopicFilter::new(levels?.join("/")).ok()
    }
}

/// The name, if it can only mean itself.
fn literal(name: &str) -> Option<&str> {
    (!name.is_empty() && !name.contains(['+', '#', '/', '\0'])).then_some(name)
}

impl Scope {
    /// What it lets a client read and write.
    pub(super) fn rules(&self, root: &str, user: &str, client_id: &str) -> (Vec<Rule>, Vec<Rule>) {
        let rooms: Vec<Rule> =
            self.rooms.iter().filter_map(|room| Rule::room(root, room)).collect();
        let of = |patterns: &[Pattern]| -> Vec<Rule> {
            let filters = patterns.iter().filter_map(|pattern| pattern.of(user, client_id));
            filters.map(Rule::Filter).collect()
        };
        let mut reads = rooms.clone();
        // Whether the gateway is there concerns everyone who reads a room.
        reads.extend(Rule::filter(format!("{root}/_gateway/state")));
        if self.admin {
            reads.extend(Rule::filter(format!("{root}/_gateway/#")));
            reads.extend(Rule::filter("$SYS/#".to_owned()));
        }
        reads.extend(of(&self.read));
        let mut writes = if self.write { rooms } else { Vec::new() };
        writes.extend(of(&self.publish));
        (reads, writes)
    }
}

impl Rule {
    fn room(root: &str, slug: &str) -> Option<Self> {
        if slug == ALL_ROOMS {
            return TopicFilter::new(format!("{root}/+/#")).ok().map(Self::Rooms);
        }
        literal(slug).and_then(|slug| Self::filter(format!("{root}/{slug}/#")))
    }

    fn filter(text: String) -> Option<Self> {
        TopicFilter::new(text).ok().map(Self::Filter)
    }

    pub(super) fn matches(&self, topic: &TopicName) -> bool {
        match self {
            Self::Filter(filter) => filter.matches(topic),
            Self::Rooms(filter) => filter.matches(topic) && !names_gateway(filter, topic.levels()),
        }
    }

    /// Whether a subscription to `wanted` can bring anything that this lets through.
    pub(super) fn overlaps(&self, wanted: &TopicFilter) -> bool {
        match self {
            Self::Filter(filter) => filter.overlaps(wanted),
            Self::Rooms(filter) => {
                filter.overlaps(wanted) && !names_gateway(filter, wanted.levels())
            }
        }
    }
}

/// Whether the level of the room is one that is reserved.
fn names_gateway<'a>(rooms: &TopicFilter, mut levels: impl Iterator<Item = &'a str>) -> bool {
    let above = rooms.levels().count() - "+/#".split('/').count();
    levels.nth(above).is_some_and(|room| room.starts_with('_'))
}

impl TryFrom<String> for Pattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, PatternError> {
        Self::parse(&text)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.0
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Filter(filter) => write!(formatter, "`{filter}`"),
            Self::Rooms(filter) => write!(formatter, "every room (`{filter}`)"),
        }
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Filter(error) => error.fmt(formatter),
            Self::Part(level) => write!(
                formatter,
                "`%u` and `%c` stand for a whole level of a topic, not for a part of `{level}`"
            ),
        }
    }
}

impl std::error::Error for PatternError {}

#[cfg(test)]
mod tests;
