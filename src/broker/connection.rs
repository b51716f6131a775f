//! What the broker knows of a transport.
//!
//! ```text
//!   Opened ──CONNECT──▶ Authenticating ──accepted──▶ Connected
//!     │                       │                         │
//!     └───── too late, violation, refused, gone ────────┴──▶ Closing ──Closed──▶ forgotten
//! ```

use std::time::Duration;

use super::held::Held;
use super::outputs::counted;
use super::session::SessionIndex;
use crate::access::{ConnectionId, Peer};
use crate::limits;
use crate::mqtt::{AcknowledgementProperties, Connect, Packet, Version, encoded_len};
use crate::time::Tick;

/// A transport and what may be said on it.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) peer: Peer,
    /// Whether it showed a password.
    pub(super) by_password: bool,
    pub(super) phase: Phase,
    pub(super) terms: Terms,
    /// When its last packet arrived.
    pub(super) last_heard: Tick,
    /// Silence after which it is taken for dead; `None`: it may be silent for ever.
    pub(super) silence_max: Option<Duration>,
    /// When its timer goes off, if it has one.
    pub(super) alarm: Option<Tick>,
    pub(super) unwritten: Unwritten,
    pub(super) denials: Denials,
    /// What may not be said before it is true.
    pub(super) held: Held,
    /// Whether a message of a client that cannot be told so was not kept: nothing it says after
    /// that is taken, until it comes back and says it again.
    pub(super) unkept: bool,
    /// Whether its packets are not read for the moment.
    pub(super) is_paused: bool,
}

/// The states of the diagram above.
#[derive(Debug)]
pub(super) enum Phase {
    /// Its CONNECT is awaited.
    Opened,
    /// Its login is being checked.
    Authenticating(Box<Connect>),
    /// It speaks for a session.
    Connected(SessionIndex),
    /// Nothing is said or heard any more.
    Closing,
}

impl Connection {
    /// A transport that has just been opened.
    pub(super) fn new(now: Tick, id: ConnectionId, peer: Peer) -> Self {
        Self {
            id,
            peer,
            by_password: false,
            phase: Phase::Opened,
            terms: Terms::default(),
            last_heard: now,
            silence_max: None,
            alarm: None,
            unwritten: Unwritten::default(),
            denials: Denials::default(),
            held: Held::default(),
            unkept: false,
            is_paused: false,
        }
    }
}

/// What a CONNECT says of the packets that may be sent to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    version: Version,
    /// Deliveries it takes at a time ([MQTT-3.3.4-9]).
    pub(super) receive_maximum: usize,
    /// Bytes of the largest packet it takes ([MQTT-3.1.2-24]).
    packet_bytes_max: Option<u32>,
    /// Whether it wants reason strings ([MQTT-3.1.2-29]).
    problem_information: bool,
}

impl Default for Terms {
    /// Of 3.1.1, which says nothing.
    fn default() -> Self {
        let (version, receive_maximum) = (Version::V3_1_1, usize::from(u16::MAX));
        Self { version, receive_maximum, packet_bytes_max: None, problem_information: false }
    }
}

impl Terms {
    /// Those of a CONNECT.
    pub(super) fn of(connect: &Connect) -> Self {
        let properties = &connect.properties;
        Self {
            version: connect.version,
            receive_maximum: properties.receive_maximum.get().into(),
            packet_bytes_max: properties.maximum_packet_size,
            problem_information: properties.request_problem_information,
        }
    }

    /// Whether reason codes and properties can be said.
    pub(super) fn is_v5(&self) -> bool {
        self.version == Version::V5
    }

    /// Whether the peer takes a packet of that size.
    pub(super) fn take(&self, packet: &Packet) -> bool {
        let Some(max) = self.packet_bytes_max else { return true };
        encoded_len(packet, self.version).is_some_and(|bytes| bytes <= max)
    }

