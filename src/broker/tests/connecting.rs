//! CONNECT to the end of the connection.

use std::time::Duration;

use super::world::*;
use crate::access::{Denied, Principal, Refusal};
use crate::broker::{Event, Input};
use crate::mqtt::*;

fn refusal(world: &mut World, connection: crate::access::ConnectionId) -> ReasonCode {
    let inbox = world.take_inbox(connection);
    let [Packet::ConnAck(answer)] = &inbox[..] else { panic!("{inbox:?}") };
    assert!(!answer.session_present, "[MQTT-3.2.2-4]");
    assert!(world.is_closed(connection), "[MQTT-3.2.2-5]");
    answer.reason
}

/// [MQTT-3.1.0-1]
#[test]
fn first_packet_must_be_connect() {
    let mut world = World::new();
    let connection = world.open();
    world.send(connection, Packet::PingReq);
    assert!(world.is_closed(connection));
    assert!(world.take_inbox(connection).is_empty());
    world.end();
}

/// [MQTT-3.1.0-2]
#[test]
fn second_connect_ends_the_connection() {
    let mut world = World::new();
    let connection = world.join("a");
    world.send(connection, Packet::Connect(Box::new(connect("a", true))));
    assert!(world.is_closed(connection));
    world.end();
}

#[test]
fn peer_that_stays_silent_is_closed_after_the_connect_timeout() {
    let mut world = World::new();
    let connection = world.open();
    world.pass(Duration::from_secs(9));
    assert!(!world.is_closed(connection));
    world.pass(Duration::from_secs(2));
    assert!(world.is_closed(connection));
    world.end();
}

#[test]
fn nothing_may_be_said_before_the_login_is_decided() {
    let mut world = World::new();
    let connection = world.open();
    world.send(connection, Packet::Connect(Box::new(connect("a", true))));
    world.send(connection, Packet::PingReq);
    assert!(world.is_closed(connection));
    world.verdict(connection, Ok(Principal::Anonymous));
    assert!(world.take_inbox(connection).is_empty(), "a late verdict opens nothing");
    world.end();
}

#[test]
fn refused_login_is_told_and_logged() {
    let mut world = World::new();
    let connection = world.open();
    let mut bob = connect("c1", true);
    bob.credentials.user = Some("bob".into());
    world.send(connection, Packet::Connect(Box::new(bob)));
    assert_eq!(world.logins[0].1.user.as_deref(), Some("bob"));
    world.verdict(connection, Err(Refusal::BadPassword));
    assert_eq!(refusal(&mut world, connection), ReasonCode::BadUserNameOrPassword);
    let [Event::Refused { user, client_id, reason, .. }] = &world.events[..] else { panic!() };
    assert_eq!((&**user, &**client_id, *reason), ("bob", "c1", Refusal::BadPassword));
    world.end();
}

/// [MQTT-3.1.3-8]
#[test]
fn nameless_client_that_wants_a_kept_session_is_refused() {
    let mut world = World::new();
    let connection = world.open();
    world.send(connection, Packet::Connect(Box::new(connect("", false))));
    assert_eq!(refusal(&mut world, connection), ReasonCode::ClientIdentifierNotValid);
    world.end();
}

/// [MQTT-3.1.3-6]
#[test]
fn nameless_clients_do_not_take_each_other_over() {
    let mut world = World::new();
    let (one, other) = (world.join(""), world.join(""));
    assert!(!world.is_closed(one) && !world.is_closed(other));
    world.end();
}

/// [MQTT-3.1.2-2]
#[test]
fn unknown_protocol_level_is_answered() {
    let mut world = World::new();
    let connection = world.open();
    let reason = ReasonCode::UnsupportedProtocolVersion;
    let error = DecodeError { reason, detail: "level" };
    world.handle(Input::Malformed { connection, error });
    assert_eq!(refusal(&mut world, connection), reason);
    world.end();
}

/// [MQTT-3.1.4-2]
#[test]
fn newer_connection_takes_the_client_identifier_over() {
    let mut world = World::new();
    let older = world.join_kept("a");
    world.subscribe(older, "t", QoS::AtLeastOnce);
    let (newer, present) = world.join_as("", connect("a", false));
    assert!(world.is_closed(older) && present);
    let source = world.join("source");
    world.publish(source, publish(QoS::AtMostOnce, 0, "t", "1"));
    assert_eq!(world.read(newer), ["t=1"]);
    world.end();
}

