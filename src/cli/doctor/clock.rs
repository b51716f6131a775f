//! The clock: set at all, and held to a time server.

use std::process::Command;

use super::finding::{Finding, Found, said};
use super::patient::Patient;
use crate::daemon::wall;
use crate::time::Timestamp;

/// There when systemd's own client has set the clock since the boot.
const MARK: &str = "run/systemd/timesync/synchronized";

pub(super) fn examine(patient: &Patient, found: &mut Found) {
    judge(wall(), patient, found);
}

fn judge(now: Timestamp, patient: &Patient, found: &mut Found) {
    if !now.is_synchronised() {
        let what = said!("the clock is not set: {now}", "l'horloge n'est pas à l'heure : {now}");
        let finding = Finding::error("clock-unset", what).mend(said!(
            "a Pi has no clock battery: it needs a time server, or a module with a battery",
            "un Pi n'a pas de pile d'horloge : il lui faut un serveur de temps, ou un module avec \
             pile",
        ));
        found.add(finding.paste("sudo timedatectl set-ntp true"));
        return;
    }
    if patient.place(MARK).exists() {
        return;
    }
    match is_synchronised() {
        Some(true) => {}
        Some(false) => {
            let what = said!(
                "no time server holds the clock",
                "aucun serveur de temps ne tient l'horloge",
            );
            let finding = Finding::warning("clock-unsynchronised", what).mend(said!(
                "it drifts by seconds a day, and begins wrong after a power cut",
                "elle dérive de quelques secondes par jour, et repart fausse après une coupure",
            ));
            let look = "timedatectl timesync-status";
            found.add(finding.paste("sudo timedatectl set-ntp true").paste(look));
        }
        None => found.unseen(said!(
            "whether a time server holds it: no `timedatectl` that answers",
            "si un serveur de temps la tient : pas de `timedatectl` qui réponde",
        )),
    }
}

/// What the kernel was told, by whichever program sets the clock.
fn is_synchronised() -> Option<bool> {
    let asked = ["show", "--property=NTPSynchronized", "--value"];
    let output = Command::new("timedatectl").args(asked).output().ok()?;
    match output.stdout.trim_ascii() {
        b"yes" => Some(true),
        b"no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_clock_that_was_never_set_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let patient = Patient::on(folder.path(), Some(Path::new("/no/such.toml")));
        let mut found = Found::default();
        judge(Timestamp::new(17_000, false), &patient, &mut found);
        let (_, finding) = found.findings.first().unwrap();
        assert_eq!(finding.name, "clock-unset");
        assert!(finding.what.english.ends_with("1970-01-01T00:00:17Z"), "{finding:?}");
    }
}
