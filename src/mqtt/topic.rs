//! Topic names, topic filters and how they match (section 4.7).

use std::borrow::Borrow;
use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;

use crate::limits::{TOPIC_BYTES_MAX, TOPIC_LEVELS_MAX};

/// Where a message is published: UTF-8 in any language, without wildcards and NUL, 1 to 65,535 bytes
/// and [`TOPIC_LEVELS_MAX`] levels at most.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicName(ByteString);

/// What is subscribed to: as a topic name, and `+` for any one level, `#` as last for all below.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicFilter(ByteString);

/// Why a text is no topic name or filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TopicError {
    /// Empty [MQTT-4.7.3-1].
    Empty,
    /// Longer than a string of MQTT can be [MQTT-4.7.3-3].
    TooLong,
    /// Deeper than [`TOPIC_LEVELS_MAX`].
    TooDeep,
    /// Holds U+0000 [MQTT-4.7.3-2].
    Nul,
    /// A wildcard in a topic name [MQTT-3.3.2-2].
    WildcardInName,
    /// A wildcard that is no whole level, or `#` that is not the last [MQTT-4.7.1-2].
    MisplacedWildcard,
}

impl fmt::Display for TopicError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.detail())
    }
}

impl TopicError {
    /// What people are told, with its clause.
    pub const fn detail(self) -> &'static str {
        match self {
            Self::Empty => "empty topic [MQTT-4.7.3-1]",
            Self::TooLong => "topic longer than 65,535 bytes [MQTT-4.7.3-3]",
            Self::TooDeep => "topic with too many levels",
            Self::Nul => "U+0000 in a topic [MQTT-4.7.3-2]",
            Self::WildcardInName => "wildcard in a topic name [MQTT-3.3.2-2]",
            Self::MisplacedWildcard => "misplaced wildcard in a topic filter [MQTT-4.7.1-2]",
        }
    }
}

impl TopicName {
    /// Parses a topic name.
    pub fn new(text: impl Into<ByteString>) -> Result<Self, TopicError> {
        let text = text.into();
        check_text(&text)?;
        if text.bytes().any(|byte| matches!(byte, b'+' | b'#')) {
            return Err(TopicError::WildcardInName);
        }
        Ok(Self(text))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its levels, in order; one at least.
    pub fn levels(&self) -> std::str::Split<'_, char> {
        self.0.split('/')
    }

    /// A copy that shares no memory with the packet it came in.
    #[must_use]
    pub fn compact(&self) -> Self {
        Self(ByteString::from(self.as_str()))
    }
}

/// Names are ordered as their text is.
impl Borrow<str> for TopicName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TopicFilter {
    /// Parses a topic filter.
    pub fn new(text: impl Into<ByteString>) -> Result<Self, TopicError> {
        let text = text.into();
        check_text(&text)?;
        let mut levels = text.split('/').peekable();
        while let Some(level) = levels.next() {
            let is_wildcard = match level {
                "#" => levels.peek().is_none(),
                "+" => true,
                other => !other.contains(['+', '#']),
            };
            if !is_wildcard {
                return Err(TopicError::MisplacedWildcard);
            }
        }
        Ok(Self(text))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its levels, in order; one at least.
    pub fn levels(&self) -> std::str::Split<'_, char> {
        self.0.split('/')
    }

    /// A copy that shares no memory with the packet it came in.
    #[must_use]
    pub fn compact(&self) -> Self {
        Self(ByteString::from(self.as_str()))
    }

    /// Whether a message to `topic` is for this filter.
    pub fn matches(&self, topic: &TopicName) -> bool {
        if topic.as_str().starts_with('$') && self.as_str().starts_with(['+', '#']) {
            return false; // [MQTT-4.7.2-1]
        }
        let mut names = topic.levels();
        for level in self.levels() {
            match (level, names.next()) {
                ("#", _) => return true,
                ("+", Some(_)) => {}
                (level, Some(name)) if level == name => {}
                _ => return false,
            }
        }
        names.next().is_none()
    }
}

