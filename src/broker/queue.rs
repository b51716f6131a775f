//! What waits for one client: messages in order, bounded, the oldest given up first; and searches
//! in the retained messages, each in its place among them.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::retained::{Retained, Search, Step};
use crate::mqtt::{Delivery, Message, MessageProperties, Publish, QoS};
use crate::time::Tick;

/// A message for one client.
#[derive(Clone, Debug)]
pub(super) struct Queued {
    pub(super) message: Message,
    /// At which it is delivered.
    pub(super) qos: QoS,
    /// Whether it comes from the retained messages, or was published so and is wanted so
    /// ([MQTT-3.3.1-12], [MQTT-3.3.1-13]).
    pub(super) retain: bool,
    /// Identifiers of the subscriptions that it matched ([MQTT-3.3.4-3]).
    pub(super) subscription_ids: Vec<u32>,
    /// The shared subscription as one of whose members the client gets it.
    pub(super) share: Option<Share>,
    /// From when on it is not sent any more.
    pub(super) expires: Option<Tick>,
}

/// What another member of a group needs to know of a message, to get it as if it had been the
/// first: its own subscription may ask for more ([MQTT-3.8.4-8]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Share {
    /// `$share/{group}/{filter}`.
    pub(super) group: Arc<str>,
    /// At which it was published.
    pub(super) qos: QoS,
    /// Whether it was published to be retained.
    pub(super) retain: bool,
}

impl Queued {
    /// Bytes it takes while it waits.
    pub(super) fn weight(&self) -> usize {
        size_of::<Self>().saturating_add(self.message.weight())
    }

    /// The packet of its first transmission ([MQTT-3.3.1-3]); what it has left to live is told
    /// ([MQTT-3.3.2-6]).
    pub(super) fn into_publish(self, now: Tick, delivery: Delivery) -> Publish {
        let Self { mut message, retain, subscription_ids, expires, .. } = self;
        if let (Some(expires), Some(properties)) = (expires, &mut message.properties)
            && properties.message_expiry.is_some()
        {
            let message_expiry = Some(rounded_up(expires.since(now)));
            *properties = Arc::new(MessageProperties { message_expiry, ..(**properties).clone() });
        }
        Publish { dup: false, delivery, retain, message, subscription_ids }
    }

    pub(super) fn is_expired(&self, now: Tick) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// How much may wait; `None`: any number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) messages: Option<usize>,
    pub(super) bytes: Option<usize>,
}

impl Bounds {
    /// Whether so much may wait.
    pub(super) fn hold(self, messages: usize, bytes: usize) -> bool {
        self.messages.is_none_or(|max| messages <= max) && self.bytes.is_none_or(|max| bytes <= max)
    }
}

/// Bytes in all queues together.
#[derive(Clone, Debug, Default)]
pub(super) struct Gauge(Arc<AtomicUsize>);

impl Gauge {
    pub(super) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// See the module. A search holds no messages, so many matches take no memory while they wait.
#[derive(Debug)]
pub(super) struct Queue {
    messages: VecDeque<Queued>,
    bytes: usize,
    /// Where its bytes are counted with those of the others.
    gauge: Gauge,
    /// Messages that have left its front.
    taken: u64,
    searches: VecDeque<Waiting>,
}

/// A search that begins when as many messages were taken as had been queued before it. They stand
/// in the order in which they begin.
#[derive(Debug)]
struct Waiting {
    search: Search,
    qos: QoS,
    subscription_id: Option<NonZeroU32>,
    after: u64,
}

/// What [`Queue::next`] found.
#[derive(Debug)]
pub(super) enum Next {
    /// This is to be sent.
    Message(Queued),
    /// Nothing may be sent, or there is nothing.
    Nothing,
    /// The search has had its turn.
    Pause,
}

impl Queue {
    /// An empty queue, whose bytes `gauge` counts.
    pub(super) fn counted_by(gauge: &Gauge) -> Self {
        let gauge = gauge.clone();
        let (messages, searches) = (VecDeque::new(), VecDeque::new());
        Self { messages, bytes: 0, gauge, taken: 0, searches }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.searches.is_empty()
    }

    /// Messages that wait, and their bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.messages.len(), self.bytes)
    }

    /// Puts a message at the end, and gives up the oldest ones until the rest is within bounds. The
    /// newest stays whatever its size: a client that is away gets a large message nevertheless.
    /// Returns how many were given up.
    pub(super) fn push(&mut self, message: Queued, bounds: Bounds) -> u64 {
        self.weigh(message.weight());
        self.messages.push_back(message);
        let mut dropped = 0;
        while self.messages.len() > 1 && !bounds.hold(self.messages.len(), self.bytes) {
            self.pop();
            dropped += 1;
        }
        dropped
    }

    /// Gives up the oldest messages until no more than so many bytes are left; returns how many.
    pub(super) fn shrink_to(&mut self, bytes: usize) -> u64 {
        let mut dropped = 0;
        while self.bytes > bytes && self.pop().is_some() {
            dropped += 1;
        }
        dropped
    }

