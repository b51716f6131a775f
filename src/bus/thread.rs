//! The thread of a bus: it carries out what its sampler wants, and sleeps until it wants more.

use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::limits;
use crate::sampling::{Input, Output, Sampler, Sensor, SensorId};
use crate::sensors::{Fault, Measurement};
use crate::time::Tick;

use super::mailbox::Reports;
use super::{Bus, Clock};

/// A running bus thread. Dropping it ends the thread too, without waiting.
#[derive(Debug)]
pub struct BusThread {
    name: String,
    orders: Sender<Order>,
    ended: Receiver<Infallible>,
    beat: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

/// Other sensors on a bus. Those that are not named go on as they are.
pub struct Refit {
    /// The hands for all that hang there from now on.
    pub bus: Box<dyn Bus>,
    /// Read no more.
    pub gone: Vec<SensorId>,
    /// Read from now on; one that is also gone begins anew.
    pub new: Vec<Sensor>,
}

enum Order {
    Stop,
    Refit(Refit),
}

/// The thread's side.
struct Round {
    name: String,
    bus: Box<dyn Bus>,
    desk: Desk,
    orders: Receiver<Order>,
    /// Orders that came while sensors were read.
    refits: Vec<Refit>,
}

/// All but the bus, which is busy while answers come in.
struct Desk {
    sampler: Sampler,
    clock: Arc<dyn Clock>,
    reports: Arc<Reports>,
    beat: Arc<AtomicU64>,
    to_read: VecDeque<Vec<SensorId>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    GoesOn,
    Ends,
}

/// Starts the thread of a bus; fails where the system refuses one. Linux shows 15 bytes of `name`.
pub fn spawn(
    name: &str,
    sampler: Sampler,
    bus: Box<dyn Bus>,
    clock: Arc<dyn Clock>,
    reports: Arc<Reports>,
) -> io::Result<BusThread> {
    let beat = Arc::new(AtomicU64::new(clock.now().as_micros()));
    let (order, orders) = mpsc::channel();
    let (ends, ended) = mpsc::channel::<Infallible>();
    let desk = Desk { sampler, clock, reports, beat: Arc::clone(&beat), to_read: VecDeque::new() };
    let round = Round { name: name.to_owned(), bus, desk, orders, refits: Vec::new() };
    let thread = Builder::new().name(name.to_owned()).spawn(move || {
        let _told_by_its_drop = ends;
        round.run();
    })?;
    Ok(BusThread { name: name.to_owned(), orders: order, ended, beat, thread })
}

impl BusThread {
    /// Name of its bus.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When it last went round or had an answer: no longer ago than [`limits::BUS_SLEEP_MAX`] and
    /// the slowest read, or it is stuck.
    pub fn beat(&self) -> Tick {
        Tick::from_micros(self.beat.load(Ordering::Relaxed))
    }

    /// Asks it to end after the read it is in. To stop several, ask all before stopping each.
    pub fn ask_to_stop(&self) {
        // An error means that it has ended.
        let _ = self.orders.send(Order::Stop);
    }

    /// Asks it to read other sensors, after the read it is in.
    pub fn refit(&self, refit: Refit) {
        // An error means that it has ended.
        let _ = self.orders.send(Order::Refit(refit));
    }

    /// Ends it. One that is blocked in a read for longer than `patience` is left behind: it ends by
    /// itself, and what it still says is not heard.
    pub fn stop(self, patience: Duration) {
        self.ask_to_stop();
        match self.ended.recv_timeout(patience) {
            Ok(never) => match never {},
            Err(RecvTimeoutError::Timeout) => {
                tracing::warn!(bus = self.name, "bus thread is still reading and left behind");
            }
            Err(RecvTimeoutError::Disconnected) => {
                if self.thread.join().is_err() {
                    tracing::error!(bus = self.name, "bus thread had panicked");
                }
            }
        }
    }
}

impl Round {
    fn run(mut self) {
        while self.turn() == Life::GoesOn && self.sleep() == Life::GoesOn {}
    }

    /// Carries out all that the sampler wants now.
    fn turn(&mut self) -> Life {
        for Refit { bus, gone, new } in self.refits.drain(..) {
            self.bus = bus;
            self.desk.reports.forget(&gone);
            self.desk.sampler.refit(self.desk.clock.now(), &gone, new);
        }
        self.desk.wake();
        while let Some(sensors) = self.desk.to_read.pop_front() {
            match self.orders.try_recv() {
                Err(TryRecvError::Empty) => {}
                Ok(Order::Refit(refit)) => self.refits.push(refit),
                Ok(Order::Stop) | Err(TryRecvError::Disconnected) => return Life::Ends,
            }
            self.read(&sensors);
        }
        Life::GoesOn
    }

    /// Each sensor gets one answer, whatever the bus does.
    fn read(&mut self, sensors: &[SensorId]) {
        let Self { name, bus, desk, .. } = self;
        let mut unanswered: BTreeSet<SensorId> = sensors.iter().copied().collect();
        // Driver crates may panic. What they leave behind is asked again, never trusted: the desk
        // is whole between two answers.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            bus.read(sensors, &mut |sensor, result| {
                if unanswered.remove(&sensor) {
                    desk.answer(sensor, result);
                }
            });
        }));
        let panicked = outcome.is_err();
        if panicked {
            tracing::error!(bus = *name, "driver panicked");
        }
        let fault = if panicked { Fault::Bus } else { Fault::Absent };
        for sensor in unanswered {
            desk.answer(sensor, Err(fault));
        }
    }

    /// Sleeps until the sampler's deadline, or a while, or an order.
    fn sleep(&mut self) -> Life {
        if !self.refits.is_empty() {
            return Life::GoesOn;
        }
        let now = self.desk.clock.now();
        let deadline = self.desk.sampler.deadline().unwrap_or(Tick::MAX);
        let time = deadline.since(now).clamp(limits::BUS_SLEEP_MIN, limits::BUS_SLEEP_MAX);
        match self.orders.recv_timeout(time) {
            Err(RecvTimeoutError::Timeout) => Life::GoesOn,
            Ok(Order::Refit(refit)) => {
                self.refits.push(refit);
                Life::GoesOn
            }
            Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => Life::Ends,
        }
    }
}

impl Desk {
    fn wake(&mut self) {
        let at = self.clock.wall();
        self.handle(Input::Wake { at });
    }

    fn answer(&mut self, sensor: SensorId, result: Result<Measurement, Fault>) {
        let at = self.clock.wall();
        self.reports.tried(sensor, &result);
        self.handle(Input::Answer { sensor, at, result });
    }

    fn handle(&mut self, input: Input) {
        let now = self.clock.now();
        self.beat.store(now.as_micros(), Ordering::Relaxed);
        self.sampler.handle(now, input);
        while let Some(output) = self.sampler.poll() {
            match output {
                Output::Read(sensors) => self.to_read.push_back(sensors),
                Output::Report(report) => self.reports.push(report),
            }
        }
    }
}

#[cfg(test)]
mod tests;
