//! From transport to client.

use std::time::Duration;

use super::super::{Broker, Event, Input};
use super::house::{Gate, SessionPresent, publish};
use super::*;
use crate::access::{ConnectionId, Peer, Policy, Principal, Refusal};
use crate::limits;
use crate::mqtt::{Connect, Credentials, DecodeError, Packet, QoS, ReasonCode, Version};
use crate::time::Tick;

const INSTANT: Duration = Duration::from_micros(1);

fn login(client_id: &str, user: &str, password: &'static str) -> Connect {
    let credentials = Credentials { user: Some(user.into()), password: Some(password.into()) };
    Connect { credentials, ..clean(client_id) }
}

#[track_caller]
fn refused(connect: Connect, reason: ReasonCode) {
    let mut house = House::new();
    let (client, answer) = house.try_connect(connect);
    assert_eq!(answer.reason, reason);
    assert!(!answer.session_present, "[MQTT-3.2.2-4]");
    assert!(house.is_closed(client), "[MQTT-3.2.2-5]");
    assert_eq!(house.broker.statistics().sessions, 0);
    house.is_at_rest();
}

/// [MQTT-3.2.0-1], [MQTT-3.2.2-1]
#[test]
fn a_client_is_let_in_without_a_session_before_it() {
    let mut house = House::new();
    let (_, present) = house.connect_as(login("a", "bob", "secret"));
    assert_eq!(present, SessionPresent(false));
    let connected = Event::Connected {
        peer: "192.0.2.7:51234".parse().unwrap(),
        client_id: "a".to_owned(),
        principal: Principal::User("bob".into()),
    };
    assert_eq!(house.events, [connected]);
    house.is_at_rest();
}

#[test]
fn a_login_shows_what_connect_and_certificate_say() {
    let mut house = House::new();
    house.gate = Gate::Waits;
    let client = house.open_with(|peer| {
        peer.policy = Policy::CertificateAndPassword;
        peer.certificate = Some(house::certificate("carol"));
    });
    house.send(client, Packet::Connect(Box::new(login("a", "bob", "secret"))));
    let (connection, login) = house.logins[0].clone();
    assert_eq!((connection, login.policy), (client, Policy::CertificateAndPassword));
    assert_eq!(login.user.as_deref(), Some("bob"));
    assert_eq!(login.password.as_deref(), Some(&b"secret"[..]));
    assert_eq!(login.certificate, Some(house::certificate("carol")));
    house.reads_nothing(client);
}

/// [MQTT-3.1.0-1]
#[test]
fn the_first_packet_must_be_a_connect() {
    let mut house = House::new();
    let client = house.open();
    house.send(client, Packet::PingReq);
    assert!(house.is_closed(client));
    house.is_at_rest();
}

/// [MQTT-3.1.0-2]
#[test]
fn a_second_connect_ends_the_connection() {
    let mut house = House::new();
    let client = house.connect("a");
    house.send(client, Packet::Connect(Box::new(clean("a"))));
    assert!(house.is_closed(client));
    house.is_at_rest();
}

/// [MQTT-4.8.0-1]
#[test]
fn packets_that_only_servers_send_end_the_connection() {
    let mut house = House::new();
    let client = house.connect("a");
    house.send(client, Packet::PingResp);
    assert!(house.is_closed(client));
    house.is_at_rest();
}

#[test]
fn a_packet_before_the_verdict_ends_the_connection() {
    let mut house = House::new();
    house.gate = Gate::Waits;
    let client = house.open();
    house.send(client, Packet::Connect(Box::new(clean("a"))));
    house.send(client, Packet::Publish(publish("t", "1", QoS::AtMostOnce)));
    assert!(house.is_closed(client));
    house.open_gate();
    house.reads_nothing(client);
    house.is_at_rest();
}

