//! The story of `tests/clients/story.md`, by rumqttc.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use maison::net::tls;
use rumqttc::{Client, Connection, Event, MqttOptions, Packet, QoS, SubscribeReasonCode};
use rumqttc::{TlsConfiguration, Transport};

use super::{COUNT, Story, Version};
use crate::gateway::PASSWORD;

const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// Requests that wait for the connection: all of one part, and a few.
const REQUESTS_MAX: usize = 2 * COUNT;

/// What a client is told.
#[derive(Debug)]
enum Told {
    Connected { session: bool },
    Granted(u8),
    Acknowledged,
    Message(String),
}

/// A connected client.
struct Visitor {
    client: Client,
    told: Receiver<Told>,
    session: bool,
}

/// Lives the story; the facts.
pub(super) fn live(story: &Story) -> Vec<String> {
    let qos = quality(story.qos);
    let mut facts = Vec::new();
    let subscriber = Visitor::come(story, &story.id, false);
    facts.push(format!("connected session={}", u8::from(subscriber.session)));
    subscriber.client.subscribe(story.filter(), qos).unwrap();
    let Told::Granted(granted) = subscriber.next() else { panic!("no SUBACK") };
    facts.push(format!("granted {granted}"));
    let publisher = Visitor::come(story, &format!("{}-publisher", story.id), true);
    publisher.publish(story, "here", &mut facts);
    subscriber.receive_until("here", &mut facts);
    subscriber.leave();
    facts.push("left".to_owned());
    publisher.publish(story, "away", &mut facts);
    let subscriber = Visitor::come(story, &story.id, false);
    facts.push(format!("connected session={}", u8::from(subscriber.session)));
    publisher.publish(story, "back", &mut facts);
    subscriber.receive_until("back", &mut facts);
    facts
}

impl Visitor {
    fn come(story: &Story, id: &str, clean: bool) -> Self {
        let mut options = MqttOptions::new(id, "localhost", story.port);
        options.set_clean_session(clean);
        options.set_max_packet_size(1 << 20, 1 << 20);
        if !story.user.is_empty() {
            options.set_credentials(story.user, PASSWORD);
        }
        if let Some(authority) = &story.authority {
            let tls = tls::client_config(&fs::read(authority).unwrap()).unwrap();
            let tls = TlsConfiguration::Rustls(Arc::new(tls));
            options.set_transport(Transport::tls_with_config(tls));
        }
        let (client, connection) = match story.version {
            Version::V3_1_1 => Client::new(options, REQUESTS_MAX),
        };
        let mut visitor = Self { client, told: listen(connection), session: false };
        let Told::Connected { session } = visitor.next() else { panic!("no CONNACK") };
        visitor.session = session;
        visitor
    }

    fn next(&self) -> Told {
        self.told.recv_timeout(LONGEST_WAIT).expect("the broker answers")
    }

    /// Publishes a part; a message of QoS 1 behind it says that all of QoS 0 has arrived too.
    fn publish(&self, story: &Story, part: &str, facts: &mut Vec<String>) {
        let qos = quality(story.qos);
        for number in 0..COUNT {
            let payload = Story::payload(part, number);
            self.client.publish(story.topic(), qos, false, payload).unwrap();
        }
        self.client.publish(&*story.id, QoS::AtLeastOnce, false, "all").unwrap();
        let acknowledged = if story.qos > 0 { COUNT + 1 } else { 1 };
        for _ in 0..acknowledged {
            assert!(matches!(self.next(), Told::Acknowledged));
        }
        facts.push(format!("published {part}"));
    }

    fn leave(self) {
        self.client.disconnect().unwrap();
        let after = self.told.recv_timeout(LONGEST_WAIT);
        assert!(matches!(after, Err(RecvTimeoutError::Disconnected)), "{after:?}");
    }

    fn receive_until(&self, part: &str, facts: &mut Vec<String>) {
        let last = format!(" {}", Story::payload(part, COUNT - 1));
        loop {
            let Told::Message(fact) = self.next() else { panic!("no message") };
            let is_last = fact.ends_with(&last);
            facts.push(fact);
            if is_last {
                return;
            }
        }
    }
}

/// Serves the connection until it ends; what it hears.
fn listen(mut connection: Connection) -> Receiver<Told> {
    let (teller, told) = mpsc::channel();
    thread::spawn(move || {
        let mut unreleased = BTreeMap::new();
        for event in connection.iter() {
            let Ok(event) = event else { return };
            if let Event::Incoming(packet) = event
                && let Some(told) = heard(packet, &mut unreleased)
                && teller.send(told).is_err()
            {
                return;
            }
        }
    });
    told
}

/// A message of QoS 2 is told when it is released: rumqttc forgets which it has received, and one
/// that leaves before would take a PUBREL on its return for an error.
fn heard(packet: Packet, unreleased: &mut BTreeMap<u16, Told>) -> Option<Told> {
    match packet {
        Packet::ConnAck(answer) => Some(Told::Connected { session: answer.session_present }),
        Packet::SubAck(answer) => match answer.return_codes.first() {
            Some(SubscribeReasonCode::Success(qos)) => Some(Told::Granted(number(*qos))),
            _ => panic!("refused: {answer:?}"),
        },
        Packet::PubAck(_) | Packet::PubComp(_) => Some(Told::Acknowledged),
        Packet::Publish(message) => {
            let (topic, qos) = (&message.topic, number(message.qos));
            let payload = String::from_utf8_lossy(&message.payload);
            let retain = u8::from(message.retain);
            let told = Told::Message(format!("received {topic} {qos} {retain} {payload}"));
            if message.qos == QoS::ExactlyOnce {
                assert!(unreleased.insert(message.pkid, told).is_none(), "sent twice");
                return None;
            }
            Some(told)
        }
        Packet::PubRel(release) => unreleased.remove(&release.pkid),
        _ => None,
    }
}

fn quality(qos: u8) -> QoS {
    rumqttc::qos(qos).unwrap()
}

fn number(qos: QoS) -> u8 {
    match qos {
        QoS::AtMostOnce => 0,
        QoS::AtLeastOnce => 1,
        QoS::ExactlyOnce => 2,
    }
}
