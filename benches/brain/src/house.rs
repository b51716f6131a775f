//! A broker with a shell that costs next to nothing: clients answer at once, and so does the disk.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;

use crate::access::{ConnectionId, Peer, Policy, Principal, Rights};
use crate::broker::{Bounds, Broker, Delays, Input, Keeping, Output, Retention, Settings};
use crate::mqtt::{
    Acknowledgement, Connect, ConnectProperties, Credentials, Delivery, Disconnect,
    DisconnectProperties, Message, Packet, PacketId, Publish, QoS, ReasonCode, RetainHandling,
    Subscribe, SubscribeFilter, TopicFilter, TopicName, Version,
};
use crate::time::Tick;

/// Messages between two looks at the clock.
const BATCH: usize = 20;
const PAYLOAD: &[u8; 64] = &[b'x'; 64];

pub struct House {
    broker: Broker,
    now: Tick,
    connections: u64,
    waiting: VecDeque<Input>,
    /// Messages that clients were sent.
    pub delivered: usize,
    /// What the disk was told.
    pub kept: usize,
}

impl House {
    /// With all as by default, but for queues without bounds.
    pub fn new() -> Self {
        let settings = Settings {
            session_expiry: Duration::from_secs(3600),
            queue_messages: None,
            queue_bytes: None,
            bounds: Bounds::default(),
            assigned_prefix: "assigned".into(),
            rights: Rights::new("maison"),
            keeping: Keeping::All(Delays::default()),
        };
        let (broker, now, waiting) = (Broker::new(settings), Tick::ZERO, VecDeque::new());
        Self { broker, now, connections: 0, waiting, delivered: 0, kept: 0 }
    }

    /// A client that is in.
    pub fn client(&mut self, clean_start: bool) -> ConnectionId {
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        let peer = Peer {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 1)),
            listener: Arc::from("listener"),
            policy: Policy::Anonymous,
            certificate: None,
        };
        self.tell(Input::Opened { connection, peer: peer.into() });
        let connect = Connect {
            version: Version::V3_1_1,
            client_id: ByteString::from(format!("client-{}", connection.0)),
            clean_start,
            keep_alive: Duration::ZERO,
            will: None,
            credentials: Credentials::default(),
            properties: ConnectProperties::default(),
        };
        self.says(connection, Packet::Connect(Box::new(connect)));
        connection
    }

    pub fn subscriber(&mut self, filter: &str, qos: QoS) -> ConnectionId {
        let client = self.client(qos == QoS::AtMostOnce);
        self.subscribe(client, filter, qos);
        client
    }

    pub fn subscribe(&mut self, client: ConnectionId, filter: &str, qos: QoS) {
        let filter = SubscribeFilter {
            filter: TopicFilter::new(filter).expect("a filter"),
            qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Send,
        };
        let subscribe = Subscribe {
            packet_id: PacketId::MIN,
            filters: vec![filter],
            subscription_id: None,
            user_properties: Vec::new(),
        };
        self.says(client, Packet::Subscribe(subscribe));
        self.pass();
    }

    pub fn leaves(&mut self, connection: ConnectionId) {
        let properties = DisconnectProperties::default();
        let disconnect = Disconnect { reason: ReasonCode::Success, properties };
        self.says(connection, Packet::Disconnect(Box::new(disconnect)));
        self.pass();
    }

    /// Publishes one message for each of these topics, and waits until all is done.
    pub fn publish(&mut self, publisher: ConnectionId, topics: &[TopicName], qos: QoS) {
        for batch in topics.chunks(BATCH) {
            for (id, topic) in (1..).zip(batch) {
                let publish = message(topic.clone(), PacketId::new(id).expect("not 0"), qos);
                self.says(publisher, Packet::Publish(publish));
            }
            self.pass();
        }
    }

    /// The gateway publishes one retained message for each of these topics.
    pub fn tell_readings(&mut self, topics: &[TopicName]) {
        for batch in topics.chunks(BATCH) {
            for topic in batch {
                let message = message(topic.clone(), PacketId::MIN, QoS::AtMostOnce).message;
                let (qos, retention) = (QoS::ExactlyOnce, Retention::Replaced);
                self.tell(Input::Publish { message, qos, retention });
            }
            self.pass();
        }
    }

    fn says(&mut self, connection: ConnectionId, packet: Packet) {
        self.tell(Input::Packet { connection, packet });
    }

    /// A millisecond, and what is due.
    fn pass(&mut self) {
        self.now = self.now.after(Duration::from_millis(1));
        while self.broker.deadline().is_some_and(|at| at <= self.now) {
            self.tell(Input::Wake);
        }
    }

    fn tell(&mut self, input: Input) {
        self.waiting.push_back(input);
        while let Some(input) = self.waiting.pop_front() {
            self.broker.handle(self.now, input);
            while let Some(output) = self.broker.poll() {
                self.carry_out(output);
            }
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Send { connection, packet } => {
                let bytes = packet.weight();
                self.waiting.push_back(Input::Written { connection, bytes });
                if let Some(packet) = self.answer(&packet) {
                    self.waiting.push_back(Input::Packet { connection, packet });
                }
            }
            Output::Authenticate { connection, .. } => {
                let verdict = Ok(Principal::Anonymous);
                self.waiting.push_back(Input::Verdict { connection, verdict });
            }
            Output::Commit(batch) => {
                self.kept += batch.changes.len();
                self.waiting.push_back(Input::Committed { number: batch.number, outcome: Ok(()) });
            }
            Output::Close { connection } => self.waiting.push_back(Input::Closed { connection }),
            Output::Page(_) => unreachable!("nothing has left the memory"),
            Output::Pause { .. } | Output::Resume { .. } | Output::Event(_) => {}
        }
    }

    /// What a client says to that.
    fn answer(&mut self, packet: &Packet) -> Option<Packet> {
        let success = Acknowledgement::success;
        match packet {
            Packet::Publish(publish) => {
                self.delivered += 1;
                match publish.delivery {
                    Delivery::AtMostOnce => None,
                    Delivery::AtLeastOnce(id) => Some(Packet::PubAck(success(id))),
                    Delivery::ExactlyOnce(id) => Some(Packet::PubRec(success(id))),
                }
            }
            Packet::PubRec(received) => Some(Packet::PubRel(success(received.packet_id))),
            Packet::PubRel(released) => Some(Packet::PubComp(success(released.packet_id))),
            _ => None,
        }
    }
}

impl Default for House {
    fn default() -> Self {
        Self::new()
    }
}

pub fn message(topic: TopicName, id: PacketId, qos: QoS) -> Publish {
    let delivery = match qos {
        QoS::AtMostOnce => Delivery::AtMostOnce,
        QoS::AtLeastOnce => Delivery::AtLeastOnce(id),
        QoS::ExactlyOnce => Delivery::ExactlyOnce(id),
    };
    let message = Message { topic, payload: Bytes::from_static(PAYLOAD), properties: None };
    Publish { dup: false, delivery, retain: false, message, subscription_ids: Vec::new() }
}
