//! The store, as far as a quick look goes: whether it can be read, whether it is intact at its
//! head, whether the gateway can write it. `maison store check` looks at every row.

use super::finding::{Finding, Found, Said, quoted, said};
use super::patient::Patient;
use crate::config::Durability;
use crate::daemon::wall;
use crate::store::{self, Progress, Reader, VisitError};

pub(super) fn examine(patient: &Patient, found: &mut Found) {
    if patient.settings.broker.durability == Durability::Memory {
        return;
    }
    at_work(patient, found);
    let path = patient.state_dir().join(store::FILE);
    if !patient.state_dir().exists() {
        return;
    }
    match Reader::open(&path, wall(), &Progress::default()) {
        // It is made at the first start.
        Ok(_) | Err(VisitError::Absent { .. }) => {}
        Err(VisitError::Damaged { .. }) => damaged(patient, found),
        Err(VisitError::Older { found: has, known, .. }) => {
            let what = said!(
                "the store is of an earlier version (schema {has}, today's is {known}): the next \
                 start brings it up to date",
                "le magasin est d'une version antérieure (schéma {has}, aujourd'hui {known}) : le \
                 prochain démarrage le met à jour",
            );
            found.add(Finding::note("store-older", what));
        }
        Err(VisitError::Newer { found: has, known, .. }) => {
            let what = said!(
                "the store is of a later version (schema {has}, this program knows {known})",
                "le magasin est d'une version plus récente (schéma {has}, ce programme connaît \
                 {known})",
            );
            found.add(Finding::error("store-newer", what).mend(said!(
                "use that version, or the gateway puts the store aside at its next start",
                "utilisez cette version, sinon la passerelle le mettra de côté au prochain \
                 démarrage",
            )));
        }
        Err(_) => {
            let shown = path.display();
            found.unseen(said!(
                "the store `{shown}`: it could not be opened by this user at this moment",
                "le magasin `{shown}` : cet utilisateur n'a pu l'ouvrir en ce moment",
            ));
        }
    }
}

fn damaged(patient: &Patient, found: &mut Found) {
    let path = patient.state_dir().join(store::FILE);
    let shown = quoted(&path);
    let what = said!("the store is damaged: {shown}", "le magasin est abîmé : {shown}");
    let finding = Finding::error("store-damaged", what).mend(said!(
        "the next start puts the file aside and saves what it can",
        "le prochain démarrage met le fichier de côté et sauve ce qu'il peut",
    ));
    found.add(finding.paste(format!("sudo maison store check{}", patient.with_config())));
}

/// What the gateway says of it.
fn at_work(patient: &Patient, found: &mut Found) {
    let Ok(status) = &patient.gateway else { return };
    if status.store_damage.is_some() {
        let what = said!(
            "the store was damaged at the start of the gateway",
            "le magasin était abîmé au démarrage de la passerelle",
        );
        let finding = Finding::warning("store-was-damaged", what).mend(said!(
            "what could be saved was; the log has the rest, and a restart forgets this",
            "ce qui pouvait l'être a été sauvé ; le journal dit le reste, et un redémarrage \
             l'oublie",
        ));
        found.add(finding.paste("sudo journalctl -u maison --grep store -n 20"));
    }
    let state = status.store.as_ref().map_or("ok", |store| store.state.as_str());
    if state != "ok" {
        let what = said!(
            "nothing that clients want kept can be kept: the store is `{state}`",
            "rien de ce que les clients veulent garder ne peut l'être : le magasin est `{state}`",
        );
        found.add(Finding::error("store-not-written", what).mend(why(state)));
    }
}

fn why(state: &str) -> Said {
    match state {
        "full" => said!("make room on the card", "faites de la place sur la carte"),
        "read-only" => said!(
            "the card is mounted read-only; it may be worn out",
            "la carte est montée en lecture seule ; elle est peut-être usée",
        ),
        _ => said!(
            "`sudo journalctl -u maison` and `dmesg` say why",
            "`sudo journalctl -u maison` et `dmesg` disent pourquoi",
        ),
    }
}
