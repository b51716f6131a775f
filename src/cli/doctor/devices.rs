//! Devices, groups and folders: what the user of the gateway may open.

use std::fs;
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
    let known = groups(&patient.place(""));
    let own = known.iter().find(|known| known.gid == facts.gid() && known.gid != 0);
    found.add(match own {
        Some(own) if mode & 0o060 == 0o060 => {
            let own = &own.name;
            let remedy = said!(
                "the group `{own}` may: `{name}` is to be one of it",
                "le groupe `{own}` en a le droit : `{name}` doit en être membre",
            );
            let line = format!("sudo usermod --append --groups {own} {name}");
            finding.mend(remedy).paste(line).paste("sudo systemctl restart maison")
        }
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
