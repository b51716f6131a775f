//! `maison doctor`: what is wrong with a gateway and the machine it runs on, and how to mend it.
//! Nothing is changed, but for a login that lasts as long as it is tried.

mod account;
mod bundle;
mod buses;
mod card;
mod certificates;
mod clock;
mod configuration;
mod devices;
mod fault;
mod finding;
mod loopback;
mod mdns;
mod patient;
mod ports;
mod power;
mod sensors;
mod service;
mod show;
mod store;
#[cfg(test)]
mod tests;
mod users;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indicatif::ProgressBar;

use super::exit;
use super::status::Style;
use finding::{Found, Language, Said, Severity, said};
use patient::Patient;

/// Look for what is wrong with the gateway and its machine, and say how to mend it
///
/// Configuration, buses, devices, sensors, supply, clock, card, certificates, ports, users, store,
/// and a message through each listener; beside a gateway and without one, as root or not. English
/// or French, as `LC_ALL`, `LC_MESSAGES` or `LANG` say. Ends with 1 if anything is an error.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Configuration file [default: `/etc/maison/maison.toml`]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Answer in JSON: `{"ok": true, "findings": [], …}`
    #[arg(long)]
    json: bool,
    /// Also write a report to be attached to a question: findings, configuration, machine; no
    /// passwords, no keys, no names of users. The file must not be there
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
}

/// Somewhere to look.
struct Area {
    /// For programs.
    name: &'static str,
    /// For people.
    said: fn() -> Said,
    examine: fn(&Patient, &mut Found),
}

/// In the order in which they are looked at: what explains the rest comes first.
const AREAS: &[Area] = &[
    Area {
        name: "configuration",
        said: || said!("configuration", "configuration"),
        examine: configuration::examine,
    },
    Area { name: "service", said: || said!("gateway", "passerelle"), examine: service::examine },
    Area { name: "buses", said: || said!("buses", "bus"), examine: buses::examine },
    Area { name: "devices", said: || said!("permissions", "droits"), examine: devices::examine },
    Area { name: "sensors", said: || said!("sensors", "capteurs"), examine: sensors::examine },
    Area { name: "power", said: || said!("supply", "alimentation"), examine: power::examine },
    Area { name: "clock", said: || said!("clock", "horloge"), examine: clock::examine },
    Area { name: "card", said: || said!("card", "carte"), examine: card::examine },
    Area { name: "store", said: || said!("store", "magasin"), examine: store::examine },
    Area {
        name: "certificates",
        said: || said!("certificates", "certificats"),
        examine: certificates::examine,
    },
    Area { name: "ports", said: || said!("ports", "ports"), examine: ports::examine },
    Area { name: "users", said: || said!("users", "utilisateurs"), examine: users::examine },
    Area { name: "mdns", said: || said!("mDNS", "mDNS"), examine: mdns::examine },
    Area {
        name: "listeners",
        said: || said!("messages through the listeners", "messages par les ports d'écoute"),
        examine: loopback::examine,
    },
];

/// Status 0 when nothing is an error, else 1.
pub fn run(arguments: &Arguments) -> ExitCode {
    let language = Language::of_environment();
    let patient = Patient::new(arguments.config.as_deref());
    let found = examine(&patient, language);
    if arguments.json {
        println!("{}", show::json(&found, language));
    } else {
        print!("{}", show::text(&found, language, Style::of_output()));
    }
    if let Some(path) = &arguments.bundle {
        if let Err(error) = bundle::write(path, &patient, &found) {
            super::complain(format_args!("cannot write `{}`: {error}", path.display()));
            return exit::code(exit::FAILED);
        }
        let path = path.display();
        let written = said!("report written: `{path}`", "rapport écrit : `{path}`");
        eprintln!("{}", written.in_language(language));
    }
    match found.count(Severity::Error) {
        0 => ExitCode::SUCCESS,
        _ => exit::code(exit::FAILED),
    }
}

/// Looks everywhere; on a terminal it says where.
fn examine(patient: &Patient, language: Language) -> Found {
    let mut found = Found::default();
    let progress = ProgressBar::new_spinner();
    for area in AREAS {
        progress.set_message((area.said)().in_language(language).to_owned());
        progress.tick();
        found.area = area.name;
        (area.examine)(patient, &mut found);
    }
    progress.finish_and_clear();
    found
}
