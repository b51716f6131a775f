//! A new authority takes the place of the old one: under those who are there, for those who come by
//! either, and until the old one ends.

use std::fs;
use std::process::{Command, Stdio};

use crate::gateway::{Client, Gateway, SALON, free_port, listener, tool};

fn gateway() -> Gateway {
    let listener = listener(free_port(), "tls = true\nauth = \"certificate\"");
    Gateway::start(Gateway::prepare_listening(&[listener], SALON))
}

/// Lets somebody in; the lines that are printed for mosquitto and for paho.
fn add(gateway: &Gateway, name: &str) -> (String, String) {
    let text = gateway.says(&["subscriber", "add", name, "--rooms", "salon", "--no-qr"]);
    let line = |beginning: &str| {
        text.lines().find(|line| line.starts_with(beginning)).expect("it is printed").to_owned()
    };
    let python = tool("MAISON_TEST_PYTHON", "python/bin/python");
    (line("mosquitto_sub"), line("python3").replacen("python3", &python, 1))
}

fn shell(line: &str) -> Client {
    Client::start(Command::new("sh").args(["-c", &format!("exec {line}")]))
}

#[track_caller]
fn sees_the_salon(line: &str) -> Client {
    let client = shell(line);
    client.expect("maison/salon/temperature 21.4");
    client
}

/// Whether OpenSSL finds the chain good that is shown to who trusts the authority in `file`.
fn believes(gateway: &Gateway, file: &str) -> bool {
    let place = format!("localhost:{}", gateway.tls_port());
    let mut command = Command::new("openssl");
    command.current_dir(gateway.folder.path()).args(["s_client", "-connect", &place]);
    command.args(["-CAfile", file, "-verify_return_error", "-verify_hostname", "localhost"]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&output.stdout).contains("Verify return code: 0 (ok)")
}

/// How `maison subscriber list` has somebody's certificate: in a line with these words, of which
/// those of its authority stand there for who needs them only, and as JSON.
#[track_caller]
fn check_listed(gateway: &Gateway, name: &str, until: &str, why: &str, authority: &str) {
    let all = gateway.says(&["subscriber", "list"]);
    let line = all.lines().find(|line| line.starts_with(name)).unwrap();
    assert!(line.contains(until) && line.contains(why), "{line}");
    assert_eq!(line.contains("authority"), !why.is_empty(), "{line}");
    let all: Vec<serde_json::Value> =
        serde_json::from_str(&gateway.says(&["subscriber", "list", "--json"])).unwrap();
    let one = all.iter().find(|one| one["name"] == name).unwrap();
    assert_eq!(one["certificates"][0]["authority"], authority);
}

