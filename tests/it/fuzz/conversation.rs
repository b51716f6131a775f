//! Whole conversations with the broker: whatever clients, logins, clocks and the gateway do, and in
//! any order, its books agree after each step, each client hears what its version allows, and in
//! the end nothing is left.

mod packets;
#[cfg(test)]
pub(super) mod speech;
mod wire;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use maison::access::{ConnectionId, Peer, Policy, Principal, Refusal, Rights, Verdict};
use maison::broker::{Bounds, Broker, Input, Keeping, Output, Retention, Settings};
use maison::mqtt::{DecodeError, Message, Packet, QoS, ReasonCode, TopicName};
use maison::time::Tick;

use self::wire::{Wire, topics};
use super::source::Source;

const CONNECTIONS_MAX: usize = 8;

/// Wakes that one moment may take before it is taken for standing still.
const WAKES_MAX: usize = 100_000;

/// Each byte is a choice.
pub fn conversation(bytes: &[u8]) {
    let mut conversation = Conversation::new(Source::new(bytes));
    while !conversation.source.is_empty() {
        conversation.step();
    }
    conversation.end();
}

struct Conversation<'bytes> {
    source: Source<'bytes>,
    broker: Broker,
    now: Tick,
    /// How late the broker is woken.
    lateness: Duration,
    opened: u64,
    /// Connections that the broker was told of and not told that they are gone.
    wires: BTreeMap<ConnectionId, Wire>,
    logins: VecDeque<ConnectionId>,
    /// All that were ever published to.
    topics: BTreeSet<TopicName>,
}

/// Small enough that a short conversation reaches them.
fn settings() -> Settings {
    Settings {
        session_expiry: Duration::from_secs(60),
        queue_messages: Some(8),
        queue_bytes: Some(20_000),
        bounds: Bounds {
            connect_timeout: Duration::from_secs(10),
            sessions: 6,
            sessions_per_user: 4,
            subscriptions_per_session: 5,
            topic_levels: 8,
            inflight_to_client: 3,
            receive_maximum: NonZeroU16::new(3).unwrap(),
            topic_alias_maximum: 3,
            packet_bytes: 100_000,
            keep_alive: Some(Duration::from_secs(30)),
            subscription_bytes: 8000,
            retained_bytes: 10_000,
            queued_bytes: Some(40_000),
        },
        assigned_prefix: Arc::from("assigned"),
        rights: Rights::new("maison"),
        keeping: Keeping::Nothing,
    }
}

impl<'bytes> Conversation<'bytes> {
    fn new(source: Source<'bytes>) -> Self {
        Self {
            source,
            broker: Broker::new(settings()),
            now: Tick::ZERO,
            lateness: Duration::ZERO,
            opened: 0,
            wires: BTreeMap::new(),
            logins: VecDeque::new(),
            topics: BTreeSet::new(),
        }
    }

    fn step(&mut self) {
        self.now = self.now.after(Duration::from_micros(10));
        match self.source.byte() {
            0..0x10 => self.open(),
            0x10..0x20 => self.open_and_log_in(),
            0x20..0x28 => self.answer_login(),
            0x28..0x30 => self.close(),
            0x30..0x34 => self.spoil(),
            0x34..0x48 => self.write(),
            0x48..0x58 => self.let_time_pass(),
            0x58..0x70 => self.publish(),
            0x70..0x7C => self.send_raw(),
            0x7C..0x80 => self.send_past_the_decoder(),
            0x80..0xB0 => self.acknowledge(),
            0xB0..0xFF => self.send(),
            0xFF => self.shut_down(),
        }
        self.wake();
    }

