use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::*;

/// 2026-11-22: a clock that was set.
const NOW_UNIX_S: i64 = 1_795_305_600;

pub(super) fn now() -> SystemTime {
    instant(NOW_UNIX_S)
}

/// A state folder in memory.
#[derive(Default)]
pub(in crate::net) struct Drawer(RefCell<BTreeMap<String, Vec<u8>>>);

impl Files for Drawer {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.borrow().get(name).cloned())
    }

    fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        self.0.borrow_mut().insert(name.to_owned(), content.to_owned());
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.borrow_mut().remove(name);
        Ok(())
    }

    fn place(&self, name: &str) -> PathBuf {
        PathBuf::from("/state").join(name)
    }
}

impl Drawer {
    fn content(&self, name: &str) -> Vec<u8> {
        self.0.borrow()[name].clone()
    }

    fn put(&self, name: &str, content: &[u8]) {
        self.write(name, content).unwrap();
    }
}

pub(super) fn names() -> Names {
    Names::new("pi", ["192.168.1.4".parse().unwrap(), "fd00::4".parse().unwrap()])
}

/// A drawer after the first start.
fn started() -> Drawer {
    let drawer = Drawer::default();
    start(&drawer, now()).unwrap();
    drawer
}

fn start(drawer: &Drawer, now: SystemTime) -> Result<(), TlsError> {
    Authority::open(drawer, &names(), now)?.server(drawer, &names(), now).map(|_| ())
}

fn certificate<T>(drawer: &Drawer, name: &str, look: impl FnOnce(&X509Certificate<'_>) -> T) -> T {
    let der = CertificateDer::from_pem_slice(&drawer.content(name)).unwrap();
    look(&X509Certificate::from_der(&der).unwrap().1)
}

fn days(certificate: &X509Certificate<'_>) -> i64 {
    let validity = certificate.validity();
    (validity.not_after.timestamp() - validity.not_before.timestamp()) / (24 * 3600)
}

#[test]
fn the_first_start_makes_an_authority_of_ten_years() {
    let drawer = started();
    certificate(&drawer, CA_CERTIFICATE, |ca| {
        assert_eq!(ca.subject().to_string(), "CN=maison CA pi");
        assert!(ca.is_ca());
        let until = instant(ca.validity().not_after.timestamp());
        assert_eq!(until.duration_since(now()).unwrap().as_secs() / (24 * 3600), 3653);
        assert!(ca.key_usage().unwrap().unwrap().value.key_cert_sign());
    });
    assert!(drawer.content(CA_KEY).starts_with(b"-----BEGIN PRIVATE KEY-----"));
}

#[test]
fn the_certificate_says_every_way_to_reach_the_host() {
    let drawer = started();
    certificate(&drawer, SERVER_CERTIFICATE, |server| {
        let facts = facts::names_of(server);
        assert_eq!(facts.lacks(&Names::new("", [])), [""; 0]);
        let all = Names::new("pi", ["192.168.1.4", "fd00::4"].map(|it| it.parse().unwrap()));
        assert_eq!(facts.lacks(&all), [""; 0]);
        let other = Names::new("cave", ["192.168.1.5".parse().unwrap()]);
        assert_eq!(facts.lacks(&other), ["cave", "cave.local", "192.168.1.5"]);
        let usage = server.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.server_auth && !usage.client_auth);
        assert!(!server.is_ca());
    });
}

#[test]
fn the_certificate_lives_no_longer_than_phones_take() {
    let drawer = started();
    certificate(&drawer, SERVER_CERTIFICATE, |server| assert_eq!(days(server), 398));
}

#[test]
fn the_next_start_changes_nothing() {
    let drawer = started();
    let before = drawer.0.borrow().clone();
    start(&drawer, now() + DAY).unwrap();
    assert_eq!(*drawer.0.borrow(), before);
}

/// Whether a start at `later` with `names` makes another certificate; the key stays in any case.
fn renews(drawer: &Drawer, names: &Names, later: SystemTime) -> bool {
    let before = [SERVER_CERTIFICATE, SERVER_KEY].map(|name| drawer.content(name));
    let authority = Authority::open(drawer, names, later).unwrap();
    authority.server(drawer, names, later).unwrap();
    assert_eq!(drawer.content(SERVER_KEY), before[1]);
    drawer.content(SERVER_CERTIFICATE) != before[0]
}

#[test]
fn it_is_made_anew_when_a_third_of_its_time_is_left() {
    let end = now() - BACKDATED + SERVER_LIFETIME;
    assert!(!renews(&started(), &names(), end - DAY * 133));
    assert!(renews(&started(), &names(), end - DAY * 132));
    assert!(renews(&started(), &names(), end + DAY));
}