/// A copy of `payload` that shares no memory with the packet it came in, if that packet is much
/// larger than what is kept.
pub(super) fn compact_bytes(payload: &Bytes) -> Bytes {
    const WORTH_SHARING: usize = 16 * 1024;
    if payload.len() >= WORTH_SHARING { payload.clone() } else { Bytes::copy_from_slice(payload) }
}

fn check_text(text: &str) -> Result<(), TopicError> {
    if text.is_empty() {
        return Err(TopicError::Empty);
    }
    if text.len() > TOPIC_BYTES_MAX {
        return Err(TopicError::TooLong);
    }
    let (mut levels, mut has_nul) = (1_usize, false);
    for byte in text.bytes() {
        levels += usize::from(byte == b'/');
        has_nul |= byte == 0;
    }
    if has_nul {
        return Err(TopicError::Nul);
    }
    if levels > TOPIC_LEVELS_MAX { Err(TopicError::TooDeep) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check_filter(text: &str, expected: Result<(), TopicError>) {
        assert_eq!(TopicFilter::new(text).map(|_| ()), expected, "{text}");
    }

    #[track_caller]
    fn check_match(filter: &str, topic: &str, expected: bool) {
        let (filter, topic) = (TopicFilter::new(filter).unwrap(), TopicName::new(topic).unwrap());
        assert_eq!(filter.matches(&topic), expected, "{filter:?} {topic:?}");
    }

    #[test]
    fn wildcards_are_whole_levels() {
        for good in ["#", "+", "a/+/b", "+/+", "/", "a//b", "étage/#", "+/a/#", "$SYS/#"] {
            check_filter(good, Ok(()));
        }
        for bad in ["a#", "#/a", "a+", "+a/b", "a/#/b", "##", "a/b#"] {
            check_filter(bad, Err(TopicError::MisplacedWildcard));
        }
        check_filter("", Err(TopicError::Empty));
        check_filter("a\0b", Err(TopicError::Nul));
        check_filter(&"a/".repeat(TOPIC_LEVELS_MAX), Err(TopicError::TooDeep));
        check_filter(&"a".repeat(65_536), Err(TopicError::TooLong));
        assert_eq!(TopicName::new("a/+"), Err(TopicError::WildcardInName));
    }

    /// [MQTT-4.7.1-2], [MQTT-4.7.1-3], [MQTT-4.7.2-1]
    #[test]
    fn filters_match_as_the_standard_says() {
        check_match("sport/tennis/player1/#", "sport/tennis/player1", true);
        check_match("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true);
        check_match("sport/#", "sport", true);
        check_match("sport/tennis/+", "sport/tennis/player1/ranking", false);
        check_match("sport/+", "sport", false);
        check_match("sport/+", "sport/", true);
        check_match("+/+", "/finance", true);
        check_match("/+", "/finance", true);
        check_match("+", "/finance", false);
        check_match("#", "$SYS/uptime", false);
        check_match("+/uptime", "$SYS/uptime", false);
        check_match("$SYS/#", "$SYS/uptime", true);
        check_match("étage/+", "étage/chambre d'été", true);
    }

    proptest! {
        #[test]
        fn matching_agrees_with_a_naive_matcher(
            filter in "(\\+|a|b|\\$c|)(/(\\+|a|b|)){0,3}(/#)?",
            topic in "(a|b|\\$c|)(/(a|b|)){0,4}",
        ) {
            let (Ok(filter), Ok(topic)) = (TopicFilter::new(filter), TopicName::new(topic)) else {
                return Ok(());
            };
            let filter_levels: Vec<&str> = filter.levels().collect();
            let names: Vec<&str> = topic.levels().collect();
            prop_assert_eq!(filter.matches(&topic), naive(&filter_levels, &names, true));
        }
    }

    fn naive(filter: &[&str], topic: &[&str], first: bool) -> bool {
        match (filter, topic) {
            (["#"], names) => !(first && names[0].starts_with('$')),
            ([], []) => true,
            (["+", rest @ ..], [name, names @ ..]) => {
                !(first && name.starts_with('$')) && naive(rest, names, false)
            }
            ([level, rest @ ..], [name, names @ ..]) => level == name && naive(rest, names, false),
            _ => false,
        }
    }
}
