//! What is said besides messages, in its order on each connection.

use super::{Model, Phase};
use crate::access::ConnectionId;
use crate::mqtt::{
    Acknowledgement, AcknowledgementProperties, ConnectAcknowledgementProperties, Packet, PacketId,
    ReasonCode, Version, encoded_len,
};

/// A packet that is no PUBLISH, or another output about a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Said {
    ConnAck {
        present: bool,
        reason: ReasonCode,
        expiry_seconds: Option<u32>,
        keep_alive_seconds: Option<u16>,
        name: Option<String>,
        takes: Option<Takes>,
    },
    PubAck(PacketId, ReasonCode),
    PubRec(PacketId, ReasonCode),
    PubRel(PacketId, ReasonCode),
    PubComp(PacketId, ReasonCode),
    SubAck(PacketId, Vec<ReasonCode>),
    UnsubAck(PacketId, Vec<ReasonCode>),
    Pong,
    Farewell(ReasonCode),
    Login,
    Close,
}

/// What a client of 5.0 is told of what the broker takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Takes {
    pub(super) receive_maximum: u16,
    pub(super) packet_bytes: u32,
    pub(super) topic_aliases: u16,
}

impl Takes {
    fn of(properties: &ConnectAcknowledgementProperties) -> Option<Self> {
        Some(Self {
            receive_maximum: properties.receive_maximum?.get(),
            packet_bytes: properties.maximum_packet_size?,
            topic_aliases: properties.topic_alias_maximum?,
        })
    }
}

impl Said {
    /// What a packet says, without words for people.
    pub(super) fn of(packet: &Packet) -> Self {
        let pair = |answer: &Acknowledgement| (answer.packet_id, answer.reason);
        match packet {
            Packet::ConnAck(answer) => Self::ConnAck {
                present: answer.session_present,
                reason: answer.reason,
                expiry_seconds: answer.properties.session_expiry_seconds,
                keep_alive_seconds: answer.properties.server_keep_alive_seconds,
                name: answer.properties.assigned_client_id.as_ref().map(ToString::to_string),
                takes: Takes::of(&answer.properties),
            },
            Packet::PubAck(answer) => Self::PubAck(pair(answer).0, pair(answer).1),
            Packet::PubRec(answer) => Self::PubRec(pair(answer).0, pair(answer).1),
            Packet::PubRel(answer) => Self::PubRel(pair(answer).0, pair(answer).1),
            Packet::PubComp(answer) => Self::PubComp(pair(answer).0, pair(answer).1),
            Packet::SubAck(answer) => Self::SubAck(answer.packet_id, answer.reasons.clone()),
            Packet::UnsubAck(answer) => Self::UnsubAck(answer.packet_id, answer.reasons.clone()),
            Packet::PingResp => Self::Pong,
            Packet::Disconnect(disconnect) => Self::Farewell(disconnect.reason),
            other => panic!("no server says {other:?}"),
        }
    }

    /// The answer to a CONNECT that is refused.
    pub(super) fn refusal(reason: ReasonCode) -> Self {
        let (expiry_seconds, keep_alive_seconds, name, takes) = (None, None, None, None);
        let present = false;
        Self::ConnAck { present, reason, expiry_seconds, keep_alive_seconds, name, takes }
    }
}

impl Model {
    pub(super) fn expect(&mut self, id: ConnectionId, said: Said) {
        self.expected.entry(id).or_default().push_back(said);
    }

    /// It is the next thing that was to be said there.
    pub(super) fn said(&mut self, id: ConnectionId, said: Said) {
        let expected = self.expected.get_mut(&id).and_then(std::collections::VecDeque::pop_front);
        assert_eq!(Some(said), expected, "on {id:?}");
    }

    /// No message is larger than the client takes; of other packets, its end of the link finds it.
    pub(super) fn fits(&self, id: ConnectionId, packet: &Packet) {
        let connection = &self.connections[&id];
        let version = if connection.v5 { Version::V5 } else { Version::V3_1_1 };
        let bytes = encoded_len(packet, version).expect("a message can be written");
        assert!(bytes <= connection.packet_bytes_max, "{bytes} bytes to {id:?}: {packet:?}");
    }

    /// A refusal has its words, where they are wanted ([MQTT-3.1.2-29]).
    pub(super) fn explains(&self, id: ConnectionId, packet: &Packet) {
        let connection = &self.connections[&id];
        let words = |properties: &Option<Box<AcknowledgementProperties>>| {
            properties.as_ref().is_some_and(|it| it.reason_string.is_some())
        };
        let wanted = connection.v5 && connection.wants_words;
        let (has_words, should_have) = match packet {
            Packet::ConnAck(it) => (it.properties.reason_string.is_some(), it.reason.is_failure()),
            Packet::Disconnect(it) => (it.properties.reason_string.is_some(), true),
            Packet::PubAck(it) | Packet::PubRec(it) => {
                (words(&it.properties), wanted && it.reason.is_failure())
            }
            Packet::SubAck(it) => {
                (words(&it.properties), wanted && it.reasons.iter().any(|one| one.is_failure()))
            }
            _ => return,
        };
        assert_eq!(has_words, should_have, "words to {id:?}: {packet:?}");
    }

    /// From now on nothing is said there.
    pub(super) fn close(&mut self, id: ConnectionId, farewell: Option<ReasonCode>) {
        let connection = self.connections.get_mut(&id).expect("it is there");
        let farewell = farewell.filter(|_| connection.v5);
        connection.phase = Phase::Closing;
        if let Some(reason) = farewell {
            self.expect(id, Said::Farewell(reason));
        }
        self.expect(id, Said::Close);
    }
}
