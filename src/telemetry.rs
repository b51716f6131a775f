//! A reading or a fault → topic, payload, retain flag.

use std::sync::Arc;

use crate::mqtt::{Message, QoS};
use crate::sampling::{Report, SensorId};
use crate::time::Timestamp;

/// A message of the gateway's own.
#[derive(Clone, Debug, PartialEq)]
pub struct Publication {
    /// Topic and payload.
    pub message: Message,
    /// Most a subscriber can get.
    pub qos: QoS,
    /// Whether it is retained.
    pub retain: bool,
}

/// A room and its sensors, in the order of the configuration.
#[derive(Clone, Debug)]
pub struct Room {
    /// As in its topics.
    pub slug: Arc<str>,
    /// Id and printed address of each.
    pub sensors: Vec<(SensorId, Arc<str>)>,
}

/// The rooms as their subscribers see them.
#[derive(Debug)]
pub struct House {}

impl House {
    /// A house whose topics begin with `root`.
    pub fn new(_root: &str, _rooms: Vec<Room>) -> Self {
        Self {}
    }

    /// Before listeners open: every room offline until a first good reading.
    pub fn start(&mut self, _at: Timestamp) -> Vec<Publication> {
        todo!()
    }

    /// What a report means to subscribers.
    pub fn report(&mut self, _report: &Report) -> Vec<Publication> {
        todo!()
    }

    /// The last words: rooms and gateway offline.
    pub fn stop(&mut self, _at: Timestamp) -> Vec<Publication> {
        todo!()
    }
}
