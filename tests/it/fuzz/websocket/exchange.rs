//! Both directions at once, over a network that takes what it likes: frames to the client are whole
//! and in order, its pings have their answers, and no flood of anything is kept.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use maison::net::websocket::WebSocket;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::source::Source;
use super::line::{Cuts, Line};
use super::naive::{self, Closing, Sent, Told};
use super::{another, check_close, frames, open};

/// What may still go out when nothing more is written: the rest of one control frame or header, a
/// pong, and the close.
const UNTOLD_BYTES_MAX: usize = (2 + 125) + (2 + 125) + (2 + 2);

/// Bytes of all payloads, beyond which no further one is offered.
const OFFERED_BYTES_MAX: usize = 300_000;

/// Room for one read, once all may go fast.
const READ_BYTES: usize = 8 * 1024;

/// Turns after which standing still is seen.
const TURNS_MAX: usize = 100_000;

pub(super) struct Exchange<'bytes> {
    source: Source<'bytes>,
    line: Line,
    socket: WebSocket<Line>,
    /// All that the client has sent.
    wire: Vec<u8>,
    heard: Vec<u8>,
    /// Whether nothing more can be heard.
    is_over: bool,
    /// All that is to be written, in the slices it is offered in.
    offered: Vec<Vec<u8>>,
    offered_bytes: usize,
    written: usize,
    leave: Leave,
}

/// How far the shutdown is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leave {
    NotYet,
    /// It has begun; whether all was heard by then.
    Begun(bool),
    Done(bool),
}

impl<'bytes> Exchange<'bytes> {
    pub(super) fn new(mut source: Source<'bytes>) -> Self {
        let line = Line::new();
        let socket = open(&line);
        line.cut(if source.byte() < 0x40 { Cuts::None } else { Cuts::Seeded(7) });
        line.set_room(0);
        Self {
            source,
            line,
            socket,
            wire: Vec::new(),
            heard: Vec::new(),
            is_over: false,
            offered: Vec::new(),
            offered_bytes: 0,
            written: 0,
            leave: Leave::NotYet,
        }
    }

    pub(super) fn run(mut self) {
        while !self.source.is_empty() {
            self.step();
        }
        self.end();
    }

    fn step(&mut self) {
        match self.source.byte() {
            0..0x40 => {
                let frame = frames::frame(&mut self.source);
                self.send(&frame);
            }
            0x40..0x48 => {
                let bytes = self.source.bytes();
                self.send(bytes);
            }
            0x48..0x70 => self.line.set_room(self.source.choose(&[0, 1, 3, 130, 70_000])),
            0x70..0xA0 => self.offer(),
            0xA0..0xC0 => self.write(),
            0xC0..0xE0 => {
                let room = self.source.choose(&[1, 7, 1024]);
                self.read(room);
            }
            0xE0..0xFC => self.flush(),
            0xFC.. => self.shut_down(),
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.line.send(bytes);
        self.wire.extend_from_slice(bytes);
    }

    fn offer(&mut self) {
        let length = self.source.choose(&[0, 1, 2, 125, 126, 300, 65_535, 65_536, 100_000]);
        if self.offered_bytes + length > OFFERED_BYTES_MAX {
            return;
        }
        let from = self.offered_bytes;
        self.offered.push((from..from + length).map(pattern).collect());
        self.offered_bytes += length;
    }

    fn write(&mut self) {
        // Whoever shuts down has nothing more to say.
        if self.leave != Leave::NotYet {
            return;
        }
        let mut before = self.written;
        let rest = self.offered.iter().filter_map(|slice| {
            let skipped = before.min(slice.len());
            before -= skipped;
            (skipped == 0 || skipped < slice.len()).then(|| IoSlice::new(&slice[skipped..]))
        });
        let rest: Vec<IoSlice<'_>> = rest.collect();
        let bytes: usize = rest.iter().map(|slice| slice.len()).sum();
        let socket = Pin::new(&mut self.socket);
        match socket.poll_write_vectored(&mut Context::from_waker(Waker::noop()), &rest) {
            Poll::Ready(written) => {
                let written = written.expect("nothing is broken");
                assert!(written <= bytes && (written > 0 || bytes == 0));
                self.written += written;
            }
            Poll::Pending => assert!(bytes > 0),
        }
    }

    fn read(&mut self, room: usize) {
        let mut buffer = vec![0; room];
        let mut buffer = ReadBuf::new(&mut buffer);
        let socket = Pin::new(&mut self.socket);
        match socket.poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer) {
            Poll::Ready(read) => {
                read.expect("nothing is broken");
                assert!(!self.is_over || buffer.filled().is_empty(), "the end stays the end");
                self.is_over |= buffer.filled().is_empty();
                self.heard.extend_from_slice(buffer.filled());
            }
            Poll::Pending => assert!(buffer.filled().is_empty()),
        }
    }

