//! A broker with clients that acknowledge at once, and a list of what they should get.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use maison::access::{ConnectionId, Peer, Policy, Principal, Rights};
use maison::broker::{Bounds, Broker, Input, Keeping, Output, Retention, Settings};
use maison::mqtt::{
    Acknowledgement, Connect, ConnectProperties, Credentials, Delivery, Message, Packet, PacketId,
    Publish, QoS, ReasonCode, RetainHandling, Subscribe, SubscribeFilter, TopicFilter, TopicName,
    Unsubscribe, Version,
};
use maison::time::Tick;

use super::naive;

pub(super) const CLIENTS: usize = 4;

/// More than any session may take by its filters.
const FILTER_BYTES_MANY: usize = 1024 * 1024;

pub(super) struct Hall {
    broker: Broker,
    now: Tick,
    /// What has come and was not looked at.
    arrived: Vec<(usize, Publish)>,
    granted: Vec<ReasonCode>,
    subscriptions: BTreeMap<(usize, String), QoS>,
    retained: BTreeMap<String, (Bytes, QoS)>,
    /// So that each message is another.
    published: u64,
}

/// What a client is to get.
type Copies = Vec<(usize, String, Bytes, QoS)>;

impl Hall {
    pub(super) fn new() -> Self {
        let settings = Settings {
            session_expiry: Duration::from_secs(60),
            queue_messages: None,
            queue_bytes: None,
            bounds: Bounds::default(),
            assigned_prefix: Arc::from("assigned"),
            rights: Rights::new("maison"),
            keeping: Keeping::Nothing,
        };
        let mut hall = Self {
            broker: Broker::new(settings),
            now: Tick::ZERO,
            arrived: Vec::new(),
            granted: Vec::new(),
            subscriptions: BTreeMap::new(),
            retained: BTreeMap::new(),
            published: 0,
        };
        (0..CLIENTS).for_each(|client| hall.connect(client));
        hall
    }

    pub(super) fn publish(&mut self, name: &TopicName, qos: QoS) {
        self.tell_all(name, qos, Retention::None, false);
    }

    /// A message that stays, or one that removes it.
    pub(super) fn retain(&mut self, name: &TopicName, qos: QoS, clears: bool) {
        let payload = self.tell_all(name, qos, Retention::Replaced, clears);
        let topic = name.as_str().to_owned();
        if clears {
            self.retained.remove(&topic);
        } else {
            self.retained.insert(topic, (payload, qos));
        }
        assert_eq!(self.broker.statistics().retained, self.retained.len());
    }

    pub(super) fn subscribe(&mut self, client: usize, filter: &TopicFilter, qos: QoS) {
        if is_shared(filter) {
            return;
        }
        let wanted = SubscribeFilter {
            filter: filter.clone(),
            qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Send,
        };
        let (filters, user_properties) = (vec![wanted], Vec::new());
        let subscribe =
            Subscribe { packet_id: PacketId::MIN, filters, subscription_id: None, user_properties };
        self.say(client, Packet::Subscribe(subscribe));
        if self.granted.pop().is_none_or(ReasonCode::is_failure) {
            let held = self.subscriptions.keys().filter(|(holder, _)| *holder == client);
            let bytes: usize =
                held.map(|(_, text)| text.len() + 100 * text.split('/').count()).sum();
            assert!(bytes > FILTER_BYTES_MANY, "`{filter}` is granted");
            return;
        }
        let expected =
            self.retained.iter().filter(|(topic, _)| naive::matches(filter.as_str(), topic));
        let expected = expected
            .map(|(topic, (payload, kept))| {
                (client, topic.clone(), payload.clone(), qos.min(*kept))
            })
            .collect();
        self.check_arrived(expected, true);
        self.subscriptions.insert((client, filter.as_str().to_owned()), qos);
        self.check_count();
    }

    pub(super) fn unsubscribe(&mut self, client: usize, filter: &TopicFilter) {
        if is_shared(filter) {
            return;
        }
        let (filters, user_properties) = (vec![filter.clone()], Vec::new());
        let unsubscribe = Unsubscribe { packet_id: PacketId::MIN, filters, user_properties };
        self.say(client, Packet::Unsubscribe(unsubscribe));
        self.subscriptions.remove(&(client, filter.as_str().to_owned()));
        self.check_count();
    }

    fn check_count(&self) {
        assert_eq!(self.broker.statistics().subscriptions, self.subscriptions.len());
    }

