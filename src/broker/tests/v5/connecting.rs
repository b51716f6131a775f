//! CONNECT, CONNACK, and the server's DISCONNECT.

use std::num::NonZeroU16;
use std::time::Duration;

use super::super::super::Input;
use super::*;
use crate::mqtt::{AcknowledgementProperties, MessageProperties, QoS};
use crate::mqtt::{Auth, Connect, DecodeError, Will, WillProperties};

/// 3.2.2.3: what a client has to know is said, and nothing that is the default.
#[test]
fn a_client_is_told_what_the_broker_takes() {
    let mut house = House::new();
    let (_, answer) = house.try_connect(v5("a"));
    assert_eq!(answer.reason, ReasonCode::Success);
    let said = answer.properties;
    assert_eq!(said.receive_maximum, NonZeroU16::new(256));
    assert_eq!(said.maximum_packet_size, Some(1024 * 1024));
    assert_eq!(said.topic_alias_maximum, Some(16));
    assert_eq!(said.session_expiry_seconds, None);
    assert_eq!(said.assigned_client_id, None);
    assert_eq!(said.server_keep_alive_seconds, None);
    assert_eq!(said.response_information, None);
    assert_eq!(said.authentication_method, None);
}

/// [MQTT-3.2.2-16]: it can come back by that name.
#[test]
fn a_client_without_a_name_is_given_one() {
    let mut house = House::new();
    let (first, answer) = house.try_connect(Connect { client_id: "".into(), ..v5_lasting("") });
    let name = answer.properties.assigned_client_id.expect("a name");
    house.subscribe(first, "t", QoS::AtLeastOnce);
    house.cut(first);
    let (_, present) = house.connect_as(v5_lasting(&name));
    assert!(present.0);
}

/// [MQTT-3.2.2-21]
#[test]
fn a_keep_alive_that_is_too_long_is_replaced_and_said() {
    for wanted in [0, 100] {
        let mut house = House::with(|settings| {
            settings.bounds.keep_alive = Some(Duration::from_secs(60));
        });
        let keep_alive = Duration::from_secs(wanted);
        let (client, answer) = house.try_connect(Connect { keep_alive, ..v5("a") });
        assert_eq!(answer.properties.server_keep_alive_seconds, Some(60));
        house.pass(Duration::from_secs(89));
        assert!(!house.is_closed(client));
        house.pass(Duration::from_secs(2));
        assert_eq!(sent_away(&mut house, client).0, ReasonCode::KeepAliveTimeout);
    }
}

/// 3.1.2.11.7
/// Section 3.1.2.11.6: the server may leave it out; [MQTT-3.1.2-24]: where it does not fit it must.
#[test]
fn response_information_is_left_out_where_it_does_not_fit() {
    let mut house = House::new();
    let properties = properties(|it| {
        it.request_response_information = true;
        it.maximum_packet_size = Some(40);
    });
    let (_, answer) = house.try_connect(Connect { properties, ..v5(&"x".repeat(70)) });
    assert_eq!(answer.reason, ReasonCode::Success);
    assert_eq!(answer.properties.response_information, None);
    house.is_at_rest();
}

#[test]
fn response_information_is_given_to_those_who_ask() {
    for (name, expected) in [("a", Some("response/a")), ("a+", None)] {
        let mut house = House::new();
        let properties = properties(|it| it.request_response_information = true);
        let (_, answer) = house.try_connect(Connect { properties, ..v5(name) });
        assert_eq!(answer.properties.response_information.as_deref(), expected);
    }
}

/// [MQTT-4.12.0-1]
#[test]
fn enhanced_authentication_is_refused_with_its_reason() {
    let mut house = House::new();
    let properties = properties(|it| it.authentication_method = Some("SCRAM-SHA-1".into()));
    let (client, answer) = house.try_connect(Connect { properties, ..v5("a") });
    assert_eq!(answer.reason, ReasonCode::BadAuthenticationMethod);
    assert!(answer.properties.reason_string.is_some_and(|why| why.contains("password")));
    assert!(house.is_closed(client));
    house.is_at_rest();
}

/// [MQTT-4.12.0-7]
#[test]
fn an_auth_packet_without_a_method_ends_the_connection() {
    let mut house = House::new();
    let client = house.connect_as(v5("a")).0;
    let (reason, properties) = (ReasonCode::Success, AcknowledgementProperties::default());
    house.send(
        client,
        Packet::Auth(Box::new(Auth { reason, method: None, data: None, properties })),
    );
    assert_eq!(sent_away(&mut house, client).0, ReasonCode::ProtocolError);
}

/// [MQTT-3.1.4-3]
#[test]
fn whoever_is_taken_over_is_told() {
    let mut house = House::new();
    let older = house.connect_as(v5("a")).0;
    house.connect_as(v5("a"));
    assert_eq!(sent_away(&mut house, older).0, ReasonCode::SessionTakenOver);
}

/// 4.13.1, 3.14.2.1
#[test]
fn whoever_breaks_the_protocol_is_told_why() {
    let mut house = House::new();
    let client = house.connect_as(v5("a")).0;
    house.send(client, Packet::Connect(Box::new(v5("a"))));
    let (reason, why) = sent_away(&mut house, client);
    assert_eq!(
        (reason, why.as_str()),
        (ReasonCode::ProtocolError, "a second CONNECT [MQTT-3.1.0-2]")
    );

    let client = house.connect_as(v5("a")).0;
    let error = DecodeError { reason: ReasonCode::MalformedPacket, detail: "bad flags" };
    house.tell(Input::Malformed { connection: client, error });
    let said = sent_away(&mut house, client);
    assert_eq!(said, (ReasonCode::MalformedPacket, "bad flags".to_owned()));
    house.is_at_rest();
}

