//! Topic names, topic filters and how they match (section 4.7).

use bytestring::ByteString;

/// Where a message is published: UTF-8 without wildcards and NUL, 1 to 65,535 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TopicName(ByteString);

/// What is subscribed to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TopicFilter(ByteString);

/// Why a text is no topic name or filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TopicError {
    /// Empty ([MQTT-4.7.3-1]).
    Empty,
}

impl TopicName {
    /// Parses a topic name.
    pub fn new(text: impl Into<ByteString>) -> Result<Self, TopicError> {
        Ok(Self(text.into()))
    }
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl TopicFilter {
    /// Parses a topic filter.
    pub fn new(text: impl Into<ByteString>) -> Result<Self, TopicError> {
        Ok(Self(text.into()))
    }
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Whether a message to `topic` is for this filter.
    pub fn matches(&self, _topic: &TopicName) -> bool {
        todo!()
    }
}
