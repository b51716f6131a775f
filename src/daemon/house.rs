//! The loop between sensors and broker: takes the reports of the bus threads, publishes them, and
//! keeps the sentence that says how the house is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tracing::{info, warn};

use super::hub::Hub;
use crate::bus::mailbox::Reports;
use crate::sampling::{Report, SensorId, State};
use crate::telemetry::House;

/// A sensor as an operator knows it.
#[derive(Clone, Debug)]
pub struct Label {
    /// Slug of its room.
    pub room: Arc<str>,
    /// Its printed address.
    pub address: Arc<str>,
}

/// How the sensors are, for the service manager and the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Sensors that were tried at least once.
    pub tried: usize,
    /// Sensors whose last reading was good.
    pub ok: usize,
    /// `room: reason` of each other that was tried.
    pub complaints: Vec<String>,
}

/// Publishes what the buses report, for ever.
pub struct Steward {
    hub: Arc<Hub>,
    house: Arc<Mutex<House>>,
    labels: BTreeMap<SensorId, Label>,
    states: BTreeMap<SensorId, State>,
    health: watch::Sender<Health>,
}

impl Steward {
    /// A steward of `house`, whose sensors are called as `labels` says.
    pub fn new(
        hub: Arc<Hub>,
        house: Arc<Mutex<House>>,
        labels: BTreeMap<SensorId, Label>,
    ) -> (Self, watch::Receiver<Health>) {
        let (health, watched) = watch::channel(Health::default());
        (Self { hub, house, labels, states: BTreeMap::new(), health }, watched)
    }

    /// Takes reports until the task is dropped.
    pub async fn serve(mut self, reports: Arc<Reports>) {
        loop {
            let report = reports.next().await;
            self.take(&report);
        }
    }

    fn take(&mut self, report: &Report) {
        let publications = self.house.lock().unwrap_or_else(PoisonError::into_inner).report(report);
        self.hub.publish(publications);
        if self.states.get(&report.sensor) != Some(&report.state) {
            self.tell(report);
            self.states.insert(report.sensor, report.state.clone());
            self.health.send_replace(self.health());
        }
    }

    /// One line a change of state, not one a second.
    fn tell(&self, report: &Report) {
        let Some(Label { room, address }) = self.labels.get(&report.sensor) else { return };
        let (room, address) = (&**room, &**address);
        match &report.state {
            State::Unknown => {}
            State::Ok => info!(room, sensor = address, "sensor is well"),
            State::Suspect(reason) => {
                info!(room, sensor = address, reason = reason.name(), "sensor gave a bad reading");
            }
            State::Stale => warn!(room, sensor = address, "sensor is silent"),
            State::Failed(reason) => {
                warn!(room, sensor = address, reason = reason.name(), "sensor has failed");
            }
        }
    }

    fn health(&self) -> Health {
        let tried = self.states.iter().filter(|(_, state)| **state != State::Unknown);
        let ok = self.states.values().filter(|state| **state == State::Ok).count();
        let complaints = self.states.iter().filter_map(|(sensor, state)| {
            let room = self.labels.get(sensor).map(|label| &*label.room)?;
            match state {
                State::Unknown | State::Ok => None,
                State::Stale => Some(format!("{room}: silent")),
                State::Suspect(reason) | State::Failed(reason) => {
                    Some(format!("{room}: {}", reason.name()))
                }
            }
        });
        Health { tried: tried.count(), ok, complaints: complaints.collect() }
    }
}
