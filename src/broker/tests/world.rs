//! A broker, its clients, and a clock that only the test moves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::access::{ConnectionId, Login, Peer, Policy, Principal, Rights, Verdict};
use crate::broker::{Broker, Event, Input, Output, Settings};
use crate::mqtt::*;
use crate::time::Tick;

pub(super) struct World {
    pub(super) broker: Broker,
    pub(super) now: Tick,
    next: u64,
    inboxes: BTreeMap<ConnectionId, Vec<Packet>>,
    closed: Vec<ConnectionId>,
    pub(super) logins: Vec<(ConnectionId, Login)>,
    pub(super) events: Vec<Event>,
    /// Whether what is sent counts as written at once.
    pub(super) network_is_fast: bool,
}

pub(super) fn settings() -> Settings {
    Settings {
        session_expiry: Duration::from_secs(3600),
        queue_messages: Some(100),
        queue_bytes: Some(100_000),
        rights: Rights::new("maison"),
    }
}

pub(super) fn id(number: u16) -> PacketId {
    PacketId::new(number).unwrap()
}

pub(super) fn connect(client_id: &str, clean_start: bool) -> Connect {
    Connect {
        version: Version::V3_1_1,
        client_id: client_id.into(),
        clean_start,
        keep_alive: Duration::ZERO,
        will: None,
        credentials: Credentials::default(),
        properties: ConnectProperties::default(),
    }
}

pub(super) fn message(topic: &str, payload: &str) -> Message {
    let topic = TopicName::new(topic).unwrap();
    Message { topic, payload: Bytes::copy_from_slice(payload.as_bytes()), properties: None }
}

