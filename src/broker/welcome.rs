//! CONNACK: what a client is told of the session it has, and of what the broker takes.

use std::time::Duration;

use super::connection::Terms;
use super::objection::Objection;
use super::{Bounds, Broker};
use crate::mqtt::{
    Connect, ConnectAcknowledgement, ConnectAcknowledgementProperties, Packet, ReasonCode,
    TopicName, Version,
};

/// Whether a CONNECT found a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Restored {
    Yes,
    No,
}

impl Broker {
    /// The answer to a CONNECT that is accepted. What equals the standard's default is not said.
    pub(super) fn welcome(&self, connect: &Connect, client_id: &str, restored: Restored) -> Packet {
        let bounds = &self.settings.bounds;
        let expiry = session_expiry(connect, self.settings.session_expiry);
        let keep_alive = keep_alive(connect, bounds);
        let properties = match connect.version {
            Version::V3_1 | Version::V3_1_1 => ConnectAcknowledgementProperties::default(),
            Version::V5 => ConnectAcknowledgementProperties {
                session_expiry_seconds: (connect.properties.session_expiry != Some(expiry))
                    .then(|| seconds(expiry)),
                receive_maximum: Some(bounds.receive_maximum),
                maximum_packet_size: Some(bounds.packet_bytes),
                assigned_client_id: connect.client_id.is_empty().then(|| client_id.into()),
                topic_alias_maximum: Some(bounds.topic_alias_maximum),
                server_keep_alive_seconds: (keep_alive != connect.keep_alive)
                    .then(|| u16::try_from(keep_alive.as_secs()).unwrap_or(u16::MAX)),
                response_information: Some(connect.properties.request_response_information)
                    .filter(|is_wanted| *is_wanted)
                    .and_then(|_| response_topic(client_id)),
                ..ConnectAcknowledgementProperties::default()
            },
        };
        let mut answer = Box::new(ConnectAcknowledgement {
            session_present: restored == Restored::Yes,
            reason: ReasonCode::Success,
            properties,
        });
        // What is only asked for may be left out (3.1.2.11.6).
        if !Terms::of(connect).take(&Packet::ConnAck(answer.clone())) {
            answer.properties.response_information = None;
        }
        Packet::ConnAck(answer)
    }
}

/// The answer to a CONNECT that is refused.
pub(super) fn refusal(objection: &Objection) -> Packet {
    let reason_string = Some(objection.why.as_ref().into());
    Packet::ConnAck(Box::new(ConnectAcknowledgement {
        session_present: false,
        reason: objection.reason,
        properties: ConnectAcknowledgementProperties { reason_string, ..Default::default() },
    }))
}

/// How long a session outlives its connection: as the client wants, within `cap`. A 3.1.1 client
/// can only say whether it does.
pub(super) fn session_expiry(connect: &Connect, cap: Duration) -> Duration {
    match connect.version {
        Version::V3_1 | Version::V3_1_1 if connect.clean_start => Duration::ZERO,
        Version::V3_1 | Version::V3_1_1 => cap,
        Version::V5 => connect.properties.session_expiry.map_or(cap, |wanted| wanted.min(cap)),
    }
}

/// The keep alive that holds: the client's own, or the longest that a 5.0 client may have
/// ([MQTT-3.1.2-21]).
pub(super) fn keep_alive(connect: &Connect, bounds: &Bounds) -> Duration {
    let wanted = connect.keep_alive;
    match bounds.keep_alive {
        Some(max) if connect.version == Version::V5 && (wanted.is_zero() || wanted > max) => max,
        Some(_) | None => wanted,
    }
}

/// Where answers for that client can go, so that no two clients wait at the same topic (4.10.1).
/// Nothing for a name that cannot stand in a topic.
fn response_topic(client_id: &str) -> Option<bytestring::ByteString> {
    let topic = TopicName::new(format!("response/{client_id}")).ok()?;
    Some(topic.as_str().into())
}

/// As the property says it; all ones would say "for ever", which we never do.
fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX).min(u32::MAX - 1)
}
