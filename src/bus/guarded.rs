//! A bus that other processes of this machine talk on as well: the gateway, `maison scan`,
//! `maison read`. The kernel keeps transactions apart, but not the steps of one reading, so whoever
//! reads a chip has the device's lock (`flock(2)`) meanwhile.

use std::fs::File;
use std::path::Path;
use std::thread;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::bus::Bus;
use crate::bus::tap::{Said, Tap};
use crate::limits;
use crate::sampling::SensorId;
use crate::sensors::{Fault, Measurement};

/// The lock of a device.
#[derive(Debug)]
pub struct Door(Option<File>);

/// The bus is ours until this is dropped.
#[derive(Debug)]
pub struct Turn<'a>(Option<&'a File>);

impl Door {
    /// That of the device at `path`; a device that cannot be opened has none, and is not talked on
    /// either.
    pub fn of(path: &Path) -> Self {
        Self(File::open(path).ok())
    }

    /// That of a bus which nobody else can reach.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Waits for the bus; [`Fault::Timeout`] if another process does not give it back.
    pub fn enter(&self) -> Result<Turn<'_>, Fault> {
        let Some(file) = &self.0 else { return Ok(Turn(None)) };
        let tries = limits::BUS_TURN_TIMEOUT.as_millis() / limits::BUS_TURN_POLL.as_millis();
        for _ in 0..tries {
            match flock(file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Turn(Some(file))),
                Err(Errno::WOULDBLOCK | Errno::INTR) => thread::sleep(limits::BUS_TURN_POLL),
                // A device that knows no locks is shared as before there were any.
                Err(_) => return Ok(Turn(None)),
            }
        }
        Err(Fault::Timeout)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(file) = self.0 {
            let _ = flock(file, FlockOperation::Unlock);
        }
    }
}

/// A bus behind its door.
#[derive(Debug)]
pub struct Guarded<B> {
    bus: B,
    door: Door,
    tap: Tap,
}

impl<B> Guarded<B> {
    /// The bus: another process may come in between two sensors.
    pub const fn new(bus: B, door: Door, tap: Tap) -> Self {
        Self { bus, door, tap }
    }
}

impl<B: Bus> Bus for Guarded<B> {
    fn read(
        &mut self,
        sensors: &[SensorId],
        answer: &mut dyn FnMut(SensorId, Result<Measurement, Fault>),
    ) {
        for sensor in sensors {
            match self.door.enter() {
                Ok(_turn) => self.bus.read(&[*sensor], answer),
                Err(fault) => {
                    self.tap.tell(|| Said::Busy);
                    answer(*sensor, Err(fault));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::units::MilliCelsius;

    /// A bus that notices when it is used twice at a time.
    struct Shared(Arc<AtomicBool>, Arc<AtomicU32>);

    impl Bus for Shared {
        fn read(
            &mut self,
            sensors: &[SensorId],
            answer: &mut dyn FnMut(SensorId, Result<Measurement, Fault>),
        ) {
            let was_busy = self.0.swap(true, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(2));
            self.0.store(false, Ordering::SeqCst);
            self.1.fetch_add(u32::from(was_busy), Ordering::SeqCst);
            let good = Ok(Measurement::of(MilliCelsius::new(21_000)));
            for sensor in sensors {
                answer(*sensor, good);
            }
        }
    }

    /// A lock belongs to an open file, so two doors of one process are as good as two processes.
    #[test]
    fn two_who_read_one_device_take_turns() {
        let device = tempfile::NamedTempFile::new().unwrap();
        let (busy, collisions) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let reader = || {
            let bus = Shared(Arc::clone(&busy), Arc::clone(&collisions));
            Guarded::new(bus, Door::of(device.path()), Tap::default())
        };
        let good = AtomicU32::new(0);
        thread::scope(|scope| {
            for mut bus in [reader(), reader()] {
                let good = &good;
                scope.spawn(move || {
                    for _ in 0..20 {
                        bus.read(&[SensorId(0), SensorId(1)], &mut |_, result| {
                            good.fetch_add(u32::from(result.is_ok()), Ordering::SeqCst);
                        });
                    }
                });
            }
        });
        assert_eq!((good.into_inner(), collisions.load(Ordering::SeqCst)), (80, 0));
    }

    #[test]
    fn a_bus_that_is_never_given_back_is_a_timeout() {
        let device = tempfile::NamedTempFile::new().unwrap();
        let (mine, theirs) = (Door::of(device.path()), Door::of(device.path()));
        let held = theirs.enter().unwrap();
        assert_eq!(mine.enter().map(drop), Err(Fault::Timeout));
        drop(held);
        assert!(mine.enter().is_ok());
    }
}
