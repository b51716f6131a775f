//! MQTT inside WebSocket (MQTT 5.0 section 6, RFC 6455), server side: to a connection this is a
//! stream of bytes like another. Frames and packets have nothing to do with each other
//! [MQTT-6.0.0-2], so none of either is held to wait for the rest of the other.
//!
//! ```text
//!   open ──peer's close, or what it may not send──▶ ended ──shutdown: our close──▶ closed
//!     └──shutdown: our close──▶ waiting ──peer's close──▶ closed
//! ```

mod handshake;
mod incoming;
mod outgoing;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tracing::debug;
use tungstenite::protocol::frame::coding::CloseCode;

use incoming::{End, Incoming};
use outgoing::Outgoing;

pub use handshake::{Origins, Reason, Refusal, accept};

/// A stream after its handshake. Both directions are for one task; and as a write may have
/// announced how much follows, what it left must be offered again, with more behind it or not.
#[derive(Debug)]
pub struct WebSocket<S> {
    stream: S,
    incoming: Incoming,
    /// Set when the client has said its last.
    end: Option<End>,
    outgoing: Outgoing,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    fn new(stream: S) -> Self {
        let (incoming, outgoing) = (Incoming::new(), Outgoing::default());
        Self { stream, incoming, end: None, outgoing }
    }

    /// What to say as the reason of our close.
    fn close_code(&self) -> Option<CloseCode> {
        match self.end {
            None => Some(CloseCode::Normal),
            Some(End::Closed(code)) => code,
            Some(End::Violation(violation)) => Some(violation.close_code()),
        }
    }

    /// Reads once; ready with `false` at the end of the stream.
    fn poll_bytes(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<bool>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let wire = buffer.filled_mut().get_mut(before..).unwrap_or_default();
        if wire.is_empty() {
            return Poll::Ready(Ok(false));
        }
        let digest = self.incoming.digest(wire);
        buffer.set_filled(before + digest.payload);
        if let Some(ping) = digest.ping {
            self.outgoing.pong(ping);
        }
        if let Some(end) = digest.end {
            self.end = Some(end);
            if let End::Violation(violation) = end {
                debug!(%violation, "not WebSocket as MQTT wants it");
            }
        }
        Poll::Ready(Ok(true))
    }

    /// After the client's last word. To the connection that is the end; when our close is said
    /// too, the bytes that are still under way are let in, or the kernel would take it back.
    fn poll_end(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.outgoing.is_closed() {
            return Poll::Ready(Ok(()));
        }
        // All is said; that the client hears of the end of the stream too is a courtesy.
        let _ = Pin::new(&mut self.stream).poll_shutdown(context);
        let before = buffer.filled().len();
        loop {
            ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
            if buffer.filled().len() == before {
                return Poll::Ready(Ok(()));
            }
            buffer.set_filled(before);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocket<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        if this.end.is_some() {
            return this.poll_end(context, buffer);
        }
        loop {
            let read = this.poll_bytes(context, buffer);
            // A pong goes out with what it can; the rest when there is room, here or by a write.
            if let Poll::Ready(Err(error)) = this.outgoing.poll_flush(&mut this.stream, context) {
                return Poll::Ready(Err(error));
            }
            let more = ready!(read)?;
            if !more || buffer.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
            if this.end.is_some() {
                return this.poll_end(context, buffer);
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WebSocket<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Self { stream, outgoing, .. } = self.get_mut();
        outgoing.poll_write(stream, context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, outgoing, .. } = self.get_mut();
        outgoing.poll_flush(stream, context)
    }

    /// Says the close. The stream itself is shut down when the client has said its own.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.outgoing.is_inside_frame() {
            this.outgoing.close(this.close_code());
        }
        ready!(this.outgoing.poll_flush(&mut this.stream, context))?;
        if this.end.is_some() || this.outgoing.is_inside_frame() {
            return Pin::new(&mut this.stream).poll_shutdown(context);
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
