//! The gateway that runs: whether it answers, and what it has lost.

use super::finding::{Finding, Found, said};
use super::patient::Patient;
use crate::daemon::control::Trouble;
use crate::daemon::status::Status;

pub(super) fn examine(patient: &Patient, found: &mut Found) {
    let folder = patient.state_dir().display();
    match &patient.gateway {
        Ok(status) => running(status, found),
        Err(Trouble::NotRunning) => not_running(patient, found),
        Err(Trouble::Forbidden) => {
            let name = &patient.account.name;
            found.unseen(said!(
                "the gateway of `{folder}` may not be asked by this user: as root, as `{name}`, or \
                 as a member of the group `maison`",
                "cet utilisateur ne peut pas interroger la passerelle de `{folder}` : il faut être \
                 root, `{name}`, ou membre du groupe `maison`",
            ));
        }
        Err(Trouble::Silent(error)) => {
            let what = said!(
                "the gateway does not answer: {error}",
                "la passerelle ne répond pas : {error}",
            );
            let finding = Finding::error("gateway-silent", what);
            found.add(finding.paste("sudo systemctl restart maison"));
        }
        Err(Trouble::Misunderstood(_)) => {
            let own = env!("CARGO_PKG_VERSION");
            let what = said!(
                "the gateway that runs is not of this version ({own})",
                "la passerelle en marche n'est pas de cette version ({own})",
            );
            found.add(Finding::warning("other-version", what).paste(RESTART));
        }
    }
}

const RESTART: &str = "sudo systemctl restart maison";

fn not_running(patient: &Patient, found: &mut Found) {
    let folder = patient.state_dir().display();
    let what = said!(
        "no gateway runs on the state folder `{folder}`",
        "aucune passerelle ne tourne sur le dossier d'état `{folder}`",
    );
    if !patient.has_unit() {
        found.add(Finding::note("not-running", what));
        return;
    }
    let finding = Finding::error("not-running", what).mend(said!(
        "the log says why it ended, or it was never started",
        "le journal dit pourquoi elle s'est arrêtée, ou elle n'a jamais été lancée",
    ));
    found
        .add(finding.paste("sudo systemctl start maison").paste("sudo journalctl -u maison -n 50"));
}

fn running(status: &Status, found: &mut Found) {
    let (own, other) = (env!("CARGO_PKG_VERSION"), &status.version);
    if own != other {
        let what = said!(
            "the gateway that runs is of another version: {other}; this is {own}",
            "la passerelle en marche est d'une autre version : {other} ; celle-ci est {own}",
        );
        found.add(Finding::warning("other-version", what).paste(RESTART));
    }
    if let Some(bus) = &status.stuck_bus {
        let what = said!(
            "the thread of a bus is stuck: {bus}",
            "le fil d'exécution d'un bus est bloqué : {bus}",
        );
        let finding = Finding::error("bus-stuck", what).mend(said!(
            "systemd's watchdog starts the gateway anew; if it comes back, take chips off the bus \
             one by one",
            "le chien de garde de systemd relance la passerelle ; si cela revient, débranchez les \
             puces du bus une à une",
        ));
        found.add(finding.paste(RESTART));
    }
    lost(status, found);
}

fn lost(status: &Status, found: &mut Found) {
    let dropped = status.queues.dropped;
    if dropped > 0 {
        let what = said!(
            "messages that full queues lost since the start: {dropped}",
            "messages perdus par des files pleines depuis le démarrage : {dropped}",
        );
        let finding = Finding::warning("messages-dropped", what).mend(said!(
            "a client was away for long: `broker.queue` bounds what waits for it",
            "un client est resté longtemps absent : `broker.queue` borne ce qui l'attend",
        ));
        found.add(finding.paste("maison status"));
    }
    let refused = status.clients.refused;
    if refused > 0 {
        let what = said!(
            "logins that were refused since the start: {refused}",
            "connexions refusées depuis le démarrage : {refused}",
        );
        let finding = Finding::note("logins-refused", what);
        found.add(finding.paste("sudo journalctl -u maison --grep 'auth refused' -n 20"));
    }
}