#[test]
fn a_verdict_on_a_connection_that_is_gone_lets_nobody_in() {
    let mut house = House::new();
    house.gate = Gate::Waits;
    let client = house.open();
    house.send(client, Packet::Connect(Box::new(lasting("a"))));
    house.cut(client);
    house.open_gate();
    assert_eq!(house.broker.statistics().sessions, 0);
    house.is_at_rest();
}

/// Section 3.1.4 leaves the time to us.
#[test]
fn a_transport_without_a_connect_is_closed_in_time() {
    let mut house = House::new();
    let client = house.open();
    house.pass(limits::CONNECT_TIMEOUT.saturating_sub(INSTANT));
    assert!(!house.is_closed(client));
    house.pass(INSTANT);
    assert!(house.is_closed(client));
    assert_eq!(house.broker.deadline(), None);
    house.is_at_rest();
}

#[test]
fn a_login_may_take_longer_than_a_connect() {
    let mut house = House::new();
    house.gate = Gate::Waits;
    let client = house.open();
    house.send(client, Packet::Connect(Box::new(clean("a"))));
    house.pass(2 * limits::CONNECT_TIMEOUT);
    house.open_gate();
    assert!(matches!(house.read(client), Packet::ConnAck(_)));
    assert!(!house.is_closed(client));
    house.is_at_rest();
}

/// A 3.1.1 client hears no reason, so its owner must find it in the log.
#[test]
fn a_connect_that_is_refused_is_told_in_intervals() {
    let mut house = House::new();
    let told = |house: &mut House| -> Vec<_> {
        let events = std::mem::take(&mut house.events);
        let rejected = events.into_iter().filter_map(|event| match event {
            Event::Rejected { client_id, reason, times, .. } => {
                Some((client_id, reason.into_owned(), times))
            }
            _ => None,
        });
        rejected.collect()
    };
    let long = "x".repeat(limits::CLIENT_ID_BYTES_MAX + 1);
    house.try_connect(clean(&long));
    let why = "client identifier too long: our limit".to_owned();
    assert_eq!(told(&mut house), [(long.clone(), why.clone(), 1)]);
    house.try_connect(clean(&long));
    assert_eq!(told(&mut house), []);
    house.pass(limits::EVENT_INTERVAL);
    house.try_connect(clean(&long));
    assert_eq!(told(&mut house), [(long, why, 2)]);
    house.is_at_rest();
}

#[test]
fn a_wrong_password_is_refused_and_told() {
    let mut house = House::new();
    let (client, answer) = house.try_connect(login("a", "bob", "wrong"));
    assert_eq!(answer.reason, ReasonCode::BadUserNameOrPassword);
    assert!(house.is_closed(client));
    let refused = Event::Refused {
        peer: "192.0.2.7:51234".parse().unwrap(),
        listener: "tls".into(),
        user: "bob".to_owned(),
        client_id: "a".to_owned(),
        reason: Refusal::BadPassword,
    };
    assert_eq!(house.events, [refused]);
    house.is_at_rest();
}

/// [MQTT-3.1.4-5]
#[test]
fn nothing_is_heard_after_a_refusal() {
    let mut house = House::new();
    let listener = house.connect("listener");
    house.subscribe(listener, "t", QoS::AtMostOnce);
    let (client, answer) = house.try_connect(login("a", "bob", "wrong"));
    assert_eq!(answer.reason, ReasonCode::BadUserNameOrPassword);
    house.send(client, Packet::Publish(publish("t", "1", QoS::AtMostOnce)));
    house.send(client, Packet::Connect(Box::new(login("a", "bob", "secret"))));
    house.reads_nothing(listener);
    house.reads_nothing(client);
    assert_eq!(house.broker.statistics().sessions, 1);
    house.is_at_rest();
}

