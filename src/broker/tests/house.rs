//! A broker with clients on wires that never fail, unless a test cuts them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::super::record::Batch;
use super::super::{Bounds, Broker, Event, Input, Keeping, Output, Retention, Settings};
use super::disk::Disk;
use crate::access::{
    Certificate, ConnectionId, Issuer, Login, Peer, Policy, Principal, Refusal, Rights, Verdict,
};
use crate::mqtt::{
    Connect, ConnectAcknowledgement, Delivery, Disconnect, DisconnectProperties, Message, Packet,
    PacketId, Publish, QoS, ReasonCode, Subscribe, SubscribeAcknowledgement, SubscribeFilter,
    TopicFilter, Unsubscribe,
};
use crate::time::Tick;

mod disks;
mod packets;
mod reader;

use disks::AT_ONCE;
pub(super) use disks::DiskMode;
pub(super) use packets::*;
pub(super) use reader::Reader;

/// Messages under way to a client, unless a test says otherwise.
pub(super) const WINDOW: usize = 20;

/// A connection, from the client's end.
pub(super) type Client = ConnectionId;

/// The broker, and for each connection what has arrived at the client.
pub(super) struct House {
    pub(super) broker: Broker,
    pub(super) now: Tick,
    pub(super) events: Vec<Event>,
    pub(super) logins: VecDeque<(Client, Login)>,
    /// Whether logins are answered at once.
    pub(super) gate: Gate,
    wires: BTreeMap<Client, Wire>,
    opened: u64,
    pub(super) settings: Settings,
    pub(super) disk: Disk,
    pub(super) disk_mode: DiskMode,
    /// Those that a slow disk has not written yet.
    batches: VecDeque<Batch>,
    /// Of whom nothing is read.
    paused: BTreeSet<Client>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    Answers,
    Waits,
}

#[derive(Default)]
struct Wire {
    reader: Reader,
    arrived: VecDeque<Packet>,
    stuck: Option<usize>,
    closed: bool,
}

