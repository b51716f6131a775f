//! Will delay and will properties (3.1.3.2).

use std::time::Duration;

use super::*;
use crate::mqtt::{
    Connect, Disconnect, DisconnectProperties, MessageProperties, QoS, UserProperty,
};

fn with_will(client_id: &str, delay: u64) -> Connect {
    let mut will = super::super::will("gone", "1", QoS::AtLeastOnce);
    will.properties.delay = Duration::from_secs(delay);
    Connect { will: Some(will), ..v5_lasting(client_id) }
}

fn listener(house: &mut House) -> house::Client {
    let client = house.connect_as(v5("listener")).0;
    house.subscribe(client, "gone", QoS::AtLeastOnce);
    client
}

/// [MQTT-3.1.3-9]
#[test]
fn a_will_waits_for_its_delay() {
    let mut house = House::new();
    let listener = listener(&mut house);
    let client = house.connect_as(with_will("a", 10)).0;
    house.cut(client);
    house.pass(Duration::from_secs(9));
    house.reads_nothing(listener);
    house.pass(Duration::from_secs(1));
    house.hears(listener, "gone=1 q1");
    house.pass(Duration::from_secs(100));
    house.is_at_rest();
}

/// [MQTT-3.1.3-9]
#[test]
fn a_client_that_returns_in_time_is_not_mourned() {
    let mut house = House::new();
    let listener = listener(&mut house);
    let client = house.connect_as(with_will("a", 10)).0;
    house.cut(client);
    house.pass(Duration::from_secs(9));
    house.connect_as(v5_lasting("a"));
    house.pass(Duration::from_secs(100));
    house.reads_nothing(listener);
    house.is_at_rest();
}

/// [MQTT-3.1.2-8]: the end of the session does not wait.
#[test]
fn the_end_of_a_session_publishes_its_will() {
    let mut house = House::new();
    let listener = listener(&mut house);
    let client = house.connect_as(with_will("a", 1000)).0;
    house.cut(client);
    house.pass(Duration::from_secs(61));
    house.hears(listener, "gone=1 q1");

    let client = house.connect_as(with_will("a", 1000)).0;
    house.cut(client);
    house.connect_as(Connect { clean_start: true, ..v5_lasting("a") });
    house.hears(listener, "gone=1 q1");
    house.is_at_rest();
}

/// 3.14.2.1
#[test]
fn a_disconnect_can_ask_for_the_will() {
    for (reason, expected) in [
        (ReasonCode::Success, 0),
        (ReasonCode::DisconnectWithWill, 1),
        (ReasonCode::UnspecifiedError, 1),
    ] {
        let mut house = House::new();
        let listener = listener(&mut house);
        let client = house.connect_as(with_will("a", 0)).0;
        let properties = DisconnectProperties::default();
        house.send(client, Packet::Disconnect(Box::new(Disconnect { reason, properties })));
        assert_eq!(house.unread(listener), expected, "{reason:?}");
    }
}

/// 3.1.3.2.2 and following, [MQTT-3.1.3-10]
#[test]
fn a_will_has_the_properties_of_its_connect() {
    let mut house = House::new();
    let listener = listener(&mut house);
    let mut connect = with_will("a", 0);
    let pair = |name: &str, value: &str| UserProperty { name: name.into(), value: value.into() };
    let properties = MessageProperties {
        content_type: Some("text/plain".into()),
        user_properties: vec![pair("b", "1"), pair("a", "2"), pair("a", "1")],
        ..MessageProperties::default()
    };
    let properties = properties.shared();
    connect.will.as_mut().unwrap().message.properties = properties.clone();
    let client = house.connect_as(connect).0;
    house.cut(client);
    assert_eq!(house.gets_any(listener).message.properties, properties);
}

/// [MQTT-3.1.2-10], [MQTT-3.14.4-3]
#[test]
fn a_will_that_was_withdrawn_is_not_spoken_when_the_session_ends() {
    let mut house = House::new();
    let listener = listener(&mut house);
    let client = house.connect_as(with_will("a", 10)).0;
    house.disconnect(client);
    house.pass(Duration::from_secs(100));
    assert_eq!(house.broker.statistics().sessions, 1, "the listener's");
    house.reads_nothing(listener);
    house.is_at_rest();
}
