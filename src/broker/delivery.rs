//! Delivery: each session's copy goes at once when nothing is before it and the client keeps up;
//! else it waits in the session's bounded queue, from which acknowledgements and written bytes
//! pull it.

use std::time::Duration;

use super::announce::Losses;
use super::publish::Publication;
use super::queue::{Bounds, Next, Queued};
use super::session::SessionIndex;
use super::timers::Timer;
use super::window::Received;
use super::{Broker, Phase};
use crate::access::ConnectionId;
use crate::limits;
use crate::mqtt::{Acknowledgement, Packet, PacketId, QoS};
use crate::time::Tick;

/// Who gets a copy of a publication, and at which quality.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Recipient {
    pub(super) session: SessionIndex,
    pub(super) qos: QoS,
}

impl Broker {
    /// Sends or queues a copy. QoS 0 is not queued for absent clients.
    pub(super) fn deliver(&mut self, now: Tick, to: Recipient, publication: &mut Publication) {
        let Recipient { session: index, qos } = to;
        let session = &mut self.sessions[index];
        let expires = publication.expires;
        let connection = session.connection.and_then(|id| self.connections.get_mut(&id));
        match connection {
            None if qos == QoS::AtMostOnce => {}
            Some(connection) if session.is_clear(qos) && connection.unwritten.has_room() => {
                let message = match qos {
                    QoS::AtMostOnce => publication.message(),
                    QoS::AtLeastOnce | QoS::ExactlyOnce => publication.kept(),
                };
                let publish = session.window.send(Queued { message, qos, retain: false, expires });
                self.outputs.send(connection, Packet::Publish(publish));
            }
            Some(_) | None => {
                let message = publication.kept();
                self.queue(now, index, Queued { message, qos, retain: false, expires });
            }
        }
    }

    /// A client is back: what it did not acknowledge goes again, then what was queued meanwhile
    /// ([MQTT-4.4.0-1]).
    pub(super) fn replay(&mut self, now: Tick, id: ConnectionId, index: SessionIndex) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let session = &mut self.sessions[index];
        for packet_id in session.window.restart() {
            let release = Packet::PubRel(Acknowledgement::success(packet_id));
            self.outputs.send(connection, release);
        }
        session.queue.defer_searches(self.retained.stamp());
        self.pull(now, index);
    }

    /// Sends what waits for a client, as far as window and connection have room.
    pub(super) fn pull(&mut self, now: Tick, index: SessionIndex) {
        let mut seeks = limits::RETAINED_SEEKS_PER_TURN;
        let session = &mut self.sessions[index];
        let Some(connection) = session.connection.and_then(|id| self.connections.get_mut(&id))
        else {
            return;
        };
        while connection.unwritten.has_room() {
            if let Some(publish) = session.window.resend() {
                self.outputs.send(connection, Packet::Publish(publish));
                continue;
            }
            self.outputs.traffic.messages_expired += session.queue.drop_expired(now);
            let has_window = session.window.has_room();
            let qos_max = if has_window { QoS::ExactlyOnce } else { QoS::AtMostOnce };
            match session.queue.next(now, qos_max, &self.retained, &mut seeks) {
                Next::Message(message) => {
                    let publish = session.window.send(message);
                    self.outputs.send(connection, Packet::Publish(publish));
                }
                Next::Nothing => return,
                Next::Pause => {
                    let soon = now.after(Duration::from_micros(1));
                    return self.timers.arm(&mut session.resume_at, Timer::Resume(index), soon);
                }
            }
        }
    }

    /// The others had their turn.
    pub(super) fn resume(&mut self, now: Tick, index: SessionIndex) {
        self.sessions[index].resume_at = None;
        self.pull(now, index);
    }

    /// The operating system took what was sent.
    pub(super) fn written(&mut self, now: Tick, id: ConnectionId, bytes: usize) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.unwritten.written(bytes);
        if let Phase::Connected(session) = connection.phase {
            self.pull(now, session);
        }
    }

    /// A PUBACK.
    pub(super) fn acknowledged(&mut self, now: Tick, index: SessionIndex, packet_id: PacketId) {
        self.sessions[index].window.acknowledged(packet_id);
        self.pull(now, index);
    }

    /// A PUBREC.
    pub(super) fn received(&mut self, id: ConnectionId, index: SessionIndex, packet_id: PacketId) {
        match self.sessions[index].window.received(packet_id) {
            Received::Release => {
                self.send(id, Packet::PubRel(Acknowledgement::success(packet_id)));
            }
            Received::Ignore => {}
        }
    }

    /// A PUBCOMP.
    pub(super) fn completed(&mut self, now: Tick, index: SessionIndex, packet_id: PacketId) {
        self.sessions[index].window.completed(packet_id);
        self.pull(now, index);
    }

    /// What may wait for one session.
    pub(super) fn queue_bounds(&self) -> Bounds {
        Bounds { messages: self.settings.queue_messages, bytes: self.settings.queue_bytes }
    }

    fn queue(&mut self, now: Tick, index: SessionIndex, message: Queued) {
        let bounds = self.queue_bounds();
        let session = &mut self.sessions[index];
        let dropped = session.queue.push(message, bounds);
        if dropped == 0 {
            return;
        }
        self.outputs.traffic.messages_dropped += dropped;
        if self.losses == Losses::Counted {
            return;
        }
        session.dropped += dropped;
        if session.report_at.is_none() {
            let at = now.after(limits::EVENT_INTERVAL);
            self.timers.arm(&mut session.report_at, Timer::DropReport(index), at);
        }
    }
}
