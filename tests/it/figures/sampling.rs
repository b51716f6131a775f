//! What reading many sensors each second takes: the real binary on a tree of the kernel's files, as
//! the kernel writes them, and on chips of I²C that are simulated down to their registers, whose
//! simulation it pays for as well.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use crate::gateway::{Client, Gateway, binary};

const MASTERS: usize = 4;
const SLAVES: usize = 16;
/// A bus of I²C has room for four of each of these.
const CHIPS: [(&str, usize); 4] =
    [("tmp117", 0x48), ("mcp9808", 0x18), ("sht3x", 0x44), ("bme280", 0x76)];
const SECONDS: u64 = 30;
/// Of one core, in hundredths of a per cent.
const SHARE_MAX: u64 = 200;

fn id(master: usize, slave: usize) -> String {
    format!("28-{:012x}", master * 100 + slave)
}

/// Folders as the kernel has them; what it would convert is there already.
fn tree(sysfs: &Path) {
    let devices = sysfs.join("bus/w1/devices");
    for master in 1..=MASTERS {
        let folder = devices.join(format!("w1_bus_master{master}"));
        for slave in 0..SLAVES {
            let chip = folder.join(id(master, slave));
            fs::create_dir_all(&chip).unwrap();
            let bytes = "72 01 4b 46 7f ff 0e 10 57";
            let text = format!("{bytes} : crc=57 YES\n{bytes} t=23125\n");
            fs::write(chip.join("w1_slave"), text).unwrap();
            std::os::unix::fs::symlink(&chip, devices.join(id(master, slave))).unwrap();
        }
    }
}

fn rooms() -> String {
    let mut text = "[simulation]\nnoise = false\n".to_owned();
    let mut sensor = |room: &str, driver: &str, bus: &str, address: &str| {
        write!(
            text,
            "[[rooms.{room}.sensors]]\ndriver = \"{driver}\"\nbus = \"{bus}\"\n\
             address = \"{address}\"\ninterval = \"1s\"\n"
        )
        .unwrap();
    };
    for (master, slave) in (1..=MASTERS).flat_map(|it| (0..SLAVES).map(move |slave| (it, slave))) {
        sensor(&format!("w{master}-{slave}"), "ds18b20", "w1", &id(master, slave));
    }
    for (driver, first) in CHIPS {
        let addresses = if driver == "sht3x" || driver == "bme280" { 2 } else { 4 };
        for number in 0..4 {
            let address = format!("{:#04x}", first + number % addresses);
            let behind = format!("0x70:{}/{address}", number / addresses);
            let address = if addresses == 2 { behind } else { address };
            sensor(&format!("{driver}-{number}"), driver, "simulated", &address);
        }
    }
    text
}

/// Of a thread by its name: nanoseconds of a core, and how often it went to sleep by itself.
fn threads(process: u32) -> Vec<(String, u64, u64)> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let thread = |task: std::io::Result<fs::DirEntry>| {
        let folder = task.unwrap().path();
        let text = |file: &str| fs::read_to_string(folder.join(file)).unwrap();
        let time = text("schedstat").split(' ').next().unwrap().parse().unwrap();
        let status = text("status");
        let mut sleeps =
            status.lines().filter_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        let sleeps = sleeps.next().unwrap().trim().parse().unwrap();
        (text("comm").trim().to_owned(), time, sleeps)
    };
    tasks.map(thread).collect()
}

#[test]
#[ignore = "a figure needs a release build and a quiet machine: see tests/figures"]
fn eighty_sensors_each_second_take_little_of_a_core() {
    let folder = Gateway::prepare(&rooms());
    tree(&folder.path().join("sys"));
    let gateway = Gateway::start(folder);
    let port = gateway.plain_port().to_string();
    let client = Client::start(binary().args(["sub", "$SYS/#", "--port", &port]));
    client.lines.wait("a message", |line| line.starts_with("$SYS"));
    sleep(Duration::from_secs(5));
    let before = threads(gateway.id());
    sleep(Duration::from_secs(SECONDS));
    let after = threads(gateway.id());
    let mut all = 0;
    eprintln!("{:20}{:>12}{:>22}", "thread", "% of a core", "wake-ups a second");
    for (name, time, sleeps) in after {
        let (_, time_before, sleeps_before) = before
            .iter()
            .find(|(other, ..)| *other == name)
            .cloned()
            .unwrap_or((String::new(), 0, 0));
        // Nanoseconds in so many seconds: hundredths of a per cent.
        let share = (time - time_before) / (SECONDS * 100_000);
        let wakes = (sleeps - sleeps_before) * 10 / SECONDS;
        all += time - time_before;
        eprintln!(
            "{name:20}{:>9}.{:02}{:>20}.{}",
            share / 100,
            share % 100,
            wakes / 10,
            wakes % 10
        );
    }
    let share = all / (SECONDS * 100_000);
    eprintln!("{:20}{:>9}.{:02}", "all", share / 100, share % 100);
    assert!(share < SHARE_MAX, "more than two per cent of a core");
}
