use std::cell::Cell;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::{RootCertStore, crypto};

use super::super::tests::{Drawer, names, now};
use super::*;
use crate::net::authority::DAY;

/// A drawer whose plug is pulled at the next change but so many.
struct Pulled<'a> {
    drawer: &'a Drawer,
    left: Cell<usize>,
}

impl Pulled<'_> {
    fn change(&self, change: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let left = self.left.get().checked_sub(1).ok_or(io::ErrorKind::Interrupted)?;
        self.left.set(left);
        change()
    }
}

impl Files for Pulled<'_> {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        self.drawer.read(name)
    }

    fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        self.change(|| self.drawer.write(name, content))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.change(|| self.drawer.remove(name))
    }

    fn place(&self, name: &str) -> PathBuf {
        self.drawer.place(name)
    }
}

fn open(drawer: &Drawer, now: SystemTime) -> Authority {
    Authority::open(drawer, &names(), now).unwrap()
}

/// Whether a client that trusts the authority in `pem` alone finds the host's chain good.
fn believes(pem: &[u8], authority: &Authority, drawer: &Drawer, now: SystemTime) -> bool {
    let own = authority.server(drawer, &names(), now).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem).unwrap()).unwrap();
    let provider = Arc::new(crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    let (host, behind) = own.chain().split_first().unwrap();
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let name = ServerName::try_from("pi").unwrap();
    let time = UnixTime::since_unix_epoch(since);
    verifier.unwrap().verify_server_cert(host, behind, &name, &[], time).is_ok()
}

/// A drawer with an authority and the certificate of the host, and the authority's PEM.
fn started() -> (Drawer, Vec<u8>) {
    let drawer = Drawer::default();
    let authority = open(&drawer, now());
    authority.server(&drawer, &names(), now()).unwrap();
    let pem = authority.pem().to_vec();
    (drawer, pem)
}

#[test]
fn while_both_count_clients_of_either_believe_the_host_and_are_let_in() {
    let (drawer, old) = started();
    let before = open(&drawer, now());
    let both = before.rotate(&drawer, &names(), now(), DAY * 90).unwrap();
    assert_ne!(both.pem(), old);
    assert_eq!(both.trusted().len(), 2);
    let (replaced, until) = both.replaced().unwrap().unwrap();
    assert_eq!(replaced, before.facts().unwrap());
    assert_eq!(instant(until.try_into().unwrap()), now() + DAY * 90);
    // Until after the last time that the certificate of the host is made anew.
    for day in [0, 1, 45, 89] {
        let later = now() + DAY * day;
        let both = open(&drawer, later);
        assert!(believes(&old, &both, &drawer, later), "day {day}");
        assert!(believes(both.pem(), &both, &drawer, later), "day {day}");
    }
    let facts = both.facts().unwrap();
    assert_ne!(facts.subject, replaced.subject, "nobody takes one for the other");
}

#[test]
fn at_the_end_the_old_one_is_forgotten_and_its_key_with_it() {
    let (drawer, old) = started();
    open(&drawer, now()).rotate(&drawer, &names(), now(), DAY * 90).unwrap();
    let end = now() + DAY * 90;
    assert_eq!(open(&drawer, end - DAY).trusted().len(), 2);
    let alone = open(&drawer, end);
    assert_eq!(alone.trusted().len(), 1);
    assert!(!believes(&old, &alone, &drawer, end));
    assert!(believes(alone.pem(), &alone, &drawer, end));
    for name in [OLD_KEY, OLD_CERTIFICATE, CROSS_CERTIFICATE] {
        assert_eq!(drawer.read(name).unwrap(), None, "{name}");
    }
}

/// The hour between the end and the look at the clock.
#[test]
fn who_looks_late_at_the_clock_still_shows_a_good_chain() {
    let (drawer, old) = started();
    let both = open(&drawer, now()).rotate(&drawer, &names(), now(), DAY * 90).unwrap();
    let late = now() + DAY * 91;
    assert!(believes(&old, &both, &drawer, late) && believes(both.pem(), &both, &drawer, late));
}

#[test]
fn a_clock_that_is_not_set_ends_nothing_and_begins_nothing() {
    let (drawer, _) = started();
    let unset = SystemTime::UNIX_EPOCH + DAY;
    let error = open(&drawer, unset).rotate(&drawer, &names(), unset, DAY).err().unwrap();
    assert!(error.to_string().starts_with("the clock has not been set"), "{error}");
    open(&drawer, now()).rotate(&drawer, &names(), now(), DAY).unwrap();
    assert_eq!(open(&drawer, unset).trusted().len(), 2);
}

#[test]
fn one_is_replaced_at_a_time_and_ended_once() {
    let (drawer, old) = started();
    let mut both = open(&drawer, now()).rotate(&drawer, &names(), now(), DAY).unwrap();
    let again = both.rotate(&drawer, &names(), now(), DAY).err().unwrap().to_string();
    assert!(again.starts_with("the authority is being replaced already, until 2026-"), "{again}");
    both.finish_rotation(&drawer).unwrap();
    assert!(!believes(&old, &both, &drawer, now()));
    let twice = both.finish_rotation(&drawer).unwrap_err().to_string();
    assert_eq!(twice, "no authority is being replaced");
    // And the new one can be replaced like the first.
    let first = both.pem().to_vec();
    let third = both.rotate(&drawer, &names(), now() + DAY, DAY).unwrap();
    assert!(believes(&first, &third, &drawer, now() + DAY));
    assert!(believes(third.pem(), &third, &drawer, now() + DAY));
}

#[test]
fn without_an_overlap_the_old_one_is_out_at_once() {
    let (drawer, old) = started();
    let alone = open(&drawer, now()).rotate(&drawer, &names(), now(), Duration::ZERO).unwrap();
    assert_eq!((alone.trusted().len(), alone.replaced().unwrap()), (1, None));
    assert!(!believes(&old, &alone, &drawer, now()));
}

#[test]
fn a_plug_that_is_pulled_leaves_the_old_one_or_both() {
    for overlap in [DAY * 90, Duration::ZERO] {
        let mut outcomes = Vec::new();
        for changes in 0..12 {
            let (drawer, old) = started();
            let pulled = Pulled { drawer: &drawer, left: Cell::new(changes) };
            let is_done = open(&drawer, now()).rotate(&pulled, &names(), now(), overlap).is_ok();
            let after = open(&drawer, now());
            let is_new = after.pem() != old;
            assert!(is_new || !is_done, "{changes}");
            assert_eq!(
                believes(&old, &after, &drawer, now()),
                after.trusted().len() == 2 || !is_new
            );
            assert!(believes(after.pem(), &after, &drawer, now()), "{changes}");
            outcomes.push((is_new, is_done));
        }
        assert!(outcomes.is_sorted() && outcomes[0] == (false, false), "{outcomes:?}");
        assert_eq!(outcomes[11], (true, true));
    }
}
