//! Wills: published when a client goes without a word (section 3.1.2.5).

use std::time::Duration;

use super::world::*;
use crate::broker::Input;
use crate::mqtt::QoS::AtLeastOnce;
use crate::mqtt::*;

fn with_will(client_id: &str, topic: &str, retain: bool) -> Connect {
    let properties = WillProperties::default();
    let will = Will { message: message(topic, "gone"), qos: AtLeastOnce, retain, properties };
    Connect { will: Some(will), keep_alive: Duration::from_secs(10), ..connect(client_id, true) }
}

/// [MQTT-3.1.2-8]
#[test]
fn will_of_a_lost_client_is_published() {
    let mut world = World::new();
    let reader = world.join("reader");
    world.subscribe(reader, "will/+", AtLeastOnce);
    let (lost, _) = world.join_as("", with_will("lost", "will/lost", false));
    world.lose(lost);
    assert_eq!(world.read(reader), ["will/lost=gone"]);
    let (silent, _) = world.join_as("", with_will("silent", "will/silent", false));
    world.pass(Duration::from_secs(16));
    assert!(world.is_closed(silent));
    assert_eq!(world.read(reader), ["will/silent=gone"]);
    let (rude, _) = world.join_as("", with_will("rude", "will/rude", false));
    world.send(rude, Packet::PingResp);
    assert_eq!(world.read(reader), ["will/rude=gone"]);
    world.join_as("", with_will("twice", "will/twice", false));
    world.join("twice");
    assert_eq!(world.read(reader), ["will/twice=gone"]);
    world.end();
}

/// [MQTT-3.1.2-10], [MQTT-3.14.4-3]
#[test]
fn will_is_forgotten_after_a_farewell() {
    let mut world = World::new();
    let reader = world.join("reader");
    world.subscribe(reader, "#", AtLeastOnce);
    let (polite, _) = world.join_as("", with_will("polite", "will/polite", true));
    world.leave(polite);
    assert!(world.read(reader).is_empty());
    world.end();
}

/// [MQTT-3.1.2-17]
#[test]
fn will_is_retained_if_it_says_so() {
    let mut world = World::new();
    let (lost, _) = world.join_as("", with_will("lost", "will/lost", true));
    world.lose(lost);
    let reader = world.join("reader");
    world.subscribe(reader, "will/#", AtLeastOnce);
    let messages = world.messages(reader);
    assert!(messages[0].retain);
    world.end();
}

#[test]
fn will_where_its_client_may_not_publish_is_refused_at_connect() {
    let mut world = World::new();
    let connection = world.open();
    let connect = with_will("sly", "maison/salon/temperature", true);
    world.send(connection, Packet::Connect(Box::new(connect)));
    world.verdict(connection, Ok(crate::access::Principal::Anonymous));
    let inbox = world.take_inbox(connection);
    let [Packet::ConnAck(answer)] = &inbox[..] else { panic!("{inbox:?}") };
    assert_eq!(answer.reason, ReasonCode::NotAuthorized);
    assert!(world.is_closed(connection));
    world.end();
}

#[test]
fn no_will_is_published_at_shutdown() {
    let mut world = World::new();
    world.join_as("", with_will("client", "will/client", true));
    world.handle(Input::Shutdown);
    assert_eq!(world.broker.sizes().retained, 0);
    world.end();
}
