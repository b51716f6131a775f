//! The buses that the configuration needs: overlays, modules, and who is on them.

use super::super::scan::{MODULE, boot};
use super::finding::{Finding, Found, said};
use super::patient::Patient;
use crate::bus::survey::{self, Adapter, Master};
use crate::bus::sysfs::SysFs;
use crate::config::Bus;
use crate::sensors::{Address, OneWireId};

/// Where the firmware reads its settings, today's place first.
const BOOT_FILES: [&str; 2] = ["boot/firmware/config.txt", "boot/config.txt"];

/// Families of 1-Wire thermometers that the kernel knows.
const THERMOMETERS: [u8; 5] = [0x10, 0x22, 0x28, 0x3b, 0x42];

pub(super) fn examine(patient: &Patient, found: &mut Found) {
    kernels_one_wire(patient, found);
    i2c(patient, found);
    spi(patient, found);
    pins(patient, found);
}

/// Where nobody may look nobody knows that there is none.
fn kernels_one_wire(patient: &Patient, found: &mut Found) {
    let Ok(masters) = survey::masters(&mut patient.sysfs()) else {
        let folder = patient.one_wire();
        let shown = folder.display();
        return found.unseen(said!(
            "1-Wire: this user may not look into `{shown}`; as root: `sudo maison doctor`",
            "1-Wire : cet utilisateur ne peut regarder dans `{shown}` ; en root : `sudo maison \
             doctor`",
        ));
    };
    let masters = masters.unwrap_or_default();
    let rooms = patient.rooms_on(|bus| bus == Bus::Kernel1Wire);
    if !rooms.is_empty() && masters.is_empty() {
        no_one_wire(patient, &rooms, found);
    }
    for master in masters {
        one_wire(patient, &master, found);
    }
}

/// A finding whose remedy is a line of the boot settings: written there, or read by a reboot.
fn for_boot(patient: &Patient, finding: Finding, line: &str) -> Finding {
    let is_written = BOOT_FILES.iter().any(|file| {
        let text = patient.text(file);
        text.lines().any(|it| it.trim().starts_with(line))
    });
    if is_written {
        let remedy = said!(
            "`{line}` is in the boot settings already: they are read at the next start",
            "`{line}` est déjà dans les réglages d'amorçage : ils sont lus au prochain démarrage",
        );
        return finding.mend(remedy).paste("sudo reboot");
    }
    let remedy = said!(
        "`{line}` is missing in the boot settings",
        "`{line}` manque dans les réglages d'amorçage",
    );
    finding.mend(remedy).paste(boot(line))
}

fn no_one_wire(patient: &Patient, rooms: &str, found: &mut Found) {
    let what = said!(
        "the kernel has no 1-Wire bus, and there are rooms that need it: {rooms}",
        "le noyau n'a pas de bus 1-Wire, et des pièces en ont besoin : {rooms}",
    );
    let finding = Finding::error("no-1-wire", what);
    found.add(for_boot(patient, finding, "dtoverlay=w1-gpio"));
}

fn one_wire(patient: &Patient, master: &Master, found: &mut Found) {
    let name = &master.name;
    if master.slaves.iter().any(|id| id.family == 0) {
        let what = said!(
            "{name}: devices of family 00, which are noise",
            "{name} : des appareils de famille 00, qui ne sont que du bruit",
        );
        found.add(Finding::error("1-wire-noise", what).mend(said!(
            "4.7 kΩ between data and 3.3 V are missing, or the data line touches ground",
            "il manque 4,7 kΩ entre données et 3,3 V, ou le fil de données touche la masse",
        )));
        return;
    }
    let is_known = |id: &&OneWireId| {
        let address = Address::OneWire(**id);
        patient.sensors().any(|(_, sensor)| sensor.address == address)
    };
    let thermometers = master.slaves.iter().filter(|id| THERMOMETERS.contains(&id.family));
    let (known, strangers): (Vec<&OneWireId>, Vec<&OneWireId>) = thermometers.partition(is_known);
    let mut files = patient.sysfs();
    let mut is_driven = |id: &OneWireId| {
        let address = Address::OneWire(*id);
        let file = format!("bus/w1/devices/{address}/w1_slave");
        // A chip that is silent has its file nevertheless.
        files.read(&file).is_ok()
    };
    if !known.is_empty() && !known.iter().any(|id| is_driven(id)) {
        let what = said!(
            "{name}: thermometers, and no module of the kernel that reads them",
            "{name} : des thermomètres, et pas de module du noyau pour les lire",
        );
        let finding = Finding::error("no-w1-therm", what).paste("sudo modprobe w1-therm");
        found.add(finding.paste("echo w1-therm | sudo tee /etc/modules-load.d/w1.conf"));
    }
    if !strangers.is_empty() {
        let shown: Vec<_> = strangers.iter().map(|id| Address::OneWire(**id).to_string()).collect();
        let shown = shown.join(", ");
        let what = said!(
            "{name}: thermometers without a room: {shown}",
            "{name} : des thermomètres sans pièce : {shown}",
        );
        let line = format!("sudo maison scan --write{}", patient.with_config());
        found.add(Finding::note("without-a-room", what).paste(line));
    }
}

