//! A link between a client and the broker: what is on its way in either direction, and how much of
//! it the operating system has taken.

use std::collections::VecDeque;

use crate::mqtt::Packet;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Link {
    /// Which client's.
    pub(super) client: usize,
    /// From the client, not yet at the broker.
    pub(super) up: VecDeque<Packet>,
    /// From the broker, not yet taken by the operating system.
    unwritten: VecDeque<Packet>,
    /// Taken, not yet at the client.
    down: VecDeque<Packet>,
    /// Nothing is taken any more.
    pub(super) stuck: bool,
    /// The client has let go of it; the broker does not know.
    pub(super) abandoned: bool,
    /// The broker has closed it.
    pub(super) closed: bool,
    /// The life of the session that the CONNACK spoke of.
    pub(super) life: Option<u64>,
}

impl Link {
    pub(super) fn new(client: usize) -> Self {
        Self { client, ..Self::default() }
    }

    /// The broker sends.
    pub(super) fn send(&mut self, packet: Packet) {
        assert!(!self.closed, "nothing is sent after the close: {packet:?}");
        self.unwritten.push_back(packet);
    }

    /// The operating system takes some packets: their weight.
    pub(super) fn write(&mut self, packets: usize) -> usize {
        if self.stuck {
            return 0;
        }
        let end = packets.min(self.unwritten.len());
        let written: Vec<Packet> = self.unwritten.drain(..end).collect();
        let weight = written.iter().map(Packet::weight).sum();
        self.down.extend(written);
        weight
    }

    /// Something arrives at the client.
    pub(super) fn read(&mut self) -> Option<Packet> {
        if self.abandoned { None } else { self.down.pop_front() }
    }

    /// The client lets go: what was on its way to it is lost, and what it said may yet arrive.
    pub(super) fn abandon(&mut self, said: usize) {
        self.abandoned = true;
        self.up.truncate(said);
        self.down.clear();
    }

    /// Whether nothing is on its way.
    pub(super) fn is_quiet(&self) -> bool {
        self.up.is_empty() && self.unwritten.is_empty() && self.down.is_empty()
    }

    /// Whether the broker closed it and the client has read all.
    pub(super) fn is_read_out(&self) -> bool {
        let is_read = self.unwritten.is_empty() && self.down.is_empty();
        self.closed && (is_read || self.abandoned)
    }
}
