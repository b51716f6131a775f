//! I²C for the real binary on a machine that has none: a library between it and `/dev/i2c-N`
//! (`tests/i2c/kernel.c`), and buses of simulated chips, or of something worse, at the other end.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use embedded_hal::i2c::{Error, ErrorKind, I2c, Operation};
use maison::bus::simulated::model;
use maison::sensors::catalog::Driver;
use maison::sim::clock::VirtualClock;
use maison::sim::i2c::{SimI2c, Spot};
use rustix::io::Errno;

use crate::gateway::shared_library;

/// What hangs at an adapter.
pub(crate) trait Wires: Send {
    fn transfer(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), Errno>;
}

/// A transaction that a process made.
#[derive(Clone, Debug)]
pub(crate) struct Transaction {
    /// The lower bits of its number.
    pub(crate) process: u16,
    pub(crate) bus: u8,
    pub(crate) address: u8,
    /// Of each message that writes.
    pub(crate) written: Vec<Vec<u8>>,
}

/// The adapters of a machine.
pub(crate) struct Adapters {
    folder: PathBuf,
    log: Arc<Mutex<Vec<Transaction>>>,
}

static LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| shared_library("i2c/kernel.c"));

/// `I2C_M_RD` of `linux/i2c.h`.
const READ: u16 = 1;

impl Adapters {
    /// Those of a prepared folder, and of the machine of its `sys`.
    pub(crate) fn of(folder: &Path, buses: Vec<(u8, Box<dyn Wires>)>) -> Self {
        for (number, _) in &buses {
            fs::write(folder.join(format!("i2c-{number}")), "").unwrap();
            for class in ["class/i2c-dev", "bus/i2c/devices"] {
                let device = folder.join(format!("sys/{class}/i2c-{number}"));
                fs::create_dir_all(device).unwrap();
            }
        }
        let listener = UnixListener::bind(folder.join("kernel")).unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&log);
        // One transaction at a time, as the kernel has it.
        thread::spawn(move || {
            let mut buses = buses;
            for stream in listener.incoming() {
                // A process that was killed meanwhile wants no answer.
                let _ = stream.and_then(|mut stream| serve(&mut stream, &mut buses, &noted));
            }
        });
        Self { folder: folder.to_owned(), log }
    }

    /// Lets a process see them.
    pub(crate) fn lend(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &*LIBRARY).env("MAISON_I2C", &self.folder);
    }

    /// All transactions so far.
    pub(crate) fn log(&self) -> Vec<Transaction> {
        self.log.lock().unwrap().clone()
    }
}

fn serve(
    stream: &mut UnixStream,
    buses: &mut [(u8, Box<dyn Wires>)],
    log: &Mutex<Vec<Transaction>>,
) -> io::Result<()> {
    let [process, bus, count] = numbers(stream)?;
    let mut messages = Vec::new();
    for _ in 0..count {
        let [address, flags, length] = numbers(stream)?;
        let mut bytes = vec![0; length.into()];
        if flags & READ == 0 {
            stream.read_exact(&mut bytes)?;
        }
        messages.push((u8::try_from(address).unwrap(), flags & READ != 0, bytes));
    }
    let Some((address, ..)) = messages.first() else { return Ok(()) };
    let (bus, address) = (u8::try_from(bus).unwrap(), *address);
    let is_written = |(_, is_read, bytes): &(u8, bool, Vec<u8>)| (!is_read).then(|| bytes.clone());
    let written = messages.iter().filter_map(is_written).collect();
    log.lock().unwrap().push(Transaction { process, bus, address, written });
    let (_, wires) = buses.iter_mut().find(|(number, _)| *number == bus).unwrap();
    let mut operations: Vec<_> = messages.iter_mut().map(operation).collect();
    let done = wires.transfer(address, &mut operations);
    let error = done.map_or_else(Errno::raw_os_error, |()| 0);
    stream.write_all(&u16::try_from(error).unwrap().to_ne_bytes())?;
    for (_, _, bytes) in messages.iter().filter(|(_, is_read, _)| *is_read && error == 0) {
        stream.write_all(bytes)?;
    }
    Ok(())
}

fn operation((_, is_read, bytes): &mut (u8, bool, Vec<u8>)) -> Operation<'_> {
    if *is_read { Operation::Read(bytes) } else { Operation::Write(bytes) }
}

fn numbers(stream: &mut UnixStream) -> io::Result<[u16; 3]> {
    let mut numbers = [0; 3];
    for number in &mut numbers {
        let mut bytes = [0; 2];
        stream.read_exact(&mut bytes)?;
        *number = u16::from_ne_bytes(bytes);
    }
    Ok(numbers)
}

/// Simulated chips, whose time is ours.
pub(crate) struct Chips {
    i2c: SimI2c,
    last: Instant,
}

impl Chips {
    pub(crate) fn at(spots: &[(Driver, Spot)]) -> Box<dyn Wires> {
        let clock = VirtualClock::new();
        let mut i2c = SimI2c::new(clock.clone(), 1);
        for (driver, spot) in spots {
            i2c.attach(*spot, model(*driver, &[], clock.now()).unwrap());
        }
        clock.advance(Duration::from_secs(1));
        Box::new(Self { i2c, last: Instant::now() })
    }
}

impl Wires for Chips {
    fn transfer(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), Errno> {
        let now = Instant::now();
        self.i2c.clock().advance(now - self.last);
        self.last = now;
        self.i2c.transaction(address, operations).map_err(|error| match error.kind() {
            ErrorKind::NoAcknowledge(_) => Errno::REMOTEIO,
            ErrorKind::ArbitrationLoss => Errno::TIMEDOUT,
            _ => Errno::IO,
        })
    }
}
