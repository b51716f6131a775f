//! The gateway at rest: a house of twenty thermometers, one subscriber, and nobody in a hurry.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::broker::{Broker, Kind, free_address};
use crate::client::{Client, PUBACK, PUBLISH};
use crate::queued;
use crate::setup::{Durability, PLAIN, Setup, Transport};
use crate::stream::Dial;

const SENSORS: u16 = 20;
/// The default interval of a sensor.
const INTERVAL: Duration = Duration::from_secs(10);
/// What it does at its start is not rest.
const SETTLE: Duration = Duration::from_secs(15);
const QUEUED: u64 = 1_000_000;
/// Starts of which the middle one counts.
const STARTS: usize = 5;

/// What was found, as the rows of a table, each with what it may be.
pub fn measure(maison: &Path, seconds: f64) -> Result<String> {
    let mut text = "| at rest | | at most |\n|---|---:|---:|\n".to_owned();
    house(maison, seconds, &mut text)?;
    let empty = start(&mut Broker::start(Kind::Maison, &PLAIN, maison)?)?;
    let _ = writeln!(text, "| start to first answer, an empty store, ms | {empty:.0} | 100 |");
    let setup = Setup { durability: Durability::Crash, ..PLAIN };
    let mut broker = Broker::start(Kind::Maison, &setup, maison)?;
    queued::store(&broker, QUEUED, 100)?;
    let full = start(&mut broker)?;
    let _ = writeln!(
        text,
        "| start to first answer after a kill, {QUEUED} messages queued, ms | {full:.0} | 2000 |"
    );
    Ok(text)
}

fn house(maison: &Path, seconds: f64, text: &mut String) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let sysfs = folder.path().join("sys");
    warm(&sysfs, 0)?;
    let address = free_address()?;
    let config = folder.path().join("maison.toml");
    fs::write(&config, configuration(folder.path(), &format!("bind = \"{address}\""))?)?;
    let mut command = Command::new(maison);
    command.args(["run", "--config"]).arg(&config).env("MAISON_LOG", "warn");
    let broker = Broker::launch(command, address, Transport::Tcp, folder)?;
    let mut subscriber = Client::connect(address, &Dial::Tcp, "display")?;
    subscriber.subscribe("maison/#", 1)?;
    listen(&mut subscriber, &sysfs, SETTLE)?;
    let (cpu, sleeps, written) = (broker.processor_time()?, broker.sleeps()?, broker.written()?);
    let began = Instant::now();
    let heard = listen(&mut subscriber, &sysfs, Duration::from_secs_f64(seconds))?;
    let took = began.elapsed().as_secs_f64();
    ensure!(heard > 0, "nobody said how warm it is");
    let share = (broker.processor_time()? - cpu) / took * 100.0;
    let wakes = (broker.sleeps()? - sleeps) / took;
    let bytes = (broker.written()? - written) / took;
    let heard = heard as f64 / took;
    let memory = broker.memory()? / 1024.0;
    let _ = writeln!(text, "| messages a second | {heard:.1} | |");
    let _ = writeln!(text, "| % of a core | {share:.2} | 0.5 |");
    let _ = writeln!(text, "| wake-ups a second, of all threads | {wakes:.1} | 25 |");
    let _ = writeln!(text, "| bytes written a second | {bytes:.0} | |");
    let _ = writeln!(text, "| memory, MiB | {memory:.1} | 16 |");
    Ok(())
}

/// Twenty DS18B20 of a kernel's bus, each of a room of its own, with all as by default.
fn configuration(folder: &Path, listener: &str) -> Result<String> {
    let folder = folder.display();
    let mut text = format!(
        "[gateway]\nstate_dir = \"{folder}/state\"\n[hardware]\nsysfs = \"{folder}/sys\"\n\
         [[listener]]\n{listener}\nauth = \"anonymous\"\n"
    );
    for sensor in 0..SENSORS {
        writeln!(
            text,
            "[[rooms.room-{sensor}.sensors]]\ndriver = \"ds18b20\"\nbus = \"w1\"\naddress = \"{}\"",
            address(sensor)
        )?;
    }
    Ok(text)
}

fn address(sensor: u16) -> String {
    format!("28-{sensor:012x}")
}

/// Files as the kernel has them; each time something is a little warmer or colder.
fn warm(sysfs: &Path, turn: u16) -> Result<()> {
    let devices = sysfs.join("bus/w1/devices");
    let master = devices.join("w1_bus_master1");
    for sensor in 0..SENSORS {
        let chip = master.join(address(sensor));
        if turn == 0 {
            fs::create_dir_all(&chip)?;
            std::os::unix::fs::symlink(&chip, devices.join(address(sensor)))?;
        }
        fs::write(chip.join("w1_slave"), scratchpad(320 + (turn + sensor) % 16))?;
    }
    Ok(())
}

/// What the kernel says of so many sixteenths of a degree.
fn scratchpad(sixteenths: u16) -> String {
    let [low, high] = sixteenths.to_le_bytes();
    let bytes = [low, high, 0x4B, 0x46, 0x7F, 0xFF, 0x0C, 0x10];
    let crc = bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0x8C } else { crc >> 1 })
    });
    let mut words: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    words.push(format!("{crc:02x}"));
    let words = words.join(" ");
    let thousandths = u32::from(sixteenths) * 1000 / 16;
    format!("{words} : crc={crc:02x} YES\n{words} t={thousandths}\n")
}

/// Hears the gateway for so long, while temperatures change; how many messages came.
fn listen(subscriber: &mut Client, sysfs: &Path, long: Duration) -> Result<u64> {
    let (began, mut turn, mut heard) = (Instant::now(), 1, 0);
    let mut buffer = vec![0; 64 * 1024];
    while began.elapsed() < long {
        if began.elapsed() > INTERVAL * u32::from(turn) {
            warm(sysfs, turn)?;
            turn += 1;
        }
        subscriber.read(&mut buffer, |client, kind, body| {
            if kind & 0xF0 == PUBLISH {
                heard += 1;
            }
            if kind & 0xF6 == PUBLISH | 2 {
                let topic = usize::from(u16::from_be_bytes([body[0], body[1]]));
                client.acknowledge(PUBACK, &body[2 + topic..4 + topic]);
            }
        })?;
        subscriber.flush()?;
        sleep(Duration::from_millis(20));
    }
    Ok(heard)
}

/// Kills and starts it; milliseconds until a client is let in: the middle of several.
fn start(broker: &mut Broker) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let began = Instant::now();
        broker.restart()?;
        Client::connect(broker.address, &Dial::Tcp, "first")?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[STARTS / 2])
}