impl House {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    /// A house with settings of its own.
    pub(super) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings {
            session_expiry: Duration::from_secs(3600),
            queue_messages: Some(100),
            queue_bytes: Some(100_000),
            bounds: Bounds { inflight_to_client: WINDOW, ..Bounds::default() },
            assigned_prefix: "assigned".into(),
            rights: Rights::new("maison"),
            keeping: AT_ONCE,
        };
        change(&mut settings);
        Self {
            settings: settings.clone(),
            disk: Disk::default(),
            disk_mode: DiskMode::Works,
            batches: VecDeque::new(),
            paused: BTreeSet::new(),
            broker: Broker::new(settings),
            now: Tick::ZERO,
            events: Vec::new(),
            logins: VecDeque::new(),
            gate: Gate::Answers,
            wires: BTreeMap::new(),
            opened: 0,
        }
    }

    // ---- the shell

    /// Gives the broker one event, carries out what it wants, and checks it.
    pub(super) fn tell(&mut self, input: Input) {
        self.broker.handle(self.now, input);
        let mut then = Vec::new();
        while let Some(output) = self.broker.poll() {
            then.extend(self.carry_out(output));
        }
        self.broker.check_invariants();
        for input in then {
            self.tell(input);
        }
        let is_kept = self.settings.keeping != Keeping::Nothing;
        if is_kept && self.broker.deadline().is_some_and(|at| at <= self.now) {
            self.tell(Input::Wake);
        }
    }

    fn carry_out(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Send { connection, packet } => {
                let wire = self.wires.get_mut(&connection).expect("sent to a wire that is there");
                assert!(!wire.closed, "nothing is sent after the close");
                wire.reader.check(&packet);
                let bytes = packet.weight();
                wire.arrived.push_back(packet);
                if let Some(stuck) = &mut wire.stuck {
                    *stuck += bytes;
                    return None;
                }
                Some(Input::Written { connection, bytes })
            }
            Output::Close { connection } => {
                let wire = self.wires.get_mut(&connection).expect("closes a wire that is there");
                wire.closed = true;
                Some(Input::Closed { connection })
            }
            Output::Authenticate { connection, login } => {
                self.logins.push_back((connection, *login));
                (self.gate == Gate::Answers).then(|| self.answer_login())
            }
            Output::Event(event) => {
                self.events.push(event);
                None
            }
            Output::Commit(batch) => self.keep(batch),
            Output::Page(wish) => Some(Input::Paged(self.disk.page(&wish))),
            Output::Pause { connection } => {
                self.paused.insert(connection);
                None
            }
            Output::Resume { connection } => {
                self.paused.remove(&connection);
                None
            }
        }
    }

    fn answer_login(&mut self) -> Input {
        let (connection, login) = self.logins.pop_front().expect("a login waits");
        Input::Verdict { connection, verdict: verdict(&login) }
    }

    /// Answers the oldest login that waits.
    pub(super) fn open_gate(&mut self) {
        let input = self.answer_login();
        self.tell(input);
    }

    /// Lets time pass, waking the broker when it asks for it.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now.after(time);
        while let Some(at) = self.broker.deadline().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            self.tell(Input::Wake);
        }
        self.now = end;
    }

    /// Nothing is left: nobody has unread packets, nothing is under way.
    #[track_caller]
    pub(super) fn is_at_rest(&self) {
        for (client, wire) in &self.wires {
            assert!(wire.arrived.is_empty(), "{client:?} has unread: {:?}", wire.arrived);
        }
        self.broker.assert_idle();
        let mut other = Broker::new(self.settings.clone());
        other.restore(self.now, self.disk.restore());
        self.broker.assert_keeps_as(&other);
    }

    // ---- wires

    pub(super) fn is_paused(&self, client: Client) -> bool {
        self.paused.contains(&client)
    }

    pub(super) fn open(&mut self) -> Client {
        self.open_with(|_| {})
    }

    pub(super) fn open_with(&mut self, change: impl FnOnce(&mut Peer)) -> Client {
        self.opened += 1;
        let connection = ConnectionId(self.opened);
        let mut peer = Peer {
            address: "192.0.2.7:51234".parse().unwrap(),
            listener: Arc::from("tls"),
            policy: Policy::Password,
            certificate: None,
        };
        change(&mut peer);
        self.wires.insert(connection, Wire::default());
        self.tell(Input::Opened { connection, peer: peer.into() });
        connection
    }

    pub(super) fn send(&mut self, client: Client, packet: Packet) {
        if let Packet::Connect(connect) = &packet {
            self.wire(client).reader = Reader::of(connect);
        }
        self.tell(Input::Packet { connection: client, packet });
    }

    /// The wire breaks; what was not read is lost.
    pub(super) fn cut(&mut self, client: Client) {
        let wire = self.wire(client);
        wire.closed = true;
        wire.arrived.clear();
        self.tell(Input::Closed { connection: client });
    }

    /// The client stops reading.
    pub(super) fn stick(&mut self, client: Client) {
        self.wire(client).stuck = Some(0);
    }

    /// The client reads again.
    pub(super) fn unstick(&mut self, client: Client) {
        let bytes = self.wire(client).stuck.take().expect("it was stuck");
        self.tell(Input::Written { connection: client, bytes });
    }

    pub(super) fn is_stuck(&self, client: Client) -> bool {
        self.wires[&client].stuck.is_some()
    }

    pub(super) fn is_closed(&self, client: Client) -> bool {
        self.wires[&client].closed
    }

    fn wire(&mut self, client: Client) -> &mut Wire {
        self.wires.get_mut(&client).expect("a wire that is there")
    }

    /// How many packets have arrived and were not read.
    pub(super) fn unread(&self, client: Client) -> usize {
        self.wires[&client].arrived.len()
    }

    /// The next packet that has arrived.
    #[track_caller]
    pub(super) fn read(&mut self, client: Client) -> Packet {
        self.wire(client).arrived.pop_front().expect("something has arrived")
    }

    #[track_caller]
    pub(super) fn reads(&mut self, client: Client, expected: &Packet) {
        assert_eq!(self.read(client), *expected);
    }

    #[track_caller]
    pub(super) fn reads_nothing(&mut self, client: Client) {
        let arrived = &self.wire(client).arrived;
        assert!(arrived.is_empty(), "{arrived:?}");
    }

    // ---- what clients do

    /// Connects with a clean session.
    #[track_caller]
    pub(super) fn connect(&mut self, client_id: &str) -> Client {
        self.connect_as(clean(client_id)).0
    }

    /// Connects and is let in.
    #[track_caller]
    pub(super) fn connect_as(&mut self, connect: Connect) -> (Client, SessionPresent) {
        let (client, answer) = self.try_connect(connect);
        assert_eq!(answer.reason, ReasonCode::Success);
        (client, SessionPresent(answer.session_present))
    }

    #[track_caller]
    pub(super) fn try_connect(&mut self, connect: Connect) -> (Client, ConnectAcknowledgement) {
        let client = self.open();
        self.send(client, Packet::Connect(Box::new(connect)));
        match self.read(client) {
            Packet::ConnAck(answer) => (client, *answer),
            other => panic!("no CONNACK: {other:?}"),
        }
    }

    pub(super) fn disconnect(&mut self, client: Client) {
        let (reason, properties) = (ReasonCode::Success, DisconnectProperties::default());
        self.send(client, Packet::Disconnect(Box::new(Disconnect { reason, properties })));
    }

    #[track_caller]
    pub(super) fn subscribe(&mut self, client: Client, filter: &str, qos: QoS) {
        let reason = match qos {
            QoS::AtMostOnce => ReasonCode::Success,
            QoS::AtLeastOnce => ReasonCode::GrantedQoS1,
            QoS::ExactlyOnce => ReasonCode::GrantedQoS2,
        };
        assert_eq!(self.subscribe_all(client, &[(filter, qos)]), [reason]);
    }

    #[track_caller]
    pub(super) fn subscribe_all(
        &mut self,
        client: Client,
        filters: &[(&str, QoS)],
    ) -> Vec<ReasonCode> {
        let filters = filters.iter().map(|&(filter, qos)| wanted(filter, qos));
        self.subscribe_packet(client, filters.collect(), None).reasons
    }

    #[track_caller]
    pub(super) fn subscribe_packet(
        &mut self,
        client: Client,
        filters: Vec<SubscribeFilter>,
        subscription_id: Option<u32>,
    ) -> SubscribeAcknowledgement {
        self.send_subscribe_packet(client, filters, subscription_id);
        match self.read(client) {
            Packet::SubAck(answer) if answer.packet_id == id(77) => answer,
            other => panic!("no SUBACK: {other:?}"),
        }
    }

    pub(super) fn send_subscribe(&mut self, client: Client, filter: &str, qos: QoS) {
        self.send_subscribe_packet(client, vec![wanted(filter, qos)], None);
    }

    fn send_subscribe_packet(
        &mut self,
        client: Client,
        filters: Vec<SubscribeFilter>,
        subscription_id: Option<u32>,
    ) {
        let (packet_id, user_properties) = (id(77), Vec::new());
        let subscribe = Subscribe { packet_id, filters, subscription_id, user_properties };
        self.send(client, Packet::Subscribe(subscribe));
    }

    #[track_caller]
    pub(super) fn unsubscribe(&mut self, client: Client, filter: &str) {
        self.send_unsubscribe(client, filter);
        match self.read(client) {
            Packet::UnsubAck(answer) => assert_eq!(answer.packet_id, id(78)),
            other => panic!("no UNSUBACK: {other:?}"),
        }
    }

    pub(super) fn unsubscribe_all(&mut self, client: Client, filters: &[&str]) {
        self.wire(client).arrived.clear();
        for filter in filters {
            self.unsubscribe(client, filter);
        }
    }

    pub(super) fn send_unsubscribe(&mut self, client: Client, filter: &str) {
        let filters = vec![TopicFilter::new(filter.to_owned()).unwrap()];
        let unsubscribe = Unsubscribe { packet_id: id(78), filters, user_properties: Vec::new() };
        self.send(client, Packet::Unsubscribe(unsubscribe));
    }

    /// Publishes and completes the exchange.
    #[track_caller]
    pub(super) fn publish(&mut self, client: Client, topic: &str, payload: &str, qos: QoS) {
        self.publish_packet(client, publish(topic, payload, qos));
    }

    /// Publishes a message that is to be retained, and completes the exchange.
    #[track_caller]
    pub(super) fn retain(&mut self, client: Client, topic: &str, payload: &str, qos: QoS) {
        self.publish_packet(client, Publish { retain: true, ..publish(topic, payload, qos) });
    }

    #[track_caller]
    pub(super) fn publish_packet(&mut self, client: Client, publish: Publish) {
        let delivery = publish.delivery;
        self.send(client, Packet::Publish(publish));
        match delivery {
            Delivery::AtMostOnce => {}
            Delivery::AtLeastOnce(id) => self.reads(client, &Packet::PubAck(success(id))),
            Delivery::ExactlyOnce(id) => {
                self.reads(client, &Packet::PubRec(success(id)));
                self.send(client, Packet::PubRel(success(id)));
                self.reads(client, &Packet::PubComp(success(id)));
            }
        }
    }

    /// The gateway publishes.
    pub(super) fn reading(&mut self, message: Message, qos: QoS, retain: bool) {
        let retention = if retain { Retention::Replaced } else { Retention::None };
        self.tell(Input::Publish { message, qos, retention });
    }

    /// Reads a message, as [`heard`] writes it, without acknowledging it.
    #[track_caller]
    pub(super) fn gets(&mut self, client: Client, expected: &str) -> PacketId {
        let publish = self.gets_any(client);
        assert_eq!(heard(&publish), expected);
        packet_id(&publish).unwrap_or(PacketId::MAX)
    }

    #[track_caller]
    pub(super) fn gets_any(&mut self, client: Client) -> Publish {
        match self.read(client) {
            Packet::Publish(publish) => publish,
            other => panic!("no PUBLISH: {other:?}"),
        }
    }

    /// Reads a message, as [`heard`] writes it, and completes the exchange.
    #[track_caller]
    pub(super) fn hears(&mut self, client: Client, expected: &str) {
        let publish = self.gets_any(client);
        assert_eq!(heard(&publish), expected);
        match publish.delivery {
            Delivery::AtMostOnce => {}
            Delivery::AtLeastOnce(id) => self.send(client, Packet::PubAck(success(id))),
            Delivery::ExactlyOnce(id) => self.take_over(client, id),
        }
    }

    /// PUBREC, PUBREL, PUBCOMP, from the receiver's end; other packets may come in between.
    #[track_caller]
    pub(super) fn take_over(&mut self, client: Client, id: PacketId) {
        self.send(client, Packet::PubRec(success(id)));
        let release = self.wire(client).arrived.pop_back().expect("a PUBREL");
        assert_eq!(release, Packet::PubRel(success(id)));
        self.send(client, Packet::PubComp(success(id)));
    }
}

/// One of our own authority.
pub(super) fn certificate(name: &str) -> Certificate {
    let (name, serial) = (name.to_owned(), format!("of-{name}"));
    Certificate { name, serial, issuer: Issuer::Own, chain: Arc::default() }
}

/// What a CONNACK says of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SessionPresent(pub(super) bool);

/// A client gets in as the user it names, unless its password is `wrong`.
fn verdict(login: &Login) -> Verdict {
    if login.password.as_deref() == Some(b"wrong") {
        return Err(Refusal::BadPassword);
    }
    let user = login.user.as_deref().or(login.certificate.as_ref().map(|it| &*it.name));
    Ok(user.map_or(Principal::Anonymous, |user| Principal::User(Arc::from(user))))
}
