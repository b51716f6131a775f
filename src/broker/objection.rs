//! What a peer is told when it may not do something, or did what nobody may.

use crate::access::Denied;
use crate::mqtt::ReasonCode;

/// Why not: a reason code for a 5.0 peer, and a constant phrase for it and for people. Quotes the
/// clause or the rule that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Objection {
    pub(super) reason: ReasonCode,
    pub(super) why: &'static str,
}

impl Objection {
    pub(super) const fn new(reason: ReasonCode, why: &'static str) -> Self {
        Self { reason, why }
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
