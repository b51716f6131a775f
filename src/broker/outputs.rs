//! What the world is to do, in order, and the traffic counted on the way.

use std::collections::VecDeque;

use super::connection::{Connection, Phase};
use super::{Event, Output, Traffic};
use crate::access::{ConnectionId, Login};
use crate::mqtt::Packet;

/// Outputs that were not polled yet.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    queue: VecDeque<Output>,
    pub(super) traffic: Traffic,
    /// Whether a connection was sent too much, since that was last looked at.
    pub(super) has_flooded: bool,
    /// Clients that are in, by the events that told of them.
    pub(super) connected: u64,
}

impl Outputs {
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn next(&mut self) -> Option<Output> {
        self.queue.pop_front()
    }

    /// Sends a packet; nothing to a connection that is closing.
    pub(super) fn send(&mut self, connection: &mut Connection, packet: Packet) {
        if self.count(connection, &packet) {
            self.send_counted(connection, packet);
        }
    }

    /// Counts a packet that will be sent; whether it may be.
    pub(super) fn count(&mut self, connection: &mut Connection, packet: &Packet) -> bool {
        let is_open = !matches!(connection.phase, Phase::Closing);
        if is_open {
            connection.unwritten.sent(packet.weight());
            self.has_flooded |= connection.unwritten.is_flooded();
        }
        is_open
    }

    /// Sends a packet that was counted.
    pub(super) fn send_counted(&mut self, connection: &Connection, packet: Packet) {
        self.traffic.packets_sent += 1;
        if let Packet::Publish(publish) = &packet {
            self.traffic.messages_sent += 1;
            self.traffic.payload_bytes_sent += counted(publish.message.payload.len());
        }
        self.queue.push_back(Output::Send { connection: connection.id, packet });
    }

    /// After what was sent, the connection is to be closed.
    pub(super) fn close(&mut self, connection: &mut Connection) {
        connection.phase = Phase::Closing;
        self.queue.push_back(Output::Close { connection: connection.id });
    }

    pub(super) fn authenticate(&mut self, connection: ConnectionId, login: Login) {
        let login = login.into();
        self.queue.push_back(Output::Authenticate { connection, login });
    }

    pub(super) fn push(&mut self, output: Output) {
        self.queue.push_back(output);
    }

    pub(super) fn event(&mut self, event: Event) {
        match &event {
            Event::Connected { .. } => {
                self.connected += 1;
                self.traffic.clients_maximum = self.traffic.clients_maximum.max(self.connected);
            }
            Event::Disconnected { .. } => self.connected = self.connected.saturating_sub(1),
            Event::SessionDiscarded { .. } => self.traffic.sessions_discarded += 1,
            Event::Refused { .. }
            | Event::Rejected { .. }
            | Event::Denied { .. }
            | Event::StoreFailed { .. }
            | Event::StoreRecovered
            | Event::QueueDropped { .. } => {}
        }
        self.queue.push_back(Output::Event(event));
    }
}

/// A length as a counter's step.
pub(super) fn counted(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
