//! Certificates of any bytes, and whom a house takes their holders for.

use std::net::IpAddr;

use maison::access::{
    Certificate, HashMemory, Issued, Issuer, Login, Policy, Principal, User, UserName, Users,
};
use maison::net::tls::read_verified;

/// Longest name of a user, and one letter more.
const NAME_CHARS_MAX: usize = 65;
const LISTED: &str = "01ab";

/// DER of a certificate: as the handshake would have verified it, by either authority.
pub fn certificates(bytes: &[u8]) {
    for issuer in [Issuer::Own, Issuer::Administrator] {
        let Some(read) = read_verified(&[bytes, bytes], issuer) else { continue };
        check(bytes, &read);
        let verdict = house().check(&login(read.clone()), &mut HashMemory::default());
        let Ok(Principal::User(user)) = verdict else { continue };
        assert_eq!(*user, *read.name, "nobody comes under another name");
        assert!(UserName::parse(&user).is_ok(), "{user:?}");
        let letters = bytes.windows(user.len()).any(|window| window == user.as_bytes());
        assert!(letters, "the certificate does say {user:?}");
        assert!(issuer == Issuer::Administrator || read.serial == LISTED, "{read:?}");
    }
}

fn check(bytes: &[u8], read: &Certificate) {
    assert!(!read.name.is_empty() && read.name.chars().count() <= NAME_CHARS_MAX);
    let is_digit = |letter: char| matches!(letter, '0'..='9' | 'a'..='f');
    assert!(read.serial.chars().all(is_digit), "{:?}", read.serial);
    assert!(read.chain.iter().all(|der| der == bytes) && read.chain.len() == 2);
}

/// In which short names are known, so that inputs find them.
fn house() -> Users {
    let mut users = Users::default();
    for name in ["a", "alice", "bob@example.org", "probe-1"] {
        let name = UserName::parse(name).expect("it is a name");
        let certificates =
            vec![Issued { serial: LISTED.to_owned(), expires: u64::MAX, authority: None }];
        *users.entry(name) = User { certificates, ..User::default() };
    }
    users
}

fn login(certificate: Certificate) -> Login {
    Login {
        address: IpAddr::from([192, 0, 2, 1]),
        policy: Policy::Certificate,
        user: None,
        client_id: String::new(),
        password: None,
        certificate: Some(certificate),
    }
}
