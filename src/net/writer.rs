//! Packets on their way out: small ones side by side in one buffer, large payloads from where they
//! lie, all with as few system calls as possible.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncWrite;

use crate::limits::{PACKETS_UNWRITTEN_MAX, PAYLOAD_BYTES_COPIED_MAX, WRITE_SLICES_MAX};
use crate::mqtt::{Encoder, Packet};

/// A buffer that grew beyond this in a burst is given back after it.
const KEPT_BYTES_MAX: usize = 4 * 1024;

/// Encodes packets and writes them piece by piece.
#[derive(Debug, Default)]
pub(super) struct Writer {
    /// What goes out before `open`, in order.
    sealed: VecDeque<Bytes>,
    /// Where the next packet is encoded to.
    open: BytesMut,
    /// Bytes of `sealed` and `open`.
    pending: usize,
    /// Weights of what is pending, and how many bytes are to be written until each is given back.
    marks: VecDeque<Mark>,
    /// Packets behind those marks.
    packets: usize,
    flush: Flush,
}

#[derive(Debug)]
struct Mark {
    packets: usize,
    bytes: usize,
    weight: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Flush {
    #[default]
    Done,
    Due,
}

impl Writer {
    /// Puts packets at the end of what is to be written.
    pub(super) fn encode(&mut self, packets: &mut Vec<Packet>, encoder: &mut Encoder) {
        let before = self.pending;
        let (mut weight, count) = (0_usize, packets.len());
        for packet in packets.drain(..) {
            weight = weight.saturating_add(packet.weight());
            self.encode_one(&packet, encoder);
        }
        if weight > 0 {
            self.packets += count;
            self.marks.push_back(Mark { packets: count, bytes: self.pending - before, weight });
        }
    }

    fn encode_one(&mut self, packet: &Packet, encoder: &mut Encoder) {
        let before = self.open.len();
        match packet {
            Packet::Publish(publish)
                if publish.message.payload.len() > PAYLOAD_BYTES_COPIED_MAX =>
            {
                let payload = encoder.publish_header(publish, &mut self.open);
                self.pending += self.open.len() - before + payload.len();
                self.sealed.push_back(self.open.split().freeze());
                self.sealed.push_back(payload);
            }
            _ => {
                encoder.encode(packet, &mut self.open);
                self.pending += self.open.len() - before;
            }
        }
    }

    /// Whether so many packets wait that none should be asked for: a peer that sends and does not
    /// read is to wait itself.
    pub(super) fn is_crowded(&self) -> bool {
        self.packets >= PACKETS_UNWRITTEN_MAX
    }

    /// Whether [`Writer::poll_step`] has something to do.
    pub(super) fn is_busy(&self) -> bool {
        self.pending > 0 || self.flush == Flush::Due || !self.marks.is_empty()
    }

    /// One write, and the flush after the last. Gives the weight of packets that are now written;
    /// while it is not ready, nothing has happened.
    pub(super) fn poll_step(
        &mut self,
        mut stream: Pin<&mut impl AsyncWrite>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut written = 0;
        if self.pending > 0 {
            written = ready!(self.poll_write(stream.as_mut(), context))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.flush = Flush::Due;
            self.advance(written);
        }
        let weight = self.settle(written);
        if self.pending == 0 && self.flush == Flush::Due {
            match stream.poll_flush(context) {
                Poll::Ready(flushed) => {
                    flushed?;
                    self.flush = Flush::Done;
                }
                Poll::Pending if written == 0 => return Poll::Pending,
                Poll::Pending => {}
            }
        }
        Poll::Ready(Ok(weight))
    }

    fn poll_write(
        &self,
        stream: Pin<&mut impl AsyncWrite>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.sealed.is_empty() {
            return stream.poll_write(context, &self.open);
        }
        let mut slices = [IoSlice::new(&[]); WRITE_SLICES_MAX];
        let pieces = self.sealed.iter().map(|piece| &**piece).chain([&*self.open]);
        let mut count = 0;
        for (slice, piece) in slices.iter_mut().zip(pieces) {
            *slice = IoSlice::new(piece);
            count += 1;
        }
        stream.poll_write_vectored(context, slices.get(..count).unwrap_or_default())
    }

    fn advance(&mut self, written: usize) {
        self.pending = self.pending.saturating_sub(written);
        let mut left = written;
        while let Some(piece) = self.sealed.front_mut() {
            if left < piece.len() {
                piece.advance(left);
                return;
            }
            left -= piece.len();
            self.sealed.pop_front();
        }
        self.open.advance(left.min(self.open.len()));
        if self.open.is_empty() && self.open.capacity() > KEPT_BYTES_MAX {
            self.open = BytesMut::new();
        }
    }

    /// Takes off the marks that `written` bytes have reached.
    fn settle(&mut self, written: usize) -> usize {
        let (mut left, mut weight) = (written, 0_usize);
        while let Some(mark) = self.marks.front_mut() {
            if mark.bytes > left {
                mark.bytes -= left;
                break;
            }
            left -= mark.bytes;
            weight = weight.saturating_add(mark.weight);
            self.packets -= mark.packets;
            self.marks.pop_front();
        }
        weight
    }
}

#[cfg(test)]
mod tests;
