//! Large packets that have not arrived as a whole, of several connections that share one room.

use super::*;
use crate::limits::{UNFINISHED_BYTES_FREE, UNFINISHED_STALL_TIMEOUT, UNFINISHED_STEP_BYTES};

/// Size of a large packet.
const LARGE: usize = 1024 * 1024;
/// Bytes on their way in a line.
const LINE: usize = 16 * 1024;
/// Time in which all that can happen at once has happened.
const MOMENT: Duration = Duration::from_millis(1);

/// Terms with room for so many bytes, shared by all lines that are opened on them.
fn room(bytes: usize) -> Terms {
    Terms { unfinished: Unfinished::new(bytes), ..terms() }
}

async fn line(terms: &Terms) -> Line {
    Line::logged_in_on(LINE, terms.clone()).await
}

impl Line {
    /// Sends as much of `bytes` as is taken at once; gives how much that is.
    async fn send(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while taken < bytes.len() {
            match timeout(MOMENT, self.peer.write(&bytes[taken..])).await {
                Ok(more) => taken += more.unwrap(),
                Err(_) => break,
            }
        }
        taken
    }

    /// Sends a PUBLISH of that many bytes, which must arrive at once.
    async fn publish(&mut self, bytes: usize) {
        assert_eq!(self.send(&publish_bytes(bytes)).await, bytes);
        self.has_published(bytes).await;
    }

    async fn has_published(&mut self, bytes: usize) {
        let Seen::Received(packets) = self.record.next().await else { panic!("no packet") };
        let [Packet::Publish(publish)] = &packets[..] else { panic!("{packets:?}") };
        assert_eq!(publish.message.payload.len(), bytes - 7);
    }

    /// Has been told that it makes room for others, or is so within that time.
    async fn is_cut_off(&mut self, time: Duration) -> bool {
        let seen = self.record.next_within(time).await;
        let quota = ReasonCode::QuotaExceeded;
        seen.is_some_and(|seen| matches!(seen, Seen::Malformed(error) if error.reason == quota))
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_packet_waits_for_the_one_that_has_begun_and_small_ones_do_not() {
    let terms = room(LARGE);
    let (mut first, mut second) = (line(&terms).await, line(&terms).await);
    let packet = publish_bytes(LARGE);
    assert_eq!(first.send(&packet[..LARGE - 1]).await, LARGE - 1);
    let taken = second.send(&packet).await;
    assert_eq!(taken, UNFINISHED_BYTES_FREE + LINE);

    let mut small = line(&terms).await;
    for bytes in [20_000, UNFINISHED_BYTES_FREE] {
        small.publish(bytes).await;
    }
    assert_eq!(first.send(&packet[LARGE - 1..]).await, 1);
    first.has_published(LARGE).await;
    assert_eq!(second.send(&packet[taken..]).await, LARGE - taken);
    second.has_published(LARGE).await;
    first.publish(LARGE).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_stalls_is_cut_off_for_one_that_waits_and_not_before() {
    let terms = room(LARGE);
    let (mut stalled, mut other) = (line(&terms).await, line(&terms).await);
    let packet = publish_bytes(LARGE);
    assert_eq!(stalled.send(&packet[..900 * 1024]).await, 900 * 1024);
    assert!(!stalled.is_cut_off(Duration::from_secs(3600)).await, "nobody waits");

    let taken = other.send(&packet).await;
    assert!(stalled.is_cut_off(MOMENT).await);
    let rest = &packet[taken..];
    assert_eq!(other.send(rest).await, rest.len(), "the service need not have closed yet");
    other.has_published(LARGE).await;
    assert_eq!(stalled.send(&packet).await, LINE, "it is not read any more");
    stalled.record.outbox(0).close();
    drop(stalled.peer);
    assert_eq!(stalled.record.next().await, Seen::Closed);
}

/// However slow the others find it: who goes on is not cut off.
#[tokio::test(start_paused = true)]
async fn one_that_goes_on_slowly_finishes_while_others_wait() {
    let terms = room(LARGE);
    let (mut slow, mut other) = (line(&terms).await, line(&terms).await);
    let packet = publish_bytes(LARGE);
    let mut sent = slow.send(&packet[..2 * UNFINISHED_STEP_BYTES]).await;
    let taken = other.send(&packet).await;
    while sent < LARGE {
        sleep(UNFINISHED_STALL_TIMEOUT.saturating_sub(2 * MOMENT)).await;
        let step = &packet[sent..LARGE.min(sent + UNFINISHED_STEP_BYTES)];
        assert_eq!(slow.send(step).await, step.len());
        sent += step.len();
    }
    slow.has_published(LARGE).await;
    assert_eq!(other.send(&packet[taken..]).await, LARGE - taken);
    other.has_published(LARGE).await;
}

#[tokio::test(start_paused = true)]
async fn a_packet_larger_than_the_room_comes_in_alone() {
    let terms = room(UNFINISHED_BYTES_FREE);
    let mut line = line(&terms).await;
    for bytes in [LARGE, LARGE, UNFINISHED_BYTES_FREE + 1] {
        line.publish(bytes).await;
    }
}

/// Each sends 900 KiB of 1 MiB: what is taken from them is bounded, and the last in line, who is
/// honest, is served.
#[tokio::test(start_paused = true)]
async fn a_crowd_of_unfinished_packets_has_a_bounded_size_and_an_end() {
    let (crowd, places) = (100, 4);
    let terms = room(places * LARGE + LARGE / 2);
    let packet = publish_bytes(LARGE);
    let (mut lines, mut taken) = (Vec::new(), 0);
    for _ in 0..crowd {
        let mut line = line(&terms).await;
        taken += line.send(&packet[..900 * 1024]).await;
        lines.push(line);
    }
    let waiting = crowd - places;
    assert_eq!(taken, places * 900 * 1024 + waiting * (UNFINISHED_BYTES_FREE + LINE));

    let mut innocent = line(&terms).await;
    innocent.publish(1000).await;
    let waves = u32::try_from(crowd / places).unwrap();
    let all = waves * (UNFINISHED_STALL_TIMEOUT + MOMENT);
    timeout(all, innocent.peer.write_all(&packet)).await.unwrap().unwrap();
    innocent.has_published(LARGE).await;
    // Those who have gone without being cut off leave their room too.
    drop(lines);
    innocent.publish(LARGE).await;
}

#[tokio::test(start_paused = true)]
async fn room_is_free_again_whatever_ends_the_connection() {
    let terms = room(LARGE);
    let packet = publish_bytes(LARGE);
    for end in 0..4 {
        let mut ended = line(&terms).await;
        assert_eq!(ended.send(&packet[..LARGE / 2]).await, LARGE / 2);
        match end {
            0 => drop(ended.peer),
            1 => ended.record.outbox(0).close(),
            2 => ended.task.abort(),
            _ => {
                // A topic with a wildcard is malformed, which shows when the packet is whole.
                let mut bad = publish_bytes(LARGE);
                bad[6] = b'#';
                let _old = ended.send(&packet[LARGE / 2..]).await;
                assert_eq!(ended.send(&bad).await, LARGE);
                assert!(matches!(ended.record.next().await, Seen::Received(_)));
                assert!(matches!(ended.record.next().await, Seen::Malformed(_)));
            }
        }
        sleep(MOMENT).await;
        line(&terms).await.publish(LARGE).await;
    }
}