    /// Gives the broker one event, and carries out what it wants.
    fn tell(&mut self, input: Input) {
        if let Input::Packet { packet, .. } = &input {
            self.topics.extend(topics(packet));
        }
        self.broker.handle(self.now, input);
        while let Some(output) = self.broker.poll() {
            self.carry_out(output);
        }
        self.broker.check_invariants();
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Send { connection, packet } => self.wire(connection).hears(&packet),
            Output::Close { connection } => self.wire(connection).closes(),
            Output::Authenticate { connection, .. } => {
                self.wire(connection).is_asked_for();
                self.logins.push_back(connection);
            }
            Output::Event(_) => {}
            other @ (Output::Commit(_)
            | Output::Page(_)
            | Output::Pause { .. }
            | Output::Resume { .. }) => panic!("there is no store: {other:?}"),
        }
    }

    fn wire(&mut self, connection: ConnectionId) -> &mut Wire {
        self.wires.get_mut(&connection).expect("an output is for a connection that is there")
    }

    fn wake(&mut self) {
        for _ in 0..WAKES_MAX {
            match self.broker.deadline() {
                Some(at) if at.after(self.lateness) <= self.now => self.tell(Input::Wake),
                Some(_) | None => return,
            }
        }
        panic!("a deadline passes when the broker is woken");
    }

    // ---- what may happen

    fn open(&mut self) {
        if self.wires.len() >= CONNECTIONS_MAX {
            return self.close();
        }
        self.opened += 1;
        let connection = ConnectionId(self.opened);
        let peer = Peer {
            address: SocketAddr::from(([192, 0, 2, 7], 51234)),
            listener: Arc::from("tls"),
            policy: Policy::Password,
            certificate: None,
        };
        self.wires.insert(connection, Wire::new());
        self.tell(Input::Opened { connection, peer: peer.into() });
    }

    /// The usual beginning in one step.
    fn open_and_log_in(&mut self) {
        self.open();
        let connection = ConnectionId(self.opened);
        let connect = packets::connect(&mut self.source);
        self.say(connection, &Packet::Connect(Box::new(connect)));
        if self.logins.back() == Some(&connection) {
            self.logins.pop_back();
            self.decide(connection, Ok(Principal::Anonymous));
        }
    }

    fn answer_login(&mut self) {
        let user = |name: &str| Ok(Principal::User(Arc::from(name)));
        let refusals = [Refusal::BadPassword, Refusal::Busy, Refusal::NoCredentials];
        let verdict = match self.source.byte() {
            choice @ 0..3 => Err(refusals[usize::from(choice)]),
            3..0x40 => user("alice"),
            0x40..0x80 => user("bob"),
            0x80.. => Ok(Principal::Anonymous),
        };
        let connection = match self.logins.pop_front() {
            Some(connection) => connection,
            None => self.choose_connection(),
        };
        self.decide(connection, verdict);
    }

    fn decide(&mut self, connection: ConnectionId, verdict: Verdict) {
        self.tell(Input::Verdict { connection, verdict });
        self.listen(connection);
    }

    fn close(&mut self) {
        let connection = self.choose_connection();
        self.wires.remove(&connection);
        self.tell(Input::Closed { connection });
    }

    fn spoil(&mut self) {
        let connection = self.choose_connection();
        let reason = self.source.choose(&[ReasonCode::MalformedPacket, ReasonCode::PacketTooLarge]);
        self.tell(Input::Malformed { connection, error: DecodeError { reason, detail: "noise" } });
    }

    /// The operating system takes what was sent, a part of it, or what never was.
    fn write(&mut self) {
        let connection = self.choose_connection();
        let all = self.wires.get_mut(&connection).map_or(0, Wire::is_written);
        let bytes = self.source.choose(&[all, all, all / 2, 64, 100_000]);
        self.tell(Input::Written { connection, bytes });
    }

    fn let_time_pass(&mut self) {
        let milliseconds = [1, 900, 1500, 5000, 20_000, 61_000].map(Duration::from_millis);
        self.now = self.now.after(self.source.choose(&milliseconds));
        self.lateness = self.source.choose(&[Duration::ZERO, Duration::from_millis(50)]);
    }

    fn publish(&mut self) {
        let message = packets::message(&mut self.source, packets::Properties::Any);
        let qos = packets::qos(&mut self.source);
        let five = Duration::from_secs(5);
        let ways = [Retention::None, Retention::Replaced, Retention::For(five)];
        let retention = self.source.choose(&ways);
        self.topics.insert(message.topic.clone());
        self.tell(Input::Publish { message, qos, retention });
    }

    fn send_raw(&mut self) {
        let connection = self.choose_connection();
        let bytes = self.source.bytes();
        if let Some(wire) = self.wires.get_mut(&connection) {
            wire.receives(bytes);
        }
        self.listen(connection);
    }

    /// What no decoder lets through at this moment.
    fn send_past_the_decoder(&mut self) {
        let connection = self.choose_connection();
        let packet = self.source.choose(&[Packet::PingResp, Packet::PingReq]);
        self.tell(Input::Packet { connection, packet });
    }

    /// As a good client answers, in order or not.
    fn acknowledge(&mut self) {
        let connection = self.choose_connection();
        let place = self.source.byte();
        let answer = self.wires.get_mut(&connection).and_then(|wire| wire.next_answer(place));
        if let Some(packet) = answer {
            self.say(connection, &packet);
        }
    }

    fn send(&mut self) {
        let connection = self.choose_connection();
        let version = self.wires.get(&connection).and_then(Wire::version);
        let packet = packets::packet(&mut self.source, version);
        self.say(connection, &packet);
    }

    /// Once in a while only: little happens afterwards.
    fn shut_down(&mut self) {
        if self.source.byte() == 0xFF {
            self.tell(Input::Shutdown);
        }
    }

    // ---- as connections do it

    fn choose_connection(&mut self) -> ConnectionId {
        let place = usize::from(self.source.byte());
        let open = self.wires.len().max(1);
        let known = self.wires.keys().nth(place % open).copied();
        known.filter(|_| place != 0xFF).unwrap_or(ConnectionId(self.opened + 1))
    }

    fn say(&mut self, connection: ConnectionId, packet: &Packet) {
        let Some(wire) = self.wires.get_mut(&connection) else { return };
        wire.carries(packet);
        self.listen(connection);
    }

    /// Hands over all that has arrived, as far as the connection listens.
    fn listen(&mut self, connection: ConnectionId) {
        loop {
            let Some(wire) = self.wires.get_mut(&connection) else { return };
            match wire.next() {
                Ok(Some(packet)) => self.tell(Input::Packet { connection, packet }),
                Ok(None) => return,
                Err(error) => self.tell(Input::Malformed { connection, error }),
            }
        }
    }

    // ---- the end

    /// Everyone goes, all waits are over, what is retained is cleared, and nothing is left.
    fn end(&mut self) {
        let open: Vec<_> = self.wires.keys().copied().collect();
        for connection in open {
            self.wires.remove(&connection);
            self.tell(Input::Closed { connection });
        }
        self.expire();
        for topic in std::mem::take(&mut self.topics) {
            let message = Message { topic, payload: Bytes::new(), properties: None };
            let retention = Retention::Replaced;
            self.tell(Input::Publish { message, qos: QoS::AtMostOnce, retention });
        }
        self.expire();
        self.broker.assert_idle();
        let left = self.broker.statistics();
        assert_eq!((left.connections, left.clients_connected, left.sessions), (0, 0, 0));
        assert_eq!((left.subscriptions, left.retained, left.retained_bytes), (0, 0, 0));
    }

    fn expire(&mut self) {
        for _ in 0..WAKES_MAX {
            let Some(at) = self.broker.deadline() else { return };
            self.now = self.now.max(at);
            self.tell(Input::Wake);
        }
        panic!("all waits are over some day");
    }
}
