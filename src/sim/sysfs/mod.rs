//! The kernel's 1-Wire folder, in memory: what `w1_therm` shows of masters and their slaves, with
//! the ways in which it fails. Also the list of files that makes a recorded tree of it.
//!
//! ```text
//! bus/w1/devices/28-…            → ../../../devices/w1_bus_master1/28-…
//! bus/w1/devices/w1_bus_master1  → ../../../devices/w1_bus_master1
//! devices/w1_bus_master1/        therm_bulk_read  w1_master_name  w1_master_slaves  …
//! devices/w1_bus_master1/28-…/   name  resolution  temperature  w1_slave
//! ```

mod slave;

use std::time::Duration;

pub use slave::{Condition, Slave};

const MASTER_FILES: [&str; 4] =
    ["therm_bulk_read", "w1_master_name", "w1_master_slave_count", "w1_master_slaves"];

/// `/sys`, as far as 1-Wire goes.
#[derive(Clone, Debug)]
pub struct Tree {
    driver: Driver,
    masters: Vec<Master>,
    bus_time: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Driver {
    Loaded,
    Missing,
}

/// One bus: `w1_bus_master1` is the first.
#[derive(Clone, Debug)]
pub struct Master {
    /// How its `therm_bulk_read` behaves.
    pub bulk: Bulk,
    /// What hangs on it.
    pub slaves: Vec<Slave>,
}

/// How `therm_bulk_read` behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bulk {
    /// There is none: an old kernel, or not the first master of a less old one.
    Missing,
    /// Only root may write.
    ReadOnly,
    /// `trigger` and a line end convert on all slaves.
    Writable,
    /// Only root may write, and someone did: a conversion is running.
    Running,
}

/// Why the kernel does not do what it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such file or folder.
    NotFound,
    /// Its mode or its owner forbids.
    PermissionDenied,
    /// A folder has no content.
    IsADirectory,
    /// A file has no entries.
    NotADirectory,
    /// `EIO`: the driver failed.
    Failed,
}

/// A part of a recorded tree; paths are relative to its root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A file and its content.
    File(String, Vec<u8>),
    /// A symbolic link and what it says.
    Link(String, String),
}

