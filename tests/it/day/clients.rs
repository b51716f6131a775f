//! Subscribers that behave as the standard says, also when their link is cut.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use maison::access::{ConnectionId, Peer, Policy};
use maison::broker::Input;
use maison::mqtt::{
    Acknowledgement, Connect, ConnectProperties, Credentials, Delivery, Disconnect,
    DisconnectProperties, Packet, PacketId, QoS, ReasonCode, RetainHandling, Subscribe,
    SubscribeFilter, TopicFilter, Version,
};

use super::house::House;

/// How long the broker keeps the client's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lifetime {
    Connection,
    Persistent,
}

/// A subscriber to one filter.
pub(super) struct Client {
    /// Topic and payload of each message that was not retained, in order.
    pub(super) log: Vec<(String, String)>,
    /// The last payload of each topic, but where it was empty.
    pub(super) shown: BTreeMap<String, String>,
    name: &'static str,
    lifetime: Lifetime,
    qos: QoS,
    filter: &'static str,
    connection: Option<ConnectionId>,
    /// QoS 2 messages that were taken and not released.
    taken: HashSet<PacketId>,
    subscribed: bool,
}

impl Client {
    pub(super) fn new(
        name: &'static str,
        lifetime: Lifetime,
        qos: QoS,
        filter: &'static str,
    ) -> Self {
        Self {
            log: Vec::new(),
            shown: BTreeMap::new(),
            name,
            lifetime,
            qos,
            filter,
            connection: None,
            taken: HashSet::new(),
            subscribed: false,
        }
    }

    pub(super) fn join(&mut self, house: &mut House) {
        let connection = house.open();
        let (address, listener) = ("192.0.2.1:4000".parse().unwrap(), Arc::from("day"));
        let peer = Peer { address, listener, policy: Policy::Anonymous, certificate: None };
        house.tell(Input::Opened { connection, peer: peer.into() });
        self.connection = Some(connection);
        self.send(
            house,
            Packet::Connect(Box::new(Connect {
                version: Version::V3_1_1,
                client_id: self.name.into(),
                clean_start: self.lifetime == Lifetime::Connection,
                keep_alive: Duration::ZERO,
                will: None,
                credentials: Credentials::default(),
                properties: ConnectProperties::default(),
            })),
        );
        if !self.subscribed || self.lifetime == Lifetime::Connection {
            self.subscribe(house);
        }
    }

    fn subscribe(&mut self, house: &mut House) {
        self.subscribed = true;
        let filter = SubscribeFilter {
            filter: TopicFilter::new(self.filter).unwrap(),
            qos: self.qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Send,
        };
        self.send(
            house,
            Packet::Subscribe(Subscribe {
                packet_id: PacketId::MIN,
                filters: vec![filter],
                subscription_id: None,
                user_properties: Vec::new(),
            }),
        );
    }

    pub(super) fn leave(&mut self, house: &mut House) {
        self.read_all(house);
        let (reason, properties) = (ReasonCode::Success, DisconnectProperties::default());
        self.send(house, Packet::Disconnect(Box::new(Disconnect { reason, properties })));
        house.close(self.connection.take().unwrap());
    }

    /// Some packets arrive, of some the answers do not; then the link is gone.
    pub(super) fn lose_link_in_the_middle(&mut self, house: &mut House) {
        let Some(connection) = self.connection.take() else { return };
        for _ in 0..house.chance.below(6) {
            let Some(packet) = house.arrived(connection) else { break };
            if let Some(answer) = self.take(&packet) {
                if house.chance.below(2) == 0 {
                    break;
                }
                house.tell(Input::Packet { connection, packet: answer });
            }
        }
        house.close(connection);
    }

    /// Reads and answers until nothing more comes.
    pub(super) fn read_all(&mut self, house: &mut House) {
        let Some(connection) = self.connection else { return };
        while let Some(packet) = house.arrived(connection) {
            if let Some(answer) = self.take(&packet) {
                house.tell(Input::Packet { connection, packet: answer });
            }
        }
    }

    fn send(&self, house: &mut House, packet: Packet) {
        let connection = self.connection.expect("connected");
        house.tell(Input::Packet { connection, packet });
    }

    /// What the standard has a receiver do with a packet, and its answer.
    fn take(&mut self, packet: &Packet) -> Option<Packet> {
        let success = Acknowledgement::success;
        match packet {
            Packet::Publish(publish) => {
                let is_new = match publish.delivery {
                    Delivery::AtMostOnce | Delivery::AtLeastOnce(_) => true,
                    Delivery::ExactlyOnce(packet_id) => self.taken.insert(packet_id),
                };
                if is_new {
                    self.keep(packet);
                }
                match publish.delivery {
                    Delivery::AtMostOnce => None,
                    Delivery::AtLeastOnce(packet_id) => Some(Packet::PubAck(success(packet_id))),
                    Delivery::ExactlyOnce(packet_id) => Some(Packet::PubRec(success(packet_id))),
                }
            }
            Packet::PubRel(release) => {
                self.taken.remove(&release.packet_id);
                Some(Packet::PubComp(success(release.packet_id)))
            }
            _ => None,
        }
    }

    fn keep(&mut self, packet: &Packet) {
        let Packet::Publish(publish) = packet else { return };
        let topic = publish.message.topic.as_str().to_owned();
        let payload = String::from_utf8(publish.message.payload.to_vec()).unwrap();
        if payload.is_empty() {
            self.shown.remove(&topic);
        } else {
            self.shown.insert(topic.clone(), payload.clone());
        }
        if !publish.retain {
            self.log.push((topic, payload));
        }
    }
}
