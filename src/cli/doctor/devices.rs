//! Devices, groups and folders: what the user of the gateway may open.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;

use super::account::groups;
use super::finding::{Finding, Found, quoted, said};
use super::patient::Patient;
use crate::config::Bus;

pub(super) fn examine(patient: &Patient, found: &mut Found) {
    let mut devices: Vec<_> =
        patient.sensors().filter_map(|(_, sensor)| device(patient, sensor.bus)).collect();
    devices.sort();
    devices.dedup();
    for device in devices {
        closed(patient, &device, found);
    }
    one_wire(patient, found);
    state_dir(patient, found);
}

/// A device of the kernel, and what udev gives it to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Device {
    path: String,
    subsystem: &'static str,
    group: &'static str,
}

fn device(patient: &Patient, bus: Bus) -> Option<Device> {
    let (path, subsystem, group) = match bus {
        Bus::I2c(number) => (format!("dev/i2c-{number}"), "i2c-dev", "i2c"),
        Bus::Spi { bus, select } => (format!("dev/spidev{bus}.{select}"), "spidev", "spi"),
        Bus::Gpio(_) => {
            let places = ["dev/gpiomem", "dev/gpiomem0"];
            let place = places.iter().find(|place| patient.place(place).exists())?;
            ((*place).to_owned(), "*gpiomem*", "gpio")
        }
        Bus::Kernel1Wire | Bus::Hwmon | Bus::Iio | Bus::Thermal | Bus::Simulated => return None,
    };
    Some(Device { path, subsystem, group })
}

/// What is not there at all is a bus that is missing.
fn closed(patient: &Patient, device: &Device, found: &mut Found) {
    let Device { path, subsystem, group } = device;
    let Ok(facts) = fs::metadata(patient.place(path)) else { return };
    if patient.account.may_open(&facts) {
        return;
    }
    let (name, mode) = (&patient.account.name, facts.mode() & 0o777);
    let what = said!(
        "`{name}` may not open /{path} (mode {mode:03o})",
        "`{name}` n'a pas le droit d'ouvrir /{path} (mode {mode:03o})",
    );
    let finding = Finding::error("device-closed", what);
    found.add(match group_of(patient, &facts) {
        Some(own) if mode & 0o060 == 0o060 => join(patient, finding, &own),
        _ => {
            let remedy = said!(
                "no group may: a rule of udev gives it to the group `{group}`",
                "aucun groupe n'en a le droit : une règle udev la donne au groupe `{group}`",
            );
            let key = if subsystem.contains('*') { "KERNEL" } else { "SUBSYSTEM" };
            let rule = format!("{key}==\"{subsystem}\", GROUP=\"{group}\", MODE=\"0660\"");
            let file = "/etc/udev/rules.d/70-maison.rules";
            finding
                .mend(remedy)
                .paste(format!("getent group {group} || sudo groupadd --system {group}"))
                .paste(format!("echo '{rule}' | sudo tee -a {file}"))
                .paste("sudo udevadm control --reload && sudo udevadm trigger")
                .paste(format!("sudo usermod --append --groups {group} {name}"))
                .paste("sudo systemctl restart maison")
        }
    });
}

/// The folder of the kernel's 1-Wire, where rooms need it.
fn one_wire(patient: &Patient, found: &mut Found) {
    let folder = patient.one_wire();
    let Ok(facts) = fs::metadata(&folder) else { return };
    let rooms = patient.rooms_on(|bus| bus == Bus::Kernel1Wire);
    if rooms.is_empty() || patient.account.may_list(&facts) {
        return;
    }
    let (name, shown, mode) = (&patient.account.name, folder.display(), facts.mode() & 0o777);
    let what = said!(
        "`{name}` may not look into `{shown}` (mode {mode:03o}), and there are rooms that need it: \
         {rooms}",
        "`{name}` ne peut regarder dans `{shown}` (mode {mode:03o}), et des pièces en ont besoin : \
         {rooms}",
    );
    let finding = Finding::error("1-wire-closed", what);
    found.add(match group_of(patient, &facts) {
        Some(own) if mode & 0o050 == 0o050 => join(patient, finding, &own),
        _ => finding.paste(format!("sudo chmod 755 {}", quoted(&folder))),
    });
}

/// The group that a file is given to; root's is none to join.
fn group_of(patient: &Patient, facts: &Metadata) -> Option<String> {
    let known = groups(&patient.place("")).into_iter();
    let mut own = known.filter(|known| known.gid == facts.gid() && known.gid != 0);
    own.next().map(|group| group.name)
}

fn join(patient: &Patient, finding: Finding, group: &str) -> Finding {
    let name = &patient.account.name;
    let remedy = said!(
        "the group `{group}` may: `{name}` is to be one of it",
        "le groupe `{group}` en a le droit : `{name}` doit en être membre",
    );
    let line = format!("sudo usermod --append --groups {group} {name}");
    finding.mend(remedy).paste(line).paste("sudo systemctl restart maison")
}

/// Keys and logins are in it, so that the gateway takes it from nobody else.
fn state_dir(patient: &Patient, found: &mut Found) {
    let folder = patient.state_dir();
    let (path, shown) = (quoted(folder), folder.display());
    let Ok(facts) = fs::metadata(folder) else {
        if folder.parent().is_some_and(|parent| !parent.as_os_str().is_empty() && !parent.exists())
        {
            let what = said!(
                "no folder to make the state folder in: `{shown}`",
                "pas de dossier où créer le dossier d'état : `{shown}`",
            );
            let parent = folder.parent().map(quoted).unwrap_or_default();
            let finding = Finding::error("state-folder-without-parent", what);
            found.add(finding.paste(format!("sudo mkdir -p {parent}")));
        }
        return;
    };
    let (mode, owner) = (facts.mode() & 0o777, facts.uid());
    if mode & 0o077 != 0 {
        let what = said!(
            "the state folder `{shown}` is open to others (mode {mode:03o}), and keys are in it",
            "le dossier d'état `{shown}` est ouvert à d'autres (mode {mode:03o}), et il contient \
             des clés",
        );
        let finding = Finding::error("state-folder-open", what);
        found.add(finding.paste(format!("sudo chmod 700 {path}")));
    }
    let (name, uid) = (&patient.account.name, patient.account.uid);
    if owner != uid {
        let what = said!(
            "the state folder `{shown}` belongs to user {owner}, and the gateway is `{name}` \
             ({uid})",
            "le dossier d'état `{shown}` appartient à l'utilisateur {owner}, et la passerelle est \
             `{name}` ({uid})",
        );
        let finding = Finding::error("state-folder-of-another", what);
        found.add(finding.paste(format!("sudo chown -R {name}: {path}")));
    }
}
