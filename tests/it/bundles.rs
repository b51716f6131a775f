//! What a bundle holds beside PEM files, as other programs read it, and what is written of it
//! again.

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::gateway::{Client, Gateway, SALON, binary, free_port, listener};

fn gateway(auth: &str) -> Gateway {
    let listener = listener(free_port(), &format!("tls = true\nauth = \"{auth}\""));
    Gateway::start(Gateway::prepare_listening(&[listener], SALON))
}

/// OpenSSL with a passphrase that is in no argument list.
fn openssl(gateway: &Gateway, passphrase: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new("openssl");
    command.current_dir(gateway.folder.path()).env("PASSPHRASE", passphrase);
    command.args(arguments).output().expect("`tests/run` installs what the tests need")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn printed_passphrase(said: &str) -> String {
    let line = said.lines().find(|line| line.starts_with("passphrase of alice.p12: "));
    line.expect("it is printed").split_whitespace().nth(3).unwrap().to_owned()
}

/// The lines of the first block of PEM, and no words around them.
fn block(text: &str, kind: &str) -> String {
    let begin = format!("-----BEGIN {kind}-----");
    let from = text.find(&begin).unwrap_or_else(|| panic!("no {kind} in:\n{text}"));
    let end = format!("-----END {kind}-----");
    let to = text[from..].find(&end).unwrap() + from + end.len();
    text[from..to].replace('\r', "")
}

#[test]
fn openssl_opens_the_file_with_its_passphrase_and_finds_what_the_pem_files_have() {
    let gateway = gateway("certificate");
    let add = ["subscriber", "add", "alice", "--rooms", "salon", "--no-qr"];
    let said = gateway.says(&add);
    let passphrase = printed_passphrase(&said);
    let info = ["pkcs12", "-info", "-in", "alice/alice.p12", "-noout", "-passin", "env:PASSPHRASE"];
    let opened = openssl(&gateway, &passphrase, &info);
    let said = text(&opened.stderr);
    assert!(opened.status.success(), "{said}");
    assert!(said.contains("MAC: sha256, Iteration 50000"), "{said}");
    let modern = "PBES2, PBKDF2, AES-256-CBC, Iteration 50000, PRF hmacWithSHA256";
    assert_eq!(said.matches(modern).count(), 2, "certificates and key: {said}");
    let refused = openssl(&gateway, "another", &info);
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains("invalid password"), "{refused:?}");

    let take = |what: &[&str]| {
        let base = ["pkcs12", "-in", "alice/alice.p12", "-passin", "env:PASSPHRASE", "-nodes"];
        let taken = openssl(&gateway, &passphrase, &[&base, what].concat());
        assert!(taken.status.success(), "{taken:?}");
        text(&taken.stdout)
    };
    let file = |name: &str| fs::read_to_string(gateway.folder.path().join(name)).unwrap();
    let key = take(&["-nocerts"]);
    assert!(key.contains("friendlyName: alice"), "{key}");
    let own = take(&["-clcerts", "-nokeys"]);
    let chain = take(&["-cacerts", "-nokeys"]);
    assert_eq!(block(&key, "PRIVATE KEY"), block(&file("alice/alice.key"), "PRIVATE KEY"));
    for (taken, name) in [(&own, "alice/alice.pem"), (&chain, "state/ca.pem")] {
        assert_eq!(block(taken, "CERTIFICATE"), block(&file(name), "CERTIFICATE"));
        assert_eq!(taken.matches("-----BEGIN").count(), 1, "nothing else: {taken}");
    }

    fs::write(gateway.folder.path().join("taken.pem"), own + &key + &chain).unwrap();
    let taken = gateway.folder.path().join("taken.pem");
    let mut client = Command::new("mosquitto_sub");
    client.args(["-v", "-t", "maison/salon/#", "-h", "localhost"]);
    client.args(["-p", &gateway.tls_port().to_string()]);
    for option in ["--cafile", "--cert", "--key"] {
        client.arg(option).arg(&taken);
    }
    Client::start(&mut client).expect("maison/salon/temperature 21.4");
}

