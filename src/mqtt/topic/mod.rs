//! Topic names, topic filters and how they match (section 4.7).

use std::borrow::Borrow;
use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;

use super::compact::together;
use crate::limits::{TOPIC_BYTES_MAX, TOPIC_LEVELS_MAX};

#[cfg(test)]
mod tests;

/// What a topic filter of a shared subscription begins with (4.8.2).
const SHARED_PREFIX: &str = "$share/";

/// Where a message is published: UTF-8 without wildcards and NUL, 1 to 65,535 bytes, at most
/// [`TOPIC_LEVELS_MAX`] levels. A clone shares its bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(ByteString);

/// What is subscribed to: as a topic name, but a whole level may be `+` and the last one `#`.
/// A clone shares its bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicFilter(ByteString);

/// Why a text is no topic name or filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TopicError {
    /// Empty ([MQTT-4.7.3-1]).
    Empty,
    /// More than 65,535 bytes ([MQTT-4.7.3-3]).
    TooLong,
    /// Contains U+0000 ([MQTT-4.7.3-2]).
    Nul,
    /// A topic name contains `+` or `#` ([MQTT-4.7.0-1]).
    WildcardInName,
    /// A filter has `+` or `#` beside other characters of a level ([MQTT-4.7.1-1], -2).
    WildcardInsideLevel,
    /// A filter has levels after `#` ([MQTT-4.7.1-1]).
    LevelAfterMultiLevelWildcard,
    /// More than [`TOPIC_LEVELS_MAX`] levels: our own limit.
    TooManyLevels,
}