enum Place<'a> {
    Devices,
    Master(usize),
    MasterFile(usize, &'a str),
    Slave(usize, usize),
    SlaveFile(usize, usize, &'a str),
}

impl Tree {
    /// A machine with these buses.
    pub fn new(masters: Vec<Master>) -> Self {
        Self { driver: Driver::Loaded, masters, bus_time: Duration::ZERO }
    }

    /// A machine whose kernel has no 1-Wire.
    pub fn without_bus() -> Self {
        Self { driver: Driver::Missing, ..Self::new(Vec::new()) }
    }

    /// The buses, to be changed: temperatures, faults, plugs.
    pub fn masters_mut(&mut self) -> &mut [Master] {
        &mut self.masters
    }

    /// Time the buses were busy until now.
    pub const fn bus_time(&self) -> Duration {
        self.bus_time
    }

    /// The content of a file, as `read(2)` gives it.
    pub fn read(&mut self, path: &str) -> Result<Vec<u8>, Refusal> {
        match self.place(path).ok_or(Refusal::NotFound)? {
            Place::MasterFile(master, file) => self.read_master(master, file),
            Place::SlaveFile(master, slave, file) => self.read_slave(master, slave, file),
            Place::Devices | Place::Master(_) | Place::Slave(..) => Err(Refusal::IsADirectory),
        }
    }

    /// Takes one `write(2)`; like the kernel it says nothing of a word it does not know.
    pub fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), Refusal> {
        let Place::MasterFile(number, "therm_bulk_read") =
            self.place(path).ok_or(Refusal::NotFound)?
        else {
            return Err(Refusal::PermissionDenied);
        };
        let master = self.masters.get_mut(number).ok_or(Refusal::NotFound)?;
        match master.bulk {
            Bulk::Missing => return Err(Refusal::NotFound),
            Bulk::ReadOnly | Bulk::Running => return Err(Refusal::PermissionDenied),
            Bulk::Writable => {}
        }
        if bytes == b"trigger\n" {
            self.bus_time += master.convert_all();
        }
        Ok(())
    }

    /// The names in a folder.
    pub fn list(&self, path: &str) -> Result<Vec<String>, Refusal> {
        match self.place(path).ok_or(Refusal::NotFound)? {
            Place::Devices => Ok(self.devices()),
            Place::Master(number) => Ok(self.masters.get(number).map_or_else(Vec::new, |master| {
                let files = master.files().map(str::to_owned);
                files.chain(master.slaves.iter().map(Slave::name)).collect()
            })),
            Place::Slave(master, slave) => Ok(self.slave_files(master, slave)),
            Place::MasterFile(..) | Place::SlaveFile(..) => Err(Refusal::NotADirectory),
        }
    }

    /// All that a recorded tree of this moment holds. Reads every slave once; one that refuses is
    /// left without `w1_slave`.
    pub fn entries(&mut self) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (index, master) in self.masters.iter_mut().enumerate() {
            let name = master_name(index);
            entries.push(device_link(&name, &name));
            for file in master.files() {
                let path = format!("devices/{name}/{file}");
                entries.push(Entry::File(path, master.text(index, file).into_bytes()));
            }
            for slave in &mut master.slaves {
                let folder = format!("{name}/{}", slave.name());
                entries.push(device_link(&slave.name(), &folder));
                for file in slave.files() {
                    let path = format!("devices/{folder}/{file}");
                    let shown = slave.show(file, &mut self.bus_time);
                    entries.extend(shown.ok().map(|text| Entry::File(path, text.into_bytes())));
                }
            }
        }
        entries
    }

    fn devices(&self) -> Vec<String> {
        let masters = (0..self.masters.len()).map(master_name);
        let slaves = self.masters.iter().flat_map(|master| master.slaves.iter().map(Slave::name));
        masters.chain(slaves).collect()
    }

    fn place<'a>(&self, path: &'a str) -> Option<Place<'a>> {
        if self.driver == Driver::Missing {
            return None;
        }
        let below = path.strip_prefix("bus/w1/devices").or_else(|| path.strip_prefix("devices"))?;
        let names: Vec<&str> = below.split('/').filter(|name| !name.is_empty()).collect();
        let Some((&first, rest)) = names.split_first() else { return Some(Place::Devices) };
        let Some(master) = (0..self.masters.len()).find(|&index| master_name(index) == first)
        else {
            let linked = |master| Some((master, self.slave(master, first)?));
            let (master, slave) = (0..self.masters.len()).find_map(linked)?;
            return in_slave(master, slave, rest);
        };
        let Some((&name, rest)) = rest.split_first() else { return Some(Place::Master(master)) };
        match self.slave(master, name) {
            Some(slave) => in_slave(master, slave, rest),
            None => rest.is_empty().then_some(Place::MasterFile(master, name)),
        }
    }

    fn slave(&self, master: usize, name: &str) -> Option<usize> {
        self.masters.get(master)?.slaves.iter().position(|slave| slave.name() == name)
    }

    fn slave_files(&self, master: usize, slave: usize) -> Vec<String> {
        let slave = self.masters.get(master).and_then(|master| master.slaves.get(slave));
        slave.map_or(&[][..], |slave| slave.files()).iter().map(|&file| file.to_owned()).collect()
    }

    fn read_master(&self, number: usize, file: &str) -> Result<Vec<u8>, Refusal> {
        let master = self.masters.get(number).ok_or(Refusal::NotFound)?;
        let file = master.files().find(|&known| known == file).ok_or(Refusal::NotFound)?;
        Ok(master.text(number, file).into_bytes())
    }

    fn read_slave(&mut self, master: usize, slave: usize, file: &str) -> Result<Vec<u8>, Refusal> {
        let master = self.masters.get_mut(master).ok_or(Refusal::NotFound)?;
        let running = master.bulk == Bulk::Running;
        let slave = master.slaves.get_mut(slave).ok_or(Refusal::NotFound)?;
        if running && slave.converts_with_others() && matches!(file, "w1_slave" | "temperature") {
            return Ok(Vec::new());
        }
        slave.show(file, &mut self.bus_time).map(String::into_bytes)
    }
}