    /// The gateway publishes, and everyone gets it who should: one copy, at the best quality.
    fn tell_all(&mut self, name: &TopicName, qos: QoS, retention: Retention, empty: bool) -> Bytes {
        self.published += 1;
        let number = Bytes::from(self.published.to_string());
        let payload = if empty { Bytes::new() } else { number };
        let message = Message { topic: name.clone(), payload: payload.clone(), properties: None };
        self.tell(Input::Publish { message, qos, retention });
        let mut best: BTreeMap<usize, QoS> = BTreeMap::new();
        for ((client, filter), granted) in &self.subscriptions {
            if naive::matches(filter, name.as_str()) {
                let known = best.entry(*client).or_default();
                *known = (*known).max(*granted);
            }
        }
        let copy = |(client, granted): (usize, QoS)| {
            (client, name.as_str().to_owned(), payload.clone(), granted.min(qos))
        };
        self.check_arrived(best.into_iter().map(copy).collect(), false);
        payload
    }

    #[track_caller]
    fn check_arrived(&mut self, mut expected: Copies, retained: bool) {
        let arrived = std::mem::take(&mut self.arrived);
        let copy = |(client, publish): (usize, Publish)| {
            assert_eq!((publish.retain, publish.dup), (retained, false));
            let Message { topic, payload, .. } = publish.message;
            (client, topic.as_str().to_owned(), payload, publish.delivery.qos())
        };
        let mut arrived: Copies = arrived.into_iter().map(copy).collect();
        arrived.sort();
        expected.sort();
        assert_eq!(arrived, expected);
    }

    fn connect(&mut self, client: usize) {
        let peer = Peer {
            address: "192.0.2.7:51234".parse().unwrap(),
            listener: Arc::from("tls"),
            policy: Policy::Anonymous,
            certificate: None,
        };
        let connection = id(client);
        let connect = Connect {
            version: Version::V3_1_1,
            client_id: client.to_string().into(),
            clean_start: true,
            keep_alive: Duration::ZERO,
            will: None,
            credentials: Credentials::default(),
            properties: ConnectProperties::default(),
        };
        let packet = Packet::Connect(Box::new(connect));
        self.tell_each([
            Input::Opened { connection, peer: peer.into() },
            Input::Packet { connection, packet },
        ]);
    }

    fn say(&mut self, client: usize, packet: Packet) {
        self.tell(Input::Packet { connection: id(client), packet });
    }

    fn tell(&mut self, input: Input) {
        self.tell_each([input]);
    }

    /// Events with all that follows from them.
    fn tell_each<const COUNT: usize>(&mut self, inputs: [Input; COUNT]) {
        let mut inputs = VecDeque::from(inputs);
        loop {
            while let Some(input) = inputs.pop_front() {
                self.broker.handle(self.now, input);
                while let Some(output) = self.broker.poll() {
                    self.carry_out(output, &mut inputs);
                }
            }
            let Some(at) = self.broker.deadline() else { break };
            self.now = self.now.max(at);
            inputs.push_back(Input::Wake);
        }
        self.broker.check_invariants();
        self.broker.assert_idle();
    }

    fn carry_out(&mut self, output: Output, then: &mut VecDeque<Input>) {
        match output {
            Output::Authenticate { connection, .. } => {
                then.push_back(Input::Verdict { connection, verdict: Ok(Principal::Anonymous) });
            }
            Output::Send { connection, packet } => {
                then.push_back(Input::Written { connection, bytes: packet.weight() });
                if let Some(packet) = self.answer(connection, packet) {
                    then.push_back(Input::Packet { connection, packet });
                }
            }
            Output::Close { connection } => panic!("{connection:?} did nothing wrong"),
            Output::Event(_) => {}
            other @ (Output::Commit(_)
            | Output::Page(_)
            | Output::Pause { .. }
            | Output::Resume { .. }) => panic!("there is no store: {other:?}"),
        }
    }

    fn answer(&mut self, connection: ConnectionId, packet: Packet) -> Option<Packet> {
        match packet {
            Packet::Publish(publish) => {
                let delivery = publish.delivery;
                self.arrived.push((usize::try_from(connection.0).unwrap(), publish));
                match delivery {
                    Delivery::AtMostOnce => None,
                    Delivery::AtLeastOnce(id) => Some(Packet::PubAck(Acknowledgement::success(id))),
                    Delivery::ExactlyOnce(id) => Some(Packet::PubRec(Acknowledgement::success(id))),
                }
            }
            Packet::PubRel(release) => Some(Packet::PubComp(release)),
            Packet::SubAck(answer) => {
                self.granted = answer.reasons;
                None
            }
            _ => None,
        }
    }
}

fn id(client: usize) -> ConnectionId {
    ConnectionId(u64::try_from(client).unwrap())
}

/// Shared subscriptions are of 5.0, and these clients speak 3.1.1.
fn is_shared(filter: &TopicFilter) -> bool {
    filter.as_str().starts_with("$share")
}
