//! What was played and checked, and how often: a run that never comes to something is noticed.

use std::collections::BTreeMap;

/// Something that should occur in every list of seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Sight {
    /// A message was sent to a client, …
    Sent,
    /// … sent again, …
    SentAgain,
    /// … sent to a member of a group, …
    Shared,
    /// … given back to the group by a member that went, …
    HandedOver,
    /// … taken from the retained ones, …
    Stored,
    /// … sent for two subscriptions with identifiers, …
    Overlapping,
    /// … given up by a full queue or with a connection, …
    Dropped,
    /// … expired in a queue, …
    Expired,
    /// … too large for its client, …
    TooLarge,
    /// … not sent to its publisher, who did not want it, …
    NotEchoed,
    /// … not sent to a guest, who may not read it.
    Private,
    /// A publication was refused, …
    Denied,
    /// … for being no text as it said.
    NoText,
    /// A client came back to its session, …
    Restored,
    /// … took over its older connection, …
    TakenOver,
    /// … or came in another version.
    OtherVersion,
    /// A will was spoken at once, …
    Will,
    /// … after its delay, …
    LateWill,
    /// … or not, because its client was back in time.
    NoWill,
    /// A session ended in time, …
    Ended,
    /// … or for want of room.
    Discarded,
    /// A connection was closed for its client's silence, …
    Silent,
    /// … for bytes that are no packet, …
    Malformed,
    /// … for what no client may say, …
    Violation,
    /// … for more QoS 2 messages than the Receive Maximum allows.
    TooMany,
    /// An alias stood for a topic, to the broker …
    AliasToBroker,
    /// … and to a client.
    AliasToClient,
    /// The gateway told of what happened.
    Announced,
}

impl Sight {
    const ALL: &[Self] = &[
        Self::Sent,
        Self::SentAgain,
        Self::Shared,
        Self::HandedOver,
        Self::Stored,
        Self::Overlapping,
        Self::Dropped,
        Self::Expired,
        Self::TooLarge,
        Self::NotEchoed,
        Self::Private,
        Self::Denied,
        Self::NoText,
        Self::Restored,
        Self::TakenOver,
        Self::OtherVersion,
        Self::Will,
        Self::LateWill,
        Self::NoWill,
        Self::Ended,
        Self::Discarded,
        Self::Silent,
        Self::Malformed,
        Self::Violation,
        Self::TooMany,
        Self::AliasToBroker,
        Self::AliasToClient,
        Self::Announced,
    ];
}

/// How often each was seen.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Seen(BTreeMap<Sight, u64>);

impl Seen {
    pub(in super::super) fn note(&mut self, sight: Sight) {
        self.notes(sight, 1);
    }

    pub(in super::super) fn notes(&mut self, sight: Sight, times: u64) {
        if times > 0 {
            *self.0.entry(sight).or_default() += times;
        }
    }

    /// With what another run has seen.
    pub(in super::super) fn and(mut self, more: Self) -> Self {
        more.0.into_iter().for_each(|(sight, times)| self.notes(sight, times));
        self
    }

    /// What was never seen.
    pub(in super::super) fn missing(&self) -> Vec<Sight> {
        Sight::ALL.iter().copied().filter(|sight| !self.0.contains_key(sight)).collect()
    }
}
