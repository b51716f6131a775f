//! What must survive a restart, as the broker tells it to a store and hears it again.
//!
//! ```text
//!   Output::Commit(Batch) ──▶ store, durable as a whole or not at all ──▶ Input::Committed
//!   Output::Page(PageRequest) ──▶ store, which has it ──▶ Input::Paged(Page)
//!   at start: store ──▶ Restored ──▶ Broker::restore
//! ```
//!
//! A batch holds the last state of each thing that changed, so the order within it says nothing.
//! One batch is under way at a time. A [`Tick`] in here is one of this life of the process; a store
//! writes it so that the next life can tell how much of the time is over.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::access::Principal;
use crate::mqtt::{Message, PacketId, QoS, TopicName, Will};
use crate::time::Tick;

/// Names a session in the store. Never used twice in the life of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// The place of a message among those of its session: what is queued later has a higher one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u64);

/// Changes that become durable together.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Its number in this life of the process; answered by [`super::Input::Committed`].
    pub number: u64,
    /// What is new of each thing, once.
    pub changes: Vec<Change>,
}

/// The new state of one thing. An end of what is not there is no error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A session is so from now on; what belongs to it is told apart.
    Session(Box<SessionRecord>),
    /// A session is over, with all that belongs to it.
    SessionEnd(SessionId),
    /// A session has this subscription.
    Subscription {
        /// Whose.
        session: SessionId,
        /// As its client wrote it.
        filter: Arc<str>,
        /// What is wanted of the messages that match.
        subscription: Subscription,
    },
    /// A session no longer has a subscription to this filter.
    SubscriptionEnd {
        /// Whose.
        session: SessionId,
        /// As its client wrote it.
        filter: Arc<str>,
    },
    /// A QoS 2 message came from the client with this identifier, and waits for its PUBREL.
    Received {
        /// Whose.
        session: SessionId,
        /// As the client chose it.
        packet_id: PacketId,
    },
    /// That identifier was released.
    ReceivedEnd {
        /// Whose.
        session: SessionId,
        /// As the client chose it.
        packet_id: PacketId,
    },
    /// A message waits for the client, or for its acknowledgement.
    Queued {
        /// Whose.
        session: SessionId,
        /// Where it stands.
        place: Place,
        /// With which it was sent; it must be sent again with the same ([MQTT-4.4.0-1]).
        packet_id: Option<PacketId>,
        /// What waits.
        message: Arc<Queued>,
    },
    /// A message is done with.
    QueuedEnd {
        /// Whose.
        session: SessionId,
        /// Where it stood.
        place: Place,
    },
    /// The client has received a QoS 2 message: a PUBREL is due until its PUBCOMP comes.
    Released {
        /// Whose.
        session: SessionId,
        /// Of the message.
        packet_id: PacketId,
        /// Those with a lower one are released before ([MQTT-4.6.0-4]).
        order: u64,
    },
    /// Its PUBCOMP came.
    ReleasedEnd {
        /// Whose.
        session: SessionId,
        /// Of the message.
        packet_id: PacketId,
    },
    /// A message is retained, in place of the one of its topic.
    Retained(Box<RetainedRecord>),
    /// Nothing is retained under this topic any more.
    RetainedEnd(TopicName),
}

/// A session, without what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// Its name in the store.
    pub id: SessionId,
    /// Whose it is.
    pub principal: Principal,
    /// Its name among those of its user.
    pub client_id: Arc<str>,
    /// How long it outlives its connection; zero: it is kept for its will alone.
    pub expiry: Duration,
    /// When it ends; `None` while its client is there.
    pub expires: Option<Tick>,
    /// What is said when the client goes without a word.
    pub will: Option<Will>,
    /// When an absent client's will is due.
    pub will_at: Option<Tick>,
}

/// What a session wants of the messages that match a filter (3.8.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Most that is used to deliver them.
    pub qos: QoS,
    /// Its identifier goes with each.
    pub id: Option<NonZeroU32>,
    /// Not those that the session published itself.
    pub no_local: bool,
    /// They keep the retain flag with which they were published.
    pub retain_as_published: bool,
}

