//! What a peer is told when it may not do something, or did what nobody may.

use std::borrow::Cow;

use super::record::Trouble;
use crate::access::Denied;
use crate::mqtt::ReasonCode;

/// Why not: a reason code for a 5.0 peer, and a sentence for it and for people. Quotes the clause
/// or the rule that decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Objection {
    pub(super) reason: ReasonCode,
    pub(super) why: Cow<'static, str>,
    /// Whether it is the store's trouble, which passes, and not the peer's.
    pub(super) is_of_the_store: bool,
}

impl Objection {
    pub(super) const fn new(reason: ReasonCode, why: &'static str) -> Self {
        Self { reason, why: Cow::Borrowed(why), is_of_the_store: false }
    }

    /// What was to be kept cannot be (MQTT 5.0 section 4.13.2 leaves the reason to us).
    pub(super) const fn unkept(trouble: Trouble) -> Self {
        let (reason, why) = (ReasonCode::QuotaExceeded, Cow::Borrowed(trouble.why()));
        Self { reason, why, is_of_the_store: true }
    }

    /// The peer broke the protocol ([MQTT-4.13.1-1]).
    pub(super) const fn violation(why: &'static str) -> Self {
        Self::new(ReasonCode::ProtocolError, why)
    }
}

impl From<Denied> for Objection {
    fn from(denied: Denied) -> Self {
        Self { reason: ReasonCode::NotAuthorized, why: denied.0, is_of_the_store: false }
    }
}
