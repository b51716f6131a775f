//! What is no regular file in the place of one: it is refused by name, and nobody waits for it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::gateway::{Gateway, SALON, binary, free_port, listener, recorded_tree};
use crate::wire::{Session, Wire};

/// For what answers at once.
const AT_ONCE: Duration = Duration::from_secs(20);

fn fifo(path: &Path) {
    let _ = fs::remove_file(path);
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

/// Status and complaint of a command that must not wait.
#[track_caller]
fn ends(config: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = binary();
    command.args(arguments).arg("--config").arg(config);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait(&mut child, arguments);
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[track_caller]
fn wait(child: &mut Child, arguments: &[&str]) {
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > AT_ONCE {
            child.kill().unwrap();
            panic!("{arguments:?} waits");
        }
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_configuration_that_is_no_file_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("maison.toml");
    fifo(&config);
    let (code, said) = ends(&config, &["check"]);
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("maison.toml") && said.contains("not a regular file"), "{said}");
    fs::remove_file(&config).unwrap();
    symlink("/dev/zero", &config).unwrap();
    assert!(ends(&config, &["check"]).1.contains("not a regular file"));
}

/// An empty one of the gateway's own authority, as OpenSSL makes it.
fn revocation_list(folder: &Path) {
    fs::write(folder.join("index.txt"), "").unwrap();
    let settings = "[ca]\ndefault_ca = own\n[own]\ndatabase = index.txt\ndefault_md = sha256\n\
                    default_crl_days = 30\ncrl_extensions = list\n[list]\n\
                    authorityKeyIdentifier = keyid:always\n";
    fs::write(folder.join("settings"), settings).unwrap();
    let words = "ca -config settings -gencrl -cert state/ca.pem -keyfile state/ca.key -out crl.pem";
    let made = Command::new("openssl").current_dir(folder).args(words.split(' ')).output().unwrap();
    assert!(made.status.success(), "{made:?}");
}

/// Files of another broker are read as carefully as our own.
#[test]
fn a_pipe_among_the_files_of_mosquitto_is_refused_at_once() {
    let folder = Gateway::prepare("");
    let (path, config) = (folder.path(), folder.path().join("maison.toml"));
    let place = path.join("mosquitto");
    fs::create_dir(&place).unwrap();
    let passwords = place.join("passwd");
    let conf = format!("listener 1883\npassword_file {}\n", passwords.display());
    fs::write(place.join("mosquitto.conf"), conf).unwrap();
    fifo(&passwords);
    for file in [passwords, place.join("mosquitto.conf")] {
        fifo(&file);
        let (code, said) = ends(&config, &["import", "mosquitto", place.to_str().unwrap()]);
        assert_eq!(code, Some(1), "{said}");
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(said.contains(name) && said.contains("not a regular file"), "{said}");
    }
}

/// At each place that is read at a reload; the old certificates stay, and clients go on.
#[test]
fn a_pipe_in_the_place_of_a_file_of_ours_freezes_nobody() {
    let folder = Gateway::prepare(SALON);
    recorded_tree(&folder.path().join("sys"));
    let gateway = Gateway::start(folder);
    let path = gateway.folder.path();
    for (from, to) in [("server.pem", "c.pem"), ("server.key", "k.pem"), ("ca.pem", "ca.pem")] {
        fs::copy(path.join("state").join(from), path.join(to)).unwrap();
    }
    revocation_list(path);
    let place = path.display();
    let rest = format!(
        "tls = {{ certificate = \"{place}/c.pem\", key = \"{place}/k.pem\", client_ca = \
         \"{place}/ca.pem\", client_crl = \"{place}/crl.pem\" }}\nauth = \"certificate\""
    );
    gateway.edit(|text| text + &listener(free_port(), &rest));
    assert!(gateway.command(&["reload"]).status.success());
    let mut client = Wire::connect(gateway.plain_port(), "phone", Session::Clean);
    for name in ["c.pem", "k.pem", "ca.pem", "crl.pem", "state/users"] {
        let file = path.join(name);
        let kept = fs::read(&file).ok();
        fifo(&file);
        let (code, said) = ends(&gateway.config(), &["reload"]);
        assert_eq!(code, Some(1), "{name}: {said}");
        assert!(said.contains(name) && said.contains("not a regular file"), "{name}: {said}");
        client.subscribe("a/b", maison::mqtt::QoS::AtMostOnce);
        fs::remove_file(&file).unwrap();
        if let Some(kept) = kept {
            fs::write(&file, kept).unwrap();
        }
        let (code, said) = ends(&gateway.config(), &["reload"]);
        assert_eq!(code, Some(0), "{name}: {said}");
    }
}
