//! Letting somebody in, where something is in the way: nobody is let in, or sent away, whose bundle
//! is not there; and what is printed works wherever it is pasted.

use std::fs;
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal};

use crate::gateway::{Client, Gateway, SALON, binary, free_port, listener, tool};

const ADD: [&str; 6] = ["subscriber", "add", "alice", "--rooms", "salon", "--no-qr"];
const RENEW: [&str; 5] = ["subscriber", "renew", "alice", "--revoke", "--no-qr"];

fn gateway(auth: &str) -> Gateway {
    let listener = listener(free_port(), &format!("tls = true\nauth = \"{auth}\""));
    Gateway::start(Gateway::prepare_listening(&[listener], SALON))
}

/// `maison` from a shell that did this before.
fn after(gateway: &Gateway, before: &str, arguments: &[&str]) -> Output {
    let line = format!("{before}exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.current_dir(gateway.folder.path()).arg("-c").arg(line);
    command.arg(binary().get_program()).args(arguments);
    command.arg("--config").arg(gateway.config()).output().unwrap()
}

fn users(gateway: &Gateway) -> Option<String> {
    fs::read_to_string(gateway.folder.path().join("state/users")).ok()
}

#[test]
fn nobody_is_let_in_or_sent_away_whose_bundle_cannot_be_written() {
    let gateway = gateway("certificate-or-password");
    let nowhere = ["--out", "/nonexistent/q"];
    let full = "trap '' XFSZ; ulimit -f 1; ";
    let check = |arguments: &[&str]| {
        let before = users(&gateway);
        let (code, errors) = gateway.complains(&[arguments, &nowhere].concat());
        assert_eq!(code, Some(1), "{errors}");
        assert!(errors.contains("cannot make `/nonexistent/q`"), "{errors}");
        assert_eq!(users(&gateway), before);
        let failed = after(&gateway, full, &[arguments, &["--out", "full"]].concat());
        let errors = String::from_utf8_lossy(&failed.stderr);
        assert!(errors.contains("cannot write `full/"), "{errors}");
        assert_eq!(users(&gateway), before);
        assert!(!gateway.folder.path().join("full").exists());
    };
    check(&ADD);
    gateway.says(&ADD);
    check(&RENEW);
}

#[test]
fn a_bundle_is_taken_away_where_the_users_cannot_be_changed() {
    let gateway = gateway("certificate");
    gateway.says(&ADD);
    let before = users(&gateway);
    // In the way of the draft, which has the number of the process in its name.
    let blocked = "mkdir -p state/.users.$$/x; ";
    let failed = after(&gateway, blocked, &[&RENEW[..], &["--out", "again"]].concat());
    let errors = String::from_utf8_lossy(&failed.stderr);
    assert!(errors.contains("cannot write `"), "{errors}");
    assert!(errors.contains("state/users`"), "{errors}");
    assert!(!gateway.folder.path().join("again").exists());
    assert_eq!(users(&gateway), before);
}

#[test]
fn what_cannot_be_printed_is_said_to_be_in_the_bundle() {
    let gateway = gateway("certificate-or-password");
    let failed = after(&gateway, "exec > /dev/full; ", &ADD);
    let errors = String::from_utf8_lossy(&failed.stderr);
    assert!(!failed.status.success());
    assert!(errors.contains("alice/README.txt says it"), "{errors}");
    assert!(errors.contains("maison subscriber renew alice"), "{errors}");
    assert!(gateway.folder.path().join("alice/alice.p12").exists());
    assert!(gateway.says(&["subscriber", "list"]).contains("\nalice"));
    let failed = after(&gateway, "exec > /dev/full; ", &["subscriber", "passwd", "alice"]);
    let errors = String::from_utf8_lossy(&failed.stderr);
    assert!(errors.contains("the password is changed, but cannot be printed"), "{errors}");
}

#[test]
fn lines_work_from_a_folder_of_any_name_and_from_within_wherever_it_is() {
    let gateway = gateway("certificate-or-password");
    let name = "sp ace'q\"$(id)";
    let text = gateway.says(&[&ADD[..], &["--out", name]].concat());
    let line = |text: &str, beginning: &str| -> String {
        let found = text.lines().find(|line| line.starts_with(beginning)).unwrap();
        found.replacen("python3", &tool("MAISON_TEST_PYTHON", "python/bin/python"), 1)
    };
    let pasted = |line: &str, folder: &std::path::Path| {
        let mut shell = Command::new("sh");
        let client = Client::start(shell.args(["-c", &format!("exec {line}")]).current_dir(folder));
        client.expect("maison/salon/temperature 21.4");
    };
    for beginning in ["mosquitto_sub", "python3"] {
        pasted(&line(&text, beginning), gateway.folder.path());
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let carried = elsewhere.path().join("carried");
    let made = gateway.folder.path().join(name);
    let readme = fs::read_to_string(made.join("README.txt")).unwrap();
    assert!(!readme.contains(name), "{readme}");
    fs::rename(made, &carried).unwrap();
    for beginning in ["mosquitto_sub", "python3"] {
        pasted(&line(&readme, beginning), &carried);
    }
}

#[test]
fn a_host_is_a_name_or_an_address() {
    let gateway = gateway("certificate-or-password");
    for host in ["'\"); import os; os.abort(); (\"", "pi;reboot", "$(reboot)"] {
        let (code, errors) = gateway.complains(&[&ADD[..], &["--host", host]].concat());
        assert_eq!(code, Some(2), "{errors}");
        assert!(errors.contains("neither a host name nor an IP address"), "{errors}");
    }
    let said = gateway.says(&[&ADD[..5], &["--host", "::1"]].concat());
    assert!(said.contains("@[::1]:"), "{said}");
}

#[test]
fn hints_name_the_commands_of_subscribers() {
    let gateway = gateway("certificate");
    gateway.says(&ADD);
    let (_, errors) = gateway.complains(&[&ADD[..], &["--out", "again"]].concat());
    assert!(errors.contains("`maison subscriber renew alice`"), "{errors}");
    assert!(!errors.contains("maison user"), "{errors}");
    for action in ["renew", "passwd", "revoke", "bundle"] {
        let (code, errors) = gateway.complains(&["subscriber", action, "eve"]);
        assert_eq!(code, Some(1), "{errors}");
        assert!(errors.contains("hint: `maison subscriber list`"), "{errors}");
    }
}

/// Two authorities of an administrator: one for the listener, one for clients.
#[test]
fn a_listener_with_certificates_of_the_administrator_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str| {
        let made = Command::new("openssl")
            .current_dir(folder.path())
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(["-nodes", "-days", "30", "-subj", "/CN=localhost"])
            .args(["-addext", "subjectAltName=DNS:localhost"])
            .args(["-keyout", &format!("{name}.key"), "-out", &format!("{name}.pem")])
            .output();
        assert!(made.unwrap().status.success());
        folder.path().join(format!("{name}.pem"))
    };
    let (own, clients) = (make("own"), make("clients"));
    let key = folder.path().join("own.key");
    let tls = |more: &str| format!("tls = {{ certificate = {own:?}, key = {key:?}{more} }}\n");
    let start = |more: &str, auth: &str| {
        let listener = listener(free_port(), &(tls(more) + &format!("auth = \"{auth}\"")));
        Gateway::start(Gateway::prepare_listening(&[listener], SALON))
    };
    let gateway = start("", "password");
    let said = gateway.says(&ADD);
    let bundled = fs::read(gateway.folder.path().join("alice/ca.pem")).unwrap();
    assert_eq!(bundled, fs::read(&own).unwrap());
    let line = said.lines().find(|line| line.starts_with("mosquitto_sub")).unwrap();
    let client = Client::start(Command::new("sh").args(["-c", &format!("exec {line}")]));
    client.expect("maison/salon/temperature 21.4");

    let client_ca = format!(", client_ca = {clients:?}");
    let gateway = start(&client_ca, "certificate-and-password");
    let (code, errors) = gateway.complains(&[&ADD[..], &["--certificate"]].concat());
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("with the common name `alice`"), "{errors}");
    let said = gateway.says(&ADD);
    assert!(said.contains("takes certificates of the administrator's authority only"), "{said}");
    assert!(!gateway.folder.path().join("alice/alice.p12").exists());
}

