//! What was lost, and what may have taken it: held against the broker's own counters.

use super::super::super::super::Traffic;

/// Copies that were due and did not come.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Only a bound, or the end of a connection at QoS 0, can have taken them.
    pub(super) dropped: u64,
    /// Of those, what bounds took.
    pub(super) by_bounds: u64,
    /// They had expired, or were too large for their client; or they were dropped before.
    pub(super) expired: u64,
    pub(super) too_large: u64,
    /// Any of these, each for sure.
    pub(super) mixed: u64,
    /// They may have been dropped before their session, or all who could have them, had gone.
    pub(super) vague: u64,
    /// Refused by rights or bounds.
    pub(super) denied: u64,
    /// What the broker's events told of full queues.
    pub(super) told: u64,
}

impl Ledger {
    /// The broker's account must agree with ours.
    pub(super) fn check(&self, traffic: &Traffic, exact: bool) {
        let lost = traffic.messages_dropped + traffic.messages_expired + traffic.messages_too_large;
        let certain = self.dropped + self.expired + self.too_large + self.mixed;
        let vague = self.mixed + self.vague;
        let range = certain..=certain + self.vague;
        assert!(range.contains(&lost), "losses are counted: {lost} of {range:?}, {self:?}");
        assert!(traffic.messages_dropped >= self.dropped, "{traffic:?} {self:?}");
        assert!(traffic.messages_expired <= self.expired + vague, "{traffic:?} {self:?}");
        assert!(traffic.messages_too_large <= self.too_large + vague, "{traffic:?} {self:?}");
        assert!(self.told <= traffic.messages_dropped, "{traffic:?} {self:?}");
        assert_eq!(traffic.denied, self.denied, "refusals are counted");
        if exact {
            assert_eq!(traffic.messages_dropped, self.dropped, "drops are counted");
            assert_eq!(self.told, self.by_bounds, "drops are told");
        }
    }
}