#[test]
fn nobody_takes_the_session_of_another_user() {
    let mut world = World::new();
    let (alice, _) = world.join_as("alice", connect("phone", false));
    let (_, present) = world.join_as("mallory", connect("phone", false));
    assert!(!world.is_closed(alice) && !present);
    world.end();
}

/// [MQTT-3.1.2-24]
#[test]
fn silent_client_is_closed_after_one_and_a_half_keep_alives() {
    let mut world = World::new();
    let mut quiet = connect("quiet", true);
    quiet.keep_alive = Duration::from_secs(10);
    let (connection, _) = world.join_as("", quiet);
    world.pass(Duration::from_secs(14));
    world.send(connection, Packet::PingReq);
    assert_eq!(world.take_inbox(connection), [Packet::PingResp]);
    world.pass(Duration::from_secs(14));
    assert!(!world.is_closed(connection));
    world.pass(Duration::from_secs(2));
    assert!(world.is_closed(connection));
    world.end();
}

#[test]
fn zero_keep_alive_means_no_limit() {
    let mut world = World::new();
    let connection = world.join("patient");
    world.pass(Duration::from_secs(100_000));
    assert!(!world.is_closed(connection));
    world.end();
}

/// [MQTT-3.1.2-4], [MQTT-3.1.2-6]
#[test]
fn clean_session_forgets_what_was_kept() {
    let mut world = World::new();
    let kept = world.join_kept("a");
    world.subscribe(kept, "t", QoS::AtLeastOnce);
    world.leave(kept);
    let (clean, present) = world.join_as("", connect("a", true));
    assert!(!present);
    world.leave(clean);
    let (_, present) = world.join_as("", connect("a", false));
    assert!(!present, "[MQTT-3.1.2-6]: nothing of the earlier session is left");
    world.end();
}

#[test]
fn session_expires_while_its_client_is_away() {
    let mut world = World::new();
    let connection = world.join_kept("a");
    world.leave(connection);
    world.pass(Duration::from_secs(3599));
    let (connection, present) = world.join_as("", connect("a", false));
    assert!(present);
    world.pass(Duration::from_secs(4000));
    world.leave(connection);
    world.pass(Duration::from_secs(3601));
    let (_, present) = world.join_as("", connect("a", false));
    assert!(!present);
    world.end();
}

#[test]
fn garbage_ends_only_its_own_connection() {
    let mut world = World::new();
    let (bad, good) = (world.join("bad"), world.join("good"));
    let error = DecodeError { reason: ReasonCode::MalformedPacket, detail: "no packet" };
    world.handle(Input::Malformed { connection: bad, error });
    assert!(world.is_closed(bad) && !world.is_closed(good));
    world.end();
}

#[test]
fn shutdown_closes_everyone_and_lets_nobody_in() {
    let mut world = World::new();
    let (one, waiting) = (world.join("one"), world.open());
    world.handle(Input::Shutdown);
    assert!(world.is_closed(one) && world.is_closed(waiting));
    let late = world.open();
    assert!(world.is_closed(late));
    world.end();
}

/// [MQTT-3.3.5-2]
#[test]
fn forbidden_message_is_acknowledged_dropped_and_told() {
    let mut world = World::new();
    let (writer, reader) = (world.join("writer"), world.join("reader"));
    world.subscribe(reader, "#", QoS::AtMostOnce);
    world.publish(writer, publish(QoS::AtLeastOnce, 7, "maison/salon/temperature", "99"));
    assert_eq!(world.take_inbox(writer), [Packet::PubAck(Acknowledgement::success(id(7)))]);
    assert!(world.read(reader).is_empty());
    let denied = Denied("only the gateway publishes below its root");
    let told = |event: &Event| matches!(event, Event::Denied { reason, .. } if *reason == denied);
    assert!(world.events.iter().any(told), "{:?}", world.events);
    world.end();
}

/// The packets of 5.0 are understood, what they promise is not kept yet.
#[test]
fn clients_of_5_0_are_told_that_it_is_not_spoken() {
    let mut world = World::new();
    let connection = world.open();
    let five = Connect { version: Version::V5, ..connect("new", true) };
    world.send(connection, Packet::Connect(Box::new(five)));
    assert_eq!(refusal(&mut world, connection), ReasonCode::UnsupportedProtocolVersion);
    world.end();
}
