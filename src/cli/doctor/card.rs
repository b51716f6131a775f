//! The file system of the state folder: how full it is, and whether it can be written.

use rustix::fs::{StatVfs, StatVfsMountFlags, statvfs};

use super::finding::{Finding, Found, said};
use super::patient::Patient;
use crate::limits::DISK_FREE_BYTES_LOW;

/// Files that may still be made, below which a card is nearly full.
const FILES_FREE_LOW: u64 = 100;

pub(super) fn examine(patient: &Patient, found: &mut Found) {
    let folder = patient.state_dir();
    let Some(place) = folder.ancestors().find(|place| place.exists()) else { return };
    match statvfs(place) {
        Ok(system) => judge(&place.display().to_string(), &system, found),
        Err(error) => {
            let (place, code) = (place.display(), error.raw_os_error());
            found.unseen(said!(
                "the file system of `{place}` says nothing (error {code})",
                "le système de fichiers de `{place}` ne dit rien (erreur {code})",
            ));
        }
    }
}

fn judge(place: &str, system: &StatVfs, found: &mut Found) {
    if system.f_flag.contains(StatVfsMountFlags::RDONLY) {
        let what = said!(
            "the file system of `{place}` is read-only: nothing can be kept",
            "le système de fichiers de `{place}` est en lecture seule : rien ne peut être gardé",
        );
        let finding = Finding::error("card-read-only", what).mend(said!(
            "the kernel does so when a card fails: back up, then look at its log",
            "le noyau fait cela quand une carte flanche : sauvegardez, puis voyez son journal",
        ));
        found.add(finding.paste("sudo dmesg | grep -iE 'mmc|ext4|read-only'"));
        return;
    }
    let free = system.f_bavail.saturating_mul(system.f_frsize);
    let mebibytes = free / (1024 * 1024);
    // File systems without a table of files say that they have none.
    let is_out_of_files = system.f_files > 0 && system.f_favail < FILES_FREE_LOW;
    if free < DISK_FREE_BYTES_LOW || is_out_of_files {
        let files = system.f_favail;
        let what = if is_out_of_files {
            said!(
                "the file system of `{place}` has room for {files} more files only",
                "le système de fichiers de `{place}` n'a plus de place que pour {files} fichiers",
            )
        } else {
            said!(
                "the file system of `{place}` is nearly full: {mebibytes} MiB left",
                "le système de fichiers de `{place}` est presque plein : {mebibytes} MiB libres",
            )
        };
        let new = if free == 0 { Finding::error } else { Finding::warning };
        let finding = new("card-nearly-full", what).mend(said!(
            "make room: the journal and old packages are the usual ones",
            "faites de la place : le journal et les vieux paquets, d'habitude",
        ));
        let journal = "sudo journalctl --vacuum-size=50M && sudo apt-get clean";
        found.add(finding.paste(format!("df -h {place}")).paste(journal));
    }
}
