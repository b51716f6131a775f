//! Acknowledgements of clients: each moves a delivery on, and makes room for the next.

use super::Broker;
use super::persistence::{HoldId, Novelty, Pace, Thing};
use super::record::{Change, Place};
use super::session::SessionIndex;
use super::window::Received;
use crate::access::ConnectionId;
use crate::mqtt::{Acknowledgement, Delivery, Packet, PacketId, ReasonCode};
use crate::time::Tick;

impl Broker {
    /// A PUBACK. Also one that refuses ends the delivery ([MQTT-4.4.0-2]).
    pub(super) fn acknowledged(
        &mut self,
        now: Tick,
        index: SessionIndex,
        answer: &Acknowledgement,
    ) {
        let session = &mut self.sessions[index];
        let done = session.window.acknowledged(answer.packet_id).and_then(|it| it.place);
        self.persistence.end_queued(now, session.id, done);
        self.pull(now, index);
    }

    /// A PUBREC. One that refuses ends the delivery: no PUBREL follows ([MQTT-4.3.3-4]).
    pub(super) fn received(
        &mut self,
        now: Tick,
        id: ConnectionId,
        index: SessionIndex,
        answer: &Acknowledgement,
    ) {
        let (session, packet_id) = (&mut self.sessions[index], answer.packet_id);
        if answer.reason.is_failure() {
            let done = session.window.refused(Delivery::ExactlyOnce(packet_id));
            self.persistence.end_queued(now, session.id, done.and_then(|it| it.place));
            return self.pull(now, index);
        }
        let received = session.window.received(packet_id);
        let reason = match &received {
            Received::ReleaseUnknown if self.is_v5(id) => ReasonCode::PacketIdentifierNotFound,
            Received::ReleaseAgain | Received::ReleaseUnknown | Received::Release(_) => {
                ReasonCode::Success
            }
            Received::Ignore => return,
        };
        // The client forgets the identifier when it hears of it, so that must be kept before.
        let hold = if let Received::Release(place) = received {
            self.keep_release(now, id, index, packet_id, place)
        } else {
            let thing = self.sessions[index].id.map(|it| Thing::released(it, packet_id));
            thing.and_then(|thing| self.persistence.hold(id, &thing))
        };
        let answer = Acknowledgement { packet_id, reason, properties: None };
        self.send_kept(id, Packet::PubRel(answer), hold);
    }

    /// In the store the identifier takes the place of the message; for that the PUBREL waits.
    fn keep_release(
        &mut self,
        now: Tick,
        id: ConnectionId,
        index: SessionIndex,
        packet_id: PacketId,
        place: Option<Place>,
    ) -> Option<HoldId> {
        let session = &mut self.sessions[index];
        self.persistence.end_queued(now, session.id, place);
        let of = session.store_id()?;
        let order = session.next_place().0;
        let change = Change::Released { session: of, packet_id, order };
        self.persistence.note_for(now, id, change, Novelty::New)
    }

    /// A PUBCOMP.
    pub(super) fn completed(&mut self, now: Tick, index: SessionIndex, answer: &Acknowledgement) {
        let (session, packet_id) = (&mut self.sessions[index], answer.packet_id);
        if session.window.completed(packet_id)
            && let Some(session) = session.id
        {
            let change = Change::ReleasedEnd { session, packet_id };
            self.persistence.note(now, change, Novelty::Known, Pace::Later);
        }
        self.pull(now, index);
    }
}