impl Master {
    fn files(&self) -> impl Iterator<Item = &'static str> + use<> {
        let hidden = if self.bulk == Bulk::Missing { "therm_bulk_read" } else { "" };
        MASTER_FILES.into_iter().filter(move |file| *file != hidden)
    }

    fn text(&self, index: usize, file: &str) -> String {
        match file {
            "therm_bulk_read" => format!("{}\n", self.bulk_state()),
            "w1_master_name" => format!("{}\n", master_name(index)),
            "w1_master_slave_count" => format!("{}\n", self.slaves.len()),
            _ => self.slaves.iter().map(|slave| slave.name() + "\n").collect(),
        }
    }

    fn bulk_state(&self) -> i8 {
        match self.bulk {
            Bulk::Running => -1,
            _ if self.slaves.iter().any(Slave::waits) => 1,
            _ => 0,
        }
    }

    /// The time it took: that of the slowest.
    fn convert_all(&mut self) -> Duration {
        self.slaves.iter_mut().map(Slave::convert_with_others).max().unwrap_or_default()
    }
}

fn in_slave<'a>(master: usize, slave: usize, rest: &[&'a str]) -> Option<Place<'a>> {
    match rest {
        [] => Some(Place::Slave(master, slave)),
        [file] => Some(Place::SlaveFile(master, slave, file)),
        _ => None,
    }
}

fn master_name(index: usize) -> String {
    format!("w1_bus_master{}", index + 1)
}

fn device_link(name: &str, target: &str) -> Entry {
    Entry::Link(format!("bus/w1/devices/{name}"), format!("../../../devices/{target}"))
}

#[cfg(test)]
mod tests {
    use crate::units::MilliCelsius;

    use super::*;

    fn tree(condition: Condition) -> Tree {
        let slave = Slave::new(0x28, 0x0113_1e85_8aef, MilliCelsius::new(23_125)).but(condition);
        Tree::new(vec![Master { bulk: Bulk::Writable, slaves: vec![slave] }])
    }

    fn text(tree: &mut Tree, path: &str) -> String {
        String::from_utf8(tree.read(path).unwrap()).unwrap()
    }

    #[track_caller]
    fn check(condition: Condition, expected: &str) {
        let path = "bus/w1/devices/28-01131e858aef/w1_slave";
        assert_eq!(text(&mut tree(condition), path), expected);
    }

    /// As seen on real kernels: see `tests/trees/README.md`.
    #[test]
    fn two_lines_are_those_of_the_kernel() {
        check(
            Condition::Sound,
            "72 01 4b 46 7f ff 0e 10 57 : crc=57 YES\n72 01 4b 46 7f ff 0e 10 57 t=23125\n",
        );
        check(
            Condition::Restarting,
            "50 05 4b 46 7f ff 0c 10 1c : crc=1c YES\n50 05 4b 46 7f ff 0c 10 1c t=85000\n",
        );
        check(
            Condition::Shorted,
            "00 00 00 00 00 00 00 00 00 : crc=00 YES\n00 00 00 00 00 00 00 00 00 t=0\n",
        );
        check(
            Condition::Floating,
            "ff ff ff ff ff ff ff ff ff : crc=c9 NO\n00 00 00 00 00 00 00 00 00 t=-62\n",
        );
        check(Condition::Silent, "");
    }

    #[test]
    fn one_conversion_serves_all_slaves_and_each_reading_uses_it_up() {
        let state = "bus/w1/devices/w1_bus_master1/therm_bulk_read";
        let mut tree = tree(Condition::Sound);
        tree.write(state, b"trigger").unwrap();
        assert_eq!(text(&mut tree, state), "0\n");
        tree.write(state, b"trigger\n").unwrap();
        assert_eq!(text(&mut tree, state), "1\n");
        tree.masters_mut()[0].slaves[0].temperature = MilliCelsius::new(50_000);
        let slave = "devices/w1_bus_master1/28-01131e858aef/temperature";
        assert_eq!(text(&mut tree, slave), "23125\n");
        assert_eq!(text(&mut tree, state), "0\n");
        assert_eq!(text(&mut tree, slave), "50000\n");
        assert_eq!(tree.bus_time(), Duration::from_millis(2 * (750 + 13)));
    }

    #[test]
    fn every_file_of_every_folder_can_be_read() {
        let mut tree = tree(Condition::Sound);
        for device in tree.list("bus/w1/devices").unwrap() {
            let folder = format!("bus/w1/devices/{device}");
            for name in tree.list(&folder).unwrap() {
                let path = format!("{folder}/{name}");
                assert!(tree.list(&path).is_ok() || tree.read(&path).is_ok(), "{path}");
            }
        }
        assert_eq!(tree.read("bus/w1/devices/28-000000000000/w1_slave"), Err(Refusal::NotFound));
        assert_eq!(Tree::without_bus().list("bus/w1/devices"), Err(Refusal::NotFound));
    }
}