#[test]
fn each_refusal_has_its_reason() {
    for (refusal, reason) in [
        (Refusal::NoPassword, ReasonCode::BadUserNameOrPassword),
        (Refusal::NoCredentials, ReasonCode::NotAuthorized),
        (Refusal::NoCertificate, ReasonCode::NotAuthorized),
        (Refusal::UnknownCertificate, ReasonCode::NotAuthorized),
        (Refusal::CertificateMismatch, ReasonCode::NotAuthorized),
        (Refusal::Busy, ReasonCode::ServerBusy),
    ] {
        let mut house = House::new();
        house.gate = Gate::Waits;
        let client = house.open();
        house.send(client, Packet::Connect(Box::new(clean("a"))));
        house.tell(Input::Verdict { connection: client, verdict: Err(refusal) });
        let Packet::ConnAck(answer) = house.read(client) else { panic!("no CONNACK") };
        assert_eq!(answer.reason, reason, "{refusal}");
        assert!(house.is_closed(client));
    }
}

/// [MQTT-3.1.3-7], [MQTT-3.1.3-8]
#[test]
fn an_empty_client_id_needs_a_clean_session() {
    refused(lasting(""), ReasonCode::ClientIdentifierNotValid);
}

/// MQTT 3.1 asks for one character at least.
#[test]
fn an_empty_client_id_is_refused_in_3_1() {
    let connect = Connect { version: Version::V3_1, ..clean("") };
    refused(connect, ReasonCode::ClientIdentifierNotValid);
}

#[test]
fn a_client_of_3_1_is_let_in() {
    let mut house = House::new();
    house.connect_as(Connect { version: Version::V3_1, ..lasting("a") });
    house.is_at_rest();
}

/// [MQTT-3.1.3-9]
#[test]
fn a_client_id_over_the_limit_is_refused() {
    let long = "x".repeat(limits::CLIENT_ID_BYTES_MAX + 1);
    refused(clean(&long), ReasonCode::ClientIdentifierNotValid);
}

/// [MQTT-3.1.3-5]
#[test]
fn client_ids_of_up_to_23_letters_and_digits_are_let_in() {
    const ALL: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for length in 1..=23 {
        for start in 0..=ALL.len() - length {
            let mut house = House::new();
            house.connect(&ALL[start..start + length]);
            house.is_at_rest();
        }
    }
}

/// [MQTT-3.1.3-6]: nobody can take over a client by guessing its assigned name.
#[test]
fn clients_without_an_id_are_each_their_own() {
    let mut house = House::new();
    let first = house.connect("");
    let second = house.connect("");
    let guess = house.connect("assigned-3");
    let third = house.connect("");
    assert!([first, second, guess, third].into_iter().all(|client| !house.is_closed(client)));
    assert_eq!(house.broker.statistics().sessions, 4);
    house.is_at_rest();
}

/// [MQTT-3.1.2-2]
#[test]
fn an_unknown_version_is_answered() {
    let mut house = House::new();
    let client = house.open();
    let reason = ReasonCode::UnsupportedProtocolVersion;
    let error = DecodeError { reason, detail: "unknown protocol level" };
    house.tell(Input::Malformed { connection: client, error });
    let Packet::ConnAck(answer) = house.read(client) else { panic!("no CONNACK") };
    assert_eq!(answer.reason, reason);
    assert!(house.is_closed(client));
    house.is_at_rest();
}

/// [MQTT-4.8.0-1]
#[test]
fn bytes_that_are_no_packet_end_the_connection_unanswered() {
    let mut house = House::new();
    let client = house.connect("a");
    let error = DecodeError { reason: ReasonCode::MalformedPacket, detail: "bad flags" };
    house.tell(Input::Malformed { connection: client, error });
    house.reads_nothing(client);
    assert!(house.is_closed(client));
    house.is_at_rest();
}

/// Section 4.13.1: nothing is written to a peer of 3.1.1, which has no code for it.
#[test]
fn bytes_that_are_no_connect_are_answered_by_a_reason() {
    let mut house = House::new();
    let client = house.open();
    let error = DecodeError { reason: ReasonCode::MalformedPacket, detail: "bad flags" };
    house.tell(Input::Malformed { connection: client, error });
    let Packet::ConnAck(answer) = house.read(client) else { panic!("no CONNACK") };
    assert_eq!(answer.reason.return_code(), None);
    assert_eq!(answer.properties.reason_string.as_deref(), Some("bad flags"));
    assert!(house.is_closed(client));
    house.is_at_rest();
}

