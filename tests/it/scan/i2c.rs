//! `maison scan` on I²C: what it does to chips that it does not know, to a gateway at work beside
//! it, and about a bus that is stuck.

use std::fs::File;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use embedded_hal::i2c::Operation;
use maison::sensors::catalog::Driver;
use maison::sim::i2c::Spot;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::{check_line, text};
use crate::gateway::{Gateway, binary, recorded_tree};
use crate::i2c::{Adapters, Chips, Wires};

fn scan(adapters: &Adapters, folder: &Path) -> Output {
    let mut command = binary();
    adapters.lend(&mut command);
    command.arg("scan").arg("--config").arg(folder.join("maison.toml"));
    command.output().unwrap()
}

const fn behind(channel: u8, address: u8) -> Spot {
    Spot { behind: Some((0x70, channel)), address }
}

/// Two chips of one address behind a multiplexer, read ten times a second, while somebody opens
/// all its channels to look behind them.
#[test]
fn whoever_opens_a_channel_has_the_bus_to_himself_until_it_is_closed() {
    let sensor = |address: &str| {
        format!(
            "[[rooms.salon.sensors]]\ndriver = \"bme280\"\nbus = \"i2c-1\"\n\
             address = \"{address}\"\ninterval = \"100ms\"\n"
        )
    };
    let folder = Gateway::prepare(&(sensor("0x70:3/0x76") + &sensor("0x70:5/0x76")));
    let chips = [
        (Driver::Bme280, behind(3, 0x76)),
        (Driver::Bme280, behind(5, 0x76)),
        (Driver::Tmp117, 0x48.into()),
    ];
    let adapters = Adapters::of(folder.path(), vec![(1, Chips::at(&chips))]);
    let gateway = Gateway::spawn_with(folder, |command| adapters.lend(command));
    gateway.wait_for_log("ready");
    for _ in 0..3 {
        let output = scan(&adapters, gateway.folder.path());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let shown = text(&output);
        check_line(&shown, &["0x70:3/0x76", "°C", "room salon"]);
        check_line(&shown, &["0x70:5/0x76", "°C", "room salon"]);
        check_line(&shown, &["0x48", "TMP117", "no room yet"]);
    }
    for trouble in ["sensor has failed", "sensor gave a bad reading"] {
        assert!(!gateway.has_logged(trouble), "{:?}", gateway.logged(trouble));
    }
    let (mut inside, mut turns) = (None, [0; 2]);
    let mine = u16::try_from(gateway.id() & 0xffff).unwrap();
    for it in adapters.log() {
        assert!(inside.is_none_or(|process| process == it.process), "{it:?} came in between");
        turns[usize::from(it.process == mine)] += 1;
        if let (0x70, Some([channels])) = (it.address, it.written.first().map(Vec::as_slice)) {
            inside = (*channels != 0).then_some(it.process);
        }
    }
    assert!(turns.into_iter().all(|count| count > 100), "{turns:?}");
}

/// Somebody at every second address who answers whatever is asked, and has a register behind each
/// number: what is written into one switches a lamp.
struct Strangers {
    odd: bool,
    pointer: [u8; 128],
}

impl Wires for Strangers {
    fn transfer(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), Errno> {
        if (address % 2 == 1) != self.odd {
            return Err(Errno::REMOTEIO);
        }
        let pointer = &mut self.pointer[usize::from(address)];
        for operation in operations {
            match operation {
                Operation::Write([register, ..]) => *pointer = *register,
                Operation::Write([]) => {}
                Operation::Read(bytes) => {
                    for (byte, register) in bytes.iter_mut().zip(*pointer..) {
                        *byte = if is_port(address) { 0x5a } else { register.wrapping_mul(7) };
                    }
                }
            }
        }
        Ok(())
    }
}

/// A port expander has no registers: every byte that is written switches something.
const fn is_port(address: u8) -> bool {
    matches!(address, 0x20..=0x27 | 0x38..=0x3f)
}

#[test]
fn no_register_of_a_stranger_is_written() {
    for odd in [false, true] {
        let folder = Gateway::prepare("");
        let strangers = Box::new(Strangers { odd, pointer: [0; 128] });
        let adapters = Adapters::of(folder.path(), vec![(1, strangers)]);
        let output = scan(&adapters, folder.path());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let shown = text(&output);
        let unknown = shown.matches("no thermometer that is known").count();
        assert_eq!(unknown, 56, "{shown}");
        let log = adapters.log();
        assert!(log.len() > 200, "{log:?}");
        for it in log.iter().filter(|it| (it.address % 2 == 1) == odd) {
            assert!(it.written.iter().all(|bytes| bytes.len() <= 1), "a register: {it:?}");
            assert!(!is_port(it.address) || it.written.is_empty(), "a port: {it:?}");
        }
    }
}

/// A bus on which no transaction ends, or every address is acknowledged.
struct Broken(Result<(), Errno>);

impl Wires for Broken {
    fn transfer(&mut self, _: u8, operations: &mut [Operation<'_>]) -> Result<(), Errno> {
        for operation in operations {
            if let Operation::Read(bytes) = operation {
                bytes.fill(0);
            }
        }
        self.0
    }
}

#[test]
fn a_stuck_bus_is_named_and_the_others_go_on() {
    let folder = Gateway::prepare("");
    recorded_tree(&folder.path().join("sys"));
    let buses: Vec<(u8, Box<dyn Wires>)> = vec![
        (1, Box::new(Broken(Err(Errno::TIMEDOUT)))),
        (3, Box::new(Broken(Ok(())))),
        (4, Chips::at(&[(Driver::Tmp117, 0x48.into())])),
    ];
    let adapters = Adapters::of(folder.path(), buses);
    let started = Instant::now();
    let output = scan(&adapters, folder.path());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let shown = text(&output);
    let held = "i2c-1\n  timeout: the clock line is held: take chips off one by one\n";
    assert!(shown.contains(held), "{shown}");
    let low = "i2c-3\n  stuck-low: every address answers: the data line touches ground\n";
    assert!(shown.contains(low), "{shown}");
    check_line(&shown, &["0x48", "°C", "TMP117"]);
    check_line(&shown, &["28-01131e858aef", "21.4 °C"]);
    let on_the_first = adapters.log().iter().filter(|it| it.bus == 1).count();
    assert!(on_the_first < 10, "each costs the kernel a second: {on_the_first}");
    assert!(started.elapsed() < Duration::from_secs(60));
}

/// By its lock, for longer than a reading takes: no chip is to blame.
#[test]
fn a_bus_that_another_program_keeps_is_not_taken_for_a_stuck_one() {
    let folder = Gateway::prepare("");
    let adapters =
        Adapters::of(folder.path(), vec![(1, Chips::at(&[(Driver::Tmp117, 0x48.into())]))]);
    let device = File::open(folder.path().join("i2c-1")).unwrap();
    flock(&device, FlockOperation::LockExclusive).unwrap();
    let shown = text(&scan(&adapters, folder.path()));
    let line = shown.lines().find(|line| line.starts_with("  busy: ")).expect(&shown);
    assert!(line.contains(" keeps the bus to itself: stop it"), "{line}");
    assert!(!shown.contains("clock line"), "{shown}");
    flock(&device, FlockOperation::Unlock).unwrap();
    check_line(&text(&scan(&adapters, folder.path())), &["0x48", "°C", "TMP117"]);
}
