//! What the gateway tells about the broker itself.

use super::{Broker, Retention};
use crate::mqtt::{Message, QoS};
use crate::time::Tick;

/// What becomes of the losses of full queues. Each is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Losses {
    /// And an event tells it.
    Told,
    /// And that is all: the word of a loss would cost the same queue again, for ever.
    Counted,
}

impl Broker {
    /// Publishes what happened. Nobody is told what this itself costs the queue of an absent
    /// subscriber, so that an event is never the cause of another.
    pub(super) fn announce(&mut self, now: Tick, message: Message) {
        self.losses = Losses::Counted;
        self.own_publish(now, message, QoS::AtLeastOnce, Retention::None);
        self.losses = Losses::Told;
    }
}
