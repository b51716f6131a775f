//! Start, stop, and the loop that joins brain and hands.

mod buses;
mod clock;
mod house;
mod hub;
mod journal;
mod logins;
pub mod service;
pub mod settings;
pub mod state;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::info;

use crate::access::Rights;
use crate::broker;
use crate::bus::{BusThread, Clock, Reports};
use crate::config::{Room, Settings};
use crate::limits::STOP_TIMEOUT;
use crate::net::{Bound, Stop};
use crate::sampling::SensorId;
use crate::telemetry::{self, House};

use clock::SystemClock;
use house::{Health, Label, Steward};
use hub::Hub;
use state::StateDir;

/// Why a gateway did not start. Its text has a line of what, and hints.
#[derive(Debug)]
pub enum StartError {
    /// The state folder, or a file in it.
    State(state::StateError),
    /// Certificates.
    Tls(crate::net::tls::TlsError),
    /// A listener.
    Bind(crate::net::BindError),
    /// A thread.
    Thread(io::Error),
}

/// A gateway at work. Dropped without [`Gateway::stop`] it ends without a word to its clients.
pub struct Gateway {
    settings: Settings,
    clock: Arc<dyn Clock>,
    hub: Arc<Hub>,
    house: Arc<Mutex<House>>,
    health: watch::Receiver<Health>,
    listeners: Vec<(SocketAddr, Stop)>,
    buses: Vec<BusThread>,
    tasks: JoinSet<()>,
    /// Held, so that no second gateway works on the same folder.
    _state: StateDir,
}