/// A message as a client sends it; identifier zero is QoS 0.
pub(super) fn publish(qos: QoS, number: u16, topic: &str, payload: &str) -> Publish {
    let delivery = match qos {
        QoS::AtMostOnce => Delivery::AtMostOnce,
        QoS::AtLeastOnce => Delivery::AtLeastOnce(id(number)),
        QoS::ExactlyOnce => Delivery::ExactlyOnce(id(number)),
    };
    let message = message(topic, payload);
    Publish { dup: false, delivery, retain: false, message, subscription_ids: Vec::new() }
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(settings())
    }

    pub(super) fn with(settings: Settings) -> Self {
        Self {
            broker: Broker::new(settings),
            now: Tick::from_micros(1_000_000),
            next: 0,
            inboxes: BTreeMap::new(),
            closed: Vec::new(),
            logins: Vec::new(),
            events: Vec::new(),
            network_is_fast: true,
        }
    }

    pub(super) fn handle(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            self.broker.handle(self.now, input);
            while let Some(output) = self.broker.poll() {
                self.take(output, &mut inputs);
            }
            self.broker.check_invariants();
        }
    }

    fn take(&mut self, output: Output, inputs: &mut Vec<Input>) {
        match output {
            Output::Send { connection, packet } => {
                if self.network_is_fast {
                    inputs.push(Input::Written { connection, bytes: packet.weight() });
                }
                self.inboxes.get_mut(&connection).expect("open").push(packet);
            }
            Output::Close { connection } => {
                self.closed.push(connection);
                inputs.insert(0, Input::Closed { connection });
            }
            Output::Authenticate { connection, login } => self.logins.push((connection, login)),
            Output::Event(event) => self.events.push(event),
        }
    }

    pub(super) fn open(&mut self) -> ConnectionId {
        self.next += 1;
        let connection = ConnectionId(self.next);
        let address = format!("192.0.2.1:{}", 1000 + self.next).parse().unwrap();
        let (listener, policy) = (Arc::from("test"), Policy::Anonymous);
        self.inboxes.insert(connection, Vec::new());
        let peer = Peer { address, listener, policy, certificate: None };
        self.handle(Input::Opened { connection, peer });
        connection
    }

    pub(super) fn send(&mut self, connection: ConnectionId, packet: Packet) {
        self.handle(Input::Packet { connection, packet });
    }

    pub(super) fn publish(&mut self, connection: ConnectionId, publish: Publish) {
        self.send(connection, Packet::Publish(publish));
    }

    /// Opens, says CONNECT, is let in as `user`; says whether a session was present.
    pub(super) fn join_as(&mut self, user: &str, connect: Connect) -> (ConnectionId, bool) {
        let connection = self.open();
        self.send(connection, Packet::Connect(Box::new(connect)));
        assert_eq!(self.logins.pop().expect("a login is checked").0, connection);
        let principal = match user {
            "" => Principal::Anonymous,
            name => Principal::User(Arc::from(name)),
        };
        self.verdict(connection, Ok(principal));
        let mut inbox = self.take_inbox(connection);
        let Packet::ConnAck(answer) = inbox.remove(0) else { panic!("no CONNACK first") };
        assert_eq!(answer.reason, ReasonCode::Success);
        self.inboxes.insert(connection, inbox);
        (connection, answer.session_present)
    }

    pub(super) fn join(&mut self, client_id: &str) -> ConnectionId {
        self.join_as("", connect(client_id, true)).0
    }

    pub(super) fn join_kept(&mut self, client_id: &str) -> ConnectionId {
        self.join_as("", connect(client_id, false)).0
    }

    pub(super) fn verdict(&mut self, connection: ConnectionId, verdict: Verdict) {
        self.handle(Input::Verdict { connection, verdict });
    }

    pub(super) fn subscribe(&mut self, connection: ConnectionId, filter: &str, qos: QoS) {
        let reasons = self.try_subscribe(connection, &[(filter, qos)]);
        assert!(!reasons[0].is_failure(), "{reasons:?}");
    }

    pub(super) fn try_subscribe(
        &mut self,
        connection: ConnectionId,
        filters: &[(&str, QoS)],
    ) -> Vec<ReasonCode> {
        let filter = |(filter, qos): &(&str, QoS)| SubscribeFilter {
            filter: TopicFilter::new(*filter).unwrap(),
            qos: *qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Send,
        };
        let filters = filters.iter().map(filter).collect();
        let packet_id = id(99);
        self.send(
            connection,
            Packet::Subscribe(Subscribe {
                packet_id,
                filters,
                subscription_id: None,
                user_properties: Vec::new(),
            }),
        );
        let Packet::SubAck(answer) = self.inboxes.get_mut(&connection).unwrap().remove(0) else {
            panic!("no SUBACK first")
        };
        assert_eq!(answer.packet_id, packet_id);
        answer.reasons
    }

    /// Everything that arrived since the last look.
    pub(super) fn take_inbox(&mut self, connection: ConnectionId) -> Vec<Packet> {
        std::mem::take(self.inboxes.get_mut(&connection).expect("a connection of this world"))
    }

    /// Messages that arrived since the last look; nothing else may have.
    pub(super) fn messages(&mut self, connection: ConnectionId) -> Vec<Publish> {
        let inbox = self.take_inbox(connection).into_iter();
        inbox
            .map(|packet| match packet {
                Packet::Publish(publish) => publish,
                other => panic!("not a message: {other:?}"),
            })
            .collect()
    }

    /// `topic=payload` of each message that arrived; all are acknowledged to the end.
    pub(super) fn read(&mut self, connection: ConnectionId) -> Vec<String> {
        let mut read = Vec::new();
        loop {
            let inbox = self.take_inbox(connection);
            if inbox.is_empty() {
                return read;
            }
            for packet in inbox {
                self.answer(connection, &packet);
                if let Packet::Publish(publish) = packet {
                    let payload = String::from_utf8_lossy(&publish.message.payload).into_owned();
                    read.push(format!("{}={payload}", publish.message.topic.as_str()));
                }
            }
        }
    }

    /// As a well-behaved client does.
    pub(super) fn answer(&mut self, connection: ConnectionId, packet: &Packet) {
        let success = Acknowledgement::success;
        match packet {
            Packet::Publish(publish) => match publish.delivery {
                Delivery::AtMostOnce => {}
                Delivery::AtLeastOnce(id) => self.send(connection, Packet::PubAck(success(id))),
                Delivery::ExactlyOnce(id) => self.send(connection, Packet::PubRec(success(id))),
            },
            Packet::PubRel(release) => {
                self.send(connection, Packet::PubComp(success(release.packet_id)));
            }
            _ => {}
        }
    }

    pub(super) fn lose(&mut self, connection: ConnectionId) {
        self.handle(Input::Closed { connection });
        self.closed.push(connection);
    }

    pub(super) fn leave(&mut self, connection: ConnectionId) {
        let (reason, properties) = (ReasonCode::Success, DisconnectProperties::default());
        self.send(connection, Packet::Disconnect(Box::new(Disconnect { reason, properties })));
        assert!(self.is_closed(connection));
    }

    pub(super) fn is_closed(&self, connection: ConnectionId) -> bool {
        self.closed.contains(&connection)
    }

    /// Lets time pass, waking the broker at each of its deadlines.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now.after(time);
        while let Some(deadline) = self.broker.deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            self.handle(Input::Wake);
            let next = self.broker.deadline();
            assert!(next.is_none_or(|next| next > self.now), "a deadline is met by waking");
        }
        self.now = end;
    }

    /// The end of each story: everyone leaves, the sessions expire, and nothing is left.
    pub(super) fn end(mut self) {
        let open: Vec<ConnectionId> = self.inboxes.keys().copied().collect();
        for connection in open {
            if !self.is_closed(connection) {
                self.lose(connection);
            }
        }
        self.pass(Duration::from_secs(3601));
        let sizes = self.broker.sizes();
        assert_eq!((sizes.connections, sizes.sessions, sizes.subscriptions), (0, 0, 0));
        assert_eq!((sizes.queued, sizes.in_flight, sizes.unreleased), (0, 0, 0));
        assert_eq!(self.broker.timers.len(), 0, "no timer is left");
    }
}