impl TopicName {
    /// Parses a topic name; a `ByteString` is taken over without a copy.
    pub fn new(text: impl Into<ByteString>) -> Result<Self, TopicError> {
        let text = text.into();
        check_length(&text)?;
        check_name_bytes(text.as_bytes())?;
        let name = Self(text);
        if name.is_deeper_than(TOPIC_LEVELS_MAX) {
            return Err(TopicError::TooManyLevels);
        }
        Ok(name)
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is between the slashes: one level at least, any of which may be empty (4.7.1.1).
    pub fn levels(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.split('/')
    }

    /// Whether it has more levels than that.
    pub fn is_deeper_than(&self, levels: usize) -> bool {
        let text = self.as_str().as_bytes();
        // Most names are too short for that many.
        let slashes = || text.iter().map(|byte| usize::from(*byte == b'/')).sum::<usize>();
        text.len() >= levels && slashes() >= levels
    }

    /// The same name in memory of its own. A decoded name is a slice of the receive buffer and
    /// keeps all of that alive: whoever stores one stores this.
    #[must_use]
    pub fn compact(&self) -> Self {
        Self(ByteString::from(self.as_str()))
    }

    /// The same with a payload behind it: one piece of memory for both, as they live together.
    pub(super) fn compact_with(&self, payload: &[u8]) -> (Self, Bytes) {
        let mut both = together(self.as_str().as_bytes(), payload);
        let topic = ByteString::try_from(both.split_to(self.0.len()));
        (Self(topic.expect("it is text here, too")), both)
    }
}

impl TopicFilter {
    /// Parses a topic filter; a `ByteString` is taken over without a copy.
    pub fn new(text: impl Into<ByteString>) -> Result<Self, TopicError> {
        let text = text.into();
        check_length(&text)?;
        let mut levels = 0_usize;
        let mut ended = false;
        for level in text.split('/') {
            if ended {
                return Err(TopicError::LevelAfterMultiLevelWildcard);
            }
            check_filter_level(level)?;
            ended = level == "#";
            levels = levels.saturating_add(1);
        }
        check_levels(levels)?;
        Ok(Self(text))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is between the slashes, wildcards included; those of `$share/…` too.
    pub fn levels(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.split('/')
    }

    /// Whether a message to `topic` is for this filter. The text is taken as it stands: of a shared
    /// subscription, ask the filter that [`TopicFilter::shared`] gives.
    pub fn matches(&self, topic: &TopicName) -> bool {
        // [MQTT-4.7.2-1]: wildcards at the front do not reach `$SYS` and its like.
        if topic.0.starts_with('$') && self.0.starts_with(['+', '#']) {
            return false;
        }
        let (mut filter, mut name) = (self.as_str().as_bytes(), topic.as_str().as_bytes());
        loop {
            (filter, name) = match (filter, name) {
                // `#` also matches its parent level, when no name is left (4.7.1.2).
                ([b'#'], _) | ([b'/', b'#'] | [], []) => return true,
                ([b'+', filter @ ..], name) => (filter, after_level(name)),
                ([one, filter @ ..], [other, name @ ..]) if one == other => (filter, name),
                _ => return false,
            };
        }
    }

    /// Whether every message that is for `other` is for this filter too.
    pub fn covers(&self, other: &Self) -> bool {
        if other.0.starts_with('$') && self.0.starts_with(['+', '#']) {
            return false;
        }
        let mut others = other.levels();
        for level in self.levels() {
            match (level, others.next()) {
                ("#", _) => return true,
                ("+", Some(of_other)) if of_other != "#" => {}
                (level, Some(of_other)) if level == of_other => {}
                (_, Some(_) | None) => return false,
            }
        }
        others.next().is_none()
    }

    /// Whether there are messages that are for both.
    pub fn overlaps(&self, other: &Self) -> bool {
        let is_wild = |filter: &Self| filter.0.starts_with(['+', '#']);
        if (self.0.starts_with('$') && is_wild(other))
            || (other.0.starts_with('$') && is_wild(self))
        {
            return false;
        }
        let (mut levels, mut others) = (self.levels(), other.levels());
        loop {
            match (levels.next(), others.next()) {
                // Also matches its parent level (4.7.1.2).
                (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
                (Some("+"), Some(_)) | (Some(_), Some("+")) => {}
                (Some(level), Some(of_other)) if level == of_other => {}
                (Some(_) | None, Some(_) | None) => return false,
            }
        }
    }

    /// Group and filter text of a shared subscription, `$share/{group}/{filter}` (5.0, 4.8.2).
    /// `None` for ordinary filters, and where group or filter are missing or the group has
    /// wildcards ([MQTT-4.8.2-1], -2). The filter text is itself a valid topic filter.
    pub fn shared(&self) -> Option<(&str, &str)> {
        let (group, filter) = self.0.strip_prefix(SHARED_PREFIX)?.split_once('/')?;
        let complete = !group.is_empty() && !filter.is_empty();
        (complete && !group.contains(['+', '#'])).then_some((group, filter))
    }

    /// Whether this asks for a shared subscription, well formed or not: see
    /// [`TopicFilter::shared`].
    pub fn claims_shared(&self) -> bool {
        self.0.starts_with(SHARED_PREFIX)
    }

    /// The same filter in memory of its own, for whoever stores it: see [`TopicName::compact`].
    #[must_use]
    pub fn compact(&self) -> Self {
        Self(ByteString::from(self.as_str()))
    }
}

/// Each message passes here: eight bytes are looked at together.
fn check_name_bytes(bytes: &[u8]) -> Result<(), TopicError> {
    let wrong = |byte: u8| u8::from(byte == 0) | u8::from(byte == b'+') | u8::from(byte == b'#');
    let (eights, rest) = bytes.as_chunks::<8>();
    let any_wrong = |eight: &[u8; 8]| eight.iter().fold(0, |any, byte| any | wrong(*byte)) != 0;
    if !eights.iter().any(any_wrong) && !rest.iter().any(|byte| wrong(*byte) != 0) {
        return Ok(());
    }
    let first = bytes.iter().find(|byte| wrong(**byte) != 0);
    Err(if first == Some(&0) { TopicError::Nul } else { TopicError::WildcardInName })
}

/// What follows the first level: nothing, or more levels with their `/`.
fn after_level(mut name: &[u8]) -> &[u8] {
    while let [byte, rest @ ..] = name
        && *byte != b'/'
    {
        name = rest;
    }
    name
}

fn check_length(text: &str) -> Result<(), TopicError> {
    match text.len() {
        0 => Err(TopicError::Empty),
        1..=TOPIC_BYTES_MAX => Ok(()),
        _ => Err(TopicError::TooLong),
    }
}

fn check_levels(levels: usize) -> Result<(), TopicError> {
    if levels > TOPIC_LEVELS_MAX { Err(TopicError::TooManyLevels) } else { Ok(()) }
}

fn check_filter_level(level: &str) -> Result<(), TopicError> {
    if level.contains('\0') {
        return Err(TopicError::Nul);
    }
    if level.len() > 1 && level.contains(['+', '#']) {
        return Err(TopicError::WildcardInsideLevel);
    }
    Ok(())
}

impl fmt::Display for TopicName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for TopicFilter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// So that a map by topic name can be asked by text.
impl Borrow<str> for TopicName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// So that a map by topic filter can be asked by text.
impl Borrow<str> for TopicFilter {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => formatter.write_str("empty topic"),
            Self::TooLong => write!(formatter, "topic longer than {TOPIC_BYTES_MAX} bytes"),
            Self::Nul => formatter.write_str("topic contains U+0000"),
            Self::WildcardInName => formatter.write_str("topic name contains `+` or `#`"),
            Self::WildcardInsideLevel => {
                formatter.write_str("`+` and `#` must be a whole level of a topic filter")
            }
            Self::LevelAfterMultiLevelWildcard => {
                formatter.write_str("`#` must be the last level of a topic filter")
            }
            Self::TooManyLevels => {
                write!(formatter, "topic deeper than {TOPIC_LEVELS_MAX} levels")
            }
        }
    }
}

impl std::error::Error for TopicError {}
