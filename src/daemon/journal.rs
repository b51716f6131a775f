//! What the broker wants an operator to know, as log lines: a constant sentence and its fields.

use tracing::{info, warn};

use crate::broker::Event;

/// Writes one line for `event`. The line of a refused login has a fixed shape, for tools that read
/// it.
pub(super) fn record(event: &Event) {
    match event {
        Event::Connected { peer, client_id, principal } => {
            info!(%peer, client = client_id, user = principal.name(), "client connected");
        }
        Event::Disconnected { peer, client_id, reason, .. } => {
            info!(%peer, client = client_id, reason = &**reason, "client disconnected");
        }
        Event::Refused { peer, listener, user, client_id, reason } => {
            warn!(
                "auth refused peer={peer} listener={listener} user={user:?} client={client_id:?} \
                 reason={reason}"
            );
        }
        Event::Rejected { peer, listener, client_id, reason, times } => {
            let (listener, reason) = (&**listener, &**reason);
            warn!(%peer, listener, client = client_id, reason, times, "CONNECT refused");
        }
        Event::Denied { peer, client_id, topic, reason, times } => {
            // In quotes, like all that has words of a peer in it.
            let reason = &*reason.0;
            warn!(%peer, client = client_id, topic, reason, times, "not allowed, refused");
        }
        Event::SessionDiscarded { client_id, user } => {
            warn!(client = client_id, user, "too many sessions: the longest absent is given up");
        }
        Event::StoreFailed { trouble } => {
            warn!(reason = trouble.why(), "what clients want kept is refused for the moment");
        }
        Event::StoreRecovered => info!("what clients want kept is kept again"),
        Event::QueueDropped { client_id, messages } => {
            warn!(client = client_id, messages, "queue full: oldest messages dropped");
        }
    }
}