#[test]
fn it_is_made_anew_when_a_name_or_an_address_is_missing_from_it() {
    let with = |host: &str, addresses: &[&str]| {
        Names::new(host, addresses.iter().map(|text| text.parse().unwrap()))
    };
    assert!(!renews(&started(), &with("pi", &["192.168.1.4"]), now()), "fewer is no reason");
    assert!(renews(&started(), &with("pi", &["192.168.1.5"]), now()));
    assert!(renews(&started(), &with("pi2", &["192.168.1.4"]), now()));
}

#[test]
fn it_is_made_anew_when_it_is_gone_broken_or_of_somebody_else() {
    let broken = started();
    broken.put(SERVER_CERTIFICATE, b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----");
    assert!(renews(&broken, &names(), now()));
    let empty = started();
    empty.put(SERVER_CERTIFICATE, b"");
    assert!(renews(&empty, &names(), now()));
    let foreign = started();
    let other = started();
    foreign.put(SERVER_CERTIFICATE, &other.content(SERVER_CERTIFICATE));
    foreign.put(SERVER_KEY, &other.content(SERVER_KEY));
    assert!(renews(&foreign, &names(), now()), "of another authority of the same name");
    let mixed = started();
    mixed.put(SERVER_KEY, &other.content(SERVER_KEY));
    assert!(renews(&mixed, &names(), now()), "of another key");
}

#[test]
fn no_number_is_used_twice_for_one_key() {
    let drawer = started();
    let number = || certificate(&drawer, SERVER_CERTIFICATE, |made| made.raw_serial_as_string());
    let first = number();
    assert!(renews(&drawer, &names(), now() + DAY * 300));
    assert_ne!(number(), first);
}

/// A Pi without a clock battery makes its certificates in 1970, then hears from NTP.
#[test]
fn certificates_made_before_the_clock_was_set_are_good_before_and_after() {
    let drawer = Drawer::default();
    let unset = SystemTime::UNIX_EPOCH + DAY;
    start(&drawer, unset).unwrap();
    for name in [CA_CERTIFICATE, SERVER_CERTIFICATE] {
        certificate(&drawer, name, |made| {
            assert!(instant(made.validity().not_before.timestamp()) < now(), "{name}");
            assert!(instant(made.validity().not_after.timestamp()) > now() + DAY * 365, "{name}");
        });
    }
    assert!(!renews(&drawer, &names(), unset + DAY), "time is no reason as long as it is unknown");
    assert!(renews(&drawer, &names(), now()), "a long-lived one is replaced once time is known");
    certificate(&drawer, SERVER_CERTIFICATE, |server| assert_eq!(days(server), 398));
    assert!(!renews(&drawer, &names(), unset), "and stays when the clock is lost again");
}

#[test]
fn a_certificate_from_the_future_is_made_anew() {
    let drawer = Drawer::default();
    start(&drawer, now() + DAY * 100).unwrap();
    assert!(renews(&drawer, &names(), now()));
}

#[test]
fn an_authority_that_is_broken_is_named_and_never_written_over() {
    #[track_caller]
    fn check(damage: impl FnOnce(&Drawer), expected: &str) {
        let drawer = started();
        damage(&drawer);
        let before = drawer.0.borrow().clone();
        let message = start(&drawer, now()).unwrap_err().to_string();
        assert_eq!(message.lines().next().unwrap(), expected);
        assert_eq!(*drawer.0.borrow(), before);
    }
    check(
        |drawer| drawer.remove(CA_KEY).unwrap(),
        "no key beside `/state/ca.pem`: `/state/ca.key`",
    );
    check(|drawer| drawer.put(CA_CERTIFICATE, b""), "no certificate in `/state/ca.pem`");
    check(|drawer| drawer.put(CA_CERTIFICATE, b"\xFF"), "not a PEM file: `/state/ca.pem`");
    check(
        |drawer| drawer.put(CA_KEY, b"-----BEGIN PRIVATE KEY-----"),
        "no private key that can be used in `/state/ca.key`",
    );
    check(
        |drawer| drawer.put(CA_KEY, &started().content(CA_KEY)),
        "certificate and key do not belong together: `/state/ca.pem`, `/state/ca.key`",
    );
    check(
        |drawer| drawer.put(CA_CERTIFICATE, &drawer.content(SERVER_CERTIFICATE)),
        "not the certificate of an authority: `/state/ca.pem`",
    );
    check(
        |drawer| drawer.put(SERVER_KEY, b"key"),
        "no private key that can be used in `/state/server.key`",
    );
}

/// The plug may be pulled between the two files.
#[test]
fn a_key_without_its_certificate_is_used() {
    let drawer = started();
    let key = drawer.content(CA_KEY);
    drawer.remove(CA_CERTIFICATE).unwrap();
    start(&drawer, now()).unwrap();
    assert_eq!(drawer.content(CA_KEY), key);
    certificate(&drawer, CA_CERTIFICATE, |ca| assert!(ca.is_ca()));
}

#[test]
fn an_expired_authority_stops_nothing_in_the_house() {
    let drawer = started();
    start(&drawer, now() + CA_LIFETIME + DAY).unwrap();
}
