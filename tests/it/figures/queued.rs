//! Messages for a client that is away: stored and drained per second, with every durability, beside
//! mosquitto. Debian's has no plugin that keeps each message; the nearest is to save everything on
//! every change.

use std::io::{Read as _, Write as _};
use std::time::Instant;

use bytes::BytesMut;
use maison::limits::PACKET_BYTES_MAX;
use maison::mqtt::{Decoder, Delivery, Encoder, Packet, PacketId, QoS, Role, Version};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::rival::Rival;
use crate::wire::{Session, Wire, connect, publish, success};

const PUBLISHERS: [u32; 3] = [1, 10, 100];
/// For the client that is away.
const MESSAGES: u32 = 50_000;
/// Where each costs as much as all before it.
const MESSAGES_FEW: u32 = 1000;
/// Unacknowledged of one publisher: what other makers' clients allow.
const WINDOW: u32 = 20;
const PAYLOAD: &[u8; 64] = &[b'x'; 64];
const ROUNDS: usize = 3;
const READ_BYTES: usize = 64 * 1024;
/// Bytes of a CONNACK and of a PUBACK.
const ANSWER_BYTES: usize = 4;

struct Kind {
    name: &'static str,
    start: fn() -> Rival,
    messages: u32,
}

/// With whose queue in memory the others are compared.
const MOSQUITTO: usize = 3;

const KINDS: [Kind; 5] = [
    Kind {
        name: "maison, power-cut",
        start: || Rival::gateway_with("power-cut"),
        messages: MESSAGES,
    },
    Kind { name: "maison, crash", start: || Rival::gateway_with("crash"), messages: MESSAGES },
    Kind { name: "maison, memory", start: || Rival::gateway_with("memory"), messages: MESSAGES },
    Kind { name: "mosquitto, memory", start: Rival::mosquitto, messages: MESSAGES },
    Kind {
        name: "mosquitto, saved on each change",
        start: || {
            Rival::mosquitto_with("persistence true\nautosave_on_changes true\nautosave_interval 1")
        },
        messages: MESSAGES_FEW,
    },
];

/// Of messages that are stored, or drained.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    per_second: f64,
    /// Time that processors spend on each, in microseconds.
    cost: f64,
}

#[test]
#[ignore = "figures need a release build, mosquitto and a quiet machine: see tests/figures"]
fn queued_messages_are_stored_and_drained() {
    let mut lines = Vec::new();
    for publishers in PUBLISHERS {
        let mut paces = [const { Vec::new() }; KINDS.len()];
        for _ in 0..ROUNDS {
            for (kind, paces) in KINDS.iter().zip(&mut paces) {
                paces.push(measure(kind, publishers));
            }
        }
        for (index, phase) in ["stored", "drained"].into_iter().enumerate() {
            let medians = paces.each_ref().map(|paces| Pace {
                per_second: median(paces.iter().map(|pace| pace[index].per_second)),
                cost: median(paces.iter().map(|pace| pace[index].cost)),
            });
            let theirs = medians[MOSQUITTO];
            for (kind, Pace { per_second, cost }) in KINDS.iter().zip(medians) {
                lines.push(format!(
                    "{publishers:3} publishers, {phase:8}{:32}{per_second:10.0}{:8.2}{cost:10.1}\
                     {:8.2}",
                    kind.name,
                    per_second / theirs.per_second,
                    cost / theirs.cost,
                ));
            }
        }
    }
    eprintln!("{:56}{:>10}{:>8}{:>10}{:>8}", "", "per second", "ratio", "CPU µs", "ratio");
    eprintln!("{}", lines.join("\n"));
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Stored, and drained.
fn measure(kind: &Kind, publishers: u32) -> [Pace; 2] {
    let rival = (kind.start)();
    let mut away = Wire::connect(rival.port, "away", Session::Stays);
    away.subscribe("house/#", QoS::AtLeastOnce);
    away.leave();
    let stored = pace(&rival, kind.messages, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut tasks = JoinSet::new();
            for number in 0..publishers {
                tasks.spawn(store(rival.port, number, kind.messages / publishers));
            }
            while let Some(done) = tasks.join_next().await {
                done.unwrap();
            }
        });
    });
    [stored, pace(&rival, kind.messages, || drain(rival.port, kind.messages))]
}

fn pace(rival: &Rival, messages: u32, work: impl FnOnce()) -> Pace {
    let (before, began) = (rival.processor_time(), Instant::now());
    work();
    let (messages, took) = (f64::from(messages), began.elapsed().as_secs_f64());
    let cost = (rival.processor_time() - before) * 1e6 / messages;
    Pace { per_second: messages / took, cost }
}

/// Publishes at QoS 1, and returns when all is acknowledged. As cheap as can be: as many at once as
/// were acknowledged at once.
async fn store(port: u16, number: u32, messages: u32) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut encoder = Encoder::with_role(Role::Client, Version::V3_1_1);
    let mut bytes = BytesMut::new();
    let words = connect(Version::V3_1_1, &format!("publisher-{number}"), Session::Clean);
    encoder.encode(&Packet::Connect(Box::new(words)), &mut bytes);
    stream.write_all(&bytes).await.unwrap();
    let mut answers = vec![0; READ_BYTES];
    stream.read_exact(&mut answers[..ANSWER_BYTES]).await.unwrap();
    let topic = format!("house/{number}/temperature");
    let (mut said, mut acknowledged, mut begun) = (0, 0, 0);
    while acknowledged < messages {
        bytes.clear();
        while said < messages && said - acknowledged < WINDOW {
            said += 1;
            let id = PacketId::new(u16::try_from(said % 65_535 + 1).unwrap()).unwrap();
            let packet = publish(&topic, Delivery::AtLeastOnce(id), PAYLOAD.as_slice());
            let payload = encoder.publish_header(&packet, &mut bytes);
            bytes.extend_from_slice(&payload);
        }
        stream.write_all(&bytes).await.unwrap();
        // Nothing but PUBACKs comes; one may come in two pieces.
        let read = stream.read(&mut answers).await.unwrap();
        assert!(read > 0, "closed after {acknowledged} of {messages}");
        begun += read;
        acknowledged += u32::try_from(begun / ANSWER_BYTES).unwrap();
        begun %= ANSWER_BYTES;
    }
}

/// Takes all that waits, acknowledging as many at once as came at once.
fn drain(port: u16, messages: u32) {
    let words = connect(Version::V3_1_1, "away", Session::Stays);
    let mut encoder = Encoder::with_role(Role::Client, Version::V3_1_1);
    let mut decoder = Decoder::new(Role::Server, PACKET_BYTES_MAX);
    decoder.set_version(Version::V3_1_1);
    let (mut arrived, mut said) = (BytesMut::new(), BytesMut::new());
    let mut stream = crate::wire::dial(port);
    encoder.encode(&Packet::Connect(Box::new(words)), &mut said);
    let (mut chunk, mut heard) = (vec![0; READ_BYTES], 0);
    while heard < messages {
        stream.write_all(&said).unwrap();
        said.clear();
        let read = stream.read(&mut chunk).unwrap();
        assert!(read > 0, "closed after {heard} of {messages}");
        arrived.extend_from_slice(&chunk[..read]);
        while let Some(packet) = decoder.next(&mut arrived).unwrap() {
            let Packet::Publish(message) = packet else { continue };
            heard += 1;
            let id = message.delivery.packet_id().expect("QoS 1");
            encoder.encode(&Packet::PubAck(success(id)), &mut said);
        }
    }
    stream.write_all(&said).unwrap();
}
