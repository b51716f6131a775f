use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::timeout;

use super::*;
use crate::limits::READ_BYTES_MAX;

/// Two streams in memory, the near one with frames written by hand.
fn line(bytes: usize) -> (DuplexStream, WebSocket<DuplexStream>) {
    let (near, far) = duplex(bytes);
    (near, WebSocket::new(far))
}

/// A frame of a client, short and under a mask of zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = 0x80 | u8::try_from(payload.len()).unwrap();
    [&[first, length, 0, 0, 0, 0], payload].concat()
}

async fn reads(near: &mut DuplexStream, expected: &[u8]) {
    let mut bytes = vec![0; expected.len()];
    timeout(Duration::from_secs(5), near.read_exact(&mut bytes)).await.unwrap().unwrap();
    assert_eq!(bytes, expected);
}

#[tokio::test]
async fn frames_of_one_read_are_one_read_of_packets() {
    let (mut near, mut socket) = line(1024);
    let wire = [frame(0x82, b"one"), frame(0x02, b"t"), frame(0x80, b"wo")].concat();
    near.write_all(&wire).await.unwrap();
    let mut bytes = [0; 100];
    assert_eq!(socket.read(&mut bytes).await.unwrap(), 6);
    assert_eq!(&bytes[..6], b"onetwo");
}

#[tokio::test(start_paused = true)]
async fn a_frame_without_payload_is_no_end() {
    let (mut near, mut socket) = line(1024);
    near.write_all(&frame(0x82, b"")).await.unwrap();
    let mut bytes = [0; 100];
    timeout(Duration::from_secs(1), socket.read(&mut bytes)).await.unwrap_err();
}

#[tokio::test]
async fn a_ping_is_answered_by_reading_alone() {
    let (mut near, mut socket) = line(1024);
    near.write_all(&[frame(0x89, b"there?"), frame(0x82, b"x")].concat()).await.unwrap();
    let mut bytes = [0; 100];
    assert_eq!(socket.read(&mut bytes).await.unwrap(), 1);
    reads(&mut near, b"\x8A\x06there?").await;
}

#[tokio::test]
async fn who_pings_and_does_not_read_costs_no_memory_and_can_go_on() {
    let (mut near, mut socket) = line(200);
    let flood = tokio::spawn(async move {
        for _ in 0..1000 {
            near.write_all(&frame(0x89, &[b'p'; 125])).await.unwrap();
        }
        near.write_all(&frame(0x82, b"x")).await.unwrap();
        near
    });
    let mut bytes = [0; 100];
    let read = timeout(Duration::from_secs(5), socket.read(&mut bytes)).await.unwrap();
    assert_eq!(read.unwrap(), 1);
    drop(flood.await.unwrap());
}

/// A packet of any size passes through, whatever frame it comes in.
#[tokio::test]
async fn a_huge_frame_streams_through() {
    let length = 20 * 1024 * 1024_u64;
    let (mut near, mut socket) = line(64 * 1024);
    let client = tokio::spawn(async move {
        let header = [&b"\x82\xFF"[..], &length.to_be_bytes(), &[1, 2, 3, 4]].concat();
        near.write_all(&header).await.unwrap();
        let block: Vec<u8> = [1, 2, 3, 4].into_iter().cycle().take(64 * 1024).collect();
        for _ in 0..length / 65_536 {
            near.write_all(&block).await.unwrap();
        }
        near
    });
    let (mut bytes, mut seen) = (vec![9; READ_BYTES_MAX], 0_u64);
    while seen < length {
        let count = socket.read(&mut bytes).await.unwrap();
        assert!(count > 0 && bytes[..count].iter().all(|byte| *byte == 0));
        seen += u64::try_from(count).unwrap();
    }
    drop(client.await.unwrap());
}

#[tokio::test]
async fn a_close_is_an_end_and_is_answered_with_its_code() {
    let (mut near, mut socket) = line(1024);
    let wire = [frame(0x82, b"x"), frame(0x88, b"\x0B\xB8bye"), frame(0x82, b"late")].concat();
    near.write_all(&wire).await.unwrap();
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(bytes, b"x");
    socket.write_all(b"last").await.unwrap();
    socket.shutdown().await.unwrap();
    reads(&mut near, b"\x82\x04last\x88\x02\x0B\xB8").await;
    assert_eq!(near.read(&mut [0; 10]).await.unwrap(), 0, "then the stream ends");
}

