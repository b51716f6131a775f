//! Certificates: the names that they miss, and when they end.

use std::io::ErrorKind;
use std::path::Path;

use super::super::ca;
use super::finding::{Finding, Found, Said, quoted, said};
use super::patient::Patient;
use crate::config::Tls;
use crate::daemon::state;
use crate::limits::{STATE_FILE_BYTES_MAX, TLS_FILE_BYTES_MAX};
use crate::net::{CertificateFacts, Names, read_whole};
use crate::time::Timestamp;

/// Days before its end at which a certificate is told: those that renew themselves have done so.
const OWN_DAYS_LOW: i64 = 14;
/// An authority is replaced with an overlap of 90 days.
const AUTHORITY_DAYS_LOW: i64 = 120;
/// A subscriber's has to be carried somewhere.
const SUBSCRIBER_DAYS_LOW: i64 = 30;

const SECONDS_OF_A_DAY: i64 = 86_400;

pub(super) fn examine(patient: &Patient, found: &mut Found) {
    let now = crate::daemon::wall();
    if !now.is_synchronised() {
        found.unseen(said!(
            "when certificates end: the clock is not set",
            "la fin des certificats : l'horloge n'est pas à l'heure",
        ));
    }
    let is_own = |tls: &Tls| *tls == Tls::Own;
    let listeners = || patient.settings.listeners.iter();
    if listeners().any(|listener| listener.tls.as_ref().is_some_and(is_own)) {
        own(patient, now, found);
    }
    for listener in listeners() {
        let Some(Tls::Files { certificate, .. }) = &listener.tls else { continue };
        let Some(facts) = read(certificate, TLS_FILE_BYTES_MAX, found) else { continue };
        let (file, until) = (certificate.display(), ca::date(facts.until_unix_s));
        let what = said!(
            "the certificate `{file}` ends on {until}",
            "le certificat `{file}` se termine le {until}",
        );
        ending(("certificate-ends", what), facts.until_unix_s, OWN_DAYS_LOW, now, found, |it| {
            it.mend(said!(
                "whoever issued it has to renew it; a new file is taken at once",
                "c'est à son émetteur de le renouveler ; un nouveau fichier est pris aussitôt",
            ))
        });
    }
    subscribers(patient, now, found);
}

/// What our own authority made.
fn own(patient: &Patient, now: Timestamp, found: &mut Found) {
    let (server, ca) = ("server.pem", "ca.pem");
    let read_own = |name: &str, found: &mut Found| {
        read(&patient.state_dir().join(name), STATE_FILE_BYTES_MAX, found)
    };
    if let Some(facts) = read_own(server, found) {
        let lacks = facts.lacks(&Names::of_this_host());
        if !lacks.is_empty() {
            misses(&lacks.join(", "), patient, found);
        }
        let until = ca::date(facts.until_unix_s);
        let what = said!(
            "the certificate of this host ends on {until}",
            "le certificat de cette machine se termine le {until}",
        );
        ending(("certificate-ends", what), facts.until_unix_s, OWN_DAYS_LOW, now, found, |it| {
            it.mend(said!(
                "a gateway that runs with the right time renews it by itself",
                "une passerelle en marche et à l'heure le renouvelle d'elle-même",
            ))
            .paste("sudo systemctl restart maison")
        });
    }
    if let Some(facts) = read_own(ca, found) {
        let until = ca::date(facts.until_unix_s);
        let what = said!(
            "the gateway's own authority ends on {until}, and all that trust it must learn of a \
             new one",
            "l'autorité de la passerelle se termine le {until}, et tous ceux qui s'y fient doivent \
             en apprendre une nouvelle",
        );
        let line = format!("sudo maison ca rotate{}", patient.with_config());
        let days = AUTHORITY_DAYS_LOW;
        ending(("authority-ends", what), facts.until_unix_s, days, now, found, |it| it.paste(line));
    }
}

fn misses(names: &str, patient: &Patient, found: &mut Found) {
    let what = said!(
        "the certificate of this host misses what it is reached by: {names}",
        "le certificat de cette machine n'a pas tout ce par quoi on l'atteint : {names}",
    );
    let finding = Finding::warning("certificate-misses-names", what).mend(said!(
        "the gateway looks each hour and at each reload, and makes it anew",
        "la passerelle regarde chaque heure et à chaque rechargement, et le refait",
    ));
    found.add(if patient.is_at_work() {
        finding.paste(format!("sudo maison reload{}", patient.with_config()))
    } else {
        finding.paste("sudo systemctl start maison")
    });
}

/// An absent file is not made yet; one that may not be read was not looked at.
fn read(path: &Path, most: u64, found: &mut Found) -> Option<CertificateFacts> {
    let shown = path.display();
    match read_whole(path, most) {
        Ok(pem) => {
            let facts = CertificateFacts::of(&pem);
            if facts.is_none() {
                let what = said!("no certificate: `{shown}`", "pas un certificat : `{shown}`");
                let finding = Finding::error("no-certificate", what);
                found.add(finding.paste(format!("openssl x509 -noout -text -in {}", quoted(path))));
            }
            facts
        }
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(_) => {
            found.unseen(said!(
                "`{shown}`: this user may not read it; as root: `sudo maison doctor`",
                "`{shown}` : cet utilisateur ne peut le lire ; en root : `sudo maison doctor`",
            ));
            None
        }
    }
}

/// Tells what ends in fewer than so many days, or has.
fn ending(
    (name, what): (&'static str, Said),
    until_unix_s: u64,
    days_low: i64,
    now: Timestamp,
    found: &mut Found,
    mend: impl FnOnce(Finding) -> Finding,
) {
    if !now.is_synchronised() {
        return;
    }
    let seconds = |unix_s: u64| i64::try_from(unix_s).unwrap_or(i64::MAX);
    let left = seconds(until_unix_s).saturating_sub(seconds(now.unix_ms() / 1000));
    match left.div_euclid(SECONDS_OF_A_DAY) {
        days if days >= days_low => {}
        days if days < 0 => found.add(mend(Finding::error(name, what))),
        _ => found.add(mend(Finding::warning(name, what))),
    }
}

/// Of each subscriber, the certificate that lasts longest.
fn subscribers(patient: &Patient, now: Timestamp, found: &mut Found) {
    if !patient.state_dir().exists() {
        return;
    }
    // The area of the users says why, if they cannot be read.
    let Ok(users) = state::read_users(patient.state_dir()) else { return };
    for (name, user) in users.iter() {
        let Some(until) = user.certificates.iter().map(|one| one.expires).max() else { continue };
        let end = ca::date(until);
        let what = said!(
            "the certificate of the subscriber `{name}` ends on {end}",
            "le certificat de l'abonné `{name}` se termine le {end}",
        );
        let line = format!("sudo maison subscriber renew {name}{}", patient.with_config());
        let named = ("subscriber-certificate-ends", what);
        ending(named, until, SUBSCRIBER_DAYS_LOW, now, found, |it| it.paste(line));
    }
}
