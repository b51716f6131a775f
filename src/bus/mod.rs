//! One thread per physical bus: it sleeps until its sampler's deadline, reads the chips, and hands
//! reports to the house. A slow bus never delays another; a missing chip never ends a thread.

pub mod clock;
pub mod dht;
#[cfg(all(feature = "rppal", target_os = "linux"))]
pub mod gpio;
pub mod guarded;
pub mod holder;
pub mod i2c;
pub mod kernel;
pub mod line;
#[cfg(all(feature = "linux", target_os = "linux"))]
pub mod linux;
pub mod mailbox;
pub mod onewire;
pub mod pin;
pub mod reopen;
pub mod replayed;
pub mod simulated;
pub mod spi;
pub mod survey;
pub mod sysfs;
pub mod tap;
pub mod thread;

use crate::sampling::SensorId;
use crate::sensors::catalog::Driver;
use crate::sensors::element::Element;
use crate::sensors::{Address, Fault, Measurement};
use crate::time::{Tick, Timestamp};

/// A bus with its chips. Owned by one thread; may block.
pub trait Bus: Send {
    /// Reads these sensors, by one common conversion where the bus can; `answer` is called once for
    /// each, as soon as it is known.
    fn read(
        &mut self,
        sensors: &[SensorId],
        answer: &mut dyn FnMut(SensorId, Result<Measurement, Fault>),
    );
}

/// A kind of bus that this binary was built without.
#[derive(Debug)]
pub struct Missing;

impl Bus for Missing {
    fn read(
        &mut self,
        sensors: &[SensorId],
        answer: &mut dyn FnMut(SensorId, Result<Measurement, Fault>),
    ) {
        for &sensor in sensors {
            answer(sensor, Err(Fault::NoBus));
        }
    }
}

impl Bus for Box<dyn Bus> {
    fn read(
        &mut self,
        sensors: &[SensorId],
        answer: &mut dyn FnMut(SensorId, Result<Measurement, Fault>),
    ) {
        self.as_mut().read(sensors, answer);
    }
}

/// A sensor as its bus needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Attached {
    /// Its name in the house.
    pub id: SensorId,
    /// Which chip.
    pub driver: Driver,
    /// Where on the bus.
    pub address: Address,
    /// What hangs at its input, where it has some.
    pub element: Option<Element>,
}

/// The clocks of this machine, or of a test.
pub trait Clock: Send + Sync {
    /// Monotonic time.
    fn now(&self) -> Tick;
    /// Wall-clock time.
    fn wall(&self) -> Timestamp;
}
