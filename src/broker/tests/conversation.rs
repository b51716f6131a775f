//! Clients that say anything at any time. The broker stays consistent and ends empty; a failure
//! prints its seed.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::super::{Bounds, Broker, Input, Keeping, Output, Settings};
use super::house::{Dice, Reader, publish, success};
use super::*;
use crate::access::{ConnectionId, Peer, Policy, Principal, Refusal, Rights};
use crate::limits;
use crate::mqtt::{
    Acknowledgement, Connect, Credentials, DecodeError, Delivery, Disconnect, DisconnectProperties,
    Message, MessageProperties, Packet, Publish, QoS, ReasonCode, RetainHandling, Subscribe,
    SubscribeFilter, TopicFilter, Unsubscribe, Version,
};
use crate::time::Tick;

const SEEDS: u64 = 12;
const STEPS: usize = 2500;

const HANDLINGS: [RetainHandling; 3] =
    [RetainHandling::Send, RetainHandling::SendIfNew, RetainHandling::Never];

#[test]
fn no_conversation_confuses_the_broker() {
    for seed in 1..=SEEDS {
        let outcome = catch_unwind(AssertUnwindSafe(|| converse(seed)));
        assert!(outcome.is_ok(), "seed {seed}");
    }
}

fn converse(seed: u64) {
    let mut babel = Babel::new(seed);
    for _ in 0..STEPS {
        babel.step();
    }
    babel.end();
}

struct Babel {
    broker: Broker,
    dice: Dice,
    now: Tick,
    opened: u64,
    /// Connections that the broker was told of and not told that they are gone.
    open: Vec<ConnectionId>,
    asked: Vec<ConnectionId>,
    readers: HashMap<ConnectionId, Reader>,
}

impl Babel {
    fn new(seed: u64) -> Self {
        let settings = Settings {
            session_expiry: Duration::from_secs(60),
            queue_messages: Some(30),
            queue_bytes: Some(20_000),
            bounds: Bounds::default(),
            assigned_prefix: "assigned".into(),
            rights: Rights::new("maison"),
            keeping: Keeping::Nothing,
        };
        let (broker, dice) = (Broker::new(settings), Dice::new(seed));
        let (open, asked, readers) = (Vec::new(), Vec::new(), HashMap::new());
        Self { broker, dice, now: Tick::ZERO, opened: 0, open, asked, readers }
    }

    fn step(&mut self) {
        let input = self.input();
        self.tell(input);
        let lateness = Duration::from_millis(self.dice.below(50));
        while self.broker.deadline().is_some_and(|at| at.after(lateness) <= self.now) {
            self.tell(Input::Wake);
        }
    }

    fn tell(&mut self, input: Input) {
        match &input {
            Input::Closed { connection } => self.open.retain(|open| open != connection),
            // Whoever speaks before its answer, or says CONNECT again, is not answered anew.
            Input::Packet { connection, packet: Packet::Connect(connect) } => {
                self.readers.entry(*connection).or_insert_with(|| Reader::of(connect));
            }
            _ => {}
        }
        self.broker.handle(self.now, input);
        while let Some(output) = self.broker.poll() {
            match output {
                Output::Authenticate { connection, .. } => self.asked.push(connection),
                Output::Send { connection, packet } => {
                    self.readers.entry(connection).or_default().check(&packet);
                }
                Output::Close { .. } | Output::Event(_) => {}
                other @ (Output::Commit(_)
                | Output::Page(_)
                | Output::Pause { .. }
                | Output::Resume { .. }) => panic!("there is no store: {other:?}"),
            }
        }
        self.broker.check_invariants();
    }

    fn input(&mut self) -> Input {
        let connection = self.connection();
        match self.dice.below(100) {
            0..5 => self.opening(),
            5..12 => self.verdict(),
            12..14 => Input::Closed { connection },
            14..15 => {
                let reason = ReasonCode::MalformedPacket;
                Input::Malformed { connection, error: DecodeError { reason, detail: "noise" } }
            }
            15..30 => {
                let bytes = usize::try_from(self.dice.below(100_000)).unwrap();
                Input::Written { connection, bytes }
            }
            30..35 => {
                self.now = self.now.after(Duration::from_millis(self.dice.below(20_000)));
                Input::Wake
            }
            35..45 => {
                let (qos, retain) = (self.qos(), self.dice.below(2) == 0);
                let retention = if retain { Retention::Replaced } else { Retention::None };
                Input::Publish { message: self.message(), qos, retention }
            }
            _ => Input::Packet { connection, packet: self.packet() },
        }
    }

    /// One that is open, as a rule.
    fn connection(&mut self) -> ConnectionId {
        let index = usize::try_from(self.dice.below(20)).unwrap();
        self.open.get(index).copied().unwrap_or(ConnectionId(self.dice.below(self.opened + 1)))
    }

    fn opening(&mut self) -> Input {
        if self.open.len() >= 16 {
            return Input::Closed { connection: self.open[0] };
        }
        self.opened += 1;
        let connection = ConnectionId(self.opened);
        self.open.push(connection);
        let peer = Peer {
            address: "192.0.2.7:51234".parse().unwrap(),
            listener: Arc::from("tls"),
            policy: Policy::Password,
            certificate: None,
        };
        Input::Opened { connection, peer: peer.into() }
    }

    fn verdict(&mut self) -> Input {
        let connection = match self.asked.pop() {
            Some(connection) => connection,
            None => self.connection(),
        };
        let verdict = match self.dice.below(10) {
            0 => Err(Refusal::BadPassword),
            1..5 => Ok(Principal::User(Arc::from("bob"))),
            _ => Ok(Principal::Anonymous),
        };
        Input::Verdict { connection, verdict }
    }

