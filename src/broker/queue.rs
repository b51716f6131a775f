//! What waits for one client: messages in order, bounded, the oldest given up first; and searches
//! in the retained messages, each in its place among them.
//!
//! ```text
//!   sent next ◀── front ── stored ── back ◀── queued last
//!                in memory  in the store   in memory
//! ```
//!
//! Without a store, or while little waits, all is in front.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::record::{Page, PageRequest, Place, Queued, Run, SessionId};
use super::retained::{Retained, Search, Step};
use super::stored::Stored;
use crate::limits::{PAGE_BYTES_MAX, PAGE_MESSAGES_MAX};
use crate::mqtt::{Delivery, Message, MessageProperties, Publish, QoS};
use crate::time::Tick;

impl Queued {
    /// The packet of its first transmission ([MQTT-3.3.1-3]).
    pub(super) fn to_publish(&self, now: Tick, delivery: Delivery) -> Publish {
        let message = aged(self.message.clone(), now, self.expires);
        let (retain, subscription_ids) = (self.retain, self.subscription_ids.clone());
        Publish { dup: false, delivery, retain, message, subscription_ids }
    }

    pub(super) fn is_expired(&self, now: Tick) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// A message as it is sent: what it has left to live is told ([MQTT-3.3.2-6]).
pub(super) fn aged(mut message: Message, now: Tick, expires: Option<Tick>) -> Message {
    if let (Some(expires), Some(properties)) = (expires, &mut message.properties)
        && properties.message_expiry.is_some()
    {
        let message_expiry = Some(rounded_up(expires.since(now)));
        *properties = Arc::new(MessageProperties { message_expiry, ..(**properties).clone() });
    }
    message
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

/// A message in its turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) message: Arc<Queued>,
    /// Where the store has it; `None`: it is in memory only.
    pub(super) place: Option<Place>,
}

impl Entry {
    /// The place of a message that can be let go of, because it is durable there.
    fn pageable(&self, durable: Place) -> Option<Place> {
        self.place.filter(|place| *place <= durable && self.message.share.is_none())
    }

    fn weight(&self) -> usize {
        self.message.weight()
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
    front: VecDeque<Entry>,
    stored: Stored,
    /// Empty where nothing is stored.
    back: VecDeque<Entry>,
    /// The page that was asked for: its first place and the last that it can have.
    asked: Option<(Place, Place)>,
    /// Of all three parts.
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
    Message(Entry),
    /// Nothing may be sent, or there is nothing.
    Nothing,
    /// The search has had its turn.
    Pause,
    /// The store has it.
    Stored(PageRequest),
}

/// Messages that were given up.
#[derive(Debug, Default)]
pub(super) struct Dropped {
    /// How many.
    pub(super) messages: u64,
    /// Where the store has some of them.
    pub(super) places: Vec<Place>,
}

impl Dropped {
    fn add(&mut self, place: Option<Place>) {
        self.messages += 1;
        self.places.extend(place);
    }
}

impl Queue {
    /// An empty queue, whose bytes `gauge` counts.
    pub(super) fn counted_by(gauge: &Gauge) -> Self {
        Self {
            front: VecDeque::new(),
            stored: Stored::default(),
            back: VecDeque::new(),
            asked: None,
            bytes: 0,
            gauge: gauge.clone(),
            taken: 0,
            searches: VecDeque::new(),
        }
    }

    /// What an earlier life left in the store.
    pub(super) fn restore(&mut self, runs: Vec<Run>) {
        self.stored = Stored::new(runs);
        self.weigh(self.stored.size().1);
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.front.is_empty() && self.stored.is_empty() && self.searches.is_empty()
    }

    /// Messages that wait, and their bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.messages(), self.bytes)
    }

    /// Puts a message at the end, and gives up the oldest ones until the rest is within bounds. The
    /// newest stays whatever its size: a client that is away gets a large message nevertheless.
    pub(super) fn push(&mut self, entry: Entry, bounds: Bounds) -> Dropped {
        self.weigh(entry.weight());
        if self.stored.is_empty() {
            self.front.push_back(entry);
        } else {
            self.back.push_back(entry);
        }
        self.keep(bounds)
    }

