use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::*;
use crate::limits::PAYLOAD_BYTES_COPIED_MAX;
use crate::mqtt::{Delivery, Message, Publish, TopicName, Version};

/// Takes at most `at_a_time` bytes by one write, and counts the writes.
struct Stream {
    at_a_time: usize,
    writes: usize,
    taken: Vec<u8>,
}

impl Stream {
    fn new(at_a_time: usize) -> Self {
        Self { at_a_time, writes: 0, taken: Vec::new() }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let before = self.taken.len();
        for slice in slices {
            let room = self.at_a_time - (self.taken.len() - before);
            self.taken.extend_from_slice(&slice[..slice.len().min(room)]);
        }
        self.writes += 1;
        Poll::Ready(Ok(self.taken.len() - before))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn publish(payload: Bytes) -> Packet {
    let topic = TopicName::new("maison/salon/temperature").unwrap();
    let message = Message { topic, payload, properties: None };
    let subscription_ids = Vec::new();
    let delivery = Delivery::AtMostOnce;
    Packet::Publish(Publish { dup: false, delivery, retain: false, message, subscription_ids })
}

fn payload(bytes: usize) -> Bytes {
    (0..bytes).map(|index| u8::try_from(index % 251).unwrap()).collect()
}

/// Small packets around two payloads that are not copied.
fn mixture() -> Vec<Packet> {
    vec![
        Packet::PingResp,
        publish(payload(PAYLOAD_BYTES_COPIED_MAX)),
        publish(payload(PAYLOAD_BYTES_COPIED_MAX + 1)),
        publish(payload(3 * PAYLOAD_BYTES_COPIED_MAX)),
        publish(payload(4)),
        Packet::PingResp,
    ]
}

fn encoder() -> Encoder {
    Encoder::new(Version::V3_1_1)
}

async fn step(writer: &mut Writer, stream: &mut Stream) -> usize {
    poll_fn(|context| writer.poll_step(Pin::new(stream), context)).await.unwrap()
}

async fn drain(writer: &mut Writer, stream: &mut Stream) -> usize {
    let mut weight = 0;
    while writer.is_busy() {
        weight += step(writer, stream).await;
    }
    weight
}

#[tokio::test]
async fn the_bytes_are_the_same_however_they_leave() {
    let mut expected = BytesMut::new();
    let mut encoder_of_all = encoder();
    for packet in &mixture() {
        encoder_of_all.encode(packet, &mut expected);
    }
    let weight: usize = mixture().iter().map(Packet::weight).sum();
    for at_a_time in [1, 7, 4096, PAYLOAD_BYTES_COPIED_MAX, usize::MAX] {
        let (mut writer, mut stream) = (Writer::default(), Stream::new(at_a_time));
        writer.encode(&mut mixture(), &mut encoder());
        assert_eq!(drain(&mut writer, &mut stream).await, weight);
        assert!(stream.taken == expected, "{at_a_time} at a time");
    }
}

#[tokio::test]
async fn many_packets_leave_with_one_system_call() {
    for packets in [mixture(), vec![Packet::PingResp; 1000]] {
        let (mut writer, mut stream) = (Writer::default(), Stream::new(usize::MAX));
        writer.encode(&mut { packets }, &mut encoder());
        drain(&mut writer, &mut stream).await;
        assert_eq!(stream.writes, 1);
    }
}

#[test]
fn a_large_payload_is_written_from_where_it_lies() {
    let mut writer = Writer::default();
    let large = payload(PAYLOAD_BYTES_COPIED_MAX + 1);
    writer.encode(&mut vec![publish(large.clone()), Packet::PingResp], &mut encoder());
    assert!(writer.sealed.iter().any(|piece| piece.as_ptr() == large.as_ptr()));
}

#[tokio::test]
async fn weight_is_given_back_when_its_packets_are_out_not_before() {
    let (mut writer, mut stream) = (Writer::default(), Stream::new(2));
    let ping = Packet::PingResp.weight();
    writer.encode(&mut vec![Packet::PingResp], &mut encoder());
    writer.encode(&mut vec![Packet::PingResp, Packet::PingResp], &mut encoder());
    assert_eq!(step(&mut writer, &mut stream).await, ping);
    assert_eq!(step(&mut writer, &mut stream).await, 0);
    assert_eq!(step(&mut writer, &mut stream).await, 2 * ping);
    assert!(!writer.is_busy());
}

/// A 3.1.1 client has no DISCONNECT from its server.
#[tokio::test]
async fn what_is_not_written_still_gives_its_weight_back() {
    let (mut writer, mut stream) = (Writer::default(), Stream::new(1));
    writer.encode(&mut vec![Packet::PingReq], &mut encoder());
    assert!(writer.is_busy());
    assert_eq!(drain(&mut writer, &mut stream).await, Packet::PingReq.weight());
    assert!(stream.taken.is_empty());
}

#[tokio::test]
async fn a_buffer_that_grew_in_a_burst_is_given_back() {
    let (mut writer, mut stream) = (Writer::default(), Stream::new(usize::MAX));
    writer.encode(&mut vec![publish(payload(PAYLOAD_BYTES_COPIED_MAX))], &mut encoder());
    drain(&mut writer, &mut stream).await;
    assert!(writer.open.capacity() <= KEPT_BYTES_MAX);
}