    fn packet(&mut self) -> Packet {
        let answer = self.answer();
        match self.dice.below(100) {
            0..10 => Packet::Connect(Box::new(self.connect())),
            10..50 => Packet::Publish(self.publish()),
            50..62 => Packet::PubAck(answer),
            62..69 => Packet::PubRec(answer),
            69..76 => Packet::PubRel(answer),
            76..83 => Packet::PubComp(answer),
            83..92 => Packet::Subscribe(self.subscribe()),
            92..95 => {
                let filters = vec![TopicFilter::new(self.filter()).unwrap()];
                let (packet_id, user_properties) = (self.id(), Vec::new());
                Packet::Unsubscribe(Unsubscribe { packet_id, filters, user_properties })
            }
            95..97 => Packet::PingReq,
            97..99 => {
                let (reason, properties) = (ReasonCode::Success, DisconnectProperties::default());
                Packet::Disconnect(Box::new(Disconnect { reason, properties }))
            }
            _ => Packet::PingResp,
        }
    }

    fn connect(&mut self) -> Connect {
        let client_id = self.dice.choose(&["a", "b", "c", "d", ""]);
        let wills = self.dice.below(2) == 0;
        let (topic, qos) = (self.topic(), self.qos());
        let keep_alive = Duration::from_secs(self.dice.choose(&[0, 5, 60]));
        let credentials = Credentials { user: Some("bob".into()), password: None };
        let will = wills.then(|| will(topic, "gone", qos));
        let clean_start = self.dice.below(3) == 0;
        let connect = Connect { clean_start, keep_alive, will, credentials, ..clean(client_id) };
        if self.dice.below(2) == 0 { connect } else { self.in_5_0(connect) }
    }

    fn in_5_0(&mut self, mut connect: Connect) -> Connect {
        connect.version = Version::V5;
        let session_expiry = self.dice.choose(&[Some(0), Some(10), Some(1000), None]);
        connect.properties.session_expiry = session_expiry.map(Duration::from_secs);
        connect.properties.receive_maximum = self.dice.choose(&[1, 3, 65_535]).try_into().unwrap();
        connect.properties.maximum_packet_size = self.dice.choose(&[None, Some(30), Some(2000)]);
        connect.properties.request_problem_information = self.dice.below(2) == 0;
        if let Some(will) = &mut connect.will {
            will.properties.delay = Duration::from_secs(self.dice.choose(&[0, 5, 100]));
        }
        connect
    }

    fn answer(&mut self) -> Acknowledgement {
        let refuses = self.dice.below(8) == 0;
        let reason = if refuses { ReasonCode::QuotaExceeded } else { ReasonCode::Success };
        Acknowledgement { reason, ..success(self.id()) }
    }

    fn publish(&mut self) -> Publish {
        let delivery = match self.qos() {
            QoS::AtMostOnce => Delivery::AtMostOnce,
            QoS::AtLeastOnce => Delivery::AtLeastOnce(self.id()),
            QoS::ExactlyOnce => Delivery::ExactlyOnce(self.id()),
        };
        let (retain, message) = (self.dice.below(4) == 0, self.message());
        Publish { delivery, retain, message, ..publish("t", "", QoS::AtMostOnce) }
    }

    fn subscribe(&mut self) -> Subscribe {
        let count = 1 + self.dice.below(4);
        let one = |babel: &mut Self| SubscribeFilter {
            filter: TopicFilter::new(babel.filter()).unwrap(),
            qos: babel.qos(),
            no_local: babel.dice.below(4) == 0,
            retain_as_published: babel.dice.below(2) == 0,
            retain_handling: babel.dice.choose(&HANDLINGS),
        };
        let filters = (0..count).map(|_| one(self)).collect();
        let (packet_id, user_properties) = (self.id(), Vec::new());
        let subscription_id = self.dice.choose(&[None, None, Some(1), Some(268_435_455)]);
        Subscribe { packet_id, filters, subscription_id, user_properties }
    }

    fn message(&mut self) -> Message {
        let length = self.dice.choose(&[0, 1, 10, 1000, 30_000, limits::UNWRITTEN_BYTES_MAX]);
        let lifetime = self.dice.choose(&[None, None, Some(Duration::from_secs(10))]);
        let properties =
            MessageProperties { message_expiry: lifetime, ..MessageProperties::default() };
        let properties = lifetime.map(|_| Arc::new(properties));
        Message { properties, ..message(self.topic(), &"x".repeat(length)) }
    }

    fn topic(&mut self) -> &'static str {
        self.dice.choose(&["a", "a/b", "a/b/c", "b", "b/b", "/", "maison/x", "$SYS/x", "étage"])
    }

    fn filter(&mut self) -> &'static str {
        self.dice.choose(&[
            "#",
            "a/#",
            "+",
            "a/+",
            "+/b",
            "a/b",
            "a/+/c",
            "$SYS/#",
            "maison/#",
            "$share/g/#",
            "$share/g/a/+",
            "$share/h/a/+",
        ])
    }

    fn qos(&mut self) -> QoS {
        self.dice.choose(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
    }

    fn id(&mut self) -> crate::mqtt::PacketId {
        id(u16::try_from(1 + self.dice.below(60)).unwrap())
    }

    /// Everyone goes, and nothing is left but what is retained.
    fn end(&mut self) {
        for connection in self.open.clone() {
            self.tell(Input::Closed { connection });
        }
        let end = self.now.after(Duration::from_secs(60));
        while let Some(at) = self.broker.deadline() {
            assert!(at <= end, "all ends within the session expiry");
            self.now = self.now.max(at);
            self.tell(Input::Wake);
        }
        self.broker.assert_idle();
        let statistics = self.broker.statistics();
        assert_eq!((statistics.connections, statistics.sessions), (0, 0));
        assert_eq!(statistics.subscriptions, 0);
    }
}