    /// Gives up the oldest messages until the rest is within bounds, or one is left.
    pub(super) fn keep(&mut self, bounds: Bounds) -> Dropped {
        let mut dropped = Dropped::default();
        while self.messages() > 1 && !bounds.hold(self.messages(), self.bytes) {
            self.drop_oldest(&mut dropped);
        }
        dropped
    }

    /// Gives up the oldest messages until no more than so many bytes are left.
    pub(super) fn shrink_to(&mut self, bytes: usize) -> Dropped {
        let mut dropped = Dropped::default();
        while self.bytes > bytes && self.messages() > 0 {
            self.drop_oldest(&mut dropped);
        }
        dropped
    }

    /// Lets go of messages that the store has: those up to the place `durable`, but for the first
    /// `kept`. What another member of a group could get stays in memory.
    pub(super) fn page_out(&mut self, durable: Place, kept: usize) {
        /// A client that is there and little behind is not sent to the store and back.
        const PAGES_BEHIND: usize = 4;
        if self.stored.is_empty() && self.front.len() > kept.saturating_mul(PAGES_BEHIND) {
            self.back = self.front.split_off(kept);
        }
        while let Some(place) = self.back.front().and_then(|entry| entry.pageable(durable)) {
            let weight = self.back.pop_front().map_or(0, |entry| entry.weight());
            self.stored.push_back(place, weight);
        }
        while kept == 0
            && !self.stored.is_empty()
            && let Some(place) = self.front.back().and_then(|entry| entry.pageable(durable))
        {
            let weight = self.front.pop_back().map_or(0, |entry| entry.weight());
            self.stored.push_front(place, weight);
        }
        self.join();
        self.give_back_room();
        if kept == 0 {
            self.asked = None;
        }
    }

    /// Takes in what the store has sent. Of what was asked for and is not there, nothing is left;
    /// returns what was given up so.
    pub(super) fn page_in(&mut self, page: Page) -> Dropped {
        let mut lost = Dropped::default();
        let Some((_, to)) = self.asked.take_if(|(from, _)| *from == page.from) else { return lost };
        let Ok(messages) = page.messages else { return lost };
        let until = messages.last().map_or(to, |(place, _)| *place);
        let mut arrived = messages.into_iter().peekable();
        while let Some((first, _)) = self.stored.span().filter(|(first, _)| *first <= until) {
            // What was given up after it had been asked for.
            while arrived.next_if(|(place, _)| *place < first).is_some() {}
            let Some((place, mean)) = self.stored.pop_front() else { break };
            self.weigh_off(mean);
            if let Some((place, message)) = arrived.next_if(|(arrived, _)| *arrived == place) {
                self.weigh(message.weight());
                self.front.push_back(Entry { message: message.into(), place: Some(place) });
            } else {
                self.taken += 1;
                lost.add(Some(place));
            }
        }
        self.join();
        lost
    }

