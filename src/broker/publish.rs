//! PUBLISH from a client, QoS 2 in three steps, and the way from a message to its subscribers.

use super::delivery::Offer;
use super::{Broker, Event, Output, Retention, SessionIndex};
use crate::access::ConnectionId;
use crate::mqtt::{Acknowledgement, Delivery, Message, Packet, PacketId, Publish, QoS};
use crate::time::Tick;

impl Broker {
    /// A message of a client: routed if it may be, and acknowledged either way, for 3.1.1 has no
    /// other answer than the end of the connection [MQTT-3.3.5-2].
    pub(super) fn received(
        &mut self,
        now: Tick,
        id: ConnectionId,
        index: SessionIndex,
        publish: &Publish,
    ) {
        let Some(session) = self.sessions.session_mut(index) else { return };
        let is_new = match publish.delivery {
            Delivery::AtMostOnce | Delivery::AtLeastOnce(_) => true,
            Delivery::ExactlyOnce(packet_id) => session.received.insert(packet_id),
        };
        if is_new {
            self.statistics.messages_received += 1;
            self.route_of_client(now, id, index, publish);
        }
        match publish.delivery {
            Delivery::AtMostOnce => {}
            Delivery::AtLeastOnce(packet_id) => {
                self.send(id, Packet::PubAck(Acknowledgement::success(packet_id)));
            }
            Delivery::ExactlyOnce(packet_id) => {
                self.send(id, Packet::PubRec(Acknowledgement::success(packet_id)));
            }
        }
    }

    /// PUBREL: from now on the identifier is a new message's [MQTT-4.3.3-2].
    pub(super) fn released(&mut self, id: ConnectionId, index: SessionIndex, packet_id: PacketId) {
        if let Some(session) = self.sessions.session_mut(index) {
            session.received.remove(&packet_id);
        }
        self.send(id, Packet::PubComp(Acknowledgement::success(packet_id)));
    }

    fn route_of_client(
        &mut self,
        now: Tick,
        id: ConnectionId,
        index: SessionIndex,
        publish: &Publish,
    ) {
        let Some(connection) = self.connections.get(&id) else { return };
        let topic = &publish.message.topic;
        match self.settings.rights.publish(&connection.principal, topic) {
            Ok(()) => {
                self.route(now, &publish.message, publish.delivery.qos(), publish.retain.into())
            }
            Err(reason) => {
                let (peer, topic) = (connection.peer.address, topic.as_str().to_owned());
                let client_id = self.sessions.name(index);
                let denied = Event::Denied { peer, client_id, topic, reason };
                self.outputs.push_back(Output::Event(denied));
            }
        }
    }

    /// To the retained store if asked, and to every session with a matching subscription: once, at
    /// the lower of the message's quality and the highest that the session subscribed with.
    pub(super) fn route(&mut self, now: Tick, message: &Message, qos: QoS, retention: Retention) {
        let expiry = message.properties.as_ref().and_then(|properties| properties.message_expiry);
        let expires = expiry.map(|expiry| now.after(expiry));
        // [MQTT-3.3.1-5]
        match retention {
            Retention::None => {}
            Retention::Replaced => self.retained.put(message, qos, expires),
            Retention::For(time) => {
                let over = now.after(time);
                let over = expires.map_or(over, |expires| expires.min(over));
                self.retained.put(message, qos, Some(over));
            }
        }
        let mut matches = std::mem::take(&mut self.matches);
        self.subscriptions.matches(&message.topic, &mut matches);
        let stored = matches.len() > 1 || qos > QoS::AtMostOnce;
        let message =
            if stored && !matches.is_empty() { message.compact() } else { message.clone() };
        for &(index, granted) in &matches {
            let qos = qos.min(granted);
            let offer = Offer { message: message.clone(), qos, retain: false, expires };
            self.deliver(now, index, offer);
        }
        matches.clear();
        self.matches = matches;
    }
}

/// The retain flag of a client's message.
impl From<bool> for Retention {
    fn from(retain: bool) -> Self {
        if retain { Self::Replaced } else { Self::None }
    }
}