#[test]
fn what_would_be_dropped_or_never_match_is_said() {
    let gateway = gateway("certificate-or-password");
    let check = |arguments: &[&str], expected: &str| {
        let (_, errors) = gateway.complains(&[&["subscriber", "add", "alice"], arguments].concat());
        assert!(errors.contains(expected), "{errors}");
    };
    check(&["--rooms", "salon,salon"], "named twice: `salon`");
    check(&["--read", "$share/g/maison/#"], "the filter behind the group");
    check(&["--rooms", "salon", "--password", "--passphrase-stdin"], "no certificate that it");
    let (_, errors) = gateway.complains(&["ca", "rotate", "--overlap", "0"]);
    assert!(errors.contains("a number without a unit"), "{errors}");
    let (_, errors) = gateway.complains(&["ca", "rotate", "--overlap", "90000d"]);
    assert!(errors.contains("longer than the old authority lasts, which ends 20"), "{errors}");
}

/// A word to end that comes while the bundle is being written leaves it whole, with its user, or
/// nothing of either.
#[test]
fn who_is_interrupted_lets_somebody_in_or_nobody() {
    let gateway = gateway("certificate-or-password");
    let listed =
        |name: &str| users(&gateway).is_some_and(|text| text.contains(&format!("{name}:")));
    for (number, signal) in (0..9).zip([Signal::INT, Signal::TERM, Signal::HUP].iter().cycle()) {
        let name = format!("guest{number}");
        let mut command = binary();
        command.current_dir(gateway.folder.path()).args(["subscriber", "add", &name, "--no-qr"]);
        command.args(["--rooms", "salon", "--config"]).arg(gateway.config());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let bundle = gateway.folder.path().join(&name);
        // At each of the files that are written one after the other.
        let files = ["", "ca.pem", "guest.pem", "guest.key", "subscribe.py", "README.txt"];
        let awaited = bundle.join(files[number % files.len()].replace("guest", &name));
        while !awaited.exists() && child.try_wait().unwrap().is_none() {
            std::hint::spin_loop();
        }
        let _ = rustix::process::kill_process(Pid::from_child(&child), *signal);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(bundle.exists(), listed(&name), "{name}: {:?} {said}", output.status);
        if bundle.exists() {
            assert!(bundle.join("README.txt").exists() && bundle.join("subscribe.ino").exists());
        } else {
            assert!(said.contains("interrupted: all is as before"), "{said}");
        }
    }
}
