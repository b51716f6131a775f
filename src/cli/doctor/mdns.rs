//! Whether programs on the network find the gateway: where avahi runs, by a file of its own.

use std::fmt::Write;

use super::finding::{Finding, Found, said};
use super::patient::Patient;
use crate::daemon::mdns::{Announcement, announcements};
use crate::limits::STATE_FILE_BYTES_MAX;
use crate::net::{CertificateFacts, read_whole};

/// There while avahi runs.
const AVAHI: &str = "run/avahi-daemon/pid";
/// What it says of the gateway; root's.
const FILE: &str = "etc/avahi/services/maison.service";

pub(super) fn examine(patient: &Patient, found: &mut Found) {
    if !patient.place(AVAHI).exists() {
        return;
    }
    let authority = read_whole(&patient.state_dir().join("ca.pem"), STATE_FILE_BYTES_MAX);
    let facts = authority.ok().and_then(|pem| CertificateFacts::of(&pem));
    let fingerprint = facts.map(|facts| facts.sha256);
    let wanted = announcements(&patient.settings, fingerprint.as_deref());
    if wanted.is_empty() {
        return;
    }
    let file = file(&wanted);
    let known = patient.text(FILE);
    if known.trim() == file.trim() {
        return;
    }
    if fingerprint.is_none() && !known.is_empty() {
        found.unseen(said!(
            "whether /{FILE} is right: the authority cannot be read by this user",
            "si /{FILE} est juste : cet utilisateur ne peut lire l'autorité",
        ));
        return;
    }
    let finding = if known.is_empty() {
        let what = said!(
            "avahi runs and does not know the gateway: programs do not find it by themselves",
            "avahi tourne et ne connaît pas la passerelle : les programmes ne la trouvent pas \
             d'eux-mêmes",
        );
        Finding::note("avahi-silent", what)
    } else {
        let what = said!(
            "what avahi says of the gateway in /{FILE} is not so any more",
            "ce qu'avahi dit de la passerelle dans /{FILE} n'est plus vrai",
        );
        Finding::warning("avahi-outdated", what)
    };
    let line = format!("sudo tee /{FILE} > /dev/null <<'END'\n{file}END");
    found.add(finding.paste(line));
}

/// `avahi.service(5)`.
fn file(wanted: &[Announcement]) -> String {
    let mut text = String::from(
        "<?xml version=\"1.0\" standalone='no'?>\n\
         <!DOCTYPE service-group SYSTEM \"avahi-service.dtd\">\n<service-group>\n  \
         <name replace-wildcards=\"yes\">maison on %h</name>\n",
    );
    for Announcement { kind, port, text: records, .. } in wanted {
        // A string takes what is written to it.
        let _ = writeln!(text, "  <service>\n    <type>{kind}</type>\n    <port>{port}</port>");
        for (key, value) in records {
            let value = value.replace('&', "&amp;").replace('<', "&lt;");
            let _ = writeln!(text, "    <txt-record>{key}={value}</txt-record>");
        }
        text.push_str("  </service>\n");
    }
    text + "</service-group>\n"
}