/// A message as it is sent: shared by all clients that get it alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// Topic, payload, properties.
    pub message: Message,
    /// At which it is delivered.
    pub qos: QoS,
    /// Whether it comes from the retained messages, or was published so and is wanted so
    /// ([MQTT-3.3.1-12], [MQTT-3.3.1-13]).
    pub retain: bool,
    /// Identifiers of the subscriptions that it matched ([MQTT-3.3.4-3]).
    pub subscription_ids: Vec<u32>,
    /// The shared subscription as one of whose members the client gets it.
    pub share: Option<Share>,
    /// From when on it is not sent any more.
    pub expires: Option<Tick>,
}

/// What another member of a group needs to know of a message, to get it as if it had been the
/// first: its own subscription may ask for more ([MQTT-3.8.4-8]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// `$share/{group}/{filter}`.
    pub group: Arc<str>,
    /// At which it was published.
    pub qos: QoS,
    /// Whether it was published to be retained.
    pub retain: bool,
}

impl Queued {
    /// Bytes that it takes while it waits for one client, in memory or in the store.
    pub fn weight(&self) -> usize {
        size_of::<Self>().saturating_add(self.message.weight())
    }
}

/// A retained message of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetainedRecord {
    /// Topic, payload, properties.
    pub message: Message,
    /// Most a subscriber can get it at.
    pub qos: QoS,
    /// From when on it is not true any more.
    pub expires: Option<Tick>,
}

/// Why a store did not do what was asked. What it had before is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// No room is left.
    Full,
    /// It may only be read.
    ReadOnly,
    /// Anything else; the store's own log line says what.
    Failed,
}

impl Trouble {
    /// For reason strings and events.
    pub const fn why(self) -> &'static str {
        match self {
            Self::Full => "it cannot be kept: the disk is full",
            Self::ReadOnly => "it cannot be kept: the disk is read-only",
            Self::Failed => "it cannot be kept: the disk fails",
        }
    }
}

/// A wish for messages that only the store has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Whose.
    pub session: SessionId,
    /// The first place that is wanted, if it is there, …
    pub from: Place,
    /// … up to this one at most, …
    pub to: Place,
    /// … and so many at most, …
    pub messages_max: usize,
    /// … and no more once these bytes ([`Queued::weight`]) are reached. One message always comes.
    pub bytes_max: usize,
}

/// The answer: in order of place, without those that have a packet identifier. Nothing: there is
/// none from there on.
#[derive(Debug)]
pub struct Page {
    /// Whose.
    pub session: SessionId,
    /// From where on they were wanted.
    pub from: Place,
    /// What is there, and where.
    pub messages: Result<Vec<(Place, Queued)>, Trouble>,
}

/// All that a store has of earlier lives. Ticks are of this life; what ended while the machine was
/// off has one that is over.
#[derive(Debug, Default)]
pub struct Restored {
    /// In any order.
    pub sessions: Vec<RestoredSession>,
    /// In any order.
    pub retained: Vec<RetainedRecord>,
    /// Higher than the name of any session there ever was.
    pub next_session: SessionId,
}

/// A session as it was when the last batch became durable.
#[derive(Debug)]
pub struct RestoredSession {
    /// Itself. Where `expires` is `None`, its client was there when the process ended.
    pub record: SessionRecord,
    /// What it had subscribed to.
    pub subscriptions: Vec<(Arc<str>, Subscription)>,
    /// Identifiers of the client's that wait for their PUBREL.
    pub received: Vec<PacketId>,
    /// Identifiers whose PUBCOMP is awaited, in their order.
    pub released: Vec<PacketId>,
    /// Messages that were sent under a packet identifier, in order of place.
    pub sent: Vec<Sent>,
    /// The others, which stay in the store: where they stand, in order.
    pub waiting: Vec<Run>,
}

/// A message that was sent and not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Where it stands.
    pub place: Place,
    /// With which it was sent.
    pub packet_id: PacketId,
    /// What was sent.
    pub message: Queued,
}

/// Messages in the store whose places follow one another without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Place of the first.
    pub first: Place,
    /// How many.
    pub messages: u64,
    /// Their [`Queued::weight`] together.
    pub bytes: u64,
}
