use std::sync::Arc;

use super::*;
use crate::access::{Password, Policy, Principal};

const LONG: Duration = Duration::from_secs(24 * 3600);

fn login(address: &str, user: &str, client_id: &str) -> Login {
    Login {
        address: address.parse().unwrap(),
        policy: Policy::Password,
        client_id: client_id.to_owned(),
        user: Some(user.to_owned()),
        password: Some(Password::new(b"x")),
        certificate: None,
    }
}

/// Logins come from addresses and are checked by hand, at a time by hand.
#[derive(Default)]
struct Door {
    brakes: Brakes,
    now: Tick,
    asked: u64,
}

impl Door {
    fn ask(&mut self, address: &str, user: &str) -> ConnectionId {
        self.ask_as(address, user, "client")
    }

    fn ask_as(&mut self, address: &str, user: &str, client_id: &str) -> ConnectionId {
        self.asked += 1;
        let connection = ConnectionId(self.asked);
        self.brakes.ask(self.now, connection, login(address, user, client_id));
        connection
    }

    /// A login that comes alone and is right.
    fn come(&mut self, address: &str, user: &str) {
        let asked = self.ask(address, user);
        let check = self.next().expect("nobody else is there");
        assert_eq!(check.connection, asked);
        self.let_in(check);
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

/// The one with the many comes second, and then in its turn, whoever has asked last.
#[test]
fn strangers_take_turns_address_by_address() {
    let mut door = Door::default();
    for _ in 0..10 {
        door.ask("10.0.0.1", "bob");
    }
    door.ask("10.0.0.2", "alice");
    let mut turns = Vec::new();
    for _ in 0..4 {
        let check = door.next().unwrap();
        turns.push(check.login.address.to_string());
        door.ask("10.0.0.2", "alice");
    }
    assert_eq!(turns, ["10.0.0.2", "10.0.0.1", "10.0.0.2", "10.0.0.1"]);
}

/// A broken device behind the same router does not lock out the rest of the house.
#[test]
fn who_came_by_his_password_before_does_not_wait_for_his_neighbours() {
    let mut door = Door::default();
    door.come("10.0.0.1", "alice");
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
    door.come("10.0.0.1", "alice");
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
    door.come("10.0.0.1", "alice");
    for number in 0..2 * LOGIN_ADDRESSES_MAX {
        door.fail(&format!("2001:db8:{:x}:{:x}::1", number >> 8, number & 0xFF), "alice");
    }
    assert_eq!(door.brakes.addresses.len(), LOGIN_ADDRESSES_MAX);
    door.fail("10.0.0.1", "eve");
    let alice = door.ask("10.0.0.1", "alice");
    assert_eq!(door.next().unwrap().connection, alice);
    for number in 0..2 * LOGIN_CLIENTS_KNOWN {
        door.come("10.0.0.9", &number.to_string());
    }
    let household = "10.0.0.9".parse::<IpAddr>().unwrap();
    assert_eq!(door.brakes.addresses[&household].known.len(), LOGIN_CLIENTS_KNOWN);
    for number in 0..2 * LOGIN_CLIENTS_KNOWN {
        door.ask_as("10.0.0.8", "alice", &number.to_string());
        let check = door.next().unwrap();
        door.let_in(check);
    }
    let household = "10.0.0.8".parse::<IpAddr>().unwrap();
    assert_eq!(door.brakes.addresses[&household].known.len(), LOGIN_CLIENTS_OF_USER_KNOWN);
    door.pass(LONG);
    assert_eq!(door.brakes.suspects_checked, 0);
}

/// An old telephone with the password of before does not lock out the new one beside it.
#[test]
fn guesses_in_the_name_of_a_known_client_do_not_slow_it_unless_they_use_its_identifier() {
    let mut door = Door::default();
    door.ask_as("10.0.0.1", "alice", "phone");
    let check = door.next().unwrap();
    door.let_in(check);
    door.fail("10.0.0.1", "alice");
    for _ in 0..20 {
        door.ask_as("10.0.0.1", "alice", "old phone");
    }
    let phone = door.ask_as("10.0.0.1", "alice", "phone");
    let check = door.next().unwrap();
    assert_eq!(check.connection, phone);
    door.refuse(check);
    door.ask_as("10.0.0.1", "alice", "phone");
    assert!(door.next().is_none(), "it waits like all others now");
}

/// Or each time the telephone comes back, one guess in its user's name would go before strangers.
#[test]
fn who_comes_back_does_not_make_guesses_in_his_name_good_again() {
    let mut door = Door::default();
    door.ask_as("10.0.0.1", "alice", "phone");
    let check = door.next().unwrap();
    door.let_in(check);
    door.fail("10.0.0.1", "alice");
    door.brakes.looked(door.now, login("10.0.0.1", "alice", "phone"));
    door.ask_as("10.0.0.1", "alice", "guess");
    let stranger = door.ask("10.0.0.2", "bob");
    assert_eq!(door.next().unwrap().connection, stranger);
}

#[test]
fn with_a_clean_slate_a_name_is_as_good_as_before() {
    let mut door = Door::default();
    door.come("10.0.0.1", "alice");
    door.fail("10.0.0.1", "alice");
    door.pass(LOGIN_FAILURES_KEPT + Duration::from_secs(1));
    door.come("10.0.0.1", "bob");
    door.ask("10.0.0.1", "carol");
    let tablet = door.ask_as("10.0.0.1", "alice", "tablet");
    assert_eq!(door.next().unwrap().connection, tablet);
}

/// Else guesses would be free: each that is looked at and is wrong has its hash made.
#[test]
fn one_login_of_an_address_is_looked_at_before_its_hash_and_none_of_a_suspect() {
    let mut door = Door::default();
    let guess = login("10.0.0.1", "bob", "client");
    assert!(door.brakes.may_look(&guess), "nobody has come from there");
    door.ask("10.0.0.1", "bob");
    assert!(!door.brakes.may_look(&guess), "one waits");
    let check = door.next().unwrap();
    assert!(!door.brakes.may_look(&guess), "one is checked");
    door.refuse(check);
    assert!(!door.brakes.may_look(&guess), "it is a suspect");
    door.pass(LONG);
    assert!(door.brakes.may_look(&login("10.0.0.2", "bob", "client")));

    door.come("10.0.0.3", "alice");
    door.fail("10.0.0.3", "device");
    let alice = login("10.0.0.3", "alice", "client");
    assert!(door.brakes.may_look(&alice), "a suspect, but not she");
    door.ask("10.0.0.3", "alice");
    assert!(!door.brakes.may_look(&alice), "one waits");
    let check = door.next().unwrap();
    assert!(!door.brakes.may_look(&alice), "one is checked");
    door.refuse(check);
    assert!(!door.brakes.may_look(&alice), "somebody guesses in her name");
}

#[test]
fn who_was_let_in_at_a_look_is_known_there() {
    let mut door = Door::default();
    door.brakes.looked(door.now, login("10.0.0.1", "alice", "client"));
    door.fail("10.0.0.1", "device");
    let alice = door.ask("10.0.0.1", "alice");
    assert_eq!(door.next().unwrap().connection, alice);
}

/// 200 who guess over and over, each again as soon as he is answered, on both threads; how many
/// hashes are begun between an innocent's login and his own.
fn besieged(guesser: impl Fn(usize) -> String, innocent: (&str, &str), known: bool) -> usize {
    const HASH: Duration = Duration::from_millis(30);
    let mut door = Door::default();
    if known {
        door.come(innocent.0, innocent.1);
    }
    let mut guessers: HashMap<ConnectionId, usize> =
        (0..200).map(|number| (door.ask(&guesser(number), "bob"), number)).collect();
    let mut in_hand: VecDeque<Check> = VecDeque::new();
    let (mut asked, mut between) = (None, 0);
    for step in 0..3000 {
        while in_hand.len() < PASSWORD_CHECKS_MAX {
            let Some(check) = door.next() else { break };
            if Some(check.connection) == asked {
                return between;
            }
            between += usize::from(asked.is_some());
            in_hand.push_back(check);
        }
        if step == 1500 {
            asked = Some(door.ask(innocent.0, innocent.1));
        }
        door.pass(HASH / 2);
        let mut answered = Vec::new();
        if let Some(check) = in_hand.pop_front() {
            answered.push(check.connection);
            door.refuse(check);
        }
        answered.extend(door.brakes.refused());
        for connection in answered {
            assert_ne!(Some(connection), asked, "the innocent is not refused");
            let Some(number) = guessers.remove(&connection) else { continue };
            guessers.insert(door.ask(&guesser(number), "bob"), number);
        }
    }
    panic!("the innocent is never served");
}

#[test]
fn no_hash_of_a_guess_is_begun_before_that_of_an_innocent() {
    let one = |_| "10.0.0.1".to_owned();
    let many = |number| format!("10.0.0.{number}");
    let stranger = ("10.0.9.1", "carol");
    assert_eq!(besieged(one, stranger, false), 0, "from one address");
    assert_eq!(besieged(many, stranger, false), 0, "from many");
    assert_eq!(besieged(one, ("10.0.0.1", "alice"), true), 0, "behind the same router");
    assert_eq!(besieged(many, ("10.0.0.7", "alice"), true), 0, "behind the router of one");
}

/// Those of his own hour: who came before has waited for longer.
#[test]
fn a_stranger_waits_for_strangers_that_come_after_and_none_that_came_before() {
    let mut door = Door::default();
    for number in 0..200 {
        door.ask(&format!("10.0.0.{number}"), "bob");
    }
    let innocent = door.ask("10.0.9.1", "carol");
    let late = door.ask("10.0.9.2", "dave");
    assert_eq!(door.next().unwrap().connection, late);
    assert_eq!(door.next().unwrap().connection, innocent);
}

/// All the house comes back after a power cut; strangers do not cut in.
#[test]
fn an_address_that_somebody_came_from_is_before_strangers() {
    let mut door = Door::default();
    door.come("10.0.0.1", "alice");
    let house: Vec<_> =
        ["carol", "dave"].into_iter().map(|name| door.ask("10.0.0.1", name)).collect();
    for number in 0..50 {
        door.ask(&format!("10.0.9.{number}"), "bob");
    }
    let turns = [door.next().unwrap().connection, door.next().unwrap().connection];
    assert_eq!(turns[..], house[..]);
}
