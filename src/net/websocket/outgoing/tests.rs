use std::task::Waker;

use super::*;
use crate::limits::PAYLOAD_BYTES_COPIED_MAX;

/// A stream that takes as much as there is room for.
struct Pipe {
    room: usize,
    taken: Vec<u8>,
    flushes: usize,
}

impl Pipe {
    fn new(room: usize) -> Self {
        Self { room, taken: Vec::new(), flushes: 0 }
    }

    /// The frames that were taken, whole or not: first byte, payload.
    fn frames(&self) -> Vec<(u8, Vec<u8>)> {
        let (mut frames, mut rest) = (Vec::new(), &self.taken[..]);
        while let [first, length, after @ ..] = rest {
            let (length, payload) = match length {
                126 => (usize::from(u16::from_be_bytes([after[0], after[1]])), &after[2..]),
                short => (usize::from(*short), after),
            };
            assert!(length < 65_536 && *first & 0x70 == 0);
            let (payload, next) = payload.split_at(length.min(payload.len()));
            frames.push((*first, payload.to_vec()));
            rest = next;
        }
        frames
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = bytes.len().min(self.room);
        if count == 0 {
            return Poll::Pending;
        }
        self.room -= count;
        self.taken.extend_from_slice(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
        self.as_mut().poll_write(context, &all)
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flushes += 1;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Outgoing frames and the stream they go to.
struct Line {
    outgoing: Outgoing,
    pipe: Pipe,
}

impl Line {
    fn new(room: usize) -> Self {
        Self { outgoing: Outgoing::default(), pipe: Pipe::new(room) }
    }

    fn write(&mut self, slices: &[&[u8]]) -> Poll<io::Result<usize>> {
        let slices: Vec<IoSlice<'_>> = slices.iter().map(|bytes| IoSlice::new(bytes)).collect();
        let mut context = Context::from_waker(Waker::noop());
        self.outgoing.poll_write(&mut self.pipe, &mut context, &slices)
    }

    /// Writes all, with `room` more at each turn.
    fn write_all(&mut self, mut bytes: &[u8], room: usize) {
        while !bytes.is_empty() {
            match self.write(&[bytes]) {
                Poll::Ready(written) => bytes = &bytes[written.unwrap()..],
                Poll::Pending => self.pipe.room = room,
            }
        }
    }

    fn flush(&mut self) -> Poll<io::Result<()>> {
        let mut context = Context::from_waker(Waker::noop());
        self.outgoing.poll_flush(&mut self.pipe, &mut context)
    }
}

#[test]
fn what_is_written_together_is_one_frame() {
    let mut line = Line::new(usize::MAX);
    assert!(matches!(line.write(&[b"ping", b"", b"pong"]), Poll::Ready(Ok(8))));
    assert_eq!(line.pipe.taken, b"\x82\x08pingpong");
}

#[test]
fn nothing_to_write_is_no_frame() {
    let mut line = Line::new(usize::MAX);
    assert!(matches!(line.write(&[b"", b""]), Poll::Ready(Ok(0))));
    assert!(line.flush().is_ready());
    assert_eq!((line.pipe.taken.len(), line.pipe.flushes), (0, 0));
}

/// A write of nothing would look like the end of the stream.
#[test]
fn any_number_of_empty_slices_before_a_payload_is_no_end() {
    let mut line = Line::new(2);
    let slices = [vec![&b""[..]; WRITE_SLICES_MAX], vec![b"payload"]].concat();
    assert!(line.write(&slices).is_pending());
    line.pipe.room = usize::MAX;
    assert!(matches!(line.write(&slices), Poll::Ready(Ok(7))));
    assert_eq!(line.pipe.frames(), [(0x82, b"payload".to_vec())]);
}

#[test]
fn a_large_payload_goes_out_in_frames_of_bounded_length() {
    for (bytes, room) in [(200_000, usize::MAX), (200_000, PAYLOAD_BYTES_COPIED_MAX), (300, 1)] {
        let payload: Vec<u8> = (0..=255).cycle().take(bytes).collect();
        let mut line = Line::new(room);
        line.write_all(&payload, room);
        let frames = line.pipe.frames();
        assert!(frames.iter().all(|(first, it)| *first == 0x82 && it.len() <= 65_535), "{room}");
        assert!(frames.into_iter().flat_map(|(_, it)| it).eq(payload.iter().copied()), "{room}");
    }
}

#[test]
fn a_frame_of_which_nothing_has_left_can_still_grow() {
    let mut line = Line::new(0);
    assert!(line.write(&[b"one"]).is_pending());
    line.pipe.room = usize::MAX;
    assert!(matches!(line.write(&[b"one", b"two"]), Poll::Ready(Ok(6))));
    assert_eq!(line.pipe.frames(), [(0x82, b"onetwo".to_vec())]);
}

#[test]
fn what_is_announced_is_kept_to_when_more_is_offered() {
    let mut line = Line::new(1);
    assert!(line.write(&[b"one"]).is_pending());
    assert!(line.outgoing.is_inside_frame());
    line.pipe.room = usize::MAX;
    assert!(matches!(line.write(&[b"one", b"two"]), Poll::Ready(Ok(3))));
    assert!(matches!(line.write(&[b"two"]), Poll::Ready(Ok(3))));
    assert_eq!(line.pipe.frames(), [(0x82, b"one".to_vec()), (0x82, b"two".to_vec())]);
}

#[test]
fn a_pong_waits_for_the_end_of_a_frame_and_only_the_newest_is_sent() {
    let mut line = Line::new(4);
    assert!(matches!(line.write(&[b"payload"]), Poll::Ready(Ok(2))));
    line.pipe.room = usize::MAX;
    for ping in [b"1", b"2", b"3"] {
        line.outgoing.pong(ping.to_vec());
        assert!(line.flush().is_ready());
    }
    assert_eq!(line.pipe.frames().len(), 1, "inside a frame no other begins");
    assert!(matches!(line.write(&[b"yload"]), Poll::Ready(Ok(5))));
    assert!(line.flush().is_ready());
    assert_eq!(line.pipe.frames(), [(0x82, b"payload".to_vec()), (0x8A, b"3".to_vec())]);
}

#[test]
fn a_flush_reaches_the_stream_once_for_what_was_written() {
    let mut line = Line::new(usize::MAX);
    line.write_all(b"x", 0);
    assert!(line.flush().is_ready() && line.flush().is_ready());
    assert_eq!(line.pipe.flushes, 1);
    line.outgoing.pong(Vec::new());
    assert!(line.flush().is_ready());
    assert_eq!(line.pipe.flushes, 2);
}

#[test]
fn a_close_is_said_once_after_the_frame_and_nothing_after_it() {
    let mut line = Line::new(3);
    assert!(matches!(line.write(&[b"ab"]), Poll::Ready(Ok(1))));
    line.outgoing.pong(b"last".to_vec());
    line.outgoing.close(Some(CloseCode::Normal));
    line.outgoing.close(Some(CloseCode::Away));
    line.pipe.room = usize::MAX;
    assert!(matches!(line.write(&[b"b"]), Poll::Ready(Ok(1))));
    assert!(line.flush().is_ready() && line.outgoing.is_closed());
    line.outgoing.pong(b"late".to_vec());
    assert!(line.flush().is_ready());
    let Poll::Ready(Err(error)) = line.write(&[b"late"]) else { panic!("written") };
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    let close = (0x88, b"\x03\xE8".to_vec());
    let expected = [(0x82, b"ab".to_vec()), (0x8A, b"last".to_vec()), close];
    assert_eq!(line.pipe.frames(), expected);
}

#[test]
fn a_close_without_a_code_is_empty() {
    let mut line = Line::new(usize::MAX);
    line.outgoing.close(None);
    assert!(line.flush().is_ready());
    assert_eq!(line.pipe.taken, b"\x88\x00");
}
