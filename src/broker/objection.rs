//! What a peer is told when it may not do something, or did what nobody may.

use super::record::Trouble;
use crate::access::Denied;
use crate::mqtt::ReasonCode;

/// Why not: a reason code for a 5.0 peer, and a constant phrase for it and for people. Quotes the
/// clause or the rule that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Objection {
    pub(super) reason: ReasonCode,
    pub(super) why: &'static str,
    /// Whether it is the store's trouble, which passes, and not the peer's.
    pub(super) is_of_the_store: bool,
}

impl Objection {
    pub(super) const fn new(reason: ReasonCode, why: &'static str) -> Self {
        Self { reason, why, is_of_the_store: false }
    }

    /// What was to be kept cannot be (MQTT 5.0 section 4.13.2 leaves the reason to us).
    pub(super) const fn unkept(trouble: Trouble) -> Self {
        let (reason, why) = (ReasonCode::QuotaExceeded, trouble.why());
        Self { reason, why, is_of_the_store: true }
    }

    /// The peer broke the protocol ([MQTT-4.13.1-1]).
    pub(super) const fn violation(why: &'static str) -> Self {
        Self::new(ReasonCode::ProtocolError, why)
    }
}

impl From<Denied> for Objection {
    fn from(denied: Denied) -> Self {
        Self::new(ReasonCode::NotAuthorized, denied.0)
    }
}
