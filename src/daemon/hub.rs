//! Where hands meet the brain: every connection task, the timer and the house enter the broker
//! here, in batches, under one short lock.

use std::collections::HashMap;
use std::iter;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use crate::access::{ConnectionId, Login, Peer, Verdict};
use crate::broker::{Broker, Event, Input, Output, Retention, Settings, Statistics};
use crate::bus::Clock;
use crate::daemon::journal;
use crate::limits::{TURN, TURN_PACKETS};
use crate::mqtt::{DecodeError, Message, Packet};
use crate::net::{Outbox, Service};
use crate::telemetry::{EventTopic, Publication};
use crate::time::Tick;

/// The broker behind its lock, with the way to each of its connections.
pub(super) struct Hub {
    brain: Mutex<Brain>,
    clock: Arc<dyn Clock>,
    events: EventTopic,
    next_connection: AtomicU64,
    logins: mpsc::UnboundedSender<(ConnectionId, Login)>,
    rearmed: Notify,
    emptied: Notify,
}

struct Brain {
    broker: Broker,
    outboxes: HashMap<ConnectionId, Arc<Outbox>>,
    /// What the timer waits for; an earlier deadline wakes it.
    armed: Tick,
}

impl Hub {
    /// A hub and the logins it wants checked; each is answered by [`Hub::verdict`]. That queue
    /// holds one login for a connection at most, so the bound on connections bounds it.
    pub(super) fn new(
        settings: Settings,
        clock: Arc<dyn Clock>,
        events: EventTopic,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<(ConnectionId, Login)>) {
        let (logins, wanted) = mpsc::unbounded_channel();
        let brain =
            Brain { broker: Broker::new(settings), outboxes: HashMap::new(), armed: Tick::MAX };
        let hub = Self {
            brain: Mutex::new(brain),
            clock,
            events,
            next_connection: AtomicU64::new(1),
            logins,
            rearmed: Notify::new(),
            emptied: Notify::new(),
        };
        (Arc::new(hub), wanted)
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

    /// Answers a login.
    pub(super) fn verdict(&self, connection: ConnectionId, verdict: Verdict) {
        self.enter([Input::Verdict { connection, verdict }]);
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

    /// What the broker has counted, and what is there now.
    pub(super) fn statistics(&self) -> Statistics {
        self.lock().broker.statistics()
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
    fn enter(&self, inputs: impl IntoIterator<Item = Input>) {
        let now = self.clock.now();
        let mut brain = self.lock();
        let mut events = Vec::new();
        for input in inputs {
            brain.broker.handle(now, input);
            while let Some(output) = brain.broker.poll() {
                self.act(&brain, output, &mut events);
            }
        }
        for message in events {
            brain.broker.handle(now, Input::Announce { message });
            while let Some(output) = brain.broker.poll() {
                self.act(&brain, output, &mut Vec::new());
            }
        }
        if brain.broker.deadline().is_some_and(|deadline| deadline < brain.armed) {
            self.rearmed.notify_one();
        }
    }

    fn act(&self, brain: &Brain, output: Output, events: &mut Vec<Message>) {
        match output {
            Output::Send { connection, packet } => {
                if let Some(outbox) = brain.outboxes.get(&connection) {
                    outbox.push(packet);
                }
            }
            Output::Close { connection } => {
                if let Some(outbox) = brain.outboxes.get(&connection) {
                    outbox.close();
                }
            }
            Output::Authenticate { connection, login } => {
                // The receiver goes only with the runtime; then nobody waits for an answer.
                let _ = self.logins.send((connection, login));
            }
            Output::Event(event) => {
                journal::record(&event);
                events.extend(self.announcement(&event));
            }
        }
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
            Event::Connected { .. }
            | Event::Disconnected { .. }
            | Event::Refused { .. }
            | Event::Denied { .. } => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Brain> {
        self.brain.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long one connection may keep the brain to itself.
struct Turn<'a> {
    clock: &'a dyn Clock,
    end: Tick,
    packets: usize,
}

impl<'a> Turn<'a> {
    fn begins(clock: &'a dyn Clock) -> Self {
        Self { clock, end: clock.now().after(TURN), packets: 0 }
    }

    /// Whether one more packet may follow; the first few always may.
    fn goes_on(&mut self) -> bool {
        self.packets += 1;
        !self.packets.is_multiple_of(TURN_PACKETS) || self.clock.now() < self.end
    }
}

impl Service for Hub {
    fn opened(&self, peer: Peer, outbox: Arc<Outbox>) -> ConnectionId {
        let connection = ConnectionId(self.next_connection.fetch_add(1, Ordering::Relaxed));
        self.lock().outboxes.insert(connection, outbox);
        self.enter([Input::Opened { connection, peer }]);
        connection
    }

    fn received(&self, connection: ConnectionId, packets: &mut Vec<Packet>) {
        let mut turn = Turn::begins(&*self.clock);
        packets.reverse();
        self.enter(iter::from_fn(|| {
            let packet = if turn.goes_on() { packets.pop() } else { None };
            packet.map(|packet| Input::Packet { connection, packet })
        }));
        packets.reverse();
    }

    fn malformed(&self, connection: ConnectionId, error: DecodeError) {
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
