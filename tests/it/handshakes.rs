//! The TLS listener of the real binary as OpenSSL's client sees it: which versions and ciphers it
//! speaks, whether it begins anew in the middle, and whom its chain names.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::gateway::Gateway;

/// What TLS 1.2 is spoken with: forward secrecy and an authenticated cipher, no more.
const CIPHERS: [&str; 3] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
];

/// What OpenSSL says of a handshake, and whether there was one; `input` is typed after it.
fn handshake(gateway: &Gateway, arguments: &[&str], input: &str) -> (bool, String) {
    let place = format!("127.0.0.1:{}", gateway.tls_port());
    let mut child = Command::new("openssl")
        .args(["s_client", "-connect", &place, "-CAfile", &gateway.authority()])
        .args(["-verify_return_error", "-servername", "localhost"])
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
