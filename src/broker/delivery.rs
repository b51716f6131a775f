//! Delivery: each session's copy goes at once when nothing is before it and the client keeps up;
//! else it waits in the session's bounded queue, from which acknowledgements and written bytes
//! pull it.

use std::time::Duration;

use super::announce::Losses;
use super::connection::Connection;
use super::outputs::Outputs;
use super::publish::Publication;
use super::queue::{Bounds, Next, Queued, Share};
use super::session::{Session, SessionIndex};
use super::timers::Timer;
use super::{Broker, Phase};
use crate::access::ConnectionId;
use crate::limits;
use crate::mqtt::{Acknowledgement, Packet, Publish, QoS};
use crate::time::Tick;

/// Who gets a copy of a publication, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Recipient {
    pub(super) session: SessionIndex,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    pub(super) subscription_ids: Vec<u32>,
    /// The shared subscription as one of whose members it gets the copy.
    pub(super) share: Option<Share>,
}

impl Broker {
    /// Sends or queues a copy, if the client may have it. QoS 0 is not queued for absent clients.
    pub(super) fn deliver(&mut self, now: Tick, to: Recipient, publication: &mut Publication) {
        let session = &mut self.sessions[to.session];
        if !self.settings.rights.read(&session.key.principal, publication.topic()) {
            return;
        }
        let connection = session.connection.and_then(|id| self.connections.get_mut(&id));
        match connection {
            None if to.qos == QoS::AtMostOnce => {}
            Some(connection) if session.is_clear(to.qos) && connection.unwritten.has_room() => {
                let message = match to.qos {
                    QoS::AtMostOnce => publication.message(),
                    QoS::AtLeastOnce | QoS::ExactlyOnce => publication.kept(),
                };
                let copy = copy(to, message, publication.expires);
                send(now, copy, session, connection, &mut self.outputs);
            }
            Some(_) | None => {
                let (index, message) = (to.session, publication.kept());
                self.queue(now, index, copy(to, message, publication.expires));
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
        session.queue.resume_searches(self.retained.stamp());
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
            if let Some(publish) = session.window.resend(now) {
                write(publish, session, connection, &mut self.outputs);
                continue;
            }
            self.outputs.traffic.messages_expired += session.queue.drop_expired(now);
            let has_window = session.window.has_room() && !session.window.has_resends();
            let qos_max = if has_window { QoS::ExactlyOnce } else { QoS::AtMostOnce };
            match session.queue.next(now, qos_max, &self.retained, &mut seeks) {
                Next::Message(message) => {
                    let topic = &message.message.topic;
                    if !self.settings.rights.read(&session.key.principal, topic) {
                        continue;
                    }
                    send(now, message, session, connection, &mut self.outputs);
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

    /// What may wait for one session.
    pub(super) fn queue_bounds(&self) -> Bounds {
        Bounds { messages: self.settings.queue_messages, bytes: self.settings.queue_bytes }
    }

    /// Puts a message behind what waits for a session.
    pub(super) fn queue(&mut self, now: Tick, index: SessionIndex, message: Queued) {
        let bounds = self.queue_bounds();
        let dropped = self.sessions[index].queue.push(message, bounds);
        self.count_drops(now, index, dropped);
        self.relieve(now);
    }

    /// When all queues together are too large, the largest gives up an eighth: whoever has been
    /// away longest with the most to hear pays, and the search for it is paid for by many messages.
    fn relieve(&mut self, now: Tick) {
        let Some(max) = self.settings.bounds.queued_bytes else { return };
        while self.queued.bytes() > max {
            let largest = self.sessions.iter().max_by_key(|(_, session)| session.queue.size().1);
            let Some((index, session)) = largest else { return };
            let bytes = session.queue.size().1;
            let dropped = self.sessions[index].queue.shrink_to(bytes - bytes / 8 - 1);
            self.count_drops(now, index, dropped);
        }
    }

    fn count_drops(&mut self, now: Tick, index: SessionIndex, dropped: u64) {
        if dropped == 0 {
            return;
        }
        let session = &mut self.sessions[index];
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

fn copy(to: Recipient, message: crate::mqtt::Message, expires: Option<Tick>) -> Queued {
    let Recipient { qos, retain, subscription_ids, share, .. } = to;
    Queued { message, qos, retain, subscription_ids, share, expires }
}

fn send(
    now: Tick,
    message: Queued,
    session: &mut Session,
    connection: &mut Connection,
    outputs: &mut Outputs,
) {
    let publish = session.window.send(now, message);
    write(publish, session, connection, outputs);
}

/// A client that takes no packet of that size is treated as if it had taken the message
/// ([MQTT-3.1.2-24], [MQTT-3.1.2-25]).
fn write(
    publish: Publish,
    session: &mut Session,
    connection: &mut Connection,
    outputs: &mut Outputs,
) {
    let delivery = publish.delivery;
    let packet = Packet::Publish(publish);
    if connection.terms.take(&packet) {
        outputs.send(connection, packet);
    } else {
        session.window.refused(delivery);
        outputs.traffic.messages_too_large += 1;
    }
}
