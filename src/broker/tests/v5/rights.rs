//! Rights that change while clients are there: what they carried ends, and nothing else does.

use std::sync::Arc;
use std::time::Duration;

use super::super::super::{Event, Input};
use super::super::house::{certificate, will};
use super::*;
use crate::access::{Policy, Revoked, Rights, Scope, UserName, Users};
use crate::mqtt::{Connect, Credentials, Publish, QoS};

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

/// A house with a device that publishes to its room.
fn with_device() -> House {
    House::with(|settings| settings.rights = device(true))
}

/// Rights of a device with a room that it may write to, or not any more.
fn device(write: bool) -> Rights {
    let mut users = Users::default();
    let scope = Scope { rooms: vec!["garage".to_owned()], write, ..Scope::default() };
    users.entry(UserName::parse("probe").unwrap()).scope = Some(scope);
    let everything = Scope { rooms: vec!["*".to_owned()], ..Scope::default() };
    users.entry(UserName::parse("alice").unwrap()).scope = Some(everything);
    Rights::new("maison").for_users(Arc::new(users))
}

fn takes_the_right_away(house: &mut House) {
    house.tell(Input::Rights { rights: device(false), revoked: Revoked::default() });
}

/// What a QoS 2 message says is said when it arrives: nothing is left for its release to let
/// through, whatever the rights are then ([MQTT-4.3.3-10]).
#[test]
fn a_right_taken_away_between_publish_and_release_lets_nothing_more_through() {
    let mut house = with_device();
    let (alice, _) = house.connect_as(by_password("alice", v5("phone")));
    house.subscribe(alice, "maison/garage/#", QoS::AtLeastOnce);
    let (probe, _) = house.connect_as(by_password("probe", v5_lasting("probe")));
    let says = |value| publish("maison/garage/temperature", value, QoS::ExactlyOnce);
    house.send(probe, Packet::Publish(says("7.5")));
    assert_eq!(house.read(probe), Packet::PubRec(success(id(7))));
    house.hears(alice, "maison/garage/temperature=7.5 q1");
    takes_the_right_away(&mut house);

    house.send(probe, Packet::Publish(Publish { dup: true, ..says("7.5") }));
    assert_eq!(house.read(probe), Packet::PubRec(success(id(7))), "it is known already");
    house.cut(probe);
    let (probe, _) = house.connect_as(by_password("probe", v5_lasting("probe")));
    house.send(probe, Packet::PubRel(success(id(7))));
    assert_eq!(house.read(probe), Packet::PubComp(success(id(7))));
    house.send(probe, Packet::Publish(says("8.5")));
    let Packet::PubRec(answer) = house.read(probe) else { panic!("no PUBREC") };
    assert_eq!(answer.reason, ReasonCode::NotAuthorized);
    house.reads_nothing(alice);
    house.is_at_rest();
}

/// The first says that it may be so, the others that nothing of it is left.
#[test]
fn what_a_device_may_not_say_any_more_it_does_not_say_by_its_will_either() {
    let mut house = with_device();
    let (alice, _) = house.connect_as(by_password("alice", v5("phone")));
    house.subscribe(alice, "maison/garage/#", QoS::AtLeastOnce);
    let last = |client_id| {
        let will = Some(will("maison/garage/will", "gone", QoS::AtLeastOnce));
        by_password("probe", Connect { will, ..v5(client_id) })
    };
    let (probe, _) = house.connect_as(last("probe"));
    house.cut(probe);
    house.hears(alice, "maison/garage/will=gone q1");
    let (probe, _) = house.connect_as(last("probe"));
    takes_the_right_away(&mut house);
    house.cut(probe);
    house.reads_nothing(alice);
    let (_, answer) = house.try_connect(last("probe"));
    assert_eq!(answer.reason, ReasonCode::NotAuthorized);
    house.is_at_rest();
}

