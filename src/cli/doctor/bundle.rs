//! A report to be attached to a question. It is put together of what is no secret, rather than
//! cleaned of what is: files are not copied, users and clients have numbers for names.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::system::uname;
use serde_json::{Value, json};

use super::finding::{Found, Language};
use super::patient::Patient;
use super::{show, users};
use crate::access::Users;
use crate::cli::invoker::Invoker;
use crate::cli::status::Style;
use crate::cli::version::version;
use crate::daemon::{state, wall};

const PRIVATE_FILE: u32 = 0o600;

/// Writes it to a new file, for its owner alone: whoever is to attach it.
pub(super) fn write(path: &Path, patient: &Patient, found: &Found) -> io::Result<()> {
    let text = text(patient, found);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(PRIVATE_FILE).open(path)?;
    file.write_all(text.as_bytes())?;
    if let Some(invoker) = Invoker::of(path) {
        invoker.own(path)?;
    }
    file.sync_all()
}

fn text(patient: &Patient, found: &Found) -> String {
    let known = if patient.state_dir().exists() {
        state::read_users(patient.state_dir()).unwrap_or_default()
    } else {
        Users::default()
    };
    let names: Vec<String> = known.names().map(ToString::to_string).collect();
    let findings = show::text(found, Language::English, Style::Plain);
    let sections = [
        ("machine", machine(patient)),
        ("findings", numbered(&findings, &names)),
        ("configuration", configuration(patient)),
        ("users", of_users(patient, &known)),
        ("status", status(patient)),
    ];
    let mut text = format!("maison {} at {}\n", version(), wall());
    for (title, content) in sections {
        // A string takes what is written to it.
        let _ = write!(text, "\n== {title} ==\n{}\n", content.trim_end());
    }
    text
}

/// Names of users, where they stand as words of their own, as `user-1`, `user-2`.
fn numbered(text: &str, names: &[String]) -> String {
    let is_of_name = |letter: char| letter.is_alphanumeric() || "-_.@".contains(letter);
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|letter| !is_of_name(letter)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        match names.iter().position(|name| name == word) {
            Some(index) => out.extend(["user-", &(index + 1).to_string()]),
            None => out.push_str(word),
        }
        let gap = behind.find(is_of_name).unwrap_or(behind.len());
        let (between, next) = behind.split_at(gap);
        out.push_str(between);
        rest = next;
    }
    out
}

fn machine(patient: &Patient) -> String {
    let system = uname();
    let (release, machine) =
        (system.release().to_string_lossy(), system.machine().to_string_lossy());
    let os = patient.text("etc/os-release");
    let os = os.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or_default();
    let model = patient.settings.hardware.sysfs.join("firmware/devicetree/base/model");
    let model = fs::read_to_string(model).unwrap_or_default();
    let model = model.trim_end_matches('\0');
    let mut text = format!("system: {os}\nkernel: {release} {machine}\nboard: {model}\n");
    let modules = patient.text("proc/modules");
    let is_ours = |name: &&str| {
        ["w1", "i2c", "spi", "dht", "iio", "wire"].iter().any(|part| name.contains(part))
    };
    let modules: Vec<_> =
        modules.lines().filter_map(|line| line.split(' ').next()).filter(is_ours).collect();
    let _ = writeln!(text, "modules: {}", modules.join(" "));
    let devices = fs::read_dir(patient.place("dev")).into_iter().flatten().flatten();
    let devices = devices.filter_map(|entry| entry.file_name().into_string().ok());
    let is_bus = |name: &String| ["i2c-", "spidev", "gpio"].iter().any(|it| name.starts_with(it));
    let mut devices: Vec<_> = devices.filter(is_bus).collect();
    devices.sort();
    let _ = writeln!(text, "devices: {}", devices.join(" "));
    for file in ["boot/firmware/config.txt", "boot/config.txt"] {
        for line in patient.text(file).lines() {
            if ["dtoverlay", "dtparam"].iter().any(|word| line.trim().starts_with(word)) {
                let _ = writeln!(text, "boot: {line}");
            }
        }
    }
    text
}

/// As it is understood, which has no comments; of a wrong one, where it is wrong.
fn configuration(patient: &Patient) -> String {
    let Some(error) = &patient.trouble else { return patient.settings.to_toml() };
    let report = error.report();
    let line = |mistake: &crate::config::Mistake| match mistake.position {
        Some(at) => format!("{}:{}:{}: {}", mistake.file, at.line, at.column, mistake.what),
        None => format!("{}: {}", mistake.file, mistake.what),
    };
    report.mistakes().iter().map(line).collect::<Vec<_>>().join("\n")
}

fn of_users(patient: &Patient, known: &Users) -> String {
    let mut text = String::new();
    for (index, (name, user)) in known.iter().enumerate() {
        let rooms = users::reads(&patient.settings, known, name).join(" ");
        let (password, certificates) = (user.password.is_some(), user.certificates.len());
        let number = index + 1;
        let _ = writeln!(
            text,
            "user-{number}: password {password}, certificates {certificates}, reads: {rooms}"
        );
    }
    text
}

/// As `maison status --json`, without names of clients and users, and where they come from.
fn status(patient: &Patient) -> String {
    let Ok(status) = &patient.gateway else { return "no answer".to_owned() };
    let Ok(mut value) = serde_json::to_value(status) else { return String::new() };
    let listed = value.pointer_mut("/clients/listed").and_then(Value::as_array_mut);
    for (index, client) in listed.into_iter().flatten().enumerate() {
        for key in ["id", "user", "address"] {
            if let Some(field) = client.get_mut(key).filter(|field| !field.is_null()) {
                *field = json!(format!("{key}-{}", index + 1));
            }
        }
    }
    format!("{value:#}")
}
