//! Which files are looked at by themselves, from when on; and the socket by which `maison reload`
//! asks, whoever else uses it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use maison::limits::{CONTROL_TIMEOUT, RELOAD_QUIET};

use crate::gateway::{
    CAVE, Gateway, PASSWORD, SALON, add_user, free_port, listener, recorded_tree,
};

/// A gateway that looks at its files.
fn gateway() -> Gateway {
    let folder = Gateway::prepare(SALON);
    recorded_tree(&folder.path().join("sys"));
    Gateway::start(folder)
}

#[track_caller]
fn says(gateway: &Gateway, expected: &str) {
    let output = gateway.command(&["reload"]);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(said, expected);
}

/// Which folders there are is looked at again at each reload.
#[test]
fn a_folder_of_parts_that_comes_later_is_watched() {
    let gateway = gateway();
    let parts = gateway.folder.path().join("conf.d");
    fs::create_dir(&parts).unwrap();
    gateway.wait_for_log("configuration read again");
    fs::write(parts.join("cave.toml"), CAVE).unwrap();
    gateway.wait_for_log("room added: cave");
}

/// Whoever edits and then types `maison reload` comes after the gateway, which has looked already.
#[test]
fn what_was_taken_up_unasked_is_told_when_asked_once() {
    let gateway = gateway();
    gateway.edit(|text| text + CAVE);
    gateway.wait_for_log("room added: cave");
    gateway.edit(|text| text.replace(CAVE, "[log]\nlevel = \"debug\"\n"));
    gateway.wait_for_log("room removed: cave");
    gateway.edit(|text| text.replace("[gateway]\n", "[gateway]\nroot = \"house\"\n"));
    gateway.wait_for_log("needs a restart: gateway.root");
    says(
        &gateway,
        "room added: cave\nchanged: log.level\nroom removed: cave\nneeds a restart: gateway.root\n",
    );
    says(&gateway, "needs a restart: gateway.root\n");
}

#[test]
fn the_certificate_of_a_listener_is_watched_where_it_lies() {
    let gateway = gateway();
    let folder = gateway.folder.path();
    let place = folder.join("tls");
    fs::create_dir(&place).unwrap();
    let put = |from: &str, to: &str| fs::copy(folder.join(from), place.join(to)).unwrap();
    put("state/server.pem", "c.pem");
    put("state/server.key", "k.pem");
    let files = place.display();
    let rest = format!(
        "tls = {{ certificate = \"{files}/c.pem\", key = \"{files}/k.pem\" }}\nauth = \"password\""
    );
    let port = free_port();
    gateway.edit(|text| text + &listener(port, &rest));
    gateway.wait_for_log("listener added");
    let add = ["subscriber", "add", "alice", "--rooms", "salon", "--certificate", "--no-qr"];
    assert!(gateway.command(&add).status.success());
    put("alice/alice.pem", "c.pem");
    put("alice/alice.key", "k.pem");
    gateway.wait_for_log(&format!("certificate changed: 127.0.0.1:{port}"));
}

#[test]
fn files_are_not_looked_at_where_that_is_turned_off() {
    let folder = Gateway::prepare(SALON);
    recorded_tree(&folder.path().join("sys"));
    let config = folder.path().join("maison.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(config, text.replace("[gateway]\n", "[gateway]\nwatch_files = false\n")).unwrap();
    let gateway = Gateway::start(folder);
    gateway.edit(|text| text + CAVE);
    std::thread::sleep(RELOAD_QUIET * 4);
    assert!(!gateway.has_logged("room added: cave"));
    says(&gateway, "room added: cave\n");
}

/// What an earlier life left there is in nobody's use.
#[test]
fn a_gateway_that_was_killed_can_be_asked_in_its_next_life() {
    let folder = gateway().kill();
    assert!(folder.path().join("state/control").exists());
    says(&Gateway::start(folder), "nothing has changed\n");
}

#[test]
fn who_asks_for_nothing_keeps_nobody_from_asking() {
    let gateway = gateway();
    let asked = std::time::Instant::now();
    let silent = UnixStream::connect(gateway.folder.path().join("state/control")).unwrap();
    says(&gateway, "nothing has changed\n");
    assert!(asked.elapsed() < CONTROL_TIMEOUT * 10, "{:?}", asked.elapsed());
    drop(silent);
}

/// Permissions are what was wrong, and nothing is written again.
#[test]
fn users_that_were_open_to_others_are_read_when_they_no_longer_are() {
    let gateway = gateway();
    add_user(&gateway.config(), "bob", PASSWORD);
    gateway.wait_for_log("users read again");
    let users = gateway.folder.path().join("state/users");
    let mode = |mode| fs::set_permissions(&users, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    gateway.wait_for_log("users not read again, the earlier ones stay");
    let (code, said) = gateway.complains(&["reload"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("others can read secrets"), "{said}");
    mode(0o600);
    gateway.wait_for_logs(2, "users read again");
    says(&gateway, "user added: bob\n");
    says(&gateway, "nothing has changed\n");
}
