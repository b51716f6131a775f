use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::access::{Policy, Principal};

const LONG: Duration = Duration::from_secs(24 * 3600);

/// Logins come from addresses and are checked by hand, at a time by hand.
#[derive(Default)]
struct Door {
    brakes: Brakes,
    now: Tick,
    asked: u64,
}

impl Door {
    fn ask(&mut self, address: &str, user: &str) -> ConnectionId {
        self.asked += 1;
        let login = Login {
            address: address.parse().unwrap(),
            policy: Policy::Password,
            user: Some(user.to_owned()),
            password: Some(Bytes::from_static(b"x")),
            certificate: None,
        };
        self.brakes.ask(self.now, ConnectionId(self.asked), login);
        ConnectionId(self.asked)
    }

    fn next(&mut self) -> Option<Check> {
        self.brakes.next(self.now)
    }

    fn let_in(&mut self, check: Check) {
        let user = Principal::User(Arc::from(check.login.user.unwrap()));
        self.brakes.answered(self.now, check.turn, &Ok(user));
    }

    fn refuse(&mut self, check: Check) {
        self.brakes.answered(self.now, check.turn, &Err(Refusal::BadPassword));
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.after(time);
    }

    /// A login that comes alone and is wrong.
    fn fail(&mut self, address: &str, user: &str) {
        self.ask(address, user);
        self.pass(LOGIN_DELAY_MAX);
        let check = self.next().expect("its time has come");
        self.refuse(check);
    }
}

#[test]
fn each_wrong_password_doubles_the_wait_up_to_a_bound() {
    let mut door = Door::default();
    door.ask("10.0.0.1", "bob");
    let mut expected = LOGIN_DELAY_MIN;
    for _ in 0..12 {
        let check = door.next().expect("it has waited long enough");
        door.refuse(check);
        door.ask("10.0.0.1", "bob");
        assert_eq!(door.brakes.deadline(), Some(door.now.after(expected)));
        door.pass(expected.checked_sub(Duration::from_micros(1)).unwrap());
        assert!(door.next().is_none(), "a moment too early");
        door.pass(Duration::from_micros(1));
        expected = (expected * 2).min(LOGIN_DELAY_MAX);
    }
    assert_eq!(expected, LOGIN_DELAY_MAX);
}

#[test]
fn a_suspect_has_few_logins_waiting_and_the_rest_is_refused_unchecked() {
    let mut door = Door::default();
    let asked: Vec<_> = (0..200).map(|_| door.ask("10.0.0.1", "bob")).collect();
    assert_eq!(door.brakes.refused(), []);
    let first = door.next().unwrap();
    door.refuse(first);
    assert_eq!(door.brakes.refused(), asked[1 + LOGINS_OF_SUSPECT_MAX..]);
    let late = door.ask("10.0.0.1", "alice");
    assert_eq!(door.brakes.refused(), [late]);
    assert_eq!(door.brakes.refused(), []);
}

#[test]
fn a_flood_of_one_address_makes_others_wait_for_one_check_at_most() {
    let mut door = Door::default();
    for _ in 0..200 {
        door.ask("10.0.0.1", "bob");
    }
    let (one, two) = (door.next().unwrap(), door.next().unwrap());
    let innocent = door.ask("10.0.0.2", "alice");
    door.refuse(one);
    assert_eq!(door.next().unwrap().connection, innocent);
    door.refuse(two);
}

#[test]
fn one_thread_is_never_for_suspects() {
    let mut door = Door::default();
    for number in 0..50 {
        door.fail(&format!("10.0.0.{number}"), "bob");
    }
    door.pass(LOGIN_DELAY_MAX);
    for number in 0..50 {
        door.ask(&format!("10.0.0.{number}"), "bob");
    }
    let one = door.next().unwrap();
    assert!(door.next().is_none(), "the other thread is left");
    let innocent = door.ask("10.0.1.1", "alice");
    assert_eq!(door.next().unwrap().connection, innocent);
    door.refuse(one);
    assert!(door.next().is_some());
}

