//! Reason strings and user properties of answers are for people: where they make a packet larger
//! than its receiver takes, they stay away ([MQTT-3.2.2-19], [MQTT-3.4.2-2] and their like).

use crate::mqtt::{AcknowledgementProperties, Packet};

/// The same packet without them; `None` where they may not be left out.
pub(super) fn without(packet: &Packet) -> Option<Packet> {
    let mut packet = packet.clone();
    match &mut packet {
        Packet::ConnAck(connack) => {
            connack.properties.reason_string = None;
            connack.properties.user_properties = Vec::new();
        }
        Packet::PubAck(acknowledgement)
        | Packet::PubRec(acknowledgement)
        | Packet::PubRel(acknowledgement)
        | Packet::PubComp(acknowledgement) => acknowledgement.properties = None,
        Packet::SubAck(suback) => suback.properties = None,
        Packet::UnsubAck(unsuback) => unsuback.properties = None,
        Packet::Disconnect(disconnect) => {
            disconnect.properties.reason_string = None;
            disconnect.properties.user_properties = Vec::new();
        }
        Packet::Auth(auth) => auth.properties = AcknowledgementProperties::default(),
        Packet::Connect(_)
        | Packet::Publish(_)
        | Packet::Subscribe(_)
        | Packet::Unsubscribe(_)
        | Packet::PingReq
        | Packet::PingResp => return None,
    }
    Some(packet)
}
