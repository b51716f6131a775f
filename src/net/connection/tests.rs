mod turns;
mod unfinished;

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;
use crate::access::Refusal;
use crate::limits::{
    PACKET_BYTES_ALONE_MIN, PACKET_BYTES_BEFORE_LOGIN_MAX, PACKET_BYTES_DEFAULT, READ_BYTES_MAX,
    UNFINISHED_BYTES_DEFAULT,
};
use crate::mqtt::{
    Acknowledgement, Delivery, Disconnect, DisconnectProperties, Message, PacketId, Publish,
    TopicName,
};
use crate::net::tests::{Record, Seen, peer, refusal, welcome};

const CONNECT_3_1_1: &[u8] = b"\x10\x0D\x00\x04MQTT\x04\x02\x00\x3C\x00\x01c";
/// Takes packets of 100 bytes.
const CONNECT_5_SMALL: &[u8] =
    b"\x10\x13\x00\x04MQTT\x05\x02\x00\x3C\x05\x27\x00\x00\x00\x64\x00\x01c";
const CONNACK: &[u8] = b"\x20\x02\x00\x00";
const PINGREQ: &[u8] = b"\xC0\x00";
const PINGRESP: &[u8] = b"\xD0\x00";

/// The far end of a connection that is being served.
struct Line {
    peer: DuplexStream,
    record: Record,
    task: JoinHandle<()>,
}

impl Line {
    /// A line that holds `bytes` in each direction.
    async fn open(bytes: usize) -> Self {
        Self::open_on(bytes, terms()).await
    }

    /// As [`Line::open`], under these terms.
    async fn open_on(bytes: usize, terms: Terms) -> Self {
        let (near, far) = duplex(bytes);
        let mut record = Record::new();
        let service: Arc<dyn Service> = record.service.clone();
        let task = tokio::spawn(serve(far, service, peer(), terms));
        assert!(matches!(record.next().await, Seen::Opened { .. }));
        Self { peer: near, record, task }
    }

    /// A line whose peer has logged in.
    async fn logged_in(bytes: usize) -> Self {
        Self::logged_in_on(bytes, terms()).await
    }

    /// As [`Line::logged_in`], under these terms.
    async fn logged_in_on(bytes: usize, terms: Terms) -> Self {
        let mut line = Self::open_on(bytes, terms).await;
        line.peer.write_all(CONNECT_3_1_1).await.unwrap();
        line.received_connect().await;
        line.record.outbox(0).push(welcome());
        line.reads(CONNACK).await;
        assert_eq!(line.record.next().await, Seen::Written(welcome().weight()));
        line
    }

    async fn received_connect(&mut self) {
        let Seen::Received(packets) = self.record.next().await else { panic!("no CONNECT") };
        assert!(matches!(&packets[..], [Packet::Connect(_)]), "{packets:?}");
    }

    async fn reads(&mut self, expected: &[u8]) {
        let mut bytes = vec![0; expected.len()];
        let read = timeout(Duration::from_secs(20), self.peer.read_exact(&mut bytes)).await;
        read.expect("nothing is written").unwrap();
        assert_eq!(bytes, expected);
    }

    async fn reads_end(&mut self) {
        let mut rest = Vec::new();
        self.peer.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"", "nothing but the end");
    }
}

fn terms() -> Terms {
    Terms {
        packet_bytes_before_login: PACKET_BYTES_BEFORE_LOGIN_MAX,
        packet_bytes_max: PACKET_BYTES_DEFAULT,
        unfinished: Unfinished::new(UNFINISHED_BYTES_DEFAULT),
    }
}

fn publish(payload_bytes: usize) -> Packet {
    let topic = TopicName::new("t").unwrap();
    let message = Message { topic, payload: vec![7; payload_bytes].into(), properties: None };
    let (delivery, subscription_ids) = (Delivery::AtMostOnce, Vec::new());
    Packet::Publish(Publish { dup: false, delivery, retain: false, message, subscription_ids })
}