#[test]
fn strangers_take_turns_address_by_address() {
    let mut door = Door::default();
    for _ in 0..10 {
        door.ask("10.0.0.1", "bob");
    }
    door.ask("10.0.0.2", "alice");
    let addresses = [door.next(), door.next()].map(|check| check.unwrap().login.address);
    let mut addresses = addresses.map(|address| address.to_string());
    addresses.sort();
    assert_eq!(addresses, ["10.0.0.1", "10.0.0.2"]);
}

/// A broken device behind the same router does not lock out the rest of the house.
#[test]
fn who_came_by_his_password_before_does_not_wait_for_his_neighbours() {
    let mut door = Door::default();
    door.ask("10.0.0.1", "alice");
    let check = door.next().unwrap();
    door.let_in(check);
    for _ in 0..10 {
        door.fail("10.0.0.1", "device");
    }
    for _ in 0..20 {
        door.ask("10.0.0.1", "device");
    }
    let alice = door.ask("10.0.0.1", "alice");
    assert_eq!(door.next().unwrap().connection, alice);
}

#[test]
fn guessing_a_known_name_takes_its_trust_away() {
    let mut door = Door::default();
    door.ask("10.0.0.1", "alice");
    let check = door.next().unwrap();
    door.let_in(check);
    for _ in 0..100 {
        door.ask("10.0.0.1", "alice");
    }
    let guess = door.next().unwrap();
    door.refuse(guess);
    assert!(door.next().is_none(), "the next guess has to wait");
    assert_eq!(door.brakes.refused().len(), 99 - LOGINS_OF_SUSPECT_MAX);
}

#[test]
fn an_ipv6_host_is_one_whatever_addresses_it_takes_and_ipv4_the_same_by_either_way() {
    #[track_caller]
    fn check(one: &str, other: &str, is_same: bool) {
        let mut door = Door::default();
        door.fail(one, "bob");
        door.ask(other, "bob");
        assert_eq!(door.next().is_none(), is_same, "{one} and {other}");
    }
    check("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true);
    check("2001:db8:0:1::1", "2001:db8:0:2::1", false);
    check("10.0.0.1", "::ffff:10.0.0.1", true);
    check("10.0.0.1", "10.0.0.2", false);
}

#[test]
fn failures_of_long_ago_are_forgotten() {
    let mut door = Door::default();
    for _ in 0..10 {
        door.fail("10.0.0.1", "bob");
    }
    door.pass(LOGIN_FAILURES_KEPT + Duration::from_secs(1));
    door.ask("10.0.0.1", "bob");
    let check = door.next().unwrap();
    door.refuse(check);
    door.ask("10.0.0.1", "bob");
    assert_eq!(door.brakes.deadline(), Some(door.now.after(LOGIN_DELAY_MIN)));
}

#[test]
fn what_is_known_of_addresses_is_bounded_and_the_good_ones_stay() {
    let mut door = Door::default();
    door.ask("10.0.0.1", "alice");
    let check = door.next().unwrap();
    door.let_in(check);
    for number in 0..2 * LOGIN_ADDRESSES_MAX {
        door.fail(&format!("2001:db8:{:x}:{:x}::1", number >> 8, number & 0xFF), "alice");
    }
    assert_eq!(door.brakes.addresses.len(), LOGIN_ADDRESSES_MAX);
    door.fail("10.0.0.1", "eve");
    let alice = door.ask("10.0.0.1", "alice");
    assert_eq!(door.next().unwrap().connection, alice);
    for number in 0..2 * LOGIN_NAMES_KNOWN {
        door.ask("10.0.0.9", &number.to_string());
        let check = door.next().unwrap();
        door.let_in(check);
    }
    let household = "10.0.0.9".parse::<IpAddr>().unwrap();
    assert_eq!(door.brakes.addresses[&household].known.len(), LOGIN_NAMES_KNOWN);
    door.pass(LONG);
    assert_eq!(door.brakes.suspects_checked, 0);
}
