//! The configuration, as `maison check` looks at it, and whether the gateway runs by it.

use super::finding::{Finding, Found, quoted, said};
use super::patient::Patient;
use crate::daemon::Findings;
use crate::daemon::settings::LoadError;

pub(super) fn examine(patient: &Patient, found: &mut Found) {
    match &patient.trouble {
        Some(error) => unusable(patient, error, found),
        None => usable(patient, found),
    }
    if let Ok(status) = &patient.gateway {
        let mistakes = status.mistakes;
        if mistakes > 0 {
            let what = said!(
                "the changed configuration was refused, the one before holds; mistakes: {mistakes}",
                "la configuration modifiée a été refusée, la précédente reste valable ; fautes : \
                 {mistakes}",
            );
            found.add(check(patient, Finding::warning("change-refused", what)));
        }
        for key in &status.restart {
            let what = said!(
                "changed, and waits for a restart: `{key}`",
                "modifié, et attend un redémarrage : `{key}`",
            );
            let finding = Finding::note("waits-for-a-restart", what);
            found.add(finding.paste("sudo systemctl restart maison"));
        }
    }
}

fn unusable(patient: &Patient, error: &LoadError, found: &mut Found) {
    let file = patient.config.display();
    if matches!(error, LoadError::Absent(_)) {
        let what = said!("no configuration: `{file}`", "pas de configuration : `{file}`");
        let finding = Finding::error("configuration-absent", what).mend(said!(
            "the gateway does not start without; all else is looked at by the defaults",
            "la passerelle ne démarre pas sans elle ; le reste est examiné selon les valeurs par \
             défaut",
        ));
        let example = "/usr/share/doc/maison/examples/maison.toml";
        found.add(finding.paste(format!("sudo cp {example} {}", quoted(&patient.config))));
        return;
    }
    let report = error.report();
    let (count, first) = (report.mistakes().len(), report.mistakes().first());
    let place = first.map_or_else(String::new, |mistake| match mistake.position {
        Some(at) => format!("{}:{}:{}", mistake.file, at.line, at.column),
        None => mistake.file.clone(),
    });
    let what = said!(
        "the configuration cannot be used; mistakes: {count}, the first at `{place}`",
        "la configuration est inutilisable ; fautes : {count}, la première à `{place}`",
    );
    let finding = Finding::error("configuration-wrong", what).mend(said!(
        "each mistake with a hint; all else is looked at by the defaults",
        "chaque faute avec un conseil ; le reste est examiné selon les valeurs par défaut",
    ));
    found.add(check(patient, finding));
}

fn usable(patient: &Patient, found: &mut Found) {
    let files = Findings::of(&patient.settings);
    let (faults, warnings) = (files.faults.len(), files.warnings.len());
    if faults > 0 {
        let what = said!(
            "certificates or keys that listeners cannot use: {faults}",
            "certificats ou clés dont les ports d'écoute ne peuvent se servir : {faults}",
        );
        found.add(check(patient, Finding::error("listener-files-wrong", what)));
    }
    if warnings > 0 {
        let what = said!(
            "certificates or keys of listeners that were not looked at, are open to all, or that \
             clients would refuse: {warnings}",
            "certificats ou clés des ports d'écoute non examinés, lisibles par tous, ou que des \
             clients refuseraient : {warnings}",
        );
        found.add(check(patient, Finding::warning("listener-files-open", what)));
    }
    if patient.sensors().next().is_none() {
        let what = said!(
            "no room has a sensor: nothing is measured",
            "aucune pièce n'a de capteur : rien n'est mesuré",
        );
        let line = format!("sudo maison scan --write{}", patient.with_config());
        found.add(Finding::note("no-sensors", what).paste(line));
    }
}

fn check(patient: &Patient, finding: Finding) -> Finding {
    finding.paste(format!("maison check{}", patient.with_config()))
}
