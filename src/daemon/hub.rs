//! Where hands meet the brain: every connection task, the timer and the house enter the broker
//! here, in batches, under one short lock.

use std::collections::{BTreeMap, HashMap};
use std::iter;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::fast::FixedState;
use tokio::sync::{Notify, mpsc};

use super::visits::Visits;
use crate::access::{Certificate, ConnectionId, Login, Peer, Refusal, Revoked, Rights, Verdict};
use crate::broker::record::{Page, Restored};
use crate::broker::{
    Allowance, Broker, Client, Event, Input, Output, Retention, Settings, Statistics,
};
use crate::bus::Clock;
use crate::daemon::{journal, keeper};
use crate::limits::{TURN, TURN_PACKETS};
use crate::mqtt::{DecodeError, Message, Packet};
use crate::net::{Outbox, Reading, Service};
use crate::store::{Pace, StoreThread};
use crate::telemetry::{EventTopic, Publication};
use crate::time::Tick;

/// The broker behind its lock, with the way to each of its connections.
pub(super) struct Hub {
    brain: Mutex<Brain>,
    clock: Arc<dyn Clock>,
    events: EventTopic,
    visits: Visits,
    next_connection: AtomicU64,
    logins: mpsc::UnboundedSender<(ConnectionId, Login)>,
    rearmed: Notify,
    emptied: Notify,
    /// The store fails, or works again.
    troubled: Notify,
}

/// Logins that are to be checked.
pub(super) type Logins = mpsc::UnboundedReceiver<(ConnectionId, Login)>;

struct Brain {
    broker: Broker,
    outboxes: HashMap<ConnectionId, Arc<Outbox>, FixedState>,
    /// Absent where all is in memory, and when it has been closed.
    store: Option<StoreThread>,
    /// What the timer waits for; an earlier deadline wakes it.
    armed: Tick,
    turned_away: TurnedAway,
}

/// Who was not let in or was cut off, since the start.
#[derive(Clone, Debug, Default)]
pub(super) struct TurnedAway {
    /// Logins, by the reason.
    pub logins: BTreeMap<String, u64>,
    /// CONNECTs that asked for what is not given; told of late.
    pub connects: u64,
    /// Connections that sent what is no packet.
    pub malformed: u64,
}

impl Hub {
    /// A hub that knows what earlier lives left, and the logins it wants checked; each is answered
    /// by [`Hub::verdict`]. That queue holds one login for a connection at most, so the bound on
    /// connections bounds it.
    pub(super) fn new(
        settings: Settings,
        clock: Arc<dyn Clock>,
        events: EventTopic,
        visits: Visits,
        restored: Restored,
    ) -> (Arc<Self>, Logins) {
        let (logins, wanted) = mpsc::unbounded_channel();
        let mut broker = Broker::new(settings);
        broker.restore(clock.now(), restored);
        let brain = Brain {
            broker,
            outboxes: HashMap::default(),
            store: None,
            armed: Tick::MAX,
            turned_away: TurnedAway::default(),
        };
        let hub = Self {
            brain: Mutex::new(brain),
            clock,
            events,
            visits,
            next_connection: AtomicU64::new(1),
            logins,
            rearmed: Notify::new(),
            emptied: Notify::new(),
            troubled: Notify::new(),
        };
        (Arc::new(hub), wanted)
    }

    /// From now on what the broker wants kept is kept there.
    pub(super) fn keep_in(&self, store: StoreThread) {
        self.lock().store = Some(store);
    }

    /// Tells the subscribers of events what was wrong with the store.
    pub(super) fn tell_damage(&self, report: &str) {
        let message = self.events.store_damaged(report, self.clock.wall());
        self.enter([Input::Announce { message }]);
    }