    fn flush(&mut self) {
        let before = self.line.told_bytes();
        let socket = Pin::new(&mut self.socket);
        match socket.poll_flush(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(flushed) => {
                flushed.expect("nothing is broken");
                assert!(self.line.is_flushed());
            }
            Poll::Pending => {}
        }
        assert!(self.line.told_bytes() - before <= UNTOLD_BYTES_MAX, "a flood is kept");
    }

    fn shut_down(&mut self) {
        let begun = match self.leave {
            Leave::NotYet => self.is_over,
            Leave::Begun(over) | Leave::Done(over) => over,
        };
        let socket = Pin::new(&mut self.socket);
        self.leave = match socket.poll_shutdown(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(done) => {
                done.expect("nothing is broken");
                Leave::Done(begun)
            }
            Poll::Pending => Leave::Begun(begun),
        };
    }

    /// The network is good again, the client falls silent, and both have their last word.
    fn end(mut self) {
        self.line.set_room(usize::MAX);
        self.line.cut(Cuts::None);
        self.line.end();
        let was_heard_out = self.leave == Leave::NotYet;
        self.turn_until(
            |it| it.leave != Leave::NotYet || it.written == it.offered_bytes,
            Self::write,
        );
        self.turn_until(|it| it.is_over, |it| it.read(READ_BYTES));
        self.turn_until(|it| matches!(it.leave, Leave::Done(_)), Self::shut_down);
        self.is_over = false;
        self.turn_until(|it| it.is_over, |it| it.read(READ_BYTES));

        let sent = naive::sent(&self.wire);
        assert_eq!(self.heard, sent.data);
        let told = naive::told(&self.line.told());
        assert!(told.data.iter().copied().eq((0..self.written).map(pattern)));
        let mut pings = sent.pings.iter();
        assert!(told.pongs.iter().all(|pong| pings.any(|ping| ping == pong)), "in order");
        if was_heard_out {
            assert_eq!(told.pongs.last(), sent.pings.last(), "the newest ping has its pong");
        }
        self.check_last_word(&told, &sent, was_heard_out);
        another::check_client(&self.line.told(), &told);
    }

    fn check_last_word(&mut self, told: &Told, sent: &Sent, was_heard_out: bool) {
        if told.is_cut_short {
            assert!(!was_heard_out && told.closing == Closing::NotYet && self.line.is_shut());
            return;
        }
        let is_known = self.leave == Leave::Done(true);
        if is_known || told.closing != Closing::Said(Some(1000)) {
            check_close(told, &sent.closing);
        }
        let socket = Pin::new(&mut self.socket);
        match socket.poll_write(&mut Context::from_waker(Waker::noop()), b"late") {
            Poll::Ready(Err(error)) => assert_eq!(error.kind(), io::ErrorKind::BrokenPipe),
            other => panic!("written after the close: {other:?}"),
        }
    }

    fn turn_until(&mut self, is_done: impl Fn(&Self) -> bool, mut turn: impl FnMut(&mut Self)) {
        for _ in 0..TURNS_MAX {
            if is_done(self) {
                return;
            }
            turn(self);
        }
        panic!("no end is reached");
    }
}

/// The byte at that place of all that is written.
fn pattern(at: usize) -> u8 {
    u8::try_from(at % 251).expect("a remainder of 251 is a byte")
}