    /// A reason string for an acknowledgement, if one is wanted.
    pub(super) fn explanation(&self, why: &str) -> Option<Box<AcknowledgementProperties>> {
        let is_wanted = self.is_v5() && self.problem_information;
        let (reason_string, user_properties) = (Some(why.into()), Vec::new());
        is_wanted.then(|| Box::new(AcknowledgementProperties { reason_string, user_properties }))
    }
}

/// How much was sent and not yet written, in the measure of [`crate::mqtt::Packet::weight`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Unwritten {
    sent: u64,
    written: u64,
    /// Weight of the last message that alone exceeds the mark …
    large: u64,
    /// … and what `written` is when it has left.
    large_end: u64,
}

impl Unwritten {
    /// Counts a packet that was sent.
    pub(super) fn sent(&mut self, weight: usize) {
        let weight = counted(weight);
        self.sent = self.sent.saturating_add(weight);
        if weight > counted(limits::UNWRITTEN_BYTES_MAX) {
            self.large = weight;
            self.large_end = self.sent;
        }
    }

    /// Counts what the operating system took.
    pub(super) fn written(&mut self, weight: usize) {
        self.written = self.written.saturating_add(counted(weight)).min(self.sent);
    }

    /// Weight of what waits.
    pub(super) const fn bytes(&self) -> u64 {
        self.sent.saturating_sub(self.written)
    }

    /// Whether a message may be sent now.
    pub(super) fn has_room(&self) -> bool {
        self.bytes() < counted(limits::UNWRITTEN_BYTES_MAX)
    }

    /// Whether the peer asks on and on without reading the answers. One message may have any
    /// size, so it does not count.
    pub(super) fn is_flooded(&self) -> bool {
        let large = if self.written < self.large_end { self.large } else { 0 };
        self.bytes().saturating_sub(large) > counted(limits::UNWRITTEN_BYTES_FLOOD)
    }
}

/// What a connection was not allowed to do, told in intervals.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Denials {
    told: Option<Tick>,
    untold: u64,
}

impl Denials {
    /// Counts one; the number to tell, if it is time to.
    pub(super) fn count(&mut self, now: Tick) -> Option<u64> {
        self.untold += 1;
        if self.told.is_some_and(|told| now.since(told) < limits::EVENT_INTERVAL) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{UNWRITTEN_BYTES_FLOOD, UNWRITTEN_BYTES_MAX};

    #[test]
    fn a_large_message_leaves_no_room_but_is_no_flood() {
        let mut unwritten = Unwritten::default();
        unwritten.sent(10 * UNWRITTEN_BYTES_FLOOD);
        assert!(!unwritten.has_room());
        unwritten.sent(UNWRITTEN_BYTES_MAX);
        assert!(!unwritten.is_flooded());
        unwritten.written(10 * UNWRITTEN_BYTES_FLOOD);
        assert_eq!(unwritten.bytes(), counted(UNWRITTEN_BYTES_MAX));
    }

    #[test]
    fn many_small_answers_are_a_flood() {
        let mut unwritten = Unwritten::default();
        unwritten.sent(10 * UNWRITTEN_BYTES_FLOOD);
        for _ in 0..=UNWRITTEN_BYTES_FLOOD / 64 {
            unwritten.sent(64);
        }
        assert!(unwritten.is_flooded());
        unwritten.written(10 * UNWRITTEN_BYTES_FLOOD);
        assert!(unwritten.is_flooded(), "the answers are still there when the message has left");
        unwritten.written(UNWRITTEN_BYTES_MAX);
        assert!(!unwritten.is_flooded());
    }

    #[test]
    fn more_written_than_sent_is_nothing_unwritten() {
        let mut unwritten = Unwritten::default();
        unwritten.sent(100);
        unwritten.written(1000);
        assert_eq!(unwritten.bytes(), 0);
    }

    #[test]
    fn denials_are_told_in_intervals_with_their_count() {
        let mut denials = Denials::default();
        assert_eq!(denials.count(Tick::ZERO), Some(1));
        assert_eq!(denials.count(Tick::ZERO), None);
        assert_eq!(denials.count(Tick::ZERO.after(limits::EVENT_INTERVAL)), Some(2));
    }
}