    /// Waits until all that was to be kept is durable.
    pub(super) async fn flushed(&self) {
        const LOOK_AGAIN: Duration = Duration::from_millis(10);
        while self.lock().store.is_some() && !self.lock().broker.is_flushed() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Lets the store end.
    pub(super) fn close_store(&self, patience: Duration) {
        let store = self.lock().store.take();
        if let Some(store) = store {
            store.stop(patience);
        }
    }

    /// Publishes as the gateway.
    pub(super) fn publish(&self, publications: impl IntoIterator<Item = Publication>) {
        let inputs = publications.into_iter().map(|publication| {
            let Publication { message, qos, retained_for } = publication;
            let retention = retained_for.map_or(Retention::Replaced, Retention::For);
            Input::Publish { message, qos, retention }
        });
        self.enter(inputs);
    }

    /// The time by which the broker acts.
    pub(super) fn now(&self) -> Tick {
        self.clock.now()
    }

    /// Answers a login.
    pub(super) fn verdict(&self, connection: ConnectionId, verdict: Verdict) {
        self.enter([Input::Verdict { connection, verdict }]);
    }

    /// From now on these rules hold, and what was revoked counts no more.
    pub(super) fn rights(&self, rights: Rights, revoked: Revoked) {
        self.enter([Input::Rights { rights, revoked }]);
    }

    /// From now on this is allowed.
    pub(super) fn reconfigure(&self, allowance: Allowance) {
        self.enter([Input::Reconfigured(allowance.into())]);
    }

    /// Who came by this listener goes.
    pub(super) fn close_listener(&self, listener: Arc<str>) {
        self.enter([Input::ListenerClosed { listener }]);
    }

    /// Who came by a certificate that is not good any more goes.
    pub(super) fn look_at_certificates(&self, is_good: impl Fn(&str, &Certificate) -> bool) {
        let peers: Vec<(ConnectionId, Arc<str>, Certificate)> = {
            let brain = self.lock();
            let shown = |(id, peer): (ConnectionId, &Peer)| {
                Some((id, Arc::clone(&peer.listener), peer.certificate.clone()?))
            };
            brain.broker.peers().filter_map(shown).collect()
        };
        let bad = peers.iter().filter(|(_, listener, shown)| !is_good(listener, shown));
        let connections: Vec<ConnectionId> = bad.map(|(id, ..)| *id).collect();
        if !connections.is_empty() {
            self.enter([Input::CertificatesEnded { connections }]);
        }
    }

    /// Waits until every client that is there has acknowledged all that is for it.
    pub(super) async fn delivered(&self) {
        const LOOK_AGAIN: Duration = Duration::from_millis(10);
        while !self.lock().broker.all_delivered() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Says good-bye to every connection and lets nobody in any more.
    pub(super) fn shut_down(&self) {
        self.enter([Input::Shutdown]);
    }

    /// Who was last here and when.
    pub(super) fn visits(&self) -> &Visits {
        &self.visits
    }

    /// What the broker has counted, and what is there now.
    pub(super) fn statistics(&self) -> Statistics {
        self.lock().broker.statistics()
    }

    /// Who was not let in.
    pub(super) fn turned_away(&self) -> TurnedAway {
        self.lock().turned_away.clone()
    }

    /// At most so many clients, the most telling first.
    pub(super) fn clients(&self, at_most: usize) -> Vec<Client> {
        let now = self.clock.now();
        self.lock().broker.clients(now, at_most)
    }

    /// How many clients came by a listener and are there.
    pub(super) fn clients_of(&self, listener: &str) -> usize {
        self.lock().broker.clients_of(listener)
    }

    /// How the store gets on; nothing where all is in memory.
    pub(super) fn store_pace(&self) -> Option<Pace> {
        self.lock().store.as_ref().map(StoreThread::pace)
    }

    /// Waits until the store fails, or works again.
    pub(super) async fn troubled(&self) {
        self.troubled.notified().await;
    }

    /// Returns when the brain can be entered: proof for the watchdog.
    pub(super) fn shows_life(&self) {
        drop(self.lock());
    }

    /// Waits until no connection is left.
    pub(super) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.lock().outboxes.is_empty() {
                return;
            }
            emptied.await;
        }
    }