/// The room of a device gets a sensor of the gateway: nothing is said there but by the gateway,
/// not by a QoS 2 message that is new, and not by a will.
#[test]
fn a_device_falls_silent_where_the_gateway_has_a_sensor() {
    let mut house = with_device();
    let (alice, _) = house.connect_as(by_password("alice", v5("phone")));
    house.subscribe(alice, "maison/garage/#", QoS::AtLeastOnce);
    let last = || {
        let will = Some(will("maison/garage/will", "gone", QoS::AtLeastOnce));
        by_password("probe", Connect { will, ..v5("probe") })
    };
    let (probe, _) = house.connect_as(last());
    let rights = device(true).measuring(["garage".to_owned()]);
    house.tell(Input::Rights { rights, revoked: Revoked::default() });
    let said = publish("maison/garage/temperature", "7.5", QoS::ExactlyOnce);
    house.send(probe, Packet::Publish(said));
    let Packet::PubRec(answer) = house.read(probe) else { panic!("no PUBREC") };
    assert_eq!(answer.reason, ReasonCode::NotAuthorized);
    let sentence = "`garage` has sensors of the gateway: only it publishes there";
    assert_eq!(answer.properties.unwrap().reason_string.as_deref(), Some(sentence));
    house.cut(probe);
    house.reads_nothing(alice);
    let (_, answer) = house.try_connect(last());
    assert_eq!(answer.reason, ReasonCode::NotAuthorized);
    says(&mut house, "garage", "7.0");
    house.hears(alice, "maison/garage/temperature=7.0 q1");
    house.is_at_rest();
}

/// Nor when its user is no more: it was allowed until then.
#[test]
fn a_device_that_is_revoked_does_not_say_its_will() {
    let mut house = with_device();
    let (alice, _) = house.connect_as(by_password("alice", v5("phone")));
    house.subscribe(alice, "maison/garage/#", QoS::AtLeastOnce);
    let will = || Some(will("maison/garage/will", "gone", QoS::AtLeastOnce));
    let (probe, _) =
        house.connect_as(by_password("probe", Connect { will: will(), ..v5("probe") }));
    let mut late = v5_lasting("late probe");
    late.will = will();
    late.will.as_mut().unwrap().properties.delay = Duration::from_secs(60);
    let (late, _) = house.connect_as(by_password("probe", late));
    house.cut(late);
    let users = vec!["probe".to_owned()];
    change(&mut house, &[("alice", &["*"])], Revoked { users, ..Revoked::default() });
    is_sent_away(&mut house, probe);
    house.pass(Duration::from_secs(120));
    house.reads_nothing(alice);
    house.is_at_rest();
}

/// Retained messages are searched by the rights of their moment, for old and new subscriptions.
#[test]
fn retained_messages_are_sent_by_the_rights_of_their_moment() {
    let mut house = house(&[("alice", &["salon", "cave"])]);
    says(&mut house, "salon", "21.4");
    says(&mut house, "cave", "10.0");
    let (alice, _) = house.connect_as(by_password("alice", v5("phone")));
    house.subscribe(alice, "maison/+/temperature", QoS::AtLeastOnce);
    house.hears(alice, "maison/cave/temperature=10.0 q1 retained");
    house.hears(alice, "maison/salon/temperature=21.4 q1 retained");
    change(&mut house, &[("alice", &["cave"])], Revoked::default());
    house.subscribe(alice, "maison/+/temperature", QoS::AtLeastOnce);
    house.hears(alice, "maison/cave/temperature=10.0 q1 retained");
    house.is_at_rest();
}

/// Who may read only a part of what a group shares gets that part; the rest goes to the others.
#[test]
fn a_group_gives_a_message_to_those_of_it_who_may_read_it() {
    let mut house = house(&[("alice", &["salon", "cave"]), ("carol", &["cave"])]);
    let (alice, _) = house.connect_as(by_password("alice", v5_lasting("phone")));
    let (carol, _) = house.connect_as(by_password("carol", v5("tablet")));
    house.send_subscribe(carol, "$share/g/maison/salon/#", QoS::AtLeastOnce);
    let Packet::SubAck(answer) = house.read(carol) else { panic!("no SUBACK") };
    assert_eq!(answer.reasons, [ReasonCode::NotAuthorized]);
    for client in [alice, carol] {
        house.subscribe(client, "$share/g/maison/+/temperature", QoS::AtLeastOnce);
    }
    for value in ["1", "2", "3"] {
        says(&mut house, "salon", value);
        house.hears(alice, &format!("maison/salon/temperature={value} q1"));
    }
    house.reads_nothing(carol);
    house.is_at_rest();
}

