//! Delivery: each session's copy goes at once when nothing is before it and the client keeps up;
//! else it waits in the session's bounded queue, from which acknowledgements and written bytes
//! pull it.

use std::sync::Arc;
use std::time::Duration;

use super::announce::Losses;
use super::connection::Connection;
use super::held;
use super::outputs::Outputs;
use super::persistence::{HoldId, Novelty, Pace, Persistence, Thing};
use super::publish::Publication;
use super::queue::{Bounds, Dropped, Entry, Next};
use super::record::{Change, PageRequest, Place, Queued, SessionId, Share};
use super::session::{Session, SessionIndex};
use super::timers::Timer;
use super::{Broker, Output, Phase};
use crate::access::ConnectionId;
use crate::limits;
use crate::mqtt::{Acknowledgement, Delivery, Packet, Publish, QoS};
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
    /// What cannot be kept is not delivered where a client still can be told so.
    pub(super) fn deliver(&mut self, now: Tick, to: Recipient, publication: &mut Publication) {
        let session = &mut self.sessions[to.session];
        if !session.allowed.read(publication.topic()) {
            return;
        }
        let is_kept = to.qos > QoS::AtMostOnce && session.store_id().is_some();
        if is_kept && let Some(trouble) = self.persistence.refusal() {
            publication.unkept = Some(trouble);
            return;
        }
        let connection = session.connection.and_then(|id| self.connections.get_mut(&id));
        match connection {
            None if to.qos == QoS::AtMostOnce => {}
            Some(connection) if session.is_clear(to.qos) && connection.unwritten.has_room() => {
                let (outputs, persistence) = (&mut self.outputs, &mut self.persistence);
                let mut line = Line { session, connection, outputs, persistence };
                if to.qos == QoS::AtMostOnce {
                    line.write(now, publication.to_publish(now, to), None, None);
                } else {
                    let message = publication.copy(to);
                    let place = place(line.session, &message).map(|(_, place)| place);
                    line.send(now, Entry { message, place }, Novelty::New);
                }
            }
            Some(_) | None => {
                let index = to.session;
                self.queue(now, index, publication.copy(to));
            }
        }
    }

    /// A client is back: what it did not acknowledge goes again, then what was queued meanwhile
    /// ([MQTT-4.4.0-1]).
    pub(super) fn replay(&mut self, now: Tick, id: ConnectionId, index: SessionIndex) {
        let session = &mut self.sessions[index];
        let store_id = session.id;
        let released: Vec<_> = session.window.restart().collect();
        for packet_id in released {
            let thing = store_id.map(|session| Thing::released(session, packet_id));
            let hold = thing.and_then(|thing| self.persistence.hold(id, &thing));
            self.send_kept(id, Packet::PubRel(Acknowledgement::success(packet_id)), hold);
        }
        self.pull(now, index);
    }

    /// Sends what waits for a client, as far as window and connection have room. A search that
    /// waits for its turn goes on then, whatever its client says meanwhile.
    pub(super) fn pull(&mut self, now: Tick, index: SessionIndex) {
        let session = &mut self.sessions[index];
        if !session.has_waiting() {
            return;
        }
        let waits_for_turn = session.resume_at.is_some();
        let mut seeks = if waits_for_turn { 0 } else { limits::RETAINED_SEEKS_PER_TURN };
        let Some(connection) = session.connection.and_then(|id| self.connections.get_mut(&id))
        else {
            return;
        };
        let (outputs, persistence) = (&mut self.outputs, &mut self.persistence);
        let mut line = Line { session, connection, outputs, persistence };
        while line.connection.unwritten.has_room() {
            if let Some((publish, place)) = line.session.window.resend(now) {
                line.send_again(now, publish, place);
                continue;
            }
            line.drop_expired(now);
            let window = &line.session.window;
            let has_window = window.has_room() && !window.has_resends();
            let qos_max = if has_window { QoS::ExactlyOnce } else { QoS::AtMostOnce };
            match line.session.queue.next(now, qos_max, &self.retained, &mut seeks) {
                Next::Message(entry) => {
                    if line.session.allowed.read(&entry.message.message.topic) {
                        line.send_queued(now, entry);
                    } else {
                        line.persistence.end_queued(now, line.session.id, entry.place);
                    }
                }
                Next::Nothing => return,
                Next::Stored(request) => return line.ask_for(request),
                Next::Pause if waits_for_turn => return,
                Next::Pause => {
                    let soon = now.after(Duration::from_micros(1));
                    let slot = &mut line.session.resume_at;
                    return self.timers.arm(slot, Timer::Resume(index), soon);
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

    /// What may wait for one session. The number is for an absent client: one that is there takes
    /// what a burst has left as fast as it can, and loses nothing of it for being short messages.
    pub(super) fn queue_bounds(&self, session: &Session) -> Bounds {
        let is_absent = session.connection.is_none();
        let messages = self.settings.queue_messages.filter(|_| is_absent);
        Bounds { messages, bytes: self.settings.queue_bytes }
    }

    /// Puts a message behind what waits for a session.
    pub(super) fn queue(&mut self, now: Tick, index: SessionIndex, message: Arc<Queued>) {
        let bounds = self.queue_bounds(&self.sessions[index]);
        let session = &mut self.sessions[index];
        let pace = if session.connection.is_some() { Pace::Shortly } else { Pace::Now };
        let kept = place(session, &message);
        if let Some((session, place)) = kept {
            let (packet_id, message) = (None, Arc::clone(&message));
            let change = Change::Queued { session, place, packet_id, message };
            self.persistence.note(now, change, Novelty::New, pace);
        }
        let entry = Entry { message, place: kept.map(|(_, place)| place) };
        let dropped = session.queue.push(entry, bounds);
        self.count_drops(now, index, dropped);
        self.relieve(now);
    }

    /// When all queues together are too large, the largest gives up an eighth: whoever has been
    /// away longest with the most to hear pays, and the search for it is paid for by many messages.
    pub(super) fn relieve(&mut self, now: Tick) {
        let Some(max) = self.settings.bounds.queued_bytes else { return };
        while self.queued.bytes() > max {
            let largest = self.sessions.iter().max_by_key(|(_, session)| session.queue.size().1);
            let Some((index, session)) = largest else { return };
            let bytes = session.queue.size().1;
            let dropped = self.sessions[index].queue.shrink_to(bytes - bytes / 8 - 1);
            self.count_drops(now, index, dropped);
        }
    }

    /// What was given up is done with, and is told in intervals.
    pub(super) fn count_drops(&mut self, now: Tick, index: SessionIndex, dropped: Dropped) {
        if dropped.messages == 0 {
            return;
        }
        let session = &mut self.sessions[index];
        for place in dropped.places {
            self.persistence.end_queued(now, session.id, Some(place));
        }
        self.outputs.traffic.messages_dropped += dropped.messages;
        if self.losses == Losses::Counted {
            return;
        }
        session.dropped += dropped.messages;
        if session.report_at.is_none() {
            let at = now.after(limits::EVENT_INTERVAL);
            self.timers.arm(&mut session.report_at, Timer::DropReport(index), at);
        }
    }
}

/// A place in the store for a message, if it is to have one.
fn place(session: &mut Session, message: &Queued) -> Option<(SessionId, Place)> {
    let id = session.store_id().filter(|_| message.qos > QoS::AtMostOnce)?;
    Some((id, session.next_place()))
}

/// A session with its connection, and what a message passes on its way from one to the other.
struct Line<'a> {
    session: &'a mut Session,
    connection: &'a mut Connection,
    outputs: &'a mut Outputs,
    persistence: &'a mut Persistence,
}

impl Line<'_> {
    /// Sends a message that waited; what was retained has no place yet.
    fn send_queued(&mut self, now: Tick, entry: Entry) {
        if entry.place.is_some() {
            return self.send(now, entry, Novelty::Known);
        }
        let place = place(self.session, &entry.message).map(|(_, place)| place);
        self.send(now, Entry { place, ..entry }, Novelty::New);
    }

    /// Sends a message, and lets the store know under which identifier. For QoS 2 it must, or the
    /// client would take the message for another one after a restart.
    fn send(&mut self, now: Tick, entry: Entry, novelty: Novelty) {
        let at = entry.place;
        let kept = self.session.id.zip(at).map(|kept| (kept, Arc::clone(&entry.message)));
        let publish = self.session.window.send(now, entry);
        let mut hold = None;
        if let Some(((session, place), message)) = kept {
            let packet_id = publish.delivery.packet_id();
            let change = Change::Queued { session, place, packet_id, message };
            match (publish.delivery, novelty) {
                (Delivery::ExactlyOnce(_), _) => {
                    hold = self.persistence.note_for(now, self.connection.id, change, novelty);
                }
                (_, Novelty::New) => self.persistence.note(now, change, novelty, Pace::Shortly),
                (_, Novelty::Known) => self.persistence.note(now, change, novelty, Pace::Later),
            }
        }
        self.write(now, publish, at, hold);
    }

    fn send_again(&mut self, now: Tick, publish: Publish, place: Option<Place>) {
        let is_exactly_once = matches!(publish.delivery, Delivery::ExactlyOnce(_));
        let thing = self.session.id.zip(place).filter(|_| is_exactly_once);
        let thing = thing.map(|(session, place)| Thing::queued(session, place));
        let hold = thing.and_then(|thing| self.persistence.hold(self.connection.id, &thing));
        self.write(now, publish, place, hold);
    }

    /// A client that takes no packet of that size is treated as if it had taken the message
    /// ([MQTT-3.1.2-24], [MQTT-3.1.2-25]).
    fn write(&mut self, now: Tick, publish: Publish, place: Option<Place>, hold: Option<HoldId>) {
        let delivery = publish.delivery;
        let packet = Packet::Publish(publish);
        if !self.connection.terms.take(&packet) {
            self.session.window.refused(delivery);
            self.persistence.end_queued(now, self.session.id, place);
            self.outputs.traffic.messages_too_large += 1;
            return;
        }
        match delivery {
            Delivery::ExactlyOnce(_) => {
                held::send(packet, hold, self.connection, self.outputs, self.persistence);
            }
            _ => self.outputs.send(self.connection, packet),
        }
    }

    fn drop_expired(&mut self, now: Tick) {
        let expired = self.session.queue.drop_expired(now);
        self.outputs.traffic.messages_expired += expired.messages;
        for place in expired.places {
            self.persistence.end_queued(now, self.session.id, Some(place));
        }
    }

    fn ask_for(&mut self, request: PageRequest) {
        if let Some(session) = self.session.id {
            self.outputs.push(Output::Page(PageRequest { session, ..request }));
        }
    }
}
