//! Wills: what a client wants said when it goes without a word.

use super::Broker;
use super::publish::{self, Publication};
use super::retained::Origin;
use super::session::SessionIndex;
use crate::access::Allowed;
use crate::mqtt::Will;
use crate::time::Tick;

impl Broker {
    /// The delay of an absent client's will is over ([MQTT-3.1.3-9]).
    pub(super) fn will_due(&mut self, now: Tick, index: SessionIndex) {
        let session = &mut self.sessions[index];
        session.will_at = None;
        let allowed = session.allowed.clone();
        if let Some(will) = session.will.take() {
            self.publish_will(now, Some(index), &allowed, will);
            self.keep_session(now, index);
        }
    }

    /// Publishes a will on behalf of the client that is gone, under the rules of this moment. Its
    /// session, if it lives on, may not want its own messages ([MQTT-3.8.3-3]).
    pub(super) fn publish_will(
        &mut self,
        now: Tick,
        session: Option<SessionIndex>,
        allowed: &Allowed,
        will: Will,
    ) {
        let Will { message, qos, retain, .. } = will;
        if self.permit(allowed, &message).is_err() {
            self.outputs.traffic.denied += 1;
            return;
        }
        let mut publication = Publication::new(now, message, qos, retain).by(session);
        if retain && self.retain(now, Origin::Client, &mut publication, Tick::MAX).is_err() {
            self.outputs.traffic.denied += 1;
        }
        self.route(now, &mut publication);
    }
}

/// A will as it is held for the length of a connection.
pub(super) fn keep(mut will: Will) -> Will {
    will.message = publish::keep(&will.message);
    will
}
