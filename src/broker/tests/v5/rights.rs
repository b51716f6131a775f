//! Rights that change while clients are there: what they carried ends, and nothing else does.

use std::sync::Arc;
use std::time::Duration;

use super::super::super::{Event, Input};
use super::super::house::{certificate, will};
use super::*;
use crate::access::{Revoked, Rights, Scope, UserName, Users};
use crate::mqtt::{Connect, Credentials, QoS};

/// A house whose users are scoped to these rooms.
fn people(scopes: &[(&str, &[&str])]) -> Rights {
    let mut users = Users::default();
    for (name, rooms) in scopes {
        let rooms = rooms.iter().map(|&room| room.to_owned()).collect();
        let scope = Scope { rooms, ..Scope::default() };
        users.entry(UserName::parse(name).unwrap()).scope = Some(scope);
    }
    Rights::new("maison").for_users(Arc::new(users))
}

fn house(scopes: &[(&str, &[&str])]) -> House {
    House::with(|settings| settings.rights = people(scopes))
}

fn by_password(user: &str, connect: Connect) -> Connect {
    let credentials = Credentials { user: Some(user.into()), password: Some("secret".into()) };
    Connect { credentials, ..connect }
}

fn change(house: &mut House, scopes: &[(&str, &[&str])], revoked: Revoked) {
    house.tell(Input::Rights { rights: people(scopes), revoked });
}

fn says(house: &mut House, room: &str, value: &str) {
    let topic = format!("maison/{room}/temperature");
    house.reading(message(&topic, value), QoS::AtLeastOnce, true);
}

#[track_caller]
fn is_sent_away(house: &mut House, client: house::Client) {
    let why = "this user, password or certificate counts no more".to_owned();
    assert_eq!(sent_away(house, client), (ReasonCode::NotAuthorized, why));
}

#[test]
fn a_subscriber_is_sent_its_rooms_and_told_why_not_the_others() {
    let mut house = house(&[("alice", &["salon"])]);
    let (alice, _) = house.connect_as(by_password("alice", v5("phone")));
    house.subscribe(alice, "maison/+/temperature", QoS::AtLeastOnce);
    says(&mut house, "cave", "10.0");
    says(&mut house, "salon", "21.4");
    house.hears(alice, "maison/salon/temperature=21.4 q1");
    house.send_subscribe(alice, "maison/cave/#", QoS::AtLeastOnce);
    let Packet::SubAck(answer) = house.read(alice) else { panic!("no SUBACK") };
    assert_eq!(answer.reasons, [ReasonCode::NotAuthorized]);
    let sentence =
        "`alice` may read `maison/salon/#`, `maison/_gateway/state`; not `maison/cave/#`";
    assert_eq!(answer.properties.unwrap().reason_string.as_deref(), Some(sentence));
    let told = house.events.iter().find_map(|event| match event {
        Event::Denied { reason, .. } => Some(reason.to_string()),
        _ => None,
    });
    assert_eq!(told.as_deref(), Some(sentence), "the same sentence is in the log");
    house.is_at_rest();
}

#[test]
fn a_right_that_is_taken_away_ends_what_stands_on_it() {
    let mut house = house(&[("alice", &["salon", "cave"])]);
    let (alice, _) = house.connect_as(by_password("alice", v5("phone")));
    house.subscribe(alice, "maison/salon/#", QoS::AtLeastOnce);
    house.subscribe(alice, "maison/#", QoS::AtLeastOnce);
    change(&mut house, &[("alice", &["cave"])], Revoked::default());
    says(&mut house, "salon", "21.4");
    says(&mut house, "cave", "10.0");
    house.hears(alice, "maison/cave/temperature=10.0 q1");
    assert_eq!(house.broker.statistics().subscriptions, 1, "the one that can bring something");
    change(&mut house, &[("alice", &["cave", "salon"])], Revoked::default());
    says(&mut house, "salon", "21.5");
    house.hears(alice, "maison/salon/temperature=21.5 q1");
    house.is_at_rest();
}