    /// Wakes the broker at each of its deadlines, for ever.
    pub(super) async fn keep_time(&self) {
        loop {
            let now = self.clock.now();
            let deadline = {
                let mut brain = self.lock();
                brain.armed = brain.broker.deadline().unwrap_or(Tick::MAX);
                brain.armed
            };
            if deadline <= now {
                self.enter([Input::Wake]);
                // There may be work for many such turns, and connections wait for theirs.
                tokio::task::yield_now().await;
                continue;
            }
            let wait = deadline.since(now).min(Duration::from_secs(24 * 3600));
            tokio::select! {
                () = tokio::time::sleep(wait) => self.enter([Input::Wake]),
                () = self.rearmed.notified() => {}
            }
        }
    }

    /// Hands `inputs` to the brain and does at once what it says; then tells the subscribers of
    /// events what happened. What that causes goes to the log only, so that it comes to an end.
    pub(super) fn enter(&self, inputs: impl IntoIterator<Item = Input>) {
        self.enter_at(self.clock.now(), inputs);
    }

    fn enter_at(&self, now: Tick, inputs: impl IntoIterator<Item = Input>) {
        let mut brain = self.lock();
        let mut events = Vec::new();
        for input in inputs {
            self.handle(&mut brain, now, input, &mut events);
        }
        // What is due at once goes with what has just been said, without another wake-up.
        if brain.broker.deadline().is_some_and(|deadline| deadline <= now) {
            self.handle(&mut brain, now, Input::Wake, &mut events);
        }
        for message in events {
            self.handle(&mut brain, now, Input::Announce { message }, &mut Vec::new());
        }
        if brain.broker.deadline().is_some_and(|deadline| deadline < brain.armed) {
            self.rearmed.notify_one();
        }
    }

    fn handle(&self, brain: &mut Brain, now: Tick, input: Input, events: &mut Vec<Message>) {
        let mut answers = Vec::new();
        brain.broker.handle(now, input);
        loop {
            while let Some(output) = brain.broker.poll() {
                answers.extend(self.act(brain, output, events));
            }
            let Some(answer) = answers.pop() else { return };
            brain.broker.handle(now, answer);
        }
    }

    /// Does what the brain wants; what it is to be told at once, because it was not done.
    fn act(&self, brain: &mut Brain, output: Output, events: &mut Vec<Message>) -> Option<Input> {
        let outbox = |connection| brain.outboxes.get(&connection);
        match output {
            Output::Send { connection, packet } => outbox(connection)?.push(packet),
            Output::Close { connection } => outbox(connection)?.close(),
            Output::Pause { connection } => outbox(connection)?.set_reading(Reading::Paused),
            Output::Resume { connection } => outbox(connection)?.set_reading(Reading::On),
            Output::Authenticate { connection, login } => {
                // The receiver goes only with the runtime; then nobody waits for an answer.
                let _ = self.logins.send((connection, *login));
            }
            Output::Commit(batch) => {
                let store = brain.store.as_ref()?;
                let number = store.commit(batch).err()?.number;
                return Some(Input::Committed { number, outcome: Err(keeper::refused("commit")) });
            }
            Output::Page(wish) => {
                let store = brain.store.as_ref()?;
                let wish = store.page(wish).err()?;
                let messages = Err(keeper::refused("page"));
                return Some(Input::Paged(Page {
                    session: wish.session,
                    from: wish.from,
                    messages,
                }));
            }
            Output::Event(event) => {
                journal::record(&event);
                brain.turned_away.note(&event);
                self.visits.hear(&event, self.clock.wall());
                if matches!(event, Event::StoreFailed { .. } | Event::StoreRecovered) {
                    self.troubled.notify_one();
                }
                events.extend(self.announcement(&event));
            }
        }
        None
    }

