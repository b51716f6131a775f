//! What is wrong with a packet.

use std::fmt;

use crate::mqtt::{ReasonCode, TopicError};

/// What is wrong with a packet. After one, the stream is of no more use: where the next packet
/// begins is unknown, or its sender cannot be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// What a 5.0 peer is told: malformed packet, protocol error, packet too large …
    pub reason: ReasonCode,
    /// What people are told: a constant phrase with its clause.
    pub detail: &'static str,
}

impl DecodeError {
    pub(super) const TRUNCATED: Self =
        Self::malformed("a field is longer than its packet (MQTT 5.0 section 4.13)");

    pub(super) const fn new(reason: ReasonCode, detail: &'static str) -> Self {
        Self { reason, detail }
    }

    /// The packet cannot be parsed.
    pub(super) const fn malformed(detail: &'static str) -> Self {
        Self::new(ReasonCode::MalformedPacket, detail)
    }

    /// The packet can be parsed, but says what it may not say.
    pub(super) const fn protocol(detail: &'static str) -> Self {
        Self::new(ReasonCode::ProtocolError, detail)
    }

    /// Of the topic of a PUBLISH or a will.
    pub(super) const fn topic_name(error: TopicError) -> Self {
        match error {
            TopicError::TooManyLevels => {
                Self::new(ReasonCode::TopicNameInvalid, "topic name has too many levels: our limit")
            }
            other => Self::malformed(topic_detail(other)),
        }
    }

    /// Of a SUBSCRIBE or an UNSUBSCRIBE.
    pub(super) const fn topic_filter(error: TopicError) -> Self {
        match error {
            TopicError::TooManyLevels => Self::new(
                ReasonCode::TopicFilterInvalid,
                "topic filter has too many levels: our limit",
            ),
            other => Self::malformed(topic_detail(other)),
        }
    }
}

const fn topic_detail(error: TopicError) -> &'static str {
    match error {
        TopicError::Empty => "empty topic [MQTT-4.7.3-1]",
        TopicError::TooLong => "topic longer than 65,535 bytes [MQTT-4.7.3-3]",
        TopicError::Nul => "topic contains U+0000 [MQTT-4.7.3-2]",
        TopicError::WildcardInName => "topic name contains a wildcard [MQTT-3.3.2-2]",
        TopicError::WildcardInsideLevel => "wildcard is not a whole level [MQTT-4.7.1-1, -2]",
        TopicError::LevelAfterMultiLevelWildcard => "`#` is not the last level [MQTT-4.7.1-1]",
        TopicError::TooManyLevels => "topic has too many levels: our limit",
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.detail)
    }
}

impl std::error::Error for DecodeError {}