/// The passphrase goes another way than the file: it is neither in the folder nor in a log.
#[test]
fn the_passphrase_is_said_once_or_taken_from_standard_input() {
    let gateway = gateway("certificate-and-password");
    let said = gateway.says(&["subscriber", "add", "alice", "--rooms", "salon", "--no-qr"]);
    let passphrase = printed_passphrase(&said);
    assert_eq!(said.matches(&passphrase).count(), 1);
    for entry in fs::read_dir(gateway.folder.path().join("alice")).unwrap() {
        let content = text(&fs::read(entry.unwrap().path()).unwrap());
        assert!(!content.contains(&passphrase));
    }
    assert!(!gateway.has_logged(&passphrase));

    let give = |name: &str, lines: &str| {
        let mut command = binary();
        command.current_dir(gateway.folder.path());
        command.args(["subscriber", "add", name, "--rooms", "salon", "--no-qr", "--certificate"]);
        command.args(["--password-stdin", "--passphrase-stdin", "--config"]);
        command.arg(gateway.config()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let given = give("bob", "correct horse\nbattery staple\n");
    assert!(given.status.success(), "{given:?}");
    assert!(!text(&given.stdout).contains("passphrase of bob"), "{given:?}");
    let info = ["pkcs12", "-in", "bob/bob.p12", "-noout", "-passin", "env:PASSPHRASE"];
    assert!(openssl(&gateway, "battery staple", &info).status.success());
    assert!(!openssl(&gateway, "correct horse", &info).status.success());
    for unfit in ["short", "ünlesbar und lang"] {
        let refused = give("eve", &format!("correct horse\n{unfit}\n"));
        let said = text(&refused.stderr);
        assert!(said.contains("unfit for a passphrase"), "{said}");
        assert!(!said.contains(unfit), "{said}");
    }
    assert!(!gateway.says(&["subscriber", "list"]).contains("\neve"));
}

/// What lets somebody in is made by `add` and `renew` alone.
#[test]
fn a_bundle_that_is_written_again_has_no_keys_and_lets_nobody_else_in() {
    let gateway = gateway("certificate-and-password");
    gateway.says(&["subscriber", "add", "alice", "--rooms", "salon", "--no-qr"]);
    let before = fs::read(gateway.folder.path().join("state/users")).unwrap();
    let again = ["subscriber", "bundle", "alice", "--out", "again", "--no-qr"];
    let said = gateway.says(&again);
    assert!(said.contains("the gateway keeps no keys"), "{said}");
    assert!(said.contains("the gateway keeps no passwords"), "{said}");
    assert!(said.contains("maison subscriber renew alice"), "{said}");
    assert_eq!(fs::read(gateway.folder.path().join("state/users")).unwrap(), before);
    let folder = gateway.folder.path().join("again");
    let mut names: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["README.txt", "ca.pem", "subscribe.ino", "subscribe.py"]);

    // With what its owner has, it works as it is printed.
    let first = fs::read_to_string(gateway.folder.path().join("alice/README.txt")).unwrap();
    let password = first.lines().find_map(|line| line.strip_prefix("password: ")).unwrap();
    let password = password.split(' ').next().unwrap();
    for name in ["alice.pem", "alice.key"] {
        fs::copy(gateway.folder.path().join("alice").join(name), folder.join(name)).unwrap();
    }
    let line = said.lines().find(|line| line.starts_with("mosquitto_sub")).unwrap();
    let line = format!("exec {}", line.replace("PASSWORD", password));
    let client = Client::start(Command::new("sh").args(["-c", &line]));
    client.expect("maison/salon/temperature 21.4");
    let (_, errors) = gateway.complains(&["subscriber", "bundle", "eve"]);
    assert!(errors.contains("no such user: `eve`"), "{errors}");
}
