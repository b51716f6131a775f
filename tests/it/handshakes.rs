//! The TLS listener of the real binary as OpenSSL's client sees it: which versions and ciphers it
//! speaks, whether it begins anew in the middle, and whom its chain names.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::gateway::Gateway;

/// What TLS 1.2 is spoken with: forward secrecy and an authenticated cipher, no more.
const CIPHERS: [&str; 3] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
];

const SERVER_NAME: [&str; 2] = ["-servername", "localhost"];

/// What OpenSSL says of a handshake, and whether there was one; `input` is typed after it.
fn handshake(gateway: &Gateway, arguments: &[&str], input: &str) -> (bool, String) {
    let place = format!("127.0.0.1:{}", gateway.tls_port());
    let mut child = Command::new("openssl")
        .args(["s_client", "-connect", &place, "-CAfile", &gateway.authority()])
        .arg("-verify_return_error")
        .args(if arguments.contains(&"-noservername") { [].as_slice() } else { &SERVER_NAME })
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("`tests/run` installs what the tests need");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn tls_1_2_and_1_3_are_spoken_and_nothing_older() {
    let gateway = Gateway::start(Gateway::prepare(""));
    for version in ["-tls1_2", "-tls1_3"] {
        let (is_spoken, said) = handshake(&gateway, &[version], "");
        assert!(is_spoken, "{version}: {said}");
        assert!(said.contains("Compression: NONE"), "{said}");
    }
    for version in ["-tls1", "-tls1_1"] {
        let weak = [version, "-cipher", "ALL:@SECLEVEL=0"];
        let (is_spoken, said) = handshake(&gateway, &weak, "");
        assert!(!is_spoken, "{version}: {said}");
        assert!(said.contains("SSL alert number"), "the gateway turns it down: {said}");
    }
}

#[test]
fn only_ciphers_with_forward_secrecy_and_authentication_are_taken() {
    let gateway = Gateway::start(Gateway::prepare(""));
    let every = ["ciphers", "-s", "-tls1_2", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"];
    let output = Command::new("openssl").args(every).output().unwrap();
    let every = String::from_utf8(output.stdout).unwrap();
    let mut taken = Vec::new();
    let offered: Vec<&str> =
        every.trim().split(':').filter(|cipher| !cipher.starts_with("TLS_")).collect();
    assert!(offered.len() > 50, "OpenSSL has weak ones to offer, too: {offered:?}");
    for cipher in offered {
        let only = format!("{cipher}:@SECLEVEL=0");
        if handshake(&gateway, &["-tls1_2", "-cipher", &only], "").0 {
            taken.push(cipher);
        }
    }
    taken.sort_unstable();
    assert_eq!(taken, CIPHERS);
}

/// A client that could begin anew would make the gateway work for nothing (CVE-2011-1473).
#[test]
fn no_client_begins_a_handshake_in_the_middle() {
    let gateway = Gateway::start(Gateway::prepare(""));
    let (_, said) = handshake(&gateway, &["-tls1_2"], "R\n");
    assert!(said.contains("RENEGOTIATING"), "OpenSSL tried: {said}");
    assert!(said.contains("no renegotiation") || said.contains("alert"), "{said}");
}

#[test]
fn the_chain_names_this_host_and_ends_at_our_authority() {
    let gateway = Gateway::start(Gateway::prepare(""));
    for name in [["-verify_ip", "127.0.0.1"], ["-verify_hostname", "localhost"]] {
        let (is_good, said) = handshake(&gateway, &name, "");
        assert!(is_good && said.contains("Verify return code: 0 (ok)"), "{said}");
    }
    let (is_good, said) = handshake(&gateway, &["-verify_hostname", "example.org"], "");
    assert!(!is_good && said.to_lowercase().contains("hostname mismatch"), "{said}");
}

/// Each certificate of the chain is by the next, and the last by the authority.
#[test]
fn the_chain_is_whole_and_in_order() {
    let gateway = Gateway::start(Gateway::prepare(""));
    let (is_good, said) = handshake(&gateway, &["-showcerts"], "");
    assert!(is_good, "{said}");
    let names = |mark: &str| -> Vec<String> {
        let lines = said.lines().filter_map(|line| line.split_once(mark));
        lines.filter(|(before, _)| before.len() <= 3).map(|(_, name)| name.to_owned()).collect()
    };
    let (subjects, issuers) = (names("s:"), names("i:"));
    assert!(!subjects.is_empty() && subjects.len() == issuers.len(), "{said}");
    assert_ne!(subjects[0], issuers[0], "the first is the host's own");
    assert_eq!(issuers[..issuers.len() - 1], subjects[1..], "{said}");
    let authority = ["x509", "-in", &gateway.authority(), "-noout", "-subject"];
    let output = Command::new("openssl").args(authority).output().unwrap();
    let authority = String::from_utf8(output.stdout).unwrap();
    let last = issuers.last().unwrap();
    assert_eq!(authority.trim().trim_start_matches("subject=").trim(), last);
}

/// Small clients ask by address, or by a name of their own: they are shown the one certificate that
/// there is, and decide.
#[test]
fn a_name_that_is_not_ours_is_shown_the_same_certificate() {
    let gateway = Gateway::start(Gateway::prepare(""));
    let shown = |arguments: &[&str]| {
        let (is_good, said) = handshake(&gateway, arguments, "");
        assert!(is_good, "{said}");
        let begin = said.find("-----BEGIN CERTIFICATE").unwrap();
        said[begin..said.find("-----END CERTIFICATE").unwrap()].to_owned()
    };
    let ours = shown(&[]);
    assert_eq!(shown(&["-servername", "example.org"]), ours);
    assert_eq!(shown(&["-noservername"]), ours);
}

/// Whether a second handshake takes up the session of the first.
fn resumes(gateway: &Gateway, version: &str) -> bool {
    let file = gateway.folder.path().join(format!("session{version}"));
    let file = file.to_str().unwrap();
    let place = format!("127.0.0.1:{}", gateway.tls_port());
    let mut first = Command::new("openssl")
        .args(["s_client", "-connect", &place, "-CAfile", &gateway.authority(), version])
        .args(["-sess_out", file])
        .args(SERVER_NAME)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // A ticket may come after the handshake; that there is none shows only after a while.
    let started = Instant::now();
    while !std::fs::metadata(file).is_ok_and(|it| it.len() > 0)
        && started.elapsed() < Duration::from_secs(2)
    {
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(first.stdin.take());
    first.wait_with_output().unwrap();
    if !std::path::Path::new(file).exists() {
        return false;
    }
    let (is_good, said) = handshake(gateway, &[version, "-sess_in", file], "");
    assert!(is_good, "{said}");
    said.contains("Reused, ")
}

/// A session that is resumed is not verified again, and the certificate that began it may have
/// ended or be revoked: so there are none where certificates are asked for. Elsewhere they spare
/// small clients a second of their processor.
#[test]
fn sessions_are_resumed_only_where_no_certificate_is_asked_for() {
    let gateway = Gateway::start(Gateway::prepare(""));
    assert!(resumes(&gateway, "-tls1_2") && resumes(&gateway, "-tls1_3"));
    let folder = Gateway::prepare("");
    let config = folder.path().join("maison.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("\"password\"", "\"certificate-or-password\"")).unwrap();
    let gateway = Gateway::start(folder);
    assert!(!resumes(&gateway, "-tls1_2") && !resumes(&gateway, "-tls1_3"));
}
