use crate::access::{Policy, Principal, Rights};
use crate::broker::Bounds;
use crate::bus::clock::ManualClock;
use crate::limits::EVENT_INTERVAL;
use crate::mqtt::{
    Acknowledgement, Connect, ConnectProperties, Credentials, PacketId, QoS, RetainHandling,
    Subscribe, SubscribeFilter, TopicFilter, TopicName, Version,
};

use super::*;

/// A hub whose queues hold two messages, and which lets everyone in.
struct Desk {
    hub: Arc<Hub>,
    clock: Arc<ManualClock>,
    logins: mpsc::UnboundedReceiver<(ConnectionId, Login)>,
}

/// What a client holds of its connection.
type Line = (ConnectionId, Arc<Outbox>);

impl Desk {
    fn new() -> Self {
        Self::with_clock(ManualClock::default())
    }

    fn with_clock(clock: ManualClock) -> Self {
        let clock = Arc::new(clock);
        let settings = Settings {
            session_expiry: Duration::from_secs(24 * 3600),
            queue_messages: Some(2),
            queue_bytes: None,
            bounds: Bounds::default(),
            assigned_prefix: "assigned".into(),
            rights: Rights::new("maison"),
            keeping: crate::broker::Keeping::Nothing,
        };
        let events = EventTopic::new("maison");
        let (hub, logins) =
            Hub::new(settings, clock.clone(), events, Visits::default(), Restored::default());
        Self { hub, clock, logins }
    }

    /// A client with a lasting session, subscribed.
    fn subscriber(&mut self, client_id: &str, filter: &str, qos: QoS) -> Line {
        let outbox = Arc::new(Outbox::default());
        let peer = Peer {
            address: "192.0.2.1:4000".parse().unwrap(),
            listener: "desk".into(),
            policy: Policy::Anonymous,
            certificate: None,
        };
        let connection = self.hub.opened(peer, Arc::clone(&outbox));
        let connect = Packet::Connect(Box::new(Connect {
            version: Version::V3_1_1,
            client_id: client_id.into(),
            clean_start: false,
            keep_alive: Duration::ZERO,
            will: None,
            credentials: Credentials::default(),
            properties: ConnectProperties::default(),
        }));
        self.hub.received(connection, &mut vec![connect]);
        let (asked, _) = self.logins.try_recv().unwrap();
        self.hub.verdict(asked, Ok(Principal::Anonymous));
        self.hub.received(connection, &mut vec![subscribe(filter, qos)]);
        (connection, outbox)
    }

    fn leave(&self, (connection, _): Line) {
        self.hub.closed(connection);
    }

    fn publish(&self, topic: &str, payload: &'static str) {
        let topic = TopicName::new(topic).unwrap();
        let message = Message { topic, payload: payload.into(), properties: None };
        self.hub.publish([Publication { message, qos: QoS::AtLeastOnce, retained_for: None }]);
    }

    /// Lets so much time go by, with a look in each second.
    fn pass(&self, time: Duration) {
        for _ in 0..time.as_secs() {
            self.clock.advance(Duration::from_secs(1));
            self.hub.enter([Input::Wake]);
        }
    }

    fn dropped(&self) -> u64 {
        self.hub.statistics().traffic.messages_dropped
    }
}

/// The payloads that have arrived and were not looked at yet.
fn heard((_, outbox): &Line) -> Vec<String> {
    let mut packets = Vec::new();
    outbox.take(&mut packets);
    let payload = |packet: Packet| match packet {
        Packet::Publish(publish) => {
            Some(String::from_utf8(publish.message.payload.into()).unwrap())
        }
        _ => None,
    };
    packets.into_iter().filter_map(payload).collect()
}

fn subscribe(filter: &str, qos: QoS) -> Packet {
    let filter = SubscribeFilter {
        filter: TopicFilter::new(filter).unwrap(),
        qos,
        no_local: false,
        retain_as_published: false,
        retain_handling: RetainHandling::Send,
    };
    Packet::Subscribe(Subscribe {
        packet_id: PacketId::MIN,
        filters: vec![filter],
        subscription_id: None,
        user_properties: Vec::new(),
    })
}

#[test]
fn what_a_full_queue_lost_is_told_to_the_subscribers_of_events() {
    let mut desk = Desk::new();
    let reader = desk.subscriber("reader", "maison/_gateway/event", QoS::AtMostOnce);
    let logger = desk.subscriber("logger", "maison/salon/#", QoS::AtLeastOnce);
    desk.leave(logger);
    for number in ["1", "2", "3", "4", "5"] {
        desk.publish("maison/salon/temperature", number);
    }
    assert_eq!(heard(&reader), [""; 0]);
    desk.pass(EVENT_INTERVAL);
    let expected = concat!(
        r#"{"event":"queue-dropped","client":"logger","messages":3"#,
        r#","t":"2026-11-22T13:00:10Z"}"#,
    );
    assert_eq!(heard(&reader), [expected]);
    desk.pass(EVENT_INTERVAL * 60);
    assert_eq!(heard(&reader), [""; 0]);
    assert_eq!(desk.dropped(), 3);
}

/// Its full queue loses a message for each event; those losses are counted, and cause no event.
#[test]
fn an_absent_subscriber_of_events_does_not_feed_itself() {
    let mut desk = Desk::new();
    let reader = desk.subscriber("reader", "maison/_gateway/event", QoS::AtMostOnce);
    let logger = desk.subscriber("logger", "maison/#", QoS::AtLeastOnce);
    desk.leave(logger);
    for number in ["1", "2", "3"] {
        desk.publish("maison/salon/temperature", number);
    }
    assert_eq!(desk.dropped(), 1);
    desk.pass(EVENT_INTERVAL * 60);
    assert_eq!(heard(&reader).len(), 1);
    assert_eq!(desk.dropped(), 2, "the event itself took one place");
}

#[test]
fn a_turn_ends_when_it_takes_too_long_and_the_rest_is_left_in_order() {
    let mut desk = Desk::with_clock(ManualClock::stepping(TURN / 2));
    let (talker, outbox) = desk.subscriber("talker", "t", QoS::AtMostOnce);
    let ids = 1..=20;
    let ping = |id| Packet::PubRel(Acknowledgement::success(PacketId::new(id).unwrap()));
    let mut packets: Vec<Packet> = ids.clone().map(ping).collect();
    let mut turns = 0;
    while !packets.is_empty() {
        let before = packets.len();
        desk.hub.received(talker, &mut packets);
        assert!(packets.len() < before, "each turn takes some");
        turns += 1;
    }
    assert!(turns >= 3, "{turns} turns");
    let mut answers = Vec::new();
    outbox.take(&mut answers);
    let answered = answers.iter().filter_map(|packet| match packet {
        Packet::PubComp(answer) => Some(answer.packet_id.get()),
        _ => None,
    });
    assert!(answered.eq(ids), "{answers:?}");
}

/// Many filters in one packet take milliseconds.
#[test]
fn after_a_packet_that_may_ask_for_much_the_clock_is_looked_at() {
    let desk = &mut Desk::with_clock(ManualClock::stepping(TURN));
    let (talker, _) = desk.subscriber("talker", "t", QoS::AtMostOnce);
    let mut packets: Vec<Packet> = (0..3).map(|_| subscribe("t", QoS::AtMostOnce)).collect();
    desk.hub.received(talker, &mut packets);
    assert_eq!(packets.len(), 2);
}