fn i2c(patient: &Patient, found: &mut Found) {
    let mut wanted: Vec<u8> = patient.sensors().filter_map(|(_, it)| adapter_of(it.bus)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let adapters = survey::adapters(&mut patient.sysfs());
    for number in wanted {
        let rooms = patient.rooms_on(|bus| bus == Bus::I2c(number));
        match adapters.iter().find(|adapter| adapter.number == number) {
            None => {
                let what = said!(
                    "there is no bus i2c-{number}, and there are rooms that need it: {rooms}",
                    "il n'y a pas de bus i2c-{number}, et des pièces en ont besoin : {rooms}",
                );
                let finding = Finding::error("no-i2c", what);
                let line = "dtparam=i2c_arm=on";
                found.add(for_boot(patient, finding, line).paste(MODULE));
            }
            Some(adapter) if !adapter.has_device => {
                let what = said!(
                    "the module `i2c-dev` is not loaded: no /dev/i2c-{number} for {rooms}",
                    "le module `i2c-dev` n'est pas chargé : pas de /dev/i2c-{number} pour {rooms}",
                );
                let finding = Finding::error("no-i2c-dev", what).paste("sudo modprobe i2c-dev");
                found.add(finding.paste(MODULE));
            }
            Some(adapter) => kernels_own(patient, adapter, found),
        }
    }
}

fn adapter_of(bus: Bus) -> Option<u8> {
    match bus {
        Bus::I2c(number) => Some(number),
        _ => None,
    }
}

/// Chips of the configuration that a driver of the kernel has taken.
fn kernels_own(patient: &Patient, adapter: &Adapter, found: &mut Found) {
    for (room, sensor) in patient.sensors() {
        let Address::I2c(at) = &sensor.address else { continue };
        let is_mine = sensor.bus == Bus::I2c(adapter.number) && at.behind.is_none();
        let owned = adapter.owned.iter().find(|(address, _)| is_mine && *address == at.chip);
        let Some((_, chip)) = owned else { continue };
        let (slug, address) = (&room.slug, &sensor.address);
        let what = said!(
            "{slug}: the chip at {address} belongs to a driver of the kernel: `{chip}`",
            "{slug} : la puce à {address} appartient à un pilote du noyau : `{chip}`",
        );
        let finding = Finding::error("kernel-has-the-chip", what).mend(said!(
            "read it by `bus = \"iio\"` or `\"hwmon\"`, or take its overlay out of the boot \
             settings",
            "lisez-la par `bus = \"iio\"` ou `\"hwmon\"`, ou retirez son overlay des réglages \
             d'amorçage",
        ));
        found.add(finding.paste("maison scan"));
    }
}

fn spi(patient: &Patient, found: &mut Found) {
    let selects = survey::chip_selects(&mut patient.sysfs());
    let mut told = Vec::new();
    for (_, sensor) in patient.sensors() {
        let Bus::Spi { bus, select } = sensor.bus else { continue };
        if selects.contains(&(bus, select)) || told.contains(&(bus, select)) {
            continue;
        }
        told.push((bus, select));
        let rooms = patient.rooms_on(|it| it == sensor.bus);
        let what = said!(
            "there is no /dev/spidev{bus}.{select}, and there are rooms that need it: {rooms}",
            "il n'y a pas de /dev/spidev{bus}.{select}, et des pièces en ont besoin : {rooms}",
        );
        let finding = Finding::error("no-spi", what);
        found.add(for_boot(patient, finding, "dtparam=spi=on"));
    }
}

/// Pins are a Raspberry Pi's alone.
fn pins(patient: &Patient, found: &mut Found) {
    let rooms = patient.rooms_on(|bus| matches!(bus, Bus::Gpio(_)));
    let devices = ["dev/gpiomem", "dev/gpiomem0"];
    if rooms.is_empty() || devices.iter().any(|device| patient.place(device).exists()) {
        return;
    }
    let what = said!(
        "there is no /dev/gpiomem, and there are rooms that need pins: {rooms}",
        "il n'y a pas de /dev/gpiomem, et des pièces ont besoin de broches : {rooms}",
    );
    found.add(Finding::error("no-pins", what).mend(said!(
        "pins need a Raspberry Pi with Raspberry Pi OS; elsewhere the kernel's 1-Wire or IIO",
        "les broches demandent un Raspberry Pi sous Raspberry Pi OS ; ailleurs, le 1-Wire du noyau \
         ou IIO",
    )));
}