    /// The page that was asked for does not come: it can be asked for again.
    pub(super) fn give_up_page(&mut self) {
        self.asked = None;
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
                    let message = kept.to_queued(waiting.qos, waiting.subscription_id).into();
                    return Next::Message(Entry { message, place: None });
                }
                Step::Pause => return Next::Pause,
                Step::End => self.searches.pop_front(),
            };
        }
        match self.front.front() {
            Some(entry) if entry.message.qos <= qos_max => {
                self.pop().map_or(Next::Nothing, Next::Message)
            }
            Some(_) => Next::Nothing,
            None => self.wish(qos_max).map_or(Next::Nothing, Next::Stored),
        }
    }

    /// The next page of what is stored, if it was not asked for and could be sent.
    fn wish(&mut self, qos_max: QoS) -> Option<PageRequest> {
        let (from, to) = self.stored.span()?;
        if self.asked.is_some() || qos_max == QoS::AtMostOnce {
            return None;
        }
        self.asked = Some((from, to));
        let session = SessionId::default();
        let (messages_max, bytes_max) = (PAGE_MESSAGES_MAX, PAGE_BYTES_MAX);
        Some(PageRequest { session, from, to, messages_max, bytes_max })
    }

    /// Gives up the messages at the front that have expired.
    pub(super) fn drop_expired(&mut self, now: Tick) -> Dropped {
        let mut expired = Dropped::default();
        while self.front.front().is_some_and(|entry| entry.message.is_expired(now)) {
            expired.add(self.pop().and_then(|entry| entry.place));
        }
        expired
    }

    /// Gives up what has no place in the session of an absent client; returns how many messages.
    pub(super) fn drop_at_most_once(&mut self) -> usize {
        self.searches.retain(|waiting| waiting.qos > QoS::AtMostOnce);
        self.take_if(|message| message.qos == QoS::AtMostOnce).len()
    }

    /// Takes out the messages that a shared subscription brought and another member can have.
    pub(super) fn take_shared(&mut self, passes_on: impl Fn(&Arc<str>) -> bool) -> Vec<Entry> {
        self.take_if(|message| message.share.as_ref().is_some_and(|it| passes_on(&it.group)))
    }

    fn take_if(&mut self, wanted: impl Fn(&Queued) -> bool) -> Vec<Entry> {
        let behind = super::outputs::counted(self.front.len() + self.stored.size().0);
        let starts = [self.taken, self.taken.saturating_add(behind)];
        let (mut gone, mut places) = (Vec::new(), Vec::new());
        for (part, start) in [&mut self.front, &mut self.back].into_iter().zip(starts) {
            if !part.iter().any(|entry| wanted(&entry.message)) {
                continue;
            }
            for (entry, place) in std::mem::take(part).into_iter().zip(start..) {
                if wanted(&entry.message) {
                    gone.push(entry);
                    places.push(place);
                } else {
                    part.push_back(entry);
                }
            }
        }
        self.weigh_off(gone.iter().map(Entry::weight).sum());
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

    /// The searches that are not over, in their order.
    pub(super) fn searches(&self) -> impl Iterator<Item = &Search> {
        self.searches.iter().map(|waiting| &waiting.search)
    }

    /// Whether the searches stand in the order in which they begin.
    pub(super) fn has_order(&self) -> bool {
        self.searches.iter().is_sorted_by_key(|waiting| waiting.after)
    }

    /// The messages that are in memory.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Queued> {
        self.front.iter().chain(&self.back).map(|entry| &*entry.message)
    }

    /// Those that are not.
    pub(super) fn stored(&self) -> &Stored {
        &self.stored
    }

    /// Whether a page is on its way.
    pub(super) fn is_paging(&self) -> bool {
        self.asked.is_some()
    }

    fn messages(&self) -> usize {
        self.front.len() + self.stored.size().0 + self.back.len()
    }

    fn drop_oldest(&mut self, dropped: &mut Dropped) {
        if let Some(entry) = self.pop() {
            return dropped.add(entry.place);
        }
        if let Some((place, weight)) = self.stored.pop_front() {
            self.weigh_off(weight);
            self.taken += 1;
            dropped.add(Some(place));
            self.join();
        }
    }

    /// Where nothing is stored any more, all is in front.
    fn join(&mut self) {
        if self.stored.is_empty() {
            self.front.append(&mut self.back);
        }
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
        self.taken.saturating_add(super::outputs::counted(self.messages()))
    }

    fn pop(&mut self) -> Option<Entry> {
        let entry = self.front.pop_front()?;
        self.weigh_off(entry.weight());
        self.taken += 1;
        self.give_back_room();
        Some(entry)
    }

    /// A burst's memory is given back.
    fn give_back_room(&mut self) {
        /// Places kept when it runs empty.
        const PLACES_KEPT: usize = 64;
        for part in [&mut self.front, &mut self.back] {
            if part.is_empty() {
                part.shrink_to(PLACES_KEPT);
            }
        }
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
