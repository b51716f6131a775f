//! A bus that other processes of this machine talk on as well: the gateway, `maison scan`,
//! `maison read`. The kernel keeps transactions apart, but not the steps of one reading, so whoever
//! reads a chip has the device's lock (`flock(2)`) meanwhile.

use std::cell::Cell;
use std::fs::File;
use std::path::Path;
use std::thread;
use std::time::Instant;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::bus::Bus;
use crate::bus::holder::Holder;
use crate::bus::tap::{Said, Tap};
use crate::limits;
use crate::sampling::SensorId;
use crate::sensors::{Fault, Measurement};

/// The lock of a device.
#[derive(Debug)]
pub struct Door {
    file: Option<File>,
    /// When our last turn was over.
    left: Cell<Option<Instant>>,
    /// Since when nobody else has had the time to come in.
    crowded: Cell<Option<Instant>>,
}

/// The bus is ours until this is dropped.
#[derive(Debug)]
pub struct Turn<'a>(Option<&'a Door>);

impl Door {
    /// That of the device at `path`; a device that cannot be opened has none, and is not talked on
    /// either.
    pub fn of(path: &Path) -> Self {
        Self { file: File::open(path).ok(), ..Self::none() }
    }

    /// That of a bus which nobody else can reach.
    pub const fn none() -> Self {
        Self { file: None, left: Cell::new(None), crowded: Cell::new(None) }
    }

    /// Waits for the bus; [`Fault::Busy`] if another process does not give it back.
    pub fn enter(&self) -> Result<Turn<'_>, Fault> {
        let Some(file) = &self.file else { return Ok(Turn(None)) };
        self.make_way();
        let tries = limits::BUS_TURN_TIMEOUT.as_millis() / limits::BUS_TURN_POLL.as_millis();
        for _ in 0..tries {
            match flock(file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Turn(Some(self))),
                Err(Errno::WOULDBLOCK | Errno::INTR) => thread::sleep(limits::BUS_TURN_POLL),
                // A device that knows no locks is shared as before there were any.
                Err(_) => return Ok(Turn(None)),
            }
        }
        Err(Fault::Busy)
    }

    /// Who has the bus, where that can be seen.
    pub fn holder(&self) -> Option<Holder> {
        self.file.as_ref().and_then(Holder::of)
    }

    /// Who takes turn after turn leaves nobody the time to look whether the bus is free: now and
    /// then it stays so for a moment.
    fn make_way(&self) {
        let now = Instant::now();
        let was_free = self.left.get().is_none_or(|left| now - left >= limits::BUS_TURN_GAP);
        let since = self.crowded.get().filter(|_| !was_free).unwrap_or(now);
        if now - since >= limits::BUS_TURNS_CROWDED_MAX {
            thread::sleep(limits::BUS_TURN_GAP);
            self.crowded.set(None);
        } else {
            self.crowded.set(Some(since));
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(door) = self.0 {
            if let Some(file) = &door.file {
                let _ = flock(file, FlockOperation::Unlock);
            }
            door.left.set(Some(Instant::now()));
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

    /// Reading after reading, as where a bus is slower than its sensors' intervals.
    #[test]
    fn a_bus_that_is_always_read_lets_somebody_else_in() {
        let device = tempfile::NamedTempFile::new().unwrap();
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let door = Door::of(device.path());
                while !is_over.load(Ordering::SeqCst) {
                    let _turn = door.enter();
                    thread::sleep(limits::BUS_TURN_POLL * 10);
                }
            });
            thread::sleep(limits::BUS_TURN_POLL * 20);
            let visitor = Door::of(device.path());
            let entries: Vec<_> = (0..3).map(|_| visitor.enter().map(drop)).collect();
            is_over.store(true, Ordering::SeqCst);
            assert_eq!(entries, [Ok(()); 3]);
        });
    }

    #[test]
    fn a_bus_that_is_never_given_back_is_busy() {
        let device = tempfile::NamedTempFile::new().unwrap();
        let (mine, theirs) = (Door::of(device.path()), Door::of(device.path()));
        let held = theirs.enter().unwrap();
        assert_eq!(mine.enter().map(drop), Err(Fault::Busy));
        drop(held);
        assert!(mine.enter().is_ok());
    }
}