/// What waited is looked at when it is sent.
#[test]
fn what_waited_for_an_absent_client_is_sent_by_the_rights_of_its_return() {
    let mut house = house(&[("alice", &["salon", "cave"])]);
    let (alice, _) = house.connect_as(by_password("alice", v5_lasting("phone")));
    house.subscribe(alice, "maison/#", QoS::AtLeastOnce);
    house.cut(alice);
    says(&mut house, "salon", "21.4");
    says(&mut house, "cave", "10.0");
    change(&mut house, &[("alice", &["cave"])], Revoked::default());
    let (alice, _) = house.connect_as(by_password("alice", v5_lasting("phone")));
    house.hears(alice, "maison/cave/temperature=10.0 q1");
    house.is_at_rest();
}

#[test]
fn a_user_that_is_no_more_goes_at_once_with_its_session_and_without_a_word() {
    let scopes: [(&str, &[&str]); 2] = [("alice", &["salon"]), ("carol", &["salon"])];
    let mut house = house(&scopes);
    let (carol, _) = house.connect_as(by_password("carol", v5("tablet")));
    house.subscribe(carol, "maison/#", QoS::AtLeastOnce);
    let will = Some(will("maison/salon/will", "gone", QoS::AtLeastOnce));
    let connect = by_password("alice", v5_lasting("phone"));
    let (refused, answer) = house.try_connect(Connect { will, ..connect.clone() });
    assert_eq!(answer.reason, ReasonCode::NotAuthorized, "it may not publish its will");
    assert!(house.is_closed(refused));
    let (alice, _) = house.connect_as(connect.clone());
    house.subscribe(alice, "maison/#", QoS::AtLeastOnce);
    let (away, _) = house.connect_as(by_password("alice", v5_lasting("old phone")));
    house.cut(away);
    let users = vec!["alice".to_owned()];
    change(&mut house, &scopes[1..], Revoked { users, ..Revoked::default() });
    is_sent_away(&mut house, alice);
    assert_eq!(house.broker.statistics().sessions, 1, "carol's");
    says(&mut house, "salon", "21.4");
    house.hears(carol, "maison/salon/temperature=21.4 q1");
    house.is_at_rest();
}

#[test]
fn a_new_password_sends_away_who_came_by_the_old_one_and_keeps_its_session() {
    let mut house = house(&[("alice", &["salon"])]);
    let (alice, _) = house.connect_as(by_password("alice", v5_lasting("phone")));
    house.subscribe(alice, "maison/#", QoS::AtLeastOnce);
    let other = house.open_with(|peer| peer.certificate = Some(certificate("alice")));
    house.send(other, Packet::Connect(Box::new(v5("tablet"))));
    assert!(matches!(house.read(other), Packet::ConnAck(_)));
    let passwords = vec!["alice".to_owned()];
    change(&mut house, &[("alice", &["salon"])], Revoked { passwords, ..Revoked::default() });
    is_sent_away(&mut house, alice);
    assert!(!house.is_closed(other), "it came by its certificate");
    says(&mut house, "salon", "21.4");
    let (alice, _) = house.connect_as(by_password("alice", v5_lasting("phone")));
    house.hears(alice, "maison/salon/temperature=21.4 q1");
    house.pass(Duration::from_secs(1));
    house.is_at_rest();
}

#[test]
fn a_revoked_certificate_sends_away_who_came_by_it() {
    let mut house = house(&[("alice", &["salon"])]);
    let (by_other, _) = house.connect_as(by_password("alice", v5("phone")));
    let alice = house.open_with(|peer| peer.certificate = Some(certificate("alice")));
    house.send(alice, Packet::Connect(Box::new(v5("tablet"))));
    assert!(matches!(house.read(alice), Packet::ConnAck(_)));
    let certificates = vec!["of-alice".to_owned()];
    change(&mut house, &[("alice", &["salon"])], Revoked { certificates, ..Revoked::default() });
    is_sent_away(&mut house, alice);
    assert!(!house.is_closed(by_other));
    house.is_at_rest();
}
