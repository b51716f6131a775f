//! Frames to a client. Payloads go out from where they lie, behind a header of their own; pongs and
//! the close find their place between two frames.
//!
//! ```text
//!   between frames ──a byte of a header is written──▶ inside ──last byte of payload──▶ between
//!         └── close is written ──▶ closed
//! ```

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, BytesMut};
use tokio::io::AsyncWrite;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

use crate::limits::{WEBSOCKET_FRAME_BYTES_SENT_MAX, WRITE_SLICES_MAX};

/// The frames to one client.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// Headers and control frames; written before any payload.
    queue: BytesMut,
    /// Payload that the header before it has announced and that was not written yet.
    promised: usize,
    /// The payload of the newest pong that is due; older ones need not be sent (RFC 6455 section
    /// 5.5.3), so a flood of pings costs no memory.
    pong: Option<Vec<u8>>,
    closing: Closing,
    flush: Flush,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Closing {
    #[default]
    Open,
    /// A close is to be sent.
    Due(Option<CloseCode>),
    /// It is in the queue, or written: nothing may follow.
    Said,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Flush {
    #[default]
    Done,
    Due,
}

impl Outgoing {
    /// Answers a ping, as soon as a frame ends.
    pub(super) fn pong(&mut self, payload: Vec<u8>) {
        self.pong = Some(payload);
    }

    /// Ends the frames, as soon as a frame ends.
    pub(super) fn close(&mut self, code: Option<CloseCode>) {
        if self.closing == Closing::Open {
            self.closing = Closing::Due(code);
        }
    }

    /// Whether the close is said, to its last byte.
    pub(super) fn is_closed(&self) -> bool {
        self.closing == Closing::Said && self.queue.is_empty()
    }

    /// Whether part of a frame's payload is still to come.
    pub(super) fn is_inside_frame(&self) -> bool {
        self.promised > 0
    }

    /// Writes what is due of control frames and flushes; ready when nothing is.
    pub(super) fn poll_flush(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_control(stream, context))?;
        if self.flush == Flush::Due {
            ready!(Pin::new(stream).poll_flush(context))?;
            self.flush = Flush::Done;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes some of `offered`, in order. What follows must begin with the rest of it: its length
    /// may be announced.
    pub(super) fn poll_write(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        context: &mut Context<'_>,
        offered: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = offered.iter().fold(0, |sum: usize, slice| sum.saturating_add(slice.len()));
        if length == 0 {
            return Poll::Ready(Ok(0));
        }
        let mut is_new = false;
        if self.promised == 0 {
            ready!(self.poll_control(stream, context))?;
            if self.closing != Closing::Open {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            let length = length.min(WEBSOCKET_FRAME_BYTES_SENT_MAX);
            put_header(OpCode::Data(Data::Binary), length, &mut self.queue);
            self.promised = length;
            is_new = true;
        }
        loop {
            let Poll::Ready(written) = self.poll_pieces(stream, context, offered) else {
                if is_new {
                    // Nothing has left: next time the frame may be longer, or another come first.
                    self.queue.clear();
                    self.promised = 0;
                }
                return Poll::Pending;
            };
            let payload = self.advance(written?)?;
            if payload > 0 {
                return Poll::Ready(Ok(payload));
            }
            is_new = false;
        }
    }

    /// One write of the queue and the promised payload behind it.
    fn poll_pieces(
        &self,
        stream: &mut (impl AsyncWrite + Unpin),
        context: &mut Context<'_>,
        offered: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); WRITE_SLICES_MAX + 1];
        let mut left = self.promised;
        let payload = offered.iter().map(|slice| {
            let piece = slice.get(..left).unwrap_or(slice);
            left -= piece.len();
            piece
        });
        // Empty ones might take all the places there are.
        let pieces = [&*self.queue].into_iter().chain(payload).filter(|piece| !piece.is_empty());
        let mut count = 0;
        for (slice, piece) in slices.iter_mut().zip(pieces) {
            *slice = IoSlice::new(piece);
            count += 1;
        }
        let slices = slices.get(..count).unwrap_or_default();
        Pin::new(stream).poll_write_vectored(context, slices)
    }

    /// Takes `written` bytes off queue and promise, and gives those of the payload.
    fn advance(&mut self, written: usize) -> io::Result<usize> {
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.flush = Flush::Due;
        let of_queue = written.min(self.queue.len());
        self.queue.advance(of_queue);
        let payload = written - of_queue;
        self.promised = self.promised.saturating_sub(payload);
        Ok(payload)
    }

    /// Writes the queue, and the control frames that are due if this is their place.
    fn poll_control(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.queue.is_empty() {
                self.queue_control();
            }
            if self.queue.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let written = ready!(Pin::new(&mut *stream).poll_write(context, &self.queue))?;
            self.advance(written)?;
        }
    }

    /// Puts the next control frame that is due into the empty queue.
    fn queue_control(&mut self) {
        if self.promised > 0 || self.closing == Closing::Said {
            return;
        }
        if let Some(payload) = self.pong.take() {
            put_header(OpCode::Control(Control::Pong), payload.len(), &mut self.queue);
            self.queue.put_slice(&payload);
        } else if let Closing::Due(code) = self.closing {
            let code = code.map(|code| u16::from(code).to_be_bytes());
            let payload = code.as_ref().map_or(&[][..], |code| &code[..]);
            put_header(OpCode::Control(Control::Close), payload.len(), &mut self.queue);
            self.queue.put_slice(payload);
            self.closing = Closing::Said;
        }
    }
}

fn put_header(opcode: OpCode, length: usize, queue: &mut BytesMut) {
    let header = FrameHeader { opcode, ..FrameHeader::default() };
    let length = u64::try_from(length).expect("what lies in memory has a length of 64 bits");
    header.format(length, &mut queue.writer()).expect("a buffer takes all that is written to it");
}

#[cfg(test)]
mod tests;