    /// The next thing to send, at most of quality `qos_max`. A search uses up `seeks`.
    pub(super) fn next(
        &mut self,
        now: Tick,
        qos_max: QoS,
        retained: &Retained,
        seeks: &mut usize,
    ) -> Next {
        while let Some(waiting) = self.searches.front_mut().filter(|one| one.after <= self.taken) {
            if waiting.qos > qos_max {
                return Next::Nothing;
            }
            match retained.step(&mut waiting.search, now, seeks) {
                Step::Found(kept) => {
                    return Next::Message(kept.to_queued(waiting.qos, waiting.subscription_id));
                }
                Step::Pause => return Next::Pause,
                Step::End => self.searches.pop_front(),
            };
        }
        match self.messages.front() {
            Some(message) if message.qos <= qos_max => {
                self.pop().map_or(Next::Nothing, Next::Message)
            }
            Some(_) | None => Next::Nothing,
        }
    }

    /// Gives up the messages at the front that have expired; returns how many.
    pub(super) fn drop_expired(&mut self, now: Tick) -> u64 {
        let mut expired = 0;
        while self.messages.front().is_some_and(|message| message.is_expired(now)) {
            self.pop();
            expired += 1;
        }
        expired
    }

    /// Gives up what has no place in the session of an absent client; returns how many messages.
    pub(super) fn drop_at_most_once(&mut self) -> usize {
        self.searches.retain(|waiting| waiting.qos > QoS::AtMostOnce);
        self.take_if(|message| message.qos == QoS::AtMostOnce).len()
    }

    /// Takes out the messages that a shared subscription brought and another member can have.
    pub(super) fn take_shared(&mut self, passes_on: impl Fn(&Arc<str>) -> bool) -> Vec<Queued> {
        self.take_if(|message| message.share.as_ref().is_some_and(|it| passes_on(&it.group)))
    }

    fn take_if(&mut self, wanted: impl Fn(&Queued) -> bool) -> Vec<Queued> {
        if !self.messages.iter().any(&wanted) {
            return Vec::new();
        }
        let all = std::mem::take(&mut self.messages);
        let (mut gone, mut places) = (Vec::new(), Vec::new());
        for (message, place) in all.into_iter().zip(self.taken..) {
            if wanted(&message) {
                gone.push(message);
                places.push(place);
            } else {
                self.messages.push_back(message);
            }
        }
        self.weigh_off(gone.iter().map(Queued::weight).sum());
        for waiting in &mut self.searches {
            let before = places.partition_point(|&place| place < waiting.after);
            waiting.after -= super::outputs::counted(before);
        }
        gone
    }

    /// Searches the retained messages for a new subscription, after all that waits now.
    pub(super) fn search(&mut self, search: Search, qos: QoS, subscription_id: Option<NonZeroU32>) {
        let after = self.end();
        self.searches.push_back(Waiting { search, qos, subscription_id, after });
    }

    /// Ends the search of a filter that is replaced or given up.
    pub(super) fn end_search(&mut self, filter: &Arc<str>) {
        self.searches.retain(|waiting| !Arc::ptr_eq(waiting.search.filter(), filter));
    }

    /// A client is back: its searches go on in their places. What was retained at QoS 0 in between
    /// was not queued, and is looked for after all that was: an older value must not be the last
    /// that the client hears.
    pub(super) fn resume_searches(&mut self, stamp: u64) {
        let after = self.end();
        let all = std::mem::take(&mut self.searches);
        let (mut late, first): (VecDeque<_>, VecDeque<_>) =
            all.into_iter().partition(|waiting| waiting.search.is_late());
        for waiting in &mut late {
            waiting.after = after;
            waiting.search.extend(stamp);
        }
        for Waiting { search, qos, subscription_id, .. } in &first {
            let is_it = |other: &Waiting| Arc::ptr_eq(other.search.filter(), search.filter());
            if !late.iter().any(is_it) {
                let (search, qos, subscription_id) = (search.late(stamp), *qos, *subscription_id);
                late.push_back(Waiting { search, qos, subscription_id, after });
            }
        }
        self.searches = first;
        self.searches.append(&mut late);
    }

    /// The searches that are not over, in their order.
    pub(super) fn searches(&self) -> impl Iterator<Item = &Search> {
        self.searches.iter().map(|waiting| &waiting.search)
    }

    /// Whether the searches stand in the order in which they begin.
    pub(super) fn has_order(&self) -> bool {
        self.searches.iter().is_sorted_by_key(|waiting| waiting.after)
    }

    /// The qualities and weights of all messages.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Queued> {
        self.messages.iter()
    }

    fn weigh(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.gauge.0.fetch_add(bytes, Ordering::Relaxed);
    }

    fn weigh_off(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.gauge.0.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn end(&self) -> u64 {
        self.taken.saturating_add(super::outputs::counted(self.messages.len()))
    }

    fn pop(&mut self) -> Option<Queued> {
        /// Places kept when it runs empty, so that a burst's memory is given back.
        const PLACES_KEPT: usize = 64;
        let message = self.messages.pop_front()?;
        self.weigh_off(message.weight());
        self.taken += 1;
        if self.messages.is_empty() {
            self.messages.shrink_to(PLACES_KEPT);
        }
        Some(message)
    }
}

/// To whole seconds: what lives does not claim to be dead.
fn rounded_up(time: Duration) -> Duration {
    let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
    Duration::from_secs(seconds)
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.weigh_off(self.bytes);
    }
}
