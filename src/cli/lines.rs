//! All buses of a configuration, each read in a thread of its own by its sampler, without a broker;
//! what happens comes out in one order.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use super::exit;
use crate::bus::Clock;
use crate::bus::line::{Line, Told};
use crate::bus::tap::{Said, Taps};
use crate::config::{Room, Settings, one_of};
use crate::daemon::{Fitted, Roster, SystemClock, World, sensors as sampled};
use crate::limits;
use crate::sampling::SensorId;
use crate::time::{Tick, Timestamp};

/// Whose sensors, and on what.
#[derive(Args, Clone, Debug)]
pub(super) struct Sensors {
    /// Simulate all buses of the configuration, with the weather and the faults of its
    /// `[simulation]`
    #[arg(long)]
    simulated: bool,
    /// Configuration file [default: `/etc/maison/maison.toml`]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Sensors {
    /// Does something with the settings, with those of one room if one is named by its slug or its
    /// name. Without any sensor there is nothing to do.
    pub(super) fn with(
        &self,
        room: Option<&str>,
        run: impl FnOnce(&Settings) -> Result<ExitCode>,
    ) -> ExitCode {
        super::with_settings(self.config.as_deref(), |settings| {
            let settings = only(settings, room)?;
            if settings.rooms.iter().all(|room| room.sensors.is_empty()) {
                super::complain(
                    "no sensor is configured\n  hint: `maison scan` lists what there is",
                );
                return Ok(exit::code(exit::FAILED));
            }
            run(&settings)
        })
    }

    /// How fast the clock of the simulated house goes; `None`: what is not simulated is real.
    pub(super) const fn speed(&self) -> Option<u32> {
        if self.simulated { Some(1) } else { None }
    }
}

/// Something that happened on a bus.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Said(Said),
    Told(Told),
}

/// The buses at work; they end when this is dropped.
pub(super) struct Lines {
    /// Each event with the name of its bus, in the order in which they happened.
    pub heard: Receiver<(Arc<str>, Event)>,
    /// Name, seed and sensors of each bus.
    pub buses: Vec<(String, u64, Vec<SensorId>)>,
    pub roster: Roster,
    /// When they began.
    pub start: (Tick, Timestamp),
    /// Tell the threads to end by their drop.
    _stops: Vec<Sender<()>>,
}

/// Whether what is said on the buses is wanted as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hear {
    Readings,
    All,
}

impl Lines {
    /// Starts reading the sensors of these settings; where all are simulated, with a clock of that
    /// speed.
    pub(super) fn start(settings: &Settings, simulated: Option<u32>, hear: Hear) -> Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let (sender, heard) = mpsc::sync_channel(limits::EVENTS_WAITING_MAX);
        let taps = match hear {
            Hear::Readings => Taps::default(),
            Hear::All => {
                let sender = sender.clone();
                // Who does not listen any more does not want to know.
                Taps::new(move |bus, said| drop(sender.send((Arc::from(bus), Event::Said(said)))))
            }
        };
        let roster = Roster::new(settings);
        let world = World::heard(settings, simulated, &clock, &taps);
        let fitted = roster.sensors().iter().map(Fitted::attached);
        let wired = world.wired(fitted, &settings.hardware.sysfs);
        let start = (clock.now(), clock.wall());
        let (mut buses, mut stops) = (Vec::new(), Vec::new());
        for (seed, (name, bus, attached)) in (0..).zip(wired) {
            let mine: Vec<_> = sampled(&roster, &attached).into_values().collect();
            buses.push((name.clone(), seed, mine.iter().map(|sensor| sensor.id).collect()));
            let tap = taps.of(&name);
            let line = Line::new(name, bus, (mine, seed), start.0, tap);
            let (stop, stopped) = mpsc::channel();
            stops.push(stop);
            let (clock, sender) = (Arc::clone(&clock), sender.clone());
            thread::Builder::new()
                .name(line.name.clone())
                .spawn(move || read(line, clock.as_ref(), &sender, &stopped))
                .context("cannot start a thread")?;
        }
        Ok(Self { heard, buses, roster, start, _stops: stops })
    }

    /// For people: the room and the address of a sensor.
    pub(super) fn label(&self, sensor: SensorId) -> String {
        label(&self.roster, sensor)
    }
}

/// The room and the address of a sensor, for people.
pub(super) fn label(roster: &Roster, sensor: SensorId) -> String {
    let fitted = roster.sensors().iter().find(|fitted| fitted.id == sensor);
    fitted.map_or_else(String::new, |it| format!("{} {}", it.room, it.sensor.address))
}

/// Until nobody listens, or a stop is asked for.
fn read(
    mut line: Line,
    clock: &dyn Clock,
    sender: &SyncSender<(Arc<str>, Event)>,
    stopped: &Receiver<()>,
) {
    let name: Arc<str> = Arc::from(line.name.as_str());
    let mut is_heard = true;
    while is_heard {
        line.turn(&mut |_| Some((clock.now(), clock.wall())), &mut |told| {
            is_heard &= sender.send((Arc::clone(&name), Event::Told(told))).is_ok();
        });
        let left = line.deadline().unwrap_or(Tick::MAX).since(clock.now());
        let left = left.clamp(limits::BUS_SLEEP_MIN, limits::BUS_SLEEP_MAX);
        if !matches!(stopped.recv_timeout(left), Err(RecvTimeoutError::Timeout)) {
            return;
        }
    }
}

/// The settings with this room only; with all, if none is named.
fn only(settings: &Settings, room: Option<&str>) -> Result<Settings> {
    let Some(room) = room else { return Ok(settings.clone()) };
    let is_it = |it: &&Room| it.slug == room || it.name == room;
    let found = settings.rooms.iter().find(is_it).cloned().with_context(|| {
        let rooms = || settings.rooms.iter().map(|it| it.slug.as_str());
        format!("no such room: `{room}`\n  hint: {}", one_of(room, rooms))
    })?;
    Ok(Settings { rooms: vec![found], ..settings.clone() })
}

/// How long the slowest sensors take for a first answer: a DHT, five times two seconds; sixty-four
/// sensors on a bus that converts one by one.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