/// 3.14.2.1
#[test]
fn a_stop_is_told() {
    let mut house = House::new();
    let client = house.connect_as(v5("a")).0;
    house.tell(Input::Shutdown);
    assert_eq!(sent_away(&mut house, client).0, ReasonCode::ServerShuttingDown);
}

/// 3.1.3.2.3
#[test]
fn a_will_that_is_no_text_as_it_says_is_refused() {
    let mut house = House::new();
    let mut message = message("gone", "");
    message.payload = bytes::Bytes::from_static(b"\xff");
    let properties = MessageProperties { payload_is_utf8: true, ..MessageProperties::default() };
    message.properties = properties.shared();
    let (qos, properties) = (QoS::AtMostOnce, WillProperties::default());
    let will = Some(Will { message, qos, retain: false, properties });
    let (client, answer) = house.try_connect(Connect { will, ..v5("a") });
    assert_eq!(answer.reason, ReasonCode::PayloadFormatInvalid);
    assert!(house.is_closed(client));
}

/// [MQTT-3.14.2-1]: what a CONNECT could be told is not always what a DISCONNECT can say.
#[test]
fn a_second_connect_of_an_unknown_version_is_a_protocol_error() {
    let mut house = House::new();
    let client = house.connect_as(v5("a")).0;
    let reason = ReasonCode::UnsupportedProtocolVersion;
    let error = DecodeError { reason, detail: "unknown protocol level" };
    house.tell(Input::Malformed { connection: client, error });
    assert_eq!(sent_away(&mut house, client).0, ReasonCode::ProtocolError);
    house.is_at_rest();
}

/// [MQTT-3.1.2-24] forbids our CONNACK, and [MQTT-3.1.4-5] lets nobody in without one.
#[test]
fn a_client_that_takes_no_connack_is_refused() {
    let mut house = House::new();
    let kept = house.connect_as(v5_lasting("a")).0;
    for (bytes, reason) in [(15, ReasonCode::PacketTooLarge), (5, ReasonCode::PacketTooLarge)] {
        let properties = properties(|it| it.maximum_packet_size = Some(bytes));
        let (client, answer) = house.try_connect(Connect { properties, ..v5("a") });
        assert_eq!(answer.reason, reason);
        assert!(house.is_closed(client));
    }
    assert!(!house.is_closed(kept), "nobody is taken over by whom we do not let in");
    let properties = properties(|it| it.maximum_packet_size = Some(16));
    house.connect_as(Connect { properties, ..v5("b") });
    house.is_at_rest();
}

/// [MQTT-3.14.0-1], [MQTT-3.14.4-1]
#[test]
fn nobody_is_told_good_bye_before_a_welcome() {
    let ends: [fn(&mut House, house::Client); 4] = [
        |house, client| house.send(client, Packet::PingReq),
        |house, client| house.send(client, Packet::Connect(Box::new(v5("a")))),
        |house, _| house.tell(Input::Shutdown),
        |house, client| {
            let error = DecodeError { reason: ReasonCode::MalformedPacket, detail: "bad flags" };
            house.tell(Input::Malformed { connection: client, error });
        },
    ];
    for end in ends {
        let mut house = House::new();
        house.gate = house::Gate::Waits;
        let client = house.open();
        house.send(client, Packet::Connect(Box::new(v5("a"))));
        end(&mut house, client);
        assert!(house.is_closed(client));
        house.reads_nothing(client);
        house.is_at_rest();
    }
    let mut house = House::new();
    let silent = house.open();
    house.pass(crate::limits::CONNECT_TIMEOUT);
    assert!(house.is_closed(silent));
    house.reads_nothing(silent);
}

/// [MQTT-3.2.2-6], [MQTT-3.2.2-7]
#[test]
fn a_refusal_tells_of_no_session() {
    let mut house = House::new();
    let kept = house.connect_as(v5_lasting("a")).0;
    house.cut(kept);
    let will = Some(super::super::will("maison/x", "1", QoS::AtMostOnce));
    let (client, answer) = house.try_connect(Connect { will, ..v5_lasting("a") });
    assert_eq!((answer.reason, answer.session_present), (ReasonCode::NotAuthorized, false));
    assert!(house.is_closed(client));
    let (_, present) = house.connect_as(v5_lasting("a"));
    assert!(present.0, "and does it no harm");
    house.is_at_rest();
}

/// [MQTT-3.1.2-22], [MQTT-3.2.2-22], [MQTT-3.1.2-8]
#[test]
fn a_silent_client_is_told_why_it_goes_and_its_will_is_spoken() {
    let mut house = House::new();
    let listener = house.connect("listener");
    house.subscribe(listener, "gone", QoS::AtMostOnce);
    let will = Some(super::super::will("gone", "1", QoS::AtMostOnce));
    let keep_alive = Duration::from_secs(10);
    let client = house.connect_as(Connect { keep_alive, will, ..v5("a") }).0;
    house.pass(Duration::from_millis(14_999));
    assert!(!house.is_closed(client));
    house.pass(Duration::from_millis(1));
    assert_eq!(sent_away(&mut house, client).0, ReasonCode::KeepAliveTimeout);
    house.hears(listener, "gone=1 q0");
    house.is_at_rest();
}
