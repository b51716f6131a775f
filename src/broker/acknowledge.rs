//! Acknowledgements of clients: each moves a delivery on, and makes room for the next.

use super::Broker;
use super::session::SessionIndex;
use super::window::Received;
use crate::access::ConnectionId;
use crate::mqtt::{Acknowledgement, Delivery, Packet, ReasonCode};
use crate::time::Tick;

impl Broker {
    /// A PUBACK. Also one that refuses ends the delivery ([MQTT-4.3.2-3]).
    pub(super) fn acknowledged(
        &mut self,
        now: Tick,
        index: SessionIndex,
        answer: &Acknowledgement,
    ) {
        self.sessions[index].window.acknowledged(answer.packet_id);
        self.pull(now, index);
    }

    /// A PUBREC. One that refuses ends the delivery: no PUBREL follows ([MQTT-4.3.3-4]).
    pub(super) fn received(
        &mut self,
        now: Tick,
        id: ConnectionId,
        index: SessionIndex,
        answer: &Acknowledgement,
    ) {
        let (window, packet_id) = (&mut self.sessions[index].window, answer.packet_id);
        if answer.reason.is_failure() {
            window.refused(Delivery::ExactlyOnce(packet_id));
            return self.pull(now, index);
        }
        let reason = match window.received(packet_id) {
            Received::ReleaseUnknown if self.is_v5(id) => ReasonCode::PacketIdentifierNotFound,
            Received::Release | Received::ReleaseUnknown => ReasonCode::Success,
            Received::Ignore => return,
        };
        self.send(id, Packet::PubRel(Acknowledgement { packet_id, reason, properties: None }));
    }

    /// A PUBCOMP.
    pub(super) fn completed(&mut self, now: Tick, index: SessionIndex, answer: &Acknowledgement) {
        self.sessions[index].window.completed(answer.packet_id);
        self.pull(now, index);
    }
}
