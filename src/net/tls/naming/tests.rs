use std::net::IpAddr;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};

use super::*;
use crate::access::{HashMemory, Issued, Login, Policy, Refusal, User, UserName, Users};

/// DER of a certificate that `fill` fills.
fn der(fill: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    fill(&mut parameters);
    parameters.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

fn called(name: &str) -> Vec<u8> {
    der(|parameters| parameters.distinguished_name.push(DnType::CommonName, name))
}

/// The same certificate with these bytes in the place of as many `Z`.
fn with_bytes(bytes: &[u8]) -> Vec<u8> {
    let letters = vec![b'Z'; bytes.len()];
    let mut der = called(std::str::from_utf8(&letters).unwrap());
    let at: Vec<_> = der
        .windows(letters.len())
        .enumerate()
        .filter_map(|(at, window)| (window == letters).then_some(at))
        .collect();
    assert!(!at.is_empty());
    for at in at {
        der[at..at + bytes.len()].copy_from_slice(bytes);
    }
    der
}

fn name(der: &[u8]) -> Option<String> {
    read_verified(&[der], Issuer::Administrator).map(|read| read.name)
}

/// What a house says in which everybody is known whose name is one.
fn answer(der: &[u8]) -> Result<String, Refusal> {
    let mut users = Users::default();
    for name in ["alice", "a", "maison", "eve"] {
        let certificates =
            vec![Issued { serial: "00".to_owned(), expires: u64::MAX, authority: None }];
        let user = User { certificates, ..User::default() };
        *users.entry(UserName::parse(name).unwrap()) = user;
    }
    let login = Login {
        address: IpAddr::from([192, 0, 2, 1]),
        policy: Policy::Certificate,
        user: None,
        client_id: String::new(),
        password: None,
        certificate: read_verified(&[der], Issuer::Administrator),
    };
    let verdict = users.check(&login, &mut HashMemory::default());
    verdict.map(|principal| principal.name().to_owned())
}

#[test]
fn a_name_that_is_no_users_lets_nobody_in_whatever_is_in_it() {
    #[track_caller]
    fn check(der: &[u8], expected: Refusal) {
        assert_eq!(answer(der), Err(expected));
    }
    assert_eq!(answer(&called("alice")), Ok("alice".to_owned()));
    for hostile in [
        "+",
        "#",
        "/",
        "%u",
        "%c",
        "alice/#",
        "+/alice",
        "alice\0",
        "alice\0.example.org",
        "*",
        " alice",
        "alice ",
        "alice\n",
        "ALICE",
        "аlice",
        "alice:eve",
        "..",
        "$SYS",
    ] {
        check(&called(hostile), Refusal::UnknownCertificate);
    }
    check(&with_bytes(b"\xFF\xFEice"), Refusal::NoCertificate);
    check(&with_bytes(b"alice\xC3\x28"), Refusal::NoCertificate);
    check(&called(""), Refusal::NoCertificate);
}

#[test]
fn a_name_of_64_kib_is_cut_and_is_no_users() {
    let long = called(&"alice".repeat(13_108));
    assert_eq!(name(&long).unwrap().len(), USER_NAME_CHARS_MAX + 1);
    assert_eq!(answer(&long), Err(Refusal::UnknownCertificate));
}

/// Who signed it might have looked at the other.
#[test]
fn a_certificate_of_two_common_names_names_nobody() {
    let two = |first: &str, second: &str| {
        der(|parameters| {
            parameters.distinguished_name.push(DnType::CommonName, first);
            parameters.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 3]), second);
        })
    };
    assert_eq!(name(&two("alice", "eve")), None);
    assert_eq!(name(&two("", "eve")), None);
}

/// A common name that cannot be read is no reason to look for another name.
#[test]
fn other_names_count_only_where_there_is_no_common_name() {
    let other = |common: Option<&str>| {
        der(|parameters| {
            if let Some(common) = common {
                parameters.distinguished_name.push(DnType::CommonName, common);
            }
            parameters.subject_alt_names = vec![SanType::DnsName("alice".try_into().unwrap())];
        })
    };
    assert_eq!(name(&other(None)).unwrap(), "alice");
    assert_eq!(name(&other(Some(""))).unwrap(), "alice");
    assert_eq!(name(&other(Some("eve"))).unwrap(), "eve");
    let mut unreadable = other(Some("ZZZZ"));
    let at = unreadable.windows(4).rposition(|window| window == b"ZZZZ").unwrap();
    unreadable[at] = 0xFF;
    assert_eq!(name(&unreadable), None);
}

#[test]
fn what_is_no_certificate_names_nobody() {
    let whole = called("alice");
    for length in 0..whole.len() {
        assert_eq!(name(&whole[..length]), None, "{length} bytes of {}", whole.len());
    }
    assert_eq!(read_verified(&[], Issuer::Own), None);
}