#[test]
fn old_clients_go_on_while_both_authorities_count_and_not_after() {
    let gateway = gateway();
    let (old_mosquitto, old_paho) = add(&gateway, "alice");
    let stays = sees_the_salon(&old_mosquitto);
    fs::copy(gateway.authority(), gateway.folder.path().join("old.pem")).unwrap();

    let said = gateway.says(&["ca", "rotate", "--overlap", "30d"]);
    assert!(
        said.contains("replaces:    CN=maison CA ") && said.contains("counts until "),
        "{said}"
    );
    assert!(said.contains("maison subscriber renew NAME"), "{said}");
    let shown: serde_json::Value =
        serde_json::from_str(&gateway.says(&["ca", "show", "--json"])).unwrap();
    assert_ne!(shown["sha256"], shown["replaces"]["sha256"]);
    assert!(shown["replaces"]["until"].as_str().unwrap() > "2026", "{shown}");
    let (new_mosquitto, new_paho) = add(&gateway, "bob");
    for line in [&old_mosquitto, &old_paho, &new_mosquitto, &new_paho] {
        sees_the_salon(line);
    }
    let new_pem = fs::read_to_string(gateway.folder.path().join("bob/ca.pem")).unwrap();
    assert_eq!(new_pem, fs::read_to_string(gateway.authority()).unwrap());
    assert_eq!(new_pem.matches("BEGIN").count(), 1, "the new one alone");
    assert!(believes(&gateway, "old.pem") && believes(&gateway, "bob/ca.pem"));
    assert!(!gateway.has_logged("client disconnected reason=\"this"), "who was there stays");
    let (_, errors) = gateway.complains(&["ca", "rotate"]);
    assert!(errors.contains("being replaced already, until 2026"), "{errors}");

    let ends = shown["replaces"]["until"].as_str().unwrap();
    check_listed(&gateway, "alice", &format!("  {ends} ("), ", when its authority ends)", "ends");
    check_listed(&gateway, "bob", "  certificate  ", "", "counts");

    let new = sees_the_salon(&new_mosquitto);
    gateway.says(&["ca", "rotate", "--finish"]);
    check_listed(&gateway, "alice", "  over (", ", its authority has ended)", "ended");
    check_listed(&gateway, "bob", "  certificate  ", "", "counts");
    let gone = gateway.wait_for_log("this certificate, or its authority, counts no more");
    assert!(gone.contains("client disconnected"), "{gone}");
    assert_eq!(gateway.logged("or its authority, counts no more").len(), 1, "alice alone");
    assert!(!believes(&gateway, "old.pem") && believes(&gateway, "bob/ca.pem"));
    // Who trusts the old one only finds out by itself; who shows its certificate is told.
    shell(&old_mosquitto).end();
    gateway.wait_for_log("reason=\"peer-does-not-know-our-authority\"");
    shell(&old_mosquitto.replace("alice/ca.pem", "bob/ca.pem")).end();
    gateway.wait_for_log("user=\"alice\" client=\"\" reason=unknown-authority");
    sees_the_salon(&new_paho);
    drop((stays, new));
}

/// The gateway was off when its authority was replaced, and starts with both.
#[test]
fn an_authority_is_replaced_beside_a_gateway_that_is_stopped() {
    let mut gateway = gateway();
    let (old, _) = add(&gateway, "alice");
    gateway.stop();
    gateway.says(&["ca", "rotate"]);
    let (new, _) = add(&gateway, "bob");
    let gateway = Gateway::start(gateway.kill());
    sees_the_salon(&old);
    sees_the_salon(&new);
    drop(gateway);
}

/// For a key that others know: no overlap.
#[test]
fn an_authority_without_an_overlap_is_out_this_second() {
    let gateway = gateway();
    let (old, _) = add(&gateway, "alice");
    let goes = sees_the_salon(&old);
    let said = gateway.says(&["ca", "rotate", "--overlap", "0s"]);
    assert!(said.contains("each subscriber needs a new bundle"), "{said}");
    gateway.wait_for_log("this certificate, or its authority, counts no more");
    let renewed = ["subscriber", "renew", "alice", "--revoke", "--out", "new", "--no-qr"];
    let text = gateway.says(&renewed);
    sees_the_salon(text.lines().find(|line| line.starts_with("mosquitto_sub")).unwrap());
    drop(goes);
}

/// Nobody has to ask for it: no command comes after the one that began it.
#[test]
fn an_overlap_ends_by_itself_for_those_who_are_in_as_well() {
    let gateway = gateway();
    let (old, _) = add(&gateway, "alice");
    let goes = sees_the_salon(&old);
    fs::copy(gateway.authority(), gateway.folder.path().join("old.pem")).unwrap();
    gateway.says(&["ca", "rotate", "--overlap", "3s"]);
    assert!(believes(&gateway, "old.pem"));

    gateway.wait_for_log("the certificate authority that was replaced counts no more");
    let gone = gateway.wait_for_log("this certificate, or its authority, counts no more");
    assert!(gone.contains("client disconnected"), "{gone}");
    assert!(!believes(&gateway, "old.pem"), "the old chain is shown no more");
    add(&gateway, "bob");
    shell(&old.replace("alice/ca.pem", "bob/ca.pem")).end();
    gateway.wait_for_log("user=\"alice\" client=\"\" reason=unknown-authority");
    drop(goes);
}
