//! What a room shows at a moment, for those who ask the gateway itself and subscribe to nothing.

use std::sync::Arc;

use crate::sampling::{Reading, SensorId, State};
use crate::time::Timestamp;
use crate::units::Quantity;

/// A room as its subscribers see it.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenRoom {
    /// As in its topics.
    pub slug: Arc<str>,
    /// What its availability says.
    pub online: bool,
    /// Each quantity that its sensors give, the temperature first.
    pub measured: Vec<Seen>,
}

/// One quantity of a room: of the sensor whose value is the room's.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// What is measured.
    pub quantity: Quantity,
    /// By which sensor: its name in the house, …
    pub sensor: SensorId,
    /// … and as it is printed.
    pub address: Arc<str>,
    /// How that sensor is, …
    pub state: State,
    /// … since when, …
    pub since: Timestamp,
    /// … and when it last gave a good reading.
    pub last_good: Option<Timestamp>,
    /// The value that counts, if there is one.
    pub reading: Option<Reading>,
}