/// A PUBLISH to `t` of that many bytes in all.
fn publish_bytes(total: usize) -> Vec<u8> {
    let remaining = total - 4;
    let low = u8::try_from(remaining % 128).unwrap() | 0x80;
    let (middle, high) = ((remaining / 128) % 128, remaining / 128 / 128);
    let middle = u8::try_from(middle).unwrap() | 0x80;
    let mut bytes = vec![0x30, low, middle, u8::try_from(high).unwrap(), 0, 1, b't'];
    bytes.resize(total, b'x');
    bytes
}

/// Section 3.1.4 lets a client send more before it has its CONNACK; a stranger's bytes wait.
#[tokio::test(start_paused = true)]
async fn nothing_is_decoded_between_a_connect_and_its_answer() {
    let mut line = Line::open(1024).await;
    line.peer.write_all(&[CONNECT_3_1_1, PINGREQ].concat()).await.unwrap();
    line.received_connect().await;
    line.peer.write_all(PINGREQ).await.unwrap();
    assert!(line.record.is_quiet().await);
    line.record.outbox(0).push(welcome());
    let next = line.record.next_but_written().await;
    assert_eq!(next, Seen::Received(vec![Packet::PingReq]));
    let next = line.record.next_but_written().await;
    assert_eq!(next, Seen::Received(vec![Packet::PingReq]));
}

#[tokio::test(start_paused = true)]
async fn bytes_of_a_stranger_are_not_taken_without_bound() {
    let mut line = Line::open(1024).await;
    line.peer.write_all(CONNECT_3_1_1).await.unwrap();
    line.received_connect().await;
    let flood = vec![0xC0; 1024 * 1024];
    let mut taken = 0;
    let all = async {
        loop {
            taken += line.peer.write(&flood).await.unwrap();
        }
    };
    timeout(Duration::from_secs(5), all).await.unwrap_err();
    assert!(taken <= 1024 + READ_BYTES_MAX, "{taken}");
}

/// What follows a large packet is read when that is whole.
#[tokio::test(start_paused = true)]
async fn a_large_packet_is_read_alone() {
    let mut line = Line::logged_in(1024 * 1024).await;
    let large = publish_bytes(PACKET_BYTES_ALONE_MIN);
    line.peer.write_all(&[&large, PINGREQ, &large, PINGREQ].concat()).await.unwrap();
    for _ in 0..2 {
        let Seen::Received(packets) = line.record.next().await else { panic!("no PUBLISH") };
        assert!(matches!(&packets[..], [Packet::Publish(_)]), "{}", packets.len());
        assert_eq!(line.record.next().await, Seen::Received(vec![Packet::PingReq]));
    }
}

