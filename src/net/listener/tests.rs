use std::net::Shutdown;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::*;
use crate::access::Refusal;
use crate::limits::{CONNECT_TIMEOUT, PACKET_BYTES_DEFAULT};
use crate::mqtt::Packet;
use crate::net::Bounds;
use crate::net::tests::{Record, Seen, welcome};
use crate::net::tls::tests::House;

const CONNECT: &[u8] = b"\x10\x0D\x00\x04MQTT\x04\x02\x00\x3C\x00\x01c";

/// Longest a test waits for what should happen at once.
const SOON: Duration = Duration::from_secs(5);

/// A listener at work on a port of the loopback.
struct Door {
    address: SocketAddr,
    record: Record,
    stop: Stop,
    task: JoinHandle<()>,
}

impl Door {
    fn open(tls: Option<Tls>, admission: &Arc<Admission>) -> Self {
        Self::open_for(Transport::Tcp, tls, admission)
    }

    fn open_for(transport: Transport, tls: Option<Tls>, admission: &Arc<Admission>) -> Self {
        let listener = Listener {
            name: "front".into(),
            bind: "127.0.0.1:0".parse().unwrap(),
            policy: Policy::Anonymous,
            tls: tls.map(Arc::new),
            transport,
            packet_bytes_max: PACKET_BYTES_DEFAULT,
        };
        let bound = Bound::bind(listener, admission).unwrap();
        let (address, record, stop) = (bound.local_addr().unwrap(), Record::new(), Stop::new());
        let task = tokio::spawn(bound.serve(record.service.clone(), stop.clone()));
        Self { address, record, stop, task }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

fn places(connections: usize, connections_per_address: usize) -> Arc<Admission> {
    Admission::new(Bounds { connections, connections_per_address, ..Bounds::default() })
}

fn opened() -> Seen {
    Seen::Opened { listener: "front".to_owned(), certificate: None }
}

/// Whether the other end closed without a word.
async fn is_turned_away(stream: &mut TcpStream) -> bool {
    let read = timeout(SOON, stream.read(&mut [0; 16])).await.expect("still open");
    read.map_or(true, |bytes| bytes == 0)
}

#[tokio::test]
async fn a_peer_is_announced_with_its_listener_and_served() {
    let mut door = Door::open(None, &Admission::new(Bounds::default()));
    let mut peer = door.connect().await;
    assert_eq!(door.record.next().await, opened());
    peer.write_all(CONNECT).await.unwrap();
    let Seen::Received(packets) = door.record.next().await else { panic!() };
    assert!(matches!(&packets[..], [Packet::Connect(_)]), "{packets:?}");
    drop(peer);
    door.record.outbox(0).close();
    assert_eq!(door.record.next().await, Seen::Closed);
}

#[tokio::test]
async fn a_peer_is_announced_after_its_handshake_with_the_name_in_its_certificate() {
    let house = House::new();
    let mut door =
        Door::open(Some(house.tls(Policy::Certificate)), &Admission::new(Bounds::default()));
    let connector = TlsConnector::from(Arc::new(house.named("bob")));
    let name = ServerName::try_from("localhost").unwrap();
    let mut peer = connector.connect(name, door.connect().await).await.unwrap();
    let certificate = Some("bob".to_owned());
    let expected = Seen::Opened { listener: "front".to_owned(), certificate };
    assert_eq!(door.record.next().await, expected);
    door.record.outbox(0).push(Packet::PingResp);
    let mut bytes = [0; 2];
    timeout(SOON, peer.read_exact(&mut bytes)).await.unwrap().unwrap();
    assert_eq!(bytes, *b"\xD0\x00");
}

#[tokio::test]
async fn plain_text_on_a_tls_port_gets_no_answer_and_reaches_nobody() {
    let house = House::new();
    let mut door =
        Door::open(Some(house.tls(Policy::Password)), &Admission::new(Bounds::default()));
    let mut peer = door.connect().await;
    peer.write_all(CONNECT).await.unwrap();
    let mut answer = Vec::new();
    let read = timeout(SOON, peer.read_to_end(&mut answer)).await.expect("still open");
    drop(read);
    // A TLS alert at most (RFC 8446 section 5.1: content type 21), never a CONNACK.
    assert!(matches!(answer.first(), None | Some(21)), "{answer:?}");
    let next = door.record.next_within(Duration::from_millis(1)).await;
    assert_eq!(next, None, "the service knows nothing of it");
}

#[tokio::test]
async fn who_comes_without_a_certificate_is_told_to_the_service_and_noise_is_not() {
    let house = House::new();
    let admission = Admission::new(Bounds::default());
    let mut door = Door::open(Some(house.tls(Policy::Certificate)), &admission);
    door.connect().await.write_all(CONNECT).await.unwrap();
    let connector = TlsConnector::from(Arc::new(house.stranger()));
    let name = ServerName::try_from("localhost").unwrap();
    // In TLS 1.3 the client learns of it when it reads.
    let mut peer = connector.connect(name, door.connect().await).await.unwrap();
    let refusal = Refusal::NoCertificate;
    assert_eq!(door.record.next().await, Seen::Refused { user: String::new(), refusal });
    timeout(SOON, peer.read(&mut [0; 1])).await.unwrap().unwrap_err();
    assert_eq!(admission.turned_away().handshakes, 1, "the noise alone");
    assert!(door.record.is_empty());
}

#[tokio::test]
async fn half_handshakes_delay_nobody_else() {
    let house = House::new();
    let mut door =
        Door::open(Some(house.tls(Policy::Password)), &Admission::new(Bounds::default()));
    let mut half = Vec::new();
    for number in 0..50 {
        let mut peer = door.connect().await;
        // Silence, or the first bytes of a hello of 512 bytes (RFC 8446 section 5.1).
        let bytes: &[u8] = if number % 2 == 0 { b"" } else { b"\x16\x03\x01\x02\x00\x01" };
        peer.write_all(bytes).await.unwrap();
        half.push(peer);
    }
    let connector = TlsConnector::from(Arc::new(house.stranger()));
    let name = ServerName::try_from("localhost").unwrap();
    let handshake = connector.connect(name, door.connect().await);
    let _peer = timeout(CONNECT_TIMEOUT / 2, handshake).await.unwrap().unwrap();
    assert_eq!(door.record.next().await, opened());
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_ended() {
    let house = House::new();
    let connect_timeout = CONNECT_TIMEOUT * 3;
    let admission = Admission::new(Bounds { connect_timeout, ..Bounds::default() });
    let door = Door::open(Some(house.tls(Policy::Password)), &admission);
    let mut peer = door.connect().await;
    tokio::time::pause();
    let mut byte = [0];
    timeout(connect_timeout.saturating_sub(SOON), peer.read(&mut byte))
        .await
        .expect_err("ended too soon");
    let read = timeout(2 * SOON, peer.read(&mut byte)).await;
    assert_eq!(read.expect("still open").unwrap(), 0);
}

/// What asks for a WebSocket of MQTT.
const UPGRADE: &[u8] = b"GET /mqtt HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";

#[tokio::test]
async fn a_peer_with_a_websocket_is_announced_after_its_handshake_and_served() {
    let house = House::new();
    let admission = Admission::new(Bounds::default());
    for tls in [None, Some(house.tls(Policy::Certificate))] {
        let is_encrypted = tls.is_some();
        let certificate = is_encrypted.then(|| "bob".to_owned());
        let mut door = Door::open_for(Transport::WebSocket, tls, &admission);
        let stream = door.connect().await;
        if is_encrypted {
            let connector = TlsConnector::from(Arc::new(house.named("bob")));
            let name = ServerName::try_from("localhost").unwrap();
            let stream = connector.connect(name, stream).await.unwrap();
            speak_websocket(stream, &mut door, certificate).await;
        } else {
            speak_websocket(stream, &mut door, certificate).await;
        }
    }
}

async fn speak_websocket(
    mut peer: impl AsyncRead + AsyncWrite + Unpin,
    door: &mut Door,
    certificate: Option<String>,
) {
    peer.write_all(UPGRADE).await.unwrap();
    let expected = Seen::Opened { listener: "front".to_owned(), certificate };
    assert_eq!(door.record.next().await, expected);
    let mut bytes = vec![0; 12];
    timeout(SOON, peer.read_exact(&mut bytes)).await.unwrap().unwrap();
    assert_eq!(bytes, b"HTTP/1.1 101");
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(timeout(SOON, peer.read_u8()).await.unwrap().unwrap());
    }
    // The packet comes in two frames, under a mask of zeros.
    let (one, two) = CONNECT.split_at(7);
    peer.write_all(&[b"\x82\x87\0\0\0\0", one, b"\x82\x88\0\0\0\0", two].concat()).await.unwrap();
    let Seen::Received(packets) = door.record.next().await else { panic!() };
    assert!(matches!(&packets[..], [Packet::Connect(_)]), "{packets:?}");
    let outbox = door.record.outbox(0);
    outbox.push(welcome());
    outbox.push(Packet::PingResp);
    outbox.close();
    let mut bytes = [0; 12];
    timeout(SOON, peer.read_exact(&mut bytes)).await.unwrap().unwrap();
    assert_eq!(&bytes, b"\x82\x06\x20\x02\0\0\xD0\0\x88\x02\x03\xE8");
    peer.write_all(b"\x88\x82\0\0\0\0\x03\xE8").await.unwrap();
    assert_eq!(timeout(SOON, peer.read(&mut bytes)).await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn what_is_no_websocket_reaches_nobody() {
    let mut door = Door::open_for(Transport::WebSocket, None, &Admission::new(Bounds::default()));
    let mut peer = door.connect().await;
    peer.write_all(CONNECT).await.unwrap();
    let mut answer = [0; 12];
    timeout(SOON, peer.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 400");
    assert_eq!(door.record.next_within(Duration::from_millis(1)).await, None);
}

#[tokio::test]
async fn a_websocket_handshake_that_never_ends_is_ended() {
    let mut door = Door::open_for(Transport::WebSocket, None, &Admission::new(Bounds::default()));
    let mut peer = door.connect().await;
    let (start, end) = UPGRADE.split_at(40);
    peer.write_all(start).await.unwrap();
    tokio::time::pause();
    let slow = async {
        for byte in end {
            tokio::time::sleep(Duration::from_secs(1)).await;
            peer.write_all(&[*byte]).await?;
        }
        io::Result::Ok(())
    };
    timeout(WEBSOCKET_HANDSHAKE_TIMEOUT * 2, slow).await.expect("still open").unwrap_err();
    assert_eq!(door.record.next_within(Duration::from_millis(1)).await, None);
}

#[tokio::test]
async fn who_is_too_many_from_one_address_is_turned_away_until_a_place_is_free() {
    let mut door = Door::open(None, &places(10, 2));
    let first = door.connect().await;
    let _second = door.connect().await;
    assert_eq!([door.record.next().await, door.record.next().await], [opened(), opened()]);
    assert!(is_turned_away(&mut door.connect().await).await);
    drop(first);
    assert_eq!(door.record.next().await, Seen::Closed);
    // The place is free a moment after the service has heard of the end.
    let admitted = async {
        loop {
            let mut peer = door.connect().await;
            if timeout(Duration::from_millis(100), peer.read(&mut [0; 1])).await.is_err() {
                return peer;
            }
        }
    };
    let _third = timeout(SOON, admitted).await.unwrap();
}

#[tokio::test]
async fn the_bound_on_all_is_shared_by_the_listeners() {
    let admission = places(1, 1);
    let (mut front, back) = (Door::open(None, &admission), Door::open(None, &admission));
    let _first = front.connect().await;
    assert_eq!(front.record.next().await, opened());
    assert!(is_turned_away(&mut back.connect().await).await);
}

#[tokio::test]
async fn a_stopped_listener_frees_its_port_and_keeps_its_connections() {
    let mut door = Door::open(None, &Admission::new(Bounds::default()));
    let mut peer = door.connect().await;
    assert_eq!(door.record.next().await, opened());
    door.stop.stop();
    timeout(SOON, door.task).await.unwrap().unwrap();
    TcpStream::connect(door.address).await.unwrap_err();
    let outbox = door.record.outbox(0);
    outbox.push(Packet::PingResp);
    outbox.close();
    let mut bytes = Vec::new();
    timeout(SOON, peer.read_to_end(&mut bytes)).await.unwrap().unwrap();
    assert_eq!(bytes, b"\xD0\x00");
}

#[tokio::test]
async fn a_stop_ends_websocket_handshakes_in_progress() {
    let door = Door::open_for(Transport::WebSocket, None, &Admission::new(Bounds::default()));
    let mut peer = door.connect().await;
    peer.write_all(&UPGRADE[..40]).await.unwrap();
    // Peers are accepted in order: with this one in, the other is shaking hands.
    let mut other = door.connect().await;
    other.write_all(UPGRADE).await.unwrap();
    timeout(SOON, other.read_u8()).await.unwrap().unwrap();
    door.stop.stop();
    assert!(is_turned_away(&mut peer).await);
}

#[tokio::test]
async fn a_stop_ends_handshakes_in_progress() {
    let house = House::new();
    let door = Door::open(Some(house.tls(Policy::Password)), &Admission::new(Bounds::default()));
    let mut peer = door.connect().await;
    // Peers are accepted in order: with this one in, the other is shaking hands.
    let connector = TlsConnector::from(Arc::new(house.stranger()));
    let name = ServerName::try_from("localhost").unwrap();
    let _other = connector.connect(name, door.connect().await).await.unwrap();
    door.stop.stop();
    assert!(is_turned_away(&mut peer).await);
}

#[tokio::test]
async fn small_packets_leave_at_once_and_a_dead_network_is_noticed() {
    let door = Door::open(None, &Admission::new(Bounds::default()));
    let peer = door.connect().await.into_std().unwrap();
    let stream = TcpStream::from_std(peer.try_clone().unwrap()).unwrap();
    prepare(&stream).unwrap();
    let socket = SockRef::from(&stream);
    assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
    assert_eq!(socket.tcp_keepalive_time().unwrap(), TCP_KEEPALIVE.0);
    peer.shutdown(Shutdown::Both).unwrap();
}
