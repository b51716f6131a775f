//! Packets that promise something: each goes when what it promises is durable, and none before
//! those that were to go earlier ([MQTT-4.6.0-2] to [MQTT-4.6.0-4]).

use std::collections::VecDeque;

use super::Broker;
use super::Phase;
use super::connection::Connection;
use super::outputs::Outputs;
use super::persistence::{HoldId, Persistence};
use crate::access::ConnectionId;
use crate::mqtt::Packet;
use crate::time::Tick;

/// Packets of one connection that wait, in order; counted as sent and unwritten.
#[derive(Debug, Default)]
pub(super) struct Held(VecDeque<(Option<HoldId>, Packet)>);

impl Held {
    /// Whether no packet waits.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Sends a packet when its hold is over and those that wait have gone.
pub(super) fn send(
    packet: Packet,
    hold: Option<HoldId>,
    connection: &mut Connection,
    outputs: &mut Outputs,
    persistence: &Persistence,
) {
    let hold = hold.filter(|hold| persistence.waits(*hold));
    if hold.is_none() && connection.held.is_empty() {
        return outputs.send(connection, packet);
    }
    if outputs.count(connection, &packet) {
        connection.held.0.push_back((hold, packet));
    }
}

impl Broker {
    /// The same, to a connection that is known to be there; nothing once it is closing.
    pub(super) fn send_kept(&mut self, id: ConnectionId, packet: Packet, hold: Option<HoldId>) {
        if let Some(connection) = self.connections.get_mut(&id) {
            send(packet, hold, connection, &mut self.outputs, &self.persistence);
        }
    }

    /// Sends what waits no more, and what waits behind a SUBACK.
    pub(super) fn send_ready(&mut self, now: Tick) {
        while let Some(id) = self.persistence.next_ready() {
            let Some(connection) = self.connections.get_mut(&id) else { continue };
            let goes = |hold: Option<HoldId>| hold.is_none_or(|it| !self.persistence.waits(it));
            while connection.held.0.front().is_some_and(|(hold, _)| goes(*hold)) {
                let Some((_, packet)) = connection.held.0.pop_front() else { break };
                self.outputs.send_counted(connection, packet);
            }
            // A search that paused has had its turn.
            if let Phase::Connected(session) = connection.phase
                && self.sessions[session].resume_at.is_none()
            {
                self.pull(now, session);
            }
        }
    }
}