#[tokio::test(start_paused = true)]
async fn packets_of_one_read_are_one_batch() {
    let mut line = Line::logged_in(1024).await;
    line.peer.write_all(&PINGREQ.repeat(3)).await.unwrap();
    let expected = Seen::Received(vec![Packet::PingReq; 3]);
    assert_eq!(line.record.next().await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_bounded() {
    let mut line = Line::logged_in(64 * 1024).await;
    line.peer.write_all(&PINGREQ.repeat(10 * PACKETS_PER_BATCH_MAX)).await.unwrap();
    let mut seen = 0;
    while seen < 10 * PACKETS_PER_BATCH_MAX {
        let Seen::Received(packets) = line.record.next().await else { panic!() };
        assert!(packets.len() <= PACKETS_PER_BATCH_MAX);
        seen += packets.len();
    }
}

#[tokio::test(start_paused = true)]
async fn packets_arrive_however_they_are_cut() {
    let mut line = Line::logged_in(1).await;
    line.peer.write_all(&publish_bytes(5000)).await.unwrap();
    let Seen::Received(packets) = line.record.next().await else { panic!() };
    let [Packet::Publish(publish)] = &packets[..] else { panic!("{packets:?}") };
    assert_eq!(publish.message.payload, vec![b'x'; 5000 - 7]);
}

#[tokio::test(start_paused = true)]
async fn only_who_is_logged_in_may_send_large_packets() {
    let mut line = Line::open(1024).await;
    // A CONNECT of 16 KiB and a byte is announced; the rest need not come.
    line.peer.write_all(b"\x10\xFE\xFF\x00").await.unwrap();
    let Seen::Malformed(DecodeError { reason, .. }) = line.record.next().await else { panic!() };
    assert_eq!(reason, ReasonCode::PacketTooLarge);

    let mut line = Line::logged_in(1024).await;
    let bytes = publish_bytes(usize::try_from(PACKET_BYTES_DEFAULT).unwrap());
    timeout(Duration::from_secs(5), line.peer.write_all(&bytes)).await.unwrap().unwrap();
    let Seen::Received(packets) = line.record.next().await else { panic!() };
    assert_eq!(packets.len(), 1);
    line.peer.write_all(b"\x30\xFD\xFF\x3F").await.unwrap();
    let Seen::Malformed(DecodeError { reason, .. }) = line.record.next().await else { panic!() };
    assert_eq!(reason, ReasonCode::PacketTooLarge);
}

#[tokio::test(start_paused = true)]
async fn what_came_before_a_malformed_packet_still_counts() {
    let mut line = Line::logged_in(1024).await;
    line.peer.write_all(&[PINGREQ, b"\x00\x00", PINGREQ].concat()).await.unwrap();
    assert_eq!(line.record.next().await, Seen::Received(vec![Packet::PingReq]));
    assert!(matches!(line.record.next().await, Seen::Malformed(_)));
    line.peer.write_all(PINGREQ).await.unwrap();
    assert!(line.record.is_quiet().await, "nothing counts after it");
    line.record.outbox(0).close();
    assert_eq!(line.record.next().await, Seen::Closed);
}

/// A 5.0 client hears why, a 3.1.1 client has no packet for it.
#[tokio::test(start_paused = true)]
async fn answers_are_in_the_version_of_the_connect() {
    let good_bye = || {
        let properties = DisconnectProperties::default();
        Packet::Disconnect(Box::new(Disconnect {
            reason: ReasonCode::SessionTakenOver,
            properties,
        }))
    };
    let mut line = Line::logged_in(1024).await;
    line.record.outbox(0).push(good_bye());
    line.record.outbox(0).close();
    line.reads_end().await;

    let mut line = Line::open(1024).await;
    line.peer.write_all(CONNECT_5_SMALL).await.unwrap();
    line.received_connect().await;
    line.record.outbox(0).push(welcome());
    line.reads(b"\x20\x03\x00\x00\x00").await;
    line.record.outbox(0).push(good_bye());
    line.record.outbox(0).close();
    line.reads(b"\xE0\x01\x8E").await;
    line.reads_end().await;
}

/// [MQTT-3.2.2-17], [MQTT-3.2.2-18], [MQTT-3.3.2-12] of 5.0.
#[tokio::test(start_paused = true)]
async fn what_a_connack_offers_is_taken_and_no_more() {
    let mut line = Line::open(1024).await;
    line.peer.write_all(CONNECT_5_SMALL).await.unwrap();
    line.received_connect().await;
    let Packet::ConnAck(mut answer) = welcome() else { unreachable!() };
    answer.properties.topic_alias_maximum = Some(1);
    line.record.outbox(0).push(Packet::ConnAck(answer));
    for topic in [&b"\0\x01t"[..], b"\0\0"] {
        let length = u8::try_from(topic.len() + 4).unwrap();
        let bytes = [&[0x30, length], topic, b"\x03\x23\0\x01"].concat();
        line.peer.write_all(&bytes).await.unwrap();
        let Seen::Received(packets) = line.record.next_but_written().await else { panic!() };
        let [Packet::Publish(publish)] = &packets[..] else { panic!("{packets:?}") };
        assert_eq!(publish.message.topic.as_str(), "t");
    }
    line.peer.write_all(b"\x30\x07\0\x01t\x03\x23\0\x02").await.unwrap();
    let Seen::Malformed(DecodeError { reason, .. }) = line.record.next().await else { panic!() };
    assert_eq!(reason, ReasonCode::TopicAliasInvalid);
}

/// [MQTT-3.1.2-24] of 5.0.
#[tokio::test(start_paused = true)]
async fn a_client_gets_no_packet_larger_than_it_takes() {
    let mut line = Line::open(1024).await;
    line.peer.write_all(CONNECT_5_SMALL).await.unwrap();
    line.received_connect().await;
    let outbox = line.record.outbox(0);
    for packet in [welcome(), publish(200), Packet::PingResp] {
        outbox.push(packet);
    }
    line.reads(b"\x20\x03\x00\x00\x00\xD0\x00").await;
}

#[tokio::test(start_paused = true)]
async fn reading_goes_on_while_a_slow_reader_is_written_to() {
    let mut line = Line::logged_in(64).await;
    line.record.outbox(0).push(publish(10_000));
    assert!(line.record.is_quiet().await, "the line is full");
    line.peer.write_all(PINGREQ).await.unwrap();
    assert_eq!(line.record.next_but_written().await, Seen::Received(vec![Packet::PingReq]));
}

#[tokio::test(start_paused = true)]
async fn every_weight_is_given_back() {
    let mut line = Line::logged_in(100_000).await;
    let packets = [publish(10), publish(20_000), Packet::PingResp];
    let weight: usize = packets.iter().map(Packet::weight).sum();
    for packet in packets {
        line.record.outbox(0).push(packet);
    }
    let mut given_back = 0;
    while given_back < weight {
        let Seen::Written(bytes) = line.record.next().await else { panic!() };
        given_back += bytes;
    }
    assert_eq!(given_back, weight);
    assert!(line.record.is_quiet().await);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_nothing_for_a_minute_is_left() {
    let mut line = Line::logged_in(64).await;
    let start = Instant::now();
    line.record.outbox(0).push(publish(10_000));
    loop {
        let Ok(seen) = timeout(WRITE_STALL_TIMEOUT * 2, line.record.next_for_long()).await else {
            panic!("still there");
        };
        if seen == Seen::Closed {
            break;
        }
    }
    assert_eq!(start.elapsed().as_secs(), WRITE_STALL_TIMEOUT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_is_slow_but_steady_gets_everything() {
    let mut line = Line::logged_in(64).await;
    line.record.outbox(0).push(publish(1000));
    let mut bytes = vec![0; 1006];
    for byte in &mut bytes {
        sleep(Duration::from_secs(30)).await;
        *byte = line.peer.read_u8().await.unwrap();
    }
    assert_eq!(bytes[6..], [7; 1000]);
    line.peer.write_all(PINGREQ).await.unwrap();
    assert_eq!(line.record.next_but_written().await, Seen::Received(vec![Packet::PingReq]));
}

#[tokio::test(start_paused = true)]
async fn last_words_are_written_before_the_end() {
    let mut line = Line::open(1024).await;
    // The client does not wait for its answer; what it sent more must not cost it the answer.
    line.peer.write_all(&[CONNECT_3_1_1, &PINGREQ.repeat(100)].concat()).await.unwrap();
    line.received_connect().await;
    line.record.outbox(0).push(refusal());
    line.record.outbox(0).close();
    line.reads(b"\x20\x02\x00\x05").await;
    line.reads_end().await;
    assert_eq!(line.record.next().await, Seen::Written(refusal().weight()));
    // Closed with bytes unread, the kernel would send a reset, which overtakes the refusal.
    assert_eq!(line.record.next_within(CLOSE_TIMEOUT / 2).await, None, "closed too soon");
    drop(line.peer);
    assert_eq!(line.record.next().await, Seen::Closed);
    line.task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_take_its_last_words_is_left_soon() {
    let mut line = Line::logged_in(64).await;
    let start = Instant::now();
    line.record.outbox(0).push(publish(10_000));
    line.record.outbox(0).close();
    assert_eq!(line.record.next_but_written().await, Seen::Closed);
    assert_eq!(start.elapsed().as_secs(), CLOSE_TIMEOUT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_closed_outbox_is_noticed_while_a_write_is_stuck() {
    let mut line = Line::logged_in(64).await;
    line.record.outbox(0).push(publish(10_000));
    assert!(line.record.is_quiet().await);
    let start = Instant::now();
    line.record.outbox(0).close();
    assert_eq!(line.record.next_but_written().await, Seen::Closed);
    assert!(start.elapsed() < WRITE_STALL_TIMEOUT / 2);
}

/// `printf … | nc`: the peer has said all, and still listens.
#[tokio::test(start_paused = true)]
async fn a_peer_that_has_said_all_still_gets_what_was_for_it() {
    let mut line = Line::logged_in(1024).await;
    line.record.outbox(0).push(Packet::PingResp);
    line.peer.shutdown().await.unwrap();
    line.reads(PINGRESP).await;
    line.reads_end().await;
    assert_eq!(line.record.next_but_written().await, Seen::Closed);
}

#[tokio::test(start_paused = true)]
async fn the_service_hears_of_the_end_exactly_once() {
    let Line { peer, mut record, task } = Line::logged_in(1024).await;
    drop(peer);
    assert_eq!(record.next().await, Seen::Closed);
    task.await.unwrap();
    assert!(record.is_quiet().await);

    let Line { peer: _peer, mut record, task } = Line::logged_in(1024).await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(record.next().await, Seen::Closed);
    assert!(record.is_quiet().await);
}

/// Fails at the first packet.
struct Broken(Arc<dyn Service>);

impl Service for Broken {
    fn opened(&self, peer: Peer, outbox: Arc<Outbox>) -> ConnectionId {
        self.0.opened(peer, outbox)
    }
    fn refused(&self, _peer: &Peer, _user: &str, _refusal: Refusal) {}
    fn received(&self, _connection: ConnectionId, _packets: &mut Vec<Packet>) {
        panic!("as the test wants it");
    }
    fn malformed(&self, _connection: ConnectionId, _error: DecodeError) {}
    fn written(&self, _connection: ConnectionId, _bytes: usize) {}
    fn closed(&self, connection: ConnectionId) {
        self.0.closed(connection);
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_the_service_ends_one_connection_in_order() {
    let (mut near, far) = duplex(1024);
    let mut record = Record::new();
    let service = Arc::new(Broken(record.service.clone()));
    let task = tokio::spawn(serve(far, service, peer(), terms()));
    assert!(matches!(record.next().await, Seen::Opened { .. }));
    near.write_all(CONNECT_3_1_1).await.unwrap();
    assert_eq!(record.next().await, Seen::Closed);
    assert!(task.await.unwrap_err().is_panic());
}

/// What follows a packet waits with it, the end of the connection too.
#[tokio::test(start_paused = true)]
async fn what_had_no_turn_comes_again_in_order_and_before_what_is_behind_it() {
    for behind in [&b""[..], b"\x00\x00"] {
        let mut line = Line::logged_in(1024).await;
        line.record.service.bite.store(1, Ordering::Relaxed);
        let acknowledgements = [1, 2, 3].map(|id| [0x40, 2, 0, id]).concat();
        line.peer.write_all(&[&acknowledgements, behind].concat()).await.unwrap();
        line.peer.shutdown().await.unwrap();
        for id in 1..=3 {
            let packet_id = PacketId::new(id).unwrap();
            let expected = Packet::PubAck(Acknowledgement::success(packet_id));
            assert_eq!(line.record.next().await, Seen::Received(vec![expected]));
        }
        if !behind.is_empty() {
            assert!(matches!(line.record.next().await, Seen::Malformed(_)));
            line.record.outbox(0).close();
        }
        assert_eq!(line.record.next().await, Seen::Closed);
    }
}

/// One that sends without end is heard in pieces: others have their turn in between.
#[tokio::test]
async fn a_batch_is_bounded_and_others_have_their_turn_after_it() {
    let mut line = Line::logged_in(READ_BYTES_MAX).await;
    let pings = 4 * PACKETS_PER_BATCH_MAX;
    line.peer.write_all(&PINGREQ.repeat(pings)).await.unwrap();
    let (mut heard, mut batches) = (0, 0);
    while heard < pings {
        let Seen::Received(batch) = line.record.next().await else { panic!("no packets") };
        assert!(batch.len() <= PACKETS_PER_BATCH_MAX);
        (heard, batches) = (heard + batch.len(), batches + 1);
        // This is such another: no further batch came while it had no turn.
        assert!(line.record.is_empty(), "after {batches}");
    }
}

/// Its future is what a quiet connection costs all day, beside what the broker keeps of it.
#[tokio::test]
async fn a_quiet_connection_is_small() {
    let (_, far) = duplex(1);
    let record = Record::new();
    let service: Arc<dyn Service> = record.service.clone();
    let bytes = size_of_val(&serve(far, service, peer(), terms()));
    assert!(bytes <= 900, "{bytes} bytes");
}