#[test]
fn events_of_connections_that_nobody_knows_are_ignored() {
    let mut house = House::new();
    let connection = ConnectionId(99);
    let error = DecodeError { reason: ReasonCode::MalformedPacket, detail: "bad flags" };
    house.tell(Input::Packet { connection, packet: Packet::PingReq });
    house.tell(Input::Malformed { connection, error });
    house.tell(Input::Written { connection, bytes: 64 });
    house.tell(Input::Verdict { connection, verdict: Ok(Principal::Anonymous) });
    house.tell(Input::Closed { connection });
    house.tell(Input::Wake);
    assert_eq!(house.events, []);
    house.is_at_rest();
}

#[test]
fn too_many_sessions_cost_the_longest_absent_of_the_same_user() {
    let mut house = House::new();
    let credentials = Credentials { user: Some("bob".into()), password: None };
    let (other, _) = house.connect_as(Connect { credentials, ..lasting("bobs") });
    house.disconnect(other);
    house.pass(Duration::from_secs(1));
    for number in 0..limits::SESSIONS_PER_USER_MAX {
        house.now = house.now.after(Duration::from_millis(1));
        come_and_go(&mut house.broker, house.now, number);
    }
    let (_, present) = house.connect_as(lasting("one more"));
    assert_eq!(present, SessionPresent(false));
    let given_up = |event: &Event| match event {
        Event::SessionDiscarded { client_id, .. } => Some(client_id.clone()),
        _ => None,
    };
    assert_eq!(house.events.iter().filter_map(given_up).collect::<Vec<_>>(), ["client-0"]);
    assert_eq!(house.broker.statistics().traffic.sessions_discarded, 1);
    let (_, present) = house.connect_as(lasting("client-5"));
    assert_eq!(present, SessionPresent(true));
    assert_eq!(
        house.broker.statistics().sessions,
        limits::SESSIONS_PER_USER_MAX + 1,
        "bob's stays"
    );
}

#[test]
fn too_many_sessions_in_all_cost_the_longest_absent_of_any_user() {
    let mut house = House::with(|settings| settings.bounds.sessions = 3);
    let of = |user: &str| {
        let credentials = Credentials { user: Some(user.into()), password: None };
        Connect { credentials, ..lasting(user) }
    };
    for user in ["ann", "bob"] {
        let client = house.connect_as(of(user)).0;
        house.disconnect(client);
        house.pass(Duration::from_secs(1));
    }
    house.connect_as(of("eve"));
    house.connect_as(of("new"));
    assert_eq!(house.broker.statistics().sessions, 3);
    assert_eq!(house.connect_as(of("bob")).1, SessionPresent(true), "away for less long");
    let (client, answer) = house.try_connect(of("ann"));
    assert_eq!(answer.reason, ReasonCode::QuotaExceeded, "who is there does not go");
    assert!(house.is_closed(client));
    house.is_at_rest();
}

/// Leaves a lasting session behind, without checking all others each time.
fn come_and_go(broker: &mut Broker, now: Tick, number: usize) {
    let connection = ConnectionId(1_000_000 + u64::try_from(number).unwrap());
    let peer = Peer {
        address: "192.0.2.8:1".parse().unwrap(),
        listener: "tls".into(),
        policy: Policy::Anonymous,
        certificate: None,
    };
    let packet = Packet::Connect(Box::new(lasting(&format!("client-{number}"))));
    for input in [
        Input::Opened { connection, peer: peer.into() },
        Input::Packet { connection, packet },
        Input::Verdict { connection, verdict: Ok(Principal::Anonymous) },
        Input::Closed { connection },
    ] {
        broker.handle(now, input);
        while broker.poll().is_some() {}
    }
}
