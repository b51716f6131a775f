//! What clients and the gateway do; what befalls them is in `faults`.

use std::time::Duration;

use bytes::Bytes;

use super::super::super::{Input, Retention};
use super::client::{SHARED_IDS, Stage};
use super::model::Sight;
use super::plan::{FILTERS, GROUPS, OWN_TOPICS, SHARED_TOPICS, TOPICS, WIDE_FILTERS};
use super::world::{CLIENTS, World, publisher};
use crate::access::ConnectionId;
use crate::mqtt::{
    Connect, ConnectProperties, Credentials, Delivery, Disconnect, DisconnectProperties, Message,
    MessageProperties, Packet, Publish, QoS, ReasonCode, RetainHandling, Subscribe,
    SubscribeFilter, TopicFilter, TopicName, Unsubscribe, UserProperty, Version, Will,
    WillProperties,
};

const QUALITIES: &[QoS] = &[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

impl World {
    /// Somebody does something, or something happens.
    pub(super) fn step(&mut self) {
        if self.dice.below(1000) < self.plan.faults {
            self.fault();
        }
        match self.dice.below(12) {
            0..4 => self.client_acts(),
            4..6 => self.up(),
            6..9 => self.down(),
            9 if !self.logins.is_empty() => {
                let place = self.place(self.logins.len());
                self.answer_login(place);
            }
            9 => self.gateway_publishes(),
            10 => self.time_passes(),
            _ => self.link_ends(),
        }
    }

    /// Like [`slice::choose`] of the dice, for what is no slice.
    pub(super) fn place(&mut self, places: usize) -> usize {
        usize::try_from(self.dice.below(places.try_into().unwrap())).unwrap()
    }

    pub(super) fn one_in(&mut self, many: u64) -> bool {
        self.dice.below(many) == 0
    }

    fn some_link(&mut self) -> Option<ConnectionId> {
        let places = self.links.len();
        let place = if places == 0 { return None } else { self.place(places) };
        self.links.keys().nth(place).copied()
    }

    fn up(&mut self) {
        for _ in 0..4 {
            let packets = 1 + self.place(4);
            if let Some(link) = self.some_link() {
                self.deliver_up(link, packets);
                self.trickle(link);
            }
        }
    }

    /// Packets need not arrive whole.
    fn trickle(&mut self, link: ConnectionId) {
        let bytes = self.place(40);
        if self.one_in(3)
            && let Some(link) = self.links.get_mut(&link)
        {
            link.trickle(bytes);
        }
    }

    fn down(&mut self) {
        for _ in 0..4 {
            let packets = 1 + self.place(6);
            if let Some(link) = self.some_link() {
                self.write(link, packets);
                if self.dice.below(4) > 0 {
                    self.read(link, packets);
                    self.trickle(link);
                }
            }
        }
    }

    fn time_passes(&mut self) {
        let micros = match self.dice.below(40) {
            0 | 1 => 10_000_000,
            2..6 => 1_000_000,
            _ => 30_000,
        };
        let time = Duration::from_micros(self.dice.below(micros));
        self.pass(time);
    }

    /// The broker hears that a link is gone, or that it has closed it.
    fn link_ends(&mut self) {
        let Some(link) = self.some_link() else { return };
        if self.links[&link].abandoned && self.links[&link].has_said_all()
            || self.links[&link].closed
        {
            self.end_link(link);
        }
    }

    fn client_acts(&mut self) {
        let client = self.place(CLIENTS);
        let stage = self.clients[client].stage;
        match stage {
            Stage::Away => {
                if self.now >= self.clients[client].away_until && self.one_in(3) {
                    let connect = self.connect(client);
                    self.open(client, connect);
                }
            }
            Stage::Asking(_) if self.one_in(30) => self.let_go(client, 1),
            Stage::Asking(_) => {}
            Stage::In(_) if self.now < self.clients[client].silent_until => {}
            Stage::In(_) => match self.dice.below(100) {
                0..3 => self.disconnect(client),
                3..18 => self.subscribe(client),
                18..23 => self.unsubscribe(client),
                _ => self.publish(client),
            },
        }
    }

    // ---- what clients say

    /// Any CONNECT that a client can say.
    fn connect(&mut self, client: usize) -> Connect {
        let (wants_clean, has_wrong_password) = (self.one_in(5), self.one_in(20));
        let version = self.version(client);
        let index = u64::try_from(client).unwrap();
        let expiry = self.dice.choose(&[Some(0), Some(5), Some(25), Some(1000), None, None]);
        let mut properties = ConnectProperties::default();
        if version == Version::V5 {
            let seconds = |seconds| if seconds > 0 { seconds + index } else { 0 };
            properties.session_expiry = expiry.map(seconds).map(Duration::from_secs);
            properties.receive_maximum =
                self.dice.choose(&[1, 2, 5, u16::MAX, u16::MAX]).try_into().unwrap();
            properties.request_problem_information = self.one_in(2);
            properties.topic_alias_maximum = self.dice.choose(&[0, 0, 2, 10]);
            if self.plan.packet_sizes {
                properties.maximum_packet_size = self.dice.choose(&[None, Some(70), Some(100)]);
            }
        }
        let will = (self.plan.wills && self.one_in(2)).then(|| self.will(client));
        let choices = if self.plan.keep_alive { &[0, 4, 12][..] } else { &[0] };
        let keep_alive = Duration::from_secs(self.dice.choose(choices));
        let password = if has_wrong_password { &b"wrong"[..] } else { b"right" };
        let client = &mut self.clients[client];
        let clean_start = wants_clean || client.must_start_clean || client.name.is_empty();
        if clean_start {
            client.forget();
            client.must_start_clean = true;
        }
        client.keep_alive = keep_alive;
        client.can_prolong = properties.session_expiry.is_none_or(|expiry| !expiry.is_zero());
        let user = client.user.map(Into::into);
        let credentials = Credentials { user, password: Some(Bytes::from_static(password)) };
        let client_id = client.name.as_str().into();
        Connect { version, client_id, clean_start, keep_alive, will, credentials, properties }
    }

    /// The one in which a client comes: one that has nothing under way may change it.
    fn version(&mut self, client: usize) -> Version {
        let may_change = !self.plan.groups && self.one_in(6);
        let one = &mut self.clients[client];
        let other = match one.version {
            Version::V5 => Version::V3_1_1,
            Version::V3_1 | Version::V3_1_1 => Version::V5,
        };
        if may_change && one.holds() == 0 && !one.name.is_empty() {
            one.version = other;
            self.model.seen.note(Sight::OtherVersion);
        }
        self.clients[client].version
    }

    /// A CONNECT to stay.
    pub(super) fn connect_to_stay(&mut self, client: usize) -> Connect {
        let connect = self.connect(client);
        let credentials =
            Credentials { password: Some(Bytes::from_static(b"right")), ..connect.credentials };
        Connect { will: None, credentials, ..connect }
    }

    fn will(&mut self, client: usize) -> Will {
        let index = u64::try_from(client).unwrap();
        let (topic, qos) = (self.topic(), self.dice.choose(QUALITIES));
        let mut message = self.message("will", topic, qos, 60);
        let mut properties = WillProperties::default();
        if self.clients[client].version == Version::V5 {
            self.give_properties(&mut message);
            let seconds = self.dice.choose(&[0, 1, 3, 9 + index]);
            properties.delay = Duration::from_secs(seconds);
        }
        let retain = self.plan.retained && self.one_in(3);
        Will { message, qos, retain, properties }
    }

    pub(super) fn topic(&mut self) -> &'static str {
        let is_shared = self.one_in(3);
        self.dice.choose(if is_shared { SHARED_TOPICS } else { TOPICS })
    }

    fn any_message(&mut self, publisher: &str, topic: &str, qos: QoS) -> Message {
        let is_heavy = self.plan.heavy && self.one_in(12);
        let padding = if is_heavy { 100_000 } else { self.dice.choose(&[0, 5, 60]) };
        self.message(publisher, topic, qos, padding)
    }

    pub(super) fn message(
        &mut self,
        publisher: &str,
        topic: &str,
        qos: QoS,
        padding: usize,
    ) -> Message {
        self.number += 1;
        let text = format!("{publisher}:{}:{}:{}", self.number, qos.bits(), "x".repeat(padding));
        let topic = TopicName::new(topic).unwrap();
        Message { topic, payload: Bytes::from(text), properties: None }
    }

    /// What 5.0 has to say of a message. Some say that they are text, and are not.
    fn give_properties(&mut self, message: &mut Message) {
        let mut properties = MessageProperties::default();
        if self.plan.message_expiry && self.one_in(2) {
            let seconds = self.dice.choose(&[0, 1, 5, 30]);
            properties.message_expiry = Some(Duration::from_secs(seconds));
        }
        if self.one_in(3) {
            properties.payload_is_utf8 = true;
            properties.response_topic = Some("answers".into());
            let user_property = UserProperty { name: "n".into(), value: "v".into() };
            properties.user_properties = vec![user_property.clone(), user_property];
            if self.one_in(20) {
                message.payload = [&message.payload[..], b"\xff"].concat().into();
            }
        }
        message.properties = properties.shared();
    }

    fn publish(&mut self, client: usize) {
        let one = &self.clients[client];
        let may_hold = self.plan.under_way.min(one.receive_maximum);
        let (has_room, is_v5) = (one.holds() < may_hold, one.version == Version::V5);
        let qos = if has_room { self.dice.choose(QUALITIES) } else { QoS::AtMostOnce };
        let topic = self.topic();
        let mut message = self.any_message(&publisher(client), topic, qos);
        if is_v5 {
            self.give_properties(&mut message);
        }
        let retain = self.plan.retained && self.one_in(3);
        if retain && self.one_in(4) && (is_v5 || !self.plan.groups) {
            self.make_deletion(&mut message, is_v5);
        }
        let one = &mut self.clients[client];
        let delivery = match qos {
            QoS::AtMostOnce => Delivery::AtMostOnce,
            QoS::AtLeastOnce => Delivery::AtLeastOnce(one.free_id()),
            QoS::ExactlyOnce => Delivery::ExactlyOnce(one.free_id()),
        };
        let (dup, subscription_ids) = (false, Vec::new());
        let publish = Publish { dup, delivery, retain, message, subscription_ids };
        one.publish(&publish);
        if self.one_in(30) {
            self.renumber(client);
        }
        self.say(client, Packet::Publish(publish));
    }

    /// Where messages have properties, each deletion is known by one of them.
    fn make_deletion(&self, message: &mut Message, has_properties: bool) {
        message.payload = Bytes::new();
        if has_properties {
            let value = self.number.to_string().into();
            let user_properties = vec![UserProperty { name: "number".into(), value }];
            message.properties =
                MessageProperties { user_properties, ..MessageProperties::default() }.shared();
        }
    }

    fn gateway_publishes(&mut self) {
        let topic = self.dice.choose(OWN_TOPICS);
        if self.one_in(10) {
            let message = self.any_message("gateway", topic, QoS::AtLeastOnce);
            return self.tell(Input::Announce { message });
        }
        let qos = self.dice.choose(QUALITIES);
        let mut message = self.any_message("gateway", topic, qos);
        if self.one_in(6) {
            self.make_deletion(&mut message, true);
        }
        let time = Duration::from_millis(1 + self.dice.below(20_000));
        let retention = self.dice.choose(&[
            Retention::None,
            Retention::Replaced,
            if self.plan.message_expiry { Retention::For(time) } else { Retention::None },
        ]);
        self.tell(Input::Publish { message, qos, retention });
    }

    fn subscribe(&mut self, client: usize) {
        let is_v5 = self.clients[client].version == Version::V5;
        let shares = self.plan.groups && (is_v5 || client % 4 < 2) && self.one_in(2);
        if shares {
            let group = if is_v5 { self.place(GROUPS.len()) } else { client % (GROUPS.len() - 1) };
            let id = is_v5.then(|| SHARED_IDS + u32::try_from(group).unwrap());
            return self.say_subscribe(client, vec![membership(client, group, is_v5)], id);
        }
        let id = if is_v5 { self.dice.choose(&[None, Some(1), Some(2), Some(3)]) } else { None };
        let mut filters: Vec<SubscribeFilter> = Vec::new();
        for _ in 0..=self.place(3) {
            let filter = self.filter(client);
            if filters.iter().all(|one| one.filter.as_str() != filter) {
                filters.push(self.wanted(filter, is_v5));
            }
        }
        self.say_subscribe(client, filters, id);
    }

    pub(super) fn say_subscribe(
        &mut self,
        client: usize,
        filters: Vec<SubscribeFilter>,
        subscription_id: Option<u32>,
    ) {
        let packet_id = self.clients[client].free_id();
        self.clients[client].ask(packet_id);
        let user_properties = Vec::new();
        let subscribe = Subscribe { packet_id, filters, subscription_id, user_properties };
        self.say(client, Packet::Subscribe(subscribe));
    }

    /// Members of groups that cannot be told apart by identifiers have no other filters for what
    /// is shared.
    fn filter(&mut self, client: usize) -> &'static str {
        let is_v5 = self.clients[client].version == Version::V5;
        let is_narrow = self.plan.groups && !is_v5 && client % 4 < 2;
        let wants_wide = self.one_in(3) && !is_narrow;
        self.dice.choose(if wants_wide { WIDE_FILTERS } else { FILTERS })
    }

    fn wanted(&mut self, filter: &str, is_v5: bool) -> SubscribeFilter {
        let handling = self.dice.choose(&[
            RetainHandling::Send,
            RetainHandling::SendIfNew,
            RetainHandling::Never,
        ]);
        SubscribeFilter {
            filter: TopicFilter::new(filter.to_owned()).unwrap(),
            qos: self.dice.choose(QUALITIES),
            no_local: is_v5 && self.one_in(2),
            retain_as_published: is_v5 && self.one_in(2),
            retain_handling: if is_v5 { handling } else { RetainHandling::Send },
        }
    }

    fn unsubscribe(&mut self, client: usize) {
        let is_shared = self.plan.groups && self.one_in(3);
        let filter = if is_shared { self.dice.choose(GROUPS) } else { self.filter(client) };
        let filters = vec![TopicFilter::new(filter.to_owned()).unwrap()];
        let packet_id = self.clients[client].free_id();
        self.clients[client].ask(packet_id);
        let unsubscribe = Unsubscribe { packet_id, filters, user_properties: Vec::new() };
        self.say(client, Packet::Unsubscribe(unsubscribe));
    }

    fn disconnect(&mut self, client: usize) {
        let is_v5 = self.clients[client].version == Version::V5;
        let mut properties = DisconnectProperties::default();
        if is_v5 && self.clients[client].can_prolong {
            properties.session_expiry_seconds = self.dice.choose(&[None, None, Some(0), Some(40)]);
        }
        let asks_for_will = is_v5 && self.one_in(2);
        let reason =
            if asks_for_will { ReasonCode::DisconnectWithWill } else { ReasonCode::Success };
        self.say(client, Packet::Disconnect(Box::new(Disconnect { reason, properties })));
        self.let_go(client, usize::MAX);
        self.stay_away(client);
    }

    /// Some do not come back at once.
    pub(super) fn stay_away(&mut self, client: usize) {
        if self.one_in(3) {
            let time = Duration::from_millis(self.dice.below(50_000));
            self.clients[client].away_until = self.now.after(time);
        }
    }
}

/// A client has always the same wishes of a group. In one group some want QoS 0.
fn membership(client: usize, group: usize, is_v5: bool) -> SubscribeFilter {
    let qualities = if group == 3 { QUALITIES } else { &QUALITIES[1..] };
    SubscribeFilter {
        filter: TopicFilter::new(GROUPS[group].to_owned()).unwrap(),
        qos: qualities[(client / 2) % qualities.len()],
        no_local: false,
        retain_as_published: is_v5 && (client / 4).is_multiple_of(2),
        retain_handling: RetainHandling::Send,
    }
}
