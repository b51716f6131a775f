//! What an operator changes while clients are there: bounds, and the listeners they came by.

use super::disconnect::Departure;
use super::objection::Objection;
use super::{Allowance, Broker};
use crate::access::{ConnectionId, Peer};
use crate::mqtt::ReasonCode;
use crate::time::Tick;

impl Broker {
    /// From now on this is allowed. A bound that is lower than what there is takes nothing away but
    /// from queues, which give up their oldest; it refuses more.
    pub(super) fn reconfigured(&mut self, now: Tick, allowance: Allowance) {
        let Allowance { session_expiry, queue_messages, queue_bytes, bounds } = allowance;
        let told = |bounds: &super::Bounds| {
            (bounds.receive_maximum, bounds.topic_alias_maximum, bounds.packet_bytes)
        };
        assert_eq!(told(&bounds), told(&self.settings.bounds), "what clients were told stays");
        self.retained.bound(bounds.retained_bytes);
        self.settings.session_expiry = session_expiry;
        self.settings.queue_messages = queue_messages;
        self.settings.queue_bytes = queue_bytes;
        self.settings.bounds = bounds;
        self.relieve(now);
    }

    /// Ends connections whose certificates the shell has looked at again.
    pub(super) fn certificates_ended(&mut self, now: Tick, mut connections: Vec<ConnectionId>) {
        connections.sort_unstable();
        for id in connections {
            let why = "this certificate, or its authority, counts no more";
            let objection = Objection::new(ReasonCode::NotAuthorized, why);
            self.close(now, id, Departure::Fault(objection));
        }
    }

    /// Those who are here, or on their way in.
    pub fn peers(&self) -> impl Iterator<Item = (ConnectionId, &Peer)> {
        self.connections.values().map(|connection| (connection.id, &connection.peer))
    }

    /// Ends the connections of a listener, in a fixed order. Their sessions stay: they may come
    /// back by another.
    pub(super) fn listener_closed(&mut self, now: Tick, listener: &str) {
        let came_by_it = self.connections.values().filter(|it| *it.peer.listener == *listener);
        let mut connections: Vec<_> = came_by_it.map(|connection| connection.id).collect();
        connections.sort_unstable();
        for id in connections {
            let why = "this listener was closed or changed";
            let objection = Objection::new(ReasonCode::AdministrativeAction, why);
            self.close(now, id, Departure::Fault(objection));
        }
    }
}