#[tokio::test]
async fn a_violation_is_an_end_that_the_peer_is_told_of() {
    for (bytes, close) in [
        (frame(0x81, b"text"), b"\x88\x02\x03\xEB"),
        (b"\x82\x01x".to_vec(), b"\x88\x02\x03\xEA"),
        (b"\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFFmask".to_vec(), b"\x88\x02\x03\xF1"),
    ] {
        let (mut near, mut socket) = line(1024);
        near.write_all(&bytes).await.unwrap();
        assert_eq!(socket.read(&mut [0; 100]).await.unwrap(), 0);
        socket.shutdown().await.unwrap();
        reads(&mut near, close).await;
        // What is still under way is taken in, or the close might be taken back.
        near.write_all(b"more of that").await.unwrap();
        near.shutdown().await.unwrap();
        assert_eq!(socket.read(&mut [0; 100]).await.unwrap(), 0);
        near.write_all(b"x").await.unwrap_err();
    }
}

#[tokio::test]
async fn a_shutdown_says_close_and_waits_for_the_peers() {
    let (mut near, mut socket) = line(1024);
    socket.write_all(b"last").await.unwrap();
    socket.shutdown().await.unwrap();
    reads(&mut near, b"\x82\x04last\x88\x02\x03\xE8").await;
    near.write_all(&frame(0x82, b"too late")).await.unwrap();
    let mut bytes = [0; 100];
    assert_eq!(socket.read(&mut bytes).await.unwrap(), 8);
    let read = tokio::spawn(async move { socket.read(&mut [0; 100]).await });
    near.write_all(&frame(0x88, b"\x03\xE8")).await.unwrap();
    assert_eq!(near.read(&mut [0; 10]).await.unwrap(), 0, "then the stream ends");
    near.shutdown().await.unwrap();
    assert_eq!(read.await.unwrap().unwrap(), 0);
}

/// Found by `tests/fuzz`: the end of the stream came before the close.
#[tokio::test]
async fn a_close_that_waits_for_room_is_said_before_the_stream_ends() {
    let (mut near, mut socket) = line(3);
    timeout(Duration::from_millis(1), socket.shutdown()).await.unwrap_err();
    let client = tokio::spawn(async move {
        near.write_all(&frame(0x88, b"")).await.unwrap();
        near
    });
    for _ in 0..2 {
        let mut bytes = [0; 100];
        let read = timeout(Duration::from_secs(5), socket.read(&mut bytes)).await.unwrap();
        assert_eq!(read.unwrap(), 0);
    }
    let mut near = client.await.unwrap();
    let mut told = Vec::new();
    let (done, read) = tokio::join!(socket.shutdown(), near.read_to_end(&mut told));
    done.unwrap();
    assert_eq!((read.unwrap(), &told[..]), (4, &b"\x88\x02\x03\xE8"[..]));
}

#[tokio::test]
async fn a_shutdown_inside_a_frame_ends_the_stream() {
    let (mut near, mut socket) = line(10);
    let long = socket.write_all(&[b'x'; 100]);
    timeout(Duration::from_millis(1), long).await.unwrap_err();
    reads(&mut near, b"\x82\x64xxxxxxxx").await;
    socket.shutdown().await.unwrap();
    let mut rest = Vec::new();
    near.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"", "a close would be read as payload");
}

#[tokio::test]
async fn both_ends_at_once_are_not_held_up() {
    let (mut near, socket) = line(64);
    let (mut reader, mut writer) = tokio::io::split(socket);
    let wire: Vec<u8> = (0..500).flat_map(|_| frame(0x82, &[b'u'; 100])).collect();
    let echo = async {
        let mut bytes = vec![0; 50_000];
        let (read, written) = tokio::join!(reader.read_exact(&mut bytes), async {
            writer.write_all(&b"d".repeat(50_000)).await?;
            writer.flush().await
        });
        read.unwrap();
        written.unwrap();
    };
    let peer = async {
        let (mut from, mut to) = tokio::io::split(&mut near);
        let mut bytes = vec![0; 50_000];
        let (sent, read) = tokio::join!(to.write_all(&wire), from.read_exact(&mut bytes));
        sent.unwrap();
        read.unwrap();
    };
    timeout(Duration::from_secs(5), async { tokio::join!(echo, peer) }).await.unwrap();
}