    /// What subscribers are told of an event: losses. The rest is for those who read the log.
    fn announcement(&self, event: &Event) -> Option<Message> {
        match event {
            Event::QueueDropped { client_id, messages } => {
                Some(self.events.queue_dropped(client_id, *messages, self.clock.wall()))
            }
            Event::SessionDiscarded { client_id, user } => {
                Some(self.events.session_discarded(client_id, user, self.clock.wall()))
            }
            Event::StoreFailed { trouble } => {
                Some(self.events.store_failed(trouble.why(), self.clock.wall()))
            }
            Event::StoreRecovered => Some(self.events.store_recovered(self.clock.wall())),
            Event::Connected { .. }
            | Event::Disconnected { .. }
            | Event::Refused { .. }
            | Event::Rejected { .. }
            | Event::Denied { .. } => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Brain> {
        self.brain.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TurnedAway {
    fn note(&mut self, event: &Event) {
        match event {
            Event::Refused { reason, .. } => {
                *self.logins.entry(reason.to_string()).or_default() += 1;
            }
            Event::Rejected { times, .. } => self.connects += times,
            _ => {}
        }
    }
}

/// How long one connection may keep the brain to itself.
struct Turn<'a> {
    clock: &'a dyn Clock,
    end: Tick,
    packets: usize,
    /// Whether the last packet may have taken all of it.
    is_heavy: bool,
}

/// Whether a packet can ask for milliseconds.
const fn is_heavy(packet: &Packet) -> bool {
    matches!(packet, Packet::Subscribe(_) | Packet::Unsubscribe(_))
}

impl<'a> Turn<'a> {
    fn begins(clock: &'a dyn Clock, now: Tick) -> Self {
        Self { clock, end: now.after(TURN), packets: 0, is_heavy: false }
    }

    /// Whether one more packet may follow; the first few always may.
    fn goes_on(&mut self) -> bool {
        self.packets += 1;
        let is_looked_at = self.is_heavy || self.packets.is_multiple_of(TURN_PACKETS);
        !is_looked_at || self.clock.now() < self.end
    }
}

impl Service for Hub {
    fn opened(&self, peer: Peer, outbox: Arc<Outbox>) -> ConnectionId {
        let connection = ConnectionId(self.next_connection.fetch_add(1, Ordering::Relaxed));
        self.lock().outboxes.insert(connection, outbox);
        self.enter([Input::Opened { connection, peer: peer.into() }]);
        connection
    }

    fn refused(&self, peer: &Peer, user: &str, reason: Refusal) {
        let (listener, client_id) = (Arc::clone(&peer.listener), String::new());
        let user = user.to_owned();
        let event = Event::Refused { peer: peer.address, listener, user, client_id, reason };
        journal::record(&event);
        self.lock().turned_away.note(&event);
    }

    fn received(&self, connection: ConnectionId, packets: &mut Vec<Packet>) {
        let now = self.clock.now();
        let mut turn = Turn::begins(&*self.clock, now);
        packets.reverse();
        let packets_in_turn = iter::from_fn(|| {
            let packet = if turn.goes_on() { packets.pop() } else { None };
            turn.is_heavy = packet.as_ref().is_some_and(is_heavy);
            packet.map(|packet| Input::Packet { connection, packet })
        });
        self.enter_at(now, packets_in_turn);
        packets.reverse();
    }

    fn malformed(&self, connection: ConnectionId, error: DecodeError) {
        self.lock().turned_away.malformed += 1;
        self.enter([Input::Malformed { connection, error }]);
    }

    fn written(&self, connection: ConnectionId, bytes: usize) {
        self.enter([Input::Written { connection, bytes }]);
    }

    fn closed(&self, connection: ConnectionId) {
        self.enter([Input::Closed { connection }]);
        let mut brain = self.lock();
        brain.outboxes.remove(&connection);
        if brain.outboxes.is_empty() {
            self.emptied.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