/// What waits for a member that may not have it any more goes to one that may.
#[test]
fn a_right_taken_away_leaves_what_waits_to_the_others_of_the_group() {
    let mut house = house(&[("alice", &["salon"]), ("carol", &["salon"])]);
    let (alice, _) = house.connect_as(by_password("alice", v5_lasting("phone")));
    house.subscribe(alice, "$share/g/maison/salon/#", QoS::ExactlyOnce);
    house.cut(alice);
    house.reading(message("maison/salon/temperature", "21.4"), QoS::ExactlyOnce, false);
    let (carol, _) = house.connect_as(by_password("carol", v5("tablet")));
    house.subscribe(carol, "$share/g/maison/salon/#", QoS::AtLeastOnce);
    house.reads_nothing(carol);
    change(&mut house, &[("alice", &["cave"]), ("carol", &["salon"])], Revoked::default());
    house.hears(carol, "maison/salon/temperature=21.4 q1");
    let (alice, _) = house.connect_as(by_password("alice", v5_lasting("phone")));
    house.reads_nothing(alice);
    house.is_at_rest();
}

/// The rules are of the user, not of the door: a session that is taken up by another listener
/// may what it could before.
#[test]
fn the_rights_of_a_session_are_the_same_by_every_listener() {
    let mut house = house(&[("alice", &["salon"])]);
    let (alice, _) = house.connect_as(by_password("alice", v5_lasting("phone")));
    house.subscribe(alice, "maison/#", QoS::AtLeastOnce);
    house.cut(alice);
    let alice = house.open_with(|peer| {
        peer.listener = Arc::from("attic");
        peer.policy = Policy::Anonymous;
    });
    house.send(alice, Packet::Connect(Box::new(by_password("alice", v5_lasting("phone")))));
    assert!(matches!(house.read(alice), Packet::ConnAck(_)));
    says(&mut house, "cave", "10.0");
    says(&mut house, "salon", "21.4");
    house.hears(alice, "maison/salon/temperature=21.4 q1");
    house.send_subscribe(alice, "maison/cave/#", QoS::AtLeastOnce);
    let Packet::SubAck(answer) = house.read(alice) else { panic!("no SUBACK") };
    assert_eq!(answer.reasons, [ReasonCode::NotAuthorized]);
    house.is_at_rest();
}

/// Where only a certificate is asked for, a password that is sent along was not looked at: it is
/// no reason to come or to go, and nothing to be remembered.
#[test]
fn a_password_that_its_listener_does_not_look_at_is_none() {
    for (policy, is_taken) in [
        (Policy::Certificate, false),
        (Policy::CertificateOrPassword, true),
        (Policy::CertificateAndPassword, true),
        (Policy::Password, true),
        (Policy::Anonymous, true),
    ] {
        let mut house = House::with(|settings| settings.rights = people(&[("alice", &["salon"])]));
        house.gate = house::Gate::Waits;
        let alice = house.open_with(|peer| {
            peer.certificate = Some(certificate("alice"));
            peer.policy = policy;
        });
        house.send(alice, Packet::Connect(Box::new(by_password("alice", v5("phone")))));
        let (_, login) = house.logins.front().expect("it is asked");
        assert_eq!(login.password.is_some(), is_taken, "{policy:?}");
        house.open_gate();
        assert!(matches!(house.read(alice), Packet::ConnAck(_)));
        let passwords = vec!["alice".to_owned()];
        change(&mut house, &[("alice", &["salon"])], Revoked { passwords, ..Revoked::default() });
        assert_eq!(house.is_closed(alice), is_taken, "{policy:?}");
    }
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
