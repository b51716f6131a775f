//! What a change is of.

use std::sync::Arc;

use crate::broker::record::{Change, Place, SessionId};
use crate::mqtt::{PacketId, TopicName};

/// A session, or something that belongs to it, or a retained message. What belongs to one session
/// is side by side, itself first. Numbers come before names: most are told apart without text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::broker) struct Thing {
    session: SessionId,
    kind: Kind,
    number: u64,
    name: Option<Box<Name>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Session,
    Queued,
    Received,
    Released,
    Subscription,
    Retained,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Filter(Arc<str>),
    Topic(TopicName),
}

impl Thing {
    pub(in crate::broker) fn session(session: SessionId) -> Self {
        Self { session, kind: Kind::Session, number: 0, name: None }
    }

    /// A message for its client.
    pub(in crate::broker) fn queued(session: SessionId, place: Place) -> Self {
        Self { session, kind: Kind::Queued, number: place.0, name: None }
    }

    /// The identifier of a QoS 2 message from its client.
    pub(in crate::broker) fn received(session: SessionId, packet_id: PacketId) -> Self {
        Self { session, kind: Kind::Received, number: packet_id.get().into(), name: None }
    }

    /// The identifier of a QoS 2 message for its client.
    pub(in crate::broker) fn released(session: SessionId, packet_id: PacketId) -> Self {
        Self { session, kind: Kind::Released, number: packet_id.get().into(), name: None }
    }

    pub(in crate::broker) fn subscription(session: SessionId, filter: Arc<str>) -> Self {
        let name = Some(Name::Filter(filter).into());
        Self { session, kind: Kind::Subscription, number: 0, name }
    }

    fn retained(topic: TopicName) -> Self {
        let (session, name) = (SessionId(u64::MAX), Some(Name::Topic(topic).into()));
        Self { session, kind: Kind::Retained, number: 0, name }
    }

    /// Whether it is a session itself.
    pub(super) fn is_session(&self) -> bool {
        self.kind == Kind::Session
    }

    /// Whose message it is, and where that stands, if it is one.
    pub(super) fn place(&self) -> Option<(SessionId, Place)> {
        (self.kind == Kind::Queued).then_some((self.session, Place(self.number)))
    }
}

impl Change {
    /// Of which thing it is.
    pub(in crate::broker) fn thing(&self) -> Thing {
        match self {
            Self::Session(record) => Thing::session(record.id),
            Self::SessionEnd(session) => Thing::session(*session),
            Self::Subscription { session, filter, .. }
            | Self::SubscriptionEnd { session, filter } => {
                Thing::subscription(*session, Arc::clone(filter))
            }
            Self::Received { session, packet_id } | Self::ReceivedEnd { session, packet_id } => {
                Thing::received(*session, *packet_id)
            }
            Self::Queued { session, place, .. } | Self::QueuedEnd { session, place } => {
                Thing::queued(*session, *place)
            }
            Self::Released { session, packet_id, .. }
            | Self::ReleasedEnd { session, packet_id } => Thing::released(*session, *packet_id),
            Self::Retained(record) => Thing::retained(record.message.topic.clone()),
            Self::RetainedEnd(topic) => Thing::retained(topic.clone()),
        }
    }

    /// Whether the thing is no more.
    pub(super) fn is_end(&self) -> bool {
        match self {
            Self::SessionEnd(_)
            | Self::SubscriptionEnd { .. }
            | Self::ReceivedEnd { .. }
            | Self::QueuedEnd { .. }
            | Self::ReleasedEnd { .. }
            | Self::RetainedEnd(_) => true,
            Self::Session(_)
            | Self::Subscription { .. }
            | Self::Received { .. }
            | Self::Queued { .. }
            | Self::Released { .. }
            | Self::Retained(_) => false,
        }
    }
}
