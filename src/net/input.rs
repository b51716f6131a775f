//! What has arrived from a peer and is no whole packet yet, and the room it takes.

use std::io;
use std::mem;
use std::pin::pin;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::limits::{
    READ_BYTES_MAX, READ_BYTES_MIN, RECEIVE_AHEAD_BYTES_MAX, UNFINISHED_BYTES_FREE,
};

/// What has arrived and is no whole packet yet.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) buffer: BytesMut,
    /// Room for the next read: more for a busy peer, little for a quiet one.
    lent: usize,
    /// Bytes in all of the packet at its front, 0 if that is not known.
    announced: usize,
}

impl Input {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self { buffer: BytesMut::new(), lent: READ_BYTES_MIN, announced: 0 }
    }

    /// Notes how large the packet is of which the first bytes are there; 0 if that is not known.
    pub(super) fn expect(&mut self, announced: usize) {
        if self.is_large() && self.buffer.is_empty() {
            // Its room is not lent to the next one, who may have claimed none.
            self.buffer = BytesMut::new();
        }
        self.announced = announced;
    }

    /// Whether the next read needs room that must be claimed, and for how many bytes in all.
    pub(super) fn claim(&self) -> Option<usize> {
        (self.is_large() && self.buffer.len() >= UNFINISHED_BYTES_FREE).then_some(self.announced)
    }

    /// Throws away what has arrived, room and all.
    pub(super) fn discard(&mut self) {
        *self = Self::new();
    }

    /// One read; while it is not ready, nothing has happened. While there is nothing to read, an
    /// empty buffer takes no room.
    pub(super) fn poll_read(
        &mut self,
        reader: &mut (impl AsyncRead + Unpin),
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let most = self.make_room();
        let poll = pin!(reader.read_buf(&mut (&mut self.buffer).limit(most))).poll(context);
        let Poll::Ready(read) = poll else {
            if self.buffer.is_empty() {
                self.buffer = BytesMut::new();
            }
            return Poll::Pending;
        };
        let read = read?;
        if read >= self.lent {
            self.lent = READ_BYTES_MAX.min(self.lent.saturating_mul(2));
        } else if read < most / 4 {
            self.lent = READ_BYTES_MIN.max(self.lent / 2);
        }
        Poll::Ready(Ok(read))
    }

    /// Makes room for the next read; gives the most that may be read.
    fn make_room(&mut self) -> usize {
        let length = self.buffer.len();
        if self.is_large() && length >= UNFINISHED_BYTES_FREE {
            return self.make_room_for_large();
        }
        let roomy = self.lent.saturating_mul(4);
        if length == 0 && self.buffer.capacity() > roomy {
            self.buffer = BytesMut::new();
        }
        let free = if self.is_large() { UNFINISHED_BYTES_FREE - length } else { usize::MAX };
        let most = self.lent.min(free);
        self.buffer.reserve(most);
        most
    }

    /// Room grows with what has arrived, to twice as much at most, and never beyond the packet: its
    /// claim covers it all, and the next packet has a buffer of its own.
    fn make_room_for_large(&mut self) -> usize {
        let length = self.buffer.len();
        let missing = self.announced.saturating_sub(length);
        let most = self.lent.min(missing);
        if self.buffer.capacity() - length < most {
            let ahead = missing.min(RECEIVE_AHEAD_BYTES_MAX.max(length));
            // As a vector it grows where it lies, and by no more than it is told; a second buffer
            // beside it would take half as much again at the last step.
            let mut bytes = Vec::from(mem::take(&mut self.buffer));
            bytes.reserve_exact(ahead);
            self.buffer = BytesMut::from(Bytes::from(bytes));
        }
        most
    }

    fn is_large(&self) -> bool {
        self.announced > UNFINISHED_BYTES_FREE
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use tokio::io::AsyncWriteExt;

    use super::*;

    impl Input {
        async fn read(&mut self, reader: &mut (impl AsyncRead + Unpin)) -> io::Result<usize> {
            poll_fn(|context| self.poll_read(reader, context)).await
        }
    }

    #[tokio::test]
    async fn a_quiet_peer_lends_little_and_a_busy_one_much() {
        let mut input = Input::new();
        let burst = vec![0; 1024 * 1024];
        let mut reader = &burst[..];
        while input.read(&mut reader).await.unwrap() > 0 {
            assert!(input.buffer.capacity() <= 2 * READ_BYTES_MAX);
            drop(input.buffer.split());
        }
        for _ in 0..10 {
            input.read(&mut &[0; 2][..]).await.unwrap();
            drop(input.buffer.split());
        }
        assert_eq!(input.lent, READ_BYTES_MIN);
        assert!(input.buffer.capacity() <= 4 * READ_BYTES_MIN, "{}", input.buffer.capacity());
    }

    #[tokio::test]
    async fn a_peer_that_says_nothing_is_lent_nothing() {
        let (mut near, mut far) = tokio::io::duplex(64);
        let mut input = Input::new();
        let nothing = tokio::time::timeout(Duration::from_millis(1), input.read(&mut far)).await;
        assert!(nothing.is_err());
        assert_eq!(input.buffer.capacity(), 0);
        near.write_all(&[0; 2]).await.unwrap();
        assert_eq!(input.read(&mut far).await.unwrap(), 2);
        let more = tokio::time::timeout(Duration::from_millis(1), input.read(&mut far)).await;
        assert!(more.is_err());
        assert_eq!(&input.buffer[..], [0; 2], "what has come stays");
    }

    /// Reads all of `bytes`, of which the first packet has `announced`; gives the most room that
    /// was taken on the way.
    async fn receive(input: &mut Input, bytes: usize, announced: usize) -> usize {
        let sent = vec![0; bytes];
        let mut reader = &sent[..];
        let mut most = 0;
        loop {
            input.expect(announced);
            if input.buffer.len() == announced || input.read(&mut reader).await.unwrap() == 0 {
                return most;
            }
            let (length, room) = (input.buffer.len(), input.buffer.capacity());
            let ahead = RECEIVE_AHEAD_BYTES_MAX.max(length);
            assert!(room <= (length + ahead).max(2 * READ_BYTES_MAX), "{room} for {length}");
            most = most.max(room);
        }
    }

    #[tokio::test]
    async fn room_grows_with_what_has_arrived_and_never_beyond_a_large_packet() {
        let large = 1_000_000;
        let mut input = Input::new();
        assert_eq!(receive(&mut input, 2 * large, large).await, large);
        assert_eq!(input.buffer.len(), large, "what follows it is not read yet");
    }

    #[tokio::test]
    async fn room_of_a_large_packet_must_be_claimed_before_it_is_taken() {
        let mut input = Input::new();
        let free = UNFINISHED_BYTES_FREE;
        input.expect(free + 1);
        let sent = vec![0; 2 * free];
        let mut reader = &sent[..];
        while input.claim().is_none() {
            input.read(&mut reader).await.unwrap();
            assert!(input.buffer.capacity() <= 2 * free);
        }
        assert_eq!((input.buffer.len(), input.claim()), (free, Some(free + 1)));
        let mut input = Input::new();
        receive(&mut input, free, free).await;
        assert_eq!((input.buffer.len(), input.claim()), (free, None), "this one is free");
    }

    #[tokio::test]
    async fn the_room_of_a_large_packet_is_not_kept_for_a_small_one() {
        let mut input = Input::new();
        receive(&mut input, 1024 * 1024, 1024 * 1024).await;
        drop(input.buffer.split());
        input.expect(0);
        input.read(&mut &[0; 2][..]).await.unwrap();
        let kept = input.buffer.capacity();
        assert!(kept <= 2 * READ_BYTES_MAX, "{kept}");
    }
}
